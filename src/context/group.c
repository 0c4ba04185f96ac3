/* A group's context: the part of runnel/group.h that needs contexts, which are above src/sync. */
#include <runnel/context.h>
#include <runnel/group.h>

static void cancel(rn_context *ctx, int err, bool end)
{
    rn_ctx_cancel_cause(ctx, err);
    if (end)
        rn_ctx_cancel(ctx);
}

rn_context *rn_group_with_context(rn_group *g, rn_context *parent)
{
    g->rn_ctx = rn_ctx_with_cancel(parent);
    g->rn_cancel = cancel;
    return g->rn_ctx;
}
