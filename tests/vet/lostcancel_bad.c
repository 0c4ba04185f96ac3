/* Contexts that nobody ends. */
#include <runnel.h>

struct server {
    rn_context *ctx;
    int port;
};
static rn_context *root;

static int work(rn_context *ctx)
{
    return rn_sleep_ctx(ctx, RN_MILLISECOND);
}

static void run(rn_context *ctx, chan(int) out)
{
    chan_send_ctx(ctx, out, work(ctx));
}

static int never(rn_context *parent)
{
    rn_context *ctx = ctx_with_timeout(parent, RN_SECOND); // want lostcancel
    return work(ctx);
}

static int early(rn_context *parent, int fast)
{
    rn_context *ctx = ctx_with_cancel(parent); // want lostcancel
    if (fast)
        return 0;
    int err = work(ctx);
    ctx_cancel(ctx);
    return err;
}

static int one_branch(rn_context *parent)
{
    rn_context *ctx = ctx_with_deadline(parent, rn_now() + RN_SECOND); // want lostcancel
    int err = work(ctx);
    if (err == RN_ETIMEOUT)
        ctx_cancel(ctx);
    return err;
}

static void started(rn_context *parent, chan(int) out)
{
    rn_context *ctx = rn_ctx_with_cancel(parent); // want lostcancel
    go(run, ctx, out);
}

static int dropped(rn_context *parent)
{
    (void)ctx_with_cancel(parent);                    // want lostcancel
    return work(ctx_with_timeout(parent, RN_SECOND)); // want lostcancel
}

static int in_select(rn_context *parent, chan(int) c)
{
    int v = 0;
    chan_select(on_recv(c, &v), on_done(ctx_with_timeout(parent, RN_SECOND))); // want lostcancel
    return v;
}

static int in_loop(rn_context *parent)
{
    int err = 0;
    for (int i = 0; i < 3 && !err; i++) {
        rn_context *ctx = ctx_with_timeout(parent, RN_SECOND); // want lostcancel
        err = work(ctx);
        if (err)
            break;
        ctx_cancel(ctx);
    }
    return err;
}

static int twice(rn_context *parent)
{
    rn_context *ctx = ctx_with_cancel(parent); // want lostcancel
    ctx = ctx_with_timeout(ctx, RN_SECOND);
    defer(ctx_cancel, ctx);
    return work(ctx);
}

static int assigned(rn_context *parent)
{
    rn_context *ctx;
    ctx = ctx_with_timeout(parent, RN_SECOND); // want lostcancel
    return work(ctx);
}

static int by_goto(rn_context *parent, int n)
{
    rn_context *ctx = ctx_with_cancel(parent); // want lostcancel
    if (n < 0)
        goto out;
    n = work(ctx);
    ctx_cancel(ctx);
out:
    return n;
}

static int kept(struct server *s)
{
    s->ctx = ctx_with_cancel(ctx_background()); // want lostcancel
    return work(s->ctx);
}

static int global(void)
{
    root = ctx_with_cancel(NULL); // want lostcancel
    return work(root);
}

static const char key;

static int with_value(rn_context *parent, int *user)
{
    rn_context *ctx = ctx_with_value(parent, &key, user); // want lostcancel
    return ctx_value(ctx, &key) != NULL;
}

static int chosen(rn_context *parent, int fast)
{
    rn_context *ctx = ctx_with_cancel(parent); // want lostcancel
    int err = work(fast ? NULL : ctx);
    if (err)
        return err;
    ctx_cancel(ctx);
    return 0;
}

static int chosen_name(rn_context *parent, int fast)
{
    rn_context *ctx = ctx_with_cancel(parent); // want lostcancel
    rn_context *use = fast ? parent : ctx;
    return work(use);
}

static int work_or_not(rn_context *ctx, int fast)
{
    return work(fast ? NULL : ctx);
}

static int chosen_below(rn_context *parent, int fast)
{
    rn_context *ctx = ctx_with_cancel(parent); // want lostcancel
    return work_or_not(ctx, fast);
}

int rn_main(int argc, char **argv)
{
    (void)argv;
    rn_context *bg = ctx_background();
    struct server s = {0};
    chan(int) c = chan_make(int, 4);
    never(bg), early(bg, argc), one_branch(bg), started(bg, c), dropped(bg), in_select(bg, c), in_loop(bg);
    twice(bg), assigned(bg), by_goto(bg, argc), kept(&s), global(), with_value(bg, &argc);
    chosen(bg, argc), chosen_name(bg, argc), chosen_below(bg, argc);
    return chan_recv(c);
}
