/* category: special libraries / a stopped ticker's channel is not closed
 * found-by: leaks
 *
 * The loop takes the stop of its ticker for its own. */
#include <runnel.h>

static void report(chan_recv_only(rn_time) ticks, chan_recv_only(rn_unit) done)
{
    for (;;) {
        rn_time when;
        rn_unit u;
        if (chan_select(on_recv(ticks, &when), on_recv(done, &u)) == 1)
            return;
    }
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    static rn_ticker ticker;
    chan(rn_unit) done = chan_make(rn_unit, 0);
    rn_ticker_init(&ticker, RN_MILLISECOND);
    go(report, rn_ticker_chan(&ticker), done);
    rn_sleep(3 * RN_MILLISECOND);
    rn_ticker_stop(&ticker);
#ifdef FIXED
    chan_close(done);
    rn_sleep(RN_MILLISECOND);
#endif
    return 0;
}
