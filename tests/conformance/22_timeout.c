/* on_timeout leaves nothing behind when another case wins (no timer leak), and a select that timed
 * out leaves no waiter. */
#include "chan_inside.h"

TEST(the_timeout_comes_when_nothing_else_does)
{
    chan(int) c = chan_make(int, 0);
    rn_time start = rn__now();
    int v = 7;
    CHECK_EQ(chan_select(on_recv(c, &v), on_timeout(5 * RN_MILLISECOND)), 1);
    CHECK(rn__now() - start >= 5 * RN_MILLISECOND);
    CHECK_EQ(v, 7);
    CHECK(nobody_waits(INSIDE(c)));
    chan_free(c);
}

TEST(a_ready_case_comes_before_any_timeout)
{
    chan(int) c = chan_make(int, 1);
    for (int i = 0; i < 100; i++) {
        int v;
        chan_send(c, i);
        CHECK_EQ(chan_select(on_timeout(0), on_recv(c, &v), on_timeout(-5)), 1);
        CHECK_EQ(v, i);
    }
    chan_free(c);
}

TEST(zero_and_less_are_at_once)
{
    chan(int) c = chan_make(int, 0);
    CHECK_EQ(chan_select(on_recv(c, NULL), on_timeout(0)), 1);
    CHECK_EQ(chan_select(on_recv(c, NULL), on_timeout(INT64_MIN)), 1);
    CHECK_EQ(chan_select(on_timeout(0)), 0);
    chan_free(c);
}

TEST(of_several_the_earliest)
{
    chan(int) c = chan_make(int, 0);
    rn_time start = rn__now();
    CHECK_EQ(chan_select(on_timeout(RN_HOUR), on_recv(c, NULL), on_timeout(2 * RN_MILLISECOND), on_timeout(RN_MINUTE)),
             2);
    CHECK(rn__now() - start < 30 * RN_SECOND);
    CHECK_EQ(chan_select(on_timeout(RN_MILLISECOND), on_timeout(RN_MILLISECOND)), 0);
    chan_free(c);
}

static void answer(chan(int) c)
{
    await_receivers(INSIDE(c), 1);
    chan_send(c, 1);
}

TEST(a_timeout_beyond_the_end_of_time)
{
    chan(int) c = chan_make(int, 0);
    go(answer, c);
    CHECK_EQ(chan_select(on_timeout(INT64_MAX), on_recv(c, NULL)), 1);
    chan_free(c);
}

static void time_out(chan(int) c, int i, chan(int) done)
{
    rn_duration d = (1 + i % 20) * 100 * RN_MICROSECOND;
    int v;
    if (i % 2)
        CHECK_EQ(chan_select(on_recv(c, &v), on_timeout(d)), 1);
    else
        CHECK_EQ(chan_select(on_send(c, 1), on_timeout(d)), 1);
    chan_send(done, 1);
}

static void wait_with_timeouts(chan(int) c, bool send)
{
    enum { N = 1000 };
    chan(int) done = chan_make(int, N);
    for (int i = 0; i < N; i++)
        go(time_out, c, 2 * i + !send, done);
    for (int i = 0; i < N; i++)
        chan_recv(done);
    CHECK(nobody_waits(INSIDE(c)));
    chan_free(done);
}

TEST(a_thousand_selects_that_time_out_leave_no_waiters)
{
    chan(int) c = chan_make(int, 0);
    wait_with_timeouts(c, false);
    wait_with_timeouts(c, true);
    chan_free(c);
}

TEST(a_thousand_timeouts_one_after_the_other_leave_no_waiters)
{
    chan(int) c = chan_make(int, 0);
    for (int i = 0; i < 1000; i++)
        CHECK_EQ(chan_select(on_recv(c, NULL), on_timeout(RN_MICROSECOND)), 1);
    CHECK(nobody_waits(INSIDE(c)));
    chan_free(c);
}

/* If the timer of the select were still there, it would hold the report of the deadlock back. */
TEST_DIES(no_timer_is_left_when_another_case_won, 2, "all goroutines are asleep - deadlock!")
{
    chan(int) c = chan_make(int, 0);
    for (int i = 0; i < 10; i++) {
        go(answer, c);
        CHECK_EQ(chan_select(on_timeout(RN_HOUR), on_recv(c, NULL)), 1);
    }
    chan_recv(c);
}

/* The timeout and a sender at the same moment: exactly one of them wins. */
static void try_late(chan(int) c, rn_duration d, chan(int) done)
{
    chan_send(done, chan_select(on_send(c, 1), on_timeout(d)));
}

TEST(timeouts_that_race_with_a_value)
{
    chan(int) c = chan_make(int, 0);
    chan(int) done = chan_make(int, 1);
    uint64_t seed = test_seed();
    for (int i = 0; i < 2000; i++) {
        rn_duration d = test_random_below(&seed, 60) * RN_MICROSECOND;
        rn_duration e = test_random_below(&seed, 60) * RN_MICROSECOND;
        go(try_late, c, d, done);
        int v = 0;
        int k = chan_select(on_recv(c, &v), on_timeout(e));
        CHECK_EQ(chan_recv(done), k); /* both met, or both timed out */
        CHECK_EQ(v, k == 0);
    }
    CHECK(nobody_waits(INSIDE(c)));
    chan_free(c);
    chan_free(done);
}
