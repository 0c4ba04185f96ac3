/* What is asked of single descriptors. */
#define _GNU_SOURCE 1
#include "base/fault.h"
#include "base/race.h"
#include "os/os.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef RWF_NOWAIT /* musl before 1.2.5, which has no preadv2 either */
#define RWF_NOWAIT 0x00000008
#endif

void rn_os_open_std(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd) /* the least number that is free */
            return;
}

int rn_os_dup(int fd, int least)
{
    if (rn__fault_hit())
        return -EMFILE;
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, least);
    return copy < 0 ? -errno : copy;
}

/* The pipe behind fd as a new open file, or -1.  Non-blocking at first: an end without its other end
 * would wait for one. */
static int open_pipe_anew(int fd, int flags)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int anew = open(path, (flags & O_ACCMODE) | O_NONBLOCK | O_CLOEXEC);
    if (anew >= 0)
        fcntl(anew, F_SETFL, flags & O_ACCMODE);
    return anew;
}

int rn_os_dup_blocking(int fd, int least)
{
    struct stat s;
    int flags = fcntl(fd, F_GETFL), anew = -1;
    if (flags >= 0 && (flags & O_NONBLOCK) && fstat(fd, &s) == 0 && S_ISFIFO(s.st_mode))
        anew = open_pipe_anew(fd, flags);
    int copy = rn_os_dup(anew >= 0 ? anew : fd, least);
    if (anew >= 0)
        close(anew);
    return copy;
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
        got = syscall(SYS_preadv2, fd, &v, 1, offset, 0, RWF_NOWAIT);
    while (got < 0 && errno == EINTR);
    if (got >= 0) {
        rn__race_write(buf, (size_t)got, RN_RACE_PC); /* the detector does not know the call */
        return got;
    }
    /* A kernel or a file system that has no such reads says one of these. */
    return errno == EOPNOTSUPP || errno == ENOSYS || errno == EPERM ? -EAGAIN : -errno;
}
