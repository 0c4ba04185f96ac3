/* category: mixed deadlock / channel with a lock held
 * found-by: explore
 *
 * The watcher sends its event with the lock held; whoever stops the watching needs the lock before the last event. */
#include <runnel.h>

struct mux {
    rn_mutex mu;
    chan(int) events;
    bool watching;
};

static void distribute(struct mux *m)
{
    for (int i = 0; i < 2; i++) {
        mutex_lock(&m->mu);
        if (m->watching)
#ifdef FIXED
            chan_try_send(m->events, i);
#else
            chan_send(m->events, i);
#endif
        mutex_unlock(&m->mu);
    }
}

static void watch_one(struct mux *m)
{
    int got;
    chan_select(on_recv(m->events, &got), on_timeout(RN_SECOND));
    mutex_lock(&m->mu);
    m->watching = false;
    mutex_unlock(&m->mu);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    struct mux m = {.events = chan_make(int, 0), .watching = true};
    rn_waitgroup wg = {0};
    wg_go(&wg, watch_one, &m);
    wg_go(&wg, distribute, &m);
    wg_wait(&wg);
    return 0;
}
