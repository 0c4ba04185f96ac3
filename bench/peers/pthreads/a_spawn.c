/* (a) start and join one by one, a two-hundredth as often as the others do: it is slow. */
#define _GNU_SOURCE 1
#include "../../stat.h"
#include "on.h"
#include <pthread.h>

enum { N = 5000 };

static void *nothing(void *arg)
{
    return arg;
}

static void one_by_one(void)
{
    for (int i = 0; i < N; i++) {
        pthread_t t;
        stat_check(pthread_create(&t, NULL, nothing, NULL) == 0 && pthread_join(t, NULL) == 0);
    }
}

int main(void)
{
    for (int i = 0, p; (p = stat_procs(i)); i++) {
        run_on(p);
        stat_bench(stat_name("a.spawn_join_one_by_one", p), 11, N, one_by_one);
    }
    return 0;
}
