/* Sockets: networks by name, listening, accepting, options, addresses. */
#define _GNU_SOURCE 1
#include "base/units.h"
#include "net/socket.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "net/sim.h" /* last: stands in for system calls */

int rn__network_parse(const char *name, struct rn__network *out)
{
    static const struct {
        const char *name;
        struct rn__network is;
    } known[] = {
        {"tcp", {SOCK_STREAM, 0, false}},          {"tcp4", {SOCK_STREAM, 4, false}},
        {"tcp6", {SOCK_STREAM, 6, false}},         {"udp", {SOCK_DGRAM, 0, false}},
        {"udp4", {SOCK_DGRAM, 4, false}},          {"udp6", {SOCK_DGRAM, 6, false}},
        {"unix", {SOCK_STREAM, 0, true}},          {"unixgram", {SOCK_DGRAM, 0, true}},
        {"unixpacket", {SOCK_SEQPACKET, 0, true}}, {"ip", {SOCK_STREAM, 0, false}},
        {"ip4", {SOCK_STREAM, 4, false}},          {"ip6", {SOCK_STREAM, 6, false}},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(name, known[i].name) == 0) {
            *out = known[i].is;
            return 0;
        }
    return RN_EINVAL;
}

/* ---- making ------------------------------------------------------------------------------------------ */

static int set(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof value) ? -errno : 0;
}

int rn__socket_open(const struct rn__network *net, const rn_addr *a)
{
    int family = a->family == RN_ADDR_UNIX ? AF_UNIX : a->family == RN_ADDR_IP4 ? AF_INET : AF_INET6;
    int fd = socket(family, net->type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (family != AF_UNIX && net->type == SOCK_DGRAM)
        set(fd, SOL_SOCKET, SO_BROADCAST, 1);
    return fd;
}

static int keepalive(int fd, rn_duration idle, rn_duration interval, int count)
{
    int err = set(fd, SOL_SOCKET, SO_KEEPALIVE, idle > 0);
    if (err || idle <= 0)
        return err;
    err = set(fd, IPPROTO_TCP, TCP_KEEPIDLE, rn__in_units(idle, RN_SECOND));
    if (!err && interval > 0)
        err = set(fd, IPPROTO_TCP, TCP_KEEPINTVL, rn__in_units(interval, RN_SECOND));
    if (!err && count > 0)
        err = set(fd, IPPROTO_TCP, TCP_KEEPCNT, count);
    return err;
}

/* What every TCP socket starts with, as in Go; accepted ones inherit it from their listener. */
static void tcp_defaults(int fd)
{
    set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    keepalive(fd, 15 * RN_SECOND, 15 * RN_SECOND, 9);
}

static bool is_tcp(const struct rn__network *net)
{
    return !net->is_unix && net->type == SOCK_STREAM;
}

static int conn_of(int fd, unsigned flags, rn_conn **out)
{
    struct rn__fd *f = rn__fd_make(fd, flags);
    if (!f)
        return RN_ENOMEM;
    *out = rn_container(f, rn_conn, fd);
    return 0;
}

int rn__conn_make(int fd, const struct rn__network *net, rn_conn **out)
{
    if (is_tcp(net))
        tcp_defaults(fd);
    int err = conn_of(fd, RN_FD_SOCKET | (is_tcp(net) ? RN_FD_STREAM : 0), out);
    if (err)
        close(fd);
    return err;
}

/* The flags of a socket that somebody else has opened, which is made non-blocking; or a negative errno. */
static int take_over(int fd)
{
    int domain, type;
    socklen_t len = sizeof domain;
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len))
        return -errno;
    len = sizeof type;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len))
        return -errno;
    int mode = fcntl(fd, F_GETFL);
    if (mode < 0 || fcntl(fd, F_SETFL, mode | O_NONBLOCK))
        return -errno;
    bool tcp = (domain == AF_INET || domain == AF_INET6) && type == SOCK_STREAM;
    return RN_FD_SOCKET | RN_FD_FOREIGN | (tcp ? RN_FD_STREAM : 0);
}

int rn_net_from_fd(int fd, rn_conn **out)
{
    int flags = take_over(fd);
    return flags < 0 ? flags : conn_of(fd, (unsigned)flags, out);
}

