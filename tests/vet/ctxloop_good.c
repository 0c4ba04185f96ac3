/* Loops that look, that end by themselves, or that the context ends from outside. */
#include <runnel.h>
#include <stdio.h>

struct worker {
    rn_context *ctx;
    chan(int) jobs;
};

static void process(rn_context *ctx, int n)
{
    if (ctx_err(ctx) == 0)
        printf("%d\n", n);
}

static int looks(rn_context *ctx, chan(int) in)
{
    for (;;) {
        int v;
        switch (chan_select(on_recv(in, &v), on_done(ctx))) {
        case 0:
            printf("%d\n", v);
            break;
        case 1:
            return ctx_err(ctx);
        }
    }
}

static void tests(rn_context *ctx)
{
    while (!ctx_err(ctx))
        rn_sleep_ctx(ctx, RN_SECOND);
}

static void hands_on(rn_context *ctx, chan(int) in)
{
    for (;;) {
        int v = chan_recv(in);
        if (v < 0)
            return;
        process(ctx, v);
    }
}

static void ranges(rn_context *ctx, chan(int) in)
{
    int sum = 0;
    for (int v; chan_next(in, &v);)
        sum += v;
    process(ctx, sum);
}

static void ends(rn_context *ctx, chan(int) in)
{
    for (int i = 0; i < 10; i++)
        process(NULL, chan_recv(in));
    for (;;) {
        int v;
        if (!chan_recv_ok(in, &v))
            break;
        printf("%d\n", v);
    }
    process(ctx, 1);
}

static void child(rn_context *ctx)
{
    rn_context *limited = ctx_with_timeout(ctx, RN_SECOND);
    defer(ctx_cancel, limited);
    for (;;) {
        if (rn_sleep_ctx(limited, RN_MILLISECOND))
            return;
    }
}

static void by_channel(rn_context *ctx, chan(int) in)
{
    chan_recv_only(rn_unit) done = ctx_done(ctx);
    for (int v;;) {
        if (chan_select(on_recv(in, &v), on_recv(done, NULL)) == 1)
            return;
        printf("%d\n", v);
    }
}

static void in_scope(rn_context *ctx, chan(int) in)
{
    rn_scope s;
    scope_begin(&s, ctx);
    for (;;) {
        int v;
        if (chan_recv_ctx(scope_context(&s), in, &v))
            break;
    }
    scope_end(&s);
}

static void from_outside(rn_context *ctx, chan(int) in)
{
    rn_ctx_after *a = ctx_after_func(ctx, rn_chan_close, in);
    for (;;) {
        int v = chan_recv(in);
        if (v == 0)
            break;
    }
    ctx_after_stop(a);
}

static void member(struct worker *w)
{
    for (;;) {
        int v;
        if (chan_recv_ctx(w->ctx, w->jobs, &v))
            return;
        printf("%d\n", v);
    }
}

static int finite(rn_context *ctx, const char *s)
{
    int n = 0;
    while (*s++)
        n++;
    process(ctx, n);
    return n;
}

int rn_main(int argc, char **argv)
{
    (void)argv;
    chan(int) c = chan_make(int, 1);
    rn_context *ctx = ctx_with_timeout(NULL, RN_MILLISECOND);
    defer(ctx_cancel, ctx);
    struct worker w = {ctx, c};
    looks(ctx, c), tests(ctx), child(ctx), by_channel(ctx, c), in_scope(ctx, c), member(&w), finite(ctx, "abc");
    if (argc > 7)
        hands_on(ctx, c), ranges(ctx, c), ends(ctx, c), from_outside(ctx, c);
    return 0;
}
