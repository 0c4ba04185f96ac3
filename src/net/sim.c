/* Simulated streams: see sim.h.
 *
 * An end has a kernel's socket only for its number, and for options that nobody simulates.  What one end
 * writes travels to the other in pieces, each with the moment at which it arrives; a timer of the receiving
 * end brings it in.  Readiness is told to the poller's hook as the kernel does it: edges, when something has
 * come or room was made.
 *
 * Choices: how long a piece travels (RN_AT_LATENCY), and how much of what has come a read gets
 * (RN_AT_SHARE).  With faults allowed (RN_AT_FAULT, rarely taken): a longer delay, a reset of the
 * connection, and a partition, in which nothing arrives anywhere for a minute.
 *
 * Everything belongs to the one thread that explores; no lock is held when this is called. */
#ifdef RN_EXPLORE
#define _GNU_SOURCE 1
#define RN_NET_SIM_ITSELF 1
#include "net/sim.h"
#include "base/alloc.h"
#include "net/fd.h"
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/un.h>

enum { ENDS = 1 << 16, ROOM = 64 << 10, FIRST_PORT = 40001, BACKLOG = 128 };
#define LATENCY RN_MILLISECOND
#define LONG_DELAY (2 * RN_SECOND)
#define PARTITION RN_MINUTE

enum piece_kind { DATA, END, RESET, CONNECTED };
struct piece {
    struct piece *next;
    rn_time at;
    size_t n;
    enum piece_kind kind;
    char bytes[];
};

enum state { FRESH, BOUND, LISTENING, CONNECTING, OPEN };
struct end {
    int fd; /* -1: not accepted yet */
    int domain;
    enum state state;
    struct end *peer; /* NULL: none, or gone */
    uint64_t tag;     /* the poller's; 0: it does not know this end */
    char *in;         /* what has arrived: n bytes, ROOM of space */
    size_t n;
    struct piece *first, *last; /* what is on the way to here */
    size_t travelling;
    rn_time last_at;
    struct rn_timer_entry arrival;
    bool ended, shut_read, shut_write, one_way; /* ended: nothing more comes */
    int error;                                  /* of the next call; ECONNRESET stays */
    struct sockaddr_storage own, other;
    socklen_t own_len, other_len;
    struct end *queue, *queue_last, *queue_next; /* of a listener: who waits to be accepted */
    int queued;
};

static struct end *by_fd[ENDS];
static uint16_t next_port = FIRST_PORT;
static rn_time healed_at; /* nothing arrives before */

static struct end *end_of(int fd)
{
    return fd >= 0 && fd < ENDS ? by_fd[fd] : NULL;
}

bool rn__sim_is(int fd)
{
    return end_of(fd) != NULL;
}

/* ---- ends ------------------------------------------------------------------------------------------ */

/* Goroutines that wait for simulated ends: the scheduler must not take them to wait for the outside. */
static int64_t waiting(void)
{
    int64_t n = 0;
    for (uint32_t i = 0; i < rn__fd_records(); i++) {
        struct rn__fd *f = rn__fd_at(i);
        if (!rn__sim_is(f->fd))
            continue;
        for (int side = 0; side < 2; side++) {
            for (struct rn_node *w = f->side[side].waiters.first; w; w = w->next)
                n++;
            for (struct rn_node *w = f->side[side].turn.first; w; w = w->next)
                n++;
        }
    }
    return n;
}

static struct end *end_make(int domain)
{
    struct end *e = rn__calloc(1, sizeof *e);
    if (e)
        e->in = rn__malloc(ROOM);
    if (!e || !e->in)
        rn_fatal("exploring: out of memory");
    e->fd = -1;
    e->domain = domain;
    e->own.ss_family = e->other.ss_family = (sa_family_t)domain;
    e->own_len = e->other_len = sizeof(sa_family_t);
    rn__explore_simulated = waiting;
    return e;
}

static int number(struct end *e, int domain, int type)
{
    int fd = socket(domain, type, 0);
    if (fd >= ENDS) {
        close(fd);
        errno = EMFILE;
        return -1;
    }
    if (fd >= 0) {
        e->fd = fd;
        by_fd[fd] = e;
    }
    return fd;
}

static void join(struct end *a, struct end *b)
{
    a->peer = b;
    b->peer = a;
    a->state = b->state = OPEN;
}

static void tell(struct end *e, uint32_t ready, struct rn_ready_list *wake)
{
    rn__poll_event_fn *to = rn_load_acquire(&rn__poll_event); /* acquire: as in src/sched/poll.c */
    if (e->tag && to)
        to(e->tag, ready, wake);
}

