/* ctx_after_func runs a function when a context is done: to wake what does not know of contexts.
 * ctx_without_cancel keeps the values but not the end: for what must be finished all the same. */
#include <runnel.h>
#include <stdio.h>

static void hang_up(chan_send_only(rn_unit) wake)
{
    chan_close(wake);
}

static void write_log(rn_context *ctx)
{
    printf("log: %s\n", rn_strerror(ctx_err(ctx)));
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    chan(rn_unit) wake = chan_make(rn_unit, 0), never = chan_make(rn_unit, 0);
    defer(chan_free, wake);
    defer(chan_free, never);

    rn_context *ctx = ctx_with_cancel(ctx_background());
    rn_context *after = ctx_without_cancel(ctx);
    defer(ctx_cancel, after);
    ctx_after_func(ctx, hang_up, wake);
    rn_ctx_after *other = ctx_after_func(ctx, hang_up, never);
    printf("stopped: %s\n", ctx_after_stop(other) ? "yes" : "no");

    ctx_cancel(ctx);
    chan_recv(wake); /* closed by hang_up */
    puts("woken");
    write_log(after);
    return 0;
}
