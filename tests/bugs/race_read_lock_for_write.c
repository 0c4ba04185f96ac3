/* category: data race / write under a read lock
 * found-by: race
 *
 * A cache counts its hits in the look-up, which only takes the read lock: many readers are inside at the same
 * time, and all of them write. */
#include <runnel.h>

static rn_rwmutex mu;
static int value = 7, hits;

static void look_up(int *to)
{
    rwmutex_rlock(&mu);
    *to = value;
#ifndef FIXED
    hits++;
#endif
    rwmutex_runlock(&mu);
#ifdef FIXED
    rwmutex_lock(&mu);
    hits++;
    rwmutex_unlock(&mu);
#endif
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_waitgroup wg = {0};
    int found[3] = {0};
    for (int i = 0; i < 3; i++)
        wg_go(&wg, look_up, &found[i]);
    wg_wait(&wg);
    return found[2] == 7 && hits > 0 ? 0 : 1;
}
