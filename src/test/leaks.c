/* What a test leaves behind: goroutines, timers, channels, processes, descriptors.
 *
 * Goroutines and timers are looked for when the test's function has returned and the runtime still runs, channels and
 * descriptors when it has stopped.  Goroutines that are about to end get the time: the look is repeated until none is
 * left, or until all that are left have waited, in the same waits, through two looks at which nobody could go on; one
 * that sleeps or computes is waited for three seconds.
 *
 * A program that is run as a test may leave all but goroutines: its process ends with it.
 *
 * Only where RUNNEL_TEST_LEAKS=1 says so, as `runnel test` does: keeping account of every channel costs time.  A test
 * that has failed already is left in peace, and one that has called rn_test_leaks_ok. */
#define _GNU_SOURCE 1
#include "arch/unwind.h"
#include "base/hooks.h"
#include "base/race.h"
#include "chan/chan.h"
#include "chan/done.h"
#include "internal.h"
#include "sched/explore.h"
#include "sched/rt.h"
#include <dirent.h>
#include <runnel/time.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATIENCE (3 * RN_SECOND)
enum { MOST = 10, GAP = 128 << 10 };

static const struct rn_test *test;
static const struct rn_test *now_running; /* also when nothing is looked for */
static unsigned lock_reports;             /* before it */
static bool allowed, told;

void rn_test_leaks_ok(void)
{
    allowed = true;
}

static unsigned lock_reports_so_far(void)
{
    return rn__hooks.lock_reports ? rn__hooks.lock_reports() : 0;
}

/* After a report about locks, the file from which it took the names is open. */
static bool is_watched(void)
{
    return test && test->status < 0 && !allowed && (told || !rn__test_failed_here) && !rn__exploring() &&
           lock_reports_so_far() == lock_reports;
}

/* ---- where things were made -------------------------------------------------------------------------- */

enum { FRAMES = 6, CHANNELS = 1 << 18, TIMERS = 1 << 12 };

struct made {
    const void *object; /* NULL: free */
    enum rn_made what;
    void *pc[FRAMES];
    int n;
};

static struct made *channels, *timers; /* hashed by address; a timer may take another's place */
static size_t channels_n, channels_lost;
static rn_lock made_lock; /* guards them */

static size_t slot_of(const void *object, size_t size)
{
    return ((uintptr_t)object * 0x9e3779b97f4a7c15u >> 20) & (size - 1);
}

/* Where object is, or the free place where it would be. */
static size_t find_channel(const void *object)
{
    size_t at = slot_of(object, CHANNELS);
    while (channels[at].object && channels[at].object != object)
        at = (at + 1) & (CHANNELS - 1);
    return at;
}

static void made(const void *object, enum rn_made what)
{
    struct made m = {.object = object, .what = what};
    m.n = rn__hooks.trace(m.pc, FRAMES);
    rn_lock_take(&made_lock, RN_RANK_STACKS);
    if (what == RN_MADE_TIMER)
        timers[slot_of(object, TIMERS)] = m;
    else if (channels[find_channel(object)].object)
        channels[find_channel(object)] = m; /* what it is the channel of */
    else if (channels_n < CHANNELS / 2)
        channels[find_channel(object)] = m, channels_n++;
    else
        channels_lost++;
    rn_lock_release(&made_lock);
}

/* Moves back what follows, so that no search ends too early. */
static void gone(const void *object)
{
    rn_lock_take(&made_lock, RN_RANK_STACKS);
    size_t at = find_channel(object);
    if (channels[at].object) {
        channels_n--;
        for (size_t next = (at + 1) & (CHANNELS - 1); channels[next].object; next = (next + 1) & (CHANNELS - 1)) {
            size_t home = slot_of(channels[next].object, CHANNELS);
            if (((next - home) & (CHANNELS - 1)) >= ((next - at) & (CHANNELS - 1))) {
                channels[at] = channels[next];
                at = next;
            }
        }
        channels[at].object = NULL;
    }
    rn_lock_release(&made_lock);
}

static const struct made *find_timer(const void *object)
{
    const struct made *m = &timers[slot_of(object, TIMERS)];
    return m->object == object ? m : NULL;
}

/* The innermost place in the program. */
static bool place_of_trace(const struct made *m, char *where, char *function, size_t n)
{
    for (int i = 0; i < m->n; i++)
        if (rn__hooks.place((uintptr_t)m->pc[i] - 1, where, function, n))
            return true;
    return false;
}

/* ---- goroutines ------------------------------------------------------------------------------------ */

struct look {
    uint32_t others, moving; /* goroutines but this one; those that will go on by themselves */
    uint64_t waits;          /* a hash of who waits since when */
    struct rn_g *left[MOST];
};

