/* Channels, select, timers. */
#include "nth.h"

FAULT_TEST(channels_of_many_sizes)
{
    struct large {
        char bytes[3000];
    };
    chan(int) a = chan_make(int, 0);
    defer(rn_chan_free, a);
    chan(struct large) b = chan_make(struct large, 100);
    defer(rn_chan_free, b);
    chan(char) c = chan_try_make(char, 10);
    defer(rn_chan_free, c);
    struct large l = {.bytes = {1}};
    chan_send(b, l);
    l = chan_recv(b);
    if (c)
        chan_send(c, 'x');
}

static void produce(chan(int) c)
{
    for (int i = 0; i < 100; i++)
        chan_send(c, i);
    chan_close(c);
}

FAULT_TEST(a_pipeline)
{
    chan(int) c = chan_make(int, 3);
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    defer(rn_chan_free, c);
    defer(rn_wg_wait, &wg);
    rn_wg_go(&wg, produce, c);
    int sum = 0;
    for (int v; chan_next(c, &v);)
        sum += v;
    CHECK_EQ(sum, 4950);
}

static void send_later(chan(int) c)
{
    rn_sleep(RN_MILLISECOND);
    chan_send(c, 1);
}

/* More cases than fit on the stack. */
FAULT_TEST(a_select_of_very_many_cases)
{
    enum { CASES = 2000 };
    chan(int) c = chan_make(int, 1);
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    defer(rn_chan_free, c);
    defer(rn_wg_wait, &wg);
    struct rn_case *cases = calloc(CASES, sizeof *cases);
    REQUIRE(cases != NULL);
    defer(free, cases);
    int value = 0;
    for (int i = 0; i < CASES; i++)
        cases[i] = rn_on_recv(c, &value);
    rn_wg_go(&wg, send_later, c);
    bool received = false;
    while (!received) {
        rn_chan_select_array(cases, CASES);
        received = value == 1;
    }
}

FAULT_TEST(timers_of_all_kinds)
{
    rn_timer *t = rn_timer_make(RN_MILLISECOND);
    defer(rn_timer_free, t);
    rn_ticker *k = rn_ticker_make(RN_MILLISECOND);
    defer(rn_ticker_free, k);
    chan_recv_only(rn_time) a = rn_after(RN_MILLISECOND);
    defer(rn_chan_free, a);
    chan_recv(rn_timer_chan(t));
    chan_recv(rn_ticker_chan(k));
    chan_recv(rn_ticker_chan(k));
    chan_recv(a);
    rn_sleep(RN_MILLISECOND);
}

static void signal_done(void *c)
{
    chan_send((chan(int))c, 1);
}

FAULT_TEST(a_function_after_some_time)
{
    chan(int) c = chan_make(int, 2);
    defer(rn_chan_free, c);
    rn_timer t;
    rn_after_func(&t, RN_MILLISECOND, signal_done, c);
    chan_recv(c); /* even when memory was short at first */
    rn_timer_destroy(&t);
    rn_after_func(NULL, RN_MILLISECOND, signal_done, c);
    chan_recv(c);
}
