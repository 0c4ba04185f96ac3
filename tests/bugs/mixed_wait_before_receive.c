/* category: mixed deadlock / channel with a waitgroup
 * found-by: deadlock
 *
 * All workers are waited for before the first of their results, for which there is no room, is received. */
#include <runnel.h>

static void work(int n, chan_send_only(int) out)
{
    chan_send(out, n * n);
}

static void close_after(rn_waitgroup *wg, chan_send_only(int) out)
{
    wg_wait(wg);
    chan_close(out);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    chan(int) out = chan_make(int, 0);
    rn_waitgroup wg = {0};
    int sum = 0;
    for (int i = 0; i < 4; i++)
        wg_go(&wg, work, i, out);
#ifdef FIXED
    go(close_after, &wg, out);
#else
    close_after(&wg, out);
#endif
    for (int v; chan_next(out, &v);)
        sum += v;
    return sum == 14 ? 0 : 1;
}
