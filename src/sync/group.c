/* Group: a waitgroup for all, and slots for those that may run at a time.
 *
 * rn_slots' lock guards the counts, the queue of those who wait for a slot and the first error.  A slot
 * that becomes free is handed to the first waiter, so rn_active stays; no one who comes later gets in
 * between.  (golang.org/x/sync/errgroup, for the rules.)
 */
#include <runnel/group.h>

#include "base/race.h"
#include "sync/waitq.h"

void rn_group_limit(rn_group *g, int n)
{
    rn__waitq_lock(&g->rn_slots);
    int64_t active = g->rn_active;
    if (!active) {
        g->rn_limit = n < 0 ? 0 : (int64_t)n + 1;
        g->rn_begun = 0;
    }
    rn__waitq_unlock(&g->rn_slots);
    if (active)
        rn_panic("errgroup: modify limit while %lld goroutines in the group are still active", (long long)active);
}

/* The race detector's name for the slot of the nth, under the lock. */
static uint32_t slot_locked(rn_group *g, uint32_t n)
{
    rn__waitq_assert_held(&g->rn_slots);
    return g->rn_limit ? rn__race_place(n, g->rn_limit - 1) : 0;
}

bool rn__group_enter(rn_group *g, bool wait)
{
    rn__point(RN_AT_ACQUIRE, g);
    rn__waitq_check(&g->rn_slots, "group");
    struct rn_waiter w = {0};
    rn__waitq_lock(&g->rn_slots);
    bool limited = g->rn_limit != 0;
    bool room = !limited || g->rn_active < g->rn_limit - 1;
    if (room) {
        g->rn_active++;
        w.index = slot_locked(g, g->rn_begun++);
    } else if (wait) {
        w.g = rn__self();
        rn__waitq_push(&g->rn_slots, &w);
    }
    rn__waitq_unlock(&g->rn_slots);
    if (!room && wait)
        rn__park(RN_WAIT_GROUP, g);
    if (limited && (room || wait))
        rn__race_acquire(RN_RACE_NAME(&g->rn_slots, w.index));
    if (room || wait)
        rn_wg_add(&g->rn_all, 1);
    return room || wait;
}

/* One goroutine of g is over. */
static void leave(rn_group *g, int err)
{
    rn__waitq_lock(&g->rn_slots);
    rn__race_release(RN_RACE_NAME(&g->rn_slots, slot_locked(g, g->rn_begun - (uint32_t)g->rn_active)));
    bool first = err && !g->rn_err;
    if (first)
        g->rn_err = err;
    struct rn_waiter *w = rn__waitq_pop(&g->rn_slots);
    if (w)
        w->index = slot_locked(g, g->rn_begun++);
    else
        g->rn_active--;
    rn__waitq_unlock(&g->rn_slots);
    if (first && g->rn_cancel)
        g->rn_cancel(g->rn_ctx, err, false);
    if (w)
        rn__ready(w->g);
    rn_wg_done(&g->rn_all);
}

bool rn__group_ended(void *g, enum rn_ended how, intptr_t result, struct rn_panic *panic)
{
    (void)panic;
    if (how == RN_ENDED_PANIC)
        return false;
    leave(g, how == RN_ENDED_RETURN ? (int)result : 0);
    return true;
}

void rn__group_go_failed(rn_group *g, int err)
{
    leave(g, 0);
    rn_panic("group_go: %s", rn__go_error(err));
}

/* All have ended. */
static int finish(rn_group *g)
{
    rn__waitq_lock(&g->rn_slots);
    int err = g->rn_err;
    rn__waitq_unlock(&g->rn_slots);
    if (g->rn_cancel)
        g->rn_cancel(g->rn_ctx, err, true);
    return err;
}

int rn_group_wait(rn_group *g)
{
    rn_wg_wait(&g->rn_all);
    return finish(g);
}

int rn_group_wait_ctx(rn_context *ctx, rn_group *g)
{
    int err = rn_wg_wait_ctx(ctx, &g->rn_all);
    return err ? err : finish(g);
}
