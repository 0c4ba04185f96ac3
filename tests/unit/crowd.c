/* Workers that stand aside (src/sched/crowd.c): whatever they leave to the others is done, and they come back.
 *
 * Here every worker believes all the time that it has only waited at locks, so that as many as may stand aside do. */
#include "os/lock.h"
#include "sched/rt.h"
#include <runnel.h>
#include <runnel/test.h>
#include <stdlib.h>

/* Of whichever thread runs it now. */
static __attribute__((noinline)) void have_waited(void)
{
    rn__lock_pauses += 1u << 30;
}

static void pass_on(chan_recv_only(long) in, chan_send_only(long) out)
{
    for (long v; chan_next(in, &v);) {
        have_waited();
        rn_yield();
        chan_send(out, v);
    }
}

static void feed(chan_send_only(long) out, long n)
{
    for (long i = 1; i <= n; i++) {
        have_waited();
        chan_send(out, i);
    }
    chan_close(out);
}

/* n values through a pool of workers; while it runs, `beside` is called between two of them. */
static void pool(long n, void (*beside)(long v))
{
    chan(long) in = chan_make(long, 10), out = chan_make(long, 10);
    rn_waitgroup all = RN_WAITGROUP_INIT;
    long sum = 0;
    for (int i = 0; i < 10; i++)
        wg_go(&all, pass_on, in, out);
    wg_go(&all, feed, in, n);
    for (long i = 0; i < n; i++) {
        sum += chan_recv(out);
        if (beside)
            beside(i);
    }
    CHECK_EQ(sum, n * (n + 1) / 2);
    wg_wait(&all);
    chan_free(in);
    chan_free(out);
}

/* Until one has stood aside. */
static void until_one_leaves(void (*beside)(long v))
{
    enum { ROUNDS = 10000 };
    rn_store_relaxed(&rn__sched.aside_since, 0);
    for (int i = 0; i < ROUNDS && rn_load_relaxed(&rn__sched.aside_since) == 0; i++)
        pool(200, beside);
    CHECK(rn_load_relaxed(&rn__sched.aside_since) != 0);
    CHECK(rn_load_relaxed(&rn__sched.aside_n) < rn__procs_made());
}

TEST(who_gains_nothing_stays_longer)
{
    enum { ROUNDS = 100000 };
    bool longer = false;
    rn_set_procs(2);
    for (int i = 0; i < ROUNDS && !longer; i++) {
        pool(1000, NULL);
        longer = rn_load_relaxed(&rn__sched.aside_stay) > RN_MILLISECOND;
    }
    CHECK(longer);
}

static void lose_nothing(void)
{
    for (int i = 0; i < 1000; i++)
        rn_yield();
}

TEST(who_gains_begins_anew)
{
    enum { ROUNDS = 100000 };
    bool back = false;
    rn_set_procs(2);
    until_one_leaves(NULL);
    for (int i = 0; i < ROUNDS && !back; i++) {
        rn_waitgroup all = RN_WAITGROUP_INIT;
        for (int k = 0; k < 8; k++)
            wg_go(&all, lose_nothing);
        wg_wait(&all);
        back = rn_load_relaxed(&rn__sched.aside_n) == 0 && rn_load_relaxed(&rn__sched.aside_stay) == 0;
    }
    CHECK(back);
}

/* Starts n; returns how long each took. */
static rn_duration flood(int n)
{
    rn_waitgroup all = RN_WAITGROUP_INIT;
    rn_time start = rn_now();
    wg_add(&all, n);
    for (int i = 0; i < n; i++)
        go(wg_done, &all);
    wg_wait(&all);
    return (rn_now() - start) / n;
}

/* That one processor may be faster is tried out, where goroutines are brief (with sanitizers they are not). */
TEST(floods_are_tried_alone)
{
    enum { SHORT = 2000, LONG = 20000, BRIEF = 100, TRIES = 5, ROUNDS = 50000 };
    bool brief = false, tried = false;
    rn_set_procs(2);
    for (int i = 0; i < TRIES; i++)
        brief |= flood(SHORT) < BRIEF;
    for (int i = 0; brief && !tried && i < ROUNDS; i++) {
        flood(LONG);
        tried = rn_load_relaxed(&rn__sched.flood_alone) != 0 || rn_load_relaxed(&rn__sched.flood_together) != 0;
    }
    CHECK(tried || !brief);
}

TEST(all_is_done)
{
    for (int procs = 2; procs <= 8; procs *= 2) {
        rn_set_procs(procs);
        until_one_leaves(NULL);
    }
}

static void sleep_a_little(long v)
{
    if (v % 64 == 0)
        rn_sleep(100 * RN_MICROSECOND);
}

TEST(sleepers_wake)
{
    rn_set_procs(3);
    until_one_leaves(sleep_a_little);
}

static void other_number(long v)
{
    if (v % 50 == 0)
        rn_set_procs(1 + (int)(v / 50 % 4));
}

TEST(the_number_of_processors_changes)
{
    rn_set_procs(4);
    until_one_leaves(other_number);
}

static void on_one_thread(long v)
{
    if (v % 20)
        return;
    rn_pin();
    rn_yield();
    rn_unpin();
}

TEST(pinned_goroutines_run)
{
    rn_set_procs(4);
    until_one_leaves(on_one_thread);
}

static void hog(void)
{
    for (;;) {
        have_waited();
        rn_yield();
    }
}

/* A run ends whoever is aside. */
static void runs_shortly(int round)
{
    rn_set_procs(4);
    for (int i = 0; i < 8; i++)
        go(hog);
    for (int i = 0; i < round % 7 * 100; i++)
        rn_yield();
}

TEST_PLAIN(runs_end)
{
    for (int i = 0; i < 100; i++)
        rn_run(runs_shortly, i);
}

TEST_DIES(a_deadlock_is_seen, 2, "all goroutines are asleep - deadlock!")
{
    rn_set_procs(4);
    until_one_leaves(NULL);
    chan(long) c = chan_make(long, 0);
    chan_recv(c);
}
