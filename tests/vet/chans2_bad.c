/* Channels and loops in the ways of larger programs: structs, arrays of channels, callbacks, closers elsewhere. */
#include <runnel.h>
#include <stdio.h>
#include <stdlib.h>

enum { WORKERS = 4 };

struct item {
    int n;
    chan(int) reply;
};
struct stage {
    rn_context *ctx;
    chan(int) in, out;
    chan(rn_unit) quit;
};
struct fan {
    chan(int) in[WORKERS];
    chan(int) merged;
    rn_waitgroup wg;
};
struct box {
    chan(int) mail;
};

/* ---- neverclosed */

static void forward(struct fan *f, int i)
{
    for (int v; chan_next(f->in[i], &v);) // want neverclosed
        chan_send(f->merged, v);
}
static void merge(struct fan *f)
{
    for (int i = 0; i < WORKERS; i++) {
        f->in[i] = chan_make(int, 0);
        wg_go(&f->wg, forward, f, i);
    }
    wg_wait(&f->wg);
    chan_close(f->merged);
}

static void drain(struct box *b)
{
    int v;
    while (chan_next(b->mail, &v)) // want neverclosed
        printf("%d\n", v);
}
static void open_box(void)
{
    struct box b = {.mail = chan_make(int, 8)};
    chan_send(b.mail, 1);
    drain(&b);
}

static chan(int) make_source(int n)
{
    chan(int) c = chan_make(int, n);
    for (int i = 0; i < n; i++)
        chan_send(c, i);
    return c;
}
static int sum(int n)
{
    int total = 0;
    chan(int) c = make_source(n);
    for (int v; chan_next(c, &v);) // want neverclosed
        total += v;
    return total;
}

/* ---- receiverclose, doubleclose, sendclosed */

static void consume(chan(int) in, int limit)
{
    for (int v, i = 0; chan_next(in, &v); i++)
        if (i == limit) {
            chan_close(in); // want receiverclose
            return;
        }
}

static void shut(struct stage *s)
{
    chan_close(s->out);
}
static void stage_run(struct stage *s)
{
    for (int v; chan_next(s->in, &v);)
        chan_send(s->out, v);
    shut(s);
    chan_close(s->out); // want doubleclose
}

static void every_worker_closes(struct fan *f, int i)
{
    chan_send(f->merged, i);
    chan_close(f->merged); // want doubleclose
}
static void start_closers(struct fan *f)
{
    for (int i = 0; i < WORKERS; i++)
        wg_go(&f->wg, every_worker_closes, f, i);
    wg_wait(&f->wg);
}

static void late(struct stage *s, int v)
{
    defer(chan_close, s->quit);
    shut(s);
    if (v)
        chan_send(s->out, v); // want sendclosed
}

static void produces(chan(int) out)
{
    for (int i = 0; i < 100; i++)
        chan_send(out, i);
}
static void timed(void)
{
    chan(int) c = chan_make(int, 0);
    int v = 0;
    go(produces, c);
    chan_select(on_recv(c, &v), on_timeout(RN_SECOND));
    chan_close(c); // want receiverclose
}

/* ---- ctxloop */

static void poll_loop(struct stage *s)
{
    for (;;) { // want ctxloop
        int v = chan_recv(s->in);
        chan_send(s->out, v);
    }
}
static void ticks(rn_context *ctx, struct box *b)
{
    int n = 0;
    (void)ctx;
    while (true) { // want ctxloop
        rn_sleep(RN_SECOND);
        chan_send(b->mail, n++);
    }
}
static void selects(rn_context *ctx, struct stage *s)
{
    int v;
    if (ctx_err(ctx))
        return;
    for (;;) // want ctxloop
        switch (chan_select(on_recv(s->in, &v), on_timeout(RN_SECOND))) {
        case 0:
            chan_send(s->out, v);
            break;
        case 1:
            printf("idle\n");
            break;
        }
}

/* ---- bigframe */

static int parse(const char *line)
{
    char copy[24 << 10], token[16 << 10]; // want bigframe
    return snprintf(copy, sizeof copy, "%s", line) + snprintf(token, sizeof token, "%s", line);
}
static void handle(struct box *b)
{
    char line[1024];
    while (fgets(line, sizeof line, stdin))
        chan_send(b->mail, parse(line));
}
static void variable(int n)
{
    char buffer[n]; // want bigframe
    snprintf(buffer, (size_t)n, "%d", n);
    puts(buffer);
}
struct packet {
    unsigned char bytes[40 << 10];
    int length;
};
static void receive(chan(rn_unit) done)
{
    struct packet p; // want bigframe
    p.length = 0;
    p.bytes[0] = 1;
    chan_send(done, RN_UNIT);
}

int rn_main(int argc, char **argv)
{
    (void)argv;
    struct fan f = {.merged = chan_make(int, 0)};
    struct stage s = {.in = chan_make(int, 0), .out = chan_make(int, 0), .quit = chan_make(rn_unit, 0)};
    struct box b = {.mail = chan_make(int, 0)};
    chan(rn_unit) done = chan_make(rn_unit, 0);
    go(merge, &f), go(start_closers, &f), go(stage_run, &s), go(poll_loop, &s), go(ticks, ctx_background(), &b);
    go(selects, ctx_background(), &s), go(handle, &b), go(variable, argc), go(receive, done), go(consume, s.in, 3);
    open_box(), sum(3), late(&s, 1), timed(); // want doubleclose
    chan_recv(done);
    chan_close(s.in);
    return 0;
}
