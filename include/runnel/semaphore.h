/* runnel/semaphore.h: a weighted semaphore: so many units may be in use at a time.
 *
 *     rn_semaphore slots = RN_SEMAPHORE_INIT(8);
 *     if (sem_acquire(ctx, &slots, 1) == 0) {
 *         …
 *         sem_release(&slots, 1);
 *     }
 *
 * Strictly first come, first served: who wants much is not passed by those who want little.  All-zero
 * is valid, and of size 0.
 *
 * From goroutines and plain threads; not from signal handlers.
 * Happens before: a release before the return of an acquire that it lets go.
 * (golang.org/x/sync/semaphore.)
 */
#ifndef RUNNEL_SEMAPHORE_H
#define RUNNEL_SEMAPHORE_H

#include <runnel/sync_type.h>

typedef struct rn_semaphore {
    int64_t rn_size, rn_used; /* guarded by rn_queue */
    struct rn_waitq rn_queue;
} rn_semaphore;

#define RN_SEMAPHORE_INIT(size)  \
    {                            \
        (size), 0, RN_WAITQ_INIT \
    }

RN_EXTERN_C_BEGIN

/* Takes n units; waits until they are free and all who came before are served.  NULL for ctx: nothing ends the wait, and
 * the result is 0.  0, or RN_ECANCELED or RN_ETIMEOUT when ctx is done first, or before the call; then
 * nothing is taken.  More than the size is never free: waits until ctx is done.
 * n < 0: panics. */
RN_PUBLIC int rn_sem_acquire(rn_context *ctx, rn_semaphore *s, int64_t n);
/* Takes n units if that needs no waiting; returns whether it did. */
RN_PUBLIC RN_MUST_USE bool rn_sem_try_acquire(rn_semaphore *s, int64_t n);
/* Gives n units back.  More than are in use: panics with "semaphore: released more than held". */
RN_PUBLIC void rn_sem_release(rn_semaphore *s, int64_t n);
/* Says that nobody uses s any more; see rn_mutex_destroy. */
RN_PUBLIC void rn_sem_destroy(rn_semaphore *s);

RN_EXTERN_C_END

#ifndef RN_NO_SHORT_NAMES
#define sem_acquire rn_sem_acquire
#define sem_try_acquire rn_sem_try_acquire
#define sem_release rn_sem_release
#endif
/* sem_destroy is POSIX's: no short name. */

#endif
