/* (g) rn_yield between 2 and 1000 goroutines on one processor; one operation is one yield. */
#include "stat.h"

enum { N = 5000000 };

static void yield_often(int n)
{
    for (int i = 0; i < n; i++)
        rn_yield();
}

static void among(int goroutines)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int k = 0; k < goroutines; k++)
        wg_go(&wg, yield_often, 2 * N / goroutines);
    wg_wait(&wg);
}

static void two(void)
{
    among(2);
}

static void thousand(void)
{
    among(1000);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_set_procs(1);
    stat_bench("g.gosched_2g.P1", 11, 2 * N, two);
    stat_bench("g.gosched_1000g.P1", 11, 2 * N, thousand);
    return 0;
}
