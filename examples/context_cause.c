/* ctx_cancel_cause says why.  The first cause stays, and everything below can ask for it. */
#include <runnel.h>
#include <errno.h>
#include <stdio.h>

static void worker(rn_context *ctx, rn_waitgroup *wg)
{
    ctx_wait(ctx);
    printf("%s, because: %s\n", rn_strerror(ctx_err(ctx)), rn_strerror(ctx_cause(ctx)));
    wg_done(wg);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_context *ctx = ctx_with_cancel_cause(ctx_background());
    rn_context *child = ctx_with_cancel(ctx);
    defer(ctx_cancel, ctx);
    defer(ctx_cancel, child);
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_add(&wg, 1);
    go(worker, child, &wg);
    ctx_cancel_cause(ctx, -ENOSPC);
    ctx_cancel_cause(ctx, -EIO); /* too late */
    wg_wait(&wg);
    return 0;
}
