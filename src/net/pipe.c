/* Pipes, and other people's descriptors, as connections. */
#define _GNU_SOURCE 1
#include "net/fd.h"
#include <errno.h>
#include <fcntl.h>
#include <runnel/fd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "net/sim.h" /* last: stands in for system calls */

static rn_conn *conn_of(struct rn__fd *f)
{
    return (rn_conn *)(void *)f;
}

int rn_pipe(rn_conn **r, rn_conn **w)
{
    int fds[2];
    int err = rn_os_pipe(fds);
    if (err)
        return err;
    struct rn__fd *read_end = rn__fd_make(fds[0], RN_FD_FOREIGN);
    struct rn__fd *write_end = read_end ? rn__fd_make(fds[1], RN_FD_FOREIGN) : NULL;
    if (write_end) {
        *r = conn_of(read_end);
        *w = conn_of(write_end);
        return 0;
    }
    if (read_end)
        rn__fd_free(read_end);
    else
        close(fds[0]);
    close(fds[1]);
    return RN_ENOMEM;
}

int rn_conn_of_fd(int fd, rn_conn **out)
{
    struct stat s;
    if (fstat(fd, &s) != 0)
        return -errno;
    if (S_ISREG(s.st_mode) || S_ISDIR(s.st_mode) || S_ISBLK(s.st_mode))
        return -EPERM;
    if (S_ISSOCK(s.st_mode))
        return rn_net_from_fd(fd, out);
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)
        return -errno;
    struct rn__fd *f = rn__fd_make(fd, RN_FD_FOREIGN);
    if (!f)
        return RN_ENOMEM;
    *out = conn_of(f);
    return 0;
}
