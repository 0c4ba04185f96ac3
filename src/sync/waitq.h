/* The wait queue inside every object of src/sync: struct rn_waitq (runnel/sync_type.h) with its
 * operations.
 *
 * The lock has rank SYNC and guards the list, and whatever else the object says.  It is held for a few
 * loads and stores, never across park, ready or user code.  No two of these locks are held at once.
 *
 * A waiter is in the list exactly while w->queued.  Who takes it out to wake it must claim it (a wait
 * with a context has other wakers); who waited and was woken by somebody else takes itself out.
 *
 * In debug builds an object remembers where it was first used; it panics when it has moved since,
 * which means that it was copied, and after it was destroyed.
 */
#ifndef RN_SYNC_WAITQ_H
#define RN_SYNC_WAITQ_H

#include "sched/sched.h"
#include <runnel/sync_type.h>

static inline rn_lock *rn__waitq_word(struct rn_waitq *q)
{
    return rn_container(&q->rn_lock, rn_lock, held);
}

static inline void rn__waitq_lock(struct rn_waitq *q)
{
    rn_lock_take(rn__waitq_word(q), RN_RANK_SYNC);
}

static inline void rn__waitq_unlock(struct rn_waitq *q)
{
    rn_lock_release(rn__waitq_word(q));
}

static inline void rn__waitq_assert_held(struct rn_waitq *q)
{
    rn_lock_assert_held(rn__waitq_word(q));
}

/* The rest needs the lock. */

static inline bool rn__waitq_empty(const struct rn_waitq *q)
{
    return q->rn_first == NULL;
}

static inline void rn__waitq_put(struct rn_waitq *q, struct rn_list l)
{
    rn__waitq_assert_held(q);
    q->rn_first = l.first;
    q->rn_last = l.last;
}

/* Takes w out, with no lock held: its goroutine has ended with its run. */
void rn__waitq_leave(struct rn_waiter *w);

static inline void rn__waitq_note(struct rn_waitq *q, struct rn_waiter *w)
{
    w->of = q;
    w->queued = true;
    rn__waiter_note(w, rn__waitq_leave);
}

/* One that is noted already. */
static inline void rn__waitq_add(struct rn_waitq *q, struct rn_waiter *w)
{
    struct rn_list l = {q->rn_first, q->rn_last};
    rn_list_push(&l, &w->node);
    rn__waitq_put(q, l);
}

static inline void rn__waitq_push(struct rn_waitq *q, struct rn_waiter *w)
{
    rn__waitq_note(q, w);
    rn__waitq_add(q, w);
}

/* Of one in the queue: `leave` is called also if it is what has woken its goroutine, when that ends with its run. */
static inline void rn__waitq_owes(struct rn_waiter *w, void (*leave)(struct rn_waiter *w))
{
    w->leave = leave;
    w->owes = true;
}

/* For `leave`: it has woken its goroutine. */
static inline bool rn__waitq_has_woken(const struct rn_waiter *w)
{
    return w->g->woken_by == w;
}

static inline void rn__waitq_push_front(struct rn_waitq *q, struct rn_waiter *w)
{
    struct rn_list l = {q->rn_first, q->rn_last};
    rn__waitq_note(q, w);
    rn_list_push_front(&l, &w->node);
    rn__waitq_put(q, l);
}

/* Takes w out if it is still there; returns whether it was. */
static inline bool rn__waitq_remove(struct rn_waitq *q, struct rn_waiter *w)
{
    rn__waitq_assert_held(q);
    if (!w->queued)
        return false;
    struct rn_list l = {q->rn_first, q->rn_last};
    w->queued = false;
    rn_list_remove(&l, &w->node);
    rn__waitq_put(q, l);
    return true;
}

static inline struct rn_waiter *rn__waitq_first(const struct rn_waitq *q)
{
    return q->rn_first ? rn_container(q->rn_first, struct rn_waiter, node) : NULL;
}

/* Takes out the first waiter that can still be woken, claimed for the caller; NULL when none is left. */
static inline struct rn_waiter *rn__waitq_pop(struct rn_waitq *q)
{
    struct rn_waiter *w;
    while ((w = rn__waitq_first(q)) != NULL) {
        rn__waitq_remove(q, w);
        if (rn__waiter_claim(w)) {
            w->g->woken_by = w;
            return w;
        }
    }
    return NULL;
}

/* Takes all out and adds those who can still be woken to `wake`. */
static inline void rn__waitq_pop_all(struct rn_waitq *q, struct rn_ready_list *wake)
{
    struct rn_waiter *w;
    while ((w = rn__waitq_pop(q)) != NULL) {
        w->ok = true;
        rn__ready_add(wake, w->g);
    }
}

/* ---- debug builds ---------------------------------------------------------------------------- */

#if defined(RN_DEBUG) && !defined(RN_MODEL)
/* Any thread, no lock held.  `what` names the type in the message. */
void rn__waitq_check(struct rn_waitq *q, const char *what);
void rn__waitq_destroy(struct rn_waitq *q, const char *what, bool in_use);
#else
#define rn__waitq_check(q, what) ((void)(q))
#define rn__waitq_destroy(q, what, in_use) ((void)(q), (void)(in_use))
#endif

#endif
