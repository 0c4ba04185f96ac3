/* category: resource deadlock / double lock: the callee takes it again
 * found-by: leaks
 *
 * add() holds the lock and, when it fails, calls remove_all(), which takes the lock itself.  Main goes on. */
#include <runnel.h>
#include <stdlib.h>

struct set {
    rn_mutex mu;
    int n, most;
};

static void remove_all(struct set *s)
{
    mutex_lock(&s->mu);
    s->n = 0;
    mutex_unlock(&s->mu);
}

static void add(struct set *s)
{
    mutex_lock(&s->mu);
    bool full = ++s->n > s->most;
#ifdef FIXED
    mutex_unlock(&s->mu);
    if (full)
        remove_all(s);
#else
    if (full)
        remove_all(s);
    mutex_unlock(&s->mu);
#endif
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    struct set *s = calloc(1, sizeof *s);
    go(add, s);
    rn_sleep(RN_MILLISECOND);
    return 0;
}
