/* Numbers that are counted by many threads and read by few: each thread counts in a row of its own.
 *
 *     struct rn_g *g;
 *     struct rn_tally *t = rn__tally(&g);   // this thread's; NULL: it has none yet
 *     if (t) rn__tally_up(t, k);
 *
 *     rn__tally_sum(k)                      // over all rows
 *
 * Number k is the sum of all ups under k in all rows less that of all downs, modulo 2^32; a single row means nothing, since what one
 * thread has counted up another may count down.  The two are counted apart: one word that goes up and down would be stored and
 * loaded twice each time, which a processor can't do in less than some 8 cycles each.  A row belongs to one thread, which alone writes it, by plain loads and stores: not to
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
#include <runnel/own.h>

#ifndef RN_TALLIES
#define RN_TALLIES 256u /* model tests have fewer */
#endif

struct rn_tally {
    struct rn_count n[RN_TALLIES]; /* first: programs find their own thread's by rn__tls_counts */
    struct rn_tally *next;         /* of all; written before others know of it */
    struct rn_tally *unused_next;  /* guarded by tally.c's lock */
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

/* Both by the row's thread. */
static inline void rn__tally_up(struct rn_tally *t, uint32_t k)
{
    /* relaxed, both: our own; whoever must see it comes after a fence, or after a down. */
    rn_store_relaxed(&t->n[k].rn_ups, rn_load_relaxed(&t->n[k].rn_ups) + 1);
}

/* Whoever sees it, or a later one of the same row, comes after what this thread did before it. */
static inline void rn__tally_down(struct rn_tally *t, uint32_t k)
{
    /* release: pairs with the acquire in rn__tally_sum.  relaxed: our own. */
    rn_store_release(&t->n[k].rn_downs, rn_load_relaxed(&t->n[k].rn_downs) + 1);
}

/* No less than the number was at some moment of the call, if from its begin there are only downs, and ups that are followed by a
 * down in the same row: of each row the downs are read first. */
RN_INNER uint32_t rn__tally_sum(uint32_t k);

#endif
