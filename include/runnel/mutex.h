/* runnel/mutex.h: a lock that one goroutine holds at a time.
 *
 *     static rn_mutex mu;                  // all-zero is valid; so is RN_MUTEX_INIT
 *     static long balance;
 *
 *     mutex_lock(&mu);
 *     defer(mutex_unlock, &mu);            // or unlock by hand
 *     balance += amount;
 *
 * Not recursive: a goroutine that locks it again while holding it waits for ever (and the deadlock is reported
 * if nobody else runs).  It belongs to no goroutine: another one may unlock it.  Must not be copied
 * once used; debug builds panic on the copy.
 *
 * When it is unlocked, whoever comes first may take it, so that a busy lock is not passed from
 * thread to thread each time.  A waiter that has been passed over for a millisecond is handed the
 * lock directly, and so are those behind it until the queue has caught up; so nobody starves.
 *
 * An unlock's last access to the mutex comes before anybody else can have locked and unlocked it:
 * memory that holds a mutex may be freed by the one who was last to unlock it.
 *
 * From goroutines and plain threads (which wait as threads); not from signal handlers.
 * Happens before: an unlock before every later lock returns.  (Go, sync.Mutex.)
 */
#ifndef RUNNEL_MUTEX_H
#define RUNNEL_MUTEX_H

#include <runnel/own.h>
#include <runnel/sync_type.h>

typedef struct rn_mutex {
    rn_atomic(uint32_t) rn_state;
    uint32_t rn_flags;
    struct rn_waitq rn_queue;
} rn_mutex;

#define RN_MUTEX_INIT       \
    {                       \
        0, 0, RN_WAITQ_INIT \
    }

RN_EXTERN_C_BEGIN

RN_PUBLIC void rn__mutex_lock_slow(rn_mutex *m);
RN_PUBLIC void rn__mutex_unlock_slow(rn_mutex *m);

/* The bits of rn_state are explained in src/sync/mutex.c: 1 it is locked, 2 somebody is to be woken, 0x20 each lock of
 * late, up to 0x8000, 0x10000 and up whose own it is. */
#if RN__INLINE_SYNC
/* Locks m; waits while another holds it. */
RN_PUBLIC inline void rn_mutex_lock(rn_mutex *m)
{
    uint32_t rn_s = RN__SYNC_LOAD_RELAXED(&m->rn_state);
    if (__builtin_expect((rn_s & 0x7fff0000) != 0, 1)) {
        uint32_t rn_own = rn__solo();
        bool rn_mine = rn_s == rn_own;
        __asm__("" : "+r"(rn_own)); /* not rn_s, for which the section would wait: the word has just been stored */
        /* pairs with the release of whoever unlocked it: this thread, or one that it was locked on. */
        if (__builtin_expect(!rn_mine || !rn__section_take(&m->rn_state, rn_own, rn_own + 1), 0))
            rn__mutex_lock_slow(m);
        return;
    }
    rn_s |= rn__watched_locks;
    /* acquire: pairs with the release in rn_mutex_unlock and in src/sync/mutex.c. */
    if (__builtin_expect(rn_s & 0x8001, 0) || !RN__SYNC_CAS_ACQUIRE(&m->rn_state, &rn_s, rn_s + 0x21))
        rn__mutex_lock_slow(m);
}

/* Unlocks m and lets the next waiter go.  Of a mutex that is not locked: fatal error "sync: unlock of
 * unlocked mutex", which can't be recovered. */
RN_PUBLIC inline void rn_mutex_unlock(rn_mutex *m)
{
    uint32_t rn_s = RN__SYNC_LOAD_RELAXED(&m->rn_state);
    if (__builtin_expect((rn_s & 0x7fff0000) != 0, 1)) {
        uint32_t rn_own = rn__solo();
        bool rn_mine = rn_s == rn_own + 1;
        __asm__("" : "+r"(rn_own)); /* as in lock */
        /* pairs with the acquire in rn_mutex_lock, and of who takes it from this thread. */
        if (__builtin_expect(!rn_mine || !rn__section_give(&m->rn_state, rn_own + 1, rn_own), 0))
            rn__mutex_unlock_slow(m);
        return;
    }
    rn_s |= rn__watched_locks;
    /* Locked, nobody is to be woken.  release: pairs with the acquire in rn_mutex_lock. */
    if (__builtin_expect((rn_s & 0x80000003) != 1, 0) || !RN__SYNC_CAS_RELEASE(&m->rn_state, &rn_s, rn_s & ~1u))
        rn__mutex_unlock_slow(m);
}
#else
RN_PUBLIC void rn_mutex_lock(rn_mutex *m);
RN_PUBLIC void rn_mutex_unlock(rn_mutex *m);
#endif

/* Locks m if that is possible without waiting; returns whether it did. */
RN_PUBLIC RN_MUST_USE bool rn_mutex_try_lock(rn_mutex *m);

/* As lock, but gives up when ctx is done: 0 with m locked, or RN_ECANCELED or RN_ETIMEOUT without.
 * When both are possible, either may be chosen. */
RN_PUBLIC RN_MUST_USE int rn_mutex_lock_ctx(rn_context *ctx, rn_mutex *m);

/* Says that nobody uses m any more.  Never needed; a debug build panics when m is locked or waited
 * for, and at every use afterwards. */
RN_PUBLIC void rn_mutex_destroy(rn_mutex *m);

RN_EXTERN_C_END

#ifndef RN_NO_SHORT_NAMES
#define mutex_lock rn_mutex_lock
#define mutex_unlock rn_mutex_unlock
#define mutex_try_lock rn_mutex_try_lock
#define mutex_lock_ctx rn_mutex_lock_ctx
#define mutex_destroy rn_mutex_destroy
#endif

#endif
