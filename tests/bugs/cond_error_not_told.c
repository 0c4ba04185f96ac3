/* category: communication deadlock / condition variable: a failure is not signalled
 * found-by: leaks
 *
 * Those who wait for the manager to be ready are woken when it is; when it fails, nobody thinks of them. */
#include <runnel.h>
#include <stdlib.h>

struct manager {
    rn_mutex mu;
    rn_cond changed;
    bool ready, awaited;
    int err;
};

static void start(struct manager *m, bool works)
{
    mutex_lock(&m->mu);
    if (!works) {
        m->err = RN_EINVAL;
#ifdef FIXED
        cond_broadcast(&m->changed);
#endif
        mutex_unlock(&m->mu);
        return;
    }
    m->ready = true;
    cond_broadcast(&m->changed);
    mutex_unlock(&m->mu);
}

static bool awaited(struct manager *m)
{
    mutex_lock(&m->mu);
    bool yes = m->awaited;
    mutex_unlock(&m->mu);
    return yes;
}

static void await_ready(struct manager *m)
{
    mutex_lock(&m->mu);
    m->awaited = true;
    while (!m->ready && !m->err)
        cond_wait(&m->changed, &m->mu);
    mutex_unlock(&m->mu);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    struct manager *m = calloc(1, sizeof *m);
    go(await_ready, m);
    while (!awaited(m))
        rn_yield();
    start(m, false);
    rn_sleep(RN_MILLISECOND);
    return 0;
}