static void tell_now(struct end *e, uint32_t ready)
{
    struct rn_ready_list wake = {0};
    tell(e, ready, &wake);
    if (wake.first)
        rn__ready_all(&wake);
}

static size_t room(const struct end *to)
{
    return ROOM - to->n - to->travelling;
}

static bool readable(const struct end *e)
{
    return e->state == LISTENING ? e->queue != NULL : e->n || e->ended || e->shut_read || e->error;
}

static bool writable(const struct end *e)
{
    return e->state == OPEN && (!e->peer || e->error || e->shut_write || room(e->peer) > 0);
}

/* ---- travel ---------------------------------------------------------------------------------------- */

static void enqueue(struct end *listener, struct end *e)
{
    if (listener->queue)
        listener->queue_last->queue_next = e;
    else
        listener->queue = e;
    listener->queue_last = e;
}

static void break_off(struct end *e, struct rn_ready_list *wake)
{
    e->error = ECONNRESET;
    e->ended = true;
    tell(e, RN_POLL_READ | RN_POLL_WRITE | RN_POLL_HANGUP, wake);
}

static void arrive(struct end *e, struct piece *p, struct rn_ready_list *wake)
{
    switch (p->kind) {
    case DATA:
        memcpy(e->in + e->n, p->bytes, p->n);
        e->n += p->n;
        e->travelling -= p->n;
        tell(e, RN_POLL_READ, wake);
        break;
    case END:
        e->ended = true;
        tell(e, RN_POLL_READ | RN_POLL_HANGUP, wake);
        break;
    case RESET:
        break_off(e, wake);
        break;
    case CONNECTED:
        e->state = OPEN;
        tell(e, RN_POLL_WRITE, wake);
        break;
    }
}

static rn_time bring_in(struct end *e, rn_time now, struct rn_ready_list *wake)
{
    while (e->first && e->first->at <= now) {
        struct piece *p = e->first;
        e->first = p->next;
        if (!e->first)
            e->last = NULL;
        arrive(e, p, wake);
        rn__free(p);
    }
    return e->first ? e->first->at : 0;
}

static rn_time fire(struct rn_timer_entry *t, rn_time now, struct rn_ready_list *wake)
{
    return bring_in(rn_container(t, struct end, arrival), now, wake);
}

static void send_piece(struct end *to, enum piece_kind kind, const void *bytes, size_t n, rn_duration delay)
{
    struct piece *p = rn__malloc(sizeof *p + n);
    if (!p)
        rn_fatal("exploring: out of memory");
    rn_time now = rn__now(), at = now + delay;
    if (delay && at < healed_at)
        at = healed_at;
    if (now < healed_at && at < healed_at)
        at = healed_at;
    *p = (struct piece){.at = at > to->last_at ? at : to->last_at, .n = n, .kind = kind};
    if (n)
        memcpy(p->bytes, bytes, n);
    to->last_at = p->at;
    to->travelling += kind == DATA ? n : 0;
    if (to->last)
        to->last->next = p;
    else
        to->first = p;
    to->last = p;
    if (to->first != p) /* the timer runs already */
        return;
    struct rn_ready_list wake = {0};
    rn_time next = bring_in(to, now, &wake);
    if (wake.first)
        rn__ready_all(&wake);
    if (!next)
        return;
    to->arrival.fire = fire;
    rn__timer_start(&to->arrival, next);
}

static rn_duration choose_latency(void)
{
    return rn__explore_index(RN_AT_LATENCY, 2) ? LATENCY : 0;
}

/* What goes wrong with a piece that e sends: its delay; -1: the connection is reset. */
static rn_duration choose_fault(struct end *e)
{
    uint32_t faults = rn__explore ? rn__explore->faults : 0;
    struct rn_ready_list wake = {0};
    if (!faults)
        return 0;
    switch (rn__explore_index(RN_AT_FAULT, 4)) {
    case 1:
        return faults & RN_FAULT_DELAY ? LONG_DELAY : 0;
    case 2:
        if (!(faults & RN_FAULT_RESET))
            return 0;
        break_off(e, &wake);
        if (e->peer)
            break_off(e->peer, &wake);
        rn__ready_all(&wake);
        return -1;
    case 3:
        if (faults & RN_FAULT_PARTITION)
            healed_at = rn__now() + PARTITION;
        return 0;
    default:
        return 0;
    }
}

/* ---- opening --------------------------------------------------------------------------------------- */

static bool is_simulated(int domain, int type)
{
    int kind = type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC);
    return rn__exploring() && kind == SOCK_STREAM && (domain == AF_INET || domain == AF_INET6 || domain == AF_UNIX);
}

