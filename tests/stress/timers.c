/* Timers under a seed: many goroutines sleep, wait with timeouts, start, stop and reset timers; none
 * may be early, none lost. */
#include "base/atomic.h"
#include <runnel.h>
#include <runnel/test.h>
#include <stdio.h>
#include <stdlib.h>

static rn_atomic(int64_t) fired;

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* 0 to 4 ms, most of them short. */
static rn_duration any_duration(uint64_t *state)
{
    return (rn_duration)(next_random(state) & (((uint64_t)1 << next_random(state) % 23) - 1));
}

/* ---- sleeping and waiting ---------------------------------------------------------------------- */

static void sleep_once(uint64_t *state)
{
    rn_duration d = any_duration(state);
    rn_time until = rn_now() + d;
    rn_sleep(d);
    CHECK(rn_now() >= until);
}

static void wait_in_vain(uint64_t *state, chan(int) never)
{
    rn_duration d = any_duration(state);
    rn_time until = rn_now() + d;
    CHECK_EQ(chan_select(on_recv(never, NULL), on_timeout(d)), 1);
    CHECK(rn_now() >= until);
}

static void end_by_deadline(uint64_t *state)
{
    rn_duration d = any_duration(state);
    rn_time until = rn_now() + d;
    rn_context *ctx = rn_ctx_with_deadline(rn_ctx_background(), until);
    CHECK_EQ(rn_ctx_wait(ctx), RN_ETIMEOUT);
    CHECK(rn_now() >= until);
    rn_ctx_cancel(ctx);
}

/* A timer that is reset some times, each time before or after it has fired, and received from at last. */
static void reset_often(uint64_t *state)
{
    rn_timer t;
    rn_timer_init(&t, any_duration(state));
    rn_time until = 0;
    for (uint64_t n = next_random(state) % 4; n > 0; n--) {
        if (next_random(state) % 2)
            rn_sleep(any_duration(state));
        rn_duration d = any_duration(state);
        until = rn_now() + d;
        rn_timer_reset(&t, d);
    }
    (void)chan_recv(rn_timer_chan(&t));
    CHECK(rn_now() >= until);
    rn_timer_destroy(&t);
}

static void count(void *arg)
{
    (void)arg;
    fired++;
}

/* Stopped or fired, and exactly one of the two. */
static void stop_perhaps(uint64_t *state)
{
    rn_timer t;
    rn_atomic(int64_t) own = 0;
    rn_after_func(&t, any_duration(state), count, NULL);
    if (next_random(state) % 2)
        rn_sleep(any_duration(state));
    if (rn_timer_stop(&t))
        own = 1;
    fired += own;
    rn_timer_destroy(&t);
}

/* ---- the crowd --------------------------------------------------------------------------------- */

enum { CROWD = 200, ROUNDS = 100 };

static int64_t live_one_life(uint64_t state, chan(int) never)
{
    int64_t stops = 0;
    for (int i = 0; i < ROUNDS; i++) {
        switch (next_random(&state) % 6) {
        case 0:
            wait_in_vain(&state, never);
            break;
        case 1:
            end_by_deadline(&state);
            break;
        case 2:
            reset_often(&state);
            break;
        case 3:
            stop_perhaps(&state);
            stops++;
            break;
        default:
            sleep_once(&state);
            break;
        }
    }
    return stops;
}

static void member(uint64_t seed, chan(int) never, chan(int64_t) results)
{
    chan_send(results, live_one_life(seed * 0x9e3779b97f4a7c15 + 1, never));
}

TEST(a_crowd_of_timers)
{
    uint64_t seed = test_seed();
    chan(int) never = chan_make(int, 0);
    chan(int64_t) results = chan_make(int64_t, 0);
    for (uint64_t i = 0; i < CROWD; i++)
        go(member, seed + i, never, results);
    int64_t stops = 0;
    for (int i = 0; i < CROWD; i++)
        stops += chan_recv(results);
    while (fired < stops) /* functions that were started last */
        rn_yield();
    CHECK_EQ(fired, stops);
    CHECK_EQ(rn_num_contexts(), 0);
    rn_chan_free(never);
    rn_chan_free(results);
}

/* ---- many that are due together -------------------------------------------------------------------- */

static rn_atomic(int64_t) most_alive;

static void count_alive(void *arg)
{
    int64_t n = (int64_t)rn_num_goroutines(), most = rn_load_relaxed(&most_alive);
    (void)arg;
    while (n > most && !rn_cas_relaxed(&most_alive, &most, n))
        continue;
    rn_add_relaxed(&fired, 1); /* relaxed, all: counts */
}

/* Each starts a goroutine: those run before more are started, or they would take up memory all at once. */
TEST(timers_that_are_due_together_start_goroutines_by_and_by)
{
    enum { N = 20000 };
    rn_timer *timers = calloc(N, sizeof *timers);
    REQUIRE(timers != NULL);
    rn_store_relaxed(&fired, 0); /* relaxed: nobody else yet */
    rn_time when = rn_now() + 50 * RN_MILLISECOND;
    for (int i = 0; i < N; i++)
        rn_after_func(&timers[i], rn_until(when), count_alive, NULL);
    while (rn_load_relaxed(&fired) < N) /* relaxed: a count */
        rn_sleep(RN_MILLISECOND);
    printf("# %d timers, at most %lld goroutines at once\n", N, (long long)rn_load_relaxed(&most_alive));
    CHECK(rn_load_relaxed(&most_alive) < N / 4); /* relaxed: all are over */
    for (int i = 0; i < N; i++)
        rn_timer_destroy(&timers[i]);
    free(timers);
}
