/* Channels and loops in the ways of larger programs, right. */
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
    rn_mutex mu;
    rn_once once;
    bool closed;
};
struct fan {
    chan(int) in[WORKERS];
    chan(int) merged;
    rn_waitgroup wg;
};
struct server {
    chan(struct item) requests;
    rn_waitgroup wg;
};

static void forward(struct fan *f, int i)
{
    for (int v; chan_next(f->in[i], &v);)
        chan_send(f->merged, v);
}
static void merge(struct fan *f)
{
    for (int i = 0; i < WORKERS; i++) {
        f->in[i] = chan_make(int, 0);
        wg_go(&f->wg, forward, f, i);
    }
    for (int i = 0; i < WORKERS; i++)
        chan_close(f->in[i]);
    wg_wait(&f->wg);
    chan_close(f->merged);
}

static void close_all(chan(int) * channels, int n)
{
    for (int i = 0; i < n; i++)
        chan_close(channels[i]);
}
static void worker(chan(int) in)
{
    for (int v; chan_next(in, &v);)
        printf("%d\n", v);
}
static void fleet(void)
{
    chan(int) channels[WORKERS];
    rn_waitgroup wg = {0};
    for (int i = 0; i < WORKERS; i++) {
        channels[i] = chan_make(int, 1);
        wg_go(&wg, worker, channels[i]);
    }
    for (int i = 0; i < WORKERS; i++)
        chan_send(channels[i], i);
    close_all(channels, WORKERS);
    wg_wait(&wg);
    for (int i = 0; i < WORKERS; i++)
        chan_free(channels[i]);
}

static void produce(chan_send_only(int) out, int n)
{
    for (int i = 0; i < n; i++)
        chan_send(out, i);
    chan_close(out);
}
static chan_recv_only(int) source(int n)
{
    chan(int) c = chan_make(int, 0);
    go(produce, c, n);
    return c;
}
static int sum(int n)
{
    int total = 0;
    chan_recv_only(int) c = source(n);
    for (int v; chan_next(c, &v);)
        total += v;
    return total;
}

static void answer(struct server *s)
{
    for (struct item i; chan_next(s->requests, &i);)
        chan_send(i.reply, 2 * i.n);
}
static int ask(struct server *s, int n)
{
    struct item i = {.n = n, .reply = chan_make(int, 1)};
    chan_send(s->requests, i);
    int r = chan_recv(i.reply);
    chan_free(i.reply);
    return r;
}
static void server_stop(struct server *s)
{
    chan_close(s->requests);
    wg_wait(&s->wg);
    chan_free(s->requests);
}
static void serve(void)
{
    struct server s = {.requests = chan_make(struct item, 0)};
    wg_go(&s.wg, answer, &s);
    printf("%d\n", ask(&s, 21));
    server_stop(&s);
}

static void close_out(struct stage *s)
{
    chan_close(s->out);
}
static void close_once(struct stage *s)
{
    once_do(&s->once, close_out, s);
}
static void close_guarded(struct stage *s)
{
    mutex_lock(&s->mu);
    if (!s->closed) {
        s->closed = true;
        chan_close(s->quit);
    }
    mutex_unlock(&s->mu);
}
static void run(struct stage *s)
{
    for (;;) {
        int v;
        bool open;
        switch (chan_select(on_recv_ok(s->in, &v, &open), on_done(s->ctx), on_recv(s->quit, NULL))) {
        case 0:
            if (!open) {
                close_once(s);
                return;
            }
            if (chan_send_ctx(s->ctx, s->out, v) != 0)
                return;
            break;
        default:
            close_once(s);
            return;
        }
    }
}
static void stop_twice(struct stage *s)
{
    close_guarded(s);
    close_guarded(s);
}

