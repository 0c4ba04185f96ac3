/* (d) 8 producers, 8 consumers, capacity 128; one operation is one message; a quarter as many. */
#define _GNU_SOURCE 1
#include "../../stat.h"
#include "on.h"
#include "queue.h"

enum { N = 1000000, SIDES = 8 };

static struct queue queue;

static void *produce(void *arg)
{
    for (long i = 0; i < N / SIDES; i++)
        queue_put(&queue, i);
    return arg;
}

static void *consume(void *arg)
{
    long *sum = arg;
    for (long v; queue_get(&queue, &v);)
        *sum += v;
    return NULL;
}

static void mpmc(void)
{
    pthread_t producers[SIDES], consumers[SIDES];
    long sum[SIDES] = {0}, all = 0, m = N / SIDES;
    queue_init(&queue, 128);
    for (int i = 0; i < SIDES; i++)
        stat_check(pthread_create(&producers[i], NULL, produce, NULL) == 0 &&
                   pthread_create(&consumers[i], NULL, consume, &sum[i]) == 0);
    for (int i = 0; i < SIDES; i++)
        pthread_join(producers[i], NULL);
    queue_close(&queue);
    for (int i = 0; i < SIDES; i++) {
        pthread_join(consumers[i], NULL);
        all += sum[i];
    }
    stat_check(all == SIDES * m * (m - 1) / 2);
}

int main(void)
{
    for (int i = 0, p; (p = stat_procs(i)); i++) {
        run_on(p);
        stat_bench(stat_name("d.mpmc_8x8_cap128", p), 11, N, mpmc);
    }
    return 0;
}
