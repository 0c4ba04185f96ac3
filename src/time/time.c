/* The public clock, and sleep.  A plain thread sleeps by itself: no runtime need be running that would fire a timer. */
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
    rn__sleep_until(g, until);
}
