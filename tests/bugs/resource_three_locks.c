/* category: resource deadlock / a ring of three locks
 * found-by: explore
 *
 * Each of three parts locks itself and then the next one: no two of them disagree, all three together do. */
#include <runnel.h>

struct part {
    rn_mutex *own, *next;
    int seen;
};

static void look(struct part *p)
{
    mutex_lock(p->own);
    mutex_lock(p->next);
    p->seen++;
    mutex_unlock(p->next);
    mutex_unlock(p->own);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_mutex mu[3] = {0};
    struct part part[3];
    rn_waitgroup wg = {0};
    for (int i = 0; i < 3; i++) {
#ifdef FIXED
        part[i] = i == 2 ? (struct part){&mu[0], &mu[2], 0} : (struct part){&mu[i], &mu[i + 1], 0};
#else
        part[i] = (struct part){&mu[i], &mu[(i + 1) % 3], 0};
#endif
        wg_go(&wg, look, &part[i]);
    }
    wg_wait(&wg);
    return 0;
}
