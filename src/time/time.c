/* The public clock, and sleep.
 *
 * A sleeper's timer entry lives on its own stack.  The timer is the only thing that can wake it, so
 * the waiter has no claim word, and when the park returns the entry is idle again.  A plain thread
 * sleeps by itself: no runtime need be running that would fire the timer.
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

void rn_sleep(rn_duration d)
{
    if (d <= 0)
        return;
    struct rn_timeout t = {.w = {.g = rn__self()}};
    rn_time until = rn_time_add(rn__now(), d);
    if (!rn__is_goroutine(t.w.g)) {
        sleep_as_thread(until);
        return;
    }
    rn__timeout_start(&t, until);
    rn__park(RN_WAIT_SLEEP, NULL);
    rn__timeout_over(&t);
}
