/* Is everybody asleep for ever?  Asked by the last worker that goes to sleep (idle.c).
 *
 * A program is deadlocked when no goroutine runs or is runnable, and nothing outside can make one so:
 * no timer that somebody would notice, no descriptor or signal that somebody waits for, no thread that
 * is not ours (but for those that wait in the library themselves), and no signal handler that user
 * code installed.  A blocked call holds its thread, so its worker is not asleep.
 *
 * While no run is under way, plain threads that wait in the library ask for themselves (park.c): all threads of the process
 * do so then, and no timer is pending.
 *
 * The cheap questions come first; /proc is read only when all of them say yes. */
#include "base/alloc.h"
#include "base/hooks.h"
#include "os/world.h"
#include "sched/choice.h"

rn_atomic(int64_t) rn__external_wakers;

/* A plain thread that waits in the library, and that nobody has woken yet. */
static bool sleeps(struct rn_m *m)
{
    /* acquire: pairs with the release in park_thread; a thread on its way back counts as running. */
    return rn_load_acquire(&m->wake) == 0 && rn_load_relaxed(&m->g0.status) == RN_G_WAITING;
}

/* Threads of ours: plain threads that wait in the library, and in a run its workers and the monitor. */
static int own_threads(int *tids, int max, bool run)
{
    struct rn_sched *s = &rn__sched;
    int n = 0;
    if (run && !rn__exploring())                      /* then there is no monitor */
        tids[n++] = rn_load_relaxed(&s->monitor_tid); /* relaxed: a number */
    rn_lock_take(&s->lock, RN_RANK_SCHED);
    for (struct rn_m *m = s->all_m; m && n < max; m = m->all_link)
        if (m->external ? sleeps(m) : run)
            tids[n++] = rn_load_relaxed(&m->tid); /* relaxed: as above */
    rn_lock_release(&s->lock);
    return n;
}

static bool strangers(bool run)
{
    uint32_t max = rn__sched.m_n + 1024;
    int *tids = rn__malloc(max * sizeof *tids);
    if (!tids)
        return true;
    int n = rn_os_other_threads(tids, own_threads(tids, (int)max, run));
    rn__free(tids);
    return n != 0;
}

static bool has_handlers(void)
{
    return rn_os_signal_handlers(rn_os_quit_signal | rn_os_request_signal());
}

rn_atomic(bool) rn__all_asleep;

_Noreturn void rn__deadlock_report(void)
{
    rn_store_relaxed(&rn__all_asleep, true); /* relaxed: two workers may find it, one of them tells */
    if (rn_num_goroutines() == 0)
        rn_fatal("no goroutines (main called rn_exit_goroutine) - deadlock!");
    rn_fatal("all goroutines are asleep - deadlock!");
}

rn_atomic(uint32_t) rn__threads_woken;

/* Will a descriptor, a signal or a timer wake somebody? */
static bool will_be_woken(void)
{
    /* acquire: pairs with whoever counts a waker before it lets a goroutine wait for it. */
    if (rn_load_acquire(&rn__external_wakers) - rn__simulated_wakers() != 0)
        return true;
    return rn__timers_first() != INT64_MAX && rn__timers_awaited();
}

enum rn_asleep rn__ask_deadlock(void)
{
    if (will_be_woken())
        return RN_ASLEEP_NO;
    if (strangers(true) || has_handlers())
        return RN_ASLEEP_PERHAPS;
    /* A plain thread may have started a timer with its last act. */
    return will_be_woken() ? RN_ASLEEP_NO : RN_ASLEEP_YES;
}

/* Who begins or ends a run meanwhile does not wait in the library: a stranger. */
void rn__ask_threads(void)
{
    uint32_t woken = rn_load_acquire(&rn__threads_woken); /* pairs with the releases in ready_thread and fire_alone */
    /* acquire: as in will_be_woken */
    if (rn_load_acquire(&rn__external_wakers) != 0 || strangers(false) || has_handlers() || rn__timers_outside())
        return;
    rn_os_fence_heavy(); /* whom a thread has woken before it was seen asleep is counted by now */
    if (rn_load_acquire(&rn__threads_woken) != woken)
        return;
    rn_store_relaxed(&rn__all_asleep, true); /* relaxed: as in rn__deadlock_report */
    rn_fatal("all threads are asleep - deadlock!");
}
