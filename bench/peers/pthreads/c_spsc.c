/* (c) one producer, one consumer, capacity 128; one operation is one message; a fifth as many. */
#define _GNU_SOURCE 1
#include "../../stat.h"
#include "on.h"
#include "queue.h"

static const long N = 1000000;

static struct queue queue;

static void *add_up(void *arg)
{
    long *sum = arg;
    for (long v; queue_get(&queue, &v);)
        *sum += v;
    return NULL;
}

static void buffered(void)
{
    pthread_t t;
    long sum = 0;
    queue_init(&queue, 128);
    stat_check(pthread_create(&t, NULL, add_up, &sum) == 0);
    for (long i = 0; i < N; i++)
        queue_put(&queue, i);
    queue_close(&queue);
    pthread_join(t, NULL);
    stat_check(sum == N * (N - 1) / 2);
}

int main(void)
{
    for (int i = 0, p; (p = stat_procs(i)); i++) {
        run_on(p);
        stat_bench(stat_name("c.spsc_cap128", p), 11, N, buffered);
    }
    return 0;
}
