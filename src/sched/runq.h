/* A processor's run queue: a ring that its owner fills and drains and others steal from.
 *
 * Only the owner writes tail; head moves by compare-and-swap, by the owner (one, or many at once) and by thieves (half of what is there).  0 <= tail - head <= RN_RUNQ_SIZE always,
 * with unsigned wrap-around.
 *
 * may overlap:        push  pop  steal_from  length
 *   push (owner)       -     -      yes        yes
 *   pop (owner)        -     -      yes        yes
 *   take (owner)       -     -      yes        yes
 *   steal_from (any)  yes   yes     yes        yes
 *
 * A thief copies the entries before it moves head: an owner that wraps around can't have overwritten
 * them when the swap succeeds, since tail can't pass head + size.  From Go's runtime (proc.go,
 * runqput, runqget, runqgrab), after the Chase-Lev argument; model test: tests/model/runq.c.
 *
 * Considered: a private pocket that pop fills in batches spares the owner most of its swaps, but what
 * is in the pocket can't be stolen while its owner computes.
 */
#ifndef RN_SCHED_RUNQ_H
#define RN_SCHED_RUNQ_H

#include "base/atomic.h"

#ifndef RN_RUNQ_SIZE
#define RN_RUNQ_SIZE 256u /* a power of two */
#endif

struct rn_g;

struct rn_runq {
    rn_atomic(uint32_t) head;
    rn_atomic(uint32_t) tail;
    rn_atomic(struct rn_g *) ring[RN_RUNQ_SIZE];
};

/* Owner only; false when full. */
static inline bool rn_runq_push(struct rn_runq *q, struct rn_g *g)
{
    /* acquire: pairs with the release swap of a thief; its reads of the slot are over. */
    uint32_t head = rn_load_acquire(&q->head);
    uint32_t tail = rn_load_relaxed(&q->tail); /* relaxed: only this thread writes it */
    if (tail - head >= RN_RUNQ_SIZE)
        return false;
    rn_store_relaxed(&q->ring[tail % RN_RUNQ_SIZE], g);
    /* release: pairs with the acquire of a thief; publishes the slot and the goroutine. */
    rn_store_release(&q->tail, tail + 1);
    return true;
}

/* Owner only; NULL when empty. */
static inline struct rn_g *rn_runq_pop(struct rn_runq *q)
{
    uint32_t head = rn_load_relaxed(&q->head);
    uint32_t tail = rn_load_relaxed(&q->tail); /* relaxed: only this thread writes it */
    while (tail != head) {
        struct rn_g *g = rn_load_relaxed(&q->ring[head % RN_RUNQ_SIZE]);
        /* release: pairs with the acquire in push, here and when a thief becomes owner. */
        if (rn_cas_release(&q->head, &head, head + 1))
            return g;
    }
    return NULL;
}

/* Owner only: takes up to `most` of the oldest at once, in their order; how many.  They stand in the ring from *at on
 * until the owner pushes again. */
static inline uint32_t rn_runq_take(struct rn_runq *q, uint32_t most, uint32_t *at)
{
    uint32_t head = rn_load_relaxed(&q->head);
    uint32_t tail = rn_load_relaxed(&q->tail); /* relaxed: only this thread writes it */
    uint32_t n;
    do
        n = tail - head < most ? tail - head : most;
    while (n && !rn_cas_release(&q->head, &head, head + n)); /* release: as in pop */
    *at = head;
    return n;
}

/* Moves half of what q holds, rounded up, to the end of `to`, of which the caller is the owner and
 * which has room for half a ring.  Returns how many.  Any thread. */
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
        for (uint32_t i = 0; i < n; i++) {
            struct rn_g *g = rn_load_relaxed(&q->ring[(head + i) % RN_RUNQ_SIZE]);
            rn_store_relaxed(&to->ring[(to_tail + i) % RN_RUNQ_SIZE], g);
        }
        /* acq_rel: release pairs with push's acquire of head: the slots have been read. */
        if (!rn_cas_acq_rel(&q->head, &head, head + n))
            continue;
        /* release: as in push. */
        rn_store_release(&to->tail, to_tail + n);
        return n;
    }
}

/* A moment's length, for whoever looks from outside. */
static inline uint32_t rn_runq_length(struct rn_runq *q)
{
    /* acquire, head first: tail is then at least as new, so the difference is not negative. */
    uint32_t head = rn_load_acquire(&q->head);
    return rn_load_acquire(&q->tail) - head;
}

#endif
