/* category: communication deadlock / condition: one for two kinds of waiters, and a signal for one of them
 * found-by: explore
 *
 * Who puts wakes one, meant for a taker, and it may be another who puts; so with who takes.  Then all wait. */
#include <runnel.h>

struct slot {
    rn_mutex lock;
    rn_cond changed;
    int n;
};

static void change(struct slot *s, int from, int to)
{
    mutex_lock(&s->lock);
    while (s->n != from)
        cond_wait(&s->changed, &s->lock);
    s->n = to;
#ifdef FIXED
    cond_broadcast(&s->changed);
#else
    cond_signal(&s->changed);
#endif
    mutex_unlock(&s->lock);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    struct slot s = {0};
    rn_waitgroup wg = {0};
    for (int i = 0; i < 3; i++) {
        wg_go(&wg, change, &s, 0, 1);
        wg_go(&wg, change, &s, 1, 0);
    }
    wg_wait(&wg);
    return 0;
}
