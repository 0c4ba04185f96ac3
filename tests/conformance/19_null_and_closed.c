/* NULL channels disable their case.  A closed channel is ready to receive; a send case on a closed
 * channel panics when chosen. */
#include "chan_inside.h"
#include "../on_purpose.h"

TEST(null_disables_a_case)
{
    chan(int) none = NULL;
    chan(int) c = chan_make(int, 1);
    for (int i = 0; i < 100; i++) {
        CHECK_EQ(chan_select(on_recv(none, NULL), on_send(none, 1), on_send(c, i)), 2);
        CHECK_EQ(chan_select(on_recv(none, NULL), on_recv(c, NULL), on_send(none, 1)), 1);
    }
    chan_free(c);
}

TEST(setting_a_channel_to_null_turns_its_case_off)
{
    chan(int) a = chan_make(int, 0);
    chan(int) b = chan_make(int, 3);
    int sum = 0;
    for (int i = 1; i <= 3; i++)
        chan_send(b, i);
    chan_close(a);
    chan_close(b);
    chan(int) x = a;
    chan(int) y = b;
    while (x || y) {
        int v;
        bool open;
        int k = chan_select(on_recv_ok(x, &v, &open), on_recv_ok(y, &v, &open));
        if (open)
            sum += v;
        else if (k == 0)
            x = NULL;
        else
            y = NULL;
    }
    CHECK_EQ(sum, 6);
    chan_free(a);
    chan_free(b);
}

TEST(closed_is_ready_to_receive)
{
    chan(int) c = chan_make(int, 1);
    chan(int) quiet = chan_make(int, 0);
    int v = 9;
    bool open = true;
    chan_send(c, 4);
    chan_close(c);
    CHECK_EQ(chan_select(on_recv(quiet, NULL), on_recv_ok(c, &v, &open)), 1);
    CHECK(v == 4 && open);
    CHECK_EQ(chan_select(on_recv(quiet, NULL), on_recv_ok(c, &v, &open), on_default()), 1);
    CHECK(v == 0 && !open);
    chan_free(c);
    chan_free(quiet);
}

/* Beside one other ready case a send on a closed channel panics half of the time. */
static const char *panic_of(chan(int) closed, chan(int) ready, int *chosen);

static void note(void *to)
{
    *(const char **)to = rn_recover();
}

static void select_both(chan(int) closed, chan(int) ready, int *chosen, const char **text)
{
    defer(note, text);
    *chosen = chan_select(on_send(closed, 1), on_recv(ready, NULL));
}

static const char *panic_of(chan(int) closed, chan(int) ready, int *chosen)
{
    static const char *text;
    text = NULL;
    select_both(closed, ready, chosen, &text);
    return text;
}

TEST(a_send_on_a_closed_channel_counts_as_ready)
{
    enum { ROUNDS = 2000 };
    chan(int) closed = chan_make(int, 0);
    chan(int) ready = chan_make(int, 0);
    int panics = 0;
    chan_close(closed);
    chan_close(ready);
    for (int i = 0; i < ROUNDS; i++) {
        int chosen = -1;
        const char *text = panic_of(closed, ready, &chosen);
        if (text) {
            CHECK_STR(text, "send on closed channel");
            panics++;
        } else {
            CHECK_EQ(chosen, 1);
        }
    }
    CHECK(panics > ROUNDS / 2 - 120 && panics < ROUNDS / 2 + 120); /* five standard deviations */
    CHECK(!rn_lock_is_held(&INSIDE(closed)->lock));
    chan_free(closed);
    chan_free(ready);
}

TEST(a_closed_channel_alone_panics_the_sender)
{
    chan(int) c = chan_make(int, 1);
    chan(int) quiet = chan_make(int, 0);
    chan_close(c);
    EXPECT_PANIC("send on closed channel", chan_select(on_send(c, 1), on_recv(quiet, NULL)));
    EXPECT_PANIC("send on closed channel", chan_select(on_send(c, 1), on_recv(quiet, NULL), on_default()));
    CHECK(nobody_waits(INSIDE(quiet)));
    chan_free(c);
    chan_free(quiet);
}

/* Woken by the close while it waits. */
static void wait_to_receive(chan(int) c, chan(int) quiet, chan(int) done)
{
    int v = 9;
    bool open = true;
    CHECK_EQ(chan_select(on_recv(quiet, NULL), on_recv_ok(c, &v, &open)), 1);
    CHECK(v == 0 && !open);
    chan_send(done, 1);
}

static void wait_to_send(chan(int) c, chan(int) quiet, chan(int) done)
{
    EXPECT_PANIC("send on closed channel", chan_select(on_recv(quiet, NULL), on_send(c, 1)));
    chan_send(done, 1);
}

TEST(close_wakes_selects)
{
    RACES_ON_PURPOSE();
    enum { N = 20 };
    chan(int) done = chan_make(int, 2 * N);
    chan(int) quiet = chan_make(int, 0);
    chan(int) r = chan_make(int, 0);
    chan(int) s = chan_make(int, 0);
    for (int i = 0; i < N; i++) {
        go(wait_to_receive, r, quiet, done);
        go(wait_to_send, s, quiet, done);
    }
    await_receivers(INSIDE(r), N);
    await_senders(INSIDE(s), N);
    chan_close(r);
    chan_close(s);
    for (int i = 0; i < 2 * N; i++)
        chan_recv(done);
    CHECK(nobody_waits(INSIDE(r)) && nobody_waits(INSIDE(s)) && nobody_waits(INSIDE(quiet)));
    chan_free(r);
    chan_free(s);
    chan_free(quiet);
    chan_free(done);
}
