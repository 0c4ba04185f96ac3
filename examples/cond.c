/* A condition variable: wait in a loop for a state that a mutex guards.  Here: a bounded queue, as
 * a channel would be, made by hand. */
#include <runnel.h>
#include <stdio.h>

enum { ROOM = 4 };

struct queue {
    rn_mutex mu;
    rn_cond changed;
    int item[ROOM]; /* these guarded by mu */
    unsigned in, out;
};

static void put(struct queue *q, int v)
{
    mutex_lock(&q->mu);
    while (q->in - q->out == ROOM)
        cond_wait(&q->changed, &q->mu); /* unlocks, waits, locks again */
    q->item[q->in++ % ROOM] = v;
    cond_broadcast(&q->changed);
    mutex_unlock(&q->mu);
}

static int take(struct queue *q)
{
    mutex_lock(&q->mu);
    while (q->in == q->out)
        cond_wait(&q->changed, &q->mu);
    int v = q->item[q->out++ % ROOM];
    cond_broadcast(&q->changed);
    mutex_unlock(&q->mu);
    return v;
}

static void produce(struct queue *q, int n)
{
    for (int i = 1; i <= n; i++)
        put(q, i);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    struct queue q = {.in = 0};
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_go(&wg, produce, &q, 100);
    int sum = 0;
    for (int i = 0; i < 100; i++)
        sum += take(&q);
    wg_wait(&wg);
    printf("%d\n", sum);
    return 0;
}
