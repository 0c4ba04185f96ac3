/* Mutex: one word that says who may go on, and a queue of those who may not.
 *
 *     bit 0       LOCKED   somebody holds the mutex
 *     bit 1       QUEUED   the queue may hold waiters, of whom none was woken; only together with LOCKED
 *     bit 2       WOKEN    the same, and a waiter was woken and is on its way to compete; never with QUEUED
 *     bit 4       LEAVING  somebody takes it from the thread whose own it is; only together with OWNED
 *     bits 5-15   TICKS    how often it was locked with nobody in the way; the last one is DUE; never with OWNED or QUEUED
 *     bits 16-30  OWNED    the name of the thread whose own it is; 0: it is nobody's.  LOCKED and LEAVING may be beside it
 *
 *     transition                            by whom                              where
 *     0 -> LOCKED, also beside WOKEN        lock, try_lock                       no lock
 *     WOKEN -> LOCKED|QUEUED                the woken waiter                     with or without the queue's lock
 *     LOCKED -> 0, also beside WOKEN        the holder                           no lock; its last access
 *     LOCKED -> LOCKED|QUEUED               who joins the queue                  queue's lock
 *     LOCKED|WOKEN -> LOCKED|QUEUED         the woken waiter, who joins again    queue's lock
 *     LOCKED|QUEUED -> WOKEN                the holder, who wakes the first      queue's lock
 *     LOCKED|QUEUED -> LOCKED               the holder, the queue being empty    queue's lock
 *     DUE -> OWNED|LOCKED                   lock, by the thread that is named    queue's lock
 *     OWNED -> OWNED|LOCKED                 lock, by that thread                 no lock, no atomic operation
 *     OWNED|LOCKED -> OWNED                 the holder; on that thread no        no lock; its last access
 *                                             atomic operation
 *     OWNED -> OWNED|LEAVING -> 0,          who else wants to lock it; the       queue's lock, the fence in between
 *       beside LOCKED -> LOCKED               thread itself without LEAVING
 *
 * So in LOCKED|QUEUED the holder needs the queue's lock to let go.  That is why no wake-up is lost: a
 * waiter makes it LOCKED|QUEUED and joins the queue under one hold of that lock, and the holder's release
 * comes either before it (then the waiter sees it free) or finds it queued.  Who joins while WOKEN is set
 * may be overlooked by an unlock; but then the woken waiter still comes, and either joins again, making
 * it LOCKED|QUEUED, or takes the mutex, and its own unlock looks at the queue.
 *
 * Nor is memory touched after it may have been freed.  The mutex is let go either by a swap, or the store of a section,
 * that is the last access; or under the queue's lock, leaving WOKEN.  In the last case the woken waiter has
 * yet to be made ready, and it will need the mutex: whoever else unlocks meanwhile is not the last.
 * An unlocker that finds the queue empty clears QUEUED while it still holds the mutex, lets the queue's
 * lock go, and starts again.  Who takes it from its owner wants it.
 *
 * A thread's own (sched/solo.h, which says why it may be).  What a mutex costs that nobody fights for are its two atomic operations, 4.8
 * ns each; its owner locks and unlocks it by a load, a comparison and a store, which the kernel lets nothing come between on this
 * thread: 2 ns in all, compiled into the program (runnel/mutex.h; what is below is for who was interrupted).  Anybody else
 * first takes it away, for good: 0.8 µs and more.  All of that is under the queue's lock; so whoever sees LEAVING waits, and a
 * late store of the owner's, which clears LEAVING, is found by the one who has set it, who begins again.  Three need no fence:
 * the owner itself, when it finds its mutex held by another of its goroutines, since it is in no section; the holder on
 * another thread (a goroutine has moved), since the owner's sections fail as long as it is LOCKED, and who
 * comes after its swap has seen it; and try_lock that finds it LOCKED.
 *
 * The short way counts TICKS at no cost.  Each time that they have run full (every 1,024 locks) the slow way looks which thread it
 * is; a mutex that has seen the same one four times in a row, with nobody in the queue meanwhile, becomes its own, if
 * there is a budget for it (solo.h: 2 % of the time in the worst case).  What rn__solo_earns keeps for that is in rn_flags, guarded by
 * the queue's lock.
 * No TICKS are counted, so none is ever owned, in builds that explore schedules, detect races or check for misuse, where the
 * short way is not inline; nor while lock order is watched.
 *
 * Fairness (Go, sync/mutex.go): normally an unlock frees the mutex and wakes the first waiter, which
 * competes with those that are running; when it loses it goes back to the front.  While one such is on
 * its way (WOKEN) no other is woken, and a busy mutex costs no more than an idle one.  When a waiter has
 * waited for more than a millisecond the mutex starves (STARVING in rn_flags, guarded by the queue's
 * lock): unlock then leaves LOCKED set and hands the mutex to the first waiter, so that newcomers can't
 * get in between; a waiter that is handed it after less than a millisecond, or as the last one, ends
 * that.
 *
 * Long turns.  Two processors that want the same mutex all the time hand its line, and what it guards, to and fro: 80 to
 * 400 ns each way, where a lock and an unlock by the one that has the line take 10.  A mutex is hot that was locked HOT
 * times (by TICKS) since the last look.  Who waits awake does not take it then, even if it finds it free, and looks
 * again after twice as long, four times at most, some 10 µs in all; the other one locks it a thousand times meanwhile.
 * Eight goroutines on two processors: 10 to 12 ns a lock, in every process and however far the two are from each other;
 * with 40 to 80 locks a turn it was 12 to 20, by process.  When the other one has stopped, so much time is lost as it
 * was hot, and as much again, at most.  Nothing is changed but how long a waiter is awake, some 40 µs at most, before it
 * queues; what is said of wake-ups and of fairness holds.
 *
 * Rejected:
 *  - Unlock by a plain store, then a load of "does somebody wait", with the waiter paying for the fence
 *    (membarrier): spares one of the two atomic operations, but the load comes after the release, when
 *    the next one to unlock may have freed the memory.  (A section's comparison comes before its store.)
 *  - The owner's sections behind calls, out of the header: 3.7 ns instead of 2.2 (EPYC 7003).  Inline each lock and each unlock has 32
 *    bytes of tables beside some 100 of code.
 *  - Queues in a global table keyed by address, as futexes have: a mutex of 4 bytes, but contended
 *    mutexes then share cache lines and locks by accident.
 *  - To wait for 10 µs at once at a hot mutex: as fast where it stays hot, but 200 locks in a row and 5 µs without any
 *    took 3.7 µs instead of 2.8, since by the second look they are over.
 *  - Always handing over: fair, but a busy mutex costs a switch of goroutines for each lock.
 */
