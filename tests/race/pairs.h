/* Pairs for the race detector: two goroutines of which the second goes on when the first has come so far.  How it
 * learns that orders nothing (a relaxed atomic), so that the detector's rules decide, and not luck.
 *
 *     HANDOVER(name, give, take)   what comes before `give` comes before what follows `take`; what comes after
 *                                  `give` does not: name_clean and name_racy
 *     ACCESS(name, one, other)     two accesses that race: name_racy; ordered by a channel: name_clean
 *     CLEAN, RACY(name, one, other)   the two as they stand; in between STEP(n) and AWAIT(n)
 *
 * A racy one passes when the detector has reported something, a clean one when it has not.  Each is a process of
 * its own, as every test is. */
#ifndef TESTS_RACE_PAIRS_H
#define TESTS_RACE_PAIRS_H

#include <runnel.h>
#include <runnel/test.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int pair_step; /* atomic */

static inline void pair_mark(int n)
{
    __atomic_store_n(&pair_step, n, __ATOMIC_RELAXED);
}

static inline void pair_await(int n)
{
    while (__atomic_load_n(&pair_step, __ATOMIC_RELAXED) < n)
        rn_yield();
}

#define STEP(n) pair_mark(n)
#define AWAIT(n) pair_await(n)

/* What the pairs use, made anew for each. */
#pragma GCC diagnostic ignored "-Wunused-variable"
static __attribute__((used)) int x; /* also where it is only written */
static chan(int) c0, c1, c2;
static rn_mutex mu;
static rn_rwmutex rw;
static rn_once once;
static rn_semaphore sem;
static rn_atomic_int flag;
static rn_context *ctx;

#define WRITE (x = 1)
#define READ ((void)*(volatile int *)&x)

static void pair(void (*first)(void), void (*second)(void))
{
    rn_waitgroup wg = {0};
    c0 = chan_make(int, 0), c1 = chan_make(int, 1), c2 = chan_make(int, 2);
    ctx = ctx_with_cancel(ctx_background());
    sem = (rn_semaphore)RN_SEMAPHORE_INIT(1);
    wg_go(&wg, first);
    wg_go(&wg, second);
    wg_wait(&wg);
    ctx_cancel(ctx);
    chan_free(c0), chan_free(c1), chan_free(c2);
}

#define PAIR_SIDES(name, first, second) \
    static void name##_first(void)      \
    {                                   \
        first;                          \
    }                                   \
    static void name##_second(void)     \
    {                                   \
        second;                         \
    }

/* The exit status of a program in which the detector has found something is 66. */
#define CLEAN(name, first, second)         \
    PAIR_SIDES(name, first, second)        \
    TEST(name)                             \
    {                                      \
        pair(name##_first, name##_second); \
    }

#define RACY(name, first, second)                                    \
    PAIR_SIDES(name, first, second)                                  \
    TEST_DIES(name, 66, "WARNING: ThreadSanitizer: data race (pid=") \
    {                                                                \
        pair(name##_first, name##_second);                           \
    }

#define HANDOVER(name, give, take)                                   \
    CLEAN(name##_clean, WRITE; give; STEP(1), AWAIT(1); take; WRITE) \
    RACY(name##_racy, give; WRITE; STEP(1), AWAIT(1); take; WRITE)

/* For a give or a take that waits for the other side: the detector must see the same. */
#define MEETING(name, give, take)                 \
    CLEAN(name##_clean, WRITE; give, take; WRITE) \
    RACY(name##_racy, give; WRITE; STEP(1), take; AWAIT(1); WRITE)

#define ACCESS(name, one, other)                                           \
    CLEAN(name##_clean, one; chan_send(c1, 1), (void)chan_recv(c1); other) \
    RACY(name##_racy, one; STEP(1), AWAIT(1); other)

#endif
