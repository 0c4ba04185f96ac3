/* SEMANTICS 31: the kinds of contexts; cancelling a parent cancels all descendants before it returns,
 * a child never its parent. */
#include <runnel.h>
#include <runnel/test.h>

static const char key_a, key_b;

TEST(the_background_is_never_done)
{
    CHECK_EQ(ctx_err(ctx_background()), 0);
    CHECK_EQ(ctx_err(NULL), 0);
    CHECK(ctx_done(ctx_background()) == NULL);
    CHECK(!ctx_deadline(ctx_background(), NULL));
    CHECK(ctx_value(ctx_background(), &key_a) == NULL);
    ctx_cancel(ctx_background());
    CHECK_EQ(ctx_err(ctx_background()), 0);
    CHECK_EQ(chan_select(on_done(ctx_background()), on_done(NULL), on_default()), 2);
}

TEST(a_parent_cancels_all_descendants)
{
    enum { DEEP = 1000, WIDE = 100 };
    rn_context *root = ctx_with_cancel(ctx_background());
    rn_context *chain[DEEP], *leaf[WIDE];
    for (int i = 0; i < DEEP; i++)
        chain[i] = ctx_with_cancel(i ? chain[i - 1] : root);
    for (int i = 0; i < WIDE; i++)
        leaf[i] = ctx_with_value(chain[i * 7], &key_a, &leaf[i]);
    ctx_cancel_cause(root, -5);
    for (int i = 0; i < DEEP; i++) {
        CHECK_EQ(ctx_err(chain[i]), RN_ECANCELED);
        CHECK_EQ(ctx_cause(chain[i]), -5);
    }
    for (int i = 0; i < WIDE; i++) {
        CHECK_EQ(ctx_err(leaf[i]), RN_ECANCELED);
        CHECK(ctx_value(leaf[i], &key_a) == &leaf[i]);
        ctx_cancel(leaf[i]);
    }
    for (int i = 0; i < DEEP; i++)
        ctx_cancel(chain[i]);
    ctx_cancel(root);
    CHECK_EQ(rn_num_contexts(), 0);
}

TEST(a_child_never_cancels_its_parent)
{
    rn_context *parent = ctx_with_cancel(NULL);
    rn_context *child = ctx_with_cancel(parent), *other = ctx_with_cancel(parent);
    ctx_cancel(child);
    CHECK_EQ(ctx_err(child), RN_ECANCELED);
    CHECK_EQ(ctx_err(parent), 0);
    CHECK_EQ(ctx_err(other), 0);
    ctx_cancel(other);
    ctx_cancel(parent);
}

TEST(a_child_of_a_done_parent_is_born_done)
{
    rn_context *parent = ctx_with_cancel(NULL);
    ctx_cancel_cause(parent, -7);
    rn_context *child = ctx_with_timeout(parent, RN_HOUR);
    CHECK_EQ(ctx_err(child), RN_ECANCELED);
    CHECK_EQ(ctx_cause(child), -7);
    ctx_cancel(child);
    ctx_cancel(parent);
    child = ctx_with_value(parent, &key_a, &parent); /* of one that is gone */
    CHECK_EQ(ctx_err(child), RN_ECANCELED);
    CHECK(ctx_value(child, &key_a) == &parent);
    ctx_cancel(child);
    CHECK_EQ(rn_num_contexts(), 0);
}

TEST(values_are_found_upwards)
{
    int a = 1, b = 2, c = 3;
    rn_context *va = ctx_with_value(NULL, &key_a, &a);
    rn_context *mid = ctx_with_cancel(va);
    rn_context *vb = ctx_with_value(mid, &key_b, &b);
    rn_context *vc = ctx_with_value(vb, &key_a, &c);
    CHECK(ctx_value(vc, &key_a) == &c);
    CHECK(ctx_value(vc, &key_b) == &b);
    CHECK(ctx_value(vb, &key_a) == &a);
    CHECK(ctx_value(mid, &key_a) == &a);
    CHECK(ctx_value(mid, &key_b) == NULL);
    ctx_cancel(va); /* its maker lets go of it, but it stays while there is one below */
    CHECK(ctx_value(mid, &key_a) == &a);
    CHECK_EQ(ctx_err(vc), RN_ECANCELED);
    CHECK(ctx_value(vc, &key_b) == &b);
    ctx_cancel(mid);
    ctx_cancel(vb);
    ctx_cancel(vc);
    CHECK(ctx_value(vc, &key_b) == NULL);
    CHECK_EQ(rn_num_contexts(), 0);
}

