/* Select: many cases, lock order, contexts, cases built at run time, plain threads. */
#include "../conformance/chan_inside.h"
#include <pthread.h>
#include <runnel/context.h>
#include <stdlib.h>

struct fan {
    int n;
    struct rn_case *cases;
    chan(int) * c;
    int *got;
};

static struct fan fan_make(int n, int cap)
{
    struct fan f = {n, calloc((size_t)n, sizeof(struct rn_case)), calloc((size_t)n, sizeof(*f.c)),
                    calloc((size_t)n, sizeof(int))};
    for (int i = 0; i < n; i++) {
        f.c[i] = chan_make(int, cap);
        f.cases[i] = on_recv(f.c[i], &f.got[i]);
    }
    return f;
}

static void fan_free(struct fan *f)
{
    for (int i = 0; i < f->n; i++)
        chan_free(f->c[i]);
    free(f->cases);
    free(f->c);
    free(f->got);
}

static void send_to(chan(int) c, int v)
{
    await_receivers(INSIDE(c), 1);
    chan_send(c, v);
}

static void check_many(int n)
{
    struct fan f = fan_make(n, 0);
    int at[] = {0, n / 2, n - 1};
    for (int i = 0; i < 3; i++) {
        go(send_to, f.c[at[i]], i + 1);
        CHECK_EQ(chan_select_array(f.cases, (size_t)n), at[i]);
        CHECK_EQ(f.got[at[i]], i + 1);
    }
    for (int i = 0; i < n; i++)
        if (!nobody_waits(INSIDE(f.c[i])))
            FAIL("%d cases: a waiter is left on channel %d", n, i);
    fan_free(&f);
}

