/* Model test of src/sched/gate.h: a plain thread that wakes somebody beside the end of the run. */
#include "sched/gate.h"
#include "engine/model.h"

static struct rn_gate gate;
static int memory; /* plain: the run's */
static int freed;

static void setup(void)
{
    gate = (struct rn_gate){.open = 1};
    memory = 1;
    freed = 0;
}

static void setup_before(void)
{
    gate = (struct rn_gate){0};
    memory = 0;
}

static void wake(void)
{
    if (!rn_gate_enter(&gate))
        return;
    MODEL_CHECK(memory == 1);
    rn_gate_leave(&gate, 1);
}

static void wake_two(void)
{
    if (!rn_gate_enter(&gate))
        return;
    bool second = rn_gate_enter(&gate);
    MODEL_CHECK(memory == 1);
    rn_gate_leave(&gate, second ? 2 : 1);
}

static void end(void)
{
    rn_gate_close(&gate);
    while (!rn_gate_is_empty(&gate))
        rn__model_yield();
    memory = 0;
    freed = 1;
}

static void begin(void)
{
    memory = 1;
    rn_gate_open(&gate);
}

static void finish(void)
{
    MODEL_CHECK(freed && rn_load_relaxed(&gate.inside) == 0);
}

MODEL_TEST(wake_beside_the_end, .setup = setup, .thread = {wake, end}, .finish = finish);
MODEL_TEST(two_wake_beside_the_end, .setup = setup, .thread = {wake, wake_two, end}, .finish = finish);
MODEL_MUTANT(wake_beside_the_end, "rn_gate_enter", "load_seq_cst");
MODEL_MUTANT(wake_beside_the_end, "rn_gate_close", "store_seq_cst");
MODEL_MUTANT(wake_beside_the_end, "rn_gate_is_empty", "load_seq_cst");
MODEL_MUTANT(wake_beside_the_end, "rn_gate_leave", "sub_release");
MODEL_TEST(wake_beside_the_beginning, .setup = setup_before, .thread = {wake, begin});
MODEL_MUTANT(wake_beside_the_beginning, "rn_gate_open", "store_release");
