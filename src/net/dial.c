/* Connecting: several addresses in flight, one goroutine, one wait ("happy eyeballs", RFC 8305).
 *
 * Each attempt is a connection record with a waiter for its write side; all waiters share one claim
 * word, and the wait ends with the first of them, at the moment when the next attempt is due, or with
 * the context.  Then every attempt is looked at.  The first that is connected is the result; the
 * others are freed, which closes them.
 */
#define _GNU_SOURCE 1
#include "net/socket.h"
#include <errno.h>
#include <runnel/context.h>
#include <runnel/time.h>
#include <string.h>
#include <unistd.h>
#include "net/sim.h" /* last: stands in for system calls */

enum { ADDRESSES = 32, FEW = 2, STAGGER = 250 }; /* ms: RFC 8305, "Connection Attempt Delay" */

struct attempt {
    rn_conn *conn; /* NULL: it has failed */
    struct rn_waiter w;
};

struct dial {
    struct rn__network net;
    rn_context *ctx;
    rn_addr *list;
    int n, next;     /* addresses; the first not tried yet */
    int live;        /* attempts under way */
    int err;         /* the first failure */
    rn_time next_at; /* when to try the next one although others are under way */
    rn_conn *won;
    rn_atomic(uint32_t) claim;
    struct attempt *attempts; /* as many as addresses */
};

/* ---- one attempt ----------------------------------------------------------------------------------- */

/* A port of ours that was chosen for this very connection can answer itself: no peer is there. */
static bool is_self(const struct dial *d, int fd)
{
    struct sockaddr_storage own, peer;
    socklen_t own_len = sizeof own, peer_len = sizeof peer;
    if (d->net.is_unix || d->net.type != SOCK_STREAM || getsockname(fd, (struct sockaddr *)&own, &own_len) ||
        getpeername(fd, (struct sockaddr *)&peer, &peer_len))
        return false;
    rn_addr a, b;
    rn__addr_from_kernel(&own, own_len, &a);
    rn__addr_from_kernel(&peer, peer_len, &b);
    return rn_addr_equal(&a, &b);
}

/* connect(2): 0, -EINPROGRESS, or an error. */
static int connect_once(int fd, const rn_addr *a)
{
    struct sockaddr_storage to;
    socklen_t len = rn__addr_to_kernel(a, &to);
    if (connect(fd, (struct sockaddr *)&to, len) == 0)
        return 0;
    return errno == EINTR || errno == EALREADY ? -EINPROGRESS : -errno;
}

/* A unix listener's queue is full: it can't be waited for, so ask again and again. */
static int connect_unix(rn_context *ctx, int fd, const rn_addr *a)
{
    enum { LONGEST = 50 }; /* ms */
    rn_duration pause = RN_MILLISECOND;
    for (;;) {
        int err = connect_once(fd, a);
        if (err != -EAGAIN)
            return err;
        err = rn_sleep_ctx(ctx, pause);
        if (err)
            return err;
        pause = pause * 2 < LONGEST * RN_MILLISECOND ? pause * 2 : LONGEST * RN_MILLISECOND;
    }
}

static void failed(struct dial *d, struct attempt *t, int err)
{
    d->err = d->err ? d->err : err;
    if (!t)
        return;
    rn_net_free(t->conn);
    t->conn = NULL;
    d->live--;
}

static void connected(struct dial *d, struct attempt *t)
{
    if (is_self(d, t->conn->fd.fd)) {
        failed(d, t, -ECONNREFUSED);
        return;
    }
    d->won = t->conn;
    t->conn = NULL;
}

static void start_next(struct dial *d)
{
    struct attempt *t = &d->attempts[d->next];
    const rn_addr *a = &d->list[d->next++];
    int fd = rn__socket_open(&d->net, a);
    if (fd < 0) {
        failed(d, NULL, fd);
        return;
    }
    int err = d->net.is_unix ? connect_unix(d->ctx, fd, a) : connect_once(fd, a);
    if (err && err != -EINPROGRESS) {
        close(fd);
        failed(d, NULL, err);
        return;
    }
    int made = rn__conn_make(fd, &d->net, &t->conn);
    if (made) {
        failed(d, NULL, made);
        return;
    }
    d->live++;
    if (!err)
        connected(d, t);
    d->next_at = rn__now() + STAGGER * RN_MILLISECOND;
}

/* Has it come to an end? */
static void look_at(struct dial *d, struct attempt *t, int ms)
{
    int err = 0;
    socklen_t len = sizeof err;
    int fd = t->conn->fd.fd;
    if (rn__socket_poll(fd, RN_FD_WRITE, ms) == 0)
        return;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len))
        err = errno;
    if (err)
        failed(d, t, -err);
    else
        connected(d, t);
}

