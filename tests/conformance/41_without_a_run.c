/* SEMANTICS 41: plain threads may use everything that needs no goroutine, also before, between and after runs: there
 * the threads that wait see to the timers. */
#include <pthread.h>
#include <runnel.h>
#include <runnel/test.h>
#include <stdlib.h>
#include <unistd.h>

static void uses_timers(void)
{
    chan(int) c = chan_make(int, 1);
    CHECK_EQ(chan_select(on_recv(c, NULL), on_timeout(RN_MILLISECOND)), 1);
    chan_send(c, 5);
    CHECK_EQ(chan_select(on_recv(c, NULL), on_timeout(RN_HOUR)), 0);
    rn_context *ctx = ctx_with_timeout(NULL, RN_MILLISECOND);
    CHECK_EQ(chan_recv_ctx(ctx, c, NULL), RN_ETIMEOUT);
    CHECK_EQ(ctx_wait(ctx), RN_ETIMEOUT);
    ctx_cancel(ctx);
    rn_context *above = ctx_with_timeout(NULL, RN_MILLISECOND), *middle = ctx_with_cancel(above);
    rn_context *late = ctx_with_timeout(middle, RN_HOUR), *below = ctx_with_cancel(late);
    CHECK_EQ(ctx_wait(below), RN_ETIMEOUT);
    CHECK_EQ(ctx_err(late), RN_ETIMEOUT);
    ctx_cancel(above);
    CHECK_EQ(ctx_err(middle), RN_ETIMEOUT);
    ctx_cancel(below);
    ctx_cancel(late);
    ctx_cancel(middle);
    rn_timer t;
    rn_timer_init(&t, RN_MILLISECOND);
    chan_recv(rn_timer_chan(&t));
    rn_timer_destroy(&t);
    rn_ticker k;
    rn_ticker_init(&k, RN_MILLISECOND);
    chan_recv(rn_ticker_chan(&k));
    chan_recv(rn_ticker_chan(&k));
    rn_ticker_destroy(&k);
    chan_free(c);
}

/* As go, wg_go and group_go.  (scope_end returned an error that no header named, and a program ended with it as its status.) */
TEST_PLAIN_DIES(scope_go_needs_a_run, 2, "panic: scope_go: no run is under way: start goroutines in rn_main")
{
    rn_scope s;
    scope_begin(&s, NULL);
    scope_go(&s, uses_timers);
    exit(scope_end(&s));
}

static int seven(int a, double b)
{
    return a + (int)b;
}

TEST_PLAIN(timeouts_before_between_and_after_runs)
{
    uses_timers();
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(rn_run(seven, 3, 4.9), 7);
        uses_timers();
    }
}

static void *user(void *unused)
{
    for (int i = 0; i < 5; i++)
        uses_timers();
    return unused;
}

TEST_PLAIN(timeouts_of_many_threads)
{
    pthread_t t[6];
    for (int i = 0; i < 6; i++)
        CHECK_EQ(pthread_create(&t[i], NULL, user, NULL), 0);
    for (int i = 0; i < 6; i++)
        pthread_join(t[i], NULL);
}

static void *resets(void *timer)
{
    usleep(5000);
    rn_timer_reset(timer, RN_MILLISECOND);
    return NULL;
}

TEST_PLAIN(timer_that_another_thread_sets)
{
    rn_timer t;
    pthread_t other;
    rn_timer_init(&t, RN_HOUR);
    CHECK_EQ(pthread_create(&other, NULL, resets, &t), 0);
    chan_recv(rn_timer_chan(&t));
    pthread_join(other, NULL);
    rn_timer_destroy(&t);
}

static rn_atomic_int calls;

static void call(void *unused)
{
    (void)unused;
    rn_atomic_add(&calls, 1);
}

static void wait_for_calls(int n)
{
    while (rn_atomic_load(&calls) < n)
        rn_yield();
}

/* What needs a goroutine waits for the next run. */
TEST_PLAIN(after_funcs_run_in_the_next_run)
{
    rn_context *late = ctx_with_timeout(NULL, RN_MILLISECOND), *canceled = ctx_with_cancel(NULL);
    rn_after_func(NULL, RN_MILLISECOND, call, NULL);
    ctx_after_func(late, call, NULL);
    ctx_after_func(canceled, call, NULL);
    ctx_cancel(canceled);
    CHECK_EQ(chan_select(on_timeout(3 * RN_MILLISECOND)), 0);
    CHECK_EQ(rn_atomic_load(&calls), 0);
    rn_run(wait_for_calls, 3);
    ctx_cancel(late);
    CHECK_EQ(rn_atomic_load(&calls), 3);
}

TEST_PLAIN(after_func_of_a_done_context)
{
    rn_context *ctx = ctx_with_cancel(NULL);
    ctx_cancel(ctx);
    CHECK(!ctx_after_stop(ctx_after_func(ctx, call, NULL)));
    CHECK_EQ(rn_atomic_load(&calls), 0);
    rn_run(wait_for_calls, 1);
    EXPECT_PANIC("go: no run is under way: start goroutines in rn_main, or in what rn_run was given", go(call, NULL));
}

/* ---- a run that ends while threads wait ---- */

enum { BY_SELECT, BY_CONTEXT, BY_RECEIVE, BY_TIMER, BY_TICKER, WAYS };
static const rn_duration while_it_ends = 20 * RN_MILLISECOND;
static rn_atomic_int waiting;

static void wait_by(int way, rn_context *ctx, rn_timer *t, rn_ticker *k)
{
    chan(int) never = NULL;
    if (way == BY_SELECT)
        CHECK_EQ(chan_select(on_recv(never, NULL), on_timeout(while_it_ends)), 1);
    else if (way == BY_CONTEXT)
        CHECK_EQ(ctx_wait(ctx), RN_ETIMEOUT);
    else if (way == BY_RECEIVE)
        CHECK_EQ(chan_recv_ctx(ctx, never, NULL), RN_ETIMEOUT);
    else if (way == BY_TIMER)
        chan_recv(rn_timer_chan(t));
    for (int i = 0; way == BY_TICKER && i < 3; i++)
        chan_recv(rn_ticker_chan(k));
}

static void *waits(void *way)
{
    rn_timer t;
    rn_ticker k;
    rn_context *ctx = ctx_with_timeout(NULL, while_it_ends);
    rn_timer_init(&t, while_it_ends);
    rn_ticker_init(&k, while_it_ends);
    rn_atomic_add(&waiting, 1);
    wait_by((int)(intptr_t)way, ctx, &t, &k);
    rn_timer_destroy(&t);
    rn_ticker_destroy(&k);
    ctx_cancel(ctx);
    return NULL;
}

static void starts_threads(pthread_t *t)
{
    for (int i = 0; i < WAYS; i++)
        REQUIRE(pthread_create(&t[i], NULL, waits, (void *)(intptr_t)i) == 0);
    while (rn_atomic_load(&waiting) < WAYS)
        rn_yield();
    rn_sleep(RN_MILLISECOND);
}

/* (They waited for ever: the run's workers, who were to see to that, were gone.) */
TEST_PLAIN(timeouts_that_a_run_ends_beside)
{
    for (int i = 0; i < 5; i++) {
        pthread_t t[WAYS];
        rn_atomic_store(&waiting, 0);
        rn_run(starts_threads, t);
        for (int n = 0; n < WAYS; n++)
            pthread_join(t[n], NULL);
    }
}
