/* Threads with rows of counters (sched/tally.h), for model tests of what uses them: every model thread is a
 * worker, on which one goroutine runs. */
#ifndef RN_MODEL_TALLY_H
#define RN_MODEL_TALLY_H

#define RN_TALLIES 2u

/* In place of sched/rt.h. */
#define RN_SCHED_RT_H
#include "engine/model.h"
#include "sched/sched.h"

struct rn_m {
    struct rn_g *g;
    struct rn_tally *tally;
};
static struct rn_m model_tally_m[MODEL_THREADS + 1];

static inline struct rn_m *rn__m(void)
{
    return &model_tally_m[model_self()];
}

static inline struct rn_m *rn__adopt(void)
{
    return rn__m();
}

__thread struct rn_count *rn__tls_counts;
void rn__tally_drop(struct rn_m *m);

#include "sched/tally.c"

/* For setup, where g are the goroutines; nobody has a row yet. */
static inline void model_tally_reset(struct rn_g *g)
{
    tally_lock = (rn_lock){0};
    rn_store_relaxed(&all, NULL);
    unused = NULL;
    for (int i = 0; i <= MODEL_THREADS; i++)
        model_tally_m[i] = (struct rn_m){.g = &g[i]};
}

/* After that: the first n threads have one each, which spares them its making. */
static inline void model_tally_give(struct rn_tally *rows, int n)
{
    for (int i = 0; i < n; i++) {
        memset(&rows[i], 0, sizeof rows[i]);
        rows[i].next = i ? &rows[i - 1] : NULL;
        model_tally_m[i].tally = &rows[i];
        rn_store_relaxed(&all, &rows[i]);
    }
}

#endif
