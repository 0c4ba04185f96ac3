/* Contexts, scopes, groups. */
#include "nth.h"

static void wait_for(rn_context *ctx)
{
    (void)rn_ctx_wait(ctx);
}

FAULT_TEST(a_tree_of_contexts)
{
    static int key;
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    rn_context *top = rn_ctx_with_cancel(rn_ctx_background());
    defer(rn_ctx_cancel, top);
    rn_context *timed = rn_ctx_with_timeout(top, RN_MILLISECOND);
    defer(rn_ctx_cancel, timed);
    rn_context *valued = rn_ctx_with_value(timed, &key, &wg);
    defer(rn_ctx_cancel, valued);
    defer(rn_wg_wait, &wg);
    rn_wg_go(&wg, wait_for, valued);
    CHECK(rn_ctx_value(valued, &key) == &wg);
    chan_recv_only(rn_unit) done = rn_ctx_done(valued);
    (void)chan_recv(done);
    CHECK_EQ(rn_ctx_err(valued), RN_ETIMEOUT);
}

FAULT_TEST(many_contexts)
{
    rn_context *all[300];
    rn_context *top = rn_ctx_with_cancel(rn_ctx_background());
    defer(rn_ctx_cancel, top);
    for (int i = 0; i < 300; i++) {
        all[i] = rn_ctx_with_timeout(i % 2 ? all[i - 1] : top, RN_HOUR);
        rn_ctx_retain(all[i]);
        rn_ctx_cancel(all[i]);
        rn_ctx_release(all[i]);
        if (i % 2 == 0)
            all[i] = top;
    }
}

static void count_one(void *n)
{
    *(rn_atomic(int) *)n += 1;
}

static void end_and_wait(rn_context *ctx)
{
    (void)rn_ctx_wait(ctx);
}

FAULT_TEST(a_function_after_a_context)
{
    static rn_atomic(int) n;
    n = 0;
    rn_context *ctx = rn_ctx_with_timeout(rn_ctx_background(), RN_MILLISECOND);
    defer(rn_ctx_cancel, ctx);
    rn_ctx_after *a = rn_ctx_after_func(ctx, count_one, &n);
    end_and_wait(ctx);
    while (n == 0)
        rn_yield();
    (void)rn_ctx_after_stop(a);
}

static int succeed(int ms)
{
    rn_sleep(ms * RN_MILLISECOND);
    return 0;
}

static int fail(void)
{
    return RN_EBUSY;
}

FAULT_TEST(a_scope)
{
    rn_scope s;
    rn_scope_begin(&s, NULL);
    rn_scope_limit(&s, 10);
    for (int i = 0; i < 50; i++)
        rn_scope_go(&s, succeed, i % 3);
    int err = rn_scope_end(&s);
    if (err != 0 && err != RN_ENOMEM)
        rn_panic("scope_end: %s", rn_strerror(err));
}

FAULT_TEST(a_scope_that_collects_errors)
{
    rn_scope s;
    rn_scope_begin_with(&s, NULL, RN_SCOPE_COLLECT);
    for (int i = 0; i < 50; i++)
        rn_scope_go(&s, fail);
    int err = rn_scope_end(&s), errors[60];
    if (err != RN_EBUSY && err != RN_ENOMEM)
        rn_panic("scope_end: %s", rn_strerror(err));
    if (rn_scope_errors(&s, errors, 60) != 50)
        rn_panic("errors were lost");
}

static int fail_twice(void *arg)
{
    rn_atomic(int) *left = arg;
    return (*left)-- > 0 ? RN_EBUSY : 0;
}

FAULT_TEST(a_supervised_scope)
{
    static const struct rn_restart at_once = {.most = 5, .wait = 1, .wait_most = 1};
    static rn_atomic(int) left;
    left = 2;
    rn_scope s;
    rn_scope_begin_with(&s, NULL, RN_SCOPE_SUPERVISE);
    rn_scope_supervise(&s, &at_once, fail_twice, &left);
    int err = rn_scope_end(&s);
    if (err != 0 && err != RN_ENOMEM)
        rn_panic("scope_end: %s", rn_strerror(err));
}

static void wait_group(rn_group *g)
{
    (void)rn_group_wait(g);
}

FAULT_TEST(a_group)
{
    rn_group g = RN_GROUP_INIT;
    defer(wait_group, &g);
    rn_group_limit(&g, 5);
    for (int i = 0; i < 40; i++)
        rn_group_go(&g, succeed, i % 2);
    if (rn_group_wait(&g) != 0)
        rn_panic("the group failed");
}
