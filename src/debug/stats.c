/* rn_debug_stats: counts without stopping anybody.  The records of goroutines stay where they are for as long as the
 * library, so that any may read them. */
#include "debug/debug.h"
#include "sched/rt.h"
#include <runnel/debug.h>
#include <runnel/net.h>

static size_t *of_wait(rn_stats *s, enum rn_wait why)
{
    switch (why) {
    case RN_WAIT_CHAN_RECV:
    case RN_WAIT_CHAN_SEND:
    case RN_WAIT_CHAN_RECV_NIL:
    case RN_WAIT_CHAN_SEND_NIL:
    case RN_WAIT_SELECT:
    case RN_WAIT_SELECT_NONE:
        return &s->in_channels;
    case RN_WAIT_SLEEP:
        return &s->in_sleep;
    case RN_WAIT_MUTEX:
    case RN_WAIT_RWMUTEX_R:
    case RN_WAIT_RWMUTEX_W:
    case RN_WAIT_ONCE:
    case RN_WAIT_COND:
    case RN_WAIT_SEMAPHORE:
        return &s->in_locks;
    case RN_WAIT_IO:
        return &s->in_io;
    default:
        return &s->in_others;
    }
}

static void count(struct rn_g *g, void *arg)
{
    rn_stats *s = arg;
    /* relaxed, all: a moment's view. */
    uint8_t status = rn_load_relaxed(&g->status);
    s->goroutines++;
    if (status == RN_G_RUNNING)
        s->running++;
    else if (status == RN_G_RUNNABLE)
        s->runnable++;
    else
        ++*of_wait(s, rn_load_relaxed(&g->waiting));
    s->hibernated += rn_load_relaxed(&g->hib) == RN_HIB_AWAY;
}

void rn_debug_stats(rn_stats *out)
{
    struct rn_sched *s = &rn__sched;
    *out = (rn_stats){.descriptors = rn_num_descriptors()};
    if (!rn__run_under_way())
        return;
    rn__goroutines_each(count, out);
    out->processors = rn_procs();
    rn_lock_take(&s->lock, RN_RANK_SCHED);
    out->idle = (int)rn_load_relaxed(&s->idle_p_n); /* relaxed: under the lock */
    out->threads = (int)s->m_n;
    rn_lock_release(&s->lock);
}
