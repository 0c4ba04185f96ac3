/* Mutex: one word that says who may go on, and a queue of those who may not.
 *
 *     bit 0  LOCKED   somebody holds the mutex
 *     bit 1  QUEUED   the queue may hold waiters: whoever unlocks must look, under the queue's lock
 *
 *     transition                     by whom                                   where
 *     0 -> LOCKED                    lock, try_lock                            no lock
 *     QUEUED -> LOCKED|QUEUED        spinner, try_lock, woken waiter           with or without the queue's lock
 *     LOCKED -> LOCKED|QUEUED        who is about to queue                     queue's lock
 *     LOCKED -> 0                    the holder                                no lock; its last access
 *     LOCKED|QUEUED -> QUEUED        the holder                                queue's lock
 *     LOCKED|QUEUED -> LOCKED        the holder, the queue being empty         queue's lock
 *
 * So while QUEUED is set and somebody has the queue's lock, a set LOCKED stays set: the holder needs the
 * queue's lock to let go.  That is why no wake-up is lost: a waiter sees LOCKED, sets QUEUED and joins the
 * queue under one hold of that lock, and the holder's release comes either before it (then the waiter
 * sees it free) or finds it queued.
 *
 * Nor is memory touched after it may have been freed.  The mutex is let go either by the swap
 * LOCKED -> 0, the last access; or under the queue's lock with QUEUED left set.  In the second case
 * whoever locks next must take the queue's lock for its own unlock, so comes after our release of it.
 * An unlocker that finds the queue empty clears QUEUED while it still holds the mutex, lets the queue's
 * lock go, and starts again.
 *
 * Fairness (Go, sync/mutex.go): normally an unlock frees the mutex and wakes the first waiter, which
 * competes with those that are running; when it loses it goes back to the front.  While one such is on
 * its way (WOKEN) no other is woken.  When a waiter has waited for more than a millisecond the mutex
 * starves (STARVING): unlock then leaves LOCKED set and hands the mutex to the first waiter, so that
 * newcomers can't get in between; a waiter that is handed it after less than a millisecond, or as the
 * last one, ends that.  rn_flags is guarded by the queue's lock.
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

#include "chan/wait.h"
#include "sync/waitq.h"

enum { LOCKED = 1, QUEUED = 2 };      /* rn_state */
enum { WOKEN = 1, STARVING = 2 };     /* rn_flags */
enum { STARVES_AFTER = 1000 * 1000 }; /* ns */
enum { SPINS = 4, PAUSES = 30 };

#if RN__INLINE_SYNC
extern inline void rn_mutex_lock(rn_mutex *m);
extern inline void rn_mutex_unlock(rn_mutex *m);
#else
void rn_mutex_lock(rn_mutex *m)
{
    uint32_t free = 0;
    rn__waitq_check(&m->rn_queue, "mutex");
    /* acquire: pairs with the release in unlock, here and in release_locked. */
    if (!rn_cas_acquire(&m->rn_state, &free, LOCKED))
        rn__mutex_lock_slow(m);
}

void rn_mutex_unlock(rn_mutex *m)
{
    uint32_t held = LOCKED;
    rn__waitq_check(&m->rn_queue, "mutex");
    /* release: pairs with the acquire of whoever locks next. */
    if (!rn_cas_release(&m->rn_state, &held, 0))
        rn__mutex_unlock_slow(m);
}
#endif

bool rn_mutex_try_lock(rn_mutex *m)
{
    rn__waitq_check(&m->rn_queue, "mutex");
    uint32_t s = rn_load_relaxed(&m->rn_state); /* relaxed: only a guess for the swap */
    while (!(s & LOCKED))
        /* acquire: as in lock. */
        if (rn_cas_acquire(&m->rn_state, &s, s | LOCKED))
            return true;
    return false;
}

/* A holder that runs on another processor lets go in less time than a park takes. */
static bool spin(rn_mutex *m)
{
    const struct rn_g *self = rn__self_or_null();
    if (self && rn__is_goroutine(self) && rn_procs() < 2)
        return false;
    for (int i = 0; i < SPINS; i++) {
        if (rn_mutex_try_lock(m))
            return true;
        for (int j = 0; j < PAUSES; j++)
            rn_cpu_pause();
    }
    return false;
}

/* With the queue's lock: takes the mutex, or sees to it that its holder's unlock will look at the
 * queue. */