int rn__sim_socket(int domain, int type, int protocol)
{
    return is_simulated(domain, type) ? number(end_make(domain), domain, type) : socket(domain, type, protocol);
}

int rn__sim_socketpair(int domain, int type, int protocol, int fds[2])
{
    if (!is_simulated(domain, type))
        return socketpair(domain, type, protocol, fds);
    struct end *a = end_make(domain), *b = end_make(domain);
    fds[0] = number(a, domain, type);
    fds[1] = number(b, domain, type);
    join(a, b);
    return 0;
}

int rn__sim_pipe(int fds[2])
{
    int type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
    if (!rn__exploring())
        return rn_os_pipe(fds);
    int err = rn__sim_socketpair(AF_UNIX, type, 0, fds);
    struct end *reads = end_of(fds[0]), *writes = end_of(fds[1]);
    reads->shut_write = writes->shut_read = true;
    reads->one_way = writes->one_way = true;
    return err;
}

static uint16_t port_of(const struct sockaddr_storage *a)
{
    return a->ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)a)->sin6_port
                                    : ((const struct sockaddr_in *)a)->sin_port;
}

static void set_port(struct sockaddr_storage *a, uint16_t port)
{
    if (a->ss_family == AF_INET6)
        ((struct sockaddr_in6 *)a)->sin6_port = htons(port);
    else
        ((struct sockaddr_in *)a)->sin_port = htons(port);
}

static bool same_path(const struct sockaddr_storage *a, socklen_t alen, const struct sockaddr_storage *b,
                      socklen_t blen)
{
    return alen == blen && memcmp(a, b, alen) == 0;
}

/* The listener, or whoever else has bound this address; any address of this machine is as good as another. */
static struct end *find_bound(const struct sockaddr_storage *at, socklen_t len, bool listening)
{
    for (int fd = 0; fd < ENDS; fd++) {
        struct end *e = by_fd[fd];
        if (!e || e->state == FRESH || e->state >= CONNECTING || (listening && e->state != LISTENING))
            continue;
        if (at->ss_family == AF_UNIX ? same_path(&e->own, e->own_len, at, len)
                                     : e->domain != AF_UNIX && port_of(&e->own) == port_of(at))
            return e;
    }
    return NULL;
}

int rn__sim_bind(int fd, const struct sockaddr *at, socklen_t len)
{
    struct end *e = end_of(fd);
    struct sockaddr_storage to = {0};
    if (!e)
        return bind(fd, at, len);
    memcpy(&to, at, len);
    if (at->sa_family != AF_UNIX && port_of(&to) == 0)
        set_port(&to, next_port++);
    if (find_bound(&to, len, false)) {
        errno = EADDRINUSE;
        return -1;
    }
    e->own = to;
    e->own_len = len;
    e->state = BOUND;
    return 0;
}

int rn__sim_listen(int fd, int backlog)
{
    struct end *e = end_of(fd);
    if (!e)
        return listen(fd, backlog);
    e->state = LISTENING;
    return 0;
}

int rn__sim_accept4(int fd, struct sockaddr *from, socklen_t *len, int flags)
{
    struct end *e = end_of(fd);
    if (!e)
        return accept4(fd, from, len, flags);
    rn__point(RN_AT_NET, e);
    struct end *got = e->queue;
    if (!got) {
        errno = EAGAIN;
        return -1;
    }
    e->queue = got->queue_next;
    e->queued--;
    return number(got, got->domain, SOCK_STREAM | flags);
}

static bool is_loopback(const struct sockaddr_storage *a)
{
    if (a->ss_family == AF_UNIX)
        return true;
    if (a->ss_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)a)->sin_addr.s_addr) >> 24 == 127;
    return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)a)->sin6_addr);
}

/* A kernel's socket takes the place of a simulated one that nobody knows yet. */
static int connect_outside(struct end *e, int fd, const struct sockaddr *to, socklen_t len)
{
    by_fd[fd] = NULL;
    rn__free(e->in);
    rn__free(e);
    return connect(fd, to, len);
}

static void connect_to(struct end *e, struct end *listener, const struct sockaddr_storage *to, socklen_t len)
{
    struct end *other = end_make(e->domain);
    if (e->domain != AF_UNIX) {
        e->own = *to;
        e->own_len = len;
        set_port(&e->own, next_port++);
    }
    e->other = *to;
    e->other_len = len;
    other->own = *to;
    other->own_len = len;
    other->other = e->own;
    other->other_len = e->own_len;
    join(e, other);
    enqueue(listener, other);
    listener->queued++;
    tell_now(listener, RN_POLL_READ);
}

