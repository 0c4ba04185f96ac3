/* Clock and chance for the layers above; see choice.h. */
#include "sched/choice.h"

#ifdef RN_CHOICE_TABLE
static uint64_t thread_random(void)
{
    return rn__m_random(rn__m() ? rn__m() : rn__adopt());
}

struct rn_choice rn__choice = {.now = rn_os_now, .random = thread_random, .pick = rn__next_local};
#endif

rn_time rn__now(void)
{
    return rn__choose_now();
}

rn_time rn__deadline(rn_duration d)
{
    struct rn_m *m = rn__m();
    rn_time now = m ? rn__choose_bound(m) : rn__choose_now(), when;
    if (__builtin_expect(__builtin_add_overflow(now, d, &when), 0))
        return RN_LAST_MOMENT; /* now > 0 */
    return when;
}

rn_time rn__tick(void)
{
    return rn__choose_tick();
}

uint64_t rn__random(void)
{
    struct rn_m *m = rn__m();
    if (!m)
        m = rn__adopt();
    return rn__choose_random(m);
}

/* Lemire, "Fast random integer generation in an interval" (2019); exact by rejection. */
uint32_t rn__random_below(uint32_t n)
{
    uint64_t product = (rn__random() >> 32) * n;
    if (__builtin_expect((uint32_t)product < n, 0)) {
        uint32_t threshold = -n % n;
        while ((uint32_t)product < threshold)
            product = (rn__random() >> 32) * n;
    }
    return (uint32_t)(product >> 32);
}

rn_time rn__coarse_now(void)
{
    /* relaxed: a moment, published by nobody in particular. */
    return rn_load_relaxed(&rn__sched.coarse);
}
