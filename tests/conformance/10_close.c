/* Close: every waiting receiver wakes; buffered values are still received; then zero values with ok =
 * false.  Waiting senders panic. */
#include "chan_inside.h"
#include "../on_purpose.h"

struct result {
    long v;
    bool ok;
};

static void receive(chan(long) c, chan(struct result) out)
{
    struct result r = {.v = -1};
    r.ok = chan_recv_ok(c, &r.v);
    chan_send(out, r);
}

TEST(close_wakes_every_waiting_receiver)
{
    enum { N = 100 };
    chan(long) c = chan_make(long, 0);
    chan(struct result) out = chan_make(struct result, 0);
    for (int i = 0; i < N; i++)
        go(receive, c, out);
    await_receivers(INSIDE(c), N);
    chan_close(c);
    for (int i = 0; i < N; i++) {
        struct result r = chan_recv(out);
        CHECK(!r.ok);
        CHECK_EQ(r.v, 0);
    }
    CHECK(nobody_waits(INSIDE(c)));
    chan_free(c);
    chan_free(out);
}

TEST(what_is_buffered_can_still_be_received)
{
    chan(long) c = chan_make(long, 5);
    for (long i = 1; i <= 5; i++)
        chan_send(c, i);
    chan_close(c);
    CHECK_EQ(chan_len(c), 5);
    for (long i = 1; i <= 5; i++) {
        long v = 0;
        CHECK(chan_recv_ok(c, &v));
        CHECK_EQ(v, i);
    }
    for (int i = 0; i < 3; i++) {
        long v = -1;
        CHECK(!chan_recv_ok(c, &v));
        CHECK_EQ(v, 0);
        v = -1;
        CHECK_EQ(chan_try_recv(c, &v), RN_ECLOSED);
        CHECK_EQ(v, 0);
        CHECK_EQ(chan_recv(c), 0);
    }
    chan_free(c);
}

struct big {
    char bytes[300];
};

TEST(the_zero_value_is_all_zero)
{
    chan(struct big) c = chan_make(struct big, 1);
    struct big v, zero = {{0}};
    chan_close(c);
    memset(&v, 0xAA, sizeof v);
    CHECK(!chan_next(c, &v));
    CHECK(memcmp(&v, &zero, sizeof v) == 0);
    CHECK(!chan_next(c, NULL));
    chan_free(c);
}

static void expect_panic(chan(long) c, chan(int) done)
{
    EXPECT_PANIC("send on closed channel", chan_send(c, 1));
    chan_send(done, 1);
}

static void check_senders_panic(int cap)
{
    enum { N = 20 };
    chan(long) c = chan_make(long, cap);
    chan(int) done = chan_make(int, 0);
    for (int i = 0; i < cap; i++)
        chan_send(c, 100 + i);
    for (int i = 0; i < N; i++)
        go(expect_panic, c, done);
    await_senders(INSIDE(c), N);
    chan_close(c);
    for (int i = 0; i < N; i++)
        chan_recv(done);
    for (int i = 0; i < cap; i++)
        CHECK_EQ(chan_recv(c), 100 + i);
    CHECK(!chan_next(c, NULL)); /* what the senders had is gone */
    CHECK(nobody_waits(INSIDE(c)));
    chan_free(c);
    chan_free(done);
}

TEST(waiting_senders_panic)
{
    RACES_ON_PURPOSE();
    check_senders_panic(0);
    check_senders_panic(3);
}
