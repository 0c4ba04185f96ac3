/* The gate between plain threads and a run's memory.
 *
 * A plain thread that wakes a goroutine touches what ends with the run: the goroutine's record and stack, the workers'
 * records, the queues.  It goes through the gate before that: from its claim of a waiter (sched.h, rn__may_wake) until
 * the goroutine is queued, or while it starts one (spawn.c).  Who ends the run shuts the gate and waits until nobody
 * is inside.  Whoever comes later finds it shut, and leaves the goroutine alone, as one that somebody else has woken.
 *
 *     thread:  inside++; open? no -> inside--, no      the end:  open = 0; wait until inside == 0; free
 *              use; inside--
 *
 * All four are seq_cst: in their one order either the end's look at `inside` comes after the thread's addition, and the end
 * waits for it, or the thread's look at `open` comes after the end's store, and it stays outside.  A thread's last access
 * comes before its subtraction (release), which the end's look acquires.
 *
 * The next run opens it when all that a thread may touch is there (release); whoever finds it open has seen that.
 *
 * Goroutines need no gate: the end waits for their workers.  So only plain threads pay for it: two atomic operations for
 * each goroutine that they wake.
 *
 * Model test: tests/model/gate.c. */
#ifndef RN_SCHED_GATE_H
#define RN_SCHED_GATE_H

#include "base/atomic.h"
#include <stdbool.h>
#include <stdint.h>

struct rn_gate {
    rn_atomic(uint32_t) inside; /* goroutines that are being woken or started */
    rn_atomic(uint32_t) open;
};

static inline void rn_gate_leave(struct rn_gate *g, uint32_t n)
{
    /* release: pairs with the look in empty. */
    rn_sub_release(&g->inside, n);
}

static inline bool rn_gate_enter(struct rn_gate *g)
{
    /* seq_cst, both, and in close and empty: see the head. */
    rn_add_seq_cst(&g->inside, 1);
    if (rn_load_seq_cst(&g->open) != 0)
        return true;
    rn_gate_leave(g, 1);
    return false;
}

static inline void rn_gate_close(struct rn_gate *g)
{
    rn_store_seq_cst(&g->open, 0);
}

static inline bool rn_gate_is_empty(struct rn_gate *g)
{
    return rn_load_seq_cst(&g->inside) == 0;
}

static inline void rn_gate_open(struct rn_gate *g)
{
    /* release: pairs with the look in enter. */
    rn_store_release(&g->open, 1);
}

#endif
