/* runnel/atomic.h: atomic integers, flags and pointers, as Go's sync/atomic types.
 *
 *     static rn_atomic_int64 hits;                    // all-zero is valid
 *     rn_atomic_add(&hits, 1);
 *     printf("%" PRId64 "\n", rn_atomic_load(&hits));
 *
 * The macros work on any of the types; each is evaluated once and returns a value of the type
 * inside.  All are sequentially consistent: what came before an operation that others see comes
 * before what they do after they saw it.  Never block; any thread, signal handlers too.
 * A plain read of the field inside is a data race; _Atomic of C11 works just as well with runnel.
 * (Go memory model, "Atomic Values".)
 */
#ifndef RUNNEL_ATOMIC_H
#define RUNNEL_ATOMIC_H

#include <runnel/base.h>

typedef struct rn_atomic_int {
    int rn_value;
} rn_atomic_int;
typedef struct rn_atomic_int32 {
    int32_t rn_value;
} rn_atomic_int32;
typedef struct rn_atomic_uint32 {
    uint32_t rn_value;
} rn_atomic_uint32;
typedef struct rn_atomic_int64 {
    int64_t rn_value;
} rn_atomic_int64;
typedef struct rn_atomic_uint64 {
    uint64_t rn_value;
} rn_atomic_uint64;
typedef struct rn_atomic_bool {
    bool rn_value;
} rn_atomic_bool;
typedef struct rn_atomic_ptr {
    void *rn_value;
} rn_atomic_ptr;

/* The value now. */
#define rn_atomic_load(a) __atomic_load_n(&(a)->rn_value, __ATOMIC_SEQ_CST)
/* Makes it v. */
#define rn_atomic_store(a, v) __atomic_store_n(&(a)->rn_value, (v), __ATOMIC_SEQ_CST)
/* Makes it v, and returns what it was. */
#define rn_atomic_swap(a, v) __atomic_exchange_n(&(a)->rn_value, (v), __ATOMIC_SEQ_CST)
/* Adds n, which may be negative, and returns the new value.  Wraps around.  Integers only. */
#define rn_atomic_add(a, n) __atomic_add_fetch(&(a)->rn_value, (n), __ATOMIC_SEQ_CST)
/* Bitwise and, or; return what it was.  Integers only. */
#define rn_atomic_and(a, mask) __atomic_fetch_and(&(a)->rn_value, (mask), __ATOMIC_SEQ_CST)
#define rn_atomic_or(a, mask) __atomic_fetch_or(&(a)->rn_value, (mask), __ATOMIC_SEQ_CST)
/* Makes it v if it is `old`; returns whether it did. */
#define rn_atomic_compare_and_swap(a, old, v)                                                                  \
    __extension__({                                                                                            \
        __typeof__((a)->rn_value) rn_old_ = (old);                                                             \
        __atomic_compare_exchange_n(&(a)->rn_value, &rn_old_, (v), false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); \
    })

#endif
