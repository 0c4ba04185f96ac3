/* Stacks (src/sched/stack.c): what lies between those of two chunks is somebody else's when they are given back; each has as
 * many bytes as were asked for, wherever it begins. */
#include "base/sanitizers.h"
#include <runnel.h>
#include <runnel/test.h>
#include "sched/rt.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

enum {
    CHUNKS = 6,
    BETWEEN = 16,   /* pages between two chunks */
    HUGE = 2 << 20, /* at a multiple of which the kernel may begin what is large */
};

/* One processor, so that the records of all who have ended come into one list, and from there into the pool. */
__attribute__((constructor)) static void on_one_processor(void)
{
    setenv("RUNNEL_PROCS", "1", 1);
}

/* Address space: holes for chunks of stacks, with room to align them, each with pages of ours above it. */
static struct {
    char *at;
    size_t hole, ours;
} land;

static char *hole(int i)
{
    return land.at + (size_t)i * (land.hole + land.ours);
}

static uint32_t chunks_made(void)
{
    struct rn_os_range stacks;
    uint32_t n = 0;
    while (rn__chunk(n, &stacks))
        n++;
    return n;
}

static void wait_for(chan_recv_only(int) gate, rn_waitgroup *wg)
{
    chan_recv(gate);
    wg_done(wg);
}

/* Starts goroutines until there is another chunk, or the one after it where the system's place for it is elsewhere. */
static void fill_hole(int i, chan_recv_only(int) gate, rn_waitgroup *wg)
{
    uint32_t before = chunks_made();
    munmap(hole(i), land.hole);
    while (chunks_made() == before) {
        wg_add(wg, 1);
        go(wait_for, gate, wg);
    }
}

/* How many chunks lie in a hole, the one before them, by their records, in the hole below. */
static int in_order(void)
{
    struct rn_os_range low, high;
    int n = 0;
    for (uint32_t i = 0; rn__chunk(i, &low) && rn__chunk(i + 1, &high); i++)
        if ((char *)low.p >= land.at && (char *)high.p == (char *)low.p + land.hole + land.ours)
            n++;
    return n;
}

static bool is_ours_intact(int i)
{
    const char *p = hole(i) + land.hole;
    for (size_t k = 0; k < land.ours; k++)
        if (p[k] != (char)(i + 1))
            return false;
    return true;
}

static void lay_out(void)
{
    struct rn_os_range stacks;
    REQUIRE(rn__chunk(0, &stacks) != NULL);
    land.ours = BETWEEN * rn_os_page;
    land.hole = stacks.bytes + 2 * HUGE - land.ours;
    size_t all = CHUNKS * (land.hole + land.ours);
    land.at = mmap(NULL, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    REQUIRE(land.at != MAP_FAILED);
    for (int i = 0; i < CHUNKS; i++)
        memset(hole(i) + land.hole, i + 1, land.ours);
}

TEST(stacks_that_are_given_back_take_nothing_along_that_lies_between_them)
{
    lay_out();
    chan(int) gate = chan_make(int, 0);
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < CHUNKS; i++)
        fill_hole(i, gate, &wg);
    int chances = in_order();
    /* relaxed, both: a limit.  So few stacks may have pages that all are given back as they come into the pool. */
    rn_store_relaxed(&rn__stacks_most, 8);
    chan_close(gate);
    wg_wait(&wg);
    while (rn__stacks_trim(rn_now()))
        continue;
    rn_store_relaxed(&rn__stacks_most, 0);
    for (int i = 0; i < CHUNKS; i++)
        CHECK(is_ours_intact(i));
    for (int i = 0; i < CHUNKS; i++)
        munmap(hole(i) + land.hole, land.ours);
    chan_free(gate);
    if (chances == 0)
        rn_test_skip("the system's place for stacks was elsewhere");
}

enum { WANTED = 24 << 12, FRAMES = 1024 };

static void use_all(void)
{
    volatile char used[WANTED - FRAMES];
    for (size_t i = 0; i < sizeof used; i += 1024)
        used[i] = 1;
    CHECK_EQ(used[0], 1);
}

TEST(a_stack_of_a_size_has_that_size_whatever_its_colour)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < RN_COLOURS; i++) {
        wg_add(&wg, 1);
        rn_go_with((.stack = WANTED, .ended = rn__wg_ended, .owner = &wg), use_all);
    }
    wg_wait(&wg);
}

/* So that the translations of their last pages do not share the same few places of the processor's: src/sched/stack.c. */
TEST(stacks_of_the_default_size_have_it_beside_the_guard_and_are_an_odd_number_of_pages_apart)
{
    struct rn_os_range stacks;
    const struct rn_g *records = rn__chunk(0, &stacks);
    REQUIRE(records != NULL);
    size_t apart = stacks.bytes / RN_CHUNK, bytes = apart - rn_os_page;
    CHECK_EQ(apart / rn_os_page % 2, 1);
    CHECK(bytes >= rn__sched.stack_default && bytes <= rn__sched.stack_default + rn_os_page);
    for (int i = 0; i < RN_CHUNK; i++)
        if (!(records[i].flags & RN_G_OWN_STACK)) /* main's */
            CHECK_EQ(records[i].stack_hi - records[i].stack_lo, bytes);
}

#if !defined(RN_ASAN) && !defined(RN_TSAN) /* these fault in memory of their own */
enum { BURST = 16384, BURSTS = 5 };

static void burst(void)
{
    chan(int) gate = chan_make(int, 0);
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_add(&wg, BURST);
    for (int i = 0; i < BURST; i++)
        go(wait_for, gate, &wg);
    chan_close(gate);
    wg_wait(&wg);
    chan_free(gate);
}

static long faults(void)
{
    struct rusage now;
    getrusage(RUSAGE_SELF, &now);
    return now.ru_minflt;
}

TEST(stacks_of_the_last_second_keep_their_pages)
{
    int in_time = 0;
    burst();
    for (int i = 0; i < BURSTS; i++) {
        rn_time since = rn_now();
        rn_sleep(300 * RN_MILLISECOND);
        long before = faults();
        burst();
        if (rn_since(since) > RN_SECOND)
            continue;
        in_time++;
        CHECK(faults() - before < BURST / 4);
    }
    if (!in_time)
        rn_test_skip("the machine is too slow");
}

static long resident(void)
{
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    REQUIRE(f && fscanf(f, "%*s %ld", &pages) == 1);
    fclose(f);
    return pages;
}

TEST(stacks_that_are_not_needed_any_more_give_their_pages_back)
{
    burst();
    long most = resident();
    rn_time since = rn_now();
    while (resident() > most - BURST / 2 && rn_since(since) < 60 * RN_SECOND)
        rn_sleep(100 * RN_MILLISECOND);
    CHECK(resident() <= most - BURST / 2);
}
#endif
