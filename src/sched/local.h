/* Data per processor, for the layers above.
 *
 *     struct rn_m *m;
 *     int p = rn__local_enter(&m);     // the number of this goroutine's processor, < RN_PROCS_MAX
 *     if (p >= 0) { …; rn__local_leave(m); }
 *
 * Between the two nobody else is between them with the same number, so what is kept under that number
 * needs no lock and no atomic operation: a processor has one worker at a time, and that one is inside
 * (own.h) while it uses it.  Keep it to a few loads and stores: no park, no lock, no call of anything
 * that enters the runtime.  A plain thread has no processor: -1, and no leave.
 * Happens before: a leave before the next enter with the same number.
 */
#ifndef RN_SCHED_LOCAL_H
#define RN_SCHED_LOCAL_H

#include "sched/rt.h"

int rn__local_enter_slow(struct rn_m **m);

static inline int rn__local_enter(struct rn_m **to)
{
    struct rn_m *m = rn__m();
    if (__builtin_expect(!m || !rn_own_try_enter(&m->own), 0))
        return rn__local_enter_slow(to);
    if (__builtin_expect(!m->p, 0)) {
        rn_own_leave(&m->own);
        return rn__local_enter_slow(to);
    }
    *to = m;
    return (int)m->p->id;
}

static inline void rn__local_leave(struct rn_m *m)
{
    rn_own_leave(&m->own);
}

#endif
