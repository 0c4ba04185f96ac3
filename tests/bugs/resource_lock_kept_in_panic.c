/* category: resource deadlock / the lock of one who has panicked
 * found-by: leaks
 *
 * A handler panics with the lock held.  The server recovers from that, and nobody unlocks. */
#include <runnel.h>
#include <stdlib.h>

struct server {
    rn_mutex mu;
    int served;
};

static void unlock(void *s)
{
    mutex_unlock(&((struct server *)s)->mu);
}

static void handle(struct server *s, int request)
{
    mutex_lock(&s->mu);
#ifdef FIXED
    defer(unlock, s);
#endif
    if (request == 0)
        rn_panic("no such request");
    s->served++;
#ifndef FIXED
    unlock(s);
#endif
}

static void recover(void *unused)
{
    (void)unused;
    rn_recover();
}

static void serve(struct server *s, int request)
{
    defer(recover, NULL);
    handle(s, request);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    struct server *s = calloc(1, sizeof *s);
    rn_waitgroup wg = {0};
    wg_go(&wg, serve, s, 0);
    wg_wait(&wg);
    go(serve, s, 1);
    rn_sleep(RN_MILLISECOND);
    return 0;
}
