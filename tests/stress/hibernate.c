/* Hibernation: stacks are put away after a millisecond, while goroutines and plain threads use each other's stack
 * variables at random, and system calls of the library do; others come and go, so that their stacks are used again.
 *
 * HIBERNATE_STRESS_MS: for how long, each test; HIBERNATE_STRESS_SEED: another course; HIBERNATE_STRESS_SLOWLY: as if
 * userfaultfd were forbidden. */
#include <runnel.h>
#include <runnel/test.h>
#include "os/linux/internal.h"
#include "sched/rt.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SLEEPERS = 1500, POKERS = 4, THREADS = 2, WORDS = 24, LARGE = 9000, CROWD = 700 };

/* On the stack of each sleeper. */
struct cell {
    rn_atomic(uint64_t) added; /* by anybody */
    uint64_t own[WORDS];       /* only its owner writes; anybody reads */
    rn_mutex lock;             /* guards the next two */
    uint64_t a, b;             /* always equal */
    char io[64];
    rn_atomic(uint8_t) * large; /* LARGE bytes, nearly all zero, of every third sleeper; anybody adds */
};

static struct cell *cells[SLEEPERS];
static rn_chan(uint64_t) doors[SLEEPERS];
static rn_atomic(uint64_t) all_added, rounds_done, wakes;
static rn_atomic(uint8_t) all_large, additions; /* modulo 256 */
static rn_atomic(bool) over;
static rn_waitgroup up, down, pokers;
static uint64_t chance; /* HIBERNATE_STRESS_SEED */

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Uses some depth of stack and values that live in registers across the wait. */
static __attribute__((noinline)) uint64_t wait_deep(int i, int depth, uint64_t seed)
{
    volatile uint64_t local[6];
    for (int k = 0; k < 6; k++)
        local[k] = seed + (uint64_t)k;
    if (depth == 0 && i % 5 == 4)
        rn_sleep((rn_duration)(seed % 30) * RN_MILLISECOND);
    uint64_t got = depth ? wait_deep(i, depth - 1, seed * 31) : chan_recv(doors[i]);
    for (int k = 0; k < 6; k++)
        if (local[k] != seed + (uint64_t)k)
            rn_fatal("a local variable has changed");
    return got;
}

static void sleeper(int i)
{
    rn_atomic(uint8_t) large[i % 3 ? 1 : LARGE];
    struct cell c = {.lock = RN_MUTEX_INIT, .large = i % 3 ? NULL : large};
    memset((void *)large, 0, sizeof large);
    uint64_t seed = (uint64_t)i * 7919 + 1;
    for (int k = 0; k < WORDS; k++)
        c.own[k] = seed + (uint64_t)k;
    cells[i] = &c;
    wg_done(&up);
    for (uint64_t round = 0;; round++) {
        uint64_t got = wait_deep(i, (int)(round + (uint64_t)i) % 9, seed ^ round);
        for (int k = 0; k < WORDS; k++)
            CHECK_EQ(c.own[k], seed + (uint64_t)k);
        rn_mutex_lock(&c.lock);
        CHECK_EQ(c.a, c.b);
        rn_mutex_unlock(&c.lock);
        rn_add_relaxed(&rounds_done, 1); /* relaxed: a count */
        if (!got)
            break;
    }
    rn_add_relaxed(&all_added, rn_load_relaxed(&c.added)); /* relaxed: nobody else uses the cell any more */
    CHECK_EQ(c.a, c.b);
    for (int k = 0; c.large && k < LARGE; k++)
        rn_add_relaxed(&all_large, rn_load_relaxed(&c.large[k])); /* relaxed: as above */
    wg_done(&down);
}

static void use(struct cell *c, uint64_t seed, uint64_t r)
{
    switch (r % 4) {
    case 0:
        rn_add_relaxed(&c->added, 1); /* relaxed: a count */
        rn_add_relaxed(&wakes, 1);
        break;
    case 1:
        for (int k = 0; k < WORDS; k++)
            CHECK_EQ(*(volatile uint64_t *)&c->own[k], seed + (uint64_t)k);
        break;
    case 2:
        rn_mutex_lock(&c->lock);
        CHECK_EQ(c->a, c->b);
        c->a = r;
        c->b = r;
        rn_mutex_unlock(&c->lock);
        break;
    default:
        if (c->large) {
            rn_add_relaxed(&c->large[(r >> 8) % 7 * 1000], 1); /* relaxed, both: counts */
            rn_add_relaxed(&additions, 1);
        }
    }
}

static void poke_some(uint64_t *state, bool wake)
{
    for (int n = 0; n < 40; n++) {
        uint64_t r = next_random(state);
        int i = (int)(r % SLEEPERS);
        use(cells[i], (uint64_t)i * 7919 + 1, r >> 32);
        if (wake && r >> 60 == 0)
            chan_send(doors[i], 1);
    }
}

