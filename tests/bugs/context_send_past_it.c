/* category: communication deadlock / channel and context: a send without it
 * found-by: leaks
 *
 * The reader heeds the context, and leaves; the writer does not. */
#include <runnel.h>

static void split(rn_context *ctx, chan_recv_only(int) ready)
{
    int v;
    while (chan_recv_ctx(ctx, ready, &v) == 0)
        rn_yield();
}

static void restore(rn_context *ctx, chan_send_only(int) ready)
{
    for (int i = 0; i < 4; i++)
#ifdef FIXED
        if (chan_send_ctx(ctx, ready, i) != 0)
            return;
#else
        chan_send(ready, i);
#endif
    (void)ctx;
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_context *ctx = ctx_with_cancel(ctx_background());
    chan(int) ready = chan_make(int, 1);
    go(split, ctx, ready);
    ctx_cancel(ctx);
    rn_sleep(RN_MILLISECOND);
    go(restore, ctx, ready);
    rn_sleep(RN_MILLISECOND);
    return 0;
}
