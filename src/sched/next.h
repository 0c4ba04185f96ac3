/* Who is next on a processor, and who is put there: what is usual, compiled into those who switch.
 *
 * The rule is rn__next_local's (next.c), and rn__push_next's and rn__push_last's (queue.c); all here does the same.  Much of the time
 * of a switch were jumps that are taken, calls and returns among them: 18 in a yield.  Without ten of them one among
 * 1,000 takes 20.7 ns instead of 23.3, and a round trip over two channels 77 instead of 83 (EPYC 7003).
 *
 * Of a processor that the caller is inside of, all.
 */
#ifndef RN_SCHED_NEXT_H
#define RN_SCHED_NEXT_H

#include "sched/choice.h"

enum {
    RN_NEXT_STREAK = 32, /* turns of who was just woken, in a row, while others wait */
    RN_NEXT_WAITS = 32,  /* turns of who has run before, in a row, while others wait that have not */
};

/* Nothing of runq is p's own: the first that anybody may take, and some more unless somebody looks for work. */
static inline __attribute__((always_inline)) struct rn_g *rn__take_shared(struct rn_p *p)
{
    bool alone = rn__procs_used() == 1;
    uint32_t most = alone || (rn_runq_length(&p->runq) > 2 && rn__nobody_looks()) ? RN_RUNQ_MINE : 1;
    return rn_runq_pop_shared(&p->runq, most, alone);
}

static inline bool rn__has_fresh(struct rn_p *p)
{
    /* relaxed, both: tail is the owner's; head only grows. */
    return rn_load_relaxed(&p->fresh.head) != rn_load_relaxed(&p->fresh.tail) || p->has_spilled;
}

/* Who parks mostly has woken somebody. */
static inline struct rn_g *rn__next_of_parking(struct rn_p *p)
{
#ifndef RN_CHOICE_TABLE
    struct rn_g *next = rn_load_relaxed(&p->next); /* relaxed, both: only the owner writes it */
    if (__builtin_expect(next && p->streak < RN_NEXT_STREAK, 1)) {
        p->streak++;
        rn_store_relaxed(&p->next, NULL);
        return next;
    }
#endif
    return rn__choose_next(p);
}

/* Who yields mostly is behind others who have run before. */
static inline struct rn_g *rn__next_of_yielding(struct rn_p *p)
{
#ifndef RN_CHOICE_TABLE
    /* relaxed, both: the owner's, and a hint. */
    bool usual = !rn_load_relaxed(&p->next) && !p->yields && !p->fetches && !rn_load_relaxed(&p->old_due);
    if (__builtin_expect(usual && p->waits < RN_NEXT_WAITS, 1)) {
        struct rn_g *g = rn_runq_pop_mine(&p->runq);
        if (!g)
            g = rn__take_shared(p);
        p->streak = 0;
        p->waits++;
        if (__builtin_expect(g != NULL, 1))
            return g;
    }
#endif
    return rn__choose_next(p);
}

static inline bool rn__put_next(struct rn_p *p, struct rn_g *g)
{
#if !defined(RN_EXPLORE) && !defined(RN_RACE)
    if (__builtin_expect(!rn_load_relaxed(&p->next), 1)) { /* relaxed, both: only the owner writes it */
        rn_store_relaxed(&p->next, g);
        p->next_is_fresh = false;
        return true;
    }
#endif
    return rn__push_next(p, g);
}

static inline void rn__put_last(struct rn_p *p, struct rn_g *g)
{
    if (__builtin_expect(rn__exploring() || !rn_runq_push(&p->runq, g), 0))
        rn__push_last(p, g);
}

#endif
