/* The network as it is when schedules are explored: streams between the program's own ends (TCP on the
 * loopback addresses, unix sockets, pairs, pipes) live in this process, on the virtual clock, and what
 * happens to them is a choice: how long bytes travel, how much a read gets, and, if the plan says so,
 * resets and partitions.
 *
 * The files of src/net that make system calls include this last: in a build with RN_EXPLORE the calls
 * go through rn__sim_…, which pass on what is not simulated (datagrams, addresses elsewhere, and
 * everything while no plan is in force).  In every other build this is nothing. */
#ifndef RN_NET_SIM_H
#define RN_NET_SIM_H

#ifdef RN_EXPLORE
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

/* Whether fd is an end of a simulated stream: a wait for it is none for the outside. */
bool rn__sim_is(int fd);

int rn__sim_socket(int domain, int type, int protocol);
int rn__sim_socketpair(int domain, int type, int protocol, int fds[2]);
int rn__sim_pipe(int fds[2]); /* as rn_os_pipe */
int rn__sim_bind(int fd, const struct sockaddr *at, socklen_t len);
int rn__sim_listen(int fd, int backlog);
int rn__sim_accept4(int fd, struct sockaddr *from, socklen_t *len, int flags);
int rn__sim_connect(int fd, const struct sockaddr *to, socklen_t len);
ssize_t rn__sim_recv(int fd, void *buf, size_t n, int flags);
ssize_t rn__sim_read(int fd, void *buf, size_t n);
ssize_t rn__sim_readv(int fd, const struct iovec *iov, int n);
ssize_t rn__sim_send(int fd, const void *buf, size_t n, int flags);
ssize_t rn__sim_sendmsg(int fd, const struct msghdr *m, int flags);
int64_t rn__sim_write_quiet(int fd, const void *buf, size_t n);
int64_t rn__sim_sendfile(int fd, int file, int64_t offset, size_t n);
int rn__sim_shutdown(int fd, int how);
int rn__sim_close(int fd);
int rn__sim_getsockname(int fd, struct sockaddr *at, socklen_t *len);
int rn__sim_getpeername(int fd, struct sockaddr *at, socklen_t *len);
int rn__sim_getsockopt(int fd, int level, int option, void *value, socklen_t *len);
int rn__sim_poll(struct pollfd *p, nfds_t n, int ms);
int rn__sim_chmod(const char *path, mode_t mode);
int rn__sim_poll_add(int fd, uint64_t tag);
int rn__sim_poll_del(int fd);

#ifndef RN_NET_SIM_ITSELF
#define socket(domain, type, protocol) rn__sim_socket(domain, type, protocol)
#define socketpair(domain, type, protocol, fds) rn__sim_socketpair(domain, type, protocol, fds)
#define rn_os_pipe(fds) rn__sim_pipe(fds)
#define bind(fd, at, len) rn__sim_bind(fd, at, len)
#define listen(fd, backlog) rn__sim_listen(fd, backlog)
#define accept4(fd, from, len, flags) rn__sim_accept4(fd, from, len, flags)
#define connect(fd, to, len) rn__sim_connect(fd, to, len)
#define rn_os_recv(fd, buf, n, flags) rn__sim_recv(fd, buf, n, flags)
#define read(fd, buf, n) rn__sim_read(fd, buf, n)
#define readv(fd, iov, n) rn__sim_readv(fd, iov, n)
#define rn_os_send(fd, buf, n, flags) rn__sim_send(fd, buf, n, flags)
#define rn_os_sendmsg(fd, m, flags) rn__sim_sendmsg(fd, m, flags)
#define rn_os_write_quiet(fd, buf, n) rn__sim_write_quiet(fd, buf, n)
#define rn_os_sendfile(fd, file, offset, n) rn__sim_sendfile(fd, file, offset, n)
#define shutdown(fd, how) rn__sim_shutdown(fd, how)
#define close(fd) rn__sim_close(fd)
#define getsockname(fd, at, len) rn__sim_getsockname(fd, at, len)
#define getpeername(fd, at, len) rn__sim_getpeername(fd, at, len)
#define getsockopt(fd, level, option, value, len) rn__sim_getsockopt(fd, level, option, value, len)
#define poll(p, n, ms) rn__sim_poll(p, n, ms)
#define chmod(path, mode) rn__sim_chmod(path, mode)
#define rn_os_poll_add(fd, tag) rn__sim_poll_add(fd, tag)
#define rn_os_poll_del(fd) rn__sim_poll_del(fd)
#endif

#else
#define rn__sim_is(fd) false
#endif

#endif
