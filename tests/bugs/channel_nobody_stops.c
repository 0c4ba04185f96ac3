/* category: communication deadlock / channel: the signal to stop is not given
 * found-by: leaks
 *
 * poll() returns when its condition holds, and leaves the goroutine that ticks for it behind. */
#include <runnel.h>

static void tick(chan_send_only(int) out, chan_recv_only(rn_unit) done)
{
    for (int i = 0;; i++) {
        rn_unit u;
        if (chan_select(on_send(out, i), on_recv(done, &u)) == 1)
            return;
    }
}

static void poll(void)
{
    chan(int) ticks = chan_make(int, 0);
    chan(rn_unit) done = chan_make(rn_unit, 0);
    go(tick, ticks, done);
    for (int n; chan_next(ticks, &n);)
        if (n == 3)
            break;
#ifdef FIXED
    chan_close(done);
#endif
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    poll();
    rn_sleep(RN_MILLISECOND);
    return 0;
}