/* ---- all of them ----------------------------------------------------------------------------------- */

static void leave_all(struct dial *d)
{
    for (int i = 0; i < d->next; i++)
        if (d->attempts[i].conn)
            rn__fd_leave(&d->attempts[i].conn->fd, RN_SIDE_WRITE, &d->attempts[i].w);
}

/* Every attempt's waiter joins; false when one need not wait, or can't. */
static bool join_all(struct dial *d, struct rn_g *self)
{
    bool all = true;
    rn_store_relaxed(&d->claim, 0); /* relaxed: nobody else knows it between two waits */
    for (int i = 0; i < d->next; i++) {
        struct attempt *t = &d->attempts[i];
        t->w = (struct rn_waiter){.g = self, .claim = &d->claim, .of = d};
    }
    for (int i = 0; i < d->next && all; i++)
        if (d->attempts[i].conn)
            all = rn__fd_join(&d->attempts[i].conn->fd, RN_SIDE_WRITE, &d->attempts[i].w) == 0;
    return all;
}

/* Waits until there may be news. */
static void wait_for_news(struct dial *d)
{
    struct rn_waiter self = {.g = rn__self(), .claim = &d->claim};
    rn_time until = d->next < d->n ? d->next_at : INT64_MAX;
    if (join_all(d, self.g))
        rn__wait_until(&self, d->ctx, until, RN_WAIT_IO, d);
    else if (!rn__waiter_claim(&self))
        rn__park(RN_WAIT_IO, d); /* one that has joined is waking us already */
    leave_all(d);
}

/* One round: until a connection has won, or none is left (false). */
static bool advance(struct dial *d)
{
    enum { SLICE = 10 }; /* ms: outside of a run there is no poller */
    if (d->next < d->n && (d->live == 0 || rn__now() >= d->next_at)) {
        start_next(d);
        return true;
    }
    if (d->live == 0)
        return false;
    bool alone = !rn__poll_run();
    if (!alone)
        wait_for_news(d);
    for (int i = 0; i < d->next && !d->won; i++)
        if (d->attempts[i].conn)
            look_at(d, &d->attempts[i], alone ? SLICE : 0);
    return true;
}

static int connect_first(struct dial *d)
{
    int err = 0;
    while (!d->won && !err && advance(d))
        err = rn__done_seen(d->ctx);
    for (int i = 0; i < d->next; i++)
        rn_net_free(d->attempts[i].conn);
    return d->won ? 0 : err ? err : d->err;
}

/* IPv6 and IPv4 in turn, beginning with the family that the resolver put first. */
static void interleave(rn_addr *list, int n)
{
    for (int i = 1; i < n; i++) {
        int j = i;
        while (j < n && list[j].family == list[i - 1].family)
            j++;
        if (j == n)
            return;
        rn_addr other = list[j];
        memmove(&list[i + 1], &list[i], (size_t)(j - i) * sizeof list[0]);
        list[i] = other;
    }
}

static int dial(struct dial *d, const char *address, int most, rn_conn **out)
{
    d->n = rn__resolve(d->ctx, &d->net, address, false, d->list, most);
    if (d->n < 0)
        return d->n;
    interleave(d->list, d->n);
    int err = connect_first(d);
    if (!err)
        *out = d->won;
    return err;
}

static __attribute__((noinline)) int dial_name(struct dial *d, const char *address, rn_conn **out)
{
    rn_addr list[ADDRESSES];
    struct attempt attempts[ADDRESSES] = {0};
    d->list = list;
    d->attempts = attempts;
    return dial(d, address, ADDRESSES, out);
}

/* Apart from the other: a page of stack less, which the goroutine would keep for as long as the connection. */
static __attribute__((noinline)) int dial_few(struct dial *d, const char *address, rn_conn **out)
{
    rn_addr list[FEW];
    struct attempt attempts[FEW] = {0};
    d->list = list;
    d->attempts = attempts;
    return dial(d, address, FEW, out);
}

int rn_net_dial_ctx(rn_context *ctx, const char *network, const char *address, rn_conn **out)
{
    struct dial d = {.ctx = ctx};
    int err = rn__network_parse(network, &d.net);
    if (err)
        return err;
    err = rn__done_seen(ctx);
    if (err)
        return err;
    return rn__is_name(&d.net, address) ? dial_name(&d, address, out) : dial_few(&d, address, out);
}

int rn_net_dial(const char *network, const char *address, rn_conn **out)
{
    return rn_net_dial_ctx(NULL, network, address, out);
}
