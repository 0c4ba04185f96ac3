/* chan_next loops end exactly when the channel is closed and drained. */
#include "chan_inside.h"

static void produce(chan_send_only(int) c, int n)
{
    for (int i = 0; i < n; i++)
        chan_send(c, i);
    chan_close(c);
}

TEST(the_loop_sees_every_value_and_ends)
{
    int sizes[] = {0, 1, 2, 10, 1000};
    for (int cap = 0; cap < 4; cap++)
        for (int k = 0; k < 5; k++) {
            chan(int) c = chan_make(int, cap);
            int n = 0;
            go(produce, c, sizes[k]);
            for (int v; chan_next(c, &v);)
                CHECK_EQ(v, n++);
            CHECK_EQ(n, sizes[k]);
            chan_free(c);
        }
}

TEST(closed_before_the_loop)
{
    chan(int) c = chan_make(int, 3);
    int n = 0;
    chan_send(c, 0);
    chan_send(c, 1);
    chan_close(c);
    for (int v; chan_next(c, &v);)
        CHECK_EQ(v, n++);
    CHECK_EQ(n, 2);
    chan_free(c);
}

static void consume(chan_recv_only(int) c, rn_atomic(int) * ended)
{
    while (chan_next(c, NULL))
        ;
    rn_add_acq_rel(ended, 1);
}

TEST(an_empty_open_channel_does_not_end_the_loop)
{
    chan(int) c = chan_make(int, 2);
    rn_atomic(int) ended = 0;
    for (int i = 0; i < 3; i++)
        go(consume, c, &ended);
    await_receivers(INSIDE(c), 3);
    for (int i = 0; i < 10; i++)
        chan_send(c, i);
    await_receivers(INSIDE(c), 3);
    CHECK_EQ(rn_load_acquire(&ended), 0);
    chan_close(c);
    while (rn_load_acquire(&ended) != 3)
        rn_yield();
    chan_free(c);
}
