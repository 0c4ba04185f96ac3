/* Waitgroups, contexts and pointers in the ways of larger programs. */
#include <runnel.h>
#include <stdio.h>
#include <stdlib.h>

struct session {
    rn_context *ctx;
    chan(int) out;
    rn_waitgroup wg;
    int id;
};
struct request {
    struct session *owner;
    int *result;
    char name[32];
};

static int work(rn_context *ctx, int n)
{
    return ctx_err(ctx) ? -1 : n;
}

/* ---- waitgroup */

static void count_self(struct session *s)
{
    wg_add(&s->wg, 1); // want waitgroup
    printf("%d\n", s->id);
    wg_done(&s->wg);
}
static void start_all(struct session *s)
{
    for (int i = 0; i < 4; i++)
        go(count_self, s);
    wg_wait(&s->wg);
}

static void enter(struct session *s)
{
    wg_add(&s->wg, 1);
}
static void leave(struct session *s)
{
    wg_done(&s->wg);
}
static void by_helpers(struct session *s)
{
    enter(s); // want waitgroup
    printf("%d\n", s->id);
    leave(s);
}
static void start_by_helpers(struct session *s)
{
    go(by_helpers, s);
    wg_wait(&s->wg);
}

static void skips_done(rn_waitgroup *wg, struct session *s)
{
    if (!s->out)
        return; // want waitgroup
    chan_send(s->out, s->id);
    wg_done(wg);
}
static void start_skipping(struct session *s)
{
    wg_add(&s->wg, 1);
    go(skips_done, &s->wg, s);
    wg_wait(&s->wg);
}

static void goto_skips_done(rn_waitgroup *wg, struct session *s)
{
    char *buffer = malloc(100);
    if (!buffer)
        goto out;
    snprintf(buffer, 100, "%d", s->id);
    puts(buffer);
    wg_done(wg);
out:
    free(buffer);
} // want waitgroup
static void start_goto(struct session *s)
{
    wg_add(&s->wg, 1);
    go(goto_skips_done, &s->wg, s);
    wg_wait(&s->wg);
}

/* ---- lostcancel */

static int error_path(struct session *s)
{
    rn_context *ctx = ctx_with_timeout(s->ctx, RN_SECOND); // want lostcancel
    int r = work(ctx, 1);
    if (r < 0) {
        fprintf(stderr, "failed\n");
        return r;
    }
    ctx_cancel(ctx);
    return 0;
}

static rn_context *derived(rn_context *parent)
{
    return ctx_with_cancel(parent);
}
static int of_a_helper(rn_context *parent)
{
    rn_context *ctx = derived(parent); // want lostcancel
    return work(ctx, 1);
}

static int conditional(rn_context *parent, bool slow)
{
    rn_context *ctx = parent;
    if (slow)
        ctx = ctx_with_timeout(parent, RN_SECOND); // want lostcancel
    return work(ctx, 1);
}

static int goto_out(rn_context *parent, int n)
{
    int err = 0;
    rn_context *ctx = ctx_with_cancel(parent); // want lostcancel
    if (n < 0) {
        err = RN_EINVAL;
        goto out;
    }
    err = work(ctx, n);
    ctx_cancel(ctx);
out:
    return err;
}

static void overwritten_in_loop(rn_context *parent)
{
    rn_context *ctx = NULL;
    for (int i = 0; i < 3; i++) {
        ctx = ctx_with_timeout(parent, RN_SECOND); // want lostcancel
        work(ctx, i);
    }
    ctx_cancel(ctx);
}

struct client {
    rn_context *base, *call;
};
static int stored_and_never_ended(struct client *c)
{
    c->call = ctx_with_timeout(c->base, RN_SECOND); // want lostcancel
    return work(c->call, 1);
}

/* ---- localptr, loopvar */

static void fill(struct request *r)
{
    *r->result = r->name[0];
}
static void pointer_in_struct(struct session *s)
{
    int answer = 0;
    struct request r = {.owner = s, .result = &answer};
    go(fill, &r); // want localptr
}

static void pointer_in_heap_struct(struct session *s)
{
    int answer = 0;
    struct request *r = calloc(1, sizeof *r);
    r->owner = s;
    r->result = &answer;
    go(fill, r); // want localptr
}

static void launch(struct request *r)
{
    go(fill, r);
}
static void by_a_helper(struct session *s)
{
    struct request r = {.owner = s};
    launch(&r); // want localptr
}

static void early_return(struct session *s, int n)
{
    struct request r = {.owner = s};
    rn_waitgroup wg = {0};
    wg_go(&wg, fill, &r); // want localptr
    if (n < 0)
        return;
    wg_wait(&wg);
}

static void print(int *i)
{
    printf("%d\n", *i);
}
static void in_while(int n)
{
    rn_waitgroup wg = {0};
    int i = 0;
    while (i < n) {
        wg_go(&wg, print, &i); // want loopvar
        i++;
    }
    wg_wait(&wg);
}

static void array_of_the_stack(chan(rn_unit) quit)
{
    char line[64];
    while (fgets(line, sizeof line, stdin)) {
        go(puts, line); // want localptr, want loopvar
        chan_select(on_recv(quit, NULL), on_default());
    }
}

static void inner_block(rn_waitgroup *all, int n)
{
    for (int i = 0; i < n; i++) {
        struct request r = {.name = "x"};
        wg_go(all, fill, &r); // want localptr
    }
    wg_wait(all);
}

/* ---- sleepsync */

static int finished;
static void finish(void)
{
    finished = 1;
}
static bool ready(struct session *s)
{
    return __atomic_load_n(&s->id, __ATOMIC_ACQUIRE) != 0;
}
static void until_ready(struct session *s)
{
    while (!ready(s)) // want sleepsync
        rn_sleep(RN_MILLISECOND);
}
static void tries(struct session *s)
{
    int v;
    while (chan_try_recv(s->out, &v) != 0) // want sleepsync want ctxloop
        rn_sleep(RN_MILLISECOND);
    printf("%d\n", v);
}
static int sleeps_then_reads(void)
{
    go(finish);
    rn_sleep(100 * RN_MILLISECOND); // want sleepsync
    return finished;
}

int rn_main(int argc, char **argv)
{
    (void)argv;
    struct session s = {.ctx = ctx_background()};
    struct client c = {0};
    rn_waitgroup wg = {0};
    start_all(&s), start_by_helpers(&s), start_skipping(&s), start_goto(&s);
    error_path(&s), of_a_helper(s.ctx), conditional(s.ctx, true), goto_out(s.ctx, argc), overwritten_in_loop(s.ctx);
    stored_and_never_ended(&c), pointer_in_struct(&s), pointer_in_heap_struct(&s), by_a_helper(&s);
    early_return(&s, 1), in_while(3), array_of_the_stack(NULL), inner_block(&wg, 3);
    until_ready(&s), tries(&s), sleeps_then_reads();
    return 0;
}
