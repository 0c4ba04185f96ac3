/* Cases of a select that are no channels: what a higher layer supplies (src/net, for descriptors).
 *
 * A case of kind RN_CASE_OUTSIDE has a struct rn_case_ops in `chan` and its subject in `timeout`.  Its
 * readiness is a level, asked for by `ready`; while the select waits, the case's own waiters stand in the
 * higher layer's queues, with the select's claim word, and whoever wakes one of them claims it first, as
 * everywhere (sched.h).  A wake-up means no more than that it is worth asking again.
 */
#ifndef RN_CHAN_OUTSIDE_H
#define RN_CHAN_OUTSIDE_H

#include "sched/sched.h"
#include <runnel/select.h>

/* One such case while its select waits; lives in the select's frame, or on the heap. */
struct rn_outside {
    const struct rn_case *of;
    struct rn_waiter w[2]; /* g and claim are set */
    void *state;           /* the layer's own; NULL: it does not wait */
};

struct rn_case_ops {
    /* Whether it is ready now; never blocks.  With `take` the case has been chosen, and may leave what
     * it has to tell in elem. */
    bool (*ready)(const struct rn_case *k, bool take);
    /* Begins to wait: 0; or 1 when it is ready by now, or an error when it can't wait for want of
     * something; then it does not wait.  With no lock held.  The waiters may be woken from now on. */
    int (*enqueue)(struct rn_outside *o);
    /* Waits no more, whether it was woken or not; called once for each enqueue that returned 0. */
    void (*dequeue)(struct rn_outside *o);
};

#endif
