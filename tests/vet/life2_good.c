/* Waitgroups, contexts, pointers and sleeps in the ways of larger programs, right. */
#include <runnel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct session {
    rn_context *ctx, *call;
    chan(int) out;
    rn_waitgroup wg;
    int id;
    bool stop;
    struct session *next;
};
struct request {
    struct session *owner;
    int *result;
    char name[32];
};
struct pool {
    rn_waitgroup wg;
    chan(struct request *) jobs;
    int results[8];
};

static int work(rn_context *ctx, int n)
{
    return ctx_err(ctx) ? -1 : n;
}

static void serve(struct session *s)
{
    defer(wg_done, &s->wg);
    if (!s->out)
        return;
    chan_send(s->out, s->id);
}
static void start_in_loop(struct session *s)
{
    for (int i = 0; i < 4; i++) {
        wg_add(&s->wg, 1);
        go(serve, s);
    }
    wg_wait(&s->wg);
}
static void done_on_each_path(rn_waitgroup *wg, struct session *s)
{
    if (!s->out) {
        wg_done(wg);
        return;
    }
    chan_send(s->out, s->id);
    wg_done(wg);
}
static void start_each_path(struct session *s)
{
    wg_add(&s->wg, 1);
    go(done_on_each_path, &s->wg, s);
    wg_wait(&s->wg);
}
static void done_behind_the_label(rn_waitgroup *wg, int n)
{
    char *buffer = malloc(100);
    if (!buffer || n < 0)
        goto out;
    snprintf(buffer, 100, "%d", n);
    puts(buffer);
out:
    free(buffer);
    wg_done(wg);
}
static void start_label(rn_waitgroup *wg)
{
    wg_add(wg, 1);
    go(done_behind_the_label, wg, 1);
    wg_wait(wg);
}
/* One that is counted counts those that it starts itself. */
static void spreads(rn_waitgroup *wg, int depth)
{
    defer(wg_done, wg);
    for (int i = 0; i < 2 && depth > 0; i++) {
        wg_add(wg, 1);
        go(spreads, wg, depth - 1);
    }
}
static void tree(void)
{
    rn_waitgroup wg = {0};
    wg_add(&wg, 1);
    go(spreads, &wg, 3);
    wg_wait(&wg);
}

static int goto_out(rn_context *parent, int n)
{
    int err = 0;
    rn_context *ctx = ctx_with_cancel(parent);
    if (n < 0) {
        err = RN_EINVAL;
        goto out;
    }
    err = work(ctx, n);
out:
    ctx_cancel(ctx);
    return err;
}
static int conditional(rn_context *parent, rn_duration limit)
{
    rn_context *ctx = parent;
    if (limit)
        ctx = ctx_with_timeout(parent, limit);
    int r = work(ctx, 1);
    if (ctx != parent)
        ctx_cancel(ctx);
    return r;
}
static int conditional_twice(rn_context *parent, rn_duration limit)
{
    rn_context *ctx = limit ? ctx_with_timeout(parent, limit) : parent;
    int r = work(ctx, 1);
    if (limit)
        ctx_cancel(ctx);
    return r;
}
static void end_context(rn_context **ctx)
{
    if (*ctx)
        ctx_cancel(*ctx);
    *ctx = NULL;
}
static int by_helper(rn_context *parent)
{
    rn_context *ctx = ctx_with_cancel(parent);
    int r = work(ctx, 1);
    end_context(&ctx);
    return r;
}
static rn_context *derived(rn_context *parent, int seconds)
{
    if (seconds == 0)
        return NULL;
    rn_context *ctx = ctx_with_timeout(parent, seconds * RN_SECOND);
    return ctx;
}
static int of_a_helper(rn_context *parent)
{
    rn_context *ctx = derived(parent, 1);
    if (!ctx)
        return 0;
    defer(ctx_cancel, ctx);
    return work(ctx, 1);
}
static rn_context *session_context(struct session *s)
{
    rn_context *ctx = ctx_with_cancel(s->ctx);
    s->call = ctx;
    return ctx;
}
static int uses_the_sessions(struct session *s)
{
    return work(session_context(s), 1);
}
static struct session *session_new(rn_context *parent)
{
    struct session *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->ctx = ctx_with_cancel(parent);
    s->out = chan_make(int, 1);
    return s;
}
static void session_free(struct session *s)
{
    if (!s)
        return;
    ctx_cancel(s->ctx);
    if (s->call)
        ctx_cancel(s->call);
    chan_free(s->out);
    free(s);
}
static int attempts(rn_context *parent)
{
    int r = -1;
    for (int i = 0; i < 3 && r < 0; i++) {
        rn_context *ctx = ctx_with_timeout(parent, RN_SECOND);
        r = work(ctx, i);
        ctx_cancel(ctx);
        if (r < 0 && rn_sleep_ctx(parent, RN_SECOND << i) != 0)
            break;
    }
    return r;
}
static void replaced(rn_context *parent)
{
    rn_context *ctx = NULL;
    for (int i = 0; i < 3; i++) {
        if (ctx)
            ctx_cancel(ctx);
        ctx = ctx_with_timeout(parent, RN_SECOND);
        work(ctx, i);
    }
    if (ctx)
        ctx_cancel(ctx);
}
static void given_away(rn_context *ctx, chan_send_only(int) out)
{
    defer(ctx_cancel, ctx);
    chan_send_ctx(ctx, out, 1);
}
static void gives(rn_context *parent, chan(int) out)
{
    rn_context *ctx = ctx_with_timeout(parent, RN_SECOND);
    go(given_away, ctx, out);
}

