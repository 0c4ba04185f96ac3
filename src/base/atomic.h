/* Atomic operations with the memory order in the name.
 *
 * Every atomic access in runnel goes through this file; there is no default order.  Beside each
 * use stands a comment that says which other operation it pairs with and what that publishes.
 *
 * Fields are declared `rn_atomic(T)` (from runnel/base.h).  With RN_MODEL defined, the operations
 * are those of the model checker (tests/model/engine), which explores every interleaving and every
 * value that the C11 memory model lets a load return; the code under test stays the same.
 *
 * rn_fence_light / rn_os_fence_heavy are the two sides of an asymmetric Dekker pattern: the light
 * side is a compiler barrier when the kernel has membarrier(PRIVATE_EXPEDITED), the heavy side
 * makes every running thread of the process execute a full fence (see os/os.h).
 */
#ifndef RN_BASE_ATOMIC_H
#define RN_BASE_ATOMIC_H

#include "base/sanitizers.h"
#include <runnel/base.h>
#include <stdbool.h>
#include <stdint.h>

#ifdef RN_MODEL
#include "model_atomic.h"
#else
#include <stdatomic.h>

#define rn_load_relaxed(p) atomic_load_explicit((p), memory_order_relaxed)
#define rn_load_acquire(p) atomic_load_explicit((p), memory_order_acquire)
#define rn_load_seq_cst(p) atomic_load_explicit((p), memory_order_seq_cst)
#define rn_store_relaxed(p, v) atomic_store_explicit((p), (v), memory_order_relaxed)
#define rn_store_release(p, v) atomic_store_explicit((p), (v), memory_order_release)
#define rn_store_seq_cst(p, v) atomic_store_explicit((p), (v), memory_order_seq_cst)

/* Compare and swap, strong: true when *p was *expected and is now v; otherwise *expected is what
 * was found.  The order is that of success; failure is relaxed, but for acq_rel, where it is acquire, and
 * seq_cst, where it is seq_cst: what fails is one side of a Dekker pattern as well. */
#define rn_cas_relaxed(p, expected, v) \
    atomic_compare_exchange_strong_explicit((p), (expected), (v), memory_order_relaxed, memory_order_relaxed)
#define rn_cas_acquire(p, expected, v) \
    atomic_compare_exchange_strong_explicit((p), (expected), (v), memory_order_acquire, memory_order_relaxed)
#define rn_cas_release(p, expected, v) \
    atomic_compare_exchange_strong_explicit((p), (expected), (v), memory_order_release, memory_order_relaxed)
#define rn_cas_acq_rel(p, expected, v) \
    atomic_compare_exchange_strong_explicit((p), (expected), (v), memory_order_acq_rel, memory_order_acquire)
#define rn_cas_seq_cst(p, expected, v) \
    atomic_compare_exchange_strong_explicit((p), (expected), (v), memory_order_seq_cst, memory_order_seq_cst)

#define rn_xchg_relaxed(p, v) atomic_exchange_explicit((p), (v), memory_order_relaxed)
#define rn_xchg_acquire(p, v) atomic_exchange_explicit((p), (v), memory_order_acquire)
#define rn_xchg_acq_rel(p, v) atomic_exchange_explicit((p), (v), memory_order_acq_rel)
#define rn_xchg_seq_cst(p, v) atomic_exchange_explicit((p), (v), memory_order_seq_cst)

/* Each returns the value from before. */
#define rn_add_relaxed(p, v) atomic_fetch_add_explicit((p), (v), memory_order_relaxed)
#define rn_add_release(p, v) atomic_fetch_add_explicit((p), (v), memory_order_release)
#define rn_add_acq_rel(p, v) atomic_fetch_add_explicit((p), (v), memory_order_acq_rel)
#define rn_add_seq_cst(p, v) atomic_fetch_add_explicit((p), (v), memory_order_seq_cst)
#define rn_sub_relaxed(p, v) atomic_fetch_sub_explicit((p), (v), memory_order_relaxed)
#define rn_sub_release(p, v) atomic_fetch_sub_explicit((p), (v), memory_order_release)
#define rn_sub_acq_rel(p, v) atomic_fetch_sub_explicit((p), (v), memory_order_acq_rel)
#define rn_or_acq_rel(p, v) atomic_fetch_or_explicit((p), (v), memory_order_acq_rel)
#define rn_and_acq_rel(p, v) atomic_fetch_and_explicit((p), (v), memory_order_acq_rel)

#define rn_fence_compiler() atomic_signal_fence(memory_order_seq_cst)
#ifdef RN_TSAN
/* ThreadSanitizer does not model fences: a read-modify-write of one shared word orders at least as
 * much for it, and is a full fence on every machine that TSan runs on. */
extern rn_atomic(uint32_t) rn__tsan_fence_word;
#define rn_fence_acquire() ((void)rn_add_seq_cst(&rn__tsan_fence_word, 0))
#define rn_fence_release() ((void)rn_add_seq_cst(&rn__tsan_fence_word, 0))
#define rn_fence_seq_cst() ((void)rn_add_seq_cst(&rn__tsan_fence_word, 0))
#else
#define rn_fence_acquire() atomic_thread_fence(memory_order_acquire)
#define rn_fence_release() atomic_thread_fence(memory_order_release)
#define rn_fence_seq_cst() atomic_thread_fence(memory_order_seq_cst)
#endif

/* True once the heavy side can interrupt every thread; written before the first worker starts. */
extern bool rn__fence_asymmetric;

static inline void rn_fence_light(void)
{
    if (__builtin_expect(rn__fence_asymmetric, 1))
        rn_fence_compiler();
    else
        rn_fence_seq_cst();
}

/* The same where what is done depends on rn__fence_asymmetric being true. */
#define rn_fence_light_known() rn_fence_compiler()
#endif /* RN_MODEL */

/* What a plain word of another's holds at some moment, for one who only wants to fetch what it may point to:
 * no choice may depend on it.  NULL where it would be a race to those who look for races. */
#if defined(RN_MODEL) || defined(RN_TSAN)
#define rn_glance(p) ((void)(p), NULL)
#else
#define rn_glance(p) ((const void *)*(void *const volatile *)(p))
#endif

static inline void rn_cpu_pause(void)
{
#if defined(RN_MODEL)
    rn__model_yield();
#elif defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb" ::: "memory");
#endif
}

/* So many pauses before a word is looked at again, and no look before they are over: processors guess that a loop of
 * pauses ends, and read ahead what comes after it.  Each such read takes the line from who works on it, while the one
 * who waits means to leave it alone: locks and unlocks beside a thread that paused 400 times between two looks took 43 ns
 * instead of 10. */
static inline void rn_cpu_rest(unsigned pauses)
{
    for (unsigned i = 0; i < pauses; i++)
        rn_cpu_pause();
#if defined(__x86_64__) && !defined(RN_MODEL)
    __builtin_ia32_lfence();
#endif
}

/* The processor's counter of time: not ordered with anything else; its steps and its worth are for src/os to know. */
static inline uint64_t rn_cpu_count(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
    uint64_t count;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(count));
    return count;
#endif
}

/* Before another try at what others want as well, the one after `failed` failures: twice as long each time, to a limit.
 * Returns how many pauses that were. */
static inline unsigned rn_cpu_pauses(unsigned failed)
{
#ifdef RN_MODEL
    (void)failed;
    rn_cpu_pause();
    return 1;
#else
    enum { FIRST = 16, DOUBLED = 4 };
    unsigned n = FIRST << (failed < DOUBLED ? failed : DOUBLED);
    rn_cpu_rest(n);
    return n;
#endif
}

#endif
