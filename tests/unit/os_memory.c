/* Address space: alignment, zeroes, guards. */
#include "os/os.h"
#include <runnel/test.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static bool all_zero(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i])
            return false;
    return true;
}

TEST_PLAIN(a_mapping_is_aligned_zeroed_and_writable)
{
    rn_os_init();
    for (size_t align = rn_os_page; align <= 64 << 20; align *= 4) {
        char *p = rn_os_map(3 * rn_os_page, align);
        REQUIRE(p != NULL);
        CHECK_EQ((uintptr_t)p % align, 0);
        CHECK(all_zero(p, 3 * rn_os_page));
        memset(p, 1, 3 * rn_os_page);
        rn_os_unmap(p, 3 * rn_os_page);
        CHECK(msync(p, rn_os_page, MS_ASYNC) != 0); /* ENOMEM: not mapped */
    }
}

TEST_PLAIN(sizes_that_make_no_sense_are_refused)
{
    rn_os_init();
    CHECK(rn_os_map(0, rn_os_page) == NULL);
    CHECK(rn_os_map(SIZE_MAX / 2, rn_os_page) == NULL);
    CHECK(rn_os_map(SIZE_MAX - 8192, (size_t)1 << 40) == NULL);
    rn_os_unmap(NULL, 0);
}

TEST_PLAIN(a_reservation_far_beyond_memory_costs_nothing)
{
#ifdef RN_RACE
    rn_test_skip("the detector leaves less room in the address space");
#endif
    rn_os_init();
    size_t bytes = (size_t)1 << 40;
    char *p = rn_os_map(bytes, rn_os_page);
    REQUIRE(p != NULL);
    p[0] = p[bytes - 1] = 1;
    rn_os_unmap(p, bytes);
}

TEST_PLAIN(discarded_pages_read_as_zero)
{
    rn_os_init();
    char *p = rn_os_map(4 * rn_os_page, rn_os_page);
    REQUIRE(p != NULL);
    memset(p, 7, 4 * rn_os_page);
    rn_os_discard(p + rn_os_page, 2 * rn_os_page);
    CHECK_EQ(p[0], 7);
    CHECK(all_zero(p + rn_os_page, 2 * rn_os_page));
    CHECK_EQ(p[3 * rn_os_page], 7);
    rn_os_unmap(p, 4 * rn_os_page);
}

TEST_PLAIN(locked_pages_read_as_zero_after_a_discard)
{
    rn_os_init();
    char *p = rn_os_map(rn_os_page, rn_os_page);
    REQUIRE(p != NULL);
    if (mlock(p, rn_os_page) != 0)
        rn_test_skip("mlock is not allowed here");
    p[5] = 1;
    rn_os_discard(p, rn_os_page);
    CHECK_EQ(p[5], 0);
    rn_os_unmap(p, rn_os_page);
}

/* Does the kernel find the byte readable?  (A system call answers EFAULT where a load would trap.) */
static bool readable(const char *p)
{
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    bool ok = write(ends[1], p, 1) == 1;
    close(ends[0]);
    close(ends[1]);
    return ok;
}

TEST_PLAIN(a_guard_traps_and_its_neighbours_do_not)
{
    rn_os_init();
    char *p = rn_os_map(3 * rn_os_page, rn_os_page);
    REQUIRE(p != NULL);
    p[rn_os_page] = 1;
    CHECK(rn_os_guard(p + rn_os_page, true) != RN_GUARD_NONE);
    CHECK(readable(p + rn_os_page - 1));
    CHECK(!readable(p + rn_os_page));
    CHECK(!readable(p + 2 * rn_os_page - 1));
    CHECK(readable(p + 2 * rn_os_page));
    rn_os_discard(p, rn_os_page);
    CHECK(!readable(p + rn_os_page));
    struct rn_os_range all = {p, 3 * rn_os_page}, parts[] = {{p, rn_os_page}, {p + rn_os_page, 2 * rn_os_page}};
    for (int i = 0; i < 2; i++) {
        p[0] = p[2 * rn_os_page] = 7;
        CHECK_EQ(i ? rn_os_discard_guarded(parts, 2) : rn_os_discard_guarded(&all, 1), 0);
        CHECK(p[0] == 0 && p[2 * rn_os_page] == 0);
        CHECK(!readable(p + rn_os_page));
    }
    rn_os_unmap(p, 3 * rn_os_page);
}

TEST_PLAIN(there_are_more_guards_than_mappings)
{
    enum { GUARDS = 100000 };
    rn_os_init();
    char *p = rn_os_map((size_t)GUARDS * 2 * rn_os_page, rn_os_page);
    REQUIRE(p != NULL);
    if (rn_os_guard(p, true) != RN_GUARD_MADVISE)
        rn_test_skip("this kernel has no MADV_GUARD_INSTALL");
    for (size_t i = 1; i < GUARDS; i++)
        REQUIRE(rn_os_guard(p + i * 2 * rn_os_page, true) == RN_GUARD_MADVISE);
    CHECK(!readable(p + (size_t)(GUARDS - 1) * 2 * rn_os_page));
    rn_os_unmap(p, (size_t)GUARDS * 2 * rn_os_page);
}