#include <runnel/mutex.h>

#include "base/race.h"
#include "chan/wait.h"
#include "sched/solo.h"
#include "sync/mutex.h"
#include "sync/waitq.h"
#include "sync/watch.h"

/* rn_state; runnel/mutex.h has the numbers too. */
enum { LOCKED = 1, QUEUED = 2, WOKEN = 4, LEAVING = 16, TICKS = 0xffe0, DUE = 0x8000, OWNED = RN_SOLO_NAME };
/* rn_flags, beside what rn__solo_earns keeps there. */
enum { STARVING = 1 };
enum { STARVES_AFTER = 1000 * 1000 };    /* ns */
enum { PAUSES = 30, LONG = 8 * PAUSES }; /* before another look at a mutex that is held, and at most if it is hot */
enum { HOT = 8 * 0x20 };                 /* TICKS in that time */

/* rn__mutex_lock_slow and unlock_slow; s: the state, a guess. */
static void lock_from(rn_mutex *m, uint32_t s);
static void unlock_from(rn_mutex *m, uint32_t s);

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
        lock_from(m, s);
    rn__point_locks(m, false);
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
        unlock_from(m, s);
    rn__point(RN_AFTER_UNLOCK, m);
}
#endif

/* ---- a thread's own -------------------------------------------------------------------------------- */

static inline bool is_own(uint32_t s)
{
    return (s & OWNED) && (s & ~(uint32_t)LOCKED) == rn__solo();
}

enum { TRIES = 8 }; /* a section may be interrupted; each time, if somebody goes through the program step by step */

/* Locks what belongs to the running thread, and is free. */
static bool take_own(rn_mutex *m)
{
    uint32_t name = rn__solo();
    /* relaxed: a guess. */
    for (int tries = 0; tries < TRIES && name && rn_load_relaxed(&m->rn_state) == name; tries++)
        /* pairs with the release of whoever unlocked it: this thread's give, or a swap by another one. */
        if (rn__solo_take(&m->rn_state, name, name | LOCKED))
            return true;
    return false;
}

/* Unlocks what belongs to the running thread. */
static bool give_own(rn_mutex *m)
{
    uint32_t name = rn__solo();
    /* relaxed: as above. */
    for (int tries = 0; tries < TRIES && name && rn_load_relaxed(&m->rn_state) == (name | LOCKED); tries++)
        /* pairs with take_own, and with the acquire of who locks it after it was taken from this thread. */
        if (rn__solo_give(&m->rn_state, name | LOCKED, name))
            return true;
    return false;
}

