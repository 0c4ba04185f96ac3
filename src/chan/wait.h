/* Waits in somebody else's queue that a context, or a deadline, can end: what src/sync builds its
 * _ctx forms on.
 *
 *     rn_atomic(uint32_t) claim = 0;
 *     struct rn_waiter w = {.g = rn__self(), .claim = &claim, .of = m, .queued = true};
 *     lock(m); …; rn_list_push(&m->waiters, &w.node); unlock(m);
 *     int err = rn__wait_ctx(&w, ctx, RN_WAIT_MUTEX, m);
 *     if (err) { lock(m); if (w.queued) remove; unlock(m); return err; }
 *
 * The waker, with the queue's lock: pop; w->queued = false; if (rn__waiter_claim(w)) { w->g->woken_by = w;
 * … unlock; rn__ready(w->g) } else next.  A waiter that lost its claim may be popped by a waker, so
 * the one who waited must always take the queue's lock before its record goes out of scope, unless
 * it was woken through it (result 0).
 */
#ifndef RN_CHAN_WAIT_H
#define RN_CHAN_WAIT_H

#include "base/inner.h"
#include "chan/done.h"

/* Parks until w is woken (0) or ctx is done (its error, RN_ECANCELED or RN_ETIMEOUT).  w has been
 * queued by the caller, with g and claim set; no lock is held.  ctx may be NULL. */
int rn__wait_ctx(struct rn_waiter *w, rn_context *ctx, enum rn_wait why, const void *what);

/* The same, and RN_ETIMEOUT once the deadline has passed (rn__now's clock; INT64_MAX: none). */
RN_INNER int rn__wait_until(struct rn_waiter *w, rn_context *ctx, rn_time deadline, enum rn_wait why, const void *what);

#endif
