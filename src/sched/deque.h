/* A processor's deque of goroutines that were started here and have not run yet: its owner puts and takes at
 * the new end, others steal from the old end, one at a time.
 *
 * Why not in the run queue: a goroutine that starts others and waits for them is best followed by the newest of
 * them.  In the order of their start, a tree of goroutines is run level by level, and a whole level lives at
 * once; newest first, only a path and what branches off it does, in stacks that are in the cache.  The thief
 * gets the oldest, of which most is still to come.  rn__next_local sees to it that the old ones get their turn.  Who is not
 * put here: in_order in queue.c.
 *
 * Only the owner writes tail; head moves by compare-and-swap, by thieves, and by the owner who takes the last
 * one.  0 <= tail - head <= RN_DEQUE_SIZE but for a moment within pop (-1), in wrap-around arithmetic.
 *
 * may overlap:        push  pop  steal  length
 *   push (owner)       -     -    yes    yes
 *   pop (owner)        -     -    yes    yes
 *   steal (any)       yes   yes   yes    yes
 *   take (owner)       -     -    yes    yes
 *
 * Chase and Lev, "Dynamic circular work-stealing deque" (2005), with the orders of Lê, Pop, Cohen and Zappa
 * Nardelli, "Correct and efficient work-stealing for weak memory models" (2013), on a ring of fixed size; model
 * test: tests/model/deque.c.  Two who want the last one, or the owner who takes an entry that a thief has just
 * seen: the owner has written tail, the thief read head, each before its full fence, and after it reads what the
 * other writes; so at least one of them sees the other, and the swap of head decides.
 */
#ifndef RN_SCHED_DEQUE_H
#define RN_SCHED_DEQUE_H

#include "base/atomic.h"

#ifndef RN_DEQUE_SIZE
#define RN_DEQUE_SIZE 256u /* a power of two */
#endif

struct rn_g;

struct rn_deque {
    rn_atomic(uint32_t) head;
    rn_atomic(uint32_t) tail;
    rn_atomic(struct rn_g *) ring[RN_DEQUE_SIZE];
};

/* Owner only; false when full. */
static inline bool rn_deque_push(struct rn_deque *q, struct rn_g *g)
{
    /* acquire: pairs with the swap of a thief; its read of the slot is over. */
    uint32_t head = rn_load_acquire(&q->head);
    uint32_t tail = rn_load_relaxed(&q->tail); /* relaxed: only this thread writes it */
    if (tail - head >= RN_DEQUE_SIZE)
        return false;
    rn_store_relaxed(&q->ring[tail % RN_DEQUE_SIZE], g);
    /* release: pairs with the acquire of a thief; publishes the slot and the goroutine. */
    rn_store_release(&q->tail, tail + 1);
    return true;
}

/* Owner only: the newest; NULL when empty. */
static inline struct rn_g *rn_deque_pop(struct rn_deque *q)
{
    uint32_t tail = rn_load_relaxed(&q->tail); /* relaxed: only this thread writes it */
    /* relaxed: empty then, since head only grows; spares the fence. */
    if (rn_load_relaxed(&q->head) == tail)
        return NULL;
    /* release, here and below: a thief that reads this tail sees all that was pushed before. */
    rn_store_release(&q->tail, --tail);
    rn_fence_seq_cst(); /* pairs with the fence in steal */
    uint32_t head = rn_load_relaxed(&q->head);
    if ((int32_t)(tail - head) > 0) /* no thief can get so far: it would see tail */
        return rn_load_relaxed(&q->ring[tail % RN_DEQUE_SIZE]);
    struct rn_g *g = NULL;
    /* acq_rel: release pairs with the acquire in push, when a thief becomes owner. */
    if (head == tail && rn_cas_acq_rel(&q->head, &head, head + 1))
        g = rn_load_relaxed(&q->ring[tail % RN_DEQUE_SIZE]); /* relaxed: our own */
    rn_store_release(&q->tail, tail + 1);
    return g;
}

/* Any thread: the oldest; NULL when empty. */
static inline struct rn_g *rn_deque_steal(struct rn_deque *q)
{
    uint32_t head = rn_load_acquire(&q->head); /* acquire: as in push, of other thieves */
    for (;;) {
        rn_fence_seq_cst(); /* pairs with the fence in pop */
        /* acquire: pairs with the release in push; publishes the slot and the goroutine. */
        uint32_t tail = rn_load_acquire(&q->tail);
        if ((int32_t)(tail - head) <= 0)
            return NULL;
        struct rn_g *g = rn_load_relaxed(&q->ring[head % RN_DEQUE_SIZE]);
        /* acq_rel: release pairs with push's acquire of head: the slot has been read. */
        if (rn_cas_acq_rel(&q->head, &head, head + 1))
            return g;
    }
}

/* Owner only: up to n of the oldest, into `to`, oldest first; how many. */
static inline uint32_t rn_deque_take(struct rn_deque *q, struct rn_g **to, uint32_t n)
{
    uint32_t tail = rn_load_relaxed(&q->tail); /* relaxed: only this thread writes it */
    uint32_t head = rn_load_acquire(&q->head); /* acquire: as in push */
    do
        if (n > tail - head)
            n = tail - head;
    while (n && !rn_cas_acquire(&q->head, &head, head + n)); /* acquire: again; what it takes the owner has written */
    for (uint32_t i = 0; i < n; i++)
        to[i] = rn_load_relaxed(&q->ring[(head + i) % RN_DEQUE_SIZE]); /* relaxed: our own */
    return n;
}

/* A moment's length, for whoever looks from outside. */
static inline uint32_t rn_deque_length(struct rn_deque *q)
{
    /* acquire, head first: tail is then at least as new, but for a pop at work. */
    uint32_t head = rn_load_acquire(&q->head);
    int32_t n = (int32_t)(rn_load_acquire(&q->tail) - head);
    return n > 0 ? (uint32_t)n : 0;
}

#endif
