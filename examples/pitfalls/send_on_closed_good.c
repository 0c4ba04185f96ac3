/* Cure: only the sender closes; a receiver that wants no more says so by a context. */
#include <runnel.h>
#include <stdio.h>

static void produce(rn_context *ctx, chan_send_only(int) out)
{
    for (int i = 0; i < 5; i++)
        if (chan_send_ctx(ctx, out, i) != 0)
            break;
    chan_close(out);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_context *ctx = ctx_with_cancel(ctx_background());
    chan(int) c = chan_make(int, 0);
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_go(&wg, produce, ctx, c);
    printf("%d\n", chan_recv(c));
    ctx_cancel(ctx);
    wg_wait(&wg);
    chan_free(c);
    return 0;
}
