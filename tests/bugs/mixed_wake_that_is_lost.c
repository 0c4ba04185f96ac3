/* category: mixed deadlock / channel with a lock: a wake-up that nobody waits for yet
 * found-by: explore
 *
 * The keeper sees under the lock that there is no stream, and waits after it; a wake-up between the two finds nobody
 * and is dropped. */
#include <runnel.h>

struct transport {
    rn_mutex mu;
    chan(rn_unit) awaken;
    int streams;
};

static void keep_alive(struct transport *t)
{
    mutex_lock(&t->mu);
    bool sleep = t->streams == 0;
    mutex_unlock(&t->mu);
    if (sleep)
        chan_recv(t->awaken);
}

static void new_stream(struct transport *t)
{
    mutex_lock(&t->mu);
    if (t->streams++ == 0)
        chan_try_send(t->awaken, RN_UNIT);
    mutex_unlock(&t->mu);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
#ifdef FIXED
    struct transport t = {.awaken = chan_make(rn_unit, 1)};
#else
    struct transport t = {.awaken = chan_make(rn_unit, 0)};
#endif
    rn_waitgroup wg = {0};
    wg_go(&wg, keep_alive, &t);
    wg_go(&wg, new_stream, &t);
    wg_wait(&wg);
    return 0;
}
