/* Model test of processor ownership, src/sched/own.h: never two inside, and each sees what the other
 * did; with membarrier's fence and without. */
#include "os/lock.c"
#include "sched/own.h"
#include "engine/model.h"

static struct rn_own own;
static int processor; /* plain: what ownership guards */
static int took;

static void setup(void)
{
    own = (struct rn_own){0};
    processor = took = 0;
}

static void setup_symmetric(void)
{
    setup();
    rn__fence_asymmetric = false;
}

static void worker(void)
{
    while (!rn_own_try_enter(&own))
        rn_own_withdraw(&own);
    processor++;
    rn_own_leave(&own);
}

static void worker_twice(void)
{
    worker();
    worker();
}

static void taker(void)
{
    if (!rn_own_take(&own))
        return;
    took++;
    processor++;
    rn_own_give_up(&own);
}

static void check(void)
{
    MODEL_CHECK(processor == 1 + took);
    MODEL_CHECK(rn_own_take(&own));
}

static void check_twice(void)
{
    MODEL_CHECK(processor == 2 + took);
    MODEL_CHECK(rn_own_take(&own));
}

MODEL_TEST(one_inside, .setup = setup, .thread = {worker, taker}, .finish = check);
MODEL_TEST(one_inside_without_membarrier, .setup = setup_symmetric, .thread = {worker, taker}, .finish = check);
MODEL_TEST(one_inside_again, .setup = setup, .thread = {worker_twice, taker}, .finish = check_twice);
MODEL_MUTANT(one_inside, "rn_os_fence_heavy", "fence_heavy");
MODEL_MUTANT(one_inside, "rn_own_try_enter", "fence_light");
MODEL_MUTANT(one_inside_without_membarrier, "rn_own_try_enter", "fence_light");
MODEL_MUTANT(one_inside_without_membarrier, "rn_os_fence_heavy", "fence_heavy");
MODEL_MUTANT(one_inside, "rn_own_try_enter", "load_acquire &o->revoke");
MODEL_MUTANT(one_inside, "rn_own_leave", "store_release");
MODEL_MUTANT(one_inside, "rn_own_take", "load_acquire &o->inside");
MODEL_MUTANT(one_inside, "rn_own_give_up", "store_release &o->revoke");

/* Two takers: the monitor and a thief. */
MODEL_TEST(two_takers, .setup = setup, .thread = {worker, taker, taker}, .finish = NULL);