static bool goes_on(const struct rn_g *g)
{
    uint8_t why = rn_load_relaxed(&g->waiting);
    return rn_load_relaxed(&g->status) != RN_G_WAITING || rn_load_relaxed(&g->on_cpu) || why == RN_WAIT_SLEEP ||
           why == RN_WAIT_EXTERNAL;
}

/* relaxed, all: moments' views, compared with each other. */
static void look_at(struct rn_g *g, void *arg)
{
    struct look *l = arg;
    if (g == rn__self())
        return;
    if (l->others < MOST)
        l->left[l->others] = g;
    l->others++;
    l->moving += goes_on(g);
    l->waits += (g->id * 0x9e3779b97f4a7c15u) ^ (uint64_t)rn_load_relaxed(&g->waiting_since) ^
                (uintptr_t)rn_load_relaxed(&g->waiting_for);
}

static struct look look(void)
{
    struct look l = {0};
    rn__goroutines_each(look_at, &l);
    return l;
}

/* Waits until nobody is left, or nobody goes on. */
static struct look wait_for_others(void)
{
    rn_time start = rn__now();
    struct look now = look(), before;
    for (int same = 0; now.others > 0 && same < 2 && rn__now() - start < PATIENCE;) {
        rn_yield();
        rn_sleep(RN_MILLISECOND);
        before = now;
        now = look();
        same = now.moving == 0 && now.waits == before.waits ? same + 1 : 0;
    }
    return now;
}

/* The innermost place in the program where g is; false when there is none. */
static bool place_of(const struct rn_g *g, char *where, char *function, size_t n)
{
    enum { DEEP = 30 };
    struct rn_cursor c;
    /* acquire: pairs with the release in rn__arch_switch; its stack is complete. */
    if (rn_load_acquire(&g->on_cpu) || !rn_cursor_from_saved(&c, g->sp, g->stack_lo, g->stack_hi))
        return false;
    for (int i = 0; i < DEEP; i++) {
        if (rn__hooks.place(rn_cursor_where(&c), where, function, n))
            return true;
        if (rn_cursor_step(&c) <= 0)
            break;
    }
    return g->entry && rn__hooks.place((uintptr_t)g->entry, where, function, n);
}

static void tell_goroutine(const struct rn_g *g)
{
    enum { TEXT = 200 };
    char where[TEXT] = "", function[TEXT] = "", by[TEXT] = "", starter[TEXT] = "";
    const char *state = rn_load_relaxed(&g->status) == RN_G_WAITING /* relaxed: for the report */
                            ? rn__wait_text((enum rn_wait)rn_load_relaxed(&g->waiting))
                            : "running";
    bool known = place_of(g, where, function, TEXT);
    bool started = g->started_at && rn__hooks.place((uintptr_t)g->started_at - 1, by, starter, TEXT);
    const char *quote = g->name ? "\"" : "";
    rn_test_fail(test->file, test->line, "%s left goroutine %llu%s%s%.100s%s behind [%s]%s%s%s%s%s%s%s%s%s", test->name,
                 (unsigned long long)g->id, g->name ? " " : "", quote, g->name ? g->name : "", quote, state,
                 known ? " in " : "", function, known ? " (" : "", where, known ? ")" : "",
                 started ? ", started by " : "", starter, started ? " at " : "", by);
}

static void tell_goroutines(const struct look *l)
{
    for (uint32_t i = 0; i < l->others && i < MOST; i++)
        tell_goroutine(l->left[i]);
    if (l->others > MOST)
        rn_test_fail(test->file, test->line, "%s left %u more goroutines behind", test->name, l->others - MOST);
}

/* ---- timers ------------------------------------------------------------------------------------------ */

/* A context's, whose maker is not known, but what is to be done about it. */
static bool is_deadline(const struct rn_timer_entry *t)
{
    uintptr_t at = (uintptr_t)t, chunk;
    /* acquire: as in rn__done_slot. */
    for (uint32_t c = 0; c < RN_DONE_CHUNKS && (chunk = (uintptr_t)rn_load_acquire(&rn__done_chunk[c])) != 0; c++)
        if (at - chunk < (uintptr_t)RN_DONE_SLOT << RN_DONE_CHUNK_BITS)
            return true;
    return false;
}

/* Those on the stack of a goroutine are part of a wait. */
static bool tell_timer(struct rn_wheel_entry *e, void *arg)
{
    char where[200] = "", function[200] = "";
    (void)arg;
    struct rn_timer_entry *t = rn_container(e, struct rn_timer_entry, wheel);
    struct rn_g *g = rn__g_of_address(t);
    if (g && g != rn__self())
        return false;
    const struct made *m = find_timer(t);
    bool known = m && place_of_trace(m, where, function, sizeof where);
    bool deadline = is_deadline(t);
    rn_test_fail(test->file, test->line, "%s left %s behind (%p, due in %lld ms)%s%s%s%s%s", test->name,
                 deadline ? "a context's deadline" : "a timer", (void *)t,
                 (long long)((e->when - rn__now()) / RN_MILLISECOND), known ? ", set in " : "", function,
                 known ? " at " : "", where, deadline ? ": ctx_cancel it" : "");
    return false;
}

