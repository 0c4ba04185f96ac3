/* Turns, waits, deadlines and the end of descriptors; fd.h says what always holds.
 *
 * A wait is one push under the record's lock, one park, and one pop under the same lock by the poller,
 * the deadline's timer or a close.  Nothing is allocated.  While no context is involved nobody else can
 * wake the waiter, so it has no claim word, and nothing of it is left when it runs again.
 *
 * Deadlines cost no timer until a call waits.  Then the side's timer is set for it, and stays set when the
 * wait is over: the next wait, whose deadline is mostly later, finds a timer that fires early enough, and
 * the timer, when it fires, finds a later deadline and moves on by itself.  A server that sets a deadline per
 * request so pays for one timer in the time of a deadline, not one in each request.  rn__fd_set_deadline
 * touches no timer either: it wakes a waiter whose deadline has become earlier, which then sets its own.
 *
 * Tried and rejected: a lock-free word per side (none, ready, or the waiter; Go's pollDesc): it saves
 * nothing, since the swaps of waiter and poller are as many as the lock's, it has room for one waiter only,
 * and a waiter that a context wakes can't be sure that the poller does not look at it any more.
 *
 * Model test: tests/model/fd.c.
 */
#include "net/fd.h"
#include "net/socket.h"
#include <errno.h>
#include <unistd.h>
#include "net/sim.h" /* last: stands in for system calls */

enum { GENERATION = 0x7fffffff }; /* as much of it as a tag has room for: see RN_POLL_WAIT_TAG */

static inline void lock(struct rn__fd *f)
{
    rn_lock_take(&f->lock, RN_RANK_POLL);
}

static inline void unlock(struct rn__fd *f)
{
    rn_lock_release(&f->lock);
}

/* ---- waiters -------------------------------------------------------------------------------------- */

static inline void push(struct rn_list *l, struct rn_waiter *w, bool in_front)
{
    w->queued = true;
    if (in_front)
        rn_list_push_front(l, &w->node);
    else
        rn_list_push(l, &w->node);
    /* release: pairs with the acquire in rn__ask_deadlock, which runs when this goroutine has parked. */
    rn_add_release(&rn__external_wakers, 1);
}

static inline void take_out(struct rn_list *l, struct rn_waiter *w)
{
    w->queued = false;
    rn_list_remove(l, &w->node);
    rn_sub_relaxed(&rn__external_wakers, 1); /* relaxed: whoever is woken is runnable, which counts more */
}

/* Wakes all of a side who can still be woken; how many. */
static uint32_t pop_all(struct rn_list *l, uint32_t why, struct rn_ready_list *wake)
{
    uint32_t n = 0;
    for (struct rn_node *node; (node = l->first) != NULL;) {
        struct rn_waiter *w = rn_container(node, struct rn_waiter, node);
        take_out(l, w);
        if (!rn__waiter_claim(w))
            continue;
        w->index = why;
        w->ok = true;
        w->g->woken_by = w;
        rn__ready_add(wake, w->g);
        n++;
    }
    return n;
}

/* ---- the poller ------------------------------------------------------------------------------------- */

static void side_ready(struct rn__fd_side *s, struct rn_ready_list *wake)
{
    if (pop_all(&s->waiters, RN_WOKEN_READY, wake) == 0 && !rn_load_relaxed(&s->ready))
        rn_store_relaxed(&s->ready, true); /* relaxed, both: under the lock */
}

static void on_event(uint64_t tag, uint32_t ready, struct rn_ready_list *wake)
{
    struct rn__fd *f = rn__fd_at((uint32_t)tag);
    if (!f)
        return;
    lock(f);
    if ((f->generation & GENERATION) == (uint32_t)(tag >> 32)) {
        if (ready & RN_POLL_HANGUP)
            rn_store_relaxed(&f->hangup, true); /* relaxed: under the lock, before ready */
        if (ready & RN_POLL_READ)
            side_ready(&f->side[RN_SIDE_READ], wake);
        if (ready & RN_POLL_WRITE)
            side_ready(&f->side[RN_SIDE_WRITE], wake);
    }
    unlock(f);
}