int rn__sim_connect(int fd, const struct sockaddr *at, socklen_t len)
{
    struct end *e = end_of(fd);
    struct sockaddr_storage to = {0};
    if (!e)
        return connect(fd, at, len);
    rn__point(RN_AT_NET, e);
    memcpy(&to, at, len);
    struct end *listener = find_bound(&to, len, true);
    if (!listener && !is_loopback(&to))
        return connect_outside(e, fd, at, len);
    if (!listener || listener->queued == BACKLOG) {
        errno = !listener ? ECONNREFUSED : e->domain == AF_UNIX ? EAGAIN : ECONNREFUSED;
        return -1;
    }
    connect_to(e, listener, &to, len);
    rn_duration delay = e->domain == AF_UNIX ? 0 : choose_latency();
    if (!delay && rn__now() >= healed_at)
        return 0;
    e->state = CONNECTING;
    send_piece(e, CONNECTED, NULL, 0, delay);
    errno = EINPROGRESS;
    return e->state == OPEN ? 0 : -1;
}

/* ---- reading and writing ----------------------------------------------------------------------------- */

static ssize_t fails(int err)
{
    errno = err;
    return -1;
}

/* How many of m bytes a read gets. */
static size_t choose_share(size_t m)
{
    if (m < 2)
        return m;
    switch (rn__explore_index(RN_AT_SHARE, 3)) {
    case 1:
        return 1;
    case 2:
        return m / 2;
    default:
        return m;
    }
}

ssize_t rn__sim_recv(int fd, void *buf, size_t n, int flags)
{
    struct end *e = end_of(fd);
    if (!e)
        return rn_os_recv(fd, buf, n, flags);
    rn__point(RN_AT_NET, e);
    if (e->state != OPEN)
        return fails(ENOTCONN);
    if (e->shut_read)
        return 0;
    if (e->n == 0)
        return e->error ? fails(e->error) : e->ended ? 0 : fails(EAGAIN);
    size_t m = choose_share(e->n < n ? e->n : n);
    memcpy(buf, e->in, m);
    if (flags & MSG_PEEK)
        return (ssize_t)m;
    bool was_full = e->peer && room(e) == 0;
    memmove(e->in, e->in + m, e->n - m);
    e->n -= m;
    if (was_full)
        tell_now(e->peer, RN_POLL_WRITE);
    if (e->n || e->ended) /* a short read need not mean that there is no more */
        tell_now(e, RN_POLL_READ);
    return (ssize_t)m;
}

ssize_t rn__sim_read(int fd, void *buf, size_t n)
{
    return rn__sim_is(fd) ? rn__sim_recv(fd, buf, n, 0) : read(fd, buf, n);
}

ssize_t rn__sim_readv(int fd, const struct iovec *iov, int n)
{
    if (!rn__sim_is(fd))
        return readv(fd, iov, n);
    while (n > 1 && iov->iov_len == 0)
        iov++, n--;
    return n ? rn__sim_recv(fd, iov->iov_base, iov->iov_len, 0) : 0;
}

ssize_t rn__sim_send(int fd, const void *buf, size_t n, int flags)
{
    struct end *e = end_of(fd);
    if (!e)
        return rn_os_send(fd, buf, n, flags);
    rn__point(RN_AT_NET, e);
    if (e->state != OPEN)
        return fails(ENOTCONN);
    if (e->error)
        return fails(e->error);
    if (!e->peer || e->shut_write || e->peer->shut_read)
        return fails(EPIPE);
    size_t space = room(e->peer);
    if (space == 0 && n)
        return fails(EAGAIN);
    rn_duration delay = choose_fault(e);
    if (delay < 0)
        return fails(ECONNRESET);
    if (!delay && !e->one_way)
        delay = choose_latency();
    n = n < space ? n : space;
    if (n)
        send_piece(e->peer, DATA, buf, n, delay);
    return (ssize_t)n;
}

/* The first piece that is not empty: fewer bytes than were asked for, as it may be. */
ssize_t rn__sim_sendmsg(int fd, const struct msghdr *m, int flags)
{
    if (!rn__sim_is(fd))
        return rn_os_sendmsg(fd, m, flags);
    size_t i = 0;
    while (i + 1 < m->msg_iovlen && m->msg_iov[i].iov_len == 0)
        i++;
    return m->msg_iovlen ? rn__sim_send(fd, m->msg_iov[i].iov_base, m->msg_iov[i].iov_len, flags) : 0;
}

int64_t rn__sim_write_quiet(int fd, const void *buf, size_t n)
{
    if (!rn__sim_is(fd))
        return rn_os_write_quiet(fd, buf, n);
    ssize_t sent = rn__sim_send(fd, buf, n, 0);
    return sent < 0 ? -errno : sent;
}

