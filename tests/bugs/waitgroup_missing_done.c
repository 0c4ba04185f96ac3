/* category: communication deadlock / waitgroup: no done on an error path
 * found-by: deadlock
 *
 * A backend that can't be reached returns before it says that it is done. */
#include <runnel.h>

static void connect(rn_waitgroup *wg, int backend)
{
#ifdef FIXED
    defer(wg_done, wg);
    if (backend == 2)
        return;
    rn_yield();
#else
    if (backend == 2)
        return;
    rn_yield();
    wg_done(wg);
#endif
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_waitgroup wg = {0};
    for (int i = 0; i < 4; i++) {
        wg_add(&wg, 1);
        go(connect, &wg, i);
    }
    wg_wait(&wg);
    return 0;
}
