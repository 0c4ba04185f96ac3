/* Sleep: the timer of one that waits for nothing else.
 *
 * A sleeper's timer entry lives in its record: timers come by all entries of a slot when it turns, and its stack may be
 * away.  The timer is the only thing that can wake it, so there is nothing to claim, and when the park returns the entry is
 * idle again.
 */
#include "sched/sched.h"

static rn_time nap_is_over(struct rn_timer_entry *t, rn_time now, struct rn_ready_list *wake)
{
    (void)now;
    struct rn_g *g = rn_container(t, struct rn_g, nap);
    g->woken_by = NULL;
    rn__ready_add(wake, g);
    return 0;
}

void rn__sleep_until(struct rn_g *g, rn_time until)
{
    g->nap = (struct rn_timer_entry){.fire = nap_is_over, .kind = RN_TIMER_SLEEP};
    rn__timer_start(&g->nap, until);
    rn__park(RN_WAIT_SLEEP, NULL);
}
