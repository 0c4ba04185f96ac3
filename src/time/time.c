/* The public clock, and sleep.
 *
 * A sleeper's timer entry lives on its own stack.  The timer is the only thing that can wake it, so
 * the waiter has no claim word, and when the park returns the entry is idle again.
 */
#include <runnel/time.h>
#include "sched/sched.h"

rn_time rn_now(void)
{
    return rn__now();
}

void rn_sleep(rn_duration d)
{
    if (d <= 0)
        return;
    struct rn_timeout t = {.w = {.g = rn__self()}};
    rn__timeout_start(&t, rn_time_add(rn__now(), d));
    rn__park(RN_WAIT_SLEEP, NULL);
}
