/* Select chooses uniformly at random among ready cases, and never starves one. */
#include "chan_inside.h"
#include <runnel/fd.h>
#include <runnel/waitgroup.h>

/* With these many degrees of freedom the statistic is above the bound once in a million runs. */
static const double bound[] = {0, 23.9, 27.6, 30.7, 33.4, 35.9, 38.3, 40.6};

static double chi_square(const long *seen, int n, long total)
{
    double sum = 0, expected = (double)total / n;
    for (int i = 0; i < n; i++)
        sum += ((double)seen[i] - expected) * ((double)seen[i] - expected) / expected;
    return sum;
}

static void check_uniform(const char *what, const long *seen, int n, long total)
{
    double x = chi_square(seen, n, total);
    if (x > bound[n - 1])
        FAIL("%s: chi-square %.1f with %d degrees of freedom", what, x, n - 1);
}

enum { N = 8, ROUNDS = 40000 };

/* `ready` has a bit for every channel that holds a value. */
static void check_receives(unsigned ready, const char *what)
{
    chan(int) c[N];
    struct rn_case cases[N];
    long seen[N] = {0}, packed[N];
    int n = 0;
    for (int i = 0; i < N; i++) {
        c[i] = chan_make(int, 1);
        cases[i] = on_recv(c[i], NULL);
        if (ready >> i & 1)
            chan_send(c[i], i);
    }
    for (long r = 0; r < ROUNDS; r++) {
        int i = chan_select_array(cases, N);
        chan_send(c[i], i);
        seen[i]++;
    }
    for (int i = 0; i < N; i++) {
        if (ready >> i & 1)
            packed[n++] = seen[i];
        else
            CHECK_EQ(seen[i], 0);
        chan_free(c[i]);
    }
    check_uniform(what, packed, n, ROUNDS);
}

TEST(among_all_ready)
{
    check_receives(0xFF, "all of 8");
}

TEST(among_some_ready)
{
    check_receives(0x83, "neighbours and a far one");
    check_receives(0x21, "two of 8");
    check_receives(0x7E, "six of 8");
}

TEST(among_sends_and_receives)
{
    enum { CASES = 4 };
    chan(int) a = chan_make(int, 2);
    chan(int) b = chan_make(int, 2);
    long seen[CASES] = {0};
    chan_send(a, 0); /* one element each: all four can go on */
    chan_send(b, 0);
    for (long r = 0; r < ROUNDS; r++) {
        int i = chan_select(on_recv(a, NULL), on_send(a, 1), on_recv(b, NULL), on_send(b, 1));
        seen[i]++;
        if (i % 2 == 0)
            chan_send(i == 0 ? a : b, 0);
        else
            chan_recv(i == 1 ? a : b);
    }
    check_uniform("sends and receives", seen, CASES, ROUNDS);
    chan_free(a);
    chan_free(b);
}

TEST(the_same_channel_in_two_cases_gets_two_shares)
{
    chan(int) a = chan_make(int, 1);
    chan(int) b = chan_make(int, 1);
    long seen[3] = {0};
    chan_send(a, 1);
    chan_send(b, 1);
    for (long r = 0; r < ROUNDS; r++) {
        int i = chan_select(on_recv(a, NULL), on_recv(b, NULL), on_recv(a, NULL));
        seen[i]++;
        chan_send(i == 1 ? b : a, 1);
    }
    check_uniform("a, b, a", seen, 3, ROUNDS);
    chan_free(a);
    chan_free(b);
}

/* The peer of a select that always waits: it comes when the select stands in line. */
static void come(chan(int) c, bool receives, long rounds)
{
    for (long r = 0; r < rounds; r++) {
        if (receives) {
            await_senders(INSIDE(c), 3);
            chan_recv(c);
        } else {
            await_receivers(INSIDE(c), 3);
            chan_send(c, 1);
        }
    }
}

static void check_waiting(bool receives, struct rn_case *more)
{
    enum { WAITING = 4000 };
    chan(int) c = chan_make(int, 0);
    chan(int) other = chan_make(int, 0);
    struct rn_case send = on_send(c, 1), recv = on_recv(c, NULL), k = receives ? send : recv;
    struct rn_case cases[] = {k, on_recv(other, NULL), k, k, more ? *more : k};
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    long seen[5] = {0};
    wg_go(&wg, come, c, receives, (long)WAITING);
    for (long r = 0; r < WAITING; r++)
        seen[chan_select_array(cases, more ? 5 : 4)]++;
    wg_wait(&wg);
    CHECK_EQ(seen[1] + seen[4], 0);
    seen[1] = seen[3];
    check_uniform(receives ? "sends that wait" : "receives that wait", seen, 3, WAITING);
    chan_free(c);
    chan_free(other);
}

/* Go's specification has the example: select { case c <- 0: case c <- 1: } sends random bits. */
TEST(cases_of_one_channel_that_wait_have_equal_shares)
{
    struct rn_case never = on_fd(-1, RN_FD_READ);
    check_waiting(true, NULL);
    check_waiting(false, NULL);
    check_waiting(false, &never); /* the way of selects with descriptors */
}

TEST(closed_channels_are_chosen_like_others)
{
    chan(int) a = chan_make(int, 1);
    chan(int) b = chan_make(int, 1);
    long seen[2] = {0};
    chan_send(a, 1);
    chan_close(b);
    for (long r = 0; r < ROUNDS; r++) {
        int i = chan_select(on_recv(a, NULL), on_recv(b, NULL));
        seen[i]++;
        if (i == 0)
            chan_send(a, 1);
    }
    check_uniform("open and closed", seen, 2, ROUNDS);
    chan_free(a);
    chan_free(b);
}

static void offer(chan(int) c, chan(int) quit)
{
    while (chan_select(on_send(c, 1), on_recv(quit, NULL)) == 0)
        ;
    chan_recv(quit);
}

/* Unbuffered channels on which somebody always waits. */
TEST(among_waiting_senders_none_starves)
{
    enum { SENDERS = 4 };
    chan(int) c[SENDERS];
    chan(int) quit = chan_make(int, 0);
    struct rn_case cases[SENDERS];
    long seen[SENDERS] = {0};
    for (int i = 0; i < SENDERS; i++) {
        c[i] = chan_make(int, 0);
        cases[i] = on_recv(c[i], NULL);
        go(offer, c[i], quit);
    }
    for (long r = 0; r < 4000; r++) {
        for (int i = 0; i < SENDERS; i++)
            await_senders(INSIDE(c[i]), 1);
        seen[chan_select_array(cases, SENDERS)]++;
    }
    check_uniform("waiting senders", seen, SENDERS, 4000);
    for (int i = 0; i < 2 * SENDERS; i++)
        chan_send(quit, 1);
    for (int i = 0; i < SENDERS; i++)
        chan_free(c[i]);
    chan_free(quit);
}
