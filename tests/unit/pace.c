/* How often a busy processor looks for timers, descriptors and the global queue (src/sched/pace.c), and how many it takes
 * from there. */
#include "sched/rt.h"
#include <runnel.h>
#include <runnel/test.h>
#include <stdlib.h>

enum { AROUND = 20 * RN_MICROSECOND };

/* p resumes goroutines of `each`, and at every other look there is `more` to do; returns the longest time between two
 * looks of the last half. */
static rn_duration longest(struct rn_p *p, rn_duration each, rn_duration more)
{
    enum { LOOKS = 1000 };
    rn_time now = rn_now();
    rn_duration most = 0;
    /* relaxed, all: the test's own. */
    rn_store_relaxed(&p->timers_next, now + RN_SECOND); /* somebody waits */
    rn__pace_begin(p, now);
    for (int i = 0; i < LOOKS; i++) {
        uint32_t n = p->look + 1;
        rn_duration took = n * each + i % 2 * more;
        rn_store_relaxed(&p->tick, rn_load_relaxed(&p->tick) + n);
        now += took;
        if (i >= LOOKS / 2 && took > most)
            most = took;
        rn__pace_elsewhere(p, now);
    }
    return most;
}

TEST(looks_come_in_time_where_there_is_more_to_do_at_some)
{
    struct rn_p *p = calloc(1, sizeof *p);
    REQUIRE(p != NULL);
    CHECK(longest(p, 600, 5 * RN_MICROSECOND) <= AROUND);
    CHECK_EQ(p->look, 15);
    CHECK(longest(p, 600, 0) <= AROUND);
    CHECK_EQ(p->look, 31); /* and no sooner than they need to */
    CHECK(longest(p, 5 * RN_MICROSECOND, 0) <= AROUND);
    CHECK_EQ(p->look, 3);
    free(p);
}

/* One stall is forgotten after some looks. */
TEST(looks_are_not_frequent_for_long_after_a_stall)
{
    struct rn_p *p = calloc(1, sizeof *p);
    REQUIRE(p != NULL);
    longest(p, 600, 0);
    rn_time now = p->elsewhere_at + RN_SECOND;
    rn_store_relaxed(&p->tick, rn_load_relaxed(&p->tick) + 1); /* relaxed, all: as above */
    rn__pace_elsewhere(p, now);
    CHECK_EQ(p->look, 0);
    int looks = 0;
    for (; looks < 1000 && p->look != 31; looks++) {
        uint32_t n = p->look + 1;
        rn_store_relaxed(&p->tick, rn_load_relaxed(&p->tick) + n);
        now += n * 600;
        rn__pace_elsewhere(p, now);
    }
    CHECK(looks < 64);
    free(p);
}

static void compute_and_yield(rn_atomic_bool *stop)
{
    while (!rn_atomic_load(stop)) {
        for (rn_time t = rn_now(); rn_since(t) < 2 * RN_MICROSECOND;)
            ;
        rn_yield();
    }
}

static int compare(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* What is taken at once from the global queue is run in two looks' time, and does not make them late. */
TEST(shares_of_the_global_queue_are_as_small_as_looks_are_frequent)
{
    enum { N = 2500, TIMES = 61, LONG = 100 }; /* a ring holds 2,048 */
    static int length[TIMES];
    rn_atomic_bool stop = {false};
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    rn_timer timer;
    rn_set_procs(1);
    rn_sleep(RN_MILLISECOND);       /* until it is the processor that stays */
    rn_timer_init(&timer, RN_HOUR); /* somebody waits */
    for (int i = 0; i < N; i++)
        wg_go(&wg, compute_and_yield, &stop);
    for (int i = 0; i < TIMES; i++) { /* a round each */
        rn_yield();
        length[i] = (int)rn_runq_length(&rn__m()->p->runq);
    }
    rn_atomic_store(&stop, true);
    wg_wait(&wg);
    rn_timer_destroy(&timer);
    qsort(length, TIMES, sizeof *length, compare);
    CHECK(length[TIMES / 2] < LONG);
}

/* Turns of others since it became due, or since the message came, until the one whom that wakes runs. */
static rn_atomic_int64 turns;
static rn_atomic_int64 due;

static void count_turn(void)
{
    if (rn_now() >= rn_atomic_load(&due))
        rn_atomic_add(&turns, 1);
}

static void ask(chan(int) questions, chan(int) answers, rn_atomic_bool *stop)
{
    while (!rn_atomic_load(stop)) {
        count_turn();
        chan_send(questions, 0);
        chan_recv(answers);
    }
    chan_close(questions);
}

static void answer(chan(int) questions, chan(int) answers)
{
    for (int v; chan_next(questions, &v);) {
        count_turn();
        chan_send(answers, v);
    }
}

/* Of 6,000 that hand over to each other, some thousand have a turn in a round. */
TEST(whom_a_timer_wakes_goes_before_those_that_hand_over_to_each_other)
{
    enum { PAIRS = 3000, TIMES = 21, SOON = 500 };
    static int late[TIMES];
    static chan(int) c[2 * PAIRS];
    rn_atomic_bool stop = {false};
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    rn_set_procs(1);
    rn_atomic_store(&due, INT64_MAX);
    for (int i = 0; i < 2 * PAIRS; i++)
        c[i] = chan_make(int, 0);
    for (int i = 0; i < 2 * PAIRS; i += 2) {
        wg_go(&wg, ask, c[i], c[i + 1], &stop);
        wg_go(&wg, answer, c[i], c[i + 1]);
    }
    for (int i = 0; i < TIMES; i++) {
        rn_atomic_store(&turns, 0);
        rn_atomic_store(&due, rn_now() + 2 * RN_MILLISECOND);
        rn_sleep(2 * RN_MILLISECOND);
        rn_atomic_store(&due, INT64_MAX);
        late[i] = (int)rn_atomic_load(&turns);
    }
    rn_atomic_store(&stop, true);
    wg_wait(&wg);
    for (int i = 0; i < 2 * PAIRS; i++)
        chan_free(c[i]);
    qsort(late, TIMES, sizeof *late, compare);
    CHECK(late[TIMES / 2] < SOON);
}
