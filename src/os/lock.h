/* The runtime's internal lock: a word, 0 free, 1 held.
 *
 * Held for tens of nanoseconds around a queue; never across a park or user code, nor across a system call but where
 * memory or a thread has to be made.
 * Taking it is one compare-and-swap, releasing it one store.  A holder may lose its processor to
 * the kernel, so a waiter spins briefly, then yields its thread, then naps.
 *
 * Lock order is data: base/lock_rank.h lists the ranks, lowest taken first; debug builds check that
 * a thread takes locks in rising rank.  Channels are taken in address order within their rank.
 * A function named _locked says first, by rn_lock_assert_held, which one its caller holds.
 */
#ifndef RN_OS_LOCK_H
#define RN_OS_LOCK_H

#include "base/inner.h"
#include "base/atomic.h"
#include "base/lock_rank.h"

typedef struct rn_lock {
    rn_atomic(uint32_t) held;
} rn_lock;

RN_INNER void rn__lock_slow(rn_lock *l);
/* Between two tries; round: how many there were before. */
RN_INNER void rn__lock_rest(unsigned round);

/* How many pauses this thread has waited at locks that others held. */
extern __thread uint64_t rn__lock_pauses __attribute__((visibility("hidden"), tls_model("initial-exec")));

static inline bool rn_lock_try(rn_lock *l, enum rn_rank rank)
{
    uint32_t free = 0;
    /* acquire: pairs with the release in rn_lock_release; publishes what the last holder wrote. */
    if (!rn_cas_acquire(&l->held, &free, 1))
        return false;
    rn__rank_taken(l, rank);
    return true;
}

static inline void rn_lock_take(rn_lock *l, enum rn_rank rank)
{
    uint32_t free = 0;
    rn__rank_check(l, rank);
    /* acquire: as in rn_lock_try. */
    if (__builtin_expect(!rn_cas_acquire(&l->held, &free, 1), 0))
        rn__lock_slow(l);
    rn__rank_taken(l, rank);
}

static inline void rn_lock_release(rn_lock *l)
{
    rn__rank_dropped(l);
    /* release: pairs with the acquire of the next holder. */
    rn_store_release(&l->held, 0);
}

/* Debug builds: this thread holds l.  Nothing in others. */
static inline void rn_lock_assert_held(const rn_lock *l)
{
    rn__rank_check_held(l);
}

/* Whether anybody holds it, at this moment. */
static inline bool rn_lock_is_held(rn_lock *l)
{
    return rn_load_relaxed(&l->held) != 0;
}

#endif
