/* A send happens before the matching receive completes; a close before a receive that sees it; the
 * k-th receive on a channel of capacity C before send k+C completes.  (ThreadSanitizer builds check
 * the plain variables here; the values are checked in all.) */
#include "chan_inside.h"

static long shared; /* plain on purpose */

static void write_and_send(chan(int) c)
{
    shared = 42;
    chan_send(c, 1);
}

static void write_and_close(chan(int) c)
{
    shared = 43;
    chan_close(c);
}

static void write_and_receive(chan(int) c)
{
    shared = 44;
    chan_recv(c);
}

TEST(send_before_receive)
{
    for (int cap = 0; cap < 2; cap++) {
        chan(int) c = chan_make(int, cap);
        shared = 0;
        go(write_and_send, c);
        chan_recv(c);
        CHECK_EQ(shared, 42);
        chan_free(c);
    }
}

TEST(close_before_a_receive_that_sees_it)
{
    chan(int) c = chan_make(int, 0);
    shared = 0;
    go(write_and_close, c);
    CHECK(!chan_next(c, NULL));
    CHECK_EQ(shared, 43);
    chan_free(c);
}

TEST(receive_before_the_send_completes_when_unbuffered)
{
    chan(int) c = chan_make(int, 0);
    shared = 0;
    go(write_and_receive, c);
    chan_send(c, 1);
    CHECK_EQ(shared, 44);
    chan_free(c);
}

TEST(a_try_that_succeeds_orders_as_well)
{
    chan(int) c = chan_make(int, 1);
    shared = 0;
    go(write_and_send, c);
    while (chan_try_recv(c, NULL) != 0)
        rn_yield();
    CHECK_EQ(shared, 42);
    chan_free(c);
}

struct semaphore_test {
    rn_atomic(int) inside;
    long slots[8]; /* each used by one holder at a time, without other order */
};

static void enter_and_leave(chan(int) slots, struct semaphore_test *t, chan(int) done)
{
    for (int i = 0; i < 200; i++) {
        int slot = chan_recv(slots);
        if (rn_add_relaxed(&t->inside, 1) >= 8)
            FAIL("more than the capacity are inside");
        t->slots[slot]++;
        rn_yield();
        rn_sub_relaxed(&t->inside, 1);
        chan_send(slots, slot);
    }
    chan_send(done, 1);
}

TEST(a_channel_of_tokens_is_a_semaphore)
{
    chan(int) slots = chan_make(int, 8);
    chan(int) done = chan_make(int, 0);
    struct semaphore_test t = {0};
    long sum = 0;
    for (int i = 0; i < 8; i++)
        chan_send(slots, i);
    for (int i = 0; i < 16; i++)
        go(enter_and_leave, slots, &t, done);
    for (int i = 0; i < 16; i++)
        chan_recv(done);
    for (int i = 0; i < 8; i++)
        sum += t.slots[i];
    CHECK_EQ(sum, 16 * 200);
    chan_free(slots);
    chan_free(done);
}

static void lock_by_send(chan(rn_unit) lock, long *counter, chan(int) done)
{
    for (int i = 0; i < 500; i++) {
        chan_send(lock, RN_UNIT); /* receive k happens before send k+1 completes */
        ++*counter;
        chan_recv(lock);
    }
    chan_send(done, 1);
}

TEST(a_channel_of_capacity_one_is_a_lock)
{
    chan(rn_unit) lock = chan_make(rn_unit, 1);
    chan(int) done = chan_make(int, 0);
    long counter = 0;
    for (int i = 0; i < 10; i++)
        go(lock_by_send, lock, &counter, done);
    for (int i = 0; i < 10; i++)
        chan_recv(done);
    CHECK_EQ(counter, 5000);
    chan_free(lock);
    chan_free(done);
}
