/* category: resource deadlock / double lock: no unlock on an error path
 * found-by: deadlock
 *
 * A client that is closed returns an error from acquire() and keeps the lock; the next call waits for it. */
#include <runnel.h>

struct client {
    rn_mutex mu;
    bool closed;
    int used;
};

static int acquire(struct client *c)
{
    mutex_lock(&c->mu);
    if (c->closed) {
#ifdef FIXED
        mutex_unlock(&c->mu);
#endif
        return -1;
    }
    c->used++;
    mutex_unlock(&c->mu);
    return 0;
}

static void close_client(struct client *c)
{
    mutex_lock(&c->mu);
    c->closed = true;
    mutex_unlock(&c->mu);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    struct client c = {0};
    close_client(&c);
    acquire(&c);
    close_client(&c);
    return 0;
}
