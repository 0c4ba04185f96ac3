/* A processor's run queue: a ring that its owner fills and drains and others steal from.
 *
 * The owner takes some of the oldest at a time: one compare-and-swap moves head beyond them, and then they are its own,
 * which it takes out one by one without another.
 *
 *     | free | the owner's own | anybody's | free |
 *           mine            mine_end … head     tail
 *
 * What always holds, in wrap-around arithmetic:
 *  - Only the owner writes tail, mine and mine_end.  head moves by compare-and-swap, by the owner (some at once) and by
 *    thieves (half of what is there, but not very many).
 *  - mine <= mine_end <= head <= tail, and tail - mine <= RN_RUNQ_SIZE.  While the owner has nothing of its own,
 *    mine = mine_end is where head was when it last looked.
 *
 * may overlap:           push  pop  steal_from  length  first_of_mine
 *   push (owner)          -     -      yes        yes       yes
 *   pop_… (owner)         -     -      yes        yes       yes
 *   take_mine (as owner)  -     -      yes        yes       yes
 *   steal_from (any)     yes   yes     yes        yes       yes
 *
 * A thief copies the entries before it moves head: an owner that wraps around can't have overwritten
 * them when the swap succeeds, since tail can't pass mine + size, and mine can't pass a head that the owner has seen.  From
 * Go's runtime (proc.go, runqput, runqget, runqgrab), after the Chase-Lev argument; model test: tests/model/runq.c.
 *
 * Why some at a time: a swap for each, as in Go, was 5 ns of the 16 of a yield.  What is the owner's own can't be stolen while
 * it computes.  So it takes several only while no processor looks for work, and when one does later, they
 * are to it what the one in `next` is (watch.c): after some microseconds it borrows the processor and takes them.
 */
#ifndef RN_SCHED_RUNQ_H
#define RN_SCHED_RUNQ_H

#include "base/atomic.h"

#ifndef RN_RUNQ_SIZE
#define RN_RUNQ_SIZE 2048u /* a power of two */
#define RN_RUNQ_MINE 16u   /* that the owner makes its own at a time, at most */
#define RN_RUNQ_STEAL 128u /* at most at a time: the copy is for nothing when the owner moves head meanwhile */
#endif

struct rn_g;

struct rn_runq {
    rn_atomic(uint32_t) head;
    rn_atomic(uint32_t) tail;
    rn_atomic(uint32_t) mine; /* any reads, as a hint, also mine_end */
    rn_atomic(uint32_t) mine_end;
    rn_atomic(struct rn_g *) ring[RN_RUNQ_SIZE];
};

static inline void rn_runq_set_mine(struct rn_runq *q, uint32_t from, uint32_t to)
{
    rn_store_relaxed(&q->mine, from); /* relaxed, both: only the owner relies on them */
    rn_store_relaxed(&q->mine_end, to);
}

/* Owner only, for a ring that seems full; false: it is. */
static inline bool rn_runq_look_for_room(struct rn_runq *q, uint32_t tail)
{
    if (rn_load_relaxed(&q->mine) != rn_load_relaxed(&q->mine_end)) /* relaxed: only this thread writes them */
        return false;
    /* acquire: pairs with the release swap of a thief; its reads of the slots are over. */
    uint32_t head = rn_load_acquire(&q->head);
    rn_runq_set_mine(q, head, head);
    return tail - head < RN_RUNQ_SIZE;
}

/* Owner only; false when full. */
static inline bool rn_runq_push(struct rn_runq *q, struct rn_g *g)
{
    uint32_t tail = rn_load_relaxed(&q->tail); /* relaxed, both: only this thread writes them */
    if (__builtin_expect(tail - rn_load_relaxed(&q->mine) >= RN_RUNQ_SIZE, 0) && !rn_runq_look_for_room(q, tail))
        return false;
    rn_store_relaxed(&q->ring[tail % RN_RUNQ_SIZE], g);
    /* release: pairs with the acquire of a thief; publishes the slot and the goroutine. */
    rn_store_release(&q->tail, tail + 1);
    return true;
}

/* Owner only, who has nothing of its own: makes half of what is there its own, rounded up, or all of it, but not more than
 * `most`; returns the first of it, or NULL.  Whoever sees that they have left sees them here (idle.c: the last look). */
