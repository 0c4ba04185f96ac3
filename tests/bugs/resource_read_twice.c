/* category: resource deadlock / a read lock within a read lock
 * found-by: explore
 *
 * A writer that comes between the two read locks waits for the first one, and the second one waits behind the
 * writer. */
#include <runnel.h>

struct cache {
    rn_rwmutex mu;
    int size;
};

static int size(struct cache *c)
{
    rwmutex_rlock(&c->mu);
    int n = c->size;
    rwmutex_runlock(&c->mu);
    return n;
}

static void print(struct cache *c)
{
#ifndef FIXED
    rwmutex_rlock(&c->mu);
#endif
    size(c);
#ifndef FIXED
    rwmutex_runlock(&c->mu);
#endif
}

static void insert(struct cache *c)
{
    rwmutex_lock(&c->mu);
    c->size++;
    rwmutex_unlock(&c->mu);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    struct cache c = {0};
    rn_waitgroup wg = {0};
    wg_go(&wg, print, &c);
    wg_go(&wg, insert, &c);
    wg_wait(&wg);
    return 0;
}
