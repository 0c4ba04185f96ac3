/* What the sanitizers must be told about goroutines: which stack a thread is on.  Nothing at all in
 * other builds.
 *
 * Under ThreadSanitizer every goroutine is a fiber.  In the race build (RN_RACE) a switch orders nothing,
 * nor does a wake-up: each operation says what it orders (base/race.h).  There a fiber that is made
 * comes after what its maker has done, which is the edge of `go`; and when a goroutine has ended, what
 * the detector remembers of its stack is forgotten, so that the next one on it does not meet it.
 * In the tsan build the library is instrumented like any program; switches and wake-ups order. */
#ifndef RN_SCHED_FIBER_H
#define RN_SCHED_FIBER_H

#include "arch/arch.h"
#include "base/race.h"
#include "base/sanitizers.h"
#include "sched/sched.h"

#if defined(RN_MODEL)        /* the model checker's threads are not the sanitizers' */
#elif defined(__has_feature) /* clang */
#if __has_feature(thread_sanitizer)
#define RN_FIBER_TSAN 1
#elif __has_feature(address_sanitizer)
#define RN_FIBER_ASAN 1
#endif
#elif defined(__SANITIZE_THREAD__)
#define RN_FIBER_TSAN 1
#elif defined(__SANITIZE_ADDRESS__)
#define RN_FIBER_ASAN 1
#endif
#if defined(RN_RACE) && !defined(RN_FIBER_TSAN)
#define RN_FIBER_TSAN 1
#endif

#ifdef RN_FIBER_TSAN
void *__tsan_get_current_fiber(void);
void *__tsan_create_fiber(unsigned flags);
void __tsan_destroy_fiber(void *fiber);
void __tsan_switch_to_fiber(void *fiber, unsigned flags);
void __tsan_acquire(void *addr);
void __tsan_release(void *addr);
enum { RN_FIBER_NO_SYNC = 1 };
#endif
#ifdef RN_FIBER_ASAN
void __sanitizer_start_switch_fiber(void **fake_stack, const void *bottom, size_t size);
void __sanitizer_finish_switch_fiber(void *fake_stack, const void **bottom, size_t *size);
void __asan_unpoison_memory_region(void const volatile *addr, size_t size);
void __lsan_register_root_region(const void *p, size_t size);
void __lsan_unregister_root_region(const void *p, size_t size);
#endif

/* A thread of the runtime's: rn_os_thread_start, without handing the caller's past to it. */
#ifdef RN_RACE
int rn__race_thread_start(pthread_t *t, void *(*f)(void *), void *arg, const char *name);
#else
#define rn__race_thread_start rn_os_thread_start
#endif

/* main has returned.  (While schedules are explored rn__explore_drain does as much.) */
#if defined(RN_RACE) && !defined(RN_EXPLORE)
void rn__race_settle(void);
#else
static inline void rn__race_settle(void)
{
}
#endif

/* This thread, m, is about to run goroutines. */
#ifdef RN_FIBER_TSAN
void rn__fiber_thread_begin(struct rn_m *m);
#else
static inline void rn__fiber_thread_begin(struct rn_m *m)
{
    (void)m;
}
#endif

static inline void rn__fiber_before_switch(struct rn_g *from, struct rn_g *to)
{
#if defined(RN_FIBER_TSAN)
    (void)from;
    /* Signals that were held back wait with the fiber that they came to, and one that came between the two calls with a
     * goroutine that may be about to wait for it. */
#ifdef RN_RACE /* without holding them, which would take as long as the rest: they wait until `from` runs again */
    rn__race_signals();
    __tsan_switch_to_fiber(to->fiber, RN_FIBER_NO_SYNC);
#else
    uint64_t held = rn_os_signals_hold();
    rn__race_signals();
    __tsan_switch_to_fiber(to->fiber, 0);
    rn_os_signals_release(held);
#endif
#elif defined(RN_FIBER_ASAN)
    /* A goroutine that ends gives its fake stack back. */
    __sanitizer_start_switch_fiber(rn_load_relaxed(&from->status) == RN_G_DEAD ? NULL : &from->fiber, to->stack_lo,
                                   (size_t)(to->stack_hi - to->stack_lo));
#else
    (void)from, (void)to;
#endif
}

/* g is the goroutine that runs again. */
static inline void rn__fiber_after_switch(struct rn_g *g)
{
#if defined(RN_RACE)
    (void)g;
    /* A thread's start comes before all that it runs: its thread-local storage was written then. */
    __tsan_acquire(rn__m());
#elif defined(RN_FIBER_ASAN)
    __sanitizer_finish_switch_fiber(g->fiber, NULL, NULL);
#else
    (void)g;
#endif
}

/* A record was taken for a new goroutine. */
static inline void rn__fiber_create(struct rn_g *g)
{
#if defined(RN_FIBER_ASAN)
    g->fiber = NULL;
    __asan_unpoison_memory_region(g->stack_lo, (size_t)(g->stack_hi - g->stack_lo));
#elif defined(RN_FIBER_TSAN) && !defined(RN_RACE)
    uint64_t held = rn_os_signals_hold(); /* a signal that came while the fiber is made, or ended, would be its own */
    g->fiber = __tsan_create_fiber(0);
    rn_os_signals_release(held);
#else
    (void)g;
#endif
}

/* The goroutine is described, and about to be queued; `from` is the one that starts it,
 * NULL: the runtime. */
#ifdef RN_RACE
#define RN_FIBER_END RN_RACE_NAME(&rn__sched.main, 0) /* stands for the end of a run */
#define RN_FIBER_STARTED_BY " by goroutine "          /* in the name that the detector keeps of a goroutine */
void rn__fiber_begin(struct rn_g *g, struct rn_g *from);
void rn__fiber_destroy(struct rn_g *g);
void rn__fiber_name(struct rn_g *g);
/* A goroutine that was just made, and that nobody runs yet, comes after what was released under `name`. */
void rn__fiber_after(struct rn_g *g, void *name);
#else
static inline void rn__fiber_begin(struct rn_g *g, struct rn_g *from)
{
    (void)g, (void)from;
}

static inline void rn__fiber_destroy(struct rn_g *g)
{
#ifdef RN_FIBER_TSAN
    uint64_t held = rn_os_signals_hold(); /* see rn__fiber_create */
    __tsan_destroy_fiber(g->fiber);
    rn_os_signals_release(held);
#endif
    g->fiber = NULL;
}

static inline void rn__fiber_name(struct rn_g *g)
{
    (void)g;
}

static inline void rn__fiber_after(struct rn_g *g, void *name)
{
    (void)g, (void)name;
}
#endif

/* In the tsan build: what happened before release(g) happens before what follows acquire(g). */
static inline void rn__fiber_release(struct rn_g *g)
{
#if defined(RN_FIBER_TSAN) && !defined(RN_RACE)
    __tsan_release(g);
#else
    (void)g;
#endif
}

static inline void rn__fiber_acquire(struct rn_g *g)
{
#if defined(RN_FIBER_TSAN) && !defined(RN_RACE)
    __tsan_acquire(g);
#else
    (void)g;
#endif
}

#endif