static void reopen(struct stage *s)
{
    s->quit = chan_make(rn_unit, 0);
}
static void shut(struct stage *s)
{
    if (!s->quit)
        return;
    chan_close(s->quit);
    chan_free(s->quit);
    s->quit = NULL;
}
static void again(struct stage *s)
{
    shut(s);
    reopen(s);
    shut(s);
    chan_close(s->out);
    s->out = chan_make(int, 0);
    chan_send(s->out, 1);
    chan_close(s->out);
}

static void gather(chan(int) in, rn_waitgroup *wg)
{
    wg_wait(wg);
    chan_close(in);
}
static void send_one(chan(int) out, int v)
{
    chan_send(out, v);
}
static void gathered(void)
{
    chan(int) c = chan_make(int, 0);
    rn_waitgroup wg = {0};
    for (int i = 0; i < WORKERS; i++)
        wg_go(&wg, send_one, c, i);
    go(gather, c, &wg);
    for (int v; chan_next(c, &v);)
        printf("%d\n", v);
    chan_free(c);
}

static bool stopping(struct stage *s)
{
    return ctx_err(s->ctx) != 0;
}
static void checks_by_helper(struct stage *s)
{
    while (!stopping(s)) {
        int v = chan_recv(s->in);
        chan_send(s->out, v);
    }
}
static int next(struct stage *s, int *v)
{
    return chan_recv_ctx(s->ctx, s->in, v);
}
static void reads_by_helper(struct stage *s)
{
    for (;;) {
        int v;
        if (next(s, &v) != 0)
            break;
        printf("%d\n", v);
    }
}
static int retries(rn_context *ctx, struct stage *s)
{
    for (int i = 0; i < 3; i++) {
        int err = chan_send_ctx(ctx, s->out, i);
        if (err != RN_ETIMEOUT)
            return err;
    }
    return RN_ETIMEOUT;
}
static void copy(rn_context *ctx, const int *from, int *to, int n)
{
    if (ctx_err(ctx))
        return;
    for (int i = 0; i < n; i++)
        to[i] = from[i];
    while (n > 0 && to[n - 1] == 0)
        n--;
}

static void on_heap(chan(rn_unit) done)
{
    char *big = malloc(1 << 20);
    if (big)
        big[0] = 0;
    free(big);
    chan_send(done, RN_UNIT);
}
static void large(chan(rn_unit) done)
{
    char big[100 << 10];
    snprintf(big, sizeof big, "x");
    puts(big);
    chan_send(done, RN_UNIT);
}
static void kept(chan(rn_unit) done)
{
    static char table[1 << 20];
    table[0] = 1;
    chan_send(done, RN_UNIT);
}

int rn_main(int argc, char **argv)
{
    (void)argv;
    int from[4] = {0}, to[4];
    struct fan f = {.merged = chan_make(int, 64)};
    struct stage s = {.ctx = ctx_background(), .in = chan_make(int, 0), .out = chan_make(int, 0)};
    chan(rn_unit) done = chan_make(rn_unit, 0);
    s.quit = chan_make(rn_unit, 0);
    merge(&f), fleet(), printf("%d\n", sum(argc)), serve(), gathered();
    go(run, &s), go(checks_by_helper, &s), go(reads_by_helper, &s);
    (void)retries(s.ctx, &s), copy(s.ctx, from, to, 4);
    go(on_heap, done), go(kept, done);
    if (rn_go_with((.stack = 256 << 10), large, done) != 0)
        return 1;
    for (int i = 0; i < 3; i++)
        chan_recv(done);
    stop_twice(&s), again(&s);
    return 0;
}

struct pair {
    int a;
    const char *b;
};

/* Commas in a literal.  (vet took them for more arguments, and did not look at the file.) */
void sends_literals(chan(struct pair) c)
{
    chan_send(c, (struct pair){1, "x"});
    (void)chan_try_send(c, (struct pair){2, "x"});
    (void)chan_send_ctx(NULL, c, (struct pair){3, "x"});
    chan_select(on_send(c, (struct pair){4, "x"}), on_default());
}
