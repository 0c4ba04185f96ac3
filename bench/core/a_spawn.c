/* (a) spawn and waitgroup join of an empty function, 1 M goroutines. */
#include "stat.h"

enum { N = 1000000 };

static void all_at_once(void)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_add(&wg, N);
    for (int i = 0; i < N; i++)
        go(wg_done, &wg);
    wg_wait(&wg);
}

static void one_by_one(void)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < N; i++) {
        wg_add(&wg, 1);
        go(wg_done, &wg);
        wg_wait(&wg);
    }
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    for (int i = 0, p; (p = stat_procs(i)); i++) {
        rn_set_procs(p);
        stat_bench(stat_name("a.spawn_wg_1M", p), 11, N, all_at_once);
        stat_bench(stat_name("a.spawn_join_one_by_one", p), 11, N, one_by_one);
    }
    return 0;
}
