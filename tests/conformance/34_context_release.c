/* SEMANTICS 34: after release nothing of a context is left: no timer, goroutine or memory. */
#include <runnel.h>
#include <runnel/test.h>

static void f(void *arg)
{
    (void)arg;
}

TEST(no_goroutine)
{
    size_t before = rn_num_goroutines();
    rn_context *root = ctx_with_timeout(NULL, RN_HOUR);
    rn_context *child = ctx_with_timeout(root, RN_MINUTE);
    rn_ctx_after *a = ctx_after_func(child, f, NULL);
    CHECK_EQ(rn_num_goroutines(), before);
    CHECK(ctx_after_stop(a));
    ctx_cancel(child);
    ctx_cancel(root);
    CHECK_EQ(rn_num_goroutines(), before);
    CHECK_EQ(rn_num_contexts(), 0);
}

/* A timer that were left would keep the program from being reported as deadlocked. */
TEST_DIES(no_timer, 2, "all goroutines are asleep - deadlock!")
{
    for (int i = 0; i < 1000; i++) {
        rn_context *root = ctx_with_timeout(NULL, RN_HOUR);
        rn_context *child = ctx_with_timeout(root, RN_MINUTE);
        ctx_cancel(i % 2 ? root : child);
        ctx_cancel(i % 2 ? child : root);
    }
    chan_recv((chan(int))NULL);
}

/* One that is pending holds the report back. */
TEST(a_deadline_wakes_the_last_goroutine)
{
    rn_context *ctx = ctx_with_timeout(NULL, 10 * RN_MILLISECOND);
    CHECK_EQ(ctx_wait(ctx), RN_ETIMEOUT);
    ctx_cancel(ctx);
}

TEST(no_memory)
{
    for (int i = 0; i < 1000; i++) {
        rn_context *kids[50], *root = ctx_with_timeout(NULL, RN_HOUR);
        for (int k = 0; k < 50; k++) {
            kids[k] = ctx_with_timeout(k % 3 || k == 0 ? root : kids[k / 2], RN_MINUTE);
            (void)ctx_done(kids[k]);
            ctx_after_func(kids[k], f, NULL);
        }
        ctx_cancel(root);
        for (int k = 0; k < 50; k++)
            ctx_cancel(kids[k]);
        if (i % 100 == 0)
            rn_yield();
    }
    while (rn_num_goroutines() > 1)
        rn_yield();
    CHECK_EQ(rn_num_contexts(), 0);
}
