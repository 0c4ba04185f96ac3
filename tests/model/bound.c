/* Model test of src/os/bound.c: of several threads that come first one measures the scale, and who finds it measured
 * finds all of it. */
#include "engine/model.h"

#include "os/bound.c"

enum { PER_COUNT = 4, LATER = 2 * SHORTEST };
static struct rn_rate rate;
static struct rn_bound bound[2];

static struct rn_reading reading(rn_time at)
{
    return (struct rn_reading){.before = at, .count = (uint64_t)at / PER_COUNT, .after = at};
}

static void setup(void)
{
    struct rn_reading first = reading(1000);
    rate = (struct rn_rate){0};
    rn_rate_begin(&rate, &first);
    for (int i = 0; i < 2; i++)
        bound[i] = (struct rn_bound){0};
}

static void look(int self, rn_time at)
{
    struct rn_reading r = reading(at);
    struct rn_bound *b = &bound[self];
    rn_time told = rn_bound_look(b, &rate, &r), later;
    MODEL_CHECK(told >= at && told <= at + RN_BOUND_LATE);
    MODEL_CHECK(!b->reach == (told == at));
    if (!b->reach)
        return;
    MODEL_CHECK(b->reach == REACH / PER_COUNT && b->scale == (uint64_t)PER_COUNT << RN_BOUND_BITS);
    MODEL_CHECK(rn_bound_tell(b, r.count + 100, &later) && later == told + 100 * PER_COUNT);
}

static void one(void)
{
    look(0, LATER);
    look(0, LATER + 2000);
}

/* It begins before there is enough to measure over. */
static void two(void)
{
    look(1, 2000);
    look(1, LATER + 1000);
    look(1, LATER + 3000);
}

static void is_ready(void)
{
    MODEL_CHECK(rn_load_relaxed(&rate.state) == RN_RATE_READY);
}

MODEL_TEST(the_scale_is_measured_once, .setup = setup, .thread = {one, two}, .finish = is_ready);
MODEL_MUTANT(the_scale_is_measured_once, "try_measure", "store_release");
MODEL_MUTANT(the_scale_is_measured_once, "rn_bound_look", "load_acquire");