static uint64_t tag_of(const struct rn__fd *f)
{
    return (uint64_t)(f->generation & GENERATION) << 32 | f->index;
}

/* Sees to it that this run's poller knows f.  Who joins f's waiters asks again under the lock, as another may have
 * been at it whom the poller then refused. */
static int registered(struct rn__fd *f, uint32_t run)
{
    if (rn_load_relaxed(&f->registered) == run) /* relaxed: as above */
        return 0;
    lock(f);
    bool ours = rn_load_relaxed(&f->registered) != run;
    rn_store_relaxed(&f->registered, run); /* relaxed, both: under the lock */
    unlock(f);
    int err = ours ? rn_os_poll_add(f->fd, tag_of(f)) : 0;
    if (err == 0)
        return 0;
    struct rn_ready_list wake = {0};
    lock(f);
    rn_store_relaxed(&f->registered, 0); /* relaxed: under the lock */
    for (int i = 0; i < 2; i++)
        pop_all(&f->side[i].waiters, RN_WOKEN_AGAIN, &wake);
    unlock(f);
    rn__ready_all(&wake);
    return err;
}

/* ---- a run's end ------------------------------------------------------------------------------------ */

/* Goroutines that are gone wait no more, and plain threads look again. */
static void forget_waiters(struct rn_list *l, struct rn_ready_list *wake)
{
    for (struct rn_node *n = l->first, *next; n; n = next) {
        struct rn_waiter *w = rn_container(n, struct rn_waiter, node);
        next = n->next;
        if (rn__is_goroutine(w->g))
            take_out(l, w);
    }
    pop_all(l, RN_WOKEN_AGAIN, wake);
}

static bool finish_locked(struct rn__fd *f);
static void finish(struct rn__fd *f);

static void forget_record(struct rn__fd *f)
{
    struct rn_ready_list wake = {0};
    lock(f);
    f->users = 0;
    for (int i = 0; i < 2; i++) {
        struct rn__fd_side *s = &f->side[i];
        s->armed = 0;
        s->called = s->owed = false;
        if (s->busy && !s->by_thread)
            s->busy = false;
        forget_waiters(&s->waiters, &wake);
        forget_waiters(&s->turn, &wake);
    }
    bool last = finish_locked(f);
    unlock(f);
    rn__ready_all(&wake);
    if (last)
        finish(f);
}

static void forget(void)
{
    for (uint32_t i = 0; i < rn__fd_records(); i++)
        forget_record(rn__fd_at(i));
}

static struct rn_stop_hook at_stop = {.f = forget};

/* ---- open and closed -------------------------------------------------------------------------------- */

struct rn__fd *rn__fd_make(int fd, unsigned flags)
{
    struct rn__fd *f = rn__fd_record();
    if (!f)
        return NULL;
    static rn_atomic(bool) known;
    if (__builtin_expect(!rn_load_acquire(&known), 0)) { /* acquire: pairs with the release below */
        rn__at_stop(&at_stop);
        rn_store_release(&rn__poll_event, on_event); /* pairs with the acquire in src/sched/poll.c */
        rn_store_release(&known, true);
    }
    f->fd = fd;
    f->flags = (uint8_t)flags;
    f->peer.sin6_family = AF_UNSPEC;
    return f;
}

/* With the lock: nobody uses f any more and it is closed; the caller, to whom this is said once, finishes it. */
static bool finish_locked(struct rn__fd *f)
{
    rn_lock_assert_held(&f->lock);
    if (f->users || f->thread_users || f->finishing || !rn_load_relaxed(&f->closed)) /* relaxed: under the lock */
        return false;
    return f->finishing = true;
}

/* Gives the descriptor back; no system call follows.  The poller forgets it by itself. */
static void finish(struct rn__fd *f)
{
    for (int i = 0; i < 2; i++)
        rn__timer_stop(&f->side[i].timer);
    if ((f->flags & RN_FD_LISTENER) && !(f->flags & RN_FD_KEEP_PATH))
        rn__socket_remove_path(f->fd);
    if ((f->flags & (RN_FD_BORROWED | RN_FD_FOREIGN)) && rn_load_relaxed(&f->registered) != 0)
        rn_os_poll_del(f->fd); /* relaxed: nobody uses f any more */
    if (!(f->flags & RN_FD_BORROWED)) {
        rn__race_own_begin(); /* the users are counted; the detector would want them ordered */
        close(f->fd);
        rn__race_own_end();
    }
    lock(f);
    f->finished = true;
    bool freed = f->freed;
    unlock(f);
    if (freed)
        rn__fd_record_put(f);
}

