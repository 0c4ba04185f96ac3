/* The budget for words that are a thread's own (src/sched/solo.h). */
#include "sched/solo.h"
#include <runnel.h>
#include <runnel/test.h>

/* At 10 µs each, two hundredths of the time pay for one in 500 µs; so it ends, unless each call takes as long. */
TEST_PLAIN(the_budget_ends_and_comes_back)
{
    int n = 0;
    while (rn__solo_afford())
        n++;
    CHECK(n >= 100 - 1); /* a millisecond's worth */
    while (!rn__solo_afford())
        rn_sleep(RN_MILLISECOND);
}

TEST_PLAIN(a_thread_has_one_name)
{
    CHECK_EQ(rn__solo_name(), 0u); /* the runtime does not know it */
    rn_sleep(1);
    uint32_t name = rn__solo_name();
    CHECK_EQ(rn__solo_name(), name);
    CHECK_EQ(name & ((1u << RN_SOLO_NAME_SHIFT) - 1), 0u);
    CHECK_EQ(rn__solo(), name);
    if (!name)
        return;
    rn_atomic(uint32_t) word = name;
    CHECK(!rn__solo_take(&word, name | 1, 7));
    CHECK_EQ(rn_load_relaxed(&word), name);
    while (!rn__solo_take(&word, name, name | 1)) /* it may be interrupted */
        ;
    CHECK_EQ(rn_load_relaxed(&word), name | 1);
    while (!rn__solo_give(&word, name | 1, name))
        ;
    CHECK_EQ(rn_load_relaxed(&word), name);
    CHECK(*(void **)((char *)__builtin_thread_pointer() + rn__section_at) == NULL);
    rn__solo_fence();
}
