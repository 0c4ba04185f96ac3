/* category: resource deadlock / two locks in both orders
 * found-by: explore
 *
 * release() takes the table's lock and then the lease's, drop() the other way round. */
#include <runnel.h>

struct table {
    rn_mutex mu, lease;
    int leases;
};

static void release(struct table *t)
{
    mutex_lock(&t->mu);
    mutex_lock(&t->lease);
    t->leases--;
    mutex_unlock(&t->lease);
    mutex_unlock(&t->mu);
}

static void drop(struct table *t)
{
#ifdef FIXED
    mutex_lock(&t->mu);
    mutex_lock(&t->lease);
#else
    mutex_lock(&t->lease);
    mutex_lock(&t->mu);
#endif
    t->leases = 0;
    mutex_unlock(&t->mu);
    mutex_unlock(&t->lease);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    struct table t = {.leases = 1};
    rn_waitgroup wg = {0};
    wg_go(&wg, release, &t);
    wg_go(&wg, drop, &t);
    wg_wait(&wg);
    return 0;
}
