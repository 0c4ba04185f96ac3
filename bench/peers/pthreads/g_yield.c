/* (g) sched_yield between 2 threads on one processor; one operation is one yield. */
#define _GNU_SOURCE 1
#include "../../stat.h"
#include "on.h"
#include <pthread.h>

enum { N = 100000 };

static void *yield_often(void *arg)
{
    for (int i = 0; i < N; i++)
        sched_yield();
    return arg;
}

static void two(void)
{
    pthread_t a, b;
    stat_check(pthread_create(&a, NULL, yield_often, NULL) == 0 && pthread_create(&b, NULL, yield_often, NULL) == 0);
    pthread_join(a, NULL);
    pthread_join(b, NULL);
}

int main(void)
{
    run_on(1);
    stat_bench("g.gosched_2g.P1", 11, 2L * N, two);
    return 0;
}
