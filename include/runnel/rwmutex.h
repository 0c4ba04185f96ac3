/* runnel/rwmutex.h: a lock that many readers share, or one writer holds.
 *
 *     static rn_rwmutex mu;                // all-zero is valid; so is RN_RWMUTEX_INIT
 *
 *     rwmutex_rlock(&mu);   … read …   rwmutex_runlock(&mu);
 *     rwmutex_lock(&mu);    … write …  rwmutex_unlock(&mu);
 *
 * A waiting writer stops new readers, so that readers can't keep it out for ever; when it unlocks, the readers that
 * wait by then go before the next waiting writer.  As with a mutex, a goroutine that is running may overtake one that
 * has to be woken, but the same one only once.  Because of this a goroutine must not take a second read lock while it
 * holds one: if a writer comes in between, that is a deadlock (which is reported if nobody else runs).  A read lock
 * can't be turned into a write lock.  Like a mutex it belongs to no goroutine and must not be copied once used.
 *
 * After some thousand reads with no write in between, readers cost no atomic operation and share no memory that they
 * write; the next writer then pays some microseconds.  The lock finds out by itself which way of counting suits it.
 *
 * From goroutines and plain threads; not from signal handlers.
 * Happens before: an unlock before every later rlock or
 * lock returns; a runlock before the next lock returns.  (Go, sync.RWMutex.)
 */
#ifndef RUNNEL_RWMUTEX_H
#define RUNNEL_RWMUTEX_H

#include <runnel/go.h>
#include <runnel/own.h>
#include <runnel/sync_type.h>

typedef struct rn_rwmutex {
    rn_atomic(uint64_t) rn_state;
    uint32_t rn_flags;
    rn_atomic(uint32_t) rn_rest;
    struct rn_waitq rn_writers;
    struct rn_node *rn_reader_first, *rn_reader_last;
} rn_rwmutex;

#define RN_RWMUTEX_INIT                    \
    {                                      \
        0, 0, 0, RN_WAITQ_INIT, NULL, NULL \
    }

RN_EXTERN_C_BEGIN

/* A place for readers that are counted apart: whether they may (src/sync/readers.h). */
struct rn_readers_place {
    rn_atomic(uintptr_t) rn_open; /* the name of the mutex whose readers may count themselves here, or 0 */
    rn_atomic(uint32_t) rn_awaited;
} __attribute__((aligned(64)));
extern RN_PUBLIC struct rn_readers_place rn__readers_places[];

RN_PUBLIC void rn__rwmutex_rlock_slow(rn_rwmutex *m);
RN_PUBLIC void rn__rwmutex_runlock_slow(rn_rwmutex *m);
/* A reader that is counted at a place has found it closed. */
RN_PUBLIC void rn__rwmutex_rlock_refused(rn_rwmutex *m, uint32_t place);
/* One who has left finds that somebody waits for it. */
RN_PUBLIC void rn__readers_left(uint32_t place);
RN_PUBLIC void rn__rwmutex_lock_slow(rn_rwmutex *m);
RN_PUBLIC void rn__rwmutex_unlock_slow(rn_rwmutex *m);

/* The bits of rn_state are explained in src/sync/rwmutex.c: 1 a writer, 2 somebody waits, 4 one is woken, 8 readers are
 * counted elsewhere; 0x20 each read lock since the last write lock, up to 0x8000; 0x10000 each reader.  From
 * 48 up: the place of those. */
#if RN__INLINE_SYNC
/* About how many read locks the running goroutine holds that are counted apart, by a thread with counts: the byte behind its list of
 * deferred calls. */
RN_PUBLIC RN__UNTRACED inline uint8_t *rn__reads(void)
{
    return (uint8_t *)(rn__defers_here() + 1);
}

/* Takes the read lock; waits while a writer holds m or waits for it. */
RN_PUBLIC inline void rn_rwmutex_rlock(rn_rwmutex *m)
{
    uint64_t rn_s = RN__SYNC_LOAD_RELAXED(&m->rn_state);
    if (__builtin_expect((rn_s & 8) != 0, 1)) {
        struct rn_count *rn_here = rn__counts();
        struct rn_readers_place *rn_place = &rn__readers_places[rn_s >> 48];
        uint8_t *rn_reads;
        if (__builtin_expect(!rn_here || *(rn_reads = rn__reads()), 0)) {
            rn__rwmutex_rlock_slow(m);
            return;
        }
        rn_here += rn_s >> 48;
        /* relaxed: it is this thread's. */
        RN__SYNC_STORE_RELAXED(&rn_here->rn_ups, RN__SYNC_LOAD_RELAXED(&rn_here->rn_ups) + 1);
        __asm__ volatile("" : : : "memory"); /* the light side of a fence whose heavy side comes after rn_open is 0 */
        /* acquire: pairs with the release by which the place was opened. */
        if (__builtin_expect(RN__SYNC_LOAD_ACQUIRE(&rn_place->rn_open) == ~(uintptr_t)m, 1))
            *rn_reads = 1;
        else
            rn__rwmutex_rlock_refused(m, (uint32_t)(rn_s >> 48));
        return;
    }
    rn_s |= rn__watched_locks;
    /* acquire: pairs with the release in rn_rwmutex_unlock and in src/sync/rwmutex.c. */
    if (__builtin_expect(rn_s & 0x8003, 0) || !RN__SYNC_CAS_ACQUIRE(&m->rn_state, &rn_s, rn_s + 0x10020))
        rn__rwmutex_rlock_slow(m);
}

