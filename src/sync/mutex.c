/* Mutex: one word that says who may go on, and a queue of those who may not.
 *
 *     bit 0  LOCKED   somebody holds the mutex
 *     bit 1  QUEUED   the queue may hold waiters
 *     bit 2  WOKEN    a waiter was woken and is on its way to compete; only together with QUEUED
 *
 *     transition                            by whom                              where
 *     0 -> LOCKED                           lock, try_lock                       no lock
 *     QUEUED|WOKEN -> LOCKED|QUEUED|WOKEN   lock, try_lock                       no lock
 *     QUEUED|WOKEN -> LOCKED|QUEUED         the woken waiter                     with or without the queue's lock
 *     LOCKED -> 0                           the holder                           no lock; its last access
 *     LOCKED|QUEUED|WOKEN -> QUEUED|WOKEN   the holder                           no lock; its last access
 *     LOCKED -> LOCKED|QUEUED               who joins the queue                  queue's lock
 *     LOCKED|QUEUED|WOKEN -> LOCKED|QUEUED  the woken waiter, who joins again    queue's lock
 *     LOCKED|QUEUED -> QUEUED|WOKEN         the holder, who wakes the first      queue's lock
 *     LOCKED|QUEUED -> LOCKED               the holder, the queue being empty    queue's lock
 *
 * So in LOCKED|QUEUED the holder needs the queue's lock to let go.  That is why no wake-up is lost: a
 * waiter makes it LOCKED|QUEUED and joins the queue under one hold of that lock, and the holder's release
 * comes either before it (then the waiter sees it free) or finds it queued.  Who joins while WOKEN is set
 * may be overlooked by an unlock; but then the woken waiter still comes, and either joins again, making
 * it LOCKED|QUEUED, or takes the mutex, and its own unlock looks at the queue.
 *
 * Nor is memory touched after it may have been freed.  The mutex is let go either by a swap that is the
 * last access; or under the queue's lock, leaving QUEUED|WOKEN.  In the second case the woken waiter has
 * yet to be made ready, and it will need the mutex: whoever else unlocks meanwhile is not the last.
 * An unlocker that finds the queue empty clears QUEUED while it still holds the mutex, lets the queue's
 * lock go, and starts again.
 *
 * Fairness (Go, sync/mutex.go): normally an unlock frees the mutex and wakes the first waiter, which
 * competes with those that are running; when it loses it goes back to the front.  While one such is on
 * its way (WOKEN) no other is woken, and a busy mutex costs no more than an idle one.  When a waiter has
 * waited for more than a millisecond the mutex starves (STARVING in rn_flags, guarded by the queue's
 * lock): unlock then leaves LOCKED set and hands the mutex to the first waiter, so that newcomers can't
 * get in between; a waiter that is handed it after less than a millisecond, or as the last one, ends
 * that.
 *
 * Rejected:
 *  - Unlock by a plain store, then a load of "does somebody wait", with the waiter paying for the fence
 *    (membarrier): spares one of the two atomic operations, but the load comes after the release, when
 *    the next one to unlock may have freed the memory.
 *  - Queues in a global table keyed by address, as futexes have: a mutex of 4 bytes, but contended
 *    mutexes then share cache lines and locks by accident.
 *  - Always handing over: fair, but a busy mutex costs a switch of goroutines for each lock.
 */
#include <runnel/mutex.h>

#include "base/race.h"
#include "chan/wait.h"
#include "sync/waitq.h"
#include "sync/watch.h"

enum { LOCKED = 1, QUEUED = 2, WOKEN = 4 }; /* rn_state; runnel/mutex.h has the numbers too */
enum { STARVING = 1 };                      /* rn_flags */
enum { STARVES_AFTER = 1000 * 1000 };       /* ns */
enum { SPINS = 4, PAUSES = 30 };