int rn__fd_close(struct rn__fd *f)
{
    struct rn_ready_list wake = {0};
    lock(f);
    bool was = rn_load_relaxed(&f->closed);
    /* release: pairs with the acquire in wait_alone; all others look under the lock. */
    rn_store_release(&f->closed, true);
    for (int i = 0; i < 2; i++) {
        pop_all(&f->side[i].waiters, RN_WOKEN_CLOSED, &wake);
        pop_all(&f->side[i].turn, RN_WOKEN_CLOSED, &wake);
    }
    bool last = finish_locked(f);
    unlock(f);
    rn__ready_all(&wake);
    if (last)
        finish(f);
    return was ? RN_ECLOSED : 0;
}

void rn__fd_free(struct rn__fd *f)
{
    lock(f);
    bool twice = f->freed || f->fd < 0;
    unlock(f);
    if (twice)
        rn_panic("net: free of a freed connection");
    rn__fd_close(f);
    lock(f);
    f->freed = true;
    bool finished = f->finished;
    unlock(f);
    if (finished)
        rn__fd_record_put(f);
}

/* ---- users and turns -------------------------------------------------------------------------------- */

static inline void count_locked(struct rn__fd *f, const struct rn_g *self, uint32_t by)
{
    rn_lock_assert_held(&f->lock);
    if (__builtin_expect(rn__is_goroutine(self), 1))
        f->users += by;
    else
        f->thread_users += by;
}

/* One user less; finishes f when it was the last of a closed one. */
static inline void less_unlock(struct rn__fd *f, const struct rn_g *self)
{
    count_locked(f, self, -1u);
    bool last = finish_locked(f);
    unlock(f);
    if (__builtin_expect(last, 0))
        finish(f);
}

int rn__fd_hold(struct rn__fd *f)
{
    lock(f);
    bool closed = rn_load_relaxed(&f->closed); /* relaxed: under the lock, as everywhere below */
    if (!closed)
        count_locked(f, rn__self(), 1);
    unlock(f);
    return closed ? RN_ECLOSED : 0;
}

void rn__fd_drop(struct rn__fd *f)
{
    lock(f);
    less_unlock(f, rn__self());
}

/* Waits for the turn: called when it is free, which somebody else may have taken by then, and the second time handed it.  The
 * lock is held, and dropped. */
static int begin_slow_unlock(struct rn__fd *f, int side, rn_context *ctx, struct rn_g *self)
{
    struct rn__fd_side *s = &f->side[side];
    rn_atomic(uint32_t) claim = 0;
    struct rn_waiter w = {.g = self, .claim = &claim, .of = f};
    bool late = false; /* was called, and came too late */
    for (;;) {
        int err = rn_load_relaxed(&f->closed) ? RN_ECLOSED : 0;
        if (err || !s->busy) {
            if (!err) {
                s->busy = true;
                s->by_thread = !rn__is_goroutine(self);
                unlock(f);
            } else {
                less_unlock(f, self);
            }
            return err;
        }
        rn_store_relaxed(&claim, 0); /* relaxed: nobody else knows of w */
        push(&s->turn, &w, late);
        s->owed |= late;
        unlock(f);
        err = rn__wait_ctx(&w, ctx, RN_WAIT_IO, f);
        lock(f);
        if (w.queued)
            take_out(&s->turn, &w);
        if (err) {
            less_unlock(f, self);
            return err;
        }
        if (w.index == RN_WOKEN_READY) { /* handed over: busy as it was */
            s->by_thread = !rn__is_goroutine(self);
            unlock(f);
            return 0;
        }
        s->called = false;
        late = true;
    }
}

