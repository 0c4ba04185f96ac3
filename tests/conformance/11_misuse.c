/* Send on closed, close of closed, close of NULL: panic, with Go's words.  None of them corrupts the
 * channel. */
#include "chan_inside.h"

TEST(send_on_closed_panics)
{
    chan(int) c = chan_make(int, 4);
    chan_send(c, 1);
    chan_close(c);
    for (int i = 0; i < 3; i++) {
        EXPECT_PANIC("send on closed channel", chan_send(c, 2));
        EXPECT_PANIC("send on closed channel", chan_try_send(c, 2));
        EXPECT_PANIC("send on closed channel", chan_select(on_send(c, 2)));
        EXPECT_PANIC("send on closed channel", chan_select(on_send(c, 2), on_default()));
    }
    CHECK_EQ(chan_len(c), 1);
    CHECK_EQ(chan_recv(c), 1);
    CHECK(!chan_next(c, NULL));
    CHECK(nobody_waits(INSIDE(c)));
    CHECK(!rn_lock_is_held(&INSIDE(c)->lock));
    chan_free(c);
}

TEST(send_on_a_closed_full_or_unbuffered_channel_panics)
{
    chan(int) full = chan_make(int, 1);
    chan(int) none = chan_make(int, 0);
    chan_send(full, 1);
    chan_close(full);
    chan_close(none);
    EXPECT_PANIC("send on closed channel", chan_send(full, 2));
    EXPECT_PANIC("send on closed channel", chan_try_send(full, 2));
    EXPECT_PANIC("send on closed channel", chan_send(none, 2));
    EXPECT_PANIC("send on closed channel", chan_try_send(none, 2));
    CHECK_EQ(chan_recv(full), 1);
    chan_free(full);
    chan_free(none);
}

TEST(close_of_closed_panics)
{
    chan(int) c = chan_make(int, 2);
    chan_send(c, 9);
    chan_close(c);
    EXPECT_PANIC("close of closed channel", chan_close(c));
    EXPECT_PANIC("close of closed channel", chan_close(c));
    CHECK_EQ(chan_recv(c), 9);
    CHECK(!chan_next(c, NULL));
    CHECK(!rn_lock_is_held(&INSIDE(c)->lock));
    chan_free(c);
}

TEST(close_of_null_panics)
{
    chan_send_only(int) c = NULL;
    EXPECT_PANIC("close of nil channel", chan_close(c));
}

TEST_DIES(unrecovered_it_ends_the_program, 2, "panic: send on closed channel")
{
    chan(int) c = chan_make(int, 1);
    chan_close(c);
    chan_send(c, 1);
}

TEST(impossible_sizes_panic)
{
    EXPECT_PANIC("chan_make: size out of range", (void)chan_make(int, -1));
    EXPECT_PANIC("chan_make: size out of range", (void)chan_make(long, INT64_MAX));
    EXPECT_PANIC("chan_make: size out of range", (void)chan_make(long, INT64_MAX / 8));
    EXPECT_PANIC("chan_make: size out of range", (void)chan_make(long, 1LL << 46));
    CHECK(chan_try_make(long, INT64_MAX) == NULL);
    EXPECT_PANIC("chan_make: size out of range", (void)chan_try_make(long, -5));
}
