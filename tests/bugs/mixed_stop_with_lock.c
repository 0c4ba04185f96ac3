/* category: mixed deadlock / the end is waited for with a lock held
 * found-by: explore
 *
 * stop() holds the lock until the loop has ended; the loop needs the lock for its last update. */
#include <runnel.h>
#include <stdlib.h>

struct broadcasts {
    rn_mutex mu;
    chan(int) updates;
    chan(rn_unit) done;
    int sum;
};

static void coalesce(struct broadcasts *b)
{
    for (int v; chan_next(b->updates, &v);) {
        mutex_lock(&b->mu);
        b->sum += v;
        mutex_unlock(&b->mu);
    }
    chan_close(b->done);
}

static void stop(struct broadcasts *b)
{
    mutex_lock(&b->mu);
    chan_close(b->updates);
#ifdef FIXED
    mutex_unlock(&b->mu);
    chan_recv(b->done);
#else
    chan_recv(b->done);
    mutex_unlock(&b->mu);
#endif
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    struct broadcasts *b = calloc(1, sizeof *b);
    b->updates = chan_make(int, 1);
    b->done = chan_make(rn_unit, 0);
    go(coalesce, b);
    chan_send(b->updates, 1);
    go(stop, b);
    rn_sleep(5 * RN_MILLISECOND);
    return 0;
}
