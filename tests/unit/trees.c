/* Trees of goroutines and goroutines that start others without end: how many live at once (src/sched/spill.c). */
#include "base/atomic.h"
#include "base/sanitizers.h"
#include <runnel.h>
#include <runnel/test.h>

static rn_atomic(int64_t) most;

static void note_live(void)
{
    int64_t now = (int64_t)rn_num_goroutines(), before = rn_load_relaxed(&most);
    while (now > before && !rn_cas_relaxed(&most, &before, now))
        continue;
}

static void leaf_or_ten(chan_send_only(long) up, long size)
{
    if (size == 1) {
        note_live();
        chan_send(up, 1);
        return;
    }
    chan(long) rc = chan_make(long, 0);
    long sum = 0;
    for (int i = 0; i < 10; i++)
        go(leaf_or_ten, rc, size / 10);
    for (int i = 0; i < 10; i++)
        sum += chan_recv(rc);
    chan_free(rc);
    chan_send(up, sum);
}

/* ThreadSanitizer is too slow for more. */
#ifdef RN_TSAN
enum { LEAVES = 1000 };
#else
enum { LEAVES = 100000 };
#endif

static void grow(int procs, int rounds)
{
    rn_set_procs(procs);
    rn_store_relaxed(&most, 0);
    for (int i = 0; i < rounds; i++) {
        chan(long) c = chan_make(long, 0);
        go(leaf_or_ten, c, (long)LEAVES);
        CHECK_EQ(chan_recv(c), (long)LEAVES);
        chan_free(c);
    }
    CHECK(rn_load_relaxed(&most) < LEAVES / 5 + 200);
}

TEST(a_tree_lives_a_few_paths_at_a_time)
{
    grow(1, 3);
    grow(2, 3);
    grow(4, 1);
}

/* Wider than a deque, and each level waits for the next. */
static void wide(int depth, rn_waitgroup *up)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    note_live();
    for (int i = 0; depth && i < 100; i++) {
        wg_add(&wg, 1);
        go(wide, depth - 1, &wg);
    }
    wg_wait(&wg);
    wg_done(up);
}

TEST(a_tree_that_is_wider_than_a_queue)
{
    rn_set_procs(1);
    rn_store_relaxed(&most, 0);
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_add(&wg, 1);
    wide(2, &wg);
    wg_wait(&wg);
    CHECK(rn_load_relaxed(&most) < 2000); /* of 10,101 */
}

static void nothing(rn_atomic(int64_t) * ran)
{
    note_live();
    rn_add_relaxed(ran, 1);
}

TEST(one_that_starts_more_than_it_lets_run)
{
    enum { TURNS = 4000, EACH = 5 };
    rn_atomic(int64_t) ran = 0;
    rn_set_procs(1);
    rn_store_relaxed(&most, 0);
    for (int i = 0; i < TURNS; i++) {
        for (int k = 0; k < EACH; k++)
            go(nothing, &ran);
        rn_yield();
    }
    CHECK(rn_load_relaxed(&most) < 5000);
    while (rn_load_relaxed(&ran) < TURNS * EACH)
        rn_yield();
}

/* The same with a wait instead of a yield, and what is started starts others. */
static void two_more(rn_atomic(int64_t) * ran)
{
    go(nothing, ran);
    go(nothing, ran);
    nothing(ran);
}

static void answer(chan(int) c)
{
    chan_send(c, 1);
}

TEST(one_that_waits_between)
{
    enum { TURNS = 3000, EACH = 5 };
    rn_atomic(int64_t) ran = 0;
    chan(int) c = chan_make(int, 0);
    rn_set_procs(1);
    rn_store_relaxed(&most, 0);
    for (int i = 0; i < TURNS; i++) {
        for (int k = 0; k < EACH; k++)
            go(two_more, &ran);
        go(answer, c);
        chan_recv(c);
    }
    CHECK(rn_load_relaxed(&most) < 5000);
    while (rn_load_relaxed(&ran) < 3 * TURNS * EACH)
        rn_yield();
    chan_free(c);
}

/* Those that were started first have their turn although newer ones never end. */
static void endless(int depth, rn_atomic(int64_t) * ran, int64_t enough, rn_waitgroup *up)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < 10 && rn_load_relaxed(ran) < enough; i++) {
        wg_add(&wg, 1);
        if (depth)
            go(endless, depth - 1, ran, enough, &wg);
        else
            wg_done(&wg);
    }
    wg_wait(&wg);
    wg_done(up);
}

TEST(the_oldest_have_their_turn)
{
    enum { OLD = 500 };
    rn_atomic(int64_t) ran = 0;
    rn_set_procs(1);
    for (int i = 0; i < OLD; i++)
        go(nothing, &ran);
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    while (rn_load_relaxed(&ran) < OLD) {
        wg_add(&wg, 1);
        endless(6, &ran, OLD, &wg);
        wg_wait(&wg);
    }
    CHECK_EQ(rn_load_relaxed(&ran), OLD);
}
