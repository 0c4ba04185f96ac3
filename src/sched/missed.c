/* Missed: what the monitor sees to when those who mostly do have not.
 *
 * Work is queued and no worker is told: one that stopped spinning may have missed it (loop.c, stop_spinning), and a brief
 * processor keeps whom it finds ready (pace.c).  And nobody sleeps for timers and descriptors: a busy worker looks at both
 * between two goroutines.
 *
 * Both guesses are wrong when a goroutine of a brief processor suddenly computes.  What always holds: a processor that has
 * resumed nobody since the look before, and a millisecond has passed, or its worker has used processor time since then, does
 * not get on.  It is not brief then, a worker is woken when something waits there, and an idle one becomes the poller.
 *
 * How soon: looks are a millisecond apart.  But at each of them the processor's own notes (when it looked last, how many it has
 * resumed since, how long each takes) say whether it is later than it should be, and then the next look comes after 50 µs.
 * So those behind one that computes wait for a millisecond at most, half of one on average, and no look is added
 * while it gets on.  (By two looks a millisecond apart alone it was one to two.)  By processor time, since a thread
 * that the kernel has put away for a moment computes nothing: to wake another one for it made two of one again whenever a
 * server shared its processors with others.
 *
 * The monitor's alone: rn_p.missed_*.  Model test: tests/model/idle.c. */
#include "sched/choice.h"

/* What has p's worker used?  -1: it has none, or can't be asked. */
static int64_t cpu_of(struct rn_p *p)
{
    struct rn_m *m = rn_load_acquire(&p->m); /* as in rn__borrow */
    return m ? rn_os_thread_cpu(m->thread) : -1;
}

/* Does p, which is brief, resume goroutines?  *soon: better ask again at once. */
static bool gets_on(struct rn_p *p, rn_time now, bool *soon)
{
    enum { LONG = 1 };                         /* ms */
    uint32_t tick = rn_load_relaxed(&p->tick); /* relaxed: a hint */
    if (tick != p->missed_tick) {
        p->missed_tick = tick;
        p->missed_at = now;
        p->missed_cpu = rn__pace_is_behind(p, now) ? cpu_of(p) : -1;
        *soon |= p->missed_cpu >= 0;
        return true;
    }
    if (now - p->missed_at >= LONG * RN_MILLISECOND)
        return false;
    return p->missed_cpu < 0 || cpu_of(p) <= p->missed_cpu;
}

/* Those that are brief no longer; true: ask again soon. */
static bool look_at_the_brief(rn_time now)
{
    bool soon = false;
    for (uint32_t i = 0; i < rn__procs_made(); i++) {
        struct rn_p *p = &rn__procs[i];
        if (rn_load_relaxed(&p->brief) && !gets_on(p, now, &soon)) /* relaxed, both: a guess */
            rn_store_relaxed(&p->brief, false);
    }
    return soon;
}

/* Timers and descriptors, when the worker that used to sleep for them is busy, and another could: when nobody has looked for a
 * while, or when a processor is idle, which no goroutine looks for. */
static void replace_poller(rn_time now)
{
    enum { EVERY = 1 }; /* ms */
    struct rn_sched *s = &rn__sched;
    /* relaxed, all: hints. */
    if (rn_load_relaxed(&s->poll_until) != INT64_MIN)
        return;
    rn_duration unseen = now - rn_load_relaxed(&s->polled_at);
    rn_time first = rn__timers_first(), late = now - EVERY * RN_MILLISECOND;
    bool descriptors = rn_load_relaxed(&rn__external_wakers) != 0;
    bool overdue = (descriptors && unseen >= EVERY * RN_MILLISECOND) || first <= late;
    if (overdue)
        rn__pace_nobody_looks();
    bool idle = rn_load_relaxed(&s->idle_p_n) != 0 && !rn__pace_somebody_looks();
    if (overdue || (idle && (descriptors || first != INT64_MAX)))
        rn__poller_replace();
}

/* A brief processor that gets on sees to its own. */
static void wake_for_missed_work(void)
{
    struct rn_sched *s = &rn__sched;
    /* relaxed, all: hints. */
    if (rn_load_relaxed(&s->idle_p_n) == 0 || rn_load_relaxed(&s->spinning_n) != 0)
        return;
    bool missed = rn__shared_work();
    for (uint32_t i = 0; !missed && i < rn__procs_made(); i++)
        missed = !rn_load_relaxed(&rn__procs[i].brief) && rn__work_at(&rn__procs[i]);
    if (missed)
        rn__wake_idle();
}

bool rn__missed_look(rn_time now)
{
    bool soon = rn_load_relaxed(&rn__sched.idle_p_n) != 0 && look_at_the_brief(now); /* relaxed: a hint */
    replace_poller(now);
    wake_for_missed_work();
    return soon;
}
