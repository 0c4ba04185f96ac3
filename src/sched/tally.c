/* Rows of counters, one for each thread that counts: see tally.h. */
#include "sched/tally.h"
#include "base/alloc.h"
#include <string.h>

static rn_lock tally_lock;               /* rank SCHED; guards the following, but for all's readers */
static rn_atomic(struct rn_tally *) all; /* any reads */
static struct rn_tally *unused;          /* of threads that have ended */

static struct rn_tally *take_unused(void)
{
    rn_lock_take(&tally_lock, RN_RANK_SCHED);
    struct rn_tally *t = unused;
    if (t)
        unused = t->unused_next;
    rn_lock_release(&tally_lock);
    return t;
}

static struct rn_tally *make(void)
{
    struct rn_tally *t = rn__aligned_alloc(128, sizeof *t);
    if (!t)
        return NULL;
    memset(t, 0, sizeof *t);
    rn_lock_take(&tally_lock, RN_RANK_SCHED);
    t->next = rn_load_relaxed(&all); /* relaxed: written under the lock */
    /* release: pairs with the acquire in rn__tally_sum; publishes the zeros and next. */
    rn_store_release(&all, t);
    rn_lock_release(&tally_lock);
    return t;
}

struct rn_tally *rn__tally_make(struct rn_g **g)
{
    struct rn_m *m = rn__m() ? rn__m() : rn__adopt();
    *g = m->g;
    if (!m->tally)
        m->tally = take_unused();
    if (!m->tally)
        m->tally = make();
    rn__tls_counts = m->tally ? m->tally->n : NULL;
    return m->tally;
}

void rn__tally_drop(struct rn_m *m)
{
    struct rn_tally *t = m->tally;
    if (!t)
        return;
    m->tally = NULL;
    if (m == rn__m())
        rn__tls_counts = NULL;
    rn_lock_take(&tally_lock, RN_RANK_SCHED);
    t->unused_next = unused;
    unused = t;
    rn_lock_release(&tally_lock);
}

uint32_t rn__tally_sum(uint32_t k)
{
    uint32_t sum = 0;
    /* acquire: pairs with the release in make. */
    for (const struct rn_tally *t = rn_load_acquire(&all); t; t = t->next) {
        uint32_t downs = rn_load_acquire(&t->n[k].rn_downs); /* pairs with the release in rn__tally_down */
        sum += rn_load_relaxed(&t->n[k].rn_ups) - downs;     /* relaxed: after the downs, by their acquire */
    }
    return sum;
}
