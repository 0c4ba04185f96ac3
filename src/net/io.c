/* Reading and writing: the call first, and only if it would block, a wait.
 *
 * A read after one that emptied the socket skips the call that would say so (rn__fd_is_drained): a
 * request and its answer are two system calls.
 */
#define _GNU_SOURCE 1
#include "base/alloc.h"
#include "base/race.h"
#include "net/socket.h"
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>
#include "net/sim.h" /* last: stands in for system calls */

static inline struct rn__fd *of(rn_conn *c)
{
    return &c->fd;
}

static inline bool would_block(int err)
{
    return err == EAGAIN || err == EWOULDBLOCK;
}

/* ---- reading ---------------------------------------------------------------------------------------- */

/* The call itself; its result or the negative errno.  Apart, so that errno is read on the thread that set it. */
static __attribute__((noinline)) ssize_t read_once(struct rn__fd *f, void *buf, size_t n)
{
    ssize_t got;
    rn__hib_hold(buf, n);
    do
        got = f->flags & RN_FD_SOCKET ? rn_os_recv(f->fd, buf, n, 0) : read(f->fd, buf, n);
    while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

/* Pieces of the user's that the kernel is about to use. */
static inline void hold(const struct iovec *iov, int n)
{
    for (int i = 0; i < n; i++)
        rn__hib_hold(iov[i].iov_base, iov[i].iov_len);
}

static __attribute__((noinline)) ssize_t readv_once(struct rn__fd *f, const struct iovec *iov, int n)
{
    ssize_t got;
    rn__hib_hold(iov, (size_t)n * sizeof *iov);
    hold(iov, n);
    do
        got = readv(f->fd, iov, n);
    while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

/* Whether a read of no bytes has nothing to do: of a stream.  (Of a unix stream the kernel would wait for a first byte; a
 * packet is taken.) */
static bool reads_nothing(struct rn__fd *f)
{
    int type = 0;
    socklen_t len = sizeof type;
    if (rn__fd_hold(f)) /* closed: rn__fd_begin says so */
        return false;
    bool stream =
        (f->flags & RN_FD_STREAM) ||
        ((f->flags & RN_FD_SOCKET) && getsockopt(f->fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM);
    rn__fd_drop(f);
    return stream;
}

/* Whose turn it is to read: reads, after a wait if `wait` says so, and ends the turn. */
static inline ssize_t read_and_end(struct rn__fd *f, rn_context *ctx, void *buf, size_t n, bool wait)
{
    ssize_t got;
    for (;; wait = true) {
        int err = wait ? rn__fd_wait(f, RN_SIDE_READ, ctx) : 0;
        got = err ? err : read_once(f, buf, n);
        if (err || !would_block((int)-got))
            break;
    }
    rn__fd_end_read(f, got, n);
    return got;
}

ssize_t rn_net_read_ctx(rn_context *ctx, rn_conn *c, void *buf, size_t n)
{
    RN_RACE_CALLED();
    struct rn__fd *f = of(c);
    if (__builtin_expect(n == 0, 0) && reads_nothing(f))
        return 0;
    int err = rn__fd_begin(f, RN_SIDE_READ, ctx);
    if (__builtin_expect(err, 0))
        return err;
    return read_and_end(f, ctx, buf, n, rn__fd_is_drained(f));
}

ssize_t rn_net_read(rn_conn *c, void *buf, size_t n)
{
    RN_RACE_CALLED();
    return rn_net_read_ctx(NULL, c, buf, n);
}

static size_t bytes_in(const struct iovec *iov, int n)
{
    size_t sum = 0;
    for (int i = 0; i < n; i++)
        sum += iov[i].iov_len;
    return sum;
}

ssize_t rn_net_readv_ctx(rn_context *ctx, rn_conn *c, const struct iovec *iov, int n)
{
    RN_RACE_CALLED();
    struct rn__fd *f = of(c);
    ssize_t got;
    if (n < 0)
        return RN_EINVAL;
    if (n > IOV_MAX)
        n = IOV_MAX;
    if (bytes_in(iov, n) == 0 && reads_nothing(f))
        return 0;
    int err = rn__fd_begin(f, RN_SIDE_READ, ctx);
    if (err)
        return err;
    for (bool wait = rn__fd_is_drained(f);; wait = true) {
        if (wait && (err = rn__fd_wait(f, RN_SIDE_READ, ctx)) != 0) {
            got = err;
            break;
        }
        got = readv_once(f, iov, n);
        if (!would_block((int)-got))
            break;
    }
    rn__fd_end_read(f, got, bytes_in(iov, n));
    return got;
}

ssize_t rn_net_readv(rn_conn *c, const struct iovec *iov, int n)
{
    RN_RACE_CALLED();
    return rn_net_readv_ctx(NULL, c, iov, n);
}

int rn_net_read_full_ctx(rn_context *ctx, rn_conn *c, void *buf, size_t n)
{
    RN_RACE_CALLED();
    struct rn__fd *f = of(c);
    size_t done = 0;
    int err = rn__fd_begin(f, RN_SIDE_READ, ctx);
    if (err)
        return err;
    while (!err && done < n) {
        ssize_t got = read_once(f, (char *)buf + done, n - done);
        if (got > 0)
            done += (size_t)got;
        else if (got == 0)
            err = done ? -EPIPE : RN_EEOF;
        else
            err = would_block((int)-got) ? rn__fd_wait(f, RN_SIDE_READ, ctx) : (int)got;
    }
    rn__fd_end(f, RN_SIDE_READ);
    return err;
}

int rn_net_read_full(rn_conn *c, void *buf, size_t n)
{
    RN_RACE_CALLED();
    return rn_net_read_full_ctx(NULL, c, buf, n);
}

/* Whether a read would not block; any other descriptor than a socket is said to be ready. */
static __attribute__((noinline)) bool looks_ready(struct rn__fd *f)
{
    char byte;
    if (!(f->flags & RN_FD_SOCKET))
        return true;
    return rn_os_recv(f->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || !would_block(errno);
}

static inline int wait_for_bytes(struct rn__fd *f, rn_context *ctx)
{
    return rn__fd_is_drained(f) || !looks_ready(f) ? rn__fd_wait(f, RN_SIDE_READ, ctx) : 0;
}

int rn_net_wait_read_ctx(rn_context *ctx, rn_conn *c)
{
    struct rn__fd *f = of(c);
    int err = rn__fd_begin(f, RN_SIDE_READ, ctx);
    if (err)
        return err;
    err = wait_for_bytes(f, ctx);
    rn__fd_end(f, RN_SIDE_READ);
    return err;
}

int rn__net_turn(rn_conn *c, rn_time deadline)
{
    return rn__fd_begin_by(of(c), RN_SIDE_READ, deadline);
}

int rn__net_turn_wait(rn_conn *c)
{
    return wait_for_bytes(of(c), NULL);
}

ssize_t rn__net_turn_read(rn_conn *c, void *buf, size_t n)
{
    return read_and_end(of(c), NULL, buf, n, false);
}

void rn__net_turn_end(rn_conn *c)
{
    rn__fd_end(of(c), RN_SIDE_READ);
}

bool rn__net_has_come(rn_conn *c)
{
    struct rn__fd *f = of(c);
    if (rn__fd_hold(f))
        return false;
    bool some = looks_ready(f);
    rn__fd_drop(f);
    return some;
}

int rn_net_wait_read(rn_conn *c)
{
    return rn_net_wait_read_ctx(NULL, c);
}

ssize_t rn_net_try_read(rn_conn *c, void *buf, size_t n)
{
    RN_RACE_CALLED();
    struct rn__fd *f = of(c);
    if (__builtin_expect(n == 0, 0) && reads_nothing(f))
        return 0;
    int err = rn__fd_begin(f, RN_SIDE_READ, NULL);
    if (err)
        return err;
    ssize_t got = read_once(f, buf, n);
    rn__fd_end_read(f, got, n);
    return would_block((int)-got) ? RN_EAGAIN : got;
}

ssize_t rn__net_read_early(rn_conn *c, void *buf, size_t n)
{
    return rn__fd_is_drained(of(c)) ? RN_EAGAIN : rn_net_try_read(c, buf, n);
}

/* ---- writing ---------------------------------------------------------------------------------------- */

static __attribute__((noinline)) ssize_t write_once(struct rn__fd *f, const void *buf, size_t n)
{
    ssize_t sent;
    rn__hib_hold(buf, n);
    if (!(f->flags & RN_FD_SOCKET))
        return (ssize_t)rn_os_write_quiet(f->fd, buf, n);
    do
        sent = rn_os_send(f->fd, buf, n, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}

static __attribute__((noinline)) ssize_t writev_once(struct rn__fd *f, struct iovec *iov, int n)
{
    struct msghdr m = {.msg_iov = iov, .msg_iovlen = (size_t)n};
    ssize_t sent;
    hold(iov, n);
    if (!(f->flags & RN_FD_SOCKET)) /* piece by piece: only write never raises SIGPIPE, by any kernel */
        return (ssize_t)rn_os_write_quiet(f->fd, iov->iov_base, iov->iov_len);
    do
        sent = rn_os_sendmsg(f->fd, &m, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}

/* After a call that returned `sent`: 0 to go on, or the error.  Waits when it would have blocked. */
static int after_write(struct rn__fd *f, rn_context *ctx, ssize_t sent)
{
    if (sent >= 0)
        return 0;
    return would_block((int)-sent) ? rn__fd_wait(f, RN_SIDE_WRITE, ctx) : (int)sent;
}

/* *done: how many were sent, also before an error. */
static inline int write_all_and_end(struct rn__fd *f, rn_context *ctx, const void *buf, size_t n, size_t *done)
{
    int err;
    *done = 0;
    do {
        ssize_t sent = write_once(f, (const char *)buf + *done, n - *done);
        if (sent > 0)
            *done += (size_t)sent;
        err = after_write(f, ctx, sent);
    } while (!err && *done < n);
    rn__fd_end(f, RN_SIDE_WRITE);
    return err;
}

static inline ssize_t write_and_end(struct rn__fd *f, rn_context *ctx, const void *buf, size_t n)
{
    size_t done;
    int err = write_all_and_end(f, ctx, buf, n, &done);
    return err ? err : (ssize_t)done;
}

ssize_t rn_net_write_ctx(rn_context *ctx, rn_conn *c, const void *buf, size_t n)
{
    RN_RACE_CALLED();
    int err = rn__fd_begin(of(c), RN_SIDE_WRITE, ctx);
    return __builtin_expect(err, 0) ? err : write_and_end(of(c), ctx, buf, n);
}

int rn__net_write_counted(rn_context *ctx, rn_conn *c, const void *buf, size_t n, size_t *done)
{
    *done = 0;
    int err = rn__fd_begin(of(c), RN_SIDE_WRITE, ctx);
    return err ? err : write_all_and_end(of(c), ctx, buf, n, done);
}

ssize_t rn__net_write_by(rn_conn *c, const void *buf, size_t n, rn_time deadline)
{
    int err = rn__fd_begin_by(of(c), RN_SIDE_WRITE, deadline);
    return __builtin_expect(err, 0) ? err : write_and_end(of(c), NULL, buf, n);
}

ssize_t rn_net_write(rn_conn *c, const void *buf, size_t n)
{
    RN_RACE_CALLED();
    return rn_net_write_ctx(NULL, c, buf, n);
}

/* Where a writev is: the pieces that are left, with the first cut to what is left of it. */
struct rest {
    const struct iovec *iov;
    int n;
    size_t offset; /* into iov[0] */
};

/* Fills in the next pieces, at most max; how many. */
static int next_pieces(const struct rest *r, struct iovec *to, int max)
{
    int n = r->n < max ? r->n : max;
    for (int i = 0; i < n; i++)
        to[i] = r->iov[i];
    if (n) {
        to[0].iov_base = (char *)to[0].iov_base + r->offset;
        to[0].iov_len -= r->offset;
    }
    return n;
}

static void advance(struct rest *r, size_t sent)
{
    r->offset += sent;
    while (r->n && r->offset >= r->iov->iov_len) {
        r->offset -= r->iov->iov_len;
        r->iov++;
        r->n--;
    }
}

ssize_t rn_net_writev_ctx(rn_context *ctx, rn_conn *c, const struct iovec *iov, int n)
{
    RN_RACE_CALLED();
    enum { PIECES = 64 };
    struct rn__fd *f = of(c);
    struct iovec pieces[PIECES];
    struct rest r = {.iov = iov, .n = n};
    size_t done = 0;
    if (n < 0)
        return RN_EINVAL;
    int err = rn__fd_begin(f, RN_SIDE_WRITE, ctx);
    if (err)
        return err;
    advance(&r, 0);
    while (!err && r.n) {
        ssize_t sent = writev_once(f, pieces, next_pieces(&r, pieces, PIECES));
        if (sent >= 0) {
            done += (size_t)sent;
            advance(&r, (size_t)sent);
        }
        err = after_write(f, ctx, sent);
    }
    rn__fd_end(f, RN_SIDE_WRITE);
    return err ? err : (ssize_t)done;
}

ssize_t rn_net_writev(rn_conn *c, const struct iovec *iov, int n)
{
    RN_RACE_CALLED();
    return rn_net_writev_ctx(NULL, c, iov, n);
}

ssize_t rn_net_sendfile_ctx(rn_context *ctx, rn_conn *c, int file, int64_t offset, size_t n)
{
    struct rn__fd *f = of(c);
    size_t done = 0;
    bool ended = false;
    int err = rn__fd_begin(f, RN_SIDE_WRITE, ctx);
    if (err)
        return err;
    while (!err && !ended && done < n) {
        int64_t sent = rn_os_sendfile(f->fd, file, offset + (int64_t)done, n - done);
        if (sent > 0)
            done += (size_t)sent;
        ended = sent == 0;
        err = after_write(f, ctx, (ssize_t)sent);
    }
    rn__fd_end(f, RN_SIDE_WRITE);
    return err ? err : (ssize_t)done;
}

ssize_t rn_net_sendfile(rn_conn *c, int file, int64_t offset, size_t n)
{
    return rn_net_sendfile_ctx(NULL, c, file, offset, n);
}

ssize_t rn_net_try_write(rn_conn *c, const void *buf, size_t n)
{
    RN_RACE_CALLED();
    struct rn__fd *f = of(c);
    int err = rn__fd_begin(f, RN_SIDE_WRITE, NULL);
    if (err)
        return err;
    ssize_t sent = write_once(f, buf, n);
    rn__fd_end(f, RN_SIDE_WRITE);
    return would_block((int)-sent) ? RN_EAGAIN : sent;
}

/* ---- passing on --------------------------------------------------------------------------------------- */

/* From one connection to another through a buffer of ours, which is held only while something is there: of a proxy's connections most
 * wait.  Twice as large it is no faster, half as large it costs a third more (TCP on one machine: 0.66 s of processor time a
 * gigabyte, with 16 KiB 0.95).
 *
 * Rejected: splice(2), which needs a pipe for each direction: 0.54 s, for two descriptors more each (a proxy of 10,000
 * connections would have 40,000), and what was taken into the pipe and could not be sent is lost with it. */
enum { PIECE = 32 << 10 };

/* The next piece, into *buf, which is there afterwards if it was read: how many bytes, 0 at the end, or an error. */
static ssize_t read_piece(rn_context *ctx, struct rn__fd *f, char **buf)
{
    ssize_t got;
    int err = rn__fd_begin(f, RN_SIDE_READ, ctx);
    if (err)
        return err;
    for (bool wait = rn__fd_is_drained(f);; wait = true) {
        if (wait) {
            rn__free(*buf);
            *buf = NULL;
            err = rn__fd_wait(f, RN_SIDE_READ, ctx);
        }
        if (!err && !*buf && !(*buf = rn__malloc(PIECE)))
            err = RN_ENOMEM;
        got = err ? err : read_once(f, *buf, PIECE);
        if (err || !would_block((int)-got))
            break;
    }
    rn__fd_end_read(f, got, PIECE);
    return got;
}

int rn_net_copy_ctx(rn_context *ctx, rn_conn *to, rn_conn *from, uint64_t *bytes)
{
    uint64_t sum = 0;
    char *buf = NULL;
    ssize_t got;
    int err = 0;
    while (!err && (got = read_piece(ctx, of(from), &buf)) != 0) {
        size_t done = 0;
        err = got < 0 ? (int)got : rn__net_write_counted(ctx, to, buf, (size_t)got, &done);
        sum += done;
        if (!err) /* where neither side has to wait nobody else asks */
            err = rn__done_seen(ctx);
    }
    rn__free(buf);
    if (bytes)
        *bytes = sum;
    return err;
}

int rn_net_copy(rn_conn *to, rn_conn *from, uint64_t *bytes)
{
    return rn_net_copy_ctx(NULL, to, from, bytes);
}
