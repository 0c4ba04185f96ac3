/* Pairs of counter and clock, and the scale between them; bound.h says what holds and why. */
#include "os/bound.h"

enum {
    REACH = 32 * 1024,           /* ns that a pair is used */
    OFTEN = 4 * REACH,           /* ns between two looks */
    NEAR = 1024,                 /* ns between the two readings of the clock around one of the counter */
    SLACK = REACH / 8 + 1024,    /* ns */
    SHORTEST = 10 * 1000 * 1000, /* ns over which the scale is measured: to a part in 5,000, by NEAR */
    LONGEST = 1000,              /* times as many, lest the machine was suspended between */
    COARSEST = 100,              /* ns a count */
};
RN_STATIC_ASSERT(SLACK + NEAR + REACH / 8 <= RN_BOUND_LATE, "a bound is no later than that");

bool rn_reading_is_near(const struct rn_reading *r)
{
    return r->after - r->before <= NEAR;
}

void rn_rate_begin(struct rn_rate *rate, const struct rn_reading *r)
{
    rate->count = r->count;
    rate->at = r->after;
    /* release: pairs with the acquire in rn_bound_look. */
    rn_store_release(&rate->state, RN_RATE_FIRST);
}

/* With the state BUSY: the state that comes now. */
static enum rn_rate_state measure(struct rn_rate *rate, const struct rn_reading *r)
{
    rn_duration past = r->after - rate->at;
    if (past < SHORTEST)
        return RN_RATE_FIRST;
    if (past > (rn_duration)SHORTEST * LONGEST) {
        rate->count = r->count;
        rate->at = r->after;
        return RN_RATE_FIRST;
    }
    uint64_t counts = r->count - rate->count;
    if (counts < (uint64_t)past / COARSEST || counts >= (uint64_t)past << (RN_BOUND_BITS - 16))
        return RN_RATE_OFF; /* too coarse; or it went back */
    rate->scale = (uint64_t)(((unsigned __int128)(uint64_t)past << RN_BOUND_BITS) / counts);
    rate->reach = ((uint64_t)REACH << RN_BOUND_BITS) / rate->scale;
    return RN_RATE_READY;
}

static void try_measure(struct rn_rate *rate, const struct rn_reading *r)
{
    uint32_t first = RN_RATE_FIRST;
    /* acquire: pairs with the release below, of whoever was here before; publishes its pair. */
    if (rn_cas_acquire(&rate->state, &first, RN_RATE_BUSY))
        rn_store_release(&rate->state,
                         measure(rate, r)); /* release: pairs with the acquires here and in rn_bound_look */
}

/* Whether from b's pair to r the clock kept to the scale. */
static bool kept_pace(const struct rn_bound *b, const struct rn_reading *r)
{
    uint64_t counts = r->count - b->count;
    if (counts > b->reach << 8) /* long ago, or the counter went back: a suspended machine does that */
        return true;
    rn_duration told = (rn_duration)(counts * b->scale >> RN_BOUND_BITS), real = r->after - (b->at - SLACK);
    return real <= told + told / 8 + 2 * NEAR && real >= told - told / 8 - 2 * NEAR;
}

bool rn_bound_is_often(struct rn_bound *b, const struct rn_rate *rate, rn_time now)
{
    bool often = now - b->looked < OFTEN;
    b->looked = now;
    if (!often)
        b->reach = 0;
    return often && rn_load_relaxed(&rate->state) != RN_RATE_OFF; /* relaxed: a hint */
}

rn_time rn_bound_look(struct rn_bound *b, struct rn_rate *rate, const struct rn_reading *r)
{
    /* One who was told a bound is not told less now. */
    rn_time bound = r->after + (b->reach ? SLACK : 0);
    bool near = rn_reading_is_near(r);
    if (near && b->reach && !kept_pace(b, r))
        rn_store_relaxed(&rate->state, RN_RATE_OFF); /* relaxed: the others see it with one of their next looks */
    b->reach = 0;
    if (!near)
        return bound;
    /* acquire: pairs with the release in try_measure; publishes scale and reach. */
    uint32_t state = rn_load_acquire(&rate->state);
    if (state == RN_RATE_FIRST)
        try_measure(rate, r);
    if (state != RN_RATE_READY)
        return bound;
    *b = (struct rn_bound){r->count, r->after + SLACK, rate->reach, rate->scale, r->after};
    return b->at;
}
