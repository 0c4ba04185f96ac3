/* The start of a run, and of goroutines. */
#include "nth.h"
#include <pthread.h>

static void nothing(void)
{
}

FAULT_TEST(an_empty_run)
{
}

static void count(rn_waitgroup *wg, rn_atomic(int) * n)
{
    defer(rn_wg_done, wg);
    *n += 1;
}

FAULT_TEST(many_goroutines)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    rn_atomic(int) n = 0;
    defer(rn_wg_wait, &wg);
    for (int i = 0; i < 300; i++)
        rn_wg_go(&wg, nothing);
    for (int i = 0; i < 300; i++) {
        rn_wg_add(&wg, 1);
        if (rn_go_try(count, &wg, &n) != 0)
            rn_wg_done(&wg);
    }
}

static void wait_for_close(chan(int) c)
{
    chan_recv(c);
}

static void close_and_wait(void *c)
{
    rn_chan_close((chan(int))c);
}

/* Goroutines that all live at once, on stacks of several sizes. */
FAULT_TEST(many_goroutines_at_once)
{
    chan(int) c = chan_make(int, 0);
    defer(rn_chan_free, c);
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    defer(rn_wg_wait, &wg);
    defer(close_and_wait, c);
    for (int i = 0; i < 600; i++)
        rn_wg_go(&wg, wait_for_close, c);
    for (size_t i = 0; i < 4; i++) {
        struct rn_waitgroup *w = &wg;
        rn_wg_add(w, 1);
        static rn_atomic(int) n;
        if (rn_go_with((.stack = (size_t)16384 << 2 * i, .try_ = true), count, w, &n) != 0)
            rn_wg_done(w);
    }
}

static void *send_from_outside(void *c)
{
    chan_send((chan(int))c, 5);
    return NULL;
}

/* A plain thread is adopted; it has no way to report that there is no memory but to abort. */
FAULT_TEST(a_plain_thread_sends)
{
    chan(int) c = chan_make(int, 1);
    defer(rn_chan_free, c);
    pthread_t t;
    if (pthread_create(&t, NULL, send_from_outside, c) != 0)
        return;
    CHECK_EQ(chan_recv(c), 5);
    pthread_join(t, NULL);
}
