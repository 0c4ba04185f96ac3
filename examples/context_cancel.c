/* ctx_with_cancel: one call reaches every worker that was given the context. */
#include <runnel.h>
#include <stdio.h>

static void worker(rn_context *ctx, int id)
{
    ctx_wait(ctx); /* or as one case of a select: on_done(ctx) */
    printf("worker %d: %s\n", id, rn_strerror(ctx_err(ctx)));
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_context *ctx = ctx_with_cancel(ctx_background());
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 1; i <= 3; i++)
        wg_go(&wg, worker, ctx, i);
    printf("before: %d\n", ctx_err(ctx));
    ctx_cancel(ctx); /* whoever makes a context ends it */
    wg_wait(&wg);
    return 0;
}
