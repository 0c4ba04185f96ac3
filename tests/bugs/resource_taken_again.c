/* category: resource deadlock / a lock is let go, and taken again within another
 * found-by: explore
 *
 * save() lets the cache go while it writes the page, and takes it again with the page still locked; who comes
 * meanwhile holds the cache, and waits for the page. */
#include <runnel.h>

struct cache {
    rn_mutex mu, page;
    int dirty, saved;
};

static void save(struct cache *c)
{
    mutex_lock(&c->mu);
    mutex_lock(&c->page);
    int bytes = c->dirty;
    mutex_unlock(&c->mu);
    rn_yield(); /* bytes go to the disk */
#ifdef FIXED
    mutex_unlock(&c->page);
    mutex_lock(&c->mu);
    c->saved += bytes;
#else
    mutex_lock(&c->mu);
    c->saved += bytes;
    mutex_unlock(&c->page);
#endif
    mutex_unlock(&c->mu);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    struct cache c = {.dirty = 1};
    rn_waitgroup wg = {0};
    wg_go(&wg, save, &c);
    wg_go(&wg, save, &c);
    wg_wait(&wg);
    return 0;
}
