/* The check of lock ranks, in builds that have it. */
#include "os/lock.h"
#include "sync/mutex.h"
#include <pthread.h>
#include <runnel.h>
#include <runnel/test.h>

#ifdef RN_DEBUG
static rn_lock low, high;

TEST_PLAIN(rising_ranks_are_fine)
{
    rn_lock_take(&low, RN_RANK_SYNC);
    rn_lock_take(&high, RN_RANK_SCHED);
    rn_lock_release(&low); /* in any order */
    rn_lock_release(&high);
    rn_lock_take(&high, RN_RANK_SYNC);
    rn_lock_release(&high);
}

TEST_PLAIN_DIES(a_falling_rank_dies, 128 + 6, "lock order violated")
{
    rn_lock_take(&high, RN_RANK_SCHED);
    rn_lock_take(&low, RN_RANK_SYNC);
}

TEST_PLAIN_DIES(an_equal_rank_dies, 128 + 6, "lock order violated")
{
    rn_lock_take(&high, RN_RANK_SYNC);
    rn_lock_take(&low, RN_RANK_SYNC);
}

TEST_PLAIN_DIES(taking_a_lock_twice_dies, 128 + 6, "lock order violated")
{
    rn_lock_take(&low, RN_RANK_CHAN);
    rn_lock_take(&low, RN_RANK_CHAN);
}

/* It may be the last that it does: its run may have ended. */
TEST_PLAIN_DIES(entering_the_runtime_with_a_lock_dies, 128 + 6, "lock held by one that enters the runtime")
{
    rn_timer t;
    rn_lock_take(&low, RN_RANK_SYNC);
    rn_timer_init(&t, RN_MILLISECOND);
}

TEST_PLAIN_DIES(dropping_a_lock_that_is_not_held_dies, 128 + 6, "does not hold")
{
    rn_lock_release(&low);
}

static void needs_it_locked(void)
{
    rn_lock_assert_held(&low);
}

TEST_PLAIN(a_lock_that_this_thread_holds_is_held)
{
    rn_lock_take(&low, RN_RANK_SYNC);
    rn_lock_take(&high, RN_RANK_SCHED);
    needs_it_locked();
    rn_lock_release(&high);
    needs_it_locked();
    rn_lock_release(&low);
}

TEST_PLAIN_DIES(a_function_that_needs_a_lock_dies_without_it, 128 + 6, "lock needed that this thread does not hold")
{
    rn_lock_take(&high, RN_RANK_SCHED);
    needs_it_locked();
}

static void *takes_it(void *arg)
{
    rn_lock_take(&low, RN_RANK_SYNC);
    return arg;
}

/* It is held, but by somebody else. */
TEST_PLAIN_DIES(a_function_that_needs_a_lock_dies_while_another_thread_has_it, 128 + 6, "lock needed")
{
    pthread_t other;
    if (pthread_create(&other, NULL, takes_it, NULL) == 0)
        pthread_join(other, NULL);
    CHECK(rn_lock_is_held(&low));
    needs_it_locked();
}

static rn_mutex mutex;

TEST_PLAIN(a_mutex_that_is_locked_is_held)
{
    rn_mutex_lock(&mutex);
    rn__mutex_assert_held(&mutex);
    rn_mutex_unlock(&mutex);
}

TEST_PLAIN_DIES(a_function_that_needs_a_mutex_dies_without_it, 2, "mutex needed that nobody holds")
{
    rn__mutex_assert_held(&mutex);
}

TEST_PLAIN_DIES(a_panic_with_a_lock_dies, 128 + 6, "enters the runtime, parks, or panics")
{
    rn_lock_take(&low, RN_RANK_SYNC);
    rn_panic("deferred functions would run");
}

static rn_lock channels[2000];

TEST_PLAIN(very_many_channels_in_address_order_are_fine)
{
    for (int i = 0; i < 2000; i++)
        rn_lock_take(&channels[i], RN_RANK_CHAN);
    for (int i = 0; i < 2000; i++)
        rn_lock_release(&channels[i]);
    rn_lock_take(&channels[0], RN_RANK_SYNC);
    rn_lock_release(&channels[0]);
}

TEST_PLAIN_DIES(channels_in_falling_order_die, 128 + 6, "lock order violated")
{
    rn_lock_take(&channels[1], RN_RANK_CHAN);
    rn_lock_take(&channels[0], RN_RANK_CHAN);
}
#else
TEST_PLAIN(the_check_is_compiled_out)
{
    rn_lock a = {0}, b = {0};
    rn_lock_take(&a, RN_RANK_SCHED);
    rn_lock_take(&b, RN_RANK_SYNC);
    rn_lock_release(&a);
    rn_lock_release(&b);
    CHECK(!rn_lock_is_held(&a));
}
#endif
