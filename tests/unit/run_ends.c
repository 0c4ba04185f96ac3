/* A run ends while a goroutine that is about to wait has been woken already.  Its worker puts it away for ever; one that
 * has not seen the end yet has it in its queue, and takes it up once more: it stays where it is there, too.  (It went on as
 * if on its first worker, on the stack of a thread that was gone.) */
#include "sched/switch.h"
#include <runnel.h>
#include <runnel/test.h>

static struct rn_g *waiter;
static rn_atomic_int begun;

/* Between what it has told and the park there is no call of the scheduler's: as in a channel's receive, after its lock. */
static void wait_late(void)
{
    struct rn_m *m = rn__m();
    waiter = rn__self();
    rn_atomic_add(&begun, 1);
    /* relaxed, both: until the run ends and this worker is told so. */
    while (!rn_load_relaxed(&rn__sched.stopping) || !rn_load_relaxed(&m->own.revoke))
        rn_cpu_pause();
    rn__park(RN_WAIT_CHAN_RECV, NULL);
}

/* As one that parks, and finds the other at hand: it has entered before the end. */
static void take_it_up(void)
{
    struct rn_m *m = rn__enter();
    rn_atomic_add(&begun, 1);
    /* relaxed: as above.  acquire: pairs with the release in rn__arch_switch. */
    while (!rn_load_relaxed(&rn__sched.stopping) || rn_load_acquire(&waiter->on_cpu) != 0)
        rn_cpu_pause();
    rn__switch_to(m, m->g, waiter);
}

static int run_and_end(void)
{
    go(wait_late);
    while (rn_atomic_load(&begun) < 1)
        rn_yield();
    go(take_it_up);
    while (rn_atomic_load(&begun) < 2)
        rn_yield();
    return 7;
}

TEST_PLAIN(one_that_is_woken_before_it_waits_stays_where_it_is)
{
    rn_set_procs(3);
    for (int i = 0; i < 20; i++) {
        rn_atomic_store(&begun, 0);
        CHECK_EQ(rn_run(run_and_end), 7);
    }
}
