/* category: mixed deadlock / channel with a readers-writer lock held
 * found-by: explore
 *
 * An update is sent with the lock held, and whoever receives the updates takes it for each. */
#include <runnel.h>

struct manager {
    rn_rwmutex mu;
    chan(int) updates;
    int seen;
};

static void sync_all(struct manager *m)
{
    for (int i = 0; i < 2; i++) {
        int v = chan_recv(m->updates);
        rwmutex_rlock(&m->mu);
        m->seen += v;
        rwmutex_runlock(&m->mu);
    }
}

static void set(struct manager *m, int v)
{
    rwmutex_lock(&m->mu);
#ifdef FIXED
    rwmutex_unlock(&m->mu);
    chan_send(m->updates, v);
#else
    chan_send(m->updates, v);
    rwmutex_unlock(&m->mu);
#endif
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    struct manager m = {.updates = chan_make(int, 0)};
    rn_waitgroup wg = {0};
    wg_go(&wg, sync_all, &m);
    wg_go(&wg, set, &m, 1);
    wg_go(&wg, set, &m, 2);
    wg_wait(&wg);
    return 0;
}