TEST(any_number_of_cases)
{
    int sizes[] = {1, 2, 7, 8, 9, 10, 63, 64, 65, 66, 1000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        check_many(sizes[i]);
}

TEST(as_many_cases_as_there_may_be)
{
    check_many(65535);
    struct rn_case c = {.kind = RN_CASE_DEFAULT};
    EXPECT_PANIC("chan_select: too many cases (max 65535)", rn__select(&c, 65536));
}

TEST(a_ready_one_among_many)
{
    struct fan f = fan_make(2000, 1);
    uint64_t seed = test_seed();
    for (int i = 0; i < 500; i++) {
        int at = (int)test_random_below(&seed, 2000);
        chan_send(f.c[at], i);
        CHECK_EQ(chan_select_array(f.cases, 2000), at);
        CHECK_EQ(f.got[at], i);
    }
    fan_free(&f);
}

/* The cases are not changed, so an array can be used again. */
TEST(cases_are_left_as_they_were)
{
    chan(int) c = chan_make(int, 1);
    int v;
    struct rn_case cases[] = {on_recv(c, &v), on_timeout(RN_MICROSECOND), on_done(NULL)}, copy[3];
    memcpy(copy, cases, sizeof cases);
    CHECK_EQ(chan_select_array(cases, 3), 1);
    chan_send(c, 1);
    CHECK_EQ(chan_select_array(cases, 3), 0);
    CHECK(memcmp(copy, cases, sizeof cases) == 0);
    chan_free(c);
}

/* Every goroutine stands on all channels, in an order of its own, some to send and some to receive. */
struct crowd {
    chan(int) c[20];
    rn_atomic(long) sent, received;
    chan(int) done;
};

static void mingle(struct crowd *w, bool sender, uint64_t seed, int rounds)
{
    struct rn_case cases[20];
    int order[20], v[20];
    for (int i = 0; i < 20; i++)
        order[i] = i;
    for (int r = 0; r < rounds; r++) {
        for (int i = 19; i > 0; i--) {
            int j = (int)test_random_below(&seed, (uint32_t)i + 1), t = order[i];
            order[i] = order[j];
            order[j] = t;
        }
        for (int i = 0; i < 20; i++) {
            v[i] = r + i;
            cases[i] = (struct rn_case){
                .kind = sender ? RN_CASE_SEND : RN_CASE_RECV, .chan = RN__CH(w->c[order[i]]), .elem = &v[i]};
        }
        int k = chan_select_array(cases, 20);
        rn_add_relaxed(sender ? &w->sent : &w->received, v[k]);
    }
    chan_send(w->done, 1);
}

TEST(locks_are_taken_in_one_order)
{
    struct crowd w = {.done = chan_make(int, 8)};
    for (int i = 0; i < 20; i++)
        w.c[i] = chan_make(int, 0);
    for (int i = 0; i < 8; i++)
        go(mingle, &w, i % 2 == 0, test_seed() + (uint64_t)i, 2000);
    for (int i = 0; i < 8; i++)
        chan_recv(w.done);
    CHECK_EQ(w.sent, w.received);
    for (int i = 0; i < 20; i++) {
        CHECK(nobody_waits(INSIDE(w.c[i])));
        chan_free(w.c[i]);
    }
    chan_free(w.done);
}

/* ---- contexts ------------------------------------------------------------------------------------ */

TEST(a_context_that_is_done_is_a_ready_case)
{
    chan(int) c = chan_make(int, 1);
    rn_context *ctx = rn_ctx_with_cancel(NULL);
    int seen[2] = {0};
    CHECK_EQ(chan_select(on_recv(c, NULL), on_done(ctx), on_default()), 2);
    CHECK_EQ(chan_select(on_recv(c, NULL), on_done(NULL), on_done(rn_ctx_background()), on_default()), 3);
    rn_ctx_cancel(ctx);
    CHECK_EQ(chan_select(on_recv(c, NULL), on_done(ctx), on_default()), 1);
    chan_send(c, 1);
    for (int i = 0; i < 1000; i++) {
        int k = chan_select(on_recv(c, NULL), on_done(ctx));
        seen[k]++;
        if (k == 0)
            chan_send(c, 1);
    }
    CHECK(seen[0] > 400 && seen[1] > 400);
    chan_free(c);
}

static void cancel_later(rn_context *ctx, chan(int) c)
{
    await_receivers(INSIDE(c), 1);
    rn_ctx_cancel(ctx);
}

TEST(a_context_wakes_a_select)
{
    chan(int) c = chan_make(int, 0);
    for (int i = 0; i < 100; i++) {
        rn_context *ctx = rn_ctx_with_cancel(NULL);
        go(cancel_later, ctx, c);
        CHECK_EQ(chan_select(on_recv(c, NULL), on_done(ctx), on_timeout(RN_HOUR)), 1);
        CHECK(nobody_waits(INSIDE(c)));
    }
    chan_free(c);
}

static void cancel_now(rn_context *ctx)
{
    rn_ctx_cancel(ctx);
}

static void send_now(chan(int) c)
{
    (void)chan_try_send(c, 1);
}

/* Two contexts and a sender race; the winner is the only one. */
TEST(contexts_and_channels_race)
{
    chan(int) c = chan_make(int, 1);
    for (int i = 0; i < 2000; i++) {
        rn_context *a = rn_ctx_with_cancel(NULL), *b = rn_ctx_with_cancel(NULL);
        int v = 0;
        go(cancel_now, a);
        go(send_now, c);
        go(cancel_now, b);
        int k = chan_select(on_done(a), on_recv(c, &v), on_done(b), on_timeout(RN_HOUR));
        CHECK(k >= 0 && k < 3);
        CHECK_EQ(v, k == 1);
        if (k != 1)
            chan_recv(c);
        CHECK_EQ(rn_ctx_wait(a), RN_ECANCELED);
        CHECK_EQ(rn_ctx_wait(b), RN_ECANCELED);
    }
    CHECK(nobody_waits(INSIDE(c)));
    chan_free(c);
}

TEST(send_and_receive_with_a_context)
{
    chan(int) c = chan_make(int, 1);
    rn_context *ctx = rn_ctx_with_cancel(NULL);
    rn_context *late = rn_ctx_with_timeout(NULL, RN_MILLISECOND);
    int v = 0;
    CHECK_EQ(chan_send_ctx(ctx, c, 5), 0);
    CHECK_EQ(chan_send_ctx(late, c, 6), RN_ETIMEOUT);
    CHECK_EQ(chan_recv_ctx(ctx, c, &v), 0);
    CHECK_EQ(v, 5);
    go(cancel_later, ctx, c);
    CHECK_EQ(chan_recv_ctx(ctx, c, &v), RN_ECANCELED);
    CHECK_EQ(v, 5);
    CHECK_EQ(chan_recv_ctx(late, c, &v), RN_ETIMEOUT);
    CHECK_EQ(chan_recv_ctx(ctx, (chan(int))NULL, &v), RN_ECANCELED);
    CHECK_EQ(chan_send_ctx(NULL, c, 7), 0);
    chan_close(c);
    CHECK_EQ(chan_recv_ctx(NULL, c, &v), 0);
    CHECK_EQ(v, 7);
    CHECK_EQ(chan_recv_ctx(NULL, c, &v), RN_ECLOSED);
    CHECK_EQ(v, 0);
    EXPECT_PANIC("send on closed channel", (void)chan_send_ctx(NULL, c, 1));
    CHECK(nobody_waits(INSIDE(c)));
    chan_free(c);
    rn_ctx_cancel(late);
}

/* ---- plain threads ------------------------------------------------------------------------------- */

struct pair {
    chan(int) a;
    chan(int) b;
    chan(int) quit;
};

static void *answer(void *arg)
{
    struct pair *p = arg;
    for (int v; chan_select(on_recv(p->a, &v), on_recv(p->quit, NULL)) == 0;)
        if (chan_select(on_recv(p->quit, NULL), on_send(p->b, v + 1), on_timeout(RN_HOUR)) == 0)
            break;
    return NULL;
}

static void ask(struct pair *p)
{
    for (int i = 0; i < 1000; i++) {
        int v = 0;
        CHECK_EQ(chan_select(on_send(p->a, i), on_recv(p->quit, NULL)), 0);
        CHECK_EQ(chan_select(on_recv(p->quit, NULL), on_recv(p->b, &v), on_timeout(RN_HOUR)), 1);
        CHECK_EQ(v, i + 1);
    }
    chan_close(p->quit);
}

TEST(a_plain_thread_selects_like_a_goroutine)
{
    struct pair p = {chan_make(int, 0), chan_make(int, 0), chan_make(int, 0)};
    pthread_t t;
    REQUIRE(pthread_create(&t, NULL, answer, &p) == 0);
    ask(&p);
    pthread_join(t, NULL);
    chan_free(p.a);
    chan_free(p.b);
    chan_free(p.quit);
}

TEST_PLAIN(two_threads_without_a_runtime)
{
    struct pair p = {chan_make(int, 0), chan_make(int, 0), chan_make(int, 0)};
    pthread_t t;
    REQUIRE(pthread_create(&t, NULL, answer, &p) == 0);
    for (int i = 0; i < 1000; i++) {
        chan_send(p.a, i);
        CHECK_EQ(chan_recv(p.b), i + 1);
    }
    chan_close(p.quit);
    pthread_join(t, NULL);
    chan_free(p.a);
    chan_free(p.b);
    chan_free(p.quit);
}
