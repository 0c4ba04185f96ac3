/* Data per processor: see local.h.  A processor has one worker at a time, and that one is inside (own.h)
 * while it uses it; so to be inside is to have the processor's data for oneself. */
#include "sched/local.h"
#include "sched/rt.h"

int rn__local_enter(struct rn_m **to)
{
    struct rn_m *m = rn__enter();
    if (__builtin_expect(!m->p, 0)) {
        rn__leave(m);
        return -1;
    }
    *to = m;
    return (int)m->p->id;
}

void rn__local_leave(struct rn_m *m)
{
    rn__leave(m);
}
