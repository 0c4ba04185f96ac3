/* runnel/cond.h: waits until something that a mutex guards has changed.
 *
 *     mutex_lock(&mu);
 *     while (!ready)
 *         cond_wait(&changed, &mu);       // unlocks, waits, locks again
 *     …
 *     mutex_unlock(&mu);
 *
 *     the other side: mutex_lock(&mu); ready = true; cond_signal(&changed); mutex_unlock(&mu);
 *
 * There are no spurious wake-ups, but another goroutine may take the mutex before the one that was
 * woken, so wait in a loop.  A signal that nobody waits for is lost.  For most uses a channel is
 * simpler: a send for signal, a close for broadcast.  All-zero is valid; so is RN_COND_INIT.
 *
 * From goroutines and plain threads; not from signal handlers.
 * Happens before: a signal or broadcast before the return of a wait that it wakes.  (Go, sync.Cond.)
 */
#ifndef RUNNEL_COND_H
#define RUNNEL_COND_H

#include <runnel/mutex.h>

typedef struct rn_cond {
    rn_atomic(uint32_t) rn_waiting;
    struct rn_waitq rn_queue;
} rn_cond;

#define RN_COND_INIT     \
    {                    \
        0, RN_WAITQ_INIT \
    }

RN_EXTERN_C_BEGIN

/* Queues the caller, unlocks m, waits for a signal, and locks m again.  m must be locked. */
RN_PUBLIC void rn_cond_wait(rn_cond *c, rn_mutex *m);
/* As cond_wait, but stops waiting for the signal when ctx is done: 0, or RN_ECANCELED or
 * RN_ETIMEOUT.  In every case m is locked again when it returns.  A signal is not lost: it wakes
 * either this goroutine, which then returns 0, or another. */
RN_PUBLIC RN_MUST_USE int rn_cond_wait_ctx(rn_context *ctx, rn_cond *c, rn_mutex *m);
/* Wakes the goroutine that has waited longest, if there is one.  The mutex need not be held. */
RN_PUBLIC void rn_cond_signal(rn_cond *c);
/* Wakes all that wait now. */
RN_PUBLIC void rn_cond_broadcast(rn_cond *c);
/* Says that nobody uses c any more; see rn_mutex_destroy. */
RN_PUBLIC void rn_cond_destroy(rn_cond *c);

RN_EXTERN_C_END

#ifndef RN_NO_SHORT_NAMES
#define cond_wait rn_cond_wait
#define cond_wait_ctx rn_cond_wait_ctx
#define cond_signal rn_cond_signal
#define cond_broadcast rn_cond_broadcast
#define cond_destroy rn_cond_destroy
#endif

#endif
