/* Pointers to what lives as long as the goroutine. */
#include <runnel.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

struct job {
    int n;
    int *out;
    rn_waitgroup wg;
};

static int global;
static rn_waitgroup all;

static void add(int *n)
{
    __atomic_add_fetch(n, 1, __ATOMIC_RELAXED);
}

static void add_done(int *n, rn_waitgroup *wg)
{
    defer(wg_done, wg);
    add(n);
}

static void run(struct job *j)
{
    *j->out = j->n;
    free(j);
}

static void say(int *n, chan(rn_unit) done)
{
    ++*n;
    chan_send(done, RN_UNIT);
}

static void waits(void)
{
    rn_waitgroup wg = {0};
    int n = 0, table[4] = {0};
    wg_add(&wg, 1);
    go(add_done, &n, &wg);
    for (int i = 0; i < 4; i++)
        wg_go(&wg, add, &table[i]);
    wg_wait(&wg);
}

static void waits_later(void)
{
    rn_waitgroup wg = {0};
    int n = 0;
    defer(wg_wait, &wg);
    wg_go(&wg, add, &n);
}

static int receives(int n)
{
    chan(rn_unit) done = chan_make(rn_unit, 0);
    defer(chan_free, done);
    go(say, &n, done);
    if (n < 0) {
        chan_recv(done);
        return 1;
    }
    chan_recv(done);
    return n;
}

static void scoped(rn_context *ctx)
{
    int n = 0, table[8] = {0};
    rn_scope s;
    scope_begin(&s, ctx);
    for (int i = 0; i < 8; i++)
        scope_go(&s, add, &table[i]);
    scope_go(&s, add, &n);
    scope_end(&s);
}

static void scoped_block(rn_context *ctx)
{
    int n = 0;
    {
        rn_scope s;
        scope_begin(&s, ctx);
        scope_go(&s, add, &n);
    }
}

static void heap(void)
{
    struct job *j = malloc(sizeof *j);
    if (!j)
        abort();
    *j = (struct job){.n = 1, .out = &global};
    go(run, j);
}

static void lasting(void)
{
    static int n;
    go(add, &n);
    go(add, &global);
}

static void member_of(struct job *j)
{
    go(add, &j->n);
    wg_go(&j->wg, add, j->out);
}

static void grouped(void)
{
    rn_group g = {0};
    int n = 0;
    group_wait(&g);
    wg_go(&all, add, &global);
    add(&n);
}

static void join(rn_waitgroup *wg)
{
    wg_wait(wg);
}

static void by_helper(void)
{
    rn_waitgroup wg = {0};
    int n = 0;
    wg_go(&wg, add, &n);
    join(&wg);
}

static void value(int n)
{
    printf("%d\n", n);
}

static void values(void)
{
    struct job j = {.n = 1};
    go(value, j.n);
    const char *text = "literal";
    go(puts, text);
}

static void forever(void)
{
    int n = 0;
    chan(int) c = chan_make(int, 0);
    go(add, &n);
    for (;;)
        chan_recv(c);
}

static void selected(void)
{
    int n = 0;
    chan(rn_unit) done = chan_make(rn_unit, 1);
    go(say, &n, done);
    switch (chan_select(on_recv(done, NULL), on_timeout(RN_SECOND))) {
    case 0:
        break;
    case 1:
        puts("late");
        chan_recv(done);
        break;
    }
}

static int counted(int workers)
{
    int n = 0;
    chan(rn_unit) done = chan_make(rn_unit, 0);
    for (int i = 0; i < workers; i++)
        go(say, &n, done);
    for (int i = 0; i < workers; i++)
        chan_recv(done);
    return n;
}

static int sometimes(bool parallel)
{
    int n = 0;
    rn_waitgroup wg = {0};
    if (parallel)
        wg_go(&wg, add, &n);
    add(&n);
    if (parallel)
        wg_wait(&wg);
    return n;
}

static void set(rn_atomic_bool *flag)
{
    rn_atomic_store(flag, true);
}

static void spins(void)
{
    rn_atomic_bool flag = {0};
    go(set, &flag);
    while (!rn_atomic_load(&flag))
        rn_yield();
}

int rn_main(int argc, char **argv)
{
    (void)argv;
    struct job j = {.n = 1, .out = &global};
    int n = 0;
    chan(rn_unit) done = chan_make(rn_unit, 0);
    go(say, &n, done); /* main's own: the program ends with it */
    chan_recv(done);
    waits(), waits_later(), receives(argc), scoped(NULL), scoped_block(NULL), heap(), lasting(), member_of(&j),
        grouped();
    by_helper(), values(), selected(), counted(3), sometimes(true), spins();
    wg_wait(&j.wg);
    wg_wait(&all);
    if (argc > 10)
        forever();
    return 0;
}