static void poker(int i)
{
    uint64_t state = 88172645463325252u + (uint64_t)i + chance;
    while (!rn_load_relaxed(&over)) { /* relaxed: seen sooner or later */
        poke_some(&state, true);
        rn_sleep(RN_MILLISECOND);
    }
    wg_done(&pokers);
}

static void *thread(void *arg)
{
    uint64_t state = 362436069u + (uintptr_t)arg + chance;
    while (!rn_load_relaxed(&over)) { /* relaxed: as above */
        poke_some(&state, (uintptr_t)arg % 2 == 0);
        usleep(500);
    }
    return NULL;
}

static void one_of_a_crowd(chan(int) door, rn_atomic(uint32_t) * done)
{
    volatile uint64_t local[40];
    for (int k = 0; k < 40; k++)
        local[k] = (uint64_t)k;
    chan_recv(door);
    for (int k = 0; k < 40; k++)
        if (local[k] != (uint64_t)k)
            rn_fatal("a local variable of one of a crowd has changed");
    rn_store_release(done, 1); /* pairs with the acquire in crowds; on the stack of whoever has started them */
    wg_done(&pokers);
}

/* Many come and go: their stacks go through the pool, where pages are given back. */
static void crowds(void)
{
    uint64_t state = 7919 + chance;
    while (!rn_load_relaxed(&over)) { /* relaxed: as above */
        rn_atomic(uint32_t) done[CROWD] = {0};
        chan(int) door = chan_make(int, 0);
        wg_add(&pokers, CROWD);
        for (int i = 0; i < CROWD; i++)
            go(one_of_a_crowd, door, &done[i]);
        rn_sleep((rn_duration)(next_random(&state) % 50) * RN_MILLISECOND);
        chan_close(door);
        for (int i = 0; i < CROWD; i++)
            while (!rn_load_acquire(&done[i])) /* pairs with the release in one_of_a_crowd */
                rn_yield();
        chan_free(door);
    }
    wg_done(&pokers);
}

static int64_t away_now(void)
{
#ifdef RN_HIBERNATES
    return rn_load_relaxed(&rn__hib_away); /* relaxed: a moment's view */
#else
    return 0;
#endif
}

static void run_for(rn_duration d)
{
    pthread_t threads[THREADS];
    wg_add(&up, SLEEPERS);
    wg_add(&down, SLEEPERS);
    wg_add(&pokers, POKERS + 1);
    const char *seed = getenv("HIBERNATE_STRESS_SEED");
    chance = seed ? strtoull(seed, NULL, 0) * 0x9e3779b97f4a7c15u : 0;
    for (int i = 0; i < SLEEPERS; i++) {
        doors[i] = chan_make(uint64_t, 0);
        go(sleeper, i);
    }
    wg_wait(&up);
    for (int i = 0; i < POKERS; i++)
        go(poker, i);
    go(crowds);
    for (int i = 0; i < THREADS; i++)
        REQUIRE(pthread_create(&threads[i], NULL, thread, (void *)(uintptr_t)i) == 0);
    int64_t most = 0;
    rn_time end = rn_now() + d;
    while (rn_now() < end) {
        int64_t away = away_now();
        most = away > most ? away : most;
        rn_sleep(RN_MILLISECOND);
    }
    rn_store_relaxed(&over, true); /* relaxed: as above */
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    wg_wait(&pokers);
    for (int i = 0; i < SLEEPERS; i++)
        chan_send(doors[i], 0);
    wg_wait(&down);
    CHECK_EQ(rn_load_relaxed(&all_added), rn_load_relaxed(&wakes));     /* relaxed: all have ended */
    CHECK_EQ(rn_load_relaxed(&all_large), rn_load_relaxed(&additions)); /* relaxed: as above */
    printf("# at most %lld of %d were away, %llu rounds\n", (long long)most, SLEEPERS,
           (unsigned long long)rn_load_relaxed(&rounds_done));
}

static rn_duration duration(void)
{
    const char *ms = getenv("HIBERNATE_STRESS_MS");
    return (ms ? atoi(ms) : 1000) * RN_MILLISECOND;
}

TEST(stacks_that_are_away_are_used_from_everywhere)
{
    run_for(duration());
}

/* The pages of free stacks are given back at once. */
TEST(and_where_memory_is_tight)
{
    int64_t most = rn_load_relaxed(&rn__stacks_most); /* relaxed, all: a number */
    rn_store_relaxed(&rn__stacks_most, 100);
    rn_store_relaxed(&over, false);
    rn_store_relaxed(&all_added, 0);
    rn_store_relaxed(&wakes, 0);
    rn_store_relaxed(&all_large, 0);
    rn_store_relaxed(&additions, 0);
    run_for(duration());
    rn_store_relaxed(&rn__stacks_most, most);
}

__attribute__((constructor)) static void hibernate_soon(void)
{
    setenv("RUNNEL_HIBERNATE", "2", 1);
    rn__os_no_userfaultfd = getenv("HIBERNATE_STRESS_SLOWLY") != NULL; /* brings stacks back the other way */
}
