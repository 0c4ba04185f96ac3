/* Once: runs once; others wait for it; a panic counts as done; a recursive call is a deadlock that is
 * reported. once_value. */
#include "sync_inside.h"

static rn_once once;
static int calls;

static void call(void)
{
    calls++;
}

static void do_once(void)
{
    once_do(&once, call);
    if (calls != 1)
        FAIL("once_do returned after %d calls", calls);
}

TEST(runs_once)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < 20; i++)
        wg_go(&wg, do_once);
    wg_wait(&wg);
    CHECK_EQ(calls, 1);
}

static void add(int a, long b)
{
    calls += a + (int)b;
}

TEST(arguments_are_evaluated_by_the_one_who_runs_it)
{
    int evaluated = 0;
    for (int i = 0; i < 3; i++)
        once_do(&once, add, 40, (evaluated++, 2L));
    CHECK_EQ(calls, 42);
    CHECK_EQ(evaluated, 1);
}

static void wait_for_gate(chan(int) gate)
{
    chan_recv(gate);
    calls++;
}

static void run_gated(chan(int) gate)
{
    once_do(&once, wait_for_gate, gate);
}

TEST(others_wait_until_it_has_ended)
{
    chan(int) gate = chan_make(int, 0);
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_go(&wg, run_gated, gate);
    while (rn_load_relaxed(&once.rn_state) != RN_ONCE_RUNNING)
        rn_yield();
    for (int i = 0; i < 5; i++)
        wg_go(&wg, do_once);
    await_waiters(&once.rn_queue, 5);
    chan_send(gate, 1);
    wg_wait(&wg);
    CHECK_EQ(calls, 1);
    chan_free(gate);
}

static void fail(void)
{
    calls++;
    rn_panic("failed");
}

TEST(a_panic_counts_as_done)
{
    EXPECT_PANIC("failed", once_do(&once, fail));
    once_do(&once, fail);
    once_do(&once, call);
    CHECK_EQ(calls, 1);
}

static void leave(void)
{
    calls++;
    rn_exit_goroutine();
}

static void do_leave(void)
{
    once_do(&once, leave);
}

TEST(an_exit_of_the_goroutine_counts_as_done)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_go(&wg, do_leave);
    wg_wait(&wg);
    once_do(&once, call);
    CHECK_EQ(calls, 1);
}

static void again(void)
{
    once_do(&once, again);
}

TEST_DIES(a_recursive_call_is_a_reported_deadlock, 2, "all goroutines are asleep - deadlock!")
{
    once_do(&once, again);
}

static double half(int n)
{
    calls++;
    return n / 2.0;
}

static rn_once_value(double) value;

static void take_value(void)
{
    if (once_value(&value, half, 7) != 3.5)
        FAIL("another value");
}

TEST(value_is_computed_once)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < 10; i++)
        wg_go(&wg, take_value);
    wg_wait(&wg);
    CHECK_EQ(calls, 1);
}

static int fail_value(void)
{
    calls++;
    rn_panic("no value: %d", calls);
}

static int fail_with_a_value(void)
{
    rn_panic_value(&calls, "with a value");
}

static rn_once_value(int) failing;

static void same_value(void *unused)
{
    (void)unused;
    void *value = NULL;
    CHECK(rn_recover_value(&value));
    CHECK_EQ(value, &calls);
}

static void take_failing(void)
{
    defer(same_value, NULL);
    (void)once_value(&failing, fail_with_a_value);
    FAIL("it returned");
}

TEST(value_panics_with_the_same_value_each_time)
{
    for (int i = 0; i < 3; i++)
        take_failing();
    free(failing.rn_panicked.rn_text);
}

static rn_once_value(int) leaving;

static int leave_without(void)
{
    rn_exit_goroutine();
}

static void take_leaving(void)
{
    (void)once_value(&leaving, leave_without);
}

TEST(a_value_that_never_came)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_go(&wg, take_leaving);
    wg_wait(&wg);
    EXPECT_PANIC("once_value: the function did not return", (void)once_value(&leaving, leave_without));
}

TEST(value_panics_the_same_way_each_time)
{
    static rn_once_value(int) v;
    EXPECT_PANIC("no value: 1", (void)once_value(&v, fail_value));
    EXPECT_PANIC("no value: 1", (void)once_value(&v, fail_value));
    CHECK_EQ(calls, 1);
    free(v.rn_panicked.rn_text);
}