TEST(a_null_key_panics)
{
    EXPECT_PANIC("nil key", CHECK(!ctx_with_value(NULL, NULL, NULL)));
}

TEST(without_cancel_keeps_the_values_alone)
{
    int a = 1;
    rn_context *top = ctx_with_timeout(NULL, RN_HOUR);
    rn_context *value = ctx_with_value(top, &key_a, &a);
    rn_context *free = ctx_without_cancel(value);
    rn_context *below = ctx_with_cancel(free);
    CHECK(ctx_deadline(value, NULL) && !ctx_deadline(free, NULL));
    ctx_cancel(top);
    ctx_cancel(value);
    CHECK_EQ(ctx_err(value), RN_ECANCELED);
    CHECK_EQ(ctx_err(free), 0);
    CHECK_EQ(ctx_err(below), 0);
    CHECK(ctx_value(below, &key_a) == &a);
    ctx_cancel(free);
    CHECK_EQ(ctx_err(below), RN_ECANCELED);
    ctx_cancel(below);
    CHECK_EQ(rn_num_contexts(), 0);
}

/* ---- waiting ---------------------------------------------------------------------------------------- */

static void wait_for(rn_context *ctx, chan_send_only(int) out)
{
    chan_send(out, ctx_wait(ctx));
}

static void wait_by_select(rn_context *ctx, chan_send_only(int) out)
{
    chan(int) never = NULL;
    chan_send(out, chan_select(on_recv(never, NULL), on_done(ctx)) == 1 ? ctx_err(ctx) : 1);
}

static void wait_by_channel(rn_context *ctx, chan_send_only(int) out)
{
    chan_recv_only(rn_unit) done = ctx_done(ctx);
    chan_send(out, 0); /* has its channel */
    bool open = chan_next(done, NULL);
    chan_send(out, open ? 1 : RN_ECANCELED);
}

TEST(all_who_wait_are_woken)
{
    enum { EACH = 50 };
    rn_context *root = ctx_with_cancel(NULL), *child = ctx_with_cancel(root);
    chan(int) out = chan_make(int, 0);
    for (int i = 0; i < EACH; i++) {
        rn_context *ctx = i % 2 ? root : child;
        go(wait_for, ctx, out);
        go(wait_by_select, ctx, out);
        go(wait_by_channel, ctx, out);
        CHECK_EQ(chan_recv(out), 0);
    }
    ctx_cancel_cause(root, 0);
    for (int i = 0; i < 3 * EACH; i++)
        CHECK_EQ(chan_recv(out), RN_ECANCELED);
    ctx_cancel(child);
    ctx_cancel(root);
    chan_free(out);
    CHECK_EQ(rn_num_contexts(), 0);
}

TEST(the_channel_of_a_done_context_is_closed)
{
    rn_context *ctx = ctx_with_cancel(NULL);
    chan_recv_only(rn_unit) before = ctx_done(ctx);
    CHECK(ctx_done(ctx) == before);
    CHECK_EQ(chan_try_recv(before, NULL), RN_EAGAIN);
    ctx_cancel_cause(ctx, 0);
    CHECK_EQ(chan_try_recv(before, NULL), RN_ECLOSED);
    ctx_cancel(ctx);
    CHECK_EQ(chan_try_recv(ctx_done(ctx), NULL), RN_ECLOSED); /* gone */
    CHECK_EQ(chan_try_recv(before, NULL), RN_ECLOSED);
    rn_context *next = ctx_with_cancel(NULL); /* perhaps in the same place */
    CHECK_EQ(chan_try_recv(before, NULL), RN_ECLOSED);
    CHECK_EQ(chan_try_recv(ctx_done(next), NULL), RN_EAGAIN);
    CHECK_EQ(chan_len(before) + chan_cap(before), 0);
    ctx_cancel(next);
}