/* Gives a read lock back.  When there is none: fatal error "sync: RUnlock of unlocked RWMutex". */
RN_PUBLIC inline void rn_rwmutex_runlock(rn_rwmutex *m)
{
    uint64_t rn_s = RN__SYNC_LOAD_RELAXED(&m->rn_state);
    if (__builtin_expect((rn_s & 8) != 0, 1)) {
        struct rn_count *rn_here = rn__counts();
        struct rn_readers_place *rn_place = &rn__readers_places[rn_s >> 48];
        uint8_t *rn_reads;
        if (__builtin_expect((uint32_t)(rn_s >> 16) || !rn_here || *(rn_reads = rn__reads()) != 1, 0)) {
            rn__rwmutex_runlock_slow(m);
            return;
        }
        rn_here += rn_s >> 48;
        *rn_reads = 0;
        /* release: pairs with the acquire of who adds the counts up.  relaxed: it is this thread's. */
        RN__SYNC_STORE_RELEASE(&rn_here->rn_downs, RN__SYNC_LOAD_RELAXED(&rn_here->rn_downs) + 1);
        __asm__ volatile("" : : : "memory"); /* as in lock, after rn_awaited is 1 */
        if (__builtin_expect(RN__SYNC_LOAD_RELAXED(&rn_place->rn_awaited) != 0, 0))
            rn__readers_left((uint32_t)(rn_s >> 48));
        return;
    }
    rn_s |= rn__watched_locks;
    /* release: pairs with the acquire in rn_rwmutex_lock. */
    if (__builtin_expect(rn_s & 3, 0) || rn_s < 0x10000 || !RN__SYNC_CAS_RELEASE(&m->rn_state, &rn_s, rn_s - 0x10000))
        rn__rwmutex_runlock_slow(m);
}

/* Takes the write lock; waits until all readers and writers before it are gone. */
RN_PUBLIC inline void rn_rwmutex_lock(rn_rwmutex *m)
{
    uint64_t rn_s = RN__SYNC_LOAD_RELAXED(&m->rn_state) | rn__watched_locks;
    /* acquire: pairs with the release in rn_rwmutex_unlock and rn_rwmutex_runlock. */
    if ((rn_s & ~UINT64_C(0xffe0)) || !RN__SYNC_CAS_ACQUIRE(&m->rn_state, &rn_s, 1))
        rn__rwmutex_lock_slow(m);
}

/* Gives the write lock back.  When it is not held: fatal error "sync: Unlock of unlocked RWMutex". */
RN_PUBLIC inline void rn_rwmutex_unlock(rn_rwmutex *m)
{
    uint64_t rn_s = 1 | rn__watched_locks;
    /* release: pairs with the acquire in rn_rwmutex_lock and rn_rwmutex_rlock. */
    if (!RN__SYNC_CAS_RELEASE(&m->rn_state, &rn_s, 0))
        rn__rwmutex_unlock_slow(m);
}
#else
RN_PUBLIC void rn_rwmutex_rlock(rn_rwmutex *m);
RN_PUBLIC void rn_rwmutex_runlock(rn_rwmutex *m);
RN_PUBLIC void rn_rwmutex_lock(rn_rwmutex *m);
RN_PUBLIC void rn_rwmutex_unlock(rn_rwmutex *m);
#endif

/* Never wait; return whether they took the lock. */
RN_PUBLIC RN_MUST_USE bool rn_rwmutex_try_rlock(rn_rwmutex *m);
RN_PUBLIC RN_MUST_USE bool rn_rwmutex_try_lock(rn_rwmutex *m);

/* As rlock and lock, but give up when ctx is done: 0 with the lock, or RN_ECANCELED or RN_ETIMEOUT
 * without.  A writer that gives up lets in the readers that it held back. */
RN_PUBLIC RN_MUST_USE int rn_rwmutex_rlock_ctx(rn_context *ctx, rn_rwmutex *m);
RN_PUBLIC RN_MUST_USE int rn_rwmutex_lock_ctx(rn_context *ctx, rn_rwmutex *m);

/* Says that nobody uses m any more; see rn_mutex_destroy. */
RN_PUBLIC void rn_rwmutex_destroy(rn_rwmutex *m);

RN_EXTERN_C_END

#ifndef RN_NO_SHORT_NAMES
#define rwmutex_rlock rn_rwmutex_rlock
#define rwmutex_runlock rn_rwmutex_runlock
#define rwmutex_lock rn_rwmutex_lock
#define rwmutex_unlock rn_rwmutex_unlock
#define rwmutex_try_rlock rn_rwmutex_try_rlock
#define rwmutex_try_lock rn_rwmutex_try_lock
#define rwmutex_rlock_ctx rn_rwmutex_rlock_ctx
#define rwmutex_lock_ctx rn_rwmutex_lock_ctx
#define rwmutex_destroy rn_rwmutex_destroy
#endif

#endif
