/* The public clock, and sleep.
 *
 * A sleeper's timer entry lives in its record: timers come by all entries of a slot when it turns, and its stack may be
 * away.  The timer is the only thing that can wake it, so there is nothing to claim, and when the park returns the entry is
 * idle again.  A plain thread sleeps by itself: no runtime need be running that would fire the timer.
 */
#include <runnel/time.h>
#include "sched/sched.h"

rn_time rn_now(void)
{
    return rn__now();
}

static void sleep_as_thread(rn_time until)
{
    for (rn_duration left; (left = until - rn__now()) > 0;)
        rn_os_nap(left);
}

static rn_time nap_is_over(struct rn_timer_entry *t, rn_time now, struct rn_ready_list *wake)
{
    (void)now;
    struct rn_g *g = rn_container(t, struct rn_g, nap);
    g->woken_by = NULL;
    rn__ready_add(wake, g);
    return 0;
}

void(rn_sleep)(rn_duration d)
{
    if (d <= 0)
        return;
    struct rn_g *g = rn__self();
    rn_time until = rn__deadline(d);
    if (!rn__is_goroutine(g)) {
        sleep_as_thread(until);
        return;
    }
    g->nap = (struct rn_timer_entry){.fire = nap_is_over, .kind = RN_TIMER_SLEEP};
    rn__timer_start(&g->nap, until);
    rn__park(RN_WAIT_SLEEP, NULL);
}
