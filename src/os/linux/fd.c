/* What is asked of single descriptors. */
#define _GNU_SOURCE 1
#include "base/fault.h"
#include "os/os.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/uio.h>

uint32_t rn_os_poll_look(int fd, uint32_t asked)
{
    struct pollfd p = {.fd = fd};
    p.events = (short)((asked & RN_POLL_READ ? POLLIN | POLLRDHUP : 0) | (asked & RN_POLL_WRITE ? POLLOUT : 0));
    if (poll(&p, 1, 0) <= 0)
        return 0;
    if (p.revents & (POLLERR | POLLHUP | POLLNVAL))
        return asked;
    return (p.revents & (POLLIN | POLLRDHUP) ? RN_POLL_READ : 0) | (p.revents & POLLOUT ? RN_POLL_WRITE : 0);
}

int rn_os_dup(int fd, int least)
{
    int copy = rn__fault_hit() ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, least);
    return copy < 0 ? -errno : copy;
}

ssize_t rn_os_read_now(int fd, void *buf, size_t n, int64_t offset)
{
    struct iovec v = {.iov_base = buf, .iov_len = n};
    ssize_t got;
    do
        got = preadv2(fd, &v, 1, offset, RWF_NOWAIT);
    while (got < 0 && errno == EINTR);
    if (got >= 0)
        return got;
    /* A kernel or a file system that has no such reads says one of these. */
    return errno == EOPNOTSUPP || errno == ENOSYS || errno == EPERM ? -EAGAIN : -errno;
}