#if RN__INLINE_SYNC
extern inline void rn_mutex_lock(rn_mutex *m);
extern inline void rn_mutex_unlock(rn_mutex *m);
#else
void rn_mutex_lock(rn_mutex *m)
{
    rn__point(RN_AT_LOCK, m);
    uint32_t s = RN_WATCH_BITS; /* a guess for the swap; the slow way knows the others */
    rn__waitq_check(&m->rn_queue, "mutex");
    /* acquire: pairs with the release in unlock, here and below. */
    if (!rn_cas_acquire(&m->rn_state, &s, LOCKED))
        rn__mutex_lock_slow(m);
    rn__point_locked(m, false);
    rn__race_touch(m);
    rn__race_acquire(RN_RACE_NAME(m, 0));
}

void rn_mutex_unlock(rn_mutex *m)
{
    rn__point(RN_AT_UNLOCK, m);
    rn__point_unlocks(m);
    uint32_t s = LOCKED | RN_WATCH_BITS; /* a guess for the swap; the slow way knows the others */
    rn__waitq_check(&m->rn_queue, "mutex");
    rn__race_touch(m);
    rn__race_release(RN_RACE_NAME(m, 0));
    /* release: pairs with the acquire of whoever locks next. */
    if (!rn_cas_release(&m->rn_state, &s, 0))
        rn__mutex_unlock_slow(m);
    rn__point(RN_AFTER_UNLOCK, m);
}
#endif

/* Takes the mutex if it is free, and clears the bits in `drop`. */
static bool try_take(rn_mutex *m, uint32_t drop)
{
    uint32_t s = rn_load_relaxed(&m->rn_state); /* relaxed: only a guess for the swap */
    while (!(s & LOCKED))
        /* acquire: as in lock. */
        if (rn_cas_acquire(&m->rn_state, &s, (s & ~drop) | LOCKED))
            return true;
    return false;
}

bool rn_mutex_try_lock(rn_mutex *m)
{
    rn__point(RN_AT_TRY_LOCK, m);
    rn__waitq_check(&m->rn_queue, "mutex");
    rn__race_touch(m);
    bool taken = try_take(m, 0);
    if (taken) {
        rn__watch(taken, m, &m->rn_queue, 0);
        rn__race_acquire(RN_RACE_NAME(m, 0));
    }
    return taken;
}

/* A waiter's stay in the slow path. */
struct visit {
    struct rn_waiter w;
    rn_atomic(uint32_t) claim;
    rn_time since; /* of the first round */
    uint32_t drop; /* WOKEN if it was woken to compete, else 0 */
};

/* A holder that runs on another processor lets go in less time than a park takes. */
static bool spin(rn_mutex *m, const struct visit *v)
{
    if (rn__is_goroutine(v->w.g) && rn_procs() < 2)
        return false;
    for (int i = 0; i < SPINS; i++) {
        if (try_take(m, v->drop))
            return true;
        for (int j = 0; j < PAUSES; j++)
            rn_cpu_pause();
    }
    return false;
}

/* With the queue's lock: takes the mutex, or sees to it that v's place in the queue will be seen. */
static bool take_or_mark(rn_mutex *m, const struct visit *v)
{
    uint32_t s = rn_load_relaxed(&m->rn_state); /* relaxed: only a guess for the swaps */
    for (;;) {
        if (!(s & LOCKED)) {
            /* acquire: as in lock. */
            if (rn_cas_acquire(&m->rn_state, &s, (s & ~v->drop) | LOCKED))
                return true;
        } else if (rn_cas_relaxed(&m->rn_state, &s, (s & ~v->drop) | QUEUED)) {
            /* relaxed: the holder reads the queue only under its lock. */
            return false;
        }
    }
}

static void join(rn_mutex *m, struct visit *v, rn_time now)
{
    rn_store_relaxed(&v->claim, 0); /* relaxed: nobody else knows of v between two rounds */
    if (v->drop)
        rn__waitq_push_front(&m->rn_queue, &v->w);
    else
        rn__waitq_push(&m->rn_queue, &v->w);
    if (v->drop && now - v->since > STARVES_AFTER)
        m->rn_flags |= STARVING;
}

