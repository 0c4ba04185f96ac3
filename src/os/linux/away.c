/* Pages whose contents are kept elsewhere: see os.h.
 *
 * Taking pages away must never let a thread see them without their contents, and the kernel has no call that makes
 * a page trap and frees it at once: MADV_GUARD_INSTALL frees first, and who comes in between finds zeroes.  So the
 * whole range is made inaccessible by mprotect meanwhile, which splits the mapping for a moment (it is joined again
 * by the last mprotect), and costs the same for one page as for a thousand: callers take long ranges.
 *
 * Bringing them back has the same difficulty the other way round.  UFFDIO_COPY puts a page that is complete in the
 * place of a guard, in one step of about 1 µs.  Where userfaultfd is forbidden, or a kernel refuses to replace a guard:
 * mprotect again, and the contents are written through /proc/self/mem, which minds no protection.  One descriptor is
 * kept open, of the way that works; should userfaultfd fail one day when it had worked, the other is opened for that time.
 * This mprotect splits the mapping, too, and there may be no mappings left (vm.max_map_count) when a stack must come back:
 * so SPARES are made beforehand, of which one makes room for the time of a page.
 *
 * A copy of the process (fork, rn_os_snapshot) has neither: the descriptors lead to the memory of its parent.  It has
 * one thread only, so it just makes the page accessible, removes the guard, and writes.  It knows itself by a page that is wiped at a fork.
 *
 * Tried and rejected: userfaultfd's write protection for the time of the copy (it is lost when the page is freed, so
 * that the moment before the guard stands is open); memory that is mapped twice (a child would share its stacks with its
 * parent).
 */
#define _GNU_SOURCE 1
#include "os/os.h"
#include "os/linux/internal.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { GUARD_INSTALL = 102, GUARD_REMOVE = 103 }; /* Linux 6.13 */
enum { USER_MODE_ONLY = 1 };                      /* UFFD_USER_MODE_ONLY */

bool rn__os_no_userfaultfd;
static int faults = -1;                /* userfaultfd */
static int memory = -1;                /* /proc/self/mem, where that is missing */
static rn_atomic(uint32_t) * original; /* 1; 0 in a copy of the process */

/* ---- taking away --------------------------------------------------------------------------------- */

int rn_os_away_freeze(void *p, size_t n)
{
    return mprotect(p, n, PROT_READ) == 0 ? 0 : -errno;
}

void rn_os_away_unfreeze(void *p, size_t n)
{
    if (rn__os_stack_access & PROT_EXEC && mprotect(p, n, rn__os_stack_access) == 0)
        return;
    while (mprotect(p, n, PROT_READ | PROT_WRITE) != 0) /* it needs a little memory of the kernel's at most */
        rn_os_nap(RN_MILLISECOND);
}

int rn_os_away_discard(void *p, size_t n)
{
    if (mprotect(p, n, PROT_NONE) != 0 || madvise(p, n, MADV_DONTNEED) != 0)
        return -errno;
    return 0;
}

int rn_os_away_trap(void *page, size_t n)
{
    return madvise(page, n, GUARD_INSTALL) == 0 ? 0 : -errno;
}

/* ---- mappings in reserve ----------------------------------------------------------------------------- */

/* Every second page of a range can be read, and is a mapping of its own.  Made as inaccessible as its neighbours it becomes
 * one with both: there is room for two mappings more, which is what a page costs that is shut among others. */
enum { SPARES = 32, SPARE_PAGES = 2 * SPARES + 1 };
static char *spares;
static rn_atomic(uint32_t) lent[SPARES];

static char *spare_page(int i)
{
    return spares + (size_t)(2 * i + 1) * rn_os_page;
}

static bool spare_take(int i)
{
    uint32_t none = 0;
    if (!rn_cas_acquire(&lent[i], &none, 1)) /* acquire: pairs with the release in spare_give */
        return false;
    (void)mprotect(spare_page(i), rn_os_page, PROT_NONE);
    return true;
}

