/* For tests of src/sync: a look inside, and waiting until somebody waits. */
#ifndef TESTS_SYNC_INSIDE_H
#define TESTS_SYNC_INSIDE_H

#include "sched/sched.h"
#include "sync/waitq.h"
#include <runnel/chan.h>
#include <runnel/context.h>
#include <runnel/go.h>
#include <runnel/select.h>
#include <runnel/sync.h>
#include <runnel/test.h>
#include <runnel/time.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static inline int nodes(const struct rn_node *n)
{
    int count = 0;
    for (; n; n = n->next)
        count++;
    return count;
}

/* Who waits in a queue now. */
static inline int waiters(struct rn_waitq *q)
{
    rn__waitq_lock(q);
    int n = nodes(q->rn_first);
    rn__waitq_unlock(q);
    return n;
}

static inline int waiting_readers(rn_rwmutex *m)
{
    rn__waitq_lock(&m->rn_writers);
    int n = nodes(m->rn_reader_first);
    rn__waitq_unlock(&m->rn_writers);
    return n;
}

static inline void await_waiters(struct rn_waitq *q, int n)
{
    while (waiters(q) != n)
        rn_yield();
}

/* Who waits alone is in the word, not in the queue: see waitgroup.c. */
static inline int wg_waiters(rn_waitgroup *wg)
{
    uint64_t alone = rn_load_relaxed(&wg->rn_state) & 0xfffffffe;
    return waiters(&wg->rn_queue) + (alone != 0);
}

static inline void await_wg_waiters(rn_waitgroup *wg, int n)
{
    while (wg_waiters(wg) != n)
        rn_yield();
}

static inline void await_readers(rn_rwmutex *m, int n)
{
    while (waiting_readers(m) != n)
        rn_yield();
}

static inline void await_goroutines(size_t n)
{
    while (rn_num_goroutines() != n)
        rn_yield();
}

/* Pseudo-random numbers from a seed (xorshift64*): the same everywhere. */
static inline uint64_t next_random(uint64_t *state)
{
    uint64_t x = *state ? *state : 88172645463325252u;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return x * 2685821657736338717u;
}

#endif
