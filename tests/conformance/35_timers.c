/* SEMANTICS 35: sleep never returns early.  Timer stop and reset as since Go 1.23.  Tickers drop ticks for
 * slow receivers.  after_func runs in its own goroutine. */
#include <runnel.h>
#include <runnel/test.h>
#include <string.h>
#include <pthread.h>

static void sleeps(int n)
{
    for (int i = 0; i < n; i++) {
        rn_duration d = (i % 10) * 300 * RN_MICROSECOND + i;
        rn_time start = rn_now();
        rn_sleep(d);
        rn_duration took = rn_since(start);
        if (took < d)
            FAIL("slept %lld ns instead of %lld", (long long)took, (long long)d);
    }
}

TEST(sleep_is_never_early)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < 20; i++)
        wg_go(&wg, sleeps, 30);
    wg_wait(&wg);
}

static void *sleep_as_thread(void *arg)
{
    sleeps(20);
    return arg;
}

TEST_PLAIN(sleep_of_a_plain_thread)
{
    pthread_t t;
    pthread_create(&t, NULL, sleep_as_thread, NULL);
    sleeps(20);
    pthread_join(t, NULL);
}

TEST(sleep_of_nothing)
{
    rn_time start = rn_now();
    rn_sleep(0);
    rn_sleep(-1);
    rn_sleep(INT64_MIN);
    CHECK(rn_since(start) < RN_SECOND);
}

/* ---- timers ----------------------------------------------------------------------------------------- */

/* Until the timer, whose time has come, has fired. */
static void await_fired(rn_duration since_set)
{
    rn_sleep(since_set + RN_MILLISECOND);
}

TEST(a_timer_fires_once)
{
    rn_timer t;
    rn_time start = rn_now(), got = 0;
    rn_timer_init(&t, 2 * RN_MILLISECOND);
    chan_recv_only(rn_time) c = rn_timer_chan(&t);
    CHECK_EQ(chan_cap(c), 0);
    got = chan_recv(c);
    CHECK(got - start >= 2 * RN_MILLISECOND && got <= rn_now());
    CHECK(!rn_timer_stop(&t)); /* its value was received */
    CHECK_EQ(chan_try_recv(c, NULL), RN_EAGAIN);
    rn_timer_destroy(&t);
}

TEST(stop_before_it_fires)
{
    rn_timer t;
    rn_timer_init(&t, RN_MILLISECOND);
    bool was = rn_timer_stop(&t);
    CHECK(was);
    CHECK(!rn_timer_stop(&t));
    await_fired(RN_MILLISECOND);
    CHECK_EQ(chan_try_recv(rn_timer_chan(&t), NULL), RN_EAGAIN);
    CHECK(!rn_timer_reset(&t, RN_HOUR));
    CHECK(rn_timer_reset(&t, RN_HOUR));
    rn_timer_destroy(&t);
}

TEST(an_unread_value_is_taken_back)
{
    rn_timer t;
    rn_timer_init(&t, RN_MICROSECOND);
    await_fired(RN_MICROSECOND);
    CHECK_EQ(chan_len(rn_timer_chan(&t)), 0);
    CHECK(rn_timer_stop(&t));
    CHECK_EQ(chan_try_recv(rn_timer_chan(&t), NULL), RN_EAGAIN);
    CHECK(!rn_timer_reset(&t, RN_MICROSECOND));
    await_fired(RN_MICROSECOND);
    CHECK(rn_timer_reset(&t, RN_HOUR));
    CHECK_EQ(chan_try_recv(rn_timer_chan(&t), NULL), RN_EAGAIN);
    CHECK(rn_timer_stop(&t));
    rn_timer_destroy(&t);
}

TEST(reset_brings_the_new_value)
{
    rn_timer *t = rn_timer_make(RN_HOUR);
    for (int i = 0; i < 50; i++) {
        rn_time start = rn_now();
        rn_timer_reset(t, 20 * RN_MICROSECOND);
        CHECK(chan_recv(rn_timer_chan(t)) - start >= 20 * RN_MICROSECOND);
    }
    rn_timer_free(t);
}

TEST(a_timer_that_is_due_at_once)
{
    rn_timer t;
    rn_timer_init(&t, -5);
    chan_recv(rn_timer_chan(&t));
    rn_timer_reset(&t, 0);
    chan_recv(rn_timer_chan(&t));
    rn_timer_destroy(&t);
}

TEST(a_timer_in_select)
{
    chan(int) never = chan_make(int, 0);
    rn_timer t;
    rn_timer_init(&t, RN_MILLISECOND);
    CHECK_EQ(chan_select(on_recv(never, NULL), on_recv(rn_timer_chan(&t), NULL)), 1);
    rn_timer_destroy(&t);
    chan_free(never);
}

