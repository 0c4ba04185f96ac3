/* category: communication deadlock / waitgroup: waited for before all are started
 * found-by: leaks
 *
 * All plugins are counted beforehand, and after each that is started all are waited for. */
#include <runnel.h>
#include <stdlib.h>

static void start(rn_waitgroup *wg)
{
    wg_done(wg);
}

static void start_all(rn_waitgroup *wg, int n)
{
    wg_add(wg, n);
    for (int i = 0; i < n; i++) {
        go(start, wg);
#ifndef FIXED
        wg_wait(wg);
#endif
    }
    wg_wait(wg);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_waitgroup *wg = calloc(1, sizeof *wg);
    go(start_all, wg, 3);
    rn_sleep(2 * RN_MILLISECOND);
    return 0;
}