/* Where another thread was quicker with a mapping of its own it makes no room next time, and is made again after that. */
static void spare_give(int i)
{
    (void)mprotect(spare_page(i), rn_os_page, PROT_READ);
    rn_store_release(&lent[i], 0); /* pairs with the acquire in spare_take */
}

static void spares_make(void)
{
    spares = mmap(NULL, SPARE_PAGES * rn_os_page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (spares == MAP_FAILED)
        spares = NULL;
    for (int i = 0; spares && i < SPARES; i++)
        spare_give(i);
}

/* Makes the page inaccessible, by a spare if need be.  The spare's number, SPARES for none, -1: it can't be. */
static int shut(char *page, size_t n)
{
    if (mprotect(page, n, PROT_NONE) == 0)
        return SPARES;
    for (int i = 0; spares && i < SPARES; i++) {
        if (!spare_take(i))
            continue;
        if (mprotect(page, n, PROT_NONE) == 0)
            return i;
        spare_give(i);
    }
    return -1;
}

/* Others may be about to give spares back, or mappings. */
static int shut_at_last(char *page, size_t n)
{
    enum { LOOKS = 5000 };
    int spare = -1;
    for (int i = 0; i < LOOKS && (spare = shut(page, n)) < 0; i++)
        rn_os_nap(RN_MILLISECOND);
    return spare;
}

/* ---- bringing back --------------------------------------------------------------------------------- */

/* In one step for each page; false when the kernel does not do that. */
static bool copy_in(char *page, size_t n, const char *from)
{
    while (n) {
        struct uffdio_copy c = {.dst = (uintptr_t)page, .src = (uintptr_t)from, .len = n};
        if (ioctl(faults, UFFDIO_COPY, &c) == 0)
            return true;
        if (errno != EAGAIN)
            return false;
        size_t done = c.copy > 0 ? (size_t)c.copy : 0;
        page += done;
        from += done;
        n -= done;
    }
    return true;
}

static int open_memory(void)
{
    return open("/proc/self/mem", O_RDWR | O_CLOEXEC);
}

/* Whatever protects the page. */
static bool write_through(int fd, char *page, size_t n, const char *from)
{
    for (size_t done = 0; done < n;) {
        ssize_t now = pwrite(fd, from + done, n - done, (off_t)(uintptr_t)(page + done));
        if (now <= 0 && errno != EINTR)
            return false;
        done += now > 0 ? (size_t)now : 0;
    }
    return true;
}

static bool write_in(char *page, size_t n, const char *from)
{
    int fd = memory >= 0 ? memory : open_memory();
    int spare = fd >= 0 ? shut_at_last(page, n) : -1;
    bool ok = spare >= 0;
    if (ok) {
        ok = madvise(page, n, GUARD_REMOVE) == 0 && write_through(fd, page, n, from);
        rn_os_away_unfreeze(page, n);
    }
    if (ok && spare < SPARES)
        spare_give(spare);
    if (fd >= 0 && fd != memory)
        close(fd);
    return ok;
}

bool rn_os_is_copy(void)
{
    return original && rn_load_relaxed(original) == 0; /* relaxed: set once; the kernel wipes it */
}

static _Noreturn void no_memory(void)
{
    static const char text[] = "fatal error: out of memory for a goroutine's stack\n";
    rn_os_write_stderr(text, sizeof text - 1);
    rn_os_exit(2);
}

void rn_os_away_restore(void *page, size_t n, const void *from)
{
    if (rn_os_is_copy()) {
        rn_os_away_unfreeze(page, n); /* another thread may have been in the middle of write_in */
        madvise(page, n, GUARD_REMOVE);
        memcpy(page, from, n);
    } else if (!(faults >= 0 && copy_in(page, n, from)) && !write_in(page, n, from)) {
        no_memory();
    }
}

/* ---- what the kernel offers -------------------------------------------------------------------------- */

void rn_os_away_range(void *p, size_t n)
{
    struct uffdio_register r = {.range = {(uintptr_t)p, n}, .mode = UFFDIO_REGISTER_MODE_WP};
    if (faults >= 0)
        (void)ioctl(faults, UFFDIO_REGISTER, &r); /* without it copy_in fails, and the other way is taken */
}

/* Out of the way of who counts on small numbers; but not so high that the kernel's table would grow much. */
static int high(int fd)
{
    enum { HIGH = 512 };
    int there = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, HIGH) : -1;
    if (there < 0)
        return fd;
    close(fd);
    return there;
}