static inline struct rn_g *rn_runq_pop_shared(struct rn_runq *q, uint32_t most, bool all)
{
    /* acquire, also when the swap fails: as in look_for_room. */
    uint32_t head = rn_load_acquire(&q->head), n;
    uint32_t tail = rn_load_relaxed(&q->tail); /* relaxed: only this thread writes it */
    while ((n = tail - head) != 0) {
        n -= all ? 0 : n / 2;
        if (n > most)
            n = most;
        rn_runq_set_mine(q, head + 1, head + n);
        /* acq_rel: release pairs with the acquire in length, which publishes mine, and in steal_from, where tail is
         * then not before this head. */
        if (rn_cas_acq_rel(&q->head, &head, head + n))
            return rn_load_relaxed(&q->ring[head % RN_RUNQ_SIZE]);
        rn_runq_set_mine(q, head, head);
    }
    return NULL;
}

/* Owner only; NULL when it has nothing of its own. */
static inline struct rn_g *rn_runq_pop_mine(struct rn_runq *q)
{
    uint32_t mine = rn_load_relaxed(&q->mine); /* relaxed, all: only this thread writes them */
    if (mine == rn_load_relaxed(&q->mine_end))
        return NULL;
    rn_store_relaxed(&q->mine, mine + 1);
    return rn_load_relaxed(&q->ring[mine % RN_RUNQ_SIZE]);
}

/* Owner only, who makes no more its own than `most`; NULL when empty. */
static inline struct rn_g *rn_runq_pop(struct rn_runq *q, uint32_t most)
{
    struct rn_g *g = rn_runq_pop_mine(q);
    return g ? g : rn_runq_pop_shared(q, most, false);
}

/* Moves half of what anybody may take from q, rounded up, but not more than RN_RUNQ_STEAL, to the end of `to`, of
 * which the caller is the owner and which is empty.  Returns how many.  Any thread. */
static inline uint32_t rn_runq_steal_from(struct rn_runq *q, struct rn_runq *to)
{
    uint32_t to_tail = rn_load_relaxed(&to->tail);
    for (;;) {
        /* acquire: pairs with the release swaps of other thieves and the owner. */
        uint32_t head = rn_load_acquire(&q->head);
        /* acquire: pairs with the release in push; publishes the slots. */
        uint32_t tail = rn_load_acquire(&q->tail);
        uint32_t n = tail - head;
        n -= n / 2;
        if (n == 0)
            return 0;
        if (n > RN_RUNQ_SIZE / 2) /* head and tail were read at different moments */
            continue;
        if (n > RN_RUNQ_STEAL)
            n = RN_RUNQ_STEAL;
        for (uint32_t i = 0; i < n; i++) {
            struct rn_g *g = rn_load_relaxed(&q->ring[(head + i) % RN_RUNQ_SIZE]);
            rn_store_relaxed(&to->ring[(to_tail + i) % RN_RUNQ_SIZE], g);
        }
        /* acq_rel: release pairs with the owner's acquire of head: the slots have been read. */
        if (!rn_cas_acq_rel(&q->head, &head, head + n))
            continue;
        /* release: as in push. */
        rn_store_release(&to->tail, to_tail + n);
        return n;
    }
}

/* The first that is q's owner's own, or NULL.  Any thread; a hint. */
static inline struct rn_g *rn_runq_first_of_mine(struct rn_runq *q)
{
    uint32_t mine = rn_load_relaxed(&q->mine); /* relaxed, all: a hint */
    return mine != rn_load_relaxed(&q->mine_end) ? rn_load_relaxed(&q->ring[mine % RN_RUNQ_SIZE]) : NULL;
}

/* Moves what is q's owner's own to the end of `to`, but for the first, which it returns.  The caller is the owner
 * of `to`, which is empty, and is in the place of q's owner (own.h). */
static inline struct rn_g *rn_runq_take_mine(struct rn_runq *q, struct rn_runq *to)
{
    struct rn_g *first = rn_runq_first_of_mine(q);
    uint32_t end = rn_load_relaxed(&q->mine_end); /* relaxed, all: published by own.h */
    for (uint32_t i = rn_load_relaxed(&q->mine) + 1; first && i != end; i++)
        (void)rn_runq_push(to, rn_load_relaxed(&q->ring[i % RN_RUNQ_SIZE]));
    rn_runq_set_mine(q, end, end);
    return first;
}

/* Owner only: is nothing left to it? */
static inline bool rn_runq_is_empty_here(struct rn_runq *q)
{
    /* relaxed, all: others write only head, which never passes tail. */
    return rn_load_relaxed(&q->mine) == rn_load_relaxed(&q->mine_end) &&
           rn_load_relaxed(&q->head) == rn_load_relaxed(&q->tail);
}

/* How many anybody may take, at a moment. */
static inline uint32_t rn_runq_length(struct rn_runq *q)
{
    /* acquire, head first: tail is then at least as new, so the difference is not negative. */
    uint32_t head = rn_load_acquire(&q->head);
    return rn_load_acquire(&q->tail) - head;
}

#endif
