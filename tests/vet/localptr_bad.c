/* Pointers to local variables that goroutines may use when they are gone. */
#include <runnel.h>
#include <stdio.h>
#include <stdlib.h>

struct job {
    int n;
    int *out;
    chan(int) done;
};
typedef struct {
    struct job job;
    char name[16];
} request;

static rn_waitgroup all;

static void add(int *n)
{
    ++*n;
}

static void print(const char *s)
{
    puts(s);
}

static void run(struct job *j)
{
    *j->out = j->n;
}

static void run_copy(struct job j)
{
    *j.out = j.n;
}

static void signal_done(int *n, chan(rn_unit) done)
{
    ++*n;
    chan_send(done, RN_UNIT);
}

static void plain(void)
{
    int n = 0;
    go(add, &n); // want localptr
}

static void array(int id)
{
    char name[32];
    snprintf(name, sizeof name, "worker %d", id);
    go(print, name); // want localptr
}

static void structure(void)
{
    struct job j = {.n = 1};
    rn_go(run, &j); // want localptr
}

static void member(void)
{
    request r = {.name = "x"};
    go(run, &r.job);   // want localptr
    go(print, r.name); // want localptr
    go(add, &r.job.n); // want localptr
}

static void element(void)
{
    int n[4] = {0};
    for (int i = 0; i < 4; i++)
        go(add, &n[i]); // want localptr
}

static void parameter(int n)
{
    go(add, &n); // want localptr
}

static void by_pointer(void)
{
    int n = 0, *p = &n;
    go(add, p); // want localptr
}

static void in_struct(void)
{
    int result = 0;
    struct job j = {.n = 1, .out = &result};
    go(run_copy, j); // want localptr
}

static void in_heap(void)
{
    int result = 0;
    struct job *j = malloc(sizeof *j);
    if (!j)
        abort();
    j->n = 1;
    j->out = &result;
    go(run, j); // want localptr
}

static void literal(void)
{
    go(run, &(struct job){.n = 2}); // want localptr
}

static int early(int n)
{
    chan(rn_unit) done = chan_make(rn_unit, 0);
    go(signal_done, &n, done); // want localptr
    if (n > 3)
        return 1;
    chan_recv(done);
    return 0;
}

static int times_out(void)
{
    int n = 0;
    chan(rn_unit) done = chan_make(rn_unit, 0);
    go(signal_done, &n, done); // want localptr
    switch (chan_select(on_recv(done, NULL), on_timeout(RN_MILLISECOND))) {
    case 0:
        return n;
    default:
        return -1;
    }
}

static void waited_elsewhere(void)
{
    int n = 0;
    wg_go(&all, add, &n); // want localptr
}

static void each_round(void)
{
    rn_waitgroup wg = {0};
    for (int i = 0; i < 3; i++) {
        int mine = i;
        wg_go(&wg, add, &mine); // want localptr
    }
    wg_wait(&wg);
}

static void scope_round(rn_context *ctx)
{
    rn_scope s;
    scope_begin(&s, ctx);
    for (int i = 0; i < 3; i++) {
        int mine = i;
        scope_go(&s, add, &mine); // want localptr
    }
    scope_end(&s);
}

static void in_scope(rn_scope *s)
{
    int mine = 0;
    scope_go(s, add, &mine); // want localptr
}

static void timer(rn_timer *t)
{
    int n = 0;
    rn_after_func(t, RN_SECOND, add, &n); // want localptr
}

static void start(int *n)
{
    go(add, n);
}

static void by_helper(void)
{
    int n = 0;
    start(&n); // want localptr
}

static void with_options(void)
{
    int n = 0;
    rn_go_with((.name = "adder"), add, &n); // want localptr
}

int rn_main(int argc, char **argv)
{
    (void)argv;
    rn_timer t = {0};
    rn_scope s;
    scope_begin(&s, NULL);
    plain(), array(1), structure(), member(), element(), parameter(1), by_pointer(), in_struct(), in_heap(), literal();
    early(argc), times_out(), waited_elsewhere(), each_round(), scope_round(NULL), in_scope(&s), timer(&t);
    by_helper(), with_options();
    wg_wait(&all);
    return 0;
}
