/* SEMANTICS 43: where memory is short, chan_make, go and their like panic with a clear message, or
 * return an error in their try_ form.  (tests/fault makes each allocation fail in turn.) */
#include <runnel.h>
#include <runnel/test.h>
#include <sys/mman.h>
#include <sys/resource.h>

struct page {
    char bytes[4096];
};

#if defined(__SANITIZE_ADDRESS__) || defined(__clang__)
/* Else AddressSanitizer takes a request for so much for a mistake. */
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}
#endif

TEST(a_channel_that_is_too_large)
{
    CHECK(chan_try_make(struct page, 1LL << 40) == NULL);
    EXPECT_PANIC("chan_make: size out of range", (void)chan_make(struct page, -1));
    EXPECT_PANIC("chan_make: size out of range", (void)chan_make(struct page, 1LL << 60));
}

static void waits(chan_recv_only(rn_unit) c)
{
    chan_recv(c);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && !defined(__clang__)
static void limit_memory(void)
{
    struct rlimit l = {512 << 20, 512 << 20};
    REQUIRE(setrlimit(RLIMIT_AS, &l) == 0);
    if (mmap(NULL, 1 << 30, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) != MAP_FAILED)
        rn_test_skip("the limit of memory limits nothing here"); /* an emulator */
}

TEST(go_try_says_that_there_is_no_stack_left)
{
    chan(rn_unit) c = chan_make(rn_unit, 0);
    limit_memory();
    int err = 0;
    size_t n = 0;
    for (; err == 0 && n < 100000; n++)
        err = rn_go_try(waits, c);
    CHECK_EQ(err, RN_ENOMEM);
    CHECK(n > 100);
    chan_close(c); /* and what was started is whole */
    while (rn_num_goroutines() > 1)
        rn_yield();
    chan_free(c);
}

/* As many as can be had, with some patience; what has been started waits. */
static size_t start_most(chan(rn_unit) c, size_t most)
{
    size_t n = 0;
    for (int patience = 20; n < most && patience > 0;)
        if (rn_go_try(waits, c) == 0)
            n++;
        else if (--patience > 0)
            rn_sleep(5 * RN_MILLISECOND); /* a processor whose thread was stopped in the runtime keeps what it has */
    return n;
}

/* A processor keeps the stacks of those that have ended on it: the others could not have them, however short memory was. */
TEST(who_has_ended_leaves_room_for_as_many)
{
    enum { MOST = 100000 };
    size_t n = MOST;
    rn_set_procs(4);
    limit_memory();
    for (int round = 0; round < 4; round++) {
        chan(rn_unit) c = chan_make(rn_unit, 0);
        size_t now = start_most(c, n);
        if (round > 0)
            CHECK_EQ(now, n);
        n = now;
        chan_close(c);
        while (rn_num_goroutines() > 1)
            rn_sleep(RN_MILLISECOND);
        chan_free(c);
    }
}

TEST(go_panics_then)
{
    chan(rn_unit) c = chan_make(rn_unit, 0);
    limit_memory();
    EXPECT_PANIC("go: out of memory for a goroutine's stack", for (;;) go(waits, c););
}
#endif

TEST(a_stack_that_is_too_large)
{
    chan(rn_unit) c = chan_make(rn_unit, 0);
    CHECK_EQ(rn_go_with((.stack = (size_t)1 << 50, .try_ = true), waits, c), RN_ENOMEM);
    CHECK_EQ(rn_go_with((.stack = SIZE_MAX, .try_ = true), waits, c), RN_ENOMEM);
    chan_free(c);
}
