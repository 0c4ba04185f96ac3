/* (f) mutex, alone and with 8 threads. */
#define _GNU_SOURCE 1
#include "../../stat.h"
#include "on.h"
#include <pthread.h>

enum { N = 20000000, M = 4000000, G = 8 };

static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
static volatile long x;

static void *lock_often(void *n)
{
    for (long i = 0; i < (long)n; i++) {
        pthread_mutex_lock(&mu);
        x++;
        pthread_mutex_unlock(&mu);
    }
    return NULL;
}

static void alone(void)
{
    lock_often((void *)(long)N);
}

static void contended(void)
{
    pthread_t t[G];
    for (int i = 0; i < G; i++)
        stat_check(pthread_create(&t[i], NULL, lock_often, (void *)(long)(M / G)) == 0);
    for (int i = 0; i < G; i++)
        pthread_join(t[i], NULL);
}

int main(void)
{
    pthread_t t; /* from the first thread on libc's lock is atomic */
    stat_check(pthread_create(&t, NULL, lock_often, (void *)1) == 0);
    pthread_join(t, NULL);
    stat_bench("f.mutex_uncontended", 11, N, alone);
    for (int i = 0, p; (p = stat_procs(i)); i++) {
        run_on(p);
        x = 0;
        stat_bench(stat_name("f.mutex_8g_contended", p), 11, M, contended);
        stat_check(x % M == 0 && x > 0);
    }
    return 0;
}
