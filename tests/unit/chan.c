/* Channels: what the layers above use, and the ends of life. */
#include "../conformance/chan_inside.h"
#include "chan/wait.h"
#include <runnel/context.h>
#include "../on_purpose.h"

static void receive_into(chan(int) c, int *to, chan(int) done)
{
    *to = chan_recv(c);
    chan_send(done, 1);
}

TEST(an_offer_never_waits)
{
    chan(int) c = chan_make(int, 1);
    struct rn_ready_list wake = {0};
    int v = 1;
    CHECK(rn__chan_offer(INSIDE(c), &v, &wake));
    CHECK(!rn__chan_offer(INSIDE(c), &v, &wake));
    CHECK_EQ(wake.n, 0);
    CHECK_EQ(rn__chan_drain(INSIDE(c)), 1);
    CHECK_EQ(rn__chan_drain(INSIDE(c)), 0);
    CHECK_EQ(chan_try_recv(c, &v), RN_EAGAIN);
    chan_close(c);
    CHECK(!rn__chan_offer(INSIDE(c), &v, &wake));
    chan_free(c);
}

TEST(an_offer_wakes_a_receiver)
{
    chan(int) c = chan_make(int, 1);
    chan(int) done = chan_make(int, 1);
    struct rn_ready_list wake = {0};
    int got = 0, v = 5;
    go(receive_into, c, &got, done);
    await_receivers(INSIDE(c), 1);
    CHECK(rn__chan_awaited(INSIDE(c)));
    CHECK(rn__chan_offer(INSIDE(c), &v, &wake));
    CHECK_EQ(wake.n, 1);
    CHECK(!rn__chan_awaited(INSIDE(c)));
    rn__ready_all(&wake);
    chan_recv(done);
    CHECK_EQ(got, 5);
    chan_free(c);
    chan_free(done);
}

TEST(free_while_somebody_waits_panics)
{
    RACES_ON_PURPOSE();
    chan(int) c = chan_make(int, 0);
    chan(int) done = chan_make(int, 1);
    int got = 0;
    go(receive_into, c, &got, done);
    await_receivers(INSIDE(c), 1);
    EXPECT_PANIC("chan_free: goroutines still wait on this channel", chan_free(c));
    chan_send(c, 3); /* the channel is as good as before */
    chan_recv(done);
    CHECK_EQ(got, 3);
    chan_free(c);
    chan_free(done);
}

static void select_two(chan(int) a, chan(int) b, chan(int) done)
{
    int v;
    int k = chan_select(on_recv(a, &v), on_send(b, 1));
    chan_send(done, k);
}

/* The select has been matched on a, and may not yet have left b's queue when b is freed. */
TEST(free_waits_for_selects_that_are_leaving)
{
    chan(int) a = chan_make(int, 0);
    chan(int) done = chan_make(int, 0);
    for (int i = 0; i < 3000; i++) {
        chan(int) b = chan_make(int, 0);
        go(select_two, a, b, done);
        await_senders(INSIDE(b), 1);
        chan_send(a, i);
        chan_free(b);
        CHECK_EQ(chan_recv(done), 0);
    }
    chan_free(a);
    chan_free(done);
}

static void send_one(chan(int) c, int v)
{
    chan_send(c, v);
}

/* Who receives may free: the sender does not touch the channel after the value has changed hands. */
TEST(the_receiver_may_free_at_once)
{
    for (int i = 0; i < 3000; i++) {
        chan(int) c = chan_make(int, i % 2);
        go(send_one, c, i);
        CHECK_EQ(chan_recv(c), i);
        chan_free(c);
    }
}

#ifdef RN_DEBUG
TEST(use_of_a_freed_channel_panics)
{
    chan(int) c = chan_make(int, 1);
    int v = 0;
    chan_free(c);
    EXPECT_PANIC("use of a freed channel", chan_send(c, 1));
    EXPECT_PANIC("use of a freed channel", chan_recv(c));
    EXPECT_PANIC("use of a freed channel", chan_try_send(c, 1));
    EXPECT_PANIC("use of a freed channel", chan_try_recv(c, &v));
    EXPECT_PANIC("use of a freed channel", chan_close(c));
    EXPECT_PANIC("use of a freed channel", chan_free(c));
    EXPECT_PANIC("use of a freed channel", (void)chan_len(c));
    EXPECT_PANIC("use of a freed channel", (void)chan_cap(c));
    EXPECT_PANIC("use of a freed channel", chan_select(on_recv(c, &v)));
    EXPECT_PANIC("use of a freed channel", chan_select(on_recv(c, &v), on_default()));
}

TEST(freed_channels_are_given_back_in_the_end)
{
    for (int i = 0; i < 20000; i++)
        chan_free(chan_make(int, i % 5000));
}
#endif

TEST(initialised_in_the_callers_memory)
{
    struct rn_chan c;
    int v = 7;
    rn__chan_init(&c, sizeof v, 0, NULL);
    CHECK_EQ(rn__chan_try_recv(&c, &v), RN_EAGAIN);
    (rn_chan_close)(&c);
    CHECK_EQ(rn__chan_try_recv(&c, &v), RN_ECLOSED);
    CHECK_EQ(v, 0);
    rn__chan_destroy(&c);
}

/* ---- waits with a context or a deadline, in a queue that is not a channel ------------------------- */

