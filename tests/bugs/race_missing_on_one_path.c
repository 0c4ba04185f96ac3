/* category: data race / one path without the lock
 * found-by: race
 *
 * Closing takes the lock and sets the flag; the error path of a request, written later, sets the same flag on
 * its own. */
#include <runnel.h>

struct conn {
    rn_mutex mu;
    bool closed;
    int requests;
};

static void close_conn(struct conn *c)
{
    mutex_lock(&c->mu);
    c->closed = true;
    mutex_unlock(&c->mu);
}

static void request(struct conn *c, bool broken)
{
    if (broken) {
#ifdef FIXED
        close_conn(c);
#else
        c->closed = true;
#endif
        return;
    }
    mutex_lock(&c->mu);
    c->requests += !c->closed;
    mutex_unlock(&c->mu);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_waitgroup wg = {0};
    struct conn c = {0};
    wg_go(&wg, request, &c, true);
    wg_go(&wg, request, &c, false);
    wg_go(&wg, close_conn, &c);
    wg_wait(&wg);
    return c.closed ? 0 : 1;
}
