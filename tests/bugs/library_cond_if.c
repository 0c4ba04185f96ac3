/* category: special libraries / the condition is tested once
 * found-by: explore, vet
 *
 * Two consumers wait for an item; both are woken, and the second one takes what is no longer there. */
#include <runnel.h>

struct queue {
    rn_mutex mu;
    rn_cond filled;
    int n, least;
};

static void take(struct queue *q)
{
    mutex_lock(&q->mu);
#ifdef FIXED
    while (q->n == 0)
#else
    if (q->n == 0)
#endif
        cond_wait(&q->filled, &q->mu);
    q->n--;
    if (q->n < q->least)
        q->least = q->n;
    mutex_unlock(&q->mu);
}

static void put(struct queue *q)
{
    mutex_lock(&q->mu);
    q->n++;
    mutex_unlock(&q->mu);
    cond_broadcast(&q->filled);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_waitgroup wg = {0};
    struct queue q = {0};
    for (int i = 0; i < 2; i++)
        wg_go(&wg, take, &q);
    for (int i = 0; i < 2; i++)
        wg_go(&wg, put, &q);
    wg_wait(&wg);
    return q.least < 0 ? 1 : 0;
}
