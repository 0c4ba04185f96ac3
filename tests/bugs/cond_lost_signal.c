/* category: communication deadlock / condition variable: the signal comes first
 * found-by: explore
 *
 * The flag is looked at and the wait begun under two locks of the mutex: the signal fits in between. */
#include <runnel.h>

struct gate {
    rn_mutex mu;
    rn_cond opened;
    bool open;
};

static void pass(struct gate *g)
{
    mutex_lock(&g->mu);
#ifdef FIXED
    while (!g->open)
        cond_wait(&g->opened, &g->mu);
    mutex_unlock(&g->mu);
#else
    bool open = g->open;
    mutex_unlock(&g->mu);
    if (open)
        return;
    mutex_lock(&g->mu);
    cond_wait(&g->opened, &g->mu);
    mutex_unlock(&g->mu);
#endif
}

static void open_gate(struct gate *g)
{
    mutex_lock(&g->mu);
    g->open = true;
    cond_signal(&g->opened);
    mutex_unlock(&g->mu);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    struct gate g = {0};
    rn_waitgroup wg = {0};
    wg_go(&wg, pass, &g);
    wg_go(&wg, open_gate, &g);
    wg_wait(&wg);
    return 0;
}
