/* Threads with names, and what it may cost that words are theirs: see solo.h. */
#include "sched/solo.h"
#include "os/os.h"

enum { NAMES = 4096, SHARE = 50 };
static const rn_duration BURST = RN_MILLISECOND, COST = 5 * RN_MICROSECOND; /* COST: before one was measured */

static rn_lock names_lock;      /* rank SCHED; guards the following */
static uint16_t unused[NAMES];  /* numbers of threads that have ended */
static uint32_t unused_n, made; /* made: numbers 1 … made have been given */

static rn_atomic(int64_t) began;   /* 0: not yet */
static rn_atomic(int64_t) charged; /* ns */
static rn_atomic(int64_t) average; /* of the last fences, in ns; 0: there was none */

/* ---- names ------------------------------------------------------------------------------------------ */

static uint32_t take_number(void)
{
    uint32_t n = 0;
    rn_lock_take(&names_lock, RN_RANK_SCHED);
    if (unused_n > 0)
        n = unused[--unused_n];
    else if (made < NAMES)
        n = ++made;
    rn_lock_release(&names_lock);
    return n;
}

uint32_t rn__solo_name(void)
{
    struct rn_m *m = rn__m();
    if (!m || m->solo.name)
        return m ? m->solo.name : 0;
    void **at = rn_os_section();
    if (at) {
        m->solo.at = at;
        m->solo.name = take_number() << RN_SOLO_NAME_SHIFT;
    }
    return m->solo.name;
}

void rn__solo_drop(struct rn_m *m)
{
    uint32_t n = m->solo.name >> RN_SOLO_NAME_SHIFT;
    if (!n)
        return;
    m->solo.name = 0;
    /* The lock also hands over: what this thread did to its words happens before the next with this name looks at them. */
    rn_lock_take(&names_lock, RN_RANK_SCHED);
    unused[unused_n++] = (uint16_t)n;
    rn_lock_release(&names_lock);
}

/* ---- the budget ------------------------------------------------------------------------------------- */

/* relaxed, all in this part: sums and averages of which nothing else depends. */
bool rn__solo_afford(void)
{
    rn_time now = rn_os_now(), start = rn_load_relaxed(&began);
    if (!start && rn_cas_relaxed(&began, &start, now))
        start = now;
    int64_t cost = rn_load_relaxed(&average);
    cost = 2 * (cost ? cost : COST);
    if (rn_load_relaxed(&charged) + cost > BURST + (now - start) / SHARE)
        return false;
    rn_add_relaxed(&charged, cost);
    return true;
}

void rn__solo_fence(void)
{
    rn_time t = rn_os_now();
    rn_os_fence_restart();
    int64_t took = rn_os_now() - t, expected = rn_load_relaxed(&average);
    rn_store_relaxed(&average, expected ? (7 * expected + took) / 8 : took);
    if (!expected)
        expected = COST;
    if (took > expected)
        rn_add_relaxed(&charged, 2 * (took - expected));
}
