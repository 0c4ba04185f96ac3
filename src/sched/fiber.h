/* What the sanitizers must be told about goroutines: which stack a thread is on, and, for the race
 * detector, what a hand-over orders.  Nothing at all in other builds.
 *
 * Under ThreadSanitizer every goroutine is a fiber.  Switching orders nothing in the race build
 * (RN_RACE, in which src/sched itself is not instrumented): only rn__ready -> rn__park and
 * go -> start do, and the locks of the layers above. */
#ifndef RN_SCHED_FIBER_H
#define RN_SCHED_FIBER_H

#include "arch/arch.h"
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
#endif
#ifdef RN_FIBER_ASAN
void __sanitizer_start_switch_fiber(void **fake_stack, const void *bottom, size_t size);
void __sanitizer_finish_switch_fiber(void *fake_stack, const void **bottom, size_t *size);
void __asan_unpoison_memory_region(void const volatile *addr, size_t size);
void __lsan_register_root_region(const void *p, size_t size);
void __lsan_unregister_root_region(const void *p, size_t size);
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
#ifdef RN_RACE
    __tsan_switch_to_fiber(to->fiber, 1);
#else
    __tsan_switch_to_fiber(to->fiber, 0);
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

static inline void rn__fiber_create(struct rn_g *g)
{
#if defined(RN_FIBER_TSAN)
    g->fiber = __tsan_create_fiber(0);
#elif defined(RN_FIBER_ASAN)
    g->fiber = NULL;
    __asan_unpoison_memory_region(g->stack_lo, (size_t)(g->stack_hi - g->stack_lo));
#else
    (void)g;
#endif
}

static inline void rn__fiber_destroy(struct rn_g *g)
{
#ifdef RN_FIBER_TSAN
    __tsan_destroy_fiber(g->fiber);
#endif
    g->fiber = NULL;
}

/* What happened before release(g) happens before what follows acquire(g). */
static inline void rn__fiber_release(struct rn_g *g)
{
#ifdef RN_FIBER_TSAN
    __tsan_release(g);
#else
    (void)g;
#endif
}

static inline void rn__fiber_acquire(struct rn_g *g)
{
#ifdef RN_FIBER_TSAN
    __tsan_acquire(g);
#else
    (void)g;
#endif
}

/* The same for what is handed over in an object of the scheduler's. */
static inline void rn__fiber_publish(void *object)
{
#ifdef RN_RACE
    __tsan_release(object);
#else
    (void)object;
#endif
}

static inline void rn__fiber_see(void *object)
{
#ifdef RN_RACE
    __tsan_acquire(object);
#else
    (void)object;
#endif
}

#endif
