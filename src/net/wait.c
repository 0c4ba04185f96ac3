/* Waiting for a descriptor that is the caller's own.
 *
 * All who wait for one descriptor share a record, found by its number; the first registers it with the
 * poller and the last takes it out.  The poller tells edges, and one of several may have consumed the
 * edge that another needs; so who waits asks the kernel itself (poll(2)) after it has joined, and again
 * when it is woken.
 *
 * A descriptor that a connection of ours has registered already is watched by a duplicate.
 *
 * Lock: rank SYNC, before a record's; never across a system call.
 */
#define _GNU_SOURCE 1
#include "net/socket.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include "net/sim.h" /* last: stands in for system calls */

enum { BUCKETS = 256 };

static rn_lock lock;
static struct rn__fd *shared[BUCKETS]; /* linked by next_free; guarded by lock, as sharers of each is */

static struct rn__fd *find_locked(int fd)
{
    rn_lock_assert_held(&lock);
    struct rn__fd *f = shared[fd % BUCKETS];
    while (f && f->fd != fd)
        f = f->next_free;
    if (f)
        f->sharers++;
    return f;
}

/* The record of fd, with one more sharer; NULL: no memory. */
struct rn__fd *rn__fd_share(int fd)
{
    rn_lock_take(&lock, RN_RANK_SYNC);
    struct rn__fd *f = find_locked(fd);
    rn_lock_release(&lock);
    if (f)
        return f;
    struct rn__fd *fresh = rn__fd_make(fd, RN_FD_BORROWED);
    if (!fresh)
        return NULL;
    rn_lock_take(&lock, RN_RANK_SYNC);
    f = find_locked(fd);
    if (!f) {
        f = fresh;
        f->sharers = 1;
        f->next_free = shared[fd % BUCKETS];
        shared[fd % BUCKETS] = f;
    }
    rn_lock_release(&lock);
    if (f != fresh)
        rn__fd_free(fresh);
    return f;
}

void rn__fd_unshare(struct rn__fd *f)
{
    rn_lock_take(&lock, RN_RANK_SYNC);
    bool last = --f->sharers == 0;
    if (last) {
        struct rn__fd **at = &shared[f->fd % BUCKETS];
        while (*at != f)
            at = &(*at)->next_free;
        *at = f->next_free;
    }
    rn_lock_release(&lock);
    if (last)
        rn__fd_free(f);
}

/* One wait: the record, and a waiter for each side that is asked for. */
struct wait {
    struct rn__fd *f;
    int fd, events;
    rn_context *ctx;
    rn_time deadline;
    rn_atomic(uint32_t) claim;
    struct rn_waiter w[2];
};

static int asked(const struct wait *t, int side)
{
    return t->events & (side == RN_SIDE_READ ? RN_FD_READ : RN_FD_WRITE);
}

/* 0 when all sides wait; 1 when one is ready perhaps; or an error. */
static int join(struct wait *t, struct rn_g *self)
{
    int joined = 0;
    rn_store_relaxed(&t->claim, 0); /* relaxed: nobody else knows it between two waits */
    for (int side = 0; side < 2; side++)
        t->w[side] = (struct rn_waiter){.g = self, .claim = &t->claim, .of = t->f};
    for (int side = 0; side < 2 && joined == 0; side++)
        if (asked(t, side))
            joined = rn__fd_join(t->f, side, &t->w[side]);
    return joined;
}

static void leave(struct wait *t)
{
    for (int side = 0; side < 2; side++)
        rn__fd_leave(t->f, side, &t->w[side]);
}

/* Why to return now: what is ready, or an error; 0: wait on. */
static int verdict(const struct wait *t)
{
    int ready = rn__socket_poll(t->fd, t->events, 0), err;
    if (ready)
        return ready;
    err = rn__done_seen(t->ctx);
    return err ? err : rn__now() >= t->deadline ? RN_ETIMEOUT : 0;
}

static int wait_once(struct wait *t)
{
    struct rn_waiter self = {.g = rn__self(), .claim = &t->claim};
    int joined = join(t, self.g);
    int result = joined < 0 ? joined : verdict(t);
    if (joined == 0 && !result)
        rn__wait_until(&self, t->ctx, t->deadline, RN_WAIT_IO, t->f);
    else if (!rn__waiter_claim(&self))
        rn__park(RN_WAIT_IO, t->f); /* a side that has joined is waking us already */
    leave(t);
    return result ? result : verdict(t);
}

static int wait_alone(const struct wait *t)
{
    enum { SLICE = 10 }; /* ms; outside of a run there is no poller */
    int result;
    while ((result = verdict(t)) == 0 && !rn__poll_run())
        rn__socket_poll(t->fd, t->events, SLICE);
    return result;
}

static int wait_shared(struct wait *t)
{
    int result;
    t->f = rn__fd_share(t->fd);
    if (!t->f)
        return RN_ENOMEM;
    while ((result = wait_once(t)) == 0)
        continue;
    rn__fd_unshare(t->f);
    return result;
}

static int wait_by_duplicate(struct wait *t)
{
    int result, copy = fcntl(t->fd, F_DUPFD_CLOEXEC, 0);
    if (copy < 0)
        return -errno;
    t->f = rn__fd_make(copy, RN_FD_FOREIGN);
    if (!t->f) {
        close(copy);
        return RN_ENOMEM;
    }
    while ((result = wait_once(t)) == 0)
        continue;
    rn__fd_free(t->f);
    return result;
}

int rn_fd_wait_ctx(rn_context *ctx, int fd, int events, rn_time deadline)
{
    struct wait t = {.fd = fd, .events = events, .ctx = ctx, .deadline = deadline ? deadline : INT64_MAX};
    if (events == 0 || (events & ~(RN_FD_READ | RN_FD_WRITE)))
        return RN_EINVAL;
    if (fd < 0)
        return -EBADF;
    int result = rn__done_seen(ctx);
    if (!result)
        result = verdict(&t);
    if (!result && !rn__poll_run())
        result = wait_alone(&t);
    if (!result)
        result = wait_shared(&t);
    return result == -EEXIST ? wait_by_duplicate(&t) : result == -EPERM ? events : result;
}

int rn_fd_wait(int fd, int events, rn_time deadline)
{
    return rn_fd_wait_ctx(NULL, fd, events, deadline);
}
