/* Condition: a queue, first in, first out.
 *
 * A waiter joins the queue before it unlocks the mutex, so whoever changes the condition under the
 * mutex afterwards finds it there.  rn_waiting is the length of the queue, changed under the queue's
 * lock; signal and broadcast look at it first, without the lock: one who has held the mutex since the
 * waiter unlocked it sees at least 1, and for others no order is promised.
 */
#include <runnel/cond.h>

#include "base/race.h"
#include "chan/wait.h"
#include "sync/waitq.h"

/* With the queue's lock. */
static void count(rn_cond *c, uint32_t by)
{
    /* relaxed: written under the lock only. */
    rn_store_relaxed(&c->rn_waiting, rn_load_relaxed(&c->rn_waiting) + by);
}

static void join(rn_cond *c, struct rn_waiter *w)
{
    rn__waitq_check(&c->rn_queue, "cond");
    rn__waitq_lock(&c->rn_queue);
    rn__waitq_push(&c->rn_queue, w);
    count(c, 1);
    rn__waitq_unlock(&c->rn_queue);
}

void rn_cond_wait(rn_cond *c, rn_mutex *m)
{
    rn__point(RN_AT_COND_WAIT, c);
    struct rn_waiter w = {.g = rn__self()};
    join(c, &w);
    rn_mutex_unlock(m);
    rn__park(RN_WAIT_COND, c);
    rn__race_woken(&w);
    rn_mutex_lock(m);
}

int rn_cond_wait_ctx(rn_context *ctx, rn_cond *c, rn_mutex *m)
{
    rn__point(RN_AT_COND_WAIT, c);
    rn_atomic(uint32_t) claim = 0;
    struct rn_waiter w = {.g = rn__self(), .claim = &claim};
    join(c, &w);
    rn_mutex_unlock(m);
    int err = rn__wait_ctx(&w, ctx, RN_WAIT_COND, c);
    if (err) {
        rn__waitq_lock(&c->rn_queue);
        if (rn__waitq_remove(&c->rn_queue, &w))
            count(c, (uint32_t)-1);
        rn__waitq_unlock(&c->rn_queue);
    } else {
        rn__race_woken(&w);
    }
    rn_mutex_lock(m);
    return err;
}

/* With the lock: takes out up to `most` waiters, passing over those whose context was first. */
static void wake_locked(rn_cond *c, uint32_t most, struct rn_ready_list *wake)
{
    rn__waitq_assert_held(&c->rn_queue);
    struct rn_waiter *w;
    while (wake->n < most && (w = rn__waitq_first(&c->rn_queue)) != NULL) {
        rn__waitq_remove(&c->rn_queue, w);
        count(c, (uint32_t)-1);
        if (!rn__waiter_claim(w))
            continue;
        rn__race_wakes(w);
        w->g->woken_by = w;
        rn__ready_add(wake, w->g);
    }
}

static void wake_up(rn_cond *c, uint32_t most)
{
    rn__point(RN_AT_COND_SIGNAL, c);
    rn__waitq_check(&c->rn_queue, "cond");
    rn__race_touch(c);
    /* relaxed: see the head comment. */
    if (rn_load_relaxed(&c->rn_waiting) == 0)
        return;
    struct rn_ready_list wake = {0};
    rn__waitq_lock(&c->rn_queue);
    wake_locked(c, most, &wake);
    rn__waitq_unlock(&c->rn_queue);
    if (wake.n)
        rn__ready_all(&wake);
    rn__point(RN_AFTER_SIGNAL, c);
}

void rn_cond_signal(rn_cond *c)
{
    wake_up(c, 1);
}

void rn_cond_broadcast(rn_cond *c)
{
    wake_up(c, UINT32_MAX);
}

void rn_cond_destroy(rn_cond *c)
{
    rn__waitq_destroy(&c->rn_queue, "cond", false);
}
