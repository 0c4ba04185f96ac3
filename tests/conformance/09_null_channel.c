/* NULL channel: send and receive block for ever (deadlock is reported if all do); close panics. */
#include "chan_inside.h"

TEST_DIES(receive_from_null_blocks_for_ever, 2, "chan receive (nil chan)")
{
    chan(int) c = NULL;
    chan_recv(c);
}

TEST_DIES(send_to_null_blocks_for_ever, 2, "chan send (nil chan)")
{
    chan(int) c = NULL;
    chan_send(c, 1);
}

TEST_DIES(all_on_null_channels_is_a_deadlock, 2, "all goroutines are asleep - deadlock!")
{
    chan(int) c = NULL;
    int v;
    chan_next(c, &v);
}

static void use_null(chan(int) started, rn_atomic(int) * came_back)
{
    chan(int) c = NULL;
    chan_send(started, 1);
    chan_recv(c);
    rn_store_release(came_back, 1);
}

TEST(others_go_on)
{
    chan(int) started = chan_make(int, 0);
    static rn_atomic(int) came_back;
    go(use_null, started, &came_back);
    chan_recv(started);
    for (int i = 0; i < 1000; i++)
        rn_yield();
    CHECK_EQ(rn_load_acquire(&came_back), 0);
    chan_free(started);
}

TEST(close_of_null_panics)
{
    chan(int) c = NULL;
    EXPECT_PANIC("close of nil channel", chan_close(c));
}

TEST(forms_that_never_block_do_not)
{
    chan(int) c = NULL;
    int v = 5;
    CHECK_EQ(chan_try_send(c, 1), RN_EAGAIN);
    CHECK_EQ(chan_try_recv(c, &v), RN_EAGAIN);
    CHECK_EQ(v, 5);
    CHECK_EQ(chan_len(c), 0);
    CHECK_EQ(chan_cap(c), 0);
    chan_free(c);
}
