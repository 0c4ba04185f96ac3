/* Address space: reserve, give back, guard.
 *
 * Everything is mapped with MAP_NORESERVE and, unless rn_os_huge says otherwise, without huge pages: a stack of 64 KiB of
 * which one page is used must cost one page, and the guards would split huge pages anyway.
 */
#define _GNU_SOURCE 1
#include "base/fault.h"
#include "base/race.h"
#include "os/linux/internal.h"
#include "os/os.h"
#include <errno.h>
#include <link.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum {
    GUARD_INSTALL = 102,  /* MADV_GUARD_INSTALL, Linux 6.13 */
    DONTNEED_LOCKED = 24, /* MADV_DONTNEED_LOCKED, Linux 5.18 */
    SELF = -10001,        /* PIDFD_SELF_THREAD_GROUP, Linux 6.14 */
};

static size_t round_up(size_t n, size_t to)
{
    return (n + to - 1) & ~(to - 1);
}

/* Cuts [p, p + total) down to the `bytes` at the first multiple of align. */
static void *trim(char *p, size_t total, size_t bytes, size_t align)
{
    size_t before = round_up((size_t)p, align) - (size_t)p;
    size_t after = total - before - bytes;
    if (before)
        munmap(p, before);
    if (after)
        munmap(p + before + bytes, after);
    return p + before;
}

void *rn_os_map(size_t bytes, size_t align)
{
    bytes = round_up(bytes, rn_os_page);
    size_t total = align > rn_os_page ? bytes + align - rn_os_page : bytes;
    if (!bytes || total < bytes || rn__fault_hit())
        return NULL;
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    rn__race_own_begin(); /* else the caller would have written it all */
    char *p = mmap(NULL, total, PROT_READ | PROT_WRITE, flags, -1, 0);
    rn__race_own_end();
    if (p == MAP_FAILED)
        return NULL;
    p = trim(p, total, bytes, align);
    madvise(p, bytes, MADV_NOHUGEPAGE); /* fails on kernels that have none: as well */
    return p;
}

int rn__os_stack_access = PROT_READ | PROT_WRITE;

static int has_code_on_stacks(struct dl_phdr_info *object, size_t size, void *unused)
{
    (void)size, (void)unused;
    for (int i = 0; i < object->dlpi_phnum; i++)
        if (object->dlpi_phdr[i].p_type == PT_GNU_STACK && object->dlpi_phdr[i].p_flags & PF_X)
            return 1;
    return 0;
}

void rn__os_stack_init(void)
{
    if (dl_iterate_phdr(has_code_on_stacks, NULL))
        rn__os_stack_access |= PROT_EXEC;
}

void *rn_os_map_stack(size_t bytes)
{
    char *p = rn_os_map(bytes, rn_os_page);
    if (p && rn__os_stack_access & PROT_EXEC)
        mprotect(p, bytes, rn__os_stack_access); /* where that is forbidden it is a stack without */
    return p;
}

void rn_os_huge(void *p, size_t bytes)
{
    madvise(p, bytes, MADV_HUGEPAGE); /* as above */
}

void rn_os_unmap(void *p, size_t bytes)
{
    if (p)
        munmap(p, round_up(bytes, rn_os_page));
}

void rn_os_discard(void *p, size_t bytes)
{
    if (madvise(p, bytes, MADV_DONTNEED) == 0)
        return;
    /* Locked by mlockall: the pages stay, so they have at least to read as zero. */
    if (madvise(p, bytes, DONTNEED_LOCKED) != 0)
        memset(p, 0, bytes);
}

/* All by one call, after which each processor forgets its translations once.  Of single calls half the time, 1.06 µs a
 * stack, is the interrupt to the others and the wait for it; by one call it is 0.59. */
static bool discard_at_once(const struct rn_os_range *ranges, uint32_t n)
{
    _Static_assert(sizeof *ranges == sizeof(struct iovec) &&
                       offsetof(struct rn_os_range, p) == offsetof(struct iovec, iov_base),
                   "ranges are the kernel's vector");
    static rn_atomic(bool) missing;
    if (rn_load_relaxed(&missing)) /* relaxed, both: a hint that saves system calls */
        return false;
    size_t all = 0;
    for (uint32_t i = 0; i < n; i++)
        all += ranges[i].bytes;
    long done = syscall(SYS_process_madvise, SELF, ranges, (size_t)n, MADV_DONTNEED, 0);
    if (done < 0 && errno != EINVAL && errno != ENOMEM)
        rn_store_relaxed(&missing, true);
    return done >= 0 && (size_t)done == all; /* less: locked memory, or more than a call takes (2 GiB) */
}

int rn_os_discard_guarded(const struct rn_os_range *ranges, uint32_t n)
{
    if (n > 1 && discard_at_once(ranges, n))
        return 0;
    for (uint32_t i = 0; i < n; i++)
        if (madvise(ranges[i].p, ranges[i].bytes, MADV_DONTNEED) != 0)
            return -errno;
    return 0;
}

static void warn_unguarded(void)
{
    static const char text[] = "runnel: no more guard pages: the system's limit of mappings (vm.max_map_count) "
                               "is near; further stacks are unguarded\n";
    static rn_atomic(bool) said;
    /* relaxed: only one caller may see false; nothing is published. */
    if (!rn_xchg_relaxed(&said, true))
        rn_os_write_stderr(text, sizeof text - 1);
}

/* An emulator may say yes to advice that it does not know: so the kernel is asked whether the page can still be
 * written.  (By a call whose argument valgrind does not read itself, as it does a path: that was its end.) */
static bool traps(void *page)
{
    return syscall(SYS_clock_getres, CLOCK_MONOTONIC, page) < 0 && errno == EFAULT;
}

enum rn_guard rn_os_guard(void *page, bool may_split)
{
    enum { UNKNOWN, WORKS, MISSING };
    static rn_atomic(int) advice;
    /* relaxed, all: a hint that saves system calls. */
    int known = rn_load_relaxed(&advice);
    if (known != MISSING) {
        if (madvise(page, rn_os_page, GUARD_INSTALL) == 0) {
            if (known == WORKS || traps(page)) {
                rn_store_relaxed(&advice, WORKS);
                return RN_GUARD_MADVISE;
            }
            rn_store_relaxed(&advice, MISSING);
        } else if (errno == EINVAL) {
            rn_store_relaxed(&advice, MISSING);
        }
    }
    if (may_split && mprotect(page, rn_os_page, PROT_NONE) == 0)
        return RN_GUARD_MPROTECT;
    warn_unguarded();
    return RN_GUARD_NONE;
}

int64_t rn_os_mappings_most(void)
{
    enum { DEFAULT = 65530 };
    char text[32] = "";
    int fd = rn__os_open(AT_FDCWD, "/proc/sys/vm/max_map_count");
    if (fd >= 0) {
        (void)rn__os_read(fd, text, sizeof text - 1);
        rn__os_close(fd);
    }
    long long most = atoll(text);
    return most > 0 ? most : DEFAULT;
}
