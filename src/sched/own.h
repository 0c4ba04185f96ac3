/* Ownership of a processor: the worker that uses it, and whoever wants to take it away.
 *
 * A worker enters the runtime before it touches its processor and leaves it before user code runs.
 * To enter is a store and a load; the one who takes pays for the fence.
 *
 *     worker                               taker (monitor, thief), one at a time by `lock`
 *     enter: inside = 1                    revoke = 1
 *            light fence                   heavy fence
 *            revoke == 0 ? in : slow       inside == 0 ? the processor is the taker's : busy
 *     leave: inside = 0 (release)          revoke = 0 (release), unlock
 *
 * Either the worker sees revoke = 1, or the taker sees inside = 1 (Dekker; the heavy fence stands
 * for a fence in every thread).  If both, the worker withdraws and waits for the lock, and the taker
 * gives up.  So never are both in.  What the taker changed reaches the worker through revoke's
 * release/acquire, or through the lock; what the worker changed reaches the taker through inside's.
 *
 * Model test: tests/model/own.c.
 */
#ifndef RN_SCHED_OWN_H
#define RN_SCHED_OWN_H

#include "os/lock.h"
#include "os/os.h"

struct rn_own {
    rn_atomic(uint32_t) inside;
    rn_atomic(uint32_t) revoke;
    rn_lock lock; /* rank REVOKE: takers, and the worker on its slow way in */
};

static inline void rn_own_leave(struct rn_own *o)
{
    /* release: pairs with the taker's acquire load of inside. */
    rn_store_release(&o->inside, 0);
}

static inline bool rn_own_try_enter(struct rn_own *o)
{
    /* relaxed: ordered before the load by the light fence, which pairs with the taker's heavy one. */
    rn_store_relaxed(&o->inside, 1);
    rn_fence_light();
    /* acquire: pairs with the release in rn_own_give_up; publishes what the taker changed. */
    return rn_load_acquire(&o->revoke) == 0;
}

/* After that has failed, and before the next try: lets the taker finish. */
static inline void rn_own_withdraw(struct rn_own *o)
{
    rn_own_leave(o);
    rn_lock_take(&o->lock, RN_RANK_REVOKE);
    rn_lock_release(&o->lock);
}

/* True: the worker is outside and stays there until rn_own_give_up. */
static inline bool rn_own_take(struct rn_own *o)
{
    /* relaxed: a hint, to spare a running worker the interrupt. */
    if (rn_load_relaxed(&o->inside) || !rn_lock_try(&o->lock, RN_RANK_REVOKE))
        return false;
    if (rn_load_relaxed(&o->revoke)) { /* under the lock: rn_own_stop was here, and revoke stays */
        rn_lock_release(&o->lock);
        return false;
    }
    /* relaxed: ordered before the load by the heavy fence, which pairs with the light one. */
    rn_store_relaxed(&o->revoke, 1);
    rn_os_fence_heavy();
    /* acquire: pairs with the release in rn_own_leave. */
    if (rn_load_acquire(&o->inside) == 0)
        return true;
    rn_store_release(&o->revoke, 0);
    rn_lock_release(&o->lock);
    return false;
}

static inline void rn_own_give_up(struct rn_own *o)
{
    /* release: pairs with the acquire in rn_own_try_enter. */
    rn_store_release(&o->revoke, 0);
    rn_lock_release(&o->lock);
}

/* The run ends: the worker's next enter takes the slow way, for good, and finds what the caller has
 * written before.  Under the lock, so that a taker that gives up does not undo it. */
static inline void rn_own_stop(struct rn_own *o)
{
    rn_lock_take(&o->lock, RN_RANK_REVOKE);
    rn_store_relaxed(&o->revoke, 1); /* relaxed: it is seen sooner or later; the lock publishes the rest */
    rn_lock_release(&o->lock);
}

#endif
