/* category: data race / wrong lock
 * found-by: race
 *
 * Each worker has a struct with a mutex of its own, and takes that one around the total that all of them
 * share.  Every access is locked, and none is protected. */
#include <runnel.h>

struct worker {
    rn_mutex mu;
    int id;
};
static rn_mutex total_mu;
static long total;

static void add(struct worker *w)
{
#ifdef FIXED
    rn_mutex *mu = &total_mu;
#else
    rn_mutex *mu = &w->mu;
#endif
    mutex_lock(mu);
    total += w->id;
    mutex_unlock(mu);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_waitgroup wg = {0};
    struct worker w[2] = {{.id = 1}, {.id = 2}};
    for (int i = 0; i < 2; i++)
        wg_go(&wg, add, &w[i]);
    wg_wait(&wg);
    mutex_lock(&total_mu);
    long sum = total;
    mutex_unlock(&total_mu);
    return sum > 0 ? 0 : 1;
}
