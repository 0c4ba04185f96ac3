/* The owner's choice among what its processor has to run: the rule (next.h has what is usual of it).
 *
 * The caller is inside (own.h).  Beside it others may steal from runq and fresh, as runq.h and deque.h say, and the monitor
 * may ask for the oldest to have their turn (old_due); all else of a processor that is read here is its owner's.
 */
#include "sched/next.h"

/* One that has waited for long behind newer ones; not several at once, so that it can finish what it starts. */
static __attribute__((noinline)) struct rn_g *take_due(struct rn_p *p)
{
    enum { APART = 256 };
    uint32_t tick = rn_load_relaxed(&p->tick); /* relaxed: only the owner writes it */
    if (tick - p->due_tick < APART)
        return NULL;
    p->due_tick = tick;
    struct rn_g *g = rn__oldest_fresh(p);
    /* relaxed, both: the monitor's hint. */
    rn_store_relaxed(&p->old_due, g ? rn_load_relaxed(&p->old_due) - 1 : 0);
    return g;
}

/* One has left the ring: see rn__fetch_later. */
static __attribute__((noinline)) void fetch_next(struct rn_p *p)
{
    /* relaxed, both: only the owner writes them.  What is before fetch_end was pushed in this run, and a record stays one. */
    uint32_t at = rn_load_relaxed(&p->runq.mine) + RN_FETCH_FIRST;
    p->fetches = (int32_t)(p->fetch_end - at) > 0;
    if (p->fetches)
        rn__fetch(rn_load_relaxed(&p->runq.ring[at % RN_RUNQ_SIZE]));
}

/* Of runq, in their order, or, when none of fresh has had a turn for long, the oldest of those. */
static inline __attribute__((always_inline)) struct rn_g *next_of_runq(struct rn_p *p)
{
    struct rn_g *g = NULL;
    if (__builtin_expect(rn_load_relaxed(&p->old_due) != 0, 0) && (g = take_due(p)) != NULL) /* relaxed: a hint */
        return g;
    if (p->waits++ >= RN_NEXT_WAITS) {
        p->waits = 0;
        g = rn__oldest_fresh(p);
    }
    if (g)
        return g;
    if ((g = rn_runq_pop_mine(&p->runq)) == NULL)
        g = rn__take_shared(p);
    if (__builtin_expect(p->fetches, 0))
        fetch_next(p);
    return g;
}

static struct rn_g *next_of_fresh(struct rn_p *p)
{
    struct rn_g *g = rn_deque_pop(&p->fresh);
    if (__builtin_expect(!g && p->has_spilled, 0))
        g = rn__spilled_newest(p);
    if (g)
        p->waits = 0;
    return g;
}

/* Nobody was just woken: who has run before first; then the newest of those that have not (deque.h).  After one that
 * yields it is the other way round. */
static struct rn_g *next_queued(struct rn_p *p)
{
    struct rn_g *g = NULL;
    if (__builtin_expect(p->yields, 0)) {
        p->yields = false;
        g = next_of_fresh(p);
    }
    if (!g && !(g = next_of_runq(p)))
        g = next_of_fresh(p);
    return g;
}

/* The owner's next goroutine: the one just woken, but not for ever while others wait. */
struct rn_g *rn__next_local(struct rn_p *p)
{
    struct rn_g *next = rn_load_relaxed(&p->next), *g; /* relaxed: only the owner writes it */
    if (!next) {
        p->streak = 0;
        return next_queued(p);
    }
    if (p->streak++ >= RN_NEXT_STREAK) {
        p->streak = 0;
        if ((g = next_of_runq(p)) != NULL)
            return g;
    }
    rn_store_relaxed(&p->next, NULL);
    return next;
}
