/* category: communication deadlock / condition variable: a signal where all wait
 * found-by: leaks
 *
 * Three wait for the plugin to be active; one of them is told. */
#include <runnel.h>
#include <stdlib.h>

struct plugin {
    rn_mutex mu;
    rn_cond changed;
    int waiting;
    bool active;
};

static void await_active(struct plugin *p)
{
    mutex_lock(&p->mu);
    p->waiting++;
    while (!p->active)
        cond_wait(&p->changed, &p->mu);
    mutex_unlock(&p->mu);
}

static int waiting(struct plugin *p)
{
    mutex_lock(&p->mu);
    int n = p->waiting;
    mutex_unlock(&p->mu);
    return n;
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    struct plugin *p = calloc(1, sizeof *p);
    for (int i = 0; i < 3; i++)
        go(await_active, p);
    while (waiting(p) < 3)
        rn_yield();
    mutex_lock(&p->mu);
    p->active = true;
    mutex_unlock(&p->mu);
#ifdef FIXED
    cond_broadcast(&p->changed);
#else
    cond_signal(&p->changed);
#endif
    rn_sleep(RN_MILLISECOND);
    return 0;
}
