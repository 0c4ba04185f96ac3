/* Ended on every path, or handed on to somebody who ends them. */
#include <runnel.h>
#include <stdlib.h>

struct server {
    rn_context *ctx;
    int port;
};

static int work(rn_context *ctx)
{
    rn_context *same = ctx;
    if (!ctx)
        return 0;
    (void)same;
    return rn_sleep_ctx(ctx, RN_MILLISECOND);
}

static int deferred(rn_context *parent)
{
    rn_context *ctx = ctx_with_timeout(parent, RN_SECOND);
    defer(ctx_cancel, ctx);
    if (work(ctx))
        return 1;
    return work(ctx);
}

static int each_path(rn_context *parent, int fast)
{
    rn_context *ctx = ctx_with_cancel(parent);
    if (fast) {
        ctx_cancel(ctx);
        return 0;
    }
    int err = work(ctx);
    ctx_cancel(ctx);
    return err;
}

static rn_context *make(rn_context *parent)
{
    rn_context *ctx = ctx_with_timeout(parent, RN_SECOND);
    return ctx;
}

static rn_context *make_directly(rn_context *parent)
{
    return ctx_with_cancel(parent);
}

static void finish(rn_context *ctx)
{
    ctx_cancel(ctx);
}

static int helper(rn_context *parent)
{
    rn_context *ctx = ctx_with_cancel(parent);
    int err = work(ctx);
    finish(ctx);
    return err;
}

static void owner(rn_context *ctx)
{
    defer(ctx_cancel, ctx);
    work(ctx);
}

static void handed_over(rn_context *parent, rn_waitgroup *wg)
{
    wg_go(wg, owner, ctx_with_cancel(parent));
    rn_context *second = ctx_with_cancel(parent);
    wg_go(wg, owner, second);
}

static void server_start(struct server *s)
{
    s->ctx = ctx_with_cancel(ctx_background());
}

static void server_stop(struct server *s)
{
    ctx_cancel(s->ctx);
}

static struct server *server_make(rn_context *parent)
{
    rn_context *ctx = ctx_with_cancel(parent);
    struct server *s = malloc(sizeof *s);
    if (!s) {
        ctx_cancel(ctx);
        return NULL;
    }
    *s = (struct server){.ctx = ctx, .port = 80};
    return s;
}

static int optional(rn_context *parent, rn_duration limit)
{
    rn_context *ctx = parent;
    if (limit)
        ctx = ctx_with_timeout(parent, limit);
    int err = work(ctx);
    if (limit)
        ctx_cancel(ctx);
    return err;
}

static int checked(rn_context *parent, int want)
{
    rn_context *ctx = want ? ctx_with_cancel(parent) : NULL;
    int err = work(ctx);
    if (ctx)
        ctx_cancel(ctx);
    return err;
}

static int cleanup(rn_context *parent)
{
    int err = 0;
    rn_context *ctx = ctx_with_cancel(parent);
    if (work(ctx)) {
        err = 1;
        goto out;
    }
    err = work(ctx);
out:
    ctx_cancel(ctx);
    return err;
}

static int retry(rn_context *parent)
{
    for (int i = 0; i < 3; i++) {
        rn_context *ctx = ctx_with_timeout(parent, RN_SECOND);
        int err = work(ctx);
        ctx_cancel(ctx);
        if (!err)
            return 0;
    }
    return 1;
}

static void gives_up(rn_context *parent)
{
    rn_context *ctx = ctx_with_cancel(parent);
    if (work(ctx))
        rn_panic("no way");
    ctx_cancel(ctx);
}

static void in_any_order(rn_context *parent, int which)
{
    rn_context *a = ctx_with_cancel(parent), *b = ctx_with_cancel(parent);
    ctx_cancel(which ? a : b);
    ctx_cancel(which ? b : a);
    rn_context *c = ctx_with_cancel(parent);
    for (int i = 0; i < which; i++)
        ctx_cancel(c);
}

static int chosen(rn_context *parent, int fast)
{
    rn_context *ctx = ctx_with_cancel(parent);
    int err = work(fast ? NULL : ctx);
    ctx_cancel(ctx);
    return err;
}

static int chosen_name(rn_context *parent, int fast)
{
    rn_context *own = ctx_with_cancel(parent), *use = fast ? parent : own;
    int err = work(use);
    if (use != parent)
        ctx_cancel(use);
    else
        ctx_cancel(own);
    return err;
}

static void end_it(rn_context *ctx, int later)
{
    ctx_cancel(later ? NULL : ctx);
}

static void chosen_end(rn_context *parent, int later)
{
    rn_context *ctx = ctx_with_cancel(parent);
    work(ctx);
    end_it(ctx, later);
}

static rn_context *chosen_result(rn_context *parent, int fast)
{
    rn_context *ctx = ctx_with_cancel(parent);
    return fast ? NULL : ctx;
}

int rn_main(int argc, char **argv)
{
    (void)argv;
    rn_context *bg = ctx_background();
    rn_waitgroup wg = {0};
    struct server s = {0};
    server_start(&s);
    server_stop(&s);
    struct server *heap = server_make(bg);
    if (heap)
        server_stop(heap);
    free(heap);
    rn_context *a = make(bg), *b = make_directly(bg);
    handed_over(bg, &wg);
    wg_wait(&wg);
    ctx_cancel(a);
    ctx_cancel(b);
    gives_up(bg);
    in_any_order(bg, 1);
    chosen(bg, 0), chosen_name(bg, 0), chosen_end(bg, 0);
    ctx_cancel(chosen_result(bg, 0));
    return deferred(bg) + each_path(bg, argc) + helper(bg) + optional(bg, 0) + checked(bg, 1) + cleanup(bg) + retry(bg);
}
