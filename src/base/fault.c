/* Fault injection; see fault.h.  Three words, touched by any thread in relaxed order: each request
 * gets a number of its own, and nothing else is published through them. */
#include "base/fault.h"

#ifdef RN_FAULT
#include "base/atomic.h"
#include <stdlib.h>

static rn_atomic(uint64_t) count, chosen;
static rn_atomic(bool) all_after;

void rn__fault_arm(uint64_t nth, bool onwards)
{
    /* relaxed: a test arms it while no other thread asks, or does not care which request it is. */
    rn_store_relaxed(&count, 0);
    rn_store_relaxed(&all_after, onwards);
    rn_store_relaxed(&chosen, nth);
}

uint64_t rn__fault_count(void)
{
    /* relaxed: a count. */
    return rn_load_relaxed(&count);
}

bool rn__fault_hit(void)
{
    /* relaxed, all three: see the head of the file. */
    uint64_t number = rn_add_relaxed(&count, 1) + 1;
    uint64_t nth = rn_load_relaxed(&chosen);
    return nth && (number == nth || (number > nth && rn_load_relaxed(&all_after)));
}

__attribute__((constructor(101))) static void arm_from_environment(void)
{
    const char *text = getenv("RUNNEL_FAULT_NTH");
    if (!text)
        return;
    char *end;
    uint64_t nth = strtoull(text, &end, 10);
    rn__fault_arm(nth, *end == '+');
}
#endif
