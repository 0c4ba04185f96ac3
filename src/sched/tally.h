/* Numbers that are counted by many threads and read by few: each thread counts in a row of its own.
 *
 *     struct rn_g *g;
 *     struct rn_tally *t = rn__tally(&g);   // this thread's; NULL: it has none yet
 *     if (t) rn__tally_add(t, k, 1);
 *
 *     rn__tally_sum(k)                      // over all rows
 *
 * Number k is the sum of what stands under k in all rows, modulo 2^32; a single row means nothing, since what one thread has
 * counted up another may count down.  A row belongs to one thread, which alone writes it, by plain loads and stores: not to
 * a processor, which can be taken from its thread at any instruction.  A goroutine changes threads only where it parks or enters the
 * runtime, so a row is good until the next call that may do either.
 *
 * Rows are never freed, since what they hold still counts: that of a thread that ends goes on as the next one's.
 *
 * Who reads while others count sees each row at another moment.  To make the sum mean something is the caller's:
 * src/sync/readers.h.
 */
#ifndef RN_SCHED_TALLY_H
#define RN_SCHED_TALLY_H

#include "sched/rt.h"

#ifndef RN_TALLIES
#define RN_TALLIES 256u /* model tests have fewer */
#endif

struct rn_tally {
    rn_atomic(uint32_t) n[RN_TALLIES];
    struct rn_tally *next;        /* of all; written before others know of it */
    struct rn_tally *unused_next; /* guarded by tally.c's lock */
} __attribute__((aligned(128)));

/* The running thread's row and, if there is one, in *g who runs. */
static inline struct rn_tally *rn__tally(struct rn_g **g)
{
    struct rn_m *m = rn__m();
    if (__builtin_expect(!m, 0))
        return NULL;
    *g = m->g;
    return m->tally;
}

/* The same for a thread that has none: makes one.  NULL: no memory. */
struct rn_tally *rn__tally_make(struct rn_g **g);

/* By the row's thread.  release: pairs with the acquire in rn__tally_sum; whoever sees this count, or a later one of
 * the same row, comes after what this thread did before it. */
static inline void rn__tally_add(struct rn_tally *t, uint32_t k, uint32_t by)
{
    rn_store_release(&t->n[k], rn_load_relaxed(&t->n[k]) + by); /* relaxed: our own */
}

RN_INNER uint32_t rn__tally_sum(uint32_t k);

#endif
