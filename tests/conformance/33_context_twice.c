/* SEMANTICS 33: cancelling twice is harmless.  A cancelled child is forgotten by its parent at once. */
#include <runnel.h>
#include <runnel/test.h>

TEST(cancel_again)
{
    rn_context *parent = ctx_with_cancel(NULL), *child = ctx_with_cancel(parent);
    for (int i = 0; i < 3; i++)
        ctx_cancel(child);
    CHECK_EQ(ctx_err(child), RN_ECANCELED);
    CHECK_EQ(ctx_err(parent), 0);
    CHECK_EQ(rn_num_contexts(), 1);
    for (int i = 0; i < 3; i++)
        ctx_cancel(parent);
    CHECK_EQ(rn_num_contexts(), 0);
}

/* A handle of a context that is gone never means another one, whose slot is the same. */
TEST(a_handle_that_is_gone_stays_canceled)
{
    rn_context *old = ctx_with_cancel(NULL);
    ctx_cancel(old);
    for (int i = 0; i < 10000; i++) {
        rn_context *fresh = ctx_with_cancel(NULL);
        REQUIRE(fresh != old);
        CHECK_EQ(ctx_err(old), RN_ECANCELED);
        ctx_cancel(old);
        CHECK_EQ(ctx_err(fresh), 0);
        CHECK_EQ(chan_select(on_done(old), on_done(fresh)), 0);
        CHECK_EQ(ctx_wait(old), RN_ECANCELED);
        ctx_cancel(fresh);
    }
}

TEST(no_growth)
{
    rn_context *parent = ctx_with_cancel(NULL);
    for (int i = 0; i < 200000; i++) {
        rn_context *child = ctx_with_cancel(parent);
        ctx_cancel(child);
    }
    CHECK_EQ(rn_num_contexts(), 1);
    ctx_cancel(parent);
}

static void use_later(rn_context *ctx, chan_recv_only(rn_unit) start, chan_send_only(int) out)
{
    chan_recv(start);
    rn_context *child = ctx_with_timeout(ctx, RN_HOUR);
    int err = ctx_err(child), woken = chan_select(on_done(ctx), on_default());
    ctx_cancel(child);
    ctx_cancel(ctx);
    chan_send(out, woken == 0 ? err : 1);
}

/* A worker may use its context after the maker has ended it. */
TEST(a_worker_that_outlives_the_maker)
{
    chan(rn_unit) start = chan_make(rn_unit, 0);
    chan(int) out = chan_make(int, 0);
    rn_context *ctx = ctx_with_cancel(NULL);
    go(use_later, ctx, start, out);
    ctx_cancel(ctx);
    chan_close(start);
    CHECK_EQ(chan_recv(out), RN_ECANCELED);
    chan_free(start);
    chan_free(out);
    CHECK_EQ(rn_num_contexts(), 0);
}

TEST(retain_keeps_it_readable)
{
    static const char key;
    int value;
    rn_context *ctx = ctx_with_value(NULL, &key, &value), *mine = ctx_retain(ctx);
    ctx_cancel_cause(ctx, -11);
    ctx_cancel(ctx);
    CHECK_EQ(ctx_cause(mine), -11);
    CHECK(ctx_value(mine, &key) == &value);
    ctx_release(mine);
    CHECK_EQ(ctx_cause(mine), RN_ECANCELED);
    CHECK(ctx_value(mine, &key) == NULL);
    ctx_release(ctx_retain(mine)); /* gone: nothing to keep */
    CHECK_EQ(rn_num_contexts(), 0);
}

TEST(release_without_retain_panics)
{
    rn_context *ctx = ctx_with_cancel(NULL);
    EXPECT_PANIC("ctx_release without ctx_retain", ctx_release(ctx));
    ctx_cancel(ctx);
}
