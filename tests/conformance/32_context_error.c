/* SEMANTICS 32: ctx_err is 0 before done, canceled or deadline exceeded after.  The earlier deadline of
 * parent and child wins.  The cause is the first one. */
#include <runnel.h>
#include <runnel/test.h>

TEST(canceled_and_deadline_exceeded)
{
    rn_context *a = ctx_with_cancel(NULL), *b = ctx_with_timeout(NULL, RN_MILLISECOND);
    CHECK_EQ(ctx_err(a), 0);
    CHECK_EQ(ctx_cause(a), 0);
    ctx_cancel_cause(a, 0);
    CHECK_EQ(ctx_err(a), RN_ECANCELED);
    CHECK_EQ(ctx_cause(a), RN_ECANCELED);
    CHECK_EQ(ctx_wait(b), RN_ETIMEOUT);
    CHECK_EQ(ctx_err(b), RN_ETIMEOUT);
    CHECK_EQ(ctx_cause(b), RN_ETIMEOUT);
    CHECK_STR(rn_strerror(ctx_err(a)), "context canceled");
    CHECK_STR(rn_strerror(ctx_err(b)), "deadline exceeded");
    ctx_cancel(a);
    ctx_cancel(b);
}

TEST(a_deadline_is_not_early)
{
    for (int i = 0; i < 20; i++) {
        rn_time start = rn_now();
        rn_context *ctx = ctx_with_timeout(NULL, RN_MILLISECOND);
        rn_time when;
        CHECK(ctx_deadline(ctx, &when));
        CHECK_EQ(ctx_wait(ctx), RN_ETIMEOUT);
        CHECK(rn_now() >= when);
        CHECK(rn_since(start) >= RN_MILLISECOND);
        ctx_cancel(ctx);
    }
}

TEST(a_deadline_that_has_passed)
{
    rn_context *ctx = ctx_with_deadline(NULL, rn_now() - 1);
    CHECK_EQ(ctx_err(ctx), RN_ETIMEOUT);
    ctx_cancel(ctx);
    ctx = ctx_with_timeout(NULL, INT64_MAX); /* beyond the end of time */
    CHECK_EQ(ctx_err(ctx), 0);
    ctx_cancel(ctx);
}

/* Not only mostly: deadlines are reckoned from a clock that may be a little ahead. */
TEST(no_time_at_all_is_over_at_once)
{
    for (int i = 0; i < 100000; i++) {
        rn_context *ctx = ctx_with_timeout(NULL, -(i % 3)),
                   *late = ctx_with_timeout_cause(NULL, i % 2 ? 0 : INT64_MIN, -7);
        REQUIRE(ctx_err(ctx) == RN_ETIMEOUT && ctx_cause(late) == -7);
        ctx_cancel(ctx);
        ctx_cancel(late);
    }
}

TEST(the_earlier_deadline_wins)
{
    rn_time soon = rn_now() + RN_MINUTE, later = soon + RN_HOUR, when;
    rn_context *parent = ctx_with_deadline(NULL, soon);
    rn_context *late = ctx_with_deadline(parent, later), *early = ctx_with_deadline(parent, soon - RN_SECOND);
    rn_context *plain = ctx_with_cancel(early);
    CHECK(ctx_deadline(late, &when));
    CHECK_EQ(when, soon);
    CHECK(ctx_deadline(early, &when));
    CHECK_EQ(when, soon - RN_SECOND);
    CHECK(ctx_deadline(plain, &when));
    CHECK_EQ(when, soon - RN_SECOND);
    ctx_cancel(plain);
    ctx_cancel(early);
    ctx_cancel(late);
    ctx_cancel(parent);
}

TEST(the_end_of_a_parent_by_deadline_is_that_of_the_child)
{
    rn_context *parent = ctx_with_timeout_cause(NULL, RN_MILLISECOND, -42);
    rn_context *child = ctx_with_timeout(parent, RN_HOUR), *below = ctx_with_cancel(child);
    CHECK_EQ(ctx_wait(below), RN_ETIMEOUT);
    CHECK_EQ(ctx_cause(below), -42);
    CHECK_EQ(ctx_wait(parent), RN_ETIMEOUT);
    ctx_cancel(below);
    ctx_cancel(child);
    CHECK_EQ(ctx_cause(parent), -42);
    ctx_cancel(parent);
}

TEST(the_first_cause_stays)
{
    rn_context *parent = ctx_with_cancel_cause(NULL), *child = ctx_with_cancel_cause(parent);
    ctx_cancel_cause(child, -1);
    ctx_cancel_cause(parent, -2);
    ctx_cancel_cause(child, -3);
    ctx_cancel_cause(parent, -4);
    CHECK_EQ(ctx_cause(child), -1);
    CHECK_EQ(ctx_cause(parent), -2);
    CHECK_EQ(ctx_err(child), RN_ECANCELED);
    ctx_cancel(child);
    ctx_cancel(parent);
}

TEST(a_cancel_before_the_deadline_wins)
{
    rn_duration d = 50 * RN_MILLISECOND;
    rn_context *ctx = NULL;
    rn_time start;
    do { /* again if this thread has stood still for as long, so that the deadline may have been first */
        ctx_cancel(ctx);
        start = rn_now();
        ctx = ctx_with_timeout_cause(NULL, d *= 2, -8);
        ctx_cancel_cause(ctx, -9);
    } while (rn_since(start) >= d);
    rn_sleep(d + 20 * RN_MILLISECOND);
    CHECK_EQ(ctx_err(ctx), RN_ECANCELED);
    CHECK_EQ(ctx_cause(ctx), -9);
    ctx_cancel(ctx);
}

TEST(sleep_with_a_context)
{
    rn_context *later = ctx_with_timeout(NULL, RN_HOUR), *ctx = ctx_with_timeout(NULL, 5 * RN_MILLISECOND);
    rn_time start = rn_now();
    CHECK_EQ(rn_sleep_ctx(later, RN_MILLISECOND), 0);
    CHECK(rn_since(start) >= RN_MILLISECOND);
    CHECK_EQ(rn_sleep_ctx(ctx, RN_HOUR), RN_ETIMEOUT);
    CHECK_EQ(rn_sleep_ctx(ctx, RN_HOUR), RN_ETIMEOUT);
    CHECK_EQ(rn_sleep_ctx(ctx, 0), RN_ETIMEOUT);
    CHECK_EQ(rn_sleep_ctx(NULL, RN_MICROSECOND), 0);
    ctx_cancel(ctx);
    ctx_cancel(later);
}
