/* default only when nothing is ready, judged at one instant.  Empty select blocks for ever. */
#include "chan_inside.h"
#include <pthread.h>

TEST(default_when_nothing_is_ready)
{
    chan(int) a = chan_make(int, 0);
    chan(int) b = chan_make(int, 1);
    chan(int) full = chan_make(int, 1);
    int v = 3;
    chan_send(full, 1);
    CHECK_EQ(chan_select(on_recv(a, &v), on_default()), 1);
    CHECK_EQ(chan_select(on_default(), on_recv(a, &v)), 0);
    CHECK_EQ(chan_select(on_recv(a, &v), on_recv(b, &v), on_send(full, 2), on_default()), 3);
    CHECK_EQ(chan_select(on_send(a, 1), on_default()), 1);
    CHECK_EQ(v, 3);
    CHECK(nobody_waits(INSIDE(a)) && nobody_waits(INSIDE(b)) && nobody_waits(INSIDE(full)));
    chan_free(a);
    chan_free(b);
    chan_free(full);
}

TEST(not_default_when_something_is_ready)
{
    chan(int) a = chan_make(int, 1);
    chan(int) b = chan_make(int, 1);
    int v;
    for (int i = 0; i < 1000; i++) {
        CHECK_EQ(chan_select(on_default(), on_recv(a, &v), on_send(b, i)), 2);
        CHECK_EQ(chan_select(on_default(), on_recv(b, &v)), 1);
        CHECK_EQ(v, i);
    }
    chan_close(a);
    CHECK_EQ(chan_select(on_default(), on_recv(a, &v), on_recv(b, &v)), 1);
    chan_free(a);
    chan_free(b);
}

TEST(of_several_defaults_the_first)
{
    chan(int) a = chan_make(int, 0);
    CHECK_EQ(chan_select(on_recv(a, NULL), on_default(), on_default()), 1);
    CHECK_EQ(chan_select(on_timeout(0), on_recv(a, NULL), on_default(), on_default()), 2);
    chan_free(a);
}

TEST(default_alone_and_with_null_channels)
{
    chan(int) none = NULL;
    CHECK_EQ(chan_select(on_default()), 0);
    CHECK_EQ(chan_select(on_recv(none, NULL), on_send(none, 1), on_default()), 2);
}

TEST_DIES(an_empty_select_blocks_for_ever, 2, "select (no cases)")
{
    chan_select();
}

TEST_DIES(a_select_of_null_channels_blocks_for_ever, 2, "all goroutines are asleep - deadlock!")
{
    chan(int) none = NULL;
    chan_select(on_recv(none, NULL), on_send(none, 1), on_recv(none, NULL));
}

/* A thread moves a token to and fro between two channels so that at every moment at least one of
 * them holds one.  A select over both must never take default, although each alone is often
 * empty. */
struct mover {
    chan(int) a;
    chan(int) b;
    rn_atomic(bool) stop;
};

static void *move(void *arg)
{
    struct mover *m = arg;
    while (!rn_load_acquire(&m->stop)) {
        chan_send(m->a, 1);
        chan_recv(m->b);
        chan_send(m->b, 1);
        chan_recv(m->a);
    }
    return NULL;
}

static void watch(struct mover *m, struct rn_case *cases, int n)
{
    int taken[2] = {0};
    for (int i = 0; i < 300000 || !taken[0] || !taken[1]; i++) { /* the mover may be late */
        int k = rn__select(cases, (size_t)n);
        if (k == 2)
            FAIL("default in round %d, although one channel was ready throughout", i);
        else
            chan_send(k == 0 ? m->a : m->b, 1), taken[k]++;
        if (k == 2)
            break;
    }
}

TEST_PLAIN(readiness_is_judged_at_one_instant)
{
    struct mover m = {.a = chan_make(int, 4), .b = chan_make(int, 4)};
    struct rn_case cases[] = {on_recv(m.a, NULL), on_recv(m.b, NULL), on_default()};
    pthread_t t;
    chan_send(m.b, 1);
    REQUIRE(pthread_create(&t, NULL, move, &m) == 0);
    watch(&m, cases, 3);
    rn_store_release(&m.stop, true);
    pthread_join(t, NULL);
    chan_free(m.a);
    chan_free(m.b);
}