TEST(after_gives_a_channel)
{
    chan_recv_only(rn_time) c = rn_after(RN_MILLISECOND);
    chan_recv(c);
    chan_free(c);
    c = rn_after(RN_HOUR);
    CHECK_EQ(chan_try_recv(c, NULL), RN_EAGAIN);
    chan_free(c); /* stops it */
}

/* (A close was let pass, and the timer was silent from then on.  The macro does not compile: it knows the direction.) */
TEST(the_channel_of_a_timer_is_the_timers)
{
    rn_timer t;
    rn_timer_init(&t, RN_HOUR);
    EXPECT_PANIC("chan_free: the channel belongs to a timer", chan_free(rn_timer_chan(&t)));
    EXPECT_PANIC("close of a timer's channel", (rn_chan_close)(rn_timer_chan(&t)));
    rn_timer_reset(&t, 0);
    CHECK(chan_recv(rn_timer_chan(&t)) != 0);
    rn_timer_destroy(&t);
    chan_recv_only(rn_time) c = rn_after(RN_HOUR);
    EXPECT_PANIC("close of a timer's channel", (rn_chan_close)(c));
    chan_free(c);
}

/* ---- tickers ------------------------------------------------------------------------------------------ */

TEST(a_ticker_ticks)
{
    rn_ticker t;
    rn_time start = rn_now(), last = start;
    rn_ticker_init(&t, RN_MILLISECOND);
    for (int i = 1; i <= 10; i++) {
        rn_time at = chan_recv(rn_ticker_chan(&t));
        CHECK(at > last);
        CHECK(at - start >= i * RN_MILLISECOND);
        last = at;
    }
    rn_ticker_destroy(&t);
}

TEST(a_slow_receiver_misses_ticks)
{
    rn_ticker *t = rn_ticker_make(RN_MILLISECOND);
    chan_recv_only(rn_time) c = rn_ticker_chan(t);
    rn_sleep(20 * RN_MILLISECOND);
    CHECK_EQ(chan_try_recv(c, NULL), 0);
    CHECK_EQ(chan_len(c), 0);
    rn_ticker_reset(t, RN_HOUR); /* nothing from before is left */
    CHECK_EQ(chan_try_recv(c, NULL), RN_EAGAIN);
    rn_ticker_reset(t, RN_MILLISECOND);
    rn_sleep(5 * RN_MILLISECOND);
    rn_ticker_stop(t);
    CHECK_EQ(chan_try_recv(c, NULL), RN_EAGAIN);
    rn_ticker_free(t);
}

TEST(an_interval_of_nothing_panics)
{
    rn_ticker t;
    EXPECT_PANIC("non-positive interval for NewTicker", rn_ticker_init(&t, 0));
    EXPECT_PANIC("non-positive interval for NewTicker", CHECK(!rn_ticker_make(-1)));
    CHECK(rn_tick(0) == NULL);
    rn_ticker_init(&t, RN_HOUR);
    EXPECT_PANIC("non-positive interval for Ticker.Reset", rn_ticker_reset(&t, 0));
    rn_ticker_destroy(&t);
}

TEST(tick_gives_a_channel)
{
    chan_recv_only(rn_time) c = rn_tick(RN_MILLISECOND);
    for (int i = 0; i < 3; i++)
        chan_recv(c);
    chan_free(c);
}

/* ---- after_func ---------------------------------------------------------------------------------------- */

struct call {
    rn_timer timer;
    rn_waitgroup done;
    int n;
};

static void count_call(struct call *c)
{
    c->n++;
    wg_done(&c->done);
}

TEST(after_func_runs_in_a_goroutine_of_its_own)
{
    struct call c = {.done = RN_WAITGROUP_INIT};
    wg_add(&c.done, 1);
    rn_time start = rn_now();
    rn_after_func(&c.timer, RN_MILLISECOND, count_call, &c);
    CHECK(rn__timer_chan(&c.timer) == NULL);
    wg_wait(&c.done);
    CHECK(rn_since(start) >= RN_MILLISECOND);
    CHECK(!rn_timer_stop(&c.timer));
    wg_add(&c.done, 1);
    CHECK(!rn_timer_reset(&c.timer, RN_MICROSECOND));
    wg_wait(&c.done);
    wg_add(&c.done, 1);
    rn_after_func(NULL, RN_MICROSECOND, count_call, &c);
    wg_wait(&c.done);
    CHECK_EQ(c.n, 3);
    rn_timer_destroy(&c.timer);
}

TEST(a_stopped_after_func_does_not_run)
{
    struct call c = {.done = RN_WAITGROUP_INIT};
    rn_duration d = RN_MILLISECOND;
    int ran = 0;
    wg_add(&c.done, 1);
    rn_after_func(&c.timer, d, count_call, &c);
    for (; !rn_timer_stop(&c.timer); rn_timer_reset(&c.timer, d *= 2)) { /* this thread had stood still for as long */
        wg_wait(&c.done);
        CHECK_EQ(c.n, ++ran);
        wg_add(&c.done, 1);
    }
    await_fired(d);
    CHECK_EQ(c.n, ran);
    wg_done(&c.done);
    rn_timer_destroy(&c.timer);
}