/* With the queue's lock: takes the mutex from the thread that owns it, if one does.  Returns the state. */
static uint32_t disown_locked(rn_mutex *m)
{
    rn__waitq_assert_held(&m->rn_queue);
    /* relaxed, all: what the owner's last give has published goes on through these swaps to whoever locks next. */
    uint32_t s = rn_load_relaxed(&m->rn_state);
    bool owned = s & OWNED;
    while (s & OWNED) {
        uint32_t plain = s & LOCKED;
        if (!is_own(s)) {
            if (!rn_cas_relaxed(&m->rn_state, &s, s | LEAVING))
                continue;
            s |= LEAVING;
            rn__solo_fence();
        }
        if (rn_cas_relaxed(&m->rn_state, &s, plain))
            s = plain;
    }
    if (owned)
        rn__solo_wear(&m->rn_flags);
    return s;
}

static void disown(rn_mutex *m)
{
    rn__waitq_lock(&m->rn_queue);
    disown_locked(m);
    rn__waitq_unlock(&m->rn_queue);
}

/* Locks a mutex that was locked often with nobody in the way, and perhaps makes it the running thread's own. */
static bool take_due(rn_mutex *m, uint32_t s)
{
    if ((s & ~(uint32_t)TICKS) || !(s & DUE) || RN_WATCH_BITS)
        return false;
    uint32_t name = rn__solo_name();
    rn__waitq_lock(&m->rn_queue);
    uint32_t to = name && rn__solo_earns(&m->rn_flags, name) ? name | LOCKED : LOCKED;
    /* acquire: as in lock. */
    bool taken = rn_cas_acquire(&m->rn_state, &s, to);
    rn__waitq_unlock(&m->rn_queue);
    return taken;
}

/* ---- by the word ----------------------------------------------------------------------------------- */

/* Takes the mutex if it is free and nobody's own; a woken waiter, which is counted in WOKEN no more, says so. */
static bool try_take(rn_mutex *m, bool woken)
{
    uint32_t s = rn_load_relaxed(&m->rn_state); /* relaxed: only a guess for the swap */
    while (!(s & (LOCKED | OWNED)))
        /* acquire: as in lock. */
        if (rn_cas_acquire(&m->rn_state, &s, LOCKED | (woken ? QUEUED : s & WOKEN)))
            return true;
    return false;
}

/* The same for one that has not waited, whoever owns it. */
static bool try_take_any(rn_mutex *m)
{
    uint32_t s = rn_load_relaxed(&m->rn_state); /* relaxed: a guess */
    if (s & OWNED) {
        if (take_own(m))
            return true;
        /* One that is locked need not be taken from its owner to be told so. */
        if (!(s & LOCKED))
            disown(m);
    }
    return try_take(m, false);
}

bool rn_mutex_try_lock(rn_mutex *m)
{
    rn__point(RN_AT_TRY_LOCK, m);
    rn__waitq_check(&m->rn_queue, "mutex");
    rn__race_touch(m);
    bool taken = try_take_any(m);
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
    bool woken;    /* to compete */
};

/* Between two tries.  A hot mutex is left alone for longer: see the head. */
static void rest(const rn_mutex *m)
{
    /* relaxed, both: a guess at how long to wait. */
    uint32_t before = rn_load_relaxed(&m->rn_state) & TICKS;
    for (unsigned pauses = PAUSES; pauses <= LONG; pauses *= 2) {
        rn_cpu_rest(pauses);
        uint32_t now = rn_load_relaxed(&m->rn_state) & TICKS;
        if (now < before + HOT)
            return;
        before = now;
    }
}

/* A holder that runs on another processor lets go in less time than a park takes. */
static bool spin(rn_mutex *m, const struct visit *v)
{
    bool ours = false;
    uint32_t rounds = rn__spin_rounds();
    if (rounds && (rn_load_relaxed(&m->rn_state) & OWNED)) /* relaxed: a hint; take_or_mark sees to it */
        rounds = 0;
    for (uint32_t i = 0; i < rounds && !ours; i++) {
        if (i)
            rest(m);
        ours = try_take(m, v->woken);
    }
    if (rounds)
        rn__spun(ours);
    return ours;
}

/* With the queue's lock: takes the mutex, or sees to it that v's place in the queue will be seen. */
static bool take_or_mark(rn_mutex *m, const struct visit *v)
{
    uint32_t s = disown_locked(m);
    for (;;) {
        uint32_t to = v->woken ? QUEUED : s & (QUEUED | WOKEN);
        if (!(s & LOCKED)) {
            /* acquire: as in lock. */
            if (rn_cas_acquire(&m->rn_state, &s, LOCKED | to))
                return true;
        } else if (rn_cas_relaxed(&m->rn_state, &s, LOCKED | (to & WOKEN ? WOKEN : QUEUED))) {
            /* relaxed: the holder reads the queue only under its lock. */
            return false;
        }
    }
}

