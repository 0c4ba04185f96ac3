/* What the race detector must know of the runtime; empty in builds without it.  See fiber.h for
 * switches, base/race.h for the edges, debug/race_report.c for the reports.
 *
 * Two things here go beyond the detector's published interface, and do without where it lacks them: a
 * dead goroutine's stack is forgotten by a call into ThreadSanitizer itself (UnmapShadow, what munmap
 * does there). */
#define _GNU_SOURCE 1
#include "base/race.h"
#include "sched/fiber.h"
#include "sched/rt.h"
#include <errno.h>
#include <link.h>
#include <stdio.h>

#ifdef RN_FIBER_TSAN

void AnnotateBenignRaceSized(const char *file, int line, const volatile void *addr, size_t size, const char *what);

#ifndef RN_RACE

void rn__fiber_thread_begin(struct rn_m *m)
{
    /* Goroutines use their thread's errno one after the other. */
    AnnotateBenignRaceSized(__FILE__, __LINE__, &errno, sizeof errno, "errno");
    rn_os_signals_expect();
    (void)m;
}

/* Reports of goroutines are made inside of signal handlers on purpose: the process is about to end,
 * or was asked. */
const char *__tsan_default_options(void);
RN_PUBLIC const char *__tsan_default_options(void)
{
    return "report_signal_unsafe=0";
}

#else

void __tsan_set_fiber_name(void *fiber, const char *name);
/* __tsan::UnmapShadow(ThreadState *, uptr, uptr) */
extern void unmap_shadow(void *thread, uintptr_t addr,
                         uintptr_t size) __asm__("_ZN6__tsan11UnmapShadowEPNS_11ThreadStateEmm") __attribute__((weak));

/* Without a pause at the end of each program, in which races with exit could show: no goroutine
 * outlives main. */
#define OPTIONS \
    "report_signal_unsafe=0:atexit_sleep_ms=0:allow_addr2line=1:allocator_may_return_null=1:report_thread_leaks=0:history_size=2"
#define LLVM_SYMBOLIZER "/usr/bin/llvm-symbolizer"
#define ADDR2LINE "/usr/bin/addr2line"
#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)

/* Who tells names and lines: Debian's clang wants the symbolizer of its own version and looks for no other program, and
 * without one every place in a report is "<null>".  addr2line knows no names of variables, but the rest. */
const char *__tsan_default_options(void);
RN_PUBLIC const char *__tsan_default_options(void)
{
    bool llvm = rn_os_has_program(LLVM_SYMBOLIZER) || rn_os_has_program(LLVM_SYMBOLIZER "-" TEXT(__clang_major__));
    if (!llvm && rn_os_has_program(ADDR2LINE))
        return OPTIONS ":external_symbolizer_path=" ADDR2LINE;
    return OPTIONS;
}

/* What the library does through libc for itself, with descriptors and the like, the detector sees; where
 * rn__race_own_begin was forgotten, this keeps it from being reported.  The HTTP library's libraries are
 * not instrumented: of their memory only what they pass to libc is seen, and not what orders it. */
const char *__tsan_default_suppressions(void);
RN_PUBLIC const char *__tsan_default_suppressions(void)
{
    return "race:^rn_os_\n"
           "race:libcrypto.so\nrace:libssl.so\nrace:libcurl.so\n"
           "called_from_lib:libcrypto.so\ncalled_from_lib:libssl.so\ncalled_from_lib:libcurl.so\n"
           "called_from_lib:libnghttp2.so\ncalled_from_lib:libwslay.so\n";
}

/* ---- the order in which goroutines run ------------------------------------------------------------- */

#ifndef RN_EXPLORE
/* The running goroutine lets the others go first, every other time.  A goroutine of a few short steps would else have done
 * them all before the next one begins: of two workers one takes all the jobs, and the race between them is none in that run. */
void rn__race_point(void)
{
    struct rn_m *m = rn__m();
    bool inside = !m || m->external || m->g->kind != RN_G_GOROUTINE ||
                  rn_load_relaxed(&m->own.inside); /* relaxed: this thread's own */
    if (!inside && rn__random_below(2) == 0)
        rn_yield();
}

/* Those whom main leaves do what they still can, which may end in a report: until all of them wait, and for a tenth of a second at most
 * while one runs or sleeps. */
void rn__race_settle(void)
{
    rn_time end = rn_os_now() + RN_SECOND / 10;
    struct rn_others others = rn__others();
    while ((others.running || others.sleeping) && rn_os_now() < end) {
        rn__sleep_until(rn__self(), rn__deadline(RN_MILLISECOND / 4));
        others = rn__others();
    }
}
#endif

/* ---- a fiber without a past ------------------------------------------------------------------------ */

/* Whoever makes a fiber or a thread hands its past on.  What the runtime starts for its own reasons (a
 * worker, a timer's goroutine) is made from this fiber, which has none.
 *
 * The detector keeps a signal that it holds back with the fiber that it came to.  So there are none on this one, nor while
 * a thread is on a goroutine's that does not run: when such a fiber is made, or ended. */
static struct {
    rn_atomic(uint32_t) busy;
    void *fiber, *back; /* back: the fiber of the one who is in */
    uint64_t held;      /* that one's signals */
} clean;

static void clean_enter(void)
{
    uint64_t held = rn_os_signals_hold();
    uint32_t free = 0;
    /* acquire: pairs with the release in clean_leave; one thread at a time is on the fiber. */
    while (!rn_cas_acquire(&clean.busy, &free, 1)) {
        free = 0;
        rn_cpu_pause();
    }
    clean.held = held;
    clean.back = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(clean.fiber, RN_FIBER_NO_SYNC);
}