/* Whose turn it is now: what was reported until now is looked at by the call that follows. */
static inline void consume_locked(struct rn__fd *f, struct rn__fd_side *s)
{
    rn_lock_assert_held(&f->lock);
    if (!rn_load_relaxed(&s->ready))
        return;
    rn_store_relaxed(&s->ready, false); /* relaxed, both: under the lock, before the try */
    s->drained = false;
}

/* With the lock, which is dropped. */
static inline int begin_unlock(struct rn__fd *f, int side, rn_context *ctx)
{
    struct rn_g *self = rn__self();
    struct rn__fd_side *s = &f->side[side];
    if (__builtin_expect(rn_load_relaxed(&f->closed), 0)) {
        unlock(f);
        return RN_ECLOSED;
    }
    count_locked(f, self, 1);
    if (__builtin_expect(s->busy, 0)) {
        int err = begin_slow_unlock(f, side, ctx, self);
        if (err)
            return err;
    } else {
        s->busy = true;
        s->by_thread = !rn__is_goroutine(self);
        consume_locked(f, s);
        unlock(f);
    }
    if (__builtin_expect(rn__fd_expired(f, side), 0)) {
        rn__fd_end(f, side);
        return RN_ETIMEOUT;
    }
    return 0;
}

int rn__fd_begin(struct rn__fd *f, int side, rn_context *ctx)
{
    int err = rn__done_seen(ctx);
    if (__builtin_expect(err, 0))
        return err;
    lock(f);
    return begin_unlock(f, side, ctx);
}

int rn__fd_begin_by(struct rn__fd *f, int side, rn_time deadline)
{
    lock(f);
    if (__builtin_expect(!rn_list_empty(&f->side[side].waiters), 0)) {
        unlock(f);
        rn__fd_set_deadline(f, side, deadline);
        return rn__fd_begin(f, side, NULL);
    }
    rn_store_relaxed(&f->side[side].deadline, deadline); /* relaxed: as in rn__fd_set_deadline */
    return begin_unlock(f, side, NULL);
}

/* The first who waits for the turn and can still be woken. */
static struct rn_g *next_turn(struct rn__fd_side *s, uint32_t why)
{
    for (struct rn_node *n; (n = s->turn.first) != NULL;) {
        struct rn_waiter *w = rn_container(n, struct rn_waiter, node);
        take_out(&s->turn, w);
        if (!rn__waiter_claim(w))
            continue;
        w->index = why;
        w->g->woken_by = w;
        return w->g;
    }
    return NULL;
}

/* The turn is free and others wait for it.  One of them is called; until it has come, or whoever was quicker waits with the turn, all
 * who run go on: handed over each time, every call would be a switch to another goroutine.  One that came too late is handed it. */
static __attribute__((noinline)) struct rn_g *pass_on_locked(struct rn__fd *f, struct rn__fd_side *s)
{
    rn_lock_assert_held(&f->lock);
    struct rn_g *next = NULL;
    if (s->owed) {
        s->owed = false;
        next = next_turn(s, RN_WOKEN_READY);
        s->busy = next != NULL;
    } else if (!s->called) {
        next = next_turn(s, RN_WOKEN_AGAIN);
        s->called = next != NULL;
    }
    return next;
}

static inline void end(struct rn__fd *f, int side, bool drained)
{
    struct rn__fd_side *s = &f->side[side];
    struct rn_g *next = NULL;
    lock(f);
    s->drained = drained && !rn_load_relaxed(&f->hangup); /* relaxed: under the lock */
    s->busy = false;
    if (__builtin_expect(!rn_list_empty(&s->turn), 0))
        next = pass_on_locked(f, s);
    less_unlock(f, rn__self());
    if (__builtin_expect(next != NULL, 0))
        rn__ready(next);
}

void rn__fd_end(struct rn__fd *f, int side)
{
    end(f, side, false);
}

void rn__fd_end_read(struct rn__fd *f, ssize_t got, size_t room)
{
    bool drained = got > 0 ? (size_t)got < room : got == -EAGAIN || got == -EWOULDBLOCK;
    end(f, RN_SIDE_READ, drained && (f->flags & RN_FD_STREAM));
}

/* ---- deadlines -------------------------------------------------------------------------------------- */