int rn_net_listener_from_fd(int fd, rn_listener **out)
{
    int listens = 0;
    socklen_t len = sizeof listens;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len))
        return -errno;
    if (!listens)
        return RN_EINVAL;
    int flags = take_over(fd);
    if (flags < 0)
        return flags;
    struct rn__fd *f = rn__fd_make(fd, (unsigned)flags | RN_FD_LISTENER | RN_FD_KEEP_PATH);
    if (!f)
        return RN_ENOMEM;
    *out = rn_container(f, rn_listener, fd);
    return 0;
}

int rn_net_pair(rn_conn **a, rn_conn **b)
{
    int pair[2];
    struct rn__network net = {SOCK_STREAM, 0, true};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair))
        return -errno;
    int err = rn__conn_make(pair[0], &net, a);
    if (err) {
        close(pair[1]);
        return err;
    }
    err = rn__conn_make(pair[1], &net, b);
    if (err)
        rn_net_free(*a);
    return err;
}

/* ---- listening --------------------------------------------------------------------------------------- */

static int prepare_inet(int fd, const rn_listen_options *o, const struct rn__network *net, const rn_addr *a)
{
    int err = net->type == SOCK_STREAM ? set(fd, SOL_SOCKET, SO_REUSEADDR, 1) : 0;
    if (!err && o->reuse_port)
        err = set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (!err && a->family == RN_ADDR_IP6)
        err = set(fd, IPPROTO_IPV6, IPV6_V6ONLY, o->v6_only || net->ip == 6);
    if (!err && net->type == SOCK_STREAM)
        tcp_defaults(fd);
    return err;
}

/* bind, and for streams listen; 0 or the negative errno. */
static int bind_and_listen(int fd, const rn_listen_options *o, const struct rn__network *net, const rn_addr *a)
{
    enum { BACKLOG = 65535 }; /* the system caps it */
    struct sockaddr_storage to;
    socklen_t len = rn__addr_to_kernel(a, &to);
    if (bind(fd, (struct sockaddr *)&to, len))
        return -errno;
    bool has_path = a->family == RN_ADDR_UNIX && a->path_len && a->path[0];
    const char *path = ((struct sockaddr_un *)(void *)&to)->sun_path;
    if (net->type != SOCK_DGRAM && listen(fd, o->backlog > 0 ? o->backlog : BACKLOG)) {
        int err = -errno;
        if (has_path)
            unlink(path);
        return err;
    }
    if (has_path && o->mode && chmod(path, (mode_t)o->mode)) {
        int err = -errno;
        unlink(path);
        return err;
    }
    return 0;
}

/* A bound socket for the first address that can be had; or the first error. */
static int bound_socket(const rn_listen_options *o, const struct rn__network *net, const rn_addr *list, int n)
{
    int first = 0;
    for (int i = 0; i < n; i++) {
        int fd = rn__socket_open(net, &list[i]), err = fd;
        if (fd >= 0) {
            err = net->is_unix ? 0 : prepare_inet(fd, o, net, &list[i]);
            if (!err)
                err = bind_and_listen(fd, o, net, &list[i]);
            if (!err)
                return fd;
            close(fd);
        }
        first = first ? first : err;
        /* Without IPv6 the same port by IPv4; a port that is taken is taken. */
        if (err != -EAFNOSUPPORT && err != -EADDRNOTAVAIL)
            break;
    }
    return first;
}

/* A name that means both families is listened at by IPv4, as in Go: every client comes to that, whichever it tries first. */
static void prefer_ip4(rn_addr *list, int n)
{
    for (int i = 1; i < n && list[0].family != RN_ADDR_IP4; i++)
        if (list[i].family == RN_ADDR_IP4) {
            rn_addr first = list[0];
            list[0] = list[i];
            list[i] = first;
        }
}

static int listen_at(const rn_listen_options *o, const struct rn__network *net, const char *address)
{
    enum { MOST = 8 };
    rn_addr list[MOST];
    int n = rn__resolve(NULL, net, address, true, list, MOST);
    if (rn__is_name(net, address))
        prefer_ip4(list, n);
    return n < 0 ? n : bound_socket(o, net, list, n);
}