static void fill(struct request *r)
{
    *r->result = r->name[0];
}
static void run_pool(struct pool *p)
{
    struct request all[8];
    memset(all, 0, sizeof all);
    for (int i = 0; i < 8; i++) {
        all[i].result = &p->results[i];
        wg_go(&p->wg, fill, &all[i]);
    }
    wg_wait(&p->wg);
}
static void free_request(struct request *r)
{
    *r->result = 1;
    free(r);
}
static void heap(struct pool *p)
{
    struct request *r = calloc(1, sizeof *r);
    if (!r)
        return;
    r->result = &p->results[0];
    go(free_request, r);
}
static void scoped(int n)
{
    struct request r = {.name = "x"};
    int v = 0;
    rn_scope s;
    r.result = &v;
    scope_begin(&s, NULL);
    for (int i = 0; i < n; i++)
        scope_go(&s, fill, &r);
    scope_end(&s);
    printf("%d\n", v);
}
static void answer(struct request *r, chan(rn_unit) done)
{
    fill(r);
    chan_send(done, RN_UNIT);
}
static int collect(int n)
{
    chan(rn_unit) done = chan_make(rn_unit, 0);
    struct request r[4];
    int v[4] = {0}, sum = 0;
    for (int i = 0; i < n; i++) {
        r[i].result = &v[i];
        go(answer, &r[i], done);
    }
    for (int i = 0; i < n; i++)
        chan_recv(done);
    for (int i = 0; i < n; i++)
        sum += v[i];
    chan_free(done);
    return sum;
}
static void wait_for_all(struct pool *p)
{
    wg_wait(&p->wg);
}
static void waits_by_helper(struct pool *p)
{
    struct request r = {.result = p->results};
    wg_go(&p->wg, fill, &r);
    wait_for_all(p);
}

static void backs_off(struct session *s)
{
    rn_duration pause = RN_MILLISECOND;
    for (int i = 0; i < 5; i++) {
        if (chan_try_send(s->out, i) == 0)
            return;
        rn_sleep(pause);
        pause *= 2;
    }
}
static void beats(struct session *s)
{
    while (rn_sleep_ctx(s->ctx, RN_SECOND) == 0)
        printf("%d\n", s->id);
}
static void serve_for_a_while(struct session *s)
{
    go(beats, s);
    rn_sleep(3 * RN_SECOND);
    ctx_cancel(s->ctx);
}
static void paces(struct session *list)
{
    for (struct session *s = list; s; s = s->next) {
        printf("%d\n", s->id);
        rn_sleep(100 * RN_MILLISECOND);
    }
}

int rn_main(int argc, char **argv)
{
    (void)argv;
    struct session *s = session_new(ctx_background());
    struct pool p = {0};
    rn_waitgroup wg = {0};
    start_in_loop(s), start_each_path(s), start_label(&wg), tree();
    goto_out(s->ctx, argc), conditional(s->ctx, 1), conditional_twice(s->ctx, 1), by_helper(s->ctx),
        of_a_helper(s->ctx);
    uses_the_sessions(s), attempts(s->ctx), replaced(s->ctx), gives(s->ctx, s->out);
    run_pool(&p), heap(&p), scoped(3), collect(4), waits_by_helper(&p);
    backs_off(s), serve_for_a_while(s), paces(s), session_free(s);
    return 0;
}
