/* Group: as golang.org/x/sync/errgroup, with limit. */
#include "sync_inside.h"

static rn_atomic_int active, most, sum;

static int give(int err)
{
    rn_atomic_add(&sum, 1);
    return err;
}

TEST(no_error)
{
    rn_group g = RN_GROUP_INIT;
    CHECK_EQ(group_wait(&g), 0);
    for (int i = 0; i < 10; i++)
        group_go(&g, give, 0);
    CHECK_EQ(group_wait(&g), 0);
    CHECK_EQ(rn_atomic_load(&sum), 10);
}

static int give_after(chan(int) gate, int err)
{
    chan_recv(gate);
    return err;
}

TEST(the_first_error_counts)
{
    rn_group g = RN_GROUP_INIT;
    chan(int) gate = chan_make(int, 0);
    group_go(&g, give_after, gate, RN_EINVAL);
    group_go(&g, give, RN_ENOTFOUND);
    group_go(&g, give, 0);
    await_goroutines(2);
    chan_send(gate, 1);
    CHECK_EQ(group_wait(&g), RN_ENOTFOUND);
    CHECK_EQ(group_wait(&g), RN_ENOTFOUND);
    chan_free(gate);
}

static int until_done(rn_context *ctx)
{
    return ctx_wait(ctx);
}

TEST(the_first_error_cancels_the_context)
{
    rn_group g = RN_GROUP_INIT;
    rn_context *ctx = group_with_context(&g, ctx_background());
    ctx_retain(ctx);
    group_go(&g, until_done, ctx);
    group_go(&g, until_done, ctx);
    group_go(&g, give, RN_EEOF);
    CHECK_EQ(group_wait(&g), RN_EEOF);
    CHECK_EQ(ctx_err(ctx), RN_ECANCELED);
    CHECK_EQ(ctx_cause(ctx), RN_EEOF);
    ctx_release(ctx);
    CHECK_EQ(rn_num_contexts(), 0);
}

TEST(wait_ends_the_context)
{
    rn_group g = RN_GROUP_INIT;
    rn_context *ctx = group_with_context(&g, ctx_background());
    group_go(&g, give, 0);
    CHECK_EQ(ctx_err(ctx), 0);
    CHECK_EQ(group_wait(&g), 0);
    CHECK_EQ(ctx_err(ctx), RN_ECANCELED);
    CHECK_EQ(rn_num_contexts(), 0);
}

static int crowd(void)
{
    int n = rn_atomic_add(&active, 1);
    for (int m = rn_atomic_load(&most); n > m && !rn_atomic_compare_and_swap(&most, m, n);)
        m = rn_atomic_load(&most);
    rn_yield();
    rn_atomic_add(&active, -1);
    return 0;
}

TEST(never_more_than_the_limit)
{
    rn_group g = RN_GROUP_INIT;
    group_limit(&g, 3);
    for (int i = 0; i < 200; i++)
        group_go(&g, crowd);
    CHECK_EQ(group_wait(&g), 0);
    CHECK(rn_atomic_load(&most) <= 3);
    CHECK(rn_atomic_load(&most) >= 1);
}

TEST(try_go)
{
    rn_group g = RN_GROUP_INIT;
    chan(int) gate = chan_make(int, 0);
    int evaluated = 0;
    group_limit(&g, 2);
    CHECK(group_try_go(&g, give_after, gate, 0));
    CHECK(group_try_go(&g, give_after, gate, (evaluated++, 0)));
    CHECK(!group_try_go(&g, give_after, gate, (evaluated++, 0)));
    CHECK_EQ(evaluated, 1);
    EXPECT_PANIC("errgroup: modify limit while 2 goroutines in the group are still active", group_limit(&g, 3));
    chan_send(gate, 1);
    chan_send(gate, 1);
    CHECK_EQ(group_wait(&g), 0);
    group_limit(&g, 0);
    CHECK(!group_try_go(&g, give, 0));
    group_limit(&g, -1);
    CHECK(group_try_go(&g, give, 0));
    CHECK_EQ(group_wait(&g), 0);
    chan_free(gate);
}

static int leave(void)
{
    rn_exit_goroutine();
}

TEST(an_exit_counts_as_no_error)
{
    rn_group g = RN_GROUP_INIT;
    group_go(&g, leave);
    CHECK_EQ(group_wait(&g), 0);
}

static int fail(void)
{
    rn_panic("boom");
}

TEST_DIES(a_panic_ends_the_program, 2, "panic: boom")
{
    rn_group g = RN_GROUP_INIT;
    group_go(&g, fail);
    group_wait(&g);
    _exit(0);
}

TEST(a_context_ends_the_wait)
{
    rn_group g = RN_GROUP_INIT;
    chan(int) gate = chan_make(int, 0);
    rn_context *ctx = ctx_with_timeout(ctx_background(), RN_MILLISECOND);
    group_go(&g, give_after, gate, 0);
    CHECK_EQ(group_wait_ctx(ctx, &g), RN_ETIMEOUT);
    chan_send(gate, 1);
    CHECK_EQ(group_wait_ctx(NULL, &g), 0);
    ctx_cancel(ctx);
    chan_free(gate);
}

__attribute__((const)) static int negated(int n)
{
    return -n;
}

/* Whatever the compiler knows of calls of it. */
TEST(a_function_without_effects)
{
    rn_group g = RN_GROUP_INIT;
    group_go(&g, negated, 3);
    CHECK_EQ(group_wait(&g), -3);
}