int rn_net_listen_with(const rn_listen_options *options, const char *network, const char *address, rn_listener **out)
{
    struct rn__network net;
    if (rn__network_parse(network, &net) || net.type == SOCK_DGRAM)
        return RN_EINVAL;
    int fd = listen_at(options, &net, address);
    if (fd < 0)
        return fd;
    struct rn__fd *f = rn__fd_make(fd, RN_FD_SOCKET | RN_FD_LISTENER | (is_tcp(&net) ? RN_FD_STREAM : 0) |
                                           (options->keep_path || !net.is_unix ? RN_FD_KEEP_PATH : 0));
    if (!f) {
        if (net.is_unix)
            rn__socket_remove_path(fd);
        close(fd);
        return RN_ENOMEM;
    }
    *out = rn_container(f, rn_listener, fd);
    return 0;
}

int rn_net_listen(const char *network, const char *address, rn_listener **out)
{
    static const rn_listen_options none;
    return rn_net_listen_with(&none, network, address, out);
}

int rn_net_listen_packet(const char *network, const char *address, rn_conn **out)
{
    static const rn_listen_options none;
    struct rn__network net;
    if (rn__network_parse(network, &net) || net.type != SOCK_DGRAM)
        return RN_EINVAL;
    int fd = listen_at(&none, &net, address);
    if (fd < 0)
        return fd;
    int err = conn_of(fd, RN_FD_SOCKET | (net.is_unix ? RN_FD_LISTENER : 0), out); /* its path goes with it */
    if (err) {
        if (net.is_unix)
            rn__socket_remove_path(fd);
        close(fd);
    }
    return err;
}

void rn__socket_remove_path(int fd)
{
    struct sockaddr_storage at;
    socklen_t len = sizeof at;
    rn_addr a;
    char path[RN_ADDR_TEXT];
    if (getsockname(fd, (struct sockaddr *)&at, &len))
        return;
    rn__addr_from_kernel(&at, len, &a);
    if (a.family == RN_ADDR_UNIX && a.path_len && a.path[0])
        unlink(rn_addr_format(&a, path));
}

/* ---- accepting --------------------------------------------------------------------------------------- */