static bool ends(chan_recv_only(rn_unit) done, chan(int) never)
{
    bool open = true;
    int got;
    return chan_select(on_recv(never, &got), on_recv_ok(done, NULL, &open)) == 1 && !open;
}

static void wait_and_tell(chan_recv_only(rn_unit) done, chan(int) never, chan_send_only(bool) out)
{
    chan_send(out, ends(done, never));
}

TEST(the_channel_of_a_context_in_selects)
{
    rn_context *ctx = ctx_with_cancel(NULL);
    chan_recv_only(rn_unit) done = ctx_done(ctx);
    chan(int) never = chan_make(int, 0), some = chan_make(int, 1);
    chan(bool) out = chan_make(bool, 0);
    int got = 0;
    bool open = false;
    CHECK_EQ(chan_select(on_recv(done, NULL), on_default()), 1);
    CHECK_EQ(chan_select(on_recv(done, NULL), on_recv(never, &got), on_timeout(RN_MICROSECOND)), 2);
    chan_send(some, 7);
    CHECK_EQ(chan_select(on_recv(done, NULL), on_recv_ok(some, &got, &open)), 1);
    CHECK_EQ(got, 7);
    CHECK(open);
    go(wait_and_tell, done, never, out);
    rn_yield();
    ctx_cancel(ctx);
    CHECK(chan_recv(out));
    CHECK(ends(done, never)); /* gone */
    struct rn_case again[] = {on_recv_ok(done, NULL, &open), on_recv(never, &got)};
    for (int i = 0; i < 2; i++) {
        open = true;
        CHECK_EQ(chan_select_array(again, 2), 0);
        CHECK(!open);
    }
    int n = 0;
    for (; chan_next(done, NULL);)
        n++;
    CHECK_EQ(n, 0);
    CHECK_EQ(chan_recv_ctx(NULL, done, NULL), RN_ECLOSED);
    chan_free(never);
    chan_free(some);
    chan_free(out);
}

TEST(the_channel_of_a_context_is_not_for_closing)
{
    rn_context *ctx = ctx_with_cancel(NULL);
    chan_recv_only(rn_unit) done = ctx_done(ctx);
    EXPECT_PANIC("close of the end of a context (ctx_done): ctx_cancel closes it, and nothing need be freed",
                 (rn_chan_close)(done));
    EXPECT_PANIC("chan_free of the end of a context (ctx_done): ctx_cancel closes it, and nothing need be freed",
                 chan_free(done));
    ctx_cancel(ctx);
}

/* ---- after_func --------------------------------------------------------------------------------------- */

static void tell(rn_waitgroup *wg)
{
    wg_done(wg);
}

TEST(after_func_runs_once_when_done)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    rn_context *root = ctx_with_cancel(NULL), *child = ctx_with_cancel(root);
    wg_add(&wg, 2);
    rn_ctx_after *of_root = ctx_after_func(root, tell, &wg), *of_child = ctx_after_func(child, tell, &wg);
    ctx_cancel_cause(root, 0);
    wg_wait(&wg);
    CHECK(!ctx_after_stop(of_root));
    CHECK(!ctx_after_stop(of_child));
    wg_add(&wg, 1);
    rn_ctx_after *late = ctx_after_func(root, tell, &wg); /* at once */
    wg_wait(&wg);
    CHECK(!ctx_after_stop(late));
    ctx_cancel(child);
    ctx_cancel(root);
    CHECK_EQ(rn_num_contexts(), 0);
}

static void never(void *arg)
{
    (void)arg;
    FAIL("a stopped function was run");
}

TEST(a_stopped_after_func_does_not_run)
{
    rn_context *ctx = ctx_with_cancel(NULL);
    rn_ctx_after *a = ctx_after_func(ctx, never, NULL);
    CHECK(ctx_after_stop(a));
    CHECK(!ctx_after_stop(a));
    rn_ctx_after *of_none = ctx_after_func(NULL, never, NULL); /* the background never ends */
    CHECK(ctx_after_stop(of_none));
    CHECK(!ctx_after_stop(of_none));
    ctx_cancel(ctx);
    rn_yield();
    CHECK_EQ(rn_num_contexts(), 0);
}
