/* Waiting with a context and a deadline: see wait.h.
 *
 * Up to three queues hold this goroutine at once: the caller's, the context's and the timers.  They
 * share the caller's claim word, so exactly one of them wakes it.  Nothing of this function is left
 * in any of them when it returns.
 */
#include "chan/wait.h"

int rn__wait_until(struct rn_waiter *w, rn_context *ctx, rn_time deadline, enum rn_wait why, const void *what)
{
    struct rn_waiter done = {.g = w->g, .claim = w->claim, .of = (void *)(uintptr_t)ctx};
    struct rn_timeout t = {0};
    bool added = rn__done_add(ctx, &done);
    /* Done already: that is a wake-up like any other, unless another one came first; then that one
     * must be awaited, as its waker readies us. */
    if (!added && rn__waiter_claim(&done)) {
        rn__waiters_forget(w->g);
        return rn__done_seen(ctx);
    }
    bool timed = added && deadline != INT64_MAX;
    if (timed) {
        t.w.g = w->g;
        t.w.claim = w->claim;
        rn__timeout_start(&t, deadline);
    }
    struct rn_waiter *by = rn__park(why, what);
    if (timed)
        rn__timeout_stop(&t);
    if (added && by != &done)
        rn__done_remove(ctx, &done);
    return by == w ? 0 : by == &done ? rn__done_seen(ctx) : RN_ETIMEOUT;
}

int rn__wait_ctx(struct rn_waiter *w, rn_context *ctx, enum rn_wait why, const void *what)
{
    return rn__wait_until(w, ctx, INT64_MAX, why, what);
}
