/* Loops that never look at the context that their function got. */
#include <runnel.h>
#include <stdio.h>

struct worker {
    rn_context *ctx;
    chan(int) jobs;
    int done;
};

static void process(int n)
{
    printf("%d\n", n);
}

static void receives(rn_context *ctx, chan_recv_only(int) jobs)
{
    (void)ctx;
    for (;;) { // want ctxloop
        int j = chan_recv(jobs);
        process(j);
    }
}

static void sleeps(rn_context *ctx, int n)
{
    if (ctx_err(ctx))
        return;
    while (true) { // want ctxloop
        process(n);
        rn_sleep(RN_SECOND);
    }
}

static void computes(rn_context *ctx, int *n)
{
    printf("%d\n", ctx_err(ctx));
    for (;;) // want ctxloop
        process(++*n);
}

static void has_a_way_out(rn_context *ctx, chan(int) in, chan(int) out)
{
    (void)ctx;
    for (;;) { // want ctxloop
        int v = chan_recv(in);
        if (v < 0)
            break;
        chan_send(out, v);
    }
}

static int step(void)
{
    rn_sleep(RN_MILLISECOND);
    return 0;
}

static void by_helper(rn_context *ctx)
{
    (void)ctx;
    do { // want ctxloop
        step();
    } while (1);
}

static void flag(rn_context *ctx, const int *stop)
{
    (void)ctx;
    while (!*stop) { // want ctxloop
        process(1);
        rn_sleep(RN_SECOND);
    }
}

static void selects(rn_context *ctx, chan(int) a, chan(int) b)
{
    int v = 0;
    (void)ctx;
    while (1) { // want ctxloop
        switch (chan_select(on_recv(a, &v), on_recv(b, &v))) {
        case 0:
            process(v);
            break;
        case 1:
            process(-v);
            break;
        }
    }
}

static void member(struct worker *w)
{
    for (;;) { // want ctxloop
        process(chan_recv(w->jobs));
        w->done++;
    }
}

int rn_main(int argc, char **argv)
{
    (void)argv;
    chan(int) c = chan_make(int, 1), d = chan_make(int, 1);
    struct worker w = {0};
    switch (argc) {
    case 1:
        receives(NULL, c);
        break;
    case 2:
        sleeps(NULL, 1);
        break;
    case 3:
        computes(NULL, &argc);
        break;
    case 4:
        has_a_way_out(NULL, c, d);
        break;
    case 5:
        by_helper(NULL);
        break;
    case 6:
        flag(NULL, &argc);
        break;
    case 7:
        selects(NULL, c, d);
        break;
    default:
        member(&w);
    }
    return 0;
}