/* On some worker, with the lock of its timers. */
static rn_time fire(struct rn__fd *f, struct rn__fd_side *s, rn_time now, struct rn_ready_list *wake)
{
    lock(f);
    rn_time when = rn_load_relaxed(&s->deadline); /* relaxed: under the lock */
    if (when > now && !rn_list_empty(&s->waiters)) {
        s->armed = when;
    } else {
        s->armed = 0;
        if (when && when <= now)
            pop_all(&s->waiters, RN_WOKEN_EXPIRED, wake);
    }
    when = s->armed;
    unlock(f);
    return when;
}

static rn_time fire_read(struct rn_timer_entry *t, rn_time now, struct rn_ready_list *wake)
{
    struct rn__fd *f = rn_container(t, struct rn__fd, side[RN_SIDE_READ].timer);
    return fire(f, &f->side[RN_SIDE_READ], now, wake);
}

static rn_time fire_write(struct rn_timer_entry *t, rn_time now, struct rn_ready_list *wake)
{
    struct rn__fd *f = rn_container(t, struct rn__fd, side[RN_SIDE_WRITE].timer);
    return fire(f, &f->side[RN_SIDE_WRITE], now, wake);
}

/* A timer that stayed set after its wait holds no deadlock report back; a wait does so by itself, unless it is for
 * a simulated end. */
static bool awaited(struct rn_timer_entry *t)
{
    int side = t->fire == fire_write ? RN_SIDE_WRITE : RN_SIDE_READ;
    struct rn__fd *f = side == RN_SIDE_WRITE ? rn_container(t, struct rn__fd, side[RN_SIDE_WRITE].timer)
                                             : rn_container(t, struct rn__fd, side[RN_SIDE_READ].timer);
    return rn__exploring() && !rn_list_empty(&f->side[side].waiters);
}

/* Whose turn it is: the timer fires at the deadline or before. */
static void arm(struct rn__fd *f, int side)
{
    struct rn__fd_side *s = &f->side[side];
    lock(f);
    rn_time when = rn_load_relaxed(&s->deadline); /* relaxed: under the lock */
    bool needed = when && (!s->armed || s->armed > when);
    if (needed)
        s->armed = when;
    unlock(f);
    if (!needed)
        return;
    rn__timer_stop(&s->timer); /* and lets one that fires just now come to its end */
    s->timer.fire = side == RN_SIDE_READ ? fire_read : fire_write;
    s->timer.awaited = awaited;
    s->timer.kind = RN_TIMER_LIMIT;
    rn__timer_start(&s->timer, when);
}

void rn__fd_set_deadline(struct rn__fd *f, int side, rn_time when)
{
    struct rn__fd_side *s = &f->side[side];
    struct rn_ready_list wake = {0};
    lock(f);
    rn_store_relaxed(&s->deadline, when); /* relaxed: under the lock; rn__fd_expired needs no more */
    if (!rn_list_empty(&s->waiters) && when && (!s->armed || when < s->armed))
        pop_all(&s->waiters, RN_WOKEN_AGAIN, &wake);
    unlock(f);
    rn__ready_all(&wake);
}

/* ---- waits ------------------------------------------------------------------------------------------ */

enum { JOINED, TRY, ARM };

/* With the lock: JOINED; TRY when there is something to try; ARM when the deadline has no timer that fires
 * in time; or an error. */
static int join_locked(struct rn__fd *f, struct rn__fd_side *s, uint32_t run, struct rn_waiter *w)
{
    rn_lock_assert_held(&f->lock);
    rn_time when = rn_load_relaxed(&s->deadline); /* relaxed, all: under the lock */
    if (rn_load_relaxed(&f->closed))
        return RN_ECLOSED;
    if (__builtin_expect(rn_load_relaxed(&f->registered) != run, 0))
        return TRY;
    if (rn_load_relaxed(&s->ready) || (s->drained && rn_load_relaxed(&f->hangup))) {
        rn_store_relaxed(&s->ready, false); /* relaxed: under the lock, before the try */
        s->drained = false;
        return TRY;
    }
    if (when && (!s->armed || s->armed > when))
        return ARM;
    push(&s->waiters, w, false);
    return JOINED;
}