/* One round of competing: true when the mutex is ours, false when v is queued. */
static bool compete(rn_mutex *m, struct visit *v)
{
    if (spin(m, v))
        return true;
    rn_time now = rn__now();
    rn__waitq_lock(&m->rn_queue);
    bool ours = take_or_mark(m, v);
    if (!ours)
        join(m, v, now);
    rn__waitq_unlock(&m->rn_queue);
    if (!v->since)
        v->since = now;
    return ours;
}

/* The mutex was handed over: are the waiters served in time again? */
static void handed(rn_mutex *m, struct visit *v)
{
    rn_time waited = rn__now() - v->since;
    rn__waitq_lock(&m->rn_queue);
    if (waited < STARVES_AFTER || rn__waitq_empty(&m->rn_queue))
        m->rn_flags &= ~(uint32_t)STARVING;
    rn__waitq_unlock(&m->rn_queue);
}

static int lock_slow(rn_context *ctx, rn_mutex *m)
{
    struct visit v = {.w = {.g = rn__self()}};
    if (ctx)
        v.w.claim = &v.claim;
    while (!compete(m, &v)) {
        int err = 0;
        if (ctx)
            err = rn__wait_ctx(&v.w, ctx, RN_WAIT_MUTEX, m);
        else
            rn__park(RN_WAIT_MUTEX, m);
        if (err) {
            rn__waitq_lock(&m->rn_queue);
            rn__waitq_remove(&m->rn_queue, &v.w);
            rn__waitq_unlock(&m->rn_queue);
            return err;
        }
        if (v.w.ok) {
            handed(m, &v);
            return 0;
        }
        v.drop = WOKEN;
    }
    return 0;
}

void rn__mutex_lock_slow(rn_mutex *m)
{
    rn__watch(wanted, m, &m->rn_queue, 0);
    lock_slow(NULL, m);
    rn__watch(taken, m, &m->rn_queue, 0);
}

int rn_mutex_lock_ctx(rn_context *ctx, rn_mutex *m)
{
    rn__watch(wanted, m, &m->rn_queue, RN_LOCK_TIMED);
    if (rn_mutex_try_lock(m))
        return 0;
    int err = lock_slow(ctx, m);
    if (!err) {
        rn__watch(taken, m, &m->rn_queue, 0);
        rn__race_acquire(RN_RACE_NAME(m, 0));
    }
    return err;
}

/* With the queue's lock and LOCKED|QUEUED, by the holder: lets go, or hands over, and returns whom to
 * wake.  NULL: the queue is empty and the mutex still held, now without QUEUED. */
static struct rn_waiter *release_locked(rn_mutex *m)
{
    struct rn_waiter *w = rn__waitq_pop(&m->rn_queue);
    if (!w) {
        /* relaxed: still held; nobody else changes LOCKED|QUEUED without the lock. */
        rn_store_relaxed(&m->rn_state, LOCKED);
        m->rn_flags &= ~(uint32_t)STARVING;
    } else if (m->rn_flags & STARVING) {
        w->ok = true;
    } else {
        /* release: pairs with the acquire of whoever locks next. */
        rn_store_release(&m->rn_state, QUEUED | WOKEN);
    }
    return w;
}

void rn__mutex_unlock_slow(rn_mutex *m)
{
    rn__watch(left, m, &m->rn_queue, 0);
    for (;;) {
        uint32_t s = rn_load_relaxed(&m->rn_state); /* relaxed: the holder's own, but for the queue's bits */
        if (!(s & LOCKED))
            rn_fatal("sync: unlock of unlocked mutex");
        if (s != (LOCKED | QUEUED)) {
            /* release: pairs with the acquire of whoever locks next. */
            if (rn_cas_release(&m->rn_state, &s, s & ~(uint32_t)LOCKED))
                return;
            continue;
        }
        rn__waitq_lock(&m->rn_queue);
        struct rn_waiter *w = release_locked(m);
        rn__waitq_unlock(&m->rn_queue);
        if (w) {
            rn__ready(w->g);
            return;
        }
    }
}

void rn_mutex_destroy(rn_mutex *m)
{
    /* relaxed: a report of misuse needs no order. */
    rn__waitq_destroy(&m->rn_queue, "mutex", rn_load_relaxed(&m->rn_state) & LOCKED);
}
