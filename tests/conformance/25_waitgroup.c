/* WaitGroup: a negative counter panics; reuse after wait; many waiters; wg_go; misuse is detected. */
#include "sync_inside.h"
#include "../on_purpose.h"

static rn_waitgroup wg;
static rn_atomic_int64 sum;

static void add_to_sum(int n)
{
    rn_atomic_add(&sum, n);
}

/* Its name and _add is a macro's. */
TEST(wg)
{
    wg_add(&wg, 1);
    wg_done(&wg);
    wg_wait(&wg);
}

TEST(waits_for_all)
{
    for (int round = 1; round <= 3; round++) { /* and may be used again */
        for (int i = 0; i < 100; i++)
            wg_go(&wg, add_to_sum, 1);
        wg_wait(&wg);
        CHECK_EQ(rn_atomic_load(&sum), round * 100);
    }
}

TEST(wait_on_nothing_returns)
{
    wg_wait(&wg);
}

static void wait_and_count(void)
{
    wg_wait(&wg);
    rn_atomic_add(&sum, 1);
}

TEST(many_waiters)
{
    rn_waitgroup done = RN_WAITGROUP_INIT;
    wg_add(&wg, 2);
    for (int i = 0; i < 50; i++)
        wg_go(&done, wait_and_count);
    await_wg_waiters(&wg, 50);
    wg_done(&wg);
    CHECK_EQ(wg_waiters(&wg), 50);
    CHECK_EQ(rn_atomic_load(&sum), 0);
    wg_done(&wg);
    wg_wait(&done);
    CHECK_EQ(rn_atomic_load(&sum), 50);
}

TEST(negative_counter_panics)
{
    EXPECT_PANIC("sync: negative WaitGroup counter", wg_done(&wg));
}

TEST(negative_counter_panics_from_above_too)
{
    wg_add(&wg, 2);
    EXPECT_PANIC("sync: negative WaitGroup counter", wg_add(&wg, -3));
}

/* The instant between "the counter is zero" and "the waiters are let go" is made to last here. */
TEST(add_concurrent_with_wait_at_zero_panics)
{
    RACES_ON_PURPOSE();
    wg_add(&wg, 1);
    go(wait_and_count);
    await_wg_waiters(&wg, 1);
    rn_sub_acq_rel(&wg.rn_state, (uint64_t)1 << 32);
    EXPECT_PANIC("sync: WaitGroup misuse: Add called concurrently with Wait", wg_add(&wg, 1));
}

static void wait_and_expect_panic(const char *message, rn_atomic_bool *done)
{
    EXPECT_PANIC(message, wg_wait(&wg));
    rn_atomic_store(done, true);
}

static void reuse_at_once(void)
{
    wg_done(&wg);
    wg_add(&wg, 1);
}

TEST(reuse_before_the_wait_has_returned_panics)
{
    RACES_ON_PURPOSE();
    rn_atomic_bool done = {false};
    rn_set_procs(1);
    wg_add(&wg, 1);
    go(wait_and_expect_panic, "sync: WaitGroup is reused before previous Wait has returned", &done);
    await_wg_waiters(&wg, 1);
    reuse_at_once(); /* no park in between: the waiter has not run */
    while (!rn_atomic_load(&done))
        rn_yield();
}

/* Whoever did one too many is blamed, also where its deferred calls take their time and who was let go runs meanwhile. */
static void take_time(void *arg)
{
    (void)arg;
    rn_sleep(20 * RN_MILLISECOND);
}

static __attribute__((noinline)) void one_too_many(void)
{
    defer(take_time, NULL);
    wg_done(&wg);
    wg_done(&wg);
}

TEST_DIES(who_makes_the_counter_negative_is_blamed, 2, "[running]:\none_too_many\n")
{
    wg_add(&wg, 1);
    go(one_too_many);
    wg_wait(&wg);
    rn_sleep(RN_SECOND);
}

/* If that one recovers, who was let go says the same. */
TEST(a_waiter_that_finds_the_counter_negative_says_so)
{
    RACES_ON_PURPOSE();
    rn_atomic_bool done = {false};
    rn_set_procs(1);
    wg_add(&wg, 1);
    go(wait_and_expect_panic, "sync: negative WaitGroup counter", &done);
    await_wg_waiters(&wg, 1);
    wg_done(&wg);
    EXPECT_PANIC("sync: negative WaitGroup counter", wg_done(&wg)); /* no park in between */
    while (!rn_atomic_load(&done))
        rn_yield();
}

static void leave_by_exit(void)
{
    rn_exit_goroutine();
}

TEST(go_is_done_on_return_and_exit)
{
    wg_go(&wg, leave_by_exit);
    wg_go(&wg, add_to_sum, 1);
    wg_wait(&wg);
    CHECK_EQ(rn_atomic_load(&sum), 1);
}

static void fail(void)
{
    rn_panic("boom");
}

TEST_DIES(go_with_a_panic_does_not_let_the_waiters_go, 2, "panic: boom")
{
    wg_go(&wg, fail);
    wg_wait(&wg);
    _exit(0);
}

static void local_round(void)
{
    rn_waitgroup local = RN_WAITGROUP_INIT;
    wg_go(&local, add_to_sum, 1);
    wg_go(&local, add_to_sum, 1);
    wg_wait(&local);
    memset(&local, 0xa5, sizeof local); /* whoever still touched it would be found out */
}

TEST(the_memory_is_free_when_wait_returns)
{
    for (int i = 0; i < 2000; i++)
        local_round();
    CHECK_EQ(rn_atomic_load(&sum), 4000);
}

static void *done_in_thread(void *arg)
{
    (void)arg;
    wg_done(&wg);
    return NULL;
}

TEST(plain_threads)
{
    pthread_t t[4];
    wg_add(&wg, 4);
    for (int i = 0; i < 4; i++)
        pthread_create(&t[i], NULL, done_in_thread, NULL);
    wg_wait(&wg);
    for (int i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
}