static void tell_timers(void)
{
    for (uint32_t i = 0; i < rn__procs_made(); i++)
        rn_wheel_any(&rn__procs[i].wheel, tell_timer, NULL);
}

/* ---- channels ------------------------------------------------------------------------------------------ */

static void tell_channel(const struct made *m, const char *function, const char *where)
{
    if (m->what == RN_MADE_PROCESS)
        rn_test_fail(test->file, test->line, "%s left a process behind, started in %s at %s: process_free it",
                     test->name, function, where);
    else
        rn_test_fail(test->file, test->line, "%s left channel %p behind, made in %s at %s: chan_free it", test->name,
                     m->object, function, where);
}

static void tell_channels(void)
{
    enum { TEXT = 200 };
    size_t told = 0, n = 0;
    for (size_t i = 0; i < CHANNELS; i++) {
        char where[TEXT] = "", function[TEXT] = "";
        if (!channels[i].object || !place_of_trace(&channels[i], where, function, TEXT))
            continue;
        if (n++ < MOST) {
            told++;
            tell_channel(&channels[i], function, where);
        }
    }
    if (n + channels_lost > told)
        rn_test_fail(test->file, test->line, "%s left %zu more channels behind", test->name, n + channels_lost - told);
}

/* ---- descriptors ----------------------------------------------------------------------------------------- */

enum { DESCRIPTORS = 4096 };
static bool was_open[DESCRIPTORS];
static ino_t left[DESCRIPTORS]; /* 0: not left; its inode, since the runtime's own numbers are used again */
static bool noted;              /* left */

static void each_descriptor(void (*f)(int fd))
{
    DIR *d = opendir("/proc/self/fd");
    for (struct dirent *e; d && (e = readdir(d));) {
        int fd = atoi(e->d_name);
        if (e->d_name[0] != '.' && fd != dirfd(d) && fd < DESCRIPTORS)
            f(fd);
    }
    if (d)
        closedir(d);
}

static void note_descriptor(int fd)
{
    was_open[fd] = true;
}

static ino_t inode_of(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 ? st.st_ino : 0;
}

/* Before the first name of a place is looked up, which opens the program's file for good. */
static void note_left(int fd)
{
    left[fd] = was_open[fd] ? 0 : inode_of(fd);
}

static void note_all_left(void)
{
    if (!noted)
        each_descriptor(note_left);
    noted = true;
}

static void tell_descriptor(int fd)
{
    char link[64], what[256];
    if (!left[fd] || left[fd] != inode_of(fd))
        return;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, what, sizeof what - 1);
    what[n > 0 ? n : 0] = 0;
    rn_test_fail(test->file, test->line, "%s left descriptor %d behind (%s)", test->name, fd, what);
}

/* ---- the test's process ------------------------------------------------------------------------------------ */

/* Below the frames of the function that has just returned: goroutines may still look at its variables. */
static __attribute__((noinline)) int main_returned(int status)
{
    char gap[GAP];
    __asm__ volatile("" : : "r"(gap) : "memory");
    if (!is_watched())
        return status;
    struct look l = wait_for_others();
    note_all_left();
    if (l.others && is_watched()) {
        told = true;
        tell_goroutines(&l);
    }
    if (is_watched() && test->status != RN_TEST_PROGRAM) {
        told = true;
        tell_timers();
    }
    return status;
}

void rn__test_watch(const struct rn_test *t)
{
    now_running = t;
    lock_reports = lock_reports_so_far();
    if (!rn__setting_is_on("RUNNEL_TEST_LEAKS", false) || t->status >= 0)
        return;
    channels = calloc(CHANNELS, sizeof *channels);
    timers = calloc(TIMERS, sizeof *timers);
    if (!channels || !timers)
        return;
    test = t;
    each_descriptor(note_descriptor);
    rn__hooks.main_returned = main_returned;
    rn__hooks.made = made;
    rn__hooks.gone = gone;
}

void rn__test_watch_end(void)
{
    if (lock_reports_so_far() != lock_reports)
        rn_test_fail(now_running->file, now_running->line, "%s takes locks in an order that can deadlock: see above",
                     now_running->name);
    if (!is_watched() || test->status == RN_TEST_PROGRAM)
        return;
    rn__hooks.made = NULL;
    rn__hooks.gone = NULL;
    note_all_left();
    told = true;
    tell_channels();
    if (!rn__race_reported)
        each_descriptor(tell_descriptor);
}
