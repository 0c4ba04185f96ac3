/* A rate limit: 100 calls a second, and bursts of 5.  The tokens are what a channel holds; a ticker adds
 * one at a time, unless the channel is full.  (Go: golang.org/x/time/rate.) */
#include <runnel.h>
#include <stdio.h>

enum { BURST = 5, CALLS = 15 };

static void refill(rn_context *ctx, chan_send_only(rn_unit) tokens, rn_duration every)
{
    rn_ticker t;
    rn_ticker_init(&t, every);
    defer(rn_ticker_destroy, &t);
    while (chan_recv_ctx(ctx, rn_ticker_chan(&t), NULL) == 0)
        (void)chan_try_send(tokens, RN_UNIT); /* full: this token is not needed */
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_context *ctx = ctx_with_cancel(ctx_background());
    chan(rn_unit) tokens = chan_make(rn_unit, BURST);
    for (int i = 0; i < BURST; i++)
        chan_send(tokens, RN_UNIT);
    rn_time start = rn_now();
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_go(&wg, refill, ctx, tokens, 10 * RN_MILLISECOND);

    for (int i = 0; i < CALLS; i++)
        chan_recv(tokens); /* then make the call; chan_recv_ctx gives up, chan_try_recv does not wait */
    bool kept = rn_since(start) >= (CALLS - BURST) * 10 * RN_MILLISECOND;
    printf("not faster than allowed: %s\n", kept ? "yes" : "no");

    ctx_cancel(ctx);
    wg_wait(&wg);
    chan_free(tokens);
    return 0;
}