static bool take_or_mark(rn_mutex *m)
{
    uint32_t s = rn_load_relaxed(&m->rn_state); /* relaxed: only a guess for the swaps */
    for (;;) {
        if (!(s & LOCKED)) {
            /* acquire: as in lock. */
            if (rn_cas_acquire(&m->rn_state, &s, s | LOCKED))
                return true;
        } else if ((s & QUEUED) || rn_cas_relaxed(&m->rn_state, &s, s | QUEUED)) {
            /* relaxed: the holder reads the queue only under its lock. */
            return false;
        }
    }
}

/* A waiter's stay in the slow path. */
struct visit {
    struct rn_waiter w;
    rn_atomic(uint32_t) claim;
    rn_time since; /* of the first round */
    bool woken;    /* it was woken to compete, and WOKEN is its */
};

/* One round of competing: true when the mutex is ours, false when v is queued. */
static bool compete(rn_mutex *m, struct visit *v)
{
    rn_time now = rn__now();
    rn__waitq_lock(&m->rn_queue);
    if (v->woken)
        m->rn_flags &= ~(uint32_t)WOKEN;
    bool ours = take_or_mark(m);
    if (!ours) {
        /* relaxed: nobody else knows of v between two rounds. */
        rn_store_relaxed(&v->claim, 0);
        if (v->woken)
            rn__waitq_push_front(&m->rn_queue, &v->w);
        else
            rn__waitq_push(&m->rn_queue, &v->w);
        if (v->woken && now - v->since > STARVES_AFTER)
            m->rn_flags |= STARVING;
    }
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
    if (spin(m))
        return 0;
    struct visit v = {.w = {.g = rn__self(), .of = m}};
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
        v.woken = true;
    }
    return 0;
}

void rn__mutex_lock_slow(rn_mutex *m)
{
    lock_slow(NULL, m);
}

int rn_mutex_lock_ctx(rn_context *ctx, rn_mutex *m)
{
    rn__waitq_check(&m->rn_queue, "mutex");
    uint32_t free = 0;
    /* acquire: as in lock. */
    if (rn_cas_acquire(&m->rn_state, &free, LOCKED))
        return 0;
    return lock_slow(ctx, m);
}

/* With the queue's lock, the mutex held and QUEUED set: lets go, or hands over, and returns whom to
 * wake, or NULL.  *again: the queue is empty and the mutex still held, now without QUEUED. */
static struct rn_waiter *release_locked(rn_mutex *m, bool *again)
{
    struct rn_waiter *w = NULL;
    if (!(m->rn_flags & WOKEN) || (m->rn_flags & STARVING))
        w = rn__waitq_pop(&m->rn_queue);
    if (!w && rn__waitq_empty(&m->rn_queue)) {
        /* relaxed: still held; nobody else changes a word that is LOCKED|QUEUED. */
        rn_store_relaxed(&m->rn_state, LOCKED);
        m->rn_flags &= ~(uint32_t)STARVING;
        *again = true;
        return NULL;
    }
    if (w && (m->rn_flags & STARVING)) {
        w->ok = true;
        return w;
    }
    if (w)
        m->rn_flags |= WOKEN;
    /* release: pairs with the acquire of whoever locks next. */
    rn_store_release(&m->rn_state, QUEUED);
    return w;
}

void rn__mutex_unlock_slow(rn_mutex *m)
{
    uint32_t s = rn_load_relaxed(&m->rn_state); /* relaxed: the holder's own, but for QUEUED */
    for (;;) {
        if (!(s & LOCKED))
            rn_fatal("sync: unlock of unlocked mutex");
        /* release: pairs with the acquire of whoever locks next. */
        if (s == LOCKED && rn_cas_release(&m->rn_state, &s, 0))
            return;
        if (!(s & QUEUED))
            continue;
        bool again = false;
        rn__waitq_lock(&m->rn_queue);
        struct rn_waiter *w = release_locked(m, &again);
        rn__waitq_unlock(&m->rn_queue);
        if (w)
            rn__ready(w->g);
        if (!again)
            return;
        s = LOCKED;
    }
}

void rn_mutex_destroy(rn_mutex *m)
{
    /* relaxed: a report of misuse needs no order. */
    rn__waitq_destroy(&m->rn_queue, "mutex", rn_load_relaxed(&m->rn_state) & LOCKED);
}
