/* The steps of a plan, by the choice that they belong to. */
#ifdef RN_EXPLORE
#include "base/alloc.h"
#include "base/hooks.h"
#include "sched/choice.h"
#include "sched/explore.h"
#include <string.h>

static uint32_t *table; /* by g and nth, of 1 + place in the plan; 0: free */
static uint32_t mask;

static uint32_t slot_of(uint32_t g, uint32_t nth)
{
    uint64_t key = ((uint64_t)g << 32 | nth) * 0x9e3779b97f4a7c15;
    return (uint32_t)(key >> 32) & mask;
}

const struct rn_explore_step *rn__explore_planned(uint32_t g, uint32_t nth)
{
    if (!table)
        return NULL;
    for (uint32_t at = slot_of(g, nth); table[at]; at = (at + 1) & mask) {
        const struct rn_explore_step *s = &rn__explore->plan[table[at] - 1];
        if (s->g == g && s->nth == nth)
            return s;
    }
    return NULL;
}

void rn__explore_index_plan(void)
{
    uint32_t size = 16;
    while (size < 2 * rn__explore->planned)
        size *= 2;
    table = rn__malloc(size * sizeof *table);
    if (!table)
        rn_fatal("exploring: out of memory");
    memset(table, 0, size * sizeof *table);
    mask = size - 1;
    for (uint32_t i = 0; i < rn__explore->planned; i++) {
        uint32_t at = slot_of(rn__explore->plan[i].g, rn__explore->plan[i].nth);
        while (table[at])
            at = (at + 1) & mask;
        table[at] = i + 1;
    }
}

#else
typedef int rn__explore_plan_is_another_build; /* an empty file is no C */
#endif
