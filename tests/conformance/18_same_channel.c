/* The same channel may appear many times, as send and as receive, also both in one select; a
 * goroutine never matches itself. */
#include "chan_inside.h"

TEST(send_and_receive_of_one_channel_never_pair)
{
    chan(int) c = chan_make(int, 0);
    int v = 0;
    for (int i = 0; i < 1000; i++)
        CHECK_EQ(chan_select(on_send(c, 1), on_recv(c, &v), on_default()), 2);
    CHECK(nobody_waits(INSIDE(c)));
    chan_free(c);
}

TEST_DIES(alone_with_itself_it_is_a_deadlock, 2, "all goroutines are asleep - deadlock!")
{
    chan(int) c = chan_make(int, 0);
    int v;
    chan_select(on_send(c, 1), on_recv(c, &v), on_send(c, 2), on_recv(c, &v));
}

struct tally {
    rn_atomic(long) sent, received, sends, receives;
};

/* Sends and receives on the same channel, twice each, until told to stop. */
static void both(chan(long) c, long id, int rounds, struct tally *t, chan(int) done, chan(int) quit)
{
    for (long i = 0; i < rounds; i++) {
        long v = 0, mine = id * 1000000 + i;
        int k = chan_select(on_send(c, mine), on_recv(c, &v), on_recv(quit, NULL), on_send(c, mine), on_recv(c, &v));
        if (k == 2)
            break;
        bool sent = k == 0 || k == 3;
        rn_add_relaxed(sent ? &t->sends : &t->receives, 1);
        rn_add_relaxed(sent ? &t->sent : &t->received, sent ? mine : v);
        if (!sent && v / 1000000 == id)
            FAIL("goroutine %ld received what it sent itself", id);
    }
    chan_send(done, 1);
}

static void check_many(int goroutines)
{
    chan(long) c = chan_make(long, 0);
    chan(int) done = chan_make(int, goroutines);
    chan(int) quit = chan_make(int, 0);
    struct tally t = {0};
    for (int i = 1; i <= goroutines; i++)
        go(both, c, i, 500, &t, done, quit);
    for (int i = 0; i < goroutines; i++) {
        chan_recv(done);
        if (i == goroutines - 2)
            chan_close(quit); /* the last one has nobody left to meet */
    }
    CHECK_EQ(t.sends, t.receives);
    CHECK_EQ(t.sent, t.received);
    CHECK(nobody_waits(INSIDE(c)));
    chan_free(c);
    chan_free(done);
    chan_free(quit);
}

TEST(two_and_more_meet_only_each_other)
{
    check_many(2);
    check_many(3);
    check_many(10);
}

TEST(a_hundred_times_the_same_channel)
{
    enum { N = 100 };
    chan(int) c = chan_make(int, 1);
    struct rn_case cases[N];
    int v = 0;
    for (int i = 0; i < N; i++)
        cases[i] = on_recv(c, &v);
    chan_send(c, 77);
    CHECK(chan_select_array(cases, N) < N);
    CHECK_EQ(v, 77);
    CHECK_EQ(chan_len(c), 0);
    chan_free(c);
}

static void send_later(chan(int) c, int v)
{
    await_receivers(INSIDE(c), 100);
    chan_send(c, v);
}

TEST(a_hundred_waiters_of_one_select_take_one_value)
{
    enum { N = 100 };
    chan(int) c = chan_make(int, 0);
    struct rn_case cases[N];
    int v[N] = {0}, sum = 0;
    for (int i = 0; i < N; i++)
        cases[i] = on_recv(c, &v[i]);
    go(send_later, c, 5);
    int k = chan_select_array(cases, N);
    for (int i = 0; i < N; i++)
        sum += v[i];
    CHECK_EQ(sum, 5);
    CHECK_EQ(v[k], 5);
    CHECK(nobody_waits(INSIDE(c)));
    chan_free(c);
}
