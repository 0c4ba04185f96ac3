/* Data per processor: see local.h. */
#include "sched/local.h"

int rn__local_enter_slow(struct rn_m **to)
{
    struct rn_m *m = rn__enter();
    if (!m->p) {
        rn__leave(m);
        return -1;
    }
    *to = m;
    return (int)m->p->id;
}
