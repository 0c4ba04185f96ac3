/* category: resource deadlock / a write lock within a read lock
 * found-by: leaks
 *
 * sync() reads the list of members under the read lock, and pins the first one, for which it needs the write lock. */
#include <runnel.h>
#include <stdlib.h>

struct members {
    rn_rwmutex mu;
    int n, pinned;
};

static void pin(struct members *m)
{
    rwmutex_lock(&m->mu);
    m->pinned = m->n;
    rwmutex_unlock(&m->mu);
}

static void sync_members(struct members *m)
{
    rwmutex_rlock(&m->mu);
    bool changed = m->n != m->pinned;
#ifdef FIXED
    rwmutex_runlock(&m->mu);
#endif
    if (changed)
        pin(m);
#ifndef FIXED
    rwmutex_runlock(&m->mu);
#endif
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    struct members *m = calloc(1, sizeof *m);
    m->n = 3;
    go(sync_members, m);
    rn_sleep(RN_MILLISECOND);
    return 0;
}
