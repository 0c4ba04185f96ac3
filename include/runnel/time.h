/* runnel/time.h: the clock, and sleep.  Timers and tickers: runnel/timer.h.
 *
 *     rn_time start = rn_now();
 *     rn_sleep(2 * RN_MILLISECOND);
 *     printf("%.3f ms\n", rn_ms(rn_since(start)));
 *
 * Moments (rn_time) are those of the monotonic clock: setting the wall clock changes nothing.
 * Durations are signed, in nanoseconds.  All of these may be called from goroutines and from plain
 * threads, not from signal handlers.
 */
#ifndef RUNNEL_TIME_H
#define RUNNEL_TIME_H

#include <runnel/base.h>

RN_EXTERN_C_BEGIN

/* The moment that it is. */
RN_PUBLIC rn_time rn_now(void);

/* From t to now, and from now to t; negative when t lies on the other side. */
static inline rn_duration rn_since(rn_time t)
{
    return rn_now() - t;
}
static inline rn_duration rn_until(rn_time t)
{
    return t - rn_now();
}

/* A duration in milliseconds, for printing. */
static inline double rn_ms(rn_duration d)
{
    return (double)d / (double)RN_MILLISECOND;
}

/* d after t, or the last moment there is (INT64_MAX, "never") when that lies beyond it. */
static inline rn_time rn_time_add(rn_time t, rn_duration d)
{
    rn_time sum;
    if (__builtin_add_overflow(t, d, &sum))
        return d > 0 ? INT64_MAX : INT64_MIN;
    return sum;
}

/* Waits for at least d; d <= 0 returns at once.  Other goroutines run meanwhile; a plain thread
 * sleeps as a thread.  What a context cancels is rn_sleep_ctx (runnel/context.h). */
RN_PUBLIC void rn_sleep(rn_duration d);
#define rn_sleep(d) rn_sleep(RN__DURATION(d))

RN_EXTERN_C_END
#endif
