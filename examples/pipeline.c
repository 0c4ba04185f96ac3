/* A pipeline: each stage is a goroutine that receives from the one before and sends to the next.
 * A close travels down it; a context stops it early without leaving a stage behind. */
#include <runnel.h>
#include <stdio.h>

static void generate(rn_context *ctx, chan_send_only(long) out)
{
    for (long i = 1; chan_send_ctx(ctx, out, i) == 0; i++)
        ;
    chan_close(out);
}

static void square(rn_context *ctx, chan_recv_only(long) in, chan_send_only(long) out)
{
    for (long v; chan_next(in, &v);)
        if (chan_send_ctx(ctx, out, v * v) != 0)
            break;
    chan_close(out);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_context *ctx = ctx_with_cancel(ctx_background());
    chan(long) numbers = chan_make(long, 0), squares = chan_make(long, 0);
    rn_waitgroup stages = RN_WAITGROUP_INIT;
    wg_go(&stages, generate, ctx, numbers);
    wg_go(&stages, square, ctx, numbers, squares);

    long sum = 0;
    for (long v; chan_next(squares, &v) && v <= 1000;)
        sum += v;
    printf("%ld\n", sum);

    ctx_cancel(ctx); /* enough: all stages end */
    wg_wait(&stages);
    chan_free(numbers);
    chan_free(squares);
    return 0;
}
