/* Threads with names, what they gain by it that words are theirs, and what that may cost: see solo.h. */
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

extern inline uint32_t rn__solo(void);
extern inline struct rn_count *rn__counts(void);
extern inline bool rn__section_take(rn_atomic(uint32_t) * word, uint32_t from, uint32_t to);
extern inline bool rn__section_give(rn_atomic(uint32_t) * word, uint32_t from, uint32_t to);

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
    if (m && !m->solo && rn_os_has_sections()) {
        m->solo = take_number() << RN_SOLO_NAME_SHIFT;
        rn__tls_solo = m->solo;
    }
    return m ? m->solo : 0;
}

void rn__solo_drop(struct rn_m *m)
{
    uint32_t n = m->solo >> RN_SOLO_NAME_SHIFT;
    if (!n)
        return;
    m->solo = 0;
    if (m == rn__m())
        rn__tls_solo = 0;
    /* The lock also hands over: what this thread did to its words happens before the next with this name looks at them. */
    rn_lock_take(&names_lock, RN_RANK_SCHED);
    unused[unused_n++] = (uint16_t)n;
    rn_lock_release(&names_lock);
}

/* ---- what is gained ---------------------------------------------------------------------------------- */

/* A section must be 2.5 times as fast: it is 1.8 to 2 times on an EPYC 7003, where it does not pay. */
enum { PAYS_TRIES = 4, PAYS_ROUNDS = 256, PAYS_TENTHS = 25 };

rn_atomic(uint32_t) rn__solo_paying;

/* ns for PAYS_ROUNDS times the lock and the unlock of a word: by an atomic operation, or by the running thread's section. */
static rn_duration rounds_take(bool section)
{
    rn_atomic(uint32_t) word = 0;
    rn_time from = rn_os_now();
    for (int i = 0; i < PAYS_ROUNDS; i++) {
        uint32_t none = 0;
        if (section ? rn__solo_take(&word, 0, 1) : rn_cas_acquire(&word, &none, 1))
            rn_store_release(&word, 0); /* release: as a channel's lock is given back */
    }
    return rn_os_now() - from;
}

static bool measure_pays(void)
{
    rn_duration atomic = INT64_MAX, section = INT64_MAX;
    for (int try = 0; try < PAYS_TRIES; try++) {
        rn_duration a = rounds_take(false), s = rounds_take(true);
        atomic = a < atomic ? a : atomic;
        section = s < section ? s : section;
    }
    return atomic * 10 >= section * PAYS_TENTHS;
}

bool rn__solo_pays(void)
{
    uint32_t known = rn_load_relaxed(&rn__solo_paying); /* relaxed, all: two may measure it at once */
    if (known == RN_SOLO_NOT_MEASURED) {
        known = measure_pays() ? RN_SOLO_PAYS : RN_SOLO_PAYS_NOT;
        rn_store_relaxed(&rn__solo_paying, known);
    }
    return known == RN_SOLO_PAYS;
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
