/* category: mixed deadlock / channel with a lock held: its receiver needs that lock at every tick
 * found-by: explore
 *
 * put() tells the janitor of each key, under the lock.  When a tick comes while as many keys wait as there is room
 * for, the janitor waits for the lock, and who has it waits for the janitor. */
#include <runnel.h>

struct cache {
    rn_mutex mu;
    int entries;
    chan(int) used;
    chan(rn_unit) stop;
};

static void drop_old(struct cache *c)
{
    mutex_lock(&c->mu);
    c->entries = 0;
    mutex_unlock(&c->mu);
}

static void janitor(struct cache *c)
{
    rn_ticker every;
    rn_ticker_init(&every, 100 * RN_NANOSECOND);
    defer(rn_ticker_destroy, &every);
    for (;;) {
        int key;
        switch (chan_select(on_recv(c->used, &key), on_recv(rn_ticker_chan(&every), NULL), on_recv(c->stop, NULL))) {
        case 1:
            drop_old(c);
            break;
        case 2:
            return;
        }
    }
}

static void put(struct cache *c, int key)
{
    mutex_lock(&c->mu);
    c->entries++;
#ifdef FIXED
    mutex_unlock(&c->mu);
    chan_send(c->used, key);
#else
    chan_send(c->used, key);
    mutex_unlock(&c->mu);
#endif
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    struct cache c = {.used = chan_make(int, 1), .stop = chan_make(rn_unit, 0)};
    rn_waitgroup users = RN_WAITGROUP_INIT, janitors = RN_WAITGROUP_INIT;
    wg_go(&janitors, janitor, &c);
    for (int i = 0; i < 3; i++)
        wg_go(&users, put, &c, i);
    wg_wait(&users);
    chan_close(c.stop);
    wg_wait(&janitors);
    chan_free(c.used);
    chan_free(c.stop);
    return 0;
}
