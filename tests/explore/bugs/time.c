/* The virtual clock: an hour takes no time, and nothing is early or late by it. */
#include <runnel.h>
#include <runnel/test.h>

TEST(a_sleep_of_an_hour)
{
    rn_time t = rn_now();
    rn_sleep(RN_HOUR);
    CHECK_EQ(rn_since(t), RN_HOUR);
}

TEST(a_day_of_ticks)
{
    rn_time t = rn_now();
    rn_ticker every;
    rn_ticker_init(&every, RN_MINUTE);
    for (int i = 1; i <= 24 * 60; i++)
        CHECK_EQ(chan_recv(rn_ticker_chan(&every)) - t, i * RN_MINUTE);
    rn_ticker_destroy(&every);
    CHECK_EQ(rn_since(t), 24 * RN_HOUR);
}

static void sleeper(int hours, chan(int) c)
{
    rn_sleep(hours * RN_HOUR);
    chan_send(c, hours);
}

TEST(sleepers_wake_in_order)
{
    chan(int) c = chan_make(int, 0);
    for (int i = 5; i > 0; i--)
        go(sleeper, i, c);
    for (int i = 1; i <= 5; i++)
        CHECK_EQ(chan_recv(c), i);
    chan_free(c);
}

static void work(int *done)
{
    for (int i = 0; i < 50; i++)
        rn_yield();
    *done = 1;
}

TEST(time_stands_still_while_somebody_can_run)
{
    int done = 0;
    go(work, &done);
    rn_sleep(2 * RN_MICROSECOND);
    CHECK_EQ(done, 1);
}

TEST(a_deadline_that_is_polled_comes)
{
    rn_context *ctx = ctx_with_timeout(ctx_background(), RN_HOUR);
    rn_time t = rn_now();
    while (ctx_err(ctx) == 0)
        rn_yield();
    CHECK_EQ(rn_since(t), RN_HOUR);
    ctx_cancel(ctx);
    for (t = rn_now(); rn_since(t) < RN_MILLISECOND;)
        continue;
}

static void set(int *to)
{
    *to = 1;
}

TEST(functions_run_later)
{
    rn_timer t;
    int done = 0;
    rn_after_func(&t, 10 * RN_HOUR, set, &done);
    rn_sleep(9 * RN_HOUR);
    CHECK_EQ(done, 0);
    rn_sleep(2 * RN_HOUR);
    CHECK_EQ(done, 1);
    rn_timer_destroy(&t);
}

/* Two who never both wait, until they are told to stop. */
static void play(chan(int) ball, chan_recv_only(rn_unit) stop)
{
    while (chan_select(on_recv(stop, NULL), on_default()) == 1)
        chan_select(on_send(ball, 1), on_recv(ball, NULL), on_recv(stop, NULL), on_default());
}

TEST(a_sleep_ends_though_others_go_on)
{
    chan(int) ball = chan_make(int, 0);
    chan(rn_unit) stop = chan_make(rn_unit, 0);
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < 2; i++)
        wg_go(&wg, play, ball, stop);
    rn_sleep(RN_HOUR);
    chan_close(stop);
    wg_wait(&wg);
    chan_free(ball);
    chan_free(stop);
}

static void count(rn_mutex *mu, long *to)
{
    for (int i = 0; i < 30000; i++) {
        mutex_lock(mu);
        ++*to;
        mutex_unlock(mu);
    }
}

TEST(a_long_way_has_an_end)
{
    rn_mutex mu = RN_MUTEX_INIT;
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    long n = 0;
    for (int i = 0; i < 2; i++)
        wg_go(&wg, count, &mu, &n);
    wg_wait(&wg);
    CHECK_EQ(n, 60000);
}

/* No timer: the clock moves for those that look at it. */
TEST(a_loop_polls_the_clock)
{
    rn_time start = rn_now();
    while (rn_now() - start < RN_HOUR)
        rn_yield();
}
