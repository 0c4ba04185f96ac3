/* SEMANTICS 7: stack overflow is reported as one, with the goroutine's name and trace. */
#include <runnel.h>
#include <runnel/test.h>
#include <stdlib.h>

__attribute__((noinline)) static int fall(int n)
{
    volatile char room[300];
    room[0] = (char)n;
    return n < 0 ? 0 : fall(n + 1) + room[0];
}

static volatile int landed;

__attribute__((noinline)) static void falls(void)
{
    rn_set_name("icarus");
    landed = fall(0);
}

static void wait_for_ever(void)
{
    rn_sleep(RN_HOUR);
}

TEST_DIES(says_so, 2, " \"icarus\" [running]:\nfall\n\t")
{
    go(falls);
    wait_for_ever();
}

TEST_DIES(says_how_large, 2, "runtime: goroutine stack exceeds 65536-byte limit\n")
{
    go(falls);
    wait_for_ever();
}

TEST_DIES(says_how_large_its_own_stack_was, 2, "runtime: goroutine stack exceeds 262144-byte limit\n")
{
    rn_go_with((.stack = 256 << 10), falls);
    wait_for_ever();
}

TEST_DIES(
    says_what_helps, 2,
    " \"icarus\" needs more: start it by rn_go_with((.stack = 262144), f, ...), or for all rn_set_stack(262144) before "
    "rn_run, or RUNNEL_STACK=256k in the environment\n")
{
    go(falls);
    wait_for_ever();
}

TEST_DIES(cuts_the_middle, 2, " frames elided...\nfall\n")
{
    go(falls);
    wait_for_ever();
}

TEST_DIES(shows_the_outer_end, 2, "\nfalls\n\t")
{
    go(falls);
    wait_for_ever();
}

#ifndef RN_RACE /* whose record of calls, 64 Ki, is full before this stack is */
TEST_DIES(main_too, 2, "fatal error: stack overflow\n\ngoroutine 1 [running]:\nfall\n")
{
    fall(0);
}

TEST_DIES(says_what_helps_main, 2,
          " 1 needs more: let one of its own go that deep, by rn_go_with((.stack = 33554432), f, ...)\n")
{
    fall(0);
}
#endif

static void deep_enough(int *sum, chan(int) done)
{
    volatile char room[40 << 10];
    for (size_t i = 0; i < sizeof room; i += 512)
        room[i] = 1;
    for (size_t i = 0; i < sizeof room; i += 512)
        *sum += room[i];
    chan_close(done);
}

TEST(forty_kibibytes_fit)
{
    int sum = 0;
    chan(int) done = chan_make(int, 0);
    go(deep_enough, &sum, done);
    chan_recv(done);
    CHECK_EQ(sum, 80);
    chan_free(done);
}

static int deeper(int *sum)
{
    volatile char room[400 << 10];
    for (size_t i = 0; i < sizeof room; i += 4096)
        room[i] = 1;
    for (size_t i = 0; i < sizeof room; i += 4096)
        *sum += room[i];
    return 0;
}

static void go_deeper(void)
{
    int sum = 0;
    rn_group g = RN_GROUP_INIT;
    CHECK_EQ(rn_set_stack(1 << 20), RN_EBUSY);
    group_go(&g, deeper, &sum);
    CHECK_EQ(group_wait(&g), 0);
    CHECK_EQ(sum, 100);
}

TEST_PLAIN(a_program_says_how_large_they_are)
{
    CHECK_EQ(rn_set_stack((16 << 10) - 1), RN_EINVAL);
    CHECK_EQ(rn_set_stack(((size_t)1 << 30) + 1), RN_EINVAL);
    CHECK_EQ(rn_set_stack((512 << 10) - 7), 0);
    rn_run(go_deeper);
}

TEST_PLAIN(the_environment_counts_where_it_is_more)
{
    setenv("RUNNEL_STACK", "512k", 1);
    CHECK_EQ(rn_set_stack(16 << 10), 0);
    rn_run(go_deeper);
}

TEST_PLAIN_DIES(smaller_ones_too, 2, "runtime: goroutine stack exceeds 32768-byte limit")
{
    rn_set_stack(32 << 10);
    rn_run(go_deeper);
}