/* *peer is of family AF_UNIX, or 0, where it is no TCP address. */
static int accept_once(struct rn__fd *f, struct sockaddr_in6 *peer)
{
    int fd;
    do {
        socklen_t len = sizeof *peer;
        peer->sin6_family = AF_UNSPEC;
        fd = accept4(f->fd, (struct sockaddr *)peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    } while (fd < 0 && (errno == EINTR || errno == ECONNABORTED || errno == EPROTO));
    return fd < 0 ? -errno : fd;
}

static bool is_shortage(int err)
{
    return err == -EMFILE || err == -ENFILE || err == -ENOBUFS || err == -ENOMEM;
}

/* Waits a while for descriptors to come free; a close and ctx end it.  Nobody writes to a listener, so its
 * other side is never ready. */
static int back_off(struct rn__fd *f, rn_context *ctx, rn_duration d)
{
    for (rn_time until = rn__now() + d; rn__now() < until;) {
        int err = rn__fd_begin(f, RN_SIDE_WRITE, ctx);
        if (err)
            return err;
        err = rn__fd_wait_until(f, RN_SIDE_WRITE, ctx, until);
        rn__fd_end(f, RN_SIDE_WRITE);
        if (rn__done_seen(ctx))
            return rn__done_seen(ctx);
        if (err && err != RN_ETIMEOUT)
            return err;
        if (rn__fd_expired(f, RN_SIDE_READ))
            return RN_ETIMEOUT;
    }
    return 0;
}

/* Between begin and end: a connection's descriptor. */
static int accept_turn(struct rn__fd *f, rn_context *ctx, const struct rn__accept_news *news, struct sockaddr_in6 *peer)
{
    enum { FIRST = 5, LAST = 1000 }; /* ms; as in Go's net/http */
    rn_duration pause = FIRST * RN_MILLISECOND;
    for (;;) {
        int fd = accept_once(f, peer), err = 0;
        if (fd >= 0)
            return fd;
        if (fd == -EAGAIN || fd == -EWOULDBLOCK) {
            err = rn__fd_wait(f, RN_SIDE_READ, ctx);
        } else if (is_shortage(fd)) {
            if (news)
                news->tell(news->arg, fd);
            err = back_off(f, ctx, pause);
            pause = pause * 2 < LAST * RN_MILLISECOND ? pause * 2 : LAST * RN_MILLISECOND;
        } else {
            err = fd;
        }
        if (err)
            return err;
    }
}

/* fd: what was accepted, ours, or the error that is returned. */
static int conn_of_accepted(int fd, unsigned flags, const struct sockaddr_in6 *peer, rn_conn **out)
{
    if (fd < 0)
        return fd;
    int err = conn_of(fd, flags, out);
    if (err)
        close(fd);
    else if (peer->sin6_family != AF_UNIX)
        (*out)->fd.peer = *peer;
    return err;
}

static int accept_one(rn_context *ctx, rn_listener *l, const struct rn__accept_news *news, rn_conn **out)
{
    struct rn__fd *f = &l->fd;
    struct sockaddr_in6 peer;
    int err = rn__fd_begin(f, RN_SIDE_READ, ctx);
    if (err)
        return err;
    int fd = accept_turn(f, ctx, news, &peer);
    unsigned flags = RN_FD_SOCKET | (f->flags & RN_FD_STREAM);
    rn__fd_end(f, RN_SIDE_READ);
    return conn_of_accepted(fd, flags, &peer, out);
}

int rn__net_accept_now(rn_listener *l, rn_conn **out)
{
    struct rn__fd *f = &l->fd;
    struct sockaddr_in6 peer;
    int err = rn__fd_hold(f);
    if (err)
        return err;
    int fd = accept_once(f, &peer);
    unsigned flags = RN_FD_SOCKET | (f->flags & RN_FD_STREAM);
    rn__fd_drop(f);
    return conn_of_accepted(fd, flags, &peer, out);
}

int rn_net_accept_ctx(rn_context *ctx, rn_listener *l, rn_conn **out)
{
    return accept_one(ctx, l, NULL, out);
}

int rn_net_accept(rn_listener *l, rn_conn **out)
{
    return accept_one(NULL, l, NULL, out);
}

int rn__net_accept_telling(rn_listener *l, const struct rn__accept_news *news, rn_conn **out)
{
    return accept_one(NULL, l, news, out);
}

/* ---- the end ----------------------------------------------------------------------------------------- */

int rn_net_close(rn_conn *c)
{
    return rn__fd_close(&c->fd);
}

void rn_net_free(rn_conn *c)
{
    if (c)
        rn__fd_free(&c->fd);
}

int rn_net_listener_close(rn_listener *l)
{
    return rn__fd_close(&l->fd);
}

void rn_net_listener_free(rn_listener *l)
{
    if (l)
        rn__fd_free(&l->fd);
}

static int shut(rn_conn *c, int how)
{
    int err = rn__fd_hold(&c->fd);
    if (err)
        return err;
    err = shutdown(c->fd.fd, how) ? -errno : 0;
    rn__fd_drop(&c->fd);
    return err;
}

int rn_net_close_read(rn_conn *c)
{
    return shut(c, SHUT_RD);
}

int rn_net_close_write(rn_conn *c)
{
    return shut(c, SHUT_WR);
}

/* ---- deadlines, options, addresses ------------------------------------------------------------------- */

void rn_net_set_read_deadline(rn_conn *c, rn_time when)
{
    rn__fd_set_deadline(&c->fd, RN_SIDE_READ, when);
}

void rn_net_set_write_deadline(rn_conn *c, rn_time when)
{
    rn__fd_set_deadline(&c->fd, RN_SIDE_WRITE, when);
}

void rn_net_set_deadline(rn_conn *c, rn_time when)
{
    rn_net_set_read_deadline(c, when);
    rn_net_set_write_deadline(c, when);
}

void rn_net_listener_set_deadline(rn_listener *l, rn_time when)
{
    rn__fd_set_deadline(&l->fd, RN_SIDE_READ, when);
}

int rn_net_set_nodelay(rn_conn *c, bool on)
{
    int err = rn__fd_hold(&c->fd);
    if (err)
        return err;
    err = set(c->fd.fd, IPPROTO_TCP, TCP_NODELAY, on);
    rn__fd_drop(&c->fd);
    return err;
}

int rn_net_set_keepalive(rn_conn *c, rn_duration idle, rn_duration interval, int count)
{
    int err = rn__fd_hold(&c->fd);
    if (err)
        return err;
    err = keepalive(c->fd.fd, idle, interval, count);
    rn__fd_drop(&c->fd);
    return err;
}

int rn_net_set_linger(rn_conn *c, rn_duration d)
{
    struct linger l = {.l_onoff = d >= 0, .l_linger = d > 0 ? rn__in_units(d, RN_SECOND) : 0};
    int err = rn__fd_hold(&c->fd);
    if (err)
        return err;
    err = setsockopt(c->fd.fd, SOL_SOCKET, SO_LINGER, &l, sizeof l) ? -errno : 0;
    rn__fd_drop(&c->fd);
    return err;
}

int rn_net_set_buffers(rn_conn *c, int read_bytes, int write_bytes)
{
    int err = rn__fd_hold(&c->fd);
    if (err)
        return err;
    if (read_bytes > 0)
        err = set(c->fd.fd, SOL_SOCKET, SO_RCVBUF, read_bytes);
    if (!err && write_bytes > 0)
        err = set(c->fd.fd, SOL_SOCKET, SO_SNDBUF, write_bytes);
    rn__fd_drop(&c->fd);
    return err;
}

static void address(struct rn__fd *f, int (*ask)(int, struct sockaddr *, socklen_t *), rn_addr *out)
{
    struct sockaddr_storage at;
    socklen_t len = sizeof at;
    *out = (rn_addr){0};
    if (rn__fd_hold(f))
        return;
    if (ask(f->fd, (struct sockaddr *)&at, &len) == 0)
        rn__addr_from_kernel(&at, len, out);
    rn__fd_drop(f);
}

static int own_name(int fd, struct sockaddr *at, socklen_t *len)
{
    return getsockname(fd, at, len);
}

static int peer_name(int fd, struct sockaddr *at, socklen_t *len)
{
    return getpeername(fd, at, len);
}

void rn_net_local_addr(rn_conn *c, rn_addr *out)
{
    address(&c->fd, own_name, out);
}

void rn_net_remote_addr(rn_conn *c, rn_addr *out)
{
    struct sockaddr_storage at = {0};
    address(&c->fd, peer_name, out);
    if (out->family != RN_ADDR_NONE)
        return;
    memcpy(&at, &c->fd.peer,
           sizeof c->fd.peer); /* the kernel has forgotten it: the peer has reset the connection, or it is closed */
    rn__addr_from_kernel(&at, sizeof c->fd.peer, out);
}

void rn_net_listener_addr(rn_listener *l, rn_addr *out)
{
    address(&l->fd, own_name, out);
}

static int fd_of(struct rn__fd *f)
{
    int err = rn__fd_hold(f);
    if (err)
        return err;
    int fd = f->fd;
    rn__fd_drop(f);
    return fd;
}

int rn_net_fd(rn_conn *c)
{
    return fd_of(&c->fd);
}

int rn_net_listener_fd(rn_listener *l)
{
    return fd_of(&l->fd);
}

int rn__socket_poll(int fd, int events, int ms)
{
    struct pollfd p = {.fd = fd};
    if (events & RN_FD_READ)
        p.events |= POLLIN | POLLRDHUP;
    if (events & RN_FD_WRITE)
        p.events |= POLLOUT;
    int n = poll(&p, 1, ms);
    if (n <= 0)
        return n == 0 || errno == EINTR ? 0 : -errno;
    if (p.revents & POLLNVAL)
        return -EBADF;
    int ready = 0;
    if (p.revents & (POLLIN | POLLRDHUP | POLLHUP | POLLERR))
        ready |= RN_FD_READ;
    if (p.revents & (POLLOUT | POLLHUP | POLLERR))
        ready |= RN_FD_WRITE;
    return ready & events;
}