/* One that blocks does not hold up the other timers. */
static void block(chan_recv_only(int) c)
{
    chan_recv(c);
}

TEST(a_blocked_after_func_holds_up_nobody)
{
    chan(int) c = chan_make(int, 0);
    rn_after_func(NULL, 0, block, c);
    rn_sleep(2 * RN_MILLISECOND);
    chan_send(c, 1);
    chan_free(c);
}

/* ---- the deadlock report ----------------------------------------------------------------------------------- */

TEST_DIES(a_timer_that_nobody_waits_on_is_no_hope, 2, "all goroutines are asleep - deadlock!")
{
    rn_timer t;
    rn_ticker tick;
    rn_timer_init(&t, RN_HOUR);
    rn_ticker_init(&tick, RN_MILLISECOND);
    chan_recv((chan(int))NULL);
}

TEST_DIES(a_stopped_timer_is_no_hope, 2, "all goroutines are asleep - deadlock!")
{
    rn_timer t;
    rn_timer_init(&t, RN_HOUR);
    rn_timer_stop(&t);
    chan_recv(rn_timer_chan(&t));
}

TEST(a_timer_that_somebody_waits_on_is_hope)
{
    rn_timer t;
    rn_timer_init(&t, 30 * RN_MILLISECOND);
    chan_recv(rn_timer_chan(&t));
    rn_timer_destroy(&t);
}

static void send_one(chan_send_only(int) c)
{
    chan_send(c, 1);
}

TEST(a_pending_after_func_is_hope)
{
    chan(int) c = chan_make(int, 0);
    rn_after_func(NULL, 30 * RN_MILLISECOND, send_one, c);
    CHECK_EQ(chan_recv(c), 1);
    chan_free(c);
}

TEST_DIES(a_stopped_after_func_is_no_hope, 2, "all goroutines are asleep - deadlock!")
{
    rn_timer t;
    rn_after_func(&t, RN_HOUR, send_one, NULL);
    rn_timer_stop(&t);
    chan_recv((chan(int))NULL);
}

/* As in Go; destroying is allowed, for functions that clean up what they may not have come to. */
TEST(a_timer_that_was_never_set)
{
    rn_timer t;
    memset(&t, 0, sizeof t);
    for (int i = 0; i < 2; i++) {
        EXPECT_PANIC("time: Stop called on uninitialized Timer", rn_timer_stop(&t));
        EXPECT_PANIC("time: Reset called on uninitialized Timer", rn_timer_reset(&t, 1));
        CHECK(rn_timer_chan(&t) == NULL);
        rn_timer_destroy(&t);
        rn_timer_init(&t, RN_HOUR);
        rn_timer_destroy(&t); /* and then it is so again */
    }
    rn_after_func(&t, RN_HOUR, send_one, NULL);
    rn_timer_destroy(&t);
    EXPECT_PANIC("time: Reset called on uninitialized Timer", rn_timer_reset(&t, 1));
}

TEST(a_ticker_that_was_never_set)
{
    rn_ticker t;
    memset(&t, 0, sizeof t);
    rn_ticker_stop(&t);
    EXPECT_PANIC("time: Reset called on uninitialized Ticker", rn_ticker_reset(&t, 1));
    CHECK(rn_ticker_chan(&t) == NULL);
    rn_ticker_destroy(&t);
}

/* Memory that is something else before its timer was destroyed: all of it, its beginning, its end. */
static void overwritten(size_t from, size_t n)
{
    static rn_timer t;
    rn_timer_init(&t, RN_MILLISECOND);
    memset((char *)&t + from, 2, n);
    rn_sleep(20 * RN_MILLISECOND);
}

#define OVERWRITTEN "fatal error: timer: the memory of one that is pending ("
TEST_DIES(a_timer_whose_memory_is_something_else, 2, OVERWRITTEN)
{
    overwritten(0, sizeof(rn_timer));
}

TEST_DIES(a_timer_whose_beginning_is_overwritten, 2, OVERWRITTEN)
{
    overwritten(0, 40);
}

TEST_DIES(a_timer_whose_end_is_overwritten, 2, OVERWRITTEN)
{
    overwritten(sizeof(rn_timer) / 2, sizeof(rn_timer) / 2);
}

TEST_DIES(a_neighbour_of_one_that_is_overwritten, 2, OVERWRITTEN)
{
    static rn_timer t[3];
    for (int i = 0; i < 3; i++)
        rn_timer_init(&t[i], RN_HOUR);
    memset(&t[1], 2, sizeof t[1]);
    rn_timer_destroy(&t[0]);
    rn_timer_destroy(&t[2]);
}
