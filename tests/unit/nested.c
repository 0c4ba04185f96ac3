/* gcc's nested functions: the address of one is that of code on the stack, which the program's headers then say it wants. */
#include <runnel.h>
#include <runnel/test.h>
#include "os/linux/internal.h"
#include "sched/rt.h"
#include <stdlib.h>

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wpedantic"

__attribute__((constructor)) static void hibernate_soon(void)
{
    setenv("RUNNEL_HIBERNATE", "2", 1);
}

static void sort_by(const int *rank, int *numbers, size_t n)
{
    int by_rank(const void *a, const void *b)
    {
        return rank[*(const int *)a] - rank[*(const int *)b];
    }
    qsort(numbers, n, sizeof *numbers, by_rank);
}

static int sorts(void)
{
    const int rank[] = {2, 0, 1};
    int numbers[] = {0, 1, 2};
    sort_by(rank, numbers, 3);
    return numbers[0] == 1 && numbers[1] == 2 && numbers[2] == 0 ? 0 : -1;
}

TEST(can_be_called_back)
{
    rn_group g = RN_GROUP_INIT;
    CHECK_EQ(sorts(), 0);
    group_go(&g, sorts);
    CHECK_EQ(group_wait(&g), 0);
}

TEST(can_be_goroutines)
{
    int n = 4;
    chan(int) out = chan_make(int, 0);
    void add(int more)
    {
        chan_send(out, n + more);
    }
    go(add, 5);
    CHECK_EQ(chan_recv(out), 9);
    rn_go_with((.stack = 1 << 20), add, 6);
    CHECK_EQ(chan_recv(out), 10);
    chan_free(out);
}

#ifdef RN_HIBERNATES
static int waits(chan(int) door, rn_atomic_ptr *self)
{
    int n = 1;
    int (*volatile f)(int);
    int plus(int more)
    {
        return n + more;
    }
    f = plus;
    rn_atomic_store(self, rn__self());
    chan_recv(door);
    return f(1) == 2 ? 0 : -1;
}

TEST(after_their_stack_was_put_away)
{
    if (!rn_os_away_begin())
        rn_test_skip("this kernel can't put stacks away");
    rn_atomic_ptr waiter = {0};
    rn_group g = RN_GROUP_INIT;
    chan(int) door = chan_make(int, 0);
    group_go(&g, waits, door, &waiter);
    while (!rn_atomic_load(&waiter) || rn_load_acquire(&((struct rn_g *)rn_atomic_load(&waiter))->hib) !=
                                           RN_HIB_AWAY) /* pairs with rn_hib_decide's release */
        rn_sleep(RN_MILLISECOND);
    chan_send(door, 1);
    CHECK_EQ(group_wait(&g), 0);
    chan_free(door);
}
#endif

#else
TEST(are_for_gcc_alone)
{
    rn_test_skip("clang has none");
}
#endif
