/* category: special libraries / more wg_done than wg_add
 * found-by: panic
 *
 * The error path calls wg_done, and so does the deferred call. */
#include <runnel.h>

static void worker(rn_waitgroup *wg, int err)
{
    defer(wg_done, wg);
    if (err) {
#ifndef FIXED
        wg_done(wg);
#endif
        return;
    }
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_waitgroup wg = {0};
    wg_add(&wg, 1);
    go(worker, &wg, 1);
    wg_wait(&wg);
    rn_yield();
    rn_waitgroup all = {0};
    wg_add(&all, 2);
    go(worker, &all, 1);
    go(worker, &all, 1);
    wg_wait(&all);
    return 0;
}
