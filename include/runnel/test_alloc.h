/* runnel/test_alloc.h: counts calls of malloc and its kin, for the allocs/op of benchmarks.
 *
 * runnel/test.h includes it in the test program that `runnel test -bench` builds (with -DRN_BENCH_ALLOC); include it
 * nowhere yourself.  The program's own malloc takes the place of libc's, also for calls from libraries, and hands
 * over to it (glibc offers it as __libc_malloc); what is freed, or reallocated, is libc's as ever.
 *
 * Each thread counts in a slot of its own, which no other writes; threads beyond the last slot share that one.
 */
#ifndef RUNNEL_TEST_ALLOC_H
#define RUNNEL_TEST_ALLOC_H

#include <errno.h>
#include <runnel/test.h>
#include <stddef.h>

RN_EXTERN_C_BEGIN

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t alignment, size_t n);

enum { RN_ALLOC_SLOTS = 256 };
static struct rn_alloc_slot {
    uint64_t calls, bytes;
    char alone[112];
} rn_alloc_slots[RN_ALLOC_SLOTS];
static uint32_t rn_alloc_threads;
static __thread __attribute__((tls_model("initial-exec"))) uint32_t rn_alloc_slot; /* its number, from 1 */

static inline void rn_alloc_count(size_t n)
{
    if (!rn_alloc_slot) {
        /* relaxed: numbers, each taken once */
        uint32_t mine = __atomic_add_fetch(&rn_alloc_threads, 1, __ATOMIC_RELAXED);
        rn_alloc_slot = mine < RN_ALLOC_SLOTS ? mine : (uint32_t)RN_ALLOC_SLOTS;
    }
    struct rn_alloc_slot *slot = &rn_alloc_slots[rn_alloc_slot - 1];
    /* relaxed: a sum that is read when the counted work is done */
    if (rn_alloc_slot == RN_ALLOC_SLOTS) {
        __atomic_fetch_add(&slot->calls, 1, __ATOMIC_RELAXED);
        __atomic_fetch_add(&slot->bytes, n, __ATOMIC_RELAXED);
    } else {
        __atomic_store_n(&slot->calls, slot->calls + 1, __ATOMIC_RELAXED);
        __atomic_store_n(&slot->bytes, slot->bytes + n, __ATOMIC_RELAXED);
    }
}

static void rn_alloc_sum(uint64_t *calls, uint64_t *bytes)
{
    *calls = *bytes = 0;
    for (int i = 0; i < RN_ALLOC_SLOTS; i++) { /* relaxed: see above */
        *calls += __atomic_load_n(&rn_alloc_slots[i].calls, __ATOMIC_RELAXED);
        *bytes += __atomic_load_n(&rn_alloc_slots[i].bytes, __ATOMIC_RELAXED);
    }
}

__attribute__((constructor)) static void rn_alloc_begin(void)
{
    rn_bench_count_with(rn_alloc_sum);
}

void *malloc(size_t n)
{
    rn_alloc_count(n);
    return __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
    rn_alloc_count(n * size);
    return __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
    rn_alloc_count(n);
    return __libc_realloc(p, n);
}

void *memalign(size_t alignment, size_t n)
{
    rn_alloc_count(n);
    return __libc_memalign(alignment, n);
}

void *aligned_alloc(size_t alignment, size_t n)
{
    rn_alloc_count(n);
    return __libc_memalign(alignment, n);
}

int posix_memalign(void **p, size_t alignment, size_t n)
{
    if (alignment % sizeof(void *) != 0 || (alignment & (alignment - 1)) != 0 || alignment == 0)
        return EINVAL;
    rn_alloc_count(n);
    void *got = __libc_memalign(alignment, n);
    if (!got)
        return ENOMEM;
    *p = got;
    return 0;
}

RN_EXTERN_C_END

#endif
