/* runnel/sync_type.h: what the objects of runnel/sync.h are made of.  Nothing here is for programs:
 * the fields are the library's, and are visible so that the objects can lie in the program's memory.
 */
#ifndef RUNNEL_SYNC_TYPE_H
#define RUNNEL_SYNC_TYPE_H

#include <runnel/base.h>
#include <runnel/context_type.h>
#if !defined(__cplusplus) && !defined(RN_MODEL)
#include <stdatomic.h>
#endif

struct rn_node;

/* Who waits for an object, and the lock that guards it.  All-zero is valid and empty. */
struct rn_waitq {
    rn_atomic(uint32_t) rn_lock;
    rn_atomic(uint32_t) rn_home; /* debug builds: where the object was first used; else a watched lock's number */
    struct rn_node *rn_first, *rn_last;
};
#ifdef __cplusplus
#define RN_WAITQ_INIT \
    {                 \
    }
#else
#define RN_WAITQ_INIT    \
    {                    \
        0, 0, NULL, NULL \
    }
#endif

/* The short ways in are compiled into the program, unless a debug build, one that explores schedules or
 * the race detector wants to see every call. */
#if defined(RN_DEBUG) || defined(RN_MODEL) || defined(RN_EXPLORE) || defined(RN_RACE) || defined(__SANITIZE_THREAD__)
#define RN__INLINE_SYNC 0
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define RN__INLINE_SYNC 0
#else
#define RN__INLINE_SYNC 1
#endif
#else
#define RN__INLINE_SYNC 1
#endif

#ifdef __cplusplus
#define RN__SYNC_LOAD_RELAXED(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define RN__SYNC_LOAD_ACQUIRE(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define RN__SYNC_STORE_RELAXED(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define RN__SYNC_STORE_RELEASE(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define RN__SYNC_CAS_ACQUIRE(p, old, v) \
    __atomic_compare_exchange_n((p), (old), (v), false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)
#define RN__SYNC_CAS_RELEASE(p, old, v) \
    __atomic_compare_exchange_n((p), (old), (v), false, __ATOMIC_RELEASE, __ATOMIC_RELAXED)
#else
#define RN__SYNC_LOAD_RELAXED(p) atomic_load_explicit((p), memory_order_relaxed)
#define RN__SYNC_LOAD_ACQUIRE(p) atomic_load_explicit((p), memory_order_acquire)
#define RN__SYNC_STORE_RELAXED(p, v) atomic_store_explicit((p), (v), memory_order_relaxed)
#define RN__SYNC_STORE_RELEASE(p, v) atomic_store_explicit((p), (v), memory_order_release)
#define RN__SYNC_CAS_ACQUIRE(p, old, v) \
    atomic_compare_exchange_strong_explicit((p), (old), (v), memory_order_acquire, memory_order_relaxed)
#define RN__SYNC_CAS_RELEASE(p, old, v) \
    atomic_compare_exchange_strong_explicit((p), (old), (v), memory_order_release, memory_order_relaxed)
#endif

/* RN_WATCHED while locks are watched (RUNNEL_LOCKORDER=1), else 0: bits that the state of no lock has. */
#define RN_WATCHED 0x80000001u
RN_EXTERN_C_BEGIN
RN_PUBLIC extern uint32_t rn__watched_locks;
RN_EXTERN_C_END

#endif
