/* What is asked of single descriptors. */
#define _GNU_SOURCE 1
#include "base/fault.h"
#include "os/os.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

int rn_os_dup(int fd, int least)
{
    if (rn__fault_hit())
        return -EMFILE;
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, least);
    return copy < 0 ? -errno : copy;
}

int rn_os_pipe(int fds[2])
{
    if (rn__fault_hit())
        return -EMFILE;
    return pipe2(fds, O_CLOEXEC | O_NONBLOCK) ? -errno : 0;
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
