/* Cure: give the goroutine a way out.  Here a context that its starter cancels; in C the starter also
 * waits for it, since it must know when the channel may be freed. */
#include <runnel.h>
#include <stdio.h>

static void compute(rn_context *ctx, chan_send_only(int) out)
{
    (void)chan_send_ctx(ctx, out, 42); /* received, or cancelled */
}

static void safe(void)
{
    chan(int) result = chan_make(int, 0);
    rn_context *ctx = ctx_with_cancel(ctx_background());
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_go(&wg, compute, ctx, result);
    /* leaves early, without reading the result */
    ctx_cancel(ctx);
    wg_wait(&wg);
    chan_free(result);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    for (int i = 0; i < 10; i++)
        safe();
    while (rn_num_goroutines() > 1) /* the last may still be on its way out */
        rn_yield();
    printf("goroutines: %zu\n", rn_num_goroutines());
    return 0;
}
