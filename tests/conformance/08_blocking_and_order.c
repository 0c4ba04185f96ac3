/* Unbuffered: a send completes only when received.  Buffered: blocks only when full (send) or empty
 * (receive).  Values in FIFO order; waiters served in FIFO order. */
#include "chan_inside.h"

static void send_then_flag(chan(int) c, int v, rn_atomic(int) * flag)
{
    chan_send(c, v);
    rn_store_release(flag, 1);
}

static void await_flag(rn_atomic(int) * flag)
{
    while (!rn_load_acquire(flag))
        rn_yield();
}

TEST(unbuffered_send_completes_only_when_received)
{
    chan(int) c = chan_make(int, 0);
    rn_atomic(int) sent = 0;
    go(send_then_flag, c, 7, &sent);
    await_senders(INSIDE(c), 1);
    for (int i = 0; i < 100; i++)
        rn_yield();
    CHECK_EQ(rn_load_acquire(&sent), 0);
    CHECK_EQ(chan_recv(c), 7);
    await_flag(&sent);
    chan_free(c);
}

TEST(a_waiting_receiver_lets_the_send_complete)
{
    chan(int) c = chan_make(int, 0);
    rn_atomic(int) sent = 0;
    go(send_then_flag, c, 8, &sent);
    CHECK_EQ(chan_recv(c), 8);
    await_flag(&sent);
    CHECK(nobody_waits(INSIDE(c)));
    chan_free(c);
}

TEST(buffered_send_blocks_only_when_full)
{
    chan(int) c = chan_make(int, 3);
    rn_atomic(int) sent = 0;
    for (int i = 0; i < 3; i++)
        chan_send(c, i);
    go(send_then_flag, c, 3, &sent);
    await_senders(INSIDE(c), 1);
    CHECK_EQ(rn_load_acquire(&sent), 0);
    CHECK_EQ(chan_len(c), 3);
    CHECK_EQ(chan_recv(c), 0);
    await_flag(&sent);
    for (int i = 1; i < 4; i++)
        CHECK_EQ(chan_recv(c), i);
    chan_free(c);
}

static void recv_then_flag(chan(int) c, int *to, rn_atomic(int) * flag)
{
    *to = chan_recv(c);
    rn_store_release(flag, 1);
}

TEST(buffered_receive_blocks_only_when_empty)
{
    chan(int) c = chan_make(int, 2);
    rn_atomic(int) received = 0;
    int v = 0;
    chan_send(c, 1);
    CHECK_EQ(chan_recv(c), 1);
    go(recv_then_flag, c, &v, &received);
    await_receivers(INSIDE(c), 1);
    CHECK_EQ(rn_load_acquire(&received), 0);
    chan_send(c, 2);
    await_flag(&received);
    CHECK_EQ(v, 2);
    chan_free(c);
}

static void count_up(chan(int) c, int n)
{
    for (int i = 0; i < n; i++)
        chan_send(c, i);
    chan_close(c);
}

static void check_order(int cap)
{
    chan(int) c = chan_make(int, cap);
    int expected = 0;
    go(count_up, c, 5000);
    for (int v; chan_next(c, &v); expected++)
        if (v != expected)
            FAIL("capacity %d: %d came in place of %d", cap, v, expected);
    CHECK_EQ(expected, 5000);
    chan_free(c);
}

TEST(values_come_in_the_order_sent)
{
    int caps[] = {0, 1, 2, 3, 7, 128};
    for (size_t i = 0; i < sizeof caps / sizeof *caps; i++)
        check_order(caps[i]);
}

struct got {
    int who, what;
};

static void receive_one(chan(int) c, int who, chan(struct got) report)
{
    int v = chan_recv(c);
    chan_send(report, ((struct got){who, v}));
}

TEST(receivers_are_served_first_come_first_served)
{
    enum { N = 20 };
    chan(int) c = chan_make(int, 0);
    chan(struct got) report = chan_make(struct got, N);
    for (int i = 0; i < N; i++) {
        go(receive_one, c, i, report);
        await_receivers(INSIDE(c), (uint32_t)i + 1);
    }
    for (int i = 0; i < N; i++)
        chan_send(c, i);
    for (int i = 0; i < N; i++) {
        struct got g = chan_recv(report);
        CHECK_EQ(g.who, g.what);
    }
    chan_free(c);
    chan_free(report);
}

static void send_one(chan(int) c, int v)
{
    chan_send(c, v);
}

static void check_senders_in_order(int cap)
{
    enum { N = 20 };
    chan(int) c = chan_make(int, cap);
    for (int i = 0; i < cap; i++)
        chan_send(c, i);
    for (int i = 0; i < N; i++) {
        go(send_one, c, cap + i);
        await_senders(INSIDE(c), (uint32_t)i + 1);
    }
    for (int i = 0; i < cap + N; i++)
        CHECK_EQ(chan_recv(c), i);
    CHECK(nobody_waits(INSIDE(c)));
    chan_free(c);
}

TEST(senders_are_served_first_come_first_served)
{
    check_senders_in_order(0);
    check_senders_in_order(1);
    check_senders_in_order(5); /* senders that wait on a full buffer keep their order */
}
