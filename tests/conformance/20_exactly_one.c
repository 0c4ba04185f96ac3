/* Send values are evaluated once, before blocking.  Exactly one case takes effect; all others leave
 * no trace. */
#include "chan_inside.h"

static int calls[4], order[8], steps;

static int value(int i)
{
    calls[i]++;
    order[steps++] = i;
    return 10 + i;
}

static chan(int) channel(chan(int) c, int i)
{
    order[steps++] = i;
    return c;
}

static void receive_late(chan(int) c, int *to, chan(int) done)
{
    await_senders(INSIDE(c), 1);
    *to = chan_recv(c);
    chan_send(done, 1);
}

TEST(operands_are_evaluated_once_before_waiting)
{
    chan(int) c = chan_make(int, 0);
    chan(int) none = NULL;
    chan(int) done = chan_make(int, 1);
    int got = 0;
    memset(calls, 0, sizeof calls);
    go(receive_late, c, &got, done);
    CHECK_EQ(chan_select(on_send(none, value(0)), on_send(c, value(1))), 1);
    chan_recv(done);
    CHECK_EQ(got, 11);
    CHECK_EQ(calls[0], 1); /* also for a channel that is NULL */
    CHECK_EQ(calls[1], 1);
    chan_free(c);
    chan_free(done);
}

TEST(operands_are_evaluated_in_order)
{
    chan(int) c = chan_make(int, 4);
    steps = 0;
    memset(calls, 0, sizeof calls);
    chan_select(on_send(channel(c, 4), value(0)), on_send(channel(NULL, 5), value(1)), on_recv(channel(NULL, 6), NULL),
                on_send(channel(c, 7), value(2)));
    int expected[] = {4, 0, 5, 1, 6, 7, 2};
    CHECK_EQ(steps, 7);
    for (int i = 0; i < 7; i++)
        CHECK_EQ(order[i], expected[i]);
    chan_free(c);
}

TEST(one_of_several_ready_cases_takes_effect)
{
    chan(int) a = chan_make(int, 1000);
    chan(int) b = chan_make(int, 1000);
    chan(int) full = chan_make(int, 1000);
    for (int i = 0; i < 1000; i++)
        chan_send(full, i);
    for (int i = 0; i < 1000; i++) {
        int v = -1;
        int k = chan_select(on_send(a, i), on_send(b, i), on_recv(full, &v));
        CHECK_EQ(chan_len(a) + chan_len(b) + 1000 - chan_len(full), i + 1);
        CHECK((v != -1) == (k == 2));
    }
    chan_free(a);
    chan_free(b);
    chan_free(full);
}

struct sides {
    chan(int) c[3];
    chan(int) done;
    int got[3];
};

static void select_three(struct sides *s)
{
    for (int i = 0; i < 3; i++)
        s->got[i] = -1;
    int k = chan_select(on_recv(s->c[0], &s->got[0]), on_recv(s->c[1], &s->got[1]), on_send(s->c[2], 3));
    chan_send(s->done, k);
}

/* Waits in three queues and is woken through each in turn. */
TEST(the_losers_leave_no_trace)
{
    for (int winner = 0; winner < 3; winner++) {
        struct sides s = {.done = chan_make(int, 1)};
        for (int i = 0; i < 3; i++)
            s.c[i] = chan_make(int, 0);
        go(select_three, &s);
        await_receivers(INSIDE(s.c[0]), 1);
        await_receivers(INSIDE(s.c[1]), 1);
        await_senders(INSIDE(s.c[2]), 1);
        if (winner < 2)
            chan_send(s.c[winner], 40 + winner);
        else
            CHECK_EQ(chan_recv(s.c[2]), 3);
        CHECK_EQ(chan_recv(s.done), winner);
        for (int i = 0; i < 2; i++)
            CHECK_EQ(s.got[i], i == winner ? 40 + i : -1);
        for (int i = 0; i < 3; i++) {
            CHECK(nobody_waits(INSIDE(s.c[i])));
            CHECK_EQ(chan_try_recv(s.c[i], NULL), RN_EAGAIN);
            chan_free(s.c[i]);
        }
        chan_free(s.done);
    }
}

static void receive_any(struct sides *s)
{
    int v;
    chan_send(s->done, chan_select(on_recv(s->c[0], &v), on_recv(s->c[1], &v), on_recv(s->c[2], &v)));
}

/* Three senders at once meet one select: one of them goes on, two still wait. */
TEST(a_select_that_waits_matches_one_sender)
{
    for (int round = 0; round < 200; round++) {
        struct sides s = {.done = chan_make(int, 1)};
        for (int i = 0; i < 3; i++)
            s.c[i] = chan_make(int, 0);
        go(receive_any, &s);
        for (int i = 0; i < 3; i++)
            await_receivers(INSIDE(s.c[i]), 1);
        int sent = 0;
        for (int i = 0; i < 3; i++)
            sent += chan_try_send(s.c[(i + round) % 3], i) == 0;
        CHECK_EQ(sent, 1);
        CHECK_EQ(chan_recv(s.done), round % 3);
        for (int i = 0; i < 3; i++)
            chan_free(s.c[i]);
        chan_free(s.done);
    }
}
