/* Shortage: what the monitor sees to while no thread can be had for a worker (start.c, no_worker).
 *
 * It tries again at each look (monitor.c, start_wanted).  Meanwhile the workers that there are go on with everything.  But one
 * with a pinned goroutine goes on with that alone, and sleeps while it waits: where there are no others nobody would let
 * timers fire, and who sleeps would sleep for ever.  So the monitor does; descriptors it sees to in any case.
 *
 * Goroutines that are not pinned have to wait there, as they have where each worker is blocked in a call.  That may
 * pass; when the first of them has waited for a second it is said, once. */
#include "sched/choice.h"
#include <stdio.h>

static struct rn_g *first_waiting(uint32_t *workers, int *err)
{
    struct rn_sched *s = &rn__sched;
    rn_lock_take(&s->lock, RN_RANK_SCHED);
    struct rn_g *front = rn_load_relaxed(&s->front_first); /* relaxed: under the lock */
    struct rn_g *g = front ? front : s->global_first;
    *workers = s->m_n;
    *err = s->thread_err;
    rn_lock_release(&s->lock);
    return g;
}

static void tell(uint32_t workers, int err)
{
    char text[400];
    const char *why = workers < RN_WORKERS_MAX ? rn__no_thread_why(err) : "the runtime starts no more";
    int n = snprintf(
        text, sizeof text,
        "runnel: no further thread can be had (%s): goroutines wait to run until others, which block in calls or "
        "are pinned, are done with the threads that there are (%u)\n",
        why, workers);
    rn_os_write_stderr(text, (size_t)n);
}

void rn__shortage_look(rn_time now)
{
    enum { LONG = 1 }; /* seconds */
    static const struct rn_g *first;
    static rn_time since;
    static bool told;
    bool wanted = rn_load_relaxed(&rn__sched.worker_wanted); /* relaxed: a hint, as the next */
    if (!wanted && !first)
        return;
    if (wanted && rn_load_relaxed(&rn__sched.poll_until) == INT64_MIN && rn__timers_first() <= now)
        rn__timers_run_outside(now);
    uint32_t workers;
    int err;
    const struct rn_g *waits = first_waiting(&workers, &err);
    if (waits != first) {
        first = waits;
        since = now;
    } else if (wanted && first && now - since >= LONG * RN_SECOND && !told) {
        told = true;
        tell(workers, err);
    }
}
