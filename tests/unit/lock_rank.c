/* The check of lock ranks, in builds that have it. */
#include "os/lock.h"
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
