/* The calls that a server makes for each message, without the C library's part in them.
 *
 * In a program of several threads glibc before 2.41 makes each of these a place where pthread_cancel may end the thread, which takes
 * two atomic operations a call: 4.5 % of two goroutines that talk through a socket. No thread may end in the middle of
 * ours anyway.  Where a sanitizer's runtime is in the program the library's functions are called, in whose place it has its own:
 * they look at the caller's buffer.
 */
#define _GNU_SOURCE 1
#include "os/linux/internal.h"
#include "os/os.h"
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

ssize_t rn_os_recv(int fd, void *buf, size_t n, int flags)
{
    if (rn__os_is_watched())
        return recv(fd, buf, n, flags);
    return syscall(SYS_recvfrom, fd, buf, n, flags, NULL, NULL);
}

ssize_t rn_os_send(int fd, const void *buf, size_t n, int flags)
{
    if (rn__os_is_watched())
        return send(fd, buf, n, flags);
    return syscall(SYS_sendto, fd, buf, n, flags, NULL, 0);
}

ssize_t rn_os_sendmsg(int fd, const struct msghdr *m, int flags)
{
    if (rn__os_is_watched())
        return sendmsg(fd, m, flags);
    return syscall(SYS_sendmsg, fd, m, flags);
}

int rn__os_epoll_wait(int fd, struct epoll_event *events, int most, int ms)
{
    if (rn__os_is_watched())
        return epoll_wait(fd, events, most, ms);
    return (int)syscall(SYS_epoll_pwait, fd, events, most, ms, NULL, 0);
}