static void clean_leave(void)
{
    uint64_t held = clean.held;
    __tsan_switch_to_fiber(clean.back, RN_FIBER_NO_SYNC);
    /* release: pairs with the acquire in clean_enter. */
    rn_store_release(&clean.busy, 0);
    rn_os_signals_release(held);
}

int rn__race_thread_start(pthread_t *t, void *(*f)(void *), void *arg, const char *name)
{
    clean_enter();
    int err = rn_os_thread_start_held(t, f, arg, name, clean.held);
    clean_leave();
    return err;
}

/* Goroutines use their thread's variables, such as errno, one after the other. */
static int share_tls(struct dl_phdr_info *module, size_t size, void *arg)
{
    (void)size, (void)arg;
    for (int i = 0; i < module->dlpi_phnum && module->dlpi_tls_data; i++)
        if (module->dlpi_phdr[i].p_type == PT_TLS)
            AnnotateBenignRaceSized("", 0, module->dlpi_tls_data, module->dlpi_phdr[i].p_memsz, "thread-local");
    return 0;
}

void rn__fiber_thread_begin(struct rn_m *m)
{
    if (!clean.fiber) { /* the first thread that comes to the runtime, before it can start another */
        clean.fiber = __tsan_create_fiber(0);
        clean_enter();
        rn__race_own_begin();
        clean_leave();
    }
    dl_iterate_phdr(share_tls, NULL);
    rn_os_signals_expect();
    __tsan_release(m); /* pairs with rn__fiber_after_switch */
}

/* ---- goroutines ------------------------------------------------------------------------------------- */

void rn__fiber_name(struct rn_g *g)
{
    char name[64], id[32], by[40] = ""; /* as much as the detector keeps */
    if (!rn__is_goroutine(g))
        return;
    int room = (int)sizeof name - 4;
    room -= snprintf(id, sizeof id, "goroutine %llu", (unsigned long long)g->id);
    if (g->started_by)
        room -= snprintf(by, sizeof by, RN_FIBER_STARTED_BY "%llu", (unsigned long long)g->started_by);
    if (g->name && room > 0)
        snprintf(name, sizeof name, "%s (%.*s)%s", id, room, g->name, by);
    else
        snprintf(name, sizeof name, "%s%s", id, by);
    __tsan_set_fiber_name(g->fiber, name);
}

void rn__fiber_begin(struct rn_g *g, struct rn_g *from)
{
    uint64_t held = rn_os_signals_hold();
    if (!from)
        clean_enter();
    __tsan_func_entry(g->started_at);
    g->fiber = __tsan_create_fiber(0);
    __tsan_func_exit();
    if (!from)
        clean_leave();
    rn__fiber_name(g);
    if (!unmap_shadow)
        rn__fiber_after(g, g->stack_hi - 1);
    rn_os_signals_release(held);
}

void rn__fiber_after(struct rn_g *g, void *name)
{
    uint64_t held = rn_os_signals_hold();
    void *self = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(g->fiber, RN_FIBER_NO_SYNC);
    __tsan_acquire(name);
    __tsan_switch_to_fiber(self, RN_FIBER_NO_SYNC);
    rn_os_signals_release(held);
}

/* Forgets what the detector knows of a stack, in pieces: a larger piece it maps anew, which would leave a mapping
 * for itself; 30,000 goroutines' would be more than vm.max_map_count allows. */
static void unmap_stack_shadow(void *self, uintptr_t lo, uintptr_t hi)
{
    const uintptr_t most = 8 * rn_os_page;
    for (; lo < hi; lo += most)
        unmap_shadow(self, lo, hi - lo < most ? hi - lo : most);
}

/* What a goroutine did comes before the end of the run, joined or not.  Without unmap_shadow the next
 * goroutine on this stack comes after this one: a race between the two is then overlooked, rather than
 * one reported that is none. */
void rn__fiber_destroy(struct rn_g *g)
{
    uint64_t held = rn_os_signals_hold();
    void *self = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(g->fiber, RN_FIBER_NO_SYNC);
    __tsan_release(RN_FIBER_END);
    if (!unmap_shadow)
        __tsan_release(g->stack_hi - 1);
    __tsan_switch_to_fiber(self, RN_FIBER_NO_SYNC);
    if (unmap_shadow)
        unmap_stack_shadow(self, (uintptr_t)g->stack_lo, (uintptr_t)g->stack_hi);
    __tsan_destroy_fiber(g->fiber);
    g->fiber = NULL;
    rn_os_signals_release(held);
}

/* ---- turns ------------------------------------------------------------------------------------------ */

static struct {
    rn_lock lock;
    struct rn_race_turn *free;
} turns;

static void more_turns_locked(void)
{
    rn_lock_assert_held(&turns.lock);
    enum { BYTES = 64 << 10 };
    struct rn_race_turn *t = rn_os_map(BYTES, rn_os_page);
    for (size_t i = 0; t && i < BYTES / sizeof *t; i++) {
        t[i].next = turns.free;
        turns.free = &t[i];
    }
}

struct rn_race_turn *rn__race_turn_get(void)
{
    rn_lock_take(&turns.lock, RN_RANK_STACKS);
    if (!turns.free)
        more_turns_locked();
    struct rn_race_turn *t = turns.free;
    if (t)
        turns.free = t->next;
    rn_lock_release(&turns.lock);
    if (t) {
        rn__race_store(&t->sent);
        rn__race_store(&t->received);
    }
    return t;
}

void rn__race_turn_put(struct rn_race_turn *t)
{
    if (!t)
        return;
    rn_lock_take(&turns.lock, RN_RANK_STACKS);
    t->next = turns.free;
    turns.free = t;
    rn_lock_release(&turns.lock);
}

#endif
#endif