static void let_go_of(rn_mutex *m, uint32_t s);

/* Its goroutine has ended with its run.  If it was on its way to compete, or the mutex was handed to it, it has the mutex, and
 * lets it go: others may wait, and nobody but it would wake them. */
static void leave(struct rn_waiter *w)
{
    rn_mutex *m = rn_container(w->of, rn_mutex, rn_queue);
    struct visit *v = rn_container(w, struct visit, w);
    rn__waitq_lock(&m->rn_queue);
    rn__waitq_remove(&m->rn_queue, w);
    bool ours = false;
    if (rn__waitq_has_woken(w)) {
        v->woken = true;
        ours = w->ok || take_or_mark(m, v);
    }
    rn__waitq_unlock(&m->rn_queue);
    if (ours)
        let_go_of(m, rn_load_relaxed(&m->rn_state)); /* relaxed: a guess */
}

static void join(rn_mutex *m, struct visit *v, rn_time now)
{
    rn_store_relaxed(&v->claim, 0); /* relaxed: nobody else knows of v between two rounds */
    if (v->woken)
        rn__waitq_push_front(&m->rn_queue, &v->w);
    else
        rn__waitq_push(&m->rn_queue, &v->w);
    rn__waitq_owes(&v->w, leave);
    m->rn_flags &= (uint32_t)RN_SOLO_KEPT; /* a mutex that is waited for isn't earned */
    if (v->woken && now - v->since > STARVES_AFTER)
        m->rn_flags |= STARVING;
}

/* One round of competing: true when the mutex is ours, false when v is queued. */
static bool compete(rn_mutex *m, struct visit *v)
{
    if (spin(m, v))
        return true;
    if (v->woken)
        rn__woken_in_vain();
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
        v.woken = true;
    }
    return 0;
}

static void lock_from(rn_mutex *m, uint32_t s)
{
    rn__watch(wanted, m, &m->rn_queue, 0);
    if (!take_own(m) && !take_due(m, s))
        lock_slow(NULL, m);
    rn__watch(taken, m, &m->rn_queue, 0);
}

void rn__mutex_lock_slow(rn_mutex *m)
{
    lock_from(m, rn_load_relaxed(&m->rn_state)); /* relaxed: a guess */
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
    rn__waitq_assert_held(&m->rn_queue);
    struct rn_waiter *w = rn__waitq_pop(&m->rn_queue);
    if (!w) {
        /* relaxed: still held; nobody else changes LOCKED|QUEUED without the lock. */
        rn_store_relaxed(&m->rn_state, LOCKED);
        m->rn_flags &= ~(uint32_t)STARVING;
    } else if (m->rn_flags & STARVING) {
        w->ok = true;
    } else {
        /* release: pairs with the acquire of whoever locks next. */
        rn_store_release(&m->rn_state, WOKEN);
    }
    return w;
}

static void let_go_of(rn_mutex *m, uint32_t s)
{
    for (;; s = rn_load_relaxed(&m->rn_state)) { /* relaxed: the holder's, but for the queue's bits and the owner */
        if (!(s & LOCKED))
            rn_fatal("sync: unlock of unlocked mutex");
        if (s & LEAVING) {
            disown(m);
        } else if (!(s & QUEUED)) {
            /* release: pairs with the acquire of whoever locks next. */
            if (rn_cas_release(&m->rn_state, &s, s & ~(uint32_t)LOCKED))
                return;
        } else {
            rn__waitq_lock(&m->rn_queue);
            struct rn_waiter *w = release_locked(m);
            rn__waitq_unlock(&m->rn_queue);
            if (!w)
                continue;
            rn__ready(w->g);
            return;
        }
    }
}

static void unlock_from(rn_mutex *m, uint32_t s)
{
    rn__watch(left, m, &m->rn_queue, 0);
    if (!give_own(m))
        let_go_of(m, s);
}

void rn__mutex_unlock_slow(rn_mutex *m)
{
    unlock_from(m, rn_load_relaxed(&m->rn_state)); /* relaxed: the holder's, as above */
}

void rn_mutex_destroy(rn_mutex *m)
{
    /* relaxed: a report of misuse needs no order. */
    rn__waitq_destroy(&m->rn_queue, "mutex", rn_load_relaxed(&m->rn_state) & LOCKED);
}

#if defined(RN_DEBUG) && !defined(RN_MODEL)
void rn__mutex_assert_held(rn_mutex *m)
{
    if (!(rn_load_relaxed(&m->rn_state) & LOCKED)) /* relaxed: as above */
        rn_fatal("mutex needed that nobody holds");
}
#endif