int64_t rn__sim_sendfile(int fd, int file, int64_t offset, size_t n)
{
    char bytes[4096];
    if (!rn__sim_is(fd))
        return rn_os_sendfile(fd, file, offset, n);
    ssize_t got = pread(file, bytes, n < sizeof bytes ? n : sizeof bytes, offset);
    if (got <= 0)
        return got < 0 ? -errno : 0;
    return rn__sim_write_quiet(fd, bytes, (size_t)got);
}

/* ---- the end, and questions --------------------------------------------------------------------------- */

int rn__sim_shutdown(int fd, int how)
{
    struct end *e = end_of(fd);
    if (!e)
        return shutdown(fd, how);
    if (how != SHUT_WR) {
        e->shut_read = true;
        tell_now(e, RN_POLL_READ | RN_POLL_HANGUP);
    }
    if (how != SHUT_RD && !e->shut_write) {
        e->shut_write = true;
        if (e->peer)
            send_piece(e->peer, END, NULL, 0, 0);
    }
    return 0;
}

static void part(struct end *e)
{
    struct end *peer = e->peer;
    if (!peer)
        return;
    bool unread = e->n || e->travelling;
    peer->peer = NULL;
    if (unread && !e->one_way)
        send_piece(peer, RESET, NULL, 0, 0);
    else if (!e->shut_write)
        send_piece(peer, END, NULL, 0, 0);
    tell_now(peer, RN_POLL_WRITE);
}

int rn__sim_close(int fd)
{
    struct end *e = end_of(fd);
    if (e) {
        by_fd[fd] = NULL;
        rn__timer_stop(&e->arrival);
        e->tag = 0;
        part(e);
        for (struct end *w = e->queue, *next; w; w = next) { /* nobody will accept them */
            next = w->queue_next;
            w->n = 1;
            part(w);
        }
        /* The record stays: a peer, or a piece on the way, may still name it.  The process is short-lived. */
    }
    return close(fd);
}

static int name(const struct sockaddr_storage *a, socklen_t n, struct sockaddr *at, socklen_t *len)
{
    memcpy(at, a, n < *len ? n : *len);
    *len = n;
    return 0;
}

int rn__sim_getsockname(int fd, struct sockaddr *at, socklen_t *len)
{
    struct end *e = end_of(fd);
    return e ? name(&e->own, e->own_len, at, len) : getsockname(fd, at, len);
}

int rn__sim_getpeername(int fd, struct sockaddr *at, socklen_t *len)
{
    struct end *e = end_of(fd);
    if (e && e->state != OPEN)
        return (int)fails(ENOTCONN);
    return e ? name(&e->other, e->other_len, at, len) : getpeername(fd, at, len);
}

int rn__sim_getsockopt(int fd, int level, int option, void *value, socklen_t *len)
{
    struct end *e = end_of(fd);
    if (!e || level != SOL_SOCKET || option != SO_ERROR)
        return getsockopt(fd, level, option, value, len);
    *(int *)value = e->error;
    return 0;
}

int rn__sim_poll(struct pollfd *p, nfds_t n, int ms)
{
    struct end *e = n == 1 ? end_of(p->fd) : NULL;
    if (!e)
        return poll(p, n, ms);
    p->revents = 0;
    if (readable(e))
        p->revents |= (short)(p->events & (POLLIN | POLLRDHUP));
    if (writable(e))
        p->revents |= (short)(p->events & POLLOUT);
    return p->revents != 0;
}

int rn__sim_chmod(const char *path, mode_t mode)
{
    for (int fd = 0; fd < ENDS; fd++)
        if (by_fd[fd] && by_fd[fd]->domain == AF_UNIX && by_fd[fd]->state == LISTENING &&
            strcmp(((struct sockaddr_un *)&by_fd[fd]->own)->sun_path, path) == 0)
            return 0;
    return chmod(path, mode);
}

int rn__sim_poll_add(int fd, uint64_t tag)
{
    struct end *e = end_of(fd);
    if (!e)
        return rn_os_poll_add(fd, tag);
    e->tag = tag;
    uint32_t ready = (readable(e) ? RN_POLL_READ : 0) | (writable(e) ? RN_POLL_WRITE : 0);
    if (ready)
        tell_now(e, ready);
    return 0;
}

int rn__sim_poll_del(int fd)
{
    struct end *e = end_of(fd);
    if (!e)
        return rn_os_poll_del(fd);
    e->tag = 0;
    return 0;
}

#else
typedef int rn__sim_is_another_build; /* an empty file is no C */
#endif