struct line {
    rn_lock lock;
    struct rn_list waiters;
};

/* What is here done by the test is in the library's code, which the race detector does not see. */
static void plays_the_library(void)
{
#ifdef RN_RACE
    rn_test_skip("the detector does not know the library's own locks");
#endif
}

static int wait_in_line(struct line *l, rn_context *ctx, rn_time deadline)
{
    rn_atomic(uint32_t) claim = 0;
    struct rn_waiter w = {.g = rn__self(), .claim = &claim, .of = l, .queued = true};
    rn_lock_take(&l->lock, RN_RANK_SYNC);
    rn_list_push(&l->waiters, &w.node);
    rn_lock_release(&l->lock);
    int err = rn__wait_until(&w, ctx, deadline, RN_WAIT_SEMAPHORE, l);
    if (err) {
        rn_lock_take(&l->lock, RN_RANK_SYNC);
        if (w.queued)
            rn_list_remove(&l->waiters, &w.node);
        rn_lock_release(&l->lock);
    }
    return err;
}

/* Wakes the first; false when nobody waits that could be woken. */
static bool let_one_in(struct line *l)
{
    struct rn_waiter *won = NULL;
    rn_lock_take(&l->lock, RN_RANK_SYNC);
    while (!won && l->waiters.first) {
        struct rn_waiter *w = rn_container(rn_list_pop(&l->waiters), struct rn_waiter, node);
        w->queued = false;
        if (rn__waiter_claim(w)) {
            w->g->woken_by = w;
            won = w;
        }
    }
    rn_lock_release(&l->lock);
    if (won)
        rn__ready(won->g);
    return won != NULL;
}

static void wait_and_tell(struct line *l, rn_context *ctx, rn_duration d, chan(int) out)
{
    chan_send(out, wait_in_line(l, ctx, d ? rn__now() + d : INT64_MAX));
}

static void await_line(struct line *l)
{
    for (bool some = false; !some; rn_yield()) {
        rn_lock_take(&l->lock, RN_RANK_SYNC);
        some = l->waiters.first != NULL;
        rn_lock_release(&l->lock);
    }
}

TEST(a_wait_ends_by_being_woken)
{
    struct line l = {0};
    plays_the_library();
    chan(int) out = chan_make(int, 0);
    rn_context *ctx = rn_ctx_with_cancel(NULL);
    rn_context *kinds[] = {NULL, rn_ctx_background(), ctx};
    for (int i = 0; i < 3; i++)
        for (int timed = 0; timed < 2; timed++) {
            go(wait_and_tell, &l, kinds[i], timed * RN_HOUR, out);
            await_line(&l);
            CHECK(let_one_in(&l));
            CHECK_EQ(chan_recv(out), 0);
        }
    rn_ctx_cancel(ctx);
    chan_free(out);
}

TEST(a_wait_ends_with_the_context)
{
    struct line l = {0};
    plays_the_library();
    chan(int) out = chan_make(int, 0);
    rn_context *ctx = rn_ctx_with_cancel(NULL);
    go(wait_and_tell, &l, ctx, RN_HOUR, out);
    await_line(&l);
    rn_ctx_cancel(ctx);
    CHECK_EQ(chan_recv(out), RN_ECANCELED);
    CHECK(rn_list_empty(&l.waiters));
    CHECK_EQ(wait_in_line(&l, ctx, INT64_MAX), RN_ECANCELED); /* done already */
    CHECK(rn_list_empty(&l.waiters));
    ctx = rn_ctx_with_timeout(NULL, RN_MILLISECOND);
    CHECK_EQ(wait_in_line(&l, ctx, INT64_MAX), RN_ETIMEOUT);
    rn_ctx_cancel(ctx);
    chan_free(out);
}

TEST(a_wait_ends_at_the_deadline)
{
    struct line l = {0};
    plays_the_library();
    rn_context *ctx = rn_ctx_with_cancel(NULL);
    rn_time start = rn__now();
    CHECK_EQ(wait_in_line(&l, NULL, start + RN_MILLISECOND), RN_ETIMEOUT);
    CHECK(rn__now() >= start + RN_MILLISECOND);
    CHECK_EQ(wait_in_line(&l, ctx, start), RN_ETIMEOUT);
    CHECK(rn_list_empty(&l.waiters));
    rn_ctx_cancel(ctx);
}

static void cancel(rn_context *ctx)
{
    rn_ctx_cancel(ctx);
}

/* Waker, context and deadline at once: exactly one wins, and a wake-up is never lost. */
TEST(a_wait_is_ended_once)
{
    struct line l = {0};
    plays_the_library();
    chan(int) out = chan_make(int, 0);
    uint64_t seed = test_seed();
    for (int i = 0; i < 2000; i++) {
        rn_context *ctx = rn_ctx_with_cancel(NULL);
        go(wait_and_tell, &l, ctx, 1 + test_random_below(&seed, 40) * RN_MICROSECOND, out);
        go(cancel, ctx);
        for (uint32_t n = test_random_below(&seed, 4); n > 0; n--)
            rn_yield();
        bool woke = let_one_in(&l);
        int err = chan_recv(out);
        CHECK_EQ(err == 0, woke);
        CHECK(rn_list_empty(&l.waiters));
    }
    chan_free(out);
}
