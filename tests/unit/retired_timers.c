/* A timer that is left on a processor out of use goes off beside a goroutine that computes on the only one in use. */
#include "sched/rt.h"
#include <runnel.h>
#include <runnel/test.h>

static rn_atomic_int runs;
static rn_atomic_bool stop;

static void compute(void)
{
    rn_atomic_store(&runs, 1);
    while (!rn_atomic_load(&stop))
        rn_cpu_pause();
}

/* While it waits for the other one its own processor may be given away, on a busy machine. */
static bool on_the_second(void)
{
    const struct rn_p *p = rn__m()->p;
    return p && p->id == 1;
}

/* Until this goroutine is on the second processor, and the one that computes on the first. */
static void get_there(rn_waitgroup *wg)
{
    for (;;) {
        rn_atomic_store(&runs, 0);
        rn_atomic_store(&stop, false);
        wg_go(wg, compute);
        while (!rn_atomic_load(&runs))
            rn_cpu_pause(); /* the other processor's worker takes it */
        if (on_the_second())
            return;
        rn_atomic_store(&stop, true);
        wg_wait(wg); /* whose end wakes this one there */
    }
}

TEST(a_sleeper_whose_processor_is_out_of_use)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    rn_set_procs(2);
    get_there(&wg);
    rn_set_procs(1);
    for (int i = 0; i < 3; i++)
        rn_sleep(RN_MILLISECOND);
    rn_atomic_store(&stop, true);
    wg_wait(&wg);
}