static void open_faults(void)
{
    struct uffdio_api api = {.api = UFFD_API};
    faults = rn__os_no_userfaultfd ? -1 : (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | USER_MODE_ONLY);
    if (faults >= 0 && ioctl(faults, UFFDIO_API, &api) != 0) {
        close(faults);
        faults = -1;
    }
}

/* Takes a page away and brings it back, by `way`. */
static bool try_way(char *page, size_t n, bool (*way)(char *, size_t, const char *), const char *from)
{
    memset(page, 1, n);
    return rn_os_away_freeze(page, n) == 0 && rn_os_away_discard(page, n) == 0 && rn_os_away_trap(page, n) == 0 &&
           mprotect(page, n, PROT_READ | PROT_WRITE) == 0 && access(page, F_OK) < 0 && errno == EFAULT &&
           way(page, n, from) && memcmp(page, from, n) == 0;
}

/* pages: one for each way, which it may leave as it likes, and the contents. */
static bool find_out(char *pages)
{
    char *other = pages + rn_os_page, *from = pages + 2 * rn_os_page;
    memset(from, 7, rn_os_page);
    original = mmap(NULL, rn_os_page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (original == MAP_FAILED || madvise(original, rn_os_page, MADV_WIPEONFORK) != 0) {
        original = NULL;
        return false;
    }
    rn_store_relaxed(original, 1); /* relaxed: before any copy */
    open_faults();
    rn_os_away_range(pages, rn_os_page);
    if (faults >= 0 && !try_way(pages, rn_os_page, copy_in, from)) {
        close(faults);
        faults = -1;
    }
    if (faults >= 0) {
        faults = high(faults);
        return true;
    }
    memory = high(open_memory());
    spares_make();
    return memory >= 0 && try_way(other, rn_os_page, write_in, from);
}

static void close_both(void)
{
    if (faults >= 0)
        close(faults);
    if (memory >= 0)
        close(memory);
    if (original)
        munmap(original, rn_os_page);
    if (spares)
        munmap(spares, SPARE_PAGES * rn_os_page);
    spares = NULL;
    faults = memory = -1;
    original = NULL;
}

static bool begin(void)
{
    enum { PAGES = 3 };
    char *pages = rn__fence_asymmetric ? rn_os_map(PAGES * rn_os_page, rn_os_page) : NULL;
    bool ok = pages && find_out(pages);
    if (pages)
        rn_os_unmap(pages, PAGES * rn_os_page);
    if (!ok)
        close_both();
    return ok;
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static enum { UNKNOWN, OPEN, CLOSED, MISSING } state; /* guarded by lock */

bool rn_os_away_begin(void)
{
    rn_os_init();
    pthread_mutex_lock(&lock);
    if (state == UNKNOWN || state == CLOSED)
        state = begin() ? OPEN : MISSING;
    bool open = state == OPEN;
    pthread_mutex_unlock(&lock);
    return open;
}

void rn_os_away_end(void)
{
    pthread_mutex_lock(&lock);
    if (state == OPEN) {
        close_both();
        state = CLOSED;
    }
    pthread_mutex_unlock(&lock);
}

bool rn_os_away_safe(void)
{
    return rn__os_faults_are_ours() && !rn__os_any_thread_blocks(SIGSEGV);
}
