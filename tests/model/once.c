/* Model test of rn_once, src/sync/once.c. */
#include "os/lock.c"
#include "sync/once.c"
#include "model_sched.h"

static rn_once once;
static int runs; /* plain: what the call does */

static void setup(void)
{
    model_sched_reset();
    once = (rn_once)RN_ONCE_INIT;
    runs = 0;
}

/* As rn_once_do: the load is rn__once_first's, which the public header has for programs only. */
static void use(void)
{
    if (rn_load_acquire(&once.rn_state) != RN_ONCE_DONE && rn__once_begin(&once)) {
        runs++;
        rn__once_end(&once);
    }
    MODEL_CHECK(runs == 1);
}

MODEL_TEST(runs_once, .setup = setup, .thread = {use, use});
MODEL_TEST(runs_once_of_three, .setup = setup, .thread = {use, use, use}, .preemptions = 2);
MODEL_MUTANT(runs_once, "use", "load_acquire");
MODEL_MUTANT(runs_once, "rn__once_end", "store_release");
