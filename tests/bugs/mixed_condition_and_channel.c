/* category: mixed deadlock / a condition variable with a channel
 * found-by: leaks
 *
 * The reader gives the signal after the event that it waits for; the writer sends the next one after the signal. */
#include <runnel.h>
#include <stdlib.h>

struct watcher {
    rn_mutex mu;
    rn_cond taken;
    chan(int) events;
    int n;
};

static void write_events(struct watcher *w)
{
    for (int i = 0; i < 2; i++) {
        mutex_lock(&w->mu);
#ifdef FIXED
        while (w->n > 0)
#else
        while (w->n >= 0)
#endif
            cond_wait(&w->taken, &w->mu);
        w->n = 1;
        mutex_unlock(&w->mu);
        chan_send(w->events, i);
    }
    chan_close(w->events);
}

static void read_events(struct watcher *w)
{
    for (int v; chan_next(w->events, &v);) {
        mutex_lock(&w->mu);
        w->n = 0;
        cond_signal(&w->taken);
        mutex_unlock(&w->mu);
    }
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    struct watcher *w = calloc(1, sizeof *w);
    w->events = chan_make(int, 0);
    go(write_events, w);
    go(read_events, w);
    rn_sleep(RN_MILLISECOND);
    return 0;
}
