/* Whom rn_yield wakes: nobody, where there is nothing for another processor to take. */
#include "sched/rt.h"
#include <runnel.h>
#include <runnel/test.h>

static bool one_is_idle(void)
{
    /* relaxed, both: the test's own processor stays, and the other one is stopped or not. */
    return rn_load_relaxed(&rn__sched.idle_p_n) == 1 && rn_load_relaxed(&rn__sched.spinning_n) == 0;
}

static void wait_for_rest(void)
{
    while (!one_is_idle())
        rn_os_yield();
}

TEST(who_yields_alone_wakes_nobody)
{
    enum { ROUNDS = 200 };
    rn_set_procs(2);
    int idle = 0;
    for (int i = 0; i < ROUNDS; i++) {
        wait_for_rest();
        const struct rn_m *here = rn__m();
        rn_yield();
        idle += one_is_idle() && rn__m() == here; /* elsewhere: whoever was woken took this one */
    }
    CHECK(idle >= ROUNDS * 3 / 4); /* each time, but for timers and descriptors of the test's own */
}

/* Counts those that ran where they were woken, by a worker that had no reason to wake another. */
static void hand_over(chan_recv_only(const struct rn_m *) c, int *kept, int *watched)
{
    for (const struct rn_m *waker; chan_next(c, &waker);)
        if (waker == rn__m()) {
            ++*watched;
            *kept += one_is_idle();
        }
}

/* While one watches, whoever wakes one goroutine and yields wakes no worker for it. */
TEST(who_yields_to_one_just_woken_wakes_nobody)
{
    enum { ROUNDS = 2000 };
    rn_set_procs(2);
    chan(const struct rn_m *) c = chan_make(const struct rn_m *, 0);
    defer(chan_free, c);
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    int kept = 0, watched = 0;
    wg_go(&wg, hand_over, c, &kept, &watched);
    for (int i = 0; i < ROUNDS; i++) {
        rn_yield();
        wait_for_rest();
        const struct rn_m *m = rn__m();
        /* relaxed, both: hints.  wakes_at_once: somebody was stolen a moment ago, since this thread stood still. */
        bool watches = rn_load_relaxed(&rn__sched.watcher) && rn_load_relaxed(&m->p->wakes_at_once) == 0;
        chan_send(c, watches ? m : NULL);
        rn_yield();
    }
    chan_close(c);
    wg_wait(&wg);
    CHECK(kept >= watched / 2);
}