int rn__fd_join(struct rn__fd *f, int side, struct rn_waiter *w)
{
    struct rn__fd_side *s = &f->side[side];
    uint32_t run = rn__poll_run();
    int err = registered(f, run);
    if (err)
        return err;
    lock(f);
    /* Readiness may from now on be consumed by one who does not read: no read may be left out. */
    rn_store_relaxed(&f->hangup, true);
    bool closed = rn_load_relaxed(&f->closed);
    bool ready = rn_load_relaxed(&s->ready) || rn_load_relaxed(&f->registered) != run;
    rn_store_relaxed(&s->ready, false); /* relaxed, all: under the lock */
    if (!closed && !ready)
        push(&s->waiters, w, false);
    unlock(f);
    return closed ? RN_ECLOSED : ready;
}

bool rn__fd_leave(struct rn__fd *f, int side, struct rn_waiter *w)
{
    lock(f);
    bool was = w->queued;
    if (was)
        take_out(&f->side[side].waiters, w);
    unlock(f);
    return was;
}

/* Parks until w, which has joined, is woken; 0, or the error of ctx or `until`. */
static int park(struct rn__fd *f, int side, struct rn_waiter *w, rn_context *ctx, rn_time until)
{
    if (!w->claim) {
        rn__park(RN_WAIT_IO, f);
        return 0;
    }
    int err = rn__wait_until(w, ctx, until, RN_WAIT_IO, f);
    if (err)
        rn__fd_leave(f, side, w);
    return err;
}

/* A plain thread, and no run is under way whose poller could wake it: asks the kernel, a little at a time. */
static int wait_alone(struct rn__fd *f, int side, rn_context *ctx, rn_time until)
{
    enum { SLICE = 10 }; /* ms; how late it notices a close, a deadline, a context, or that a run has begun */
    f->side[side].drained = false;
    for (;;) {
        int err = rn__done_seen(ctx);
        if (rn_load_acquire(&f->closed)) /* acquire: pairs with the release in rn__fd_close */
            return RN_ECLOSED;
        if (err)
            return err;
        if (rn__fd_expired(f, side) || (until != INT64_MAX && rn__now() >= until))
            return RN_ETIMEOUT;
        if (rn__socket_poll(f->fd, side == RN_SIDE_READ ? RN_FD_READ : RN_FD_WRITE, SLICE) != 0 || rn__poll_run())
            return 0;
    }
}

static int wait_in(uint32_t run, struct rn__fd *f, int side, rn_context *ctx, rn_time until)
{
    struct rn__fd_side *s = &f->side[side];
    rn_atomic(uint32_t) claim = 0;
    struct rn_waiter w = {.g = rn__self(), .of = f};
    if (!rn__done_never(ctx) || until != INT64_MAX)
        w.claim = &claim;
    int err = registered(f, run), joined;
    if (err)
        return rn__poll_run() == run ? err : 0;
    for (;;) {
        lock(f);
        joined = join_locked(f, s, run, &w);
        unlock(f);
        if (joined != ARM)
            break;
        if (rn__fd_expired(f, side))
            return RN_ETIMEOUT;
        arm(f, side);
    }
    if (joined != JOINED)
        return joined == TRY ? 0 : joined;
    if (__builtin_expect(rn__poll_run() != run, 0) && rn__fd_leave(f, side, &w))
        return 0; /* a plain thread, and the run has ended meanwhile */
    err = park(f, side, &w, ctx, until);
    if (err)
        return err;
    if (w.index != RN_WOKEN_AGAIN)
        s->drained = false;
    return w.index == RN_WOKEN_CLOSED ? RN_ECLOSED : rn__fd_expired(f, side) ? RN_ETIMEOUT : 0;
}

int rn__fd_wait_until(struct rn__fd *f, int side, rn_context *ctx, rn_time until)
{
    uint32_t run = rn__poll_run();
    if (__builtin_expect(!run, 0))
        return wait_alone(f, side, ctx, until);
    return wait_in(run, f, side, ctx, until);
}

int rn__fd_wait(struct rn__fd *f, int side, rn_context *ctx)
{
    return rn__fd_wait_until(f, side, ctx, INT64_MAX);
}
