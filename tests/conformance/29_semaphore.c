/* Weighted semaphore: as in golang.org/x/sync/semaphore. */
#include "sync_inside.h"

static rn_semaphore sem = RN_SEMAPHORE_INIT(10);
static int order[20];
static rn_atomic_int n;

TEST(try_acquire)
{
    CHECK(sem_try_acquire(&sem, 4));
    CHECK(sem_try_acquire(&sem, 6));
    CHECK(!sem_try_acquire(&sem, 1));
    CHECK(sem_try_acquire(&sem, 0));
    sem_release(&sem, 10);
    CHECK(!sem_try_acquire(&sem, 11));
    CHECK(sem_try_acquire(&sem, 10));
    sem_release(&sem, 10);
}

TEST(release_of_more_than_held_panics)
{
    EXPECT_PANIC("semaphore: released more than held", sem_release(&sem, 1));
    CHECK_EQ(sem_acquire(NULL, &sem, 2), 0);
    EXPECT_PANIC("semaphore: released more than held", sem_release(&sem, 3));
    sem_release(&sem, 2);
}

static void acquire_and_note(int weight, int who)
{
    CHECK_EQ(sem_acquire(NULL, &sem, weight), 0);
    order[rn_atomic_add(&n, 1) - 1] = who;
    sem_release(&sem, weight);
}

TEST(first_come_first_served_also_for_the_heavy)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    CHECK_EQ(sem_acquire(NULL, &sem, 10), 0);
    for (int i = 0; i < 6; i++) {
        wg_go(&wg, acquire_and_note, i == 2 ? 10 : 1, i);
        await_waiters(&sem.rn_queue, i + 1);
    }
    sem_release(&sem, 9); /* 0 and 1 get in; 2 wants all, and is not passed by */
    while (waiters(&sem.rn_queue) != 4 || rn_atomic_load(&n) != 2)
        rn_yield();
    CHECK(!sem_try_acquire(&sem, 1));
    sem_release(&sem, 1);
    wg_wait(&wg);
    CHECK_EQ(order[0] + order[1], 1); /* which of the two runs first once they are in is not said */
    CHECK_EQ(order[2], 2);
}

TEST(more_than_there_ever_is_waits_for_the_context)
{
    rn_context *ctx = ctx_with_timeout(ctx_background(), 2 * RN_MILLISECOND);
    CHECK_EQ(sem_acquire(ctx, &sem, 11), RN_ETIMEOUT);
    CHECK(sem_try_acquire(&sem, 10)); /* and does not hold up others */
    sem_release(&sem, 10);
    ctx_cancel(ctx);
}

TEST(a_done_context_takes_nothing)
{
    rn_context *ctx = ctx_with_cancel(ctx_background());
    ctx_cancel(ctx);
    CHECK_EQ(sem_acquire(ctx, &sem, 1), RN_ECANCELED);
    CHECK(sem_try_acquire(&sem, 10));
    sem_release(&sem, 10);
}

static void acquire_until(rn_context *ctx, int weight, int *err)
{
    *err = sem_acquire(ctx, &sem, weight);
}

TEST(the_front_that_gives_up_lets_in_those_behind)
{
    int heavy = 1, light = 1;
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    rn_context *ctx = ctx_with_cancel(ctx_background());
    CHECK_EQ(sem_acquire(NULL, &sem, 5), 0);
    wg_go(&wg, acquire_until, ctx, 8, &heavy);
    await_waiters(&sem.rn_queue, 1);
    wg_go(&wg, acquire_until, NULL, 5, &light);
    await_waiters(&sem.rn_queue, 2);
    ctx_cancel(ctx);
    wg_wait(&wg);
    CHECK_EQ(heavy, RN_ECANCELED);
    CHECK_EQ(light, 0);
    sem_release(&sem, 10);
}

static rn_atomic_int64 used;

static void hold(uint64_t seed, int turns)
{
    for (int i = 0; i < turns; i++) {
        int64_t weight = (int64_t)(next_random(&seed) % 10) + 1;
        CHECK_EQ(sem_acquire(NULL, &sem, weight), 0);
        if (rn_atomic_add(&used, weight) > 10)
            FAIL("more than 10 in use");
        rn_yield();
        rn_atomic_add(&used, -weight);
        sem_release(&sem, weight);
    }
}

TEST(never_more_than_the_size)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < 10; i++)
        wg_go(&wg, hold, test_seed() + (uint64_t)i, 500);
    wg_wait(&wg);
    CHECK(sem_try_acquire(&sem, 10));
}
