/* The prime sieve: a chain of goroutines, one for each prime found, each filtering its multiples.
 * A context ends them all when enough are found; each filter frees the channel that only it
 * receives from. */
#include <runnel.h>
#include <stdio.h>

static void generate(rn_context *ctx, chan_send_only(int) out)
{
    for (int i = 2; chan_send_ctx(ctx, out, i) == 0; i++)
        ;
    chan_close(out);
}

static void filter(rn_context *ctx, chan_recv_only(int) in, chan_send_only(int) out, int prime)
{
    for (int v; chan_next(in, &v);)
        if (v % prime != 0)
            (void)chan_send_ctx(ctx, out, v); /* once cancelled: only drains its input */
    chan_close(out);
    chan_free(in);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_context *ctx = ctx_with_cancel(ctx_background());
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    chan(int) c = chan_make(int, 0);
    wg_go(&wg, generate, ctx, c);
    for (int i = 0; i < 25; i++) {
        int prime = chan_recv(c);
        printf("%d\n", prime);
        chan(int) next = chan_make(int, 0);
        wg_go(&wg, filter, ctx, c, next, prime);
        c = next;
    }
    ctx_cancel(ctx);
    wg_wait(&wg);
    chan_free(c);
    return 0;
}
