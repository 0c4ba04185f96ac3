/* What is asked of a context, and waits for its end.
 *
 * Questions about what never changes (deadline, values) take no lock: slots are never given back, so
 * they read, and then look whether the slot's generation is still the handle's.  If so, the context
 * was there all the time, and so was everything above it, which it keeps.
 */
#include "chan/done.h"
#include "context/context.h"
#include <runnel/context.h>
#include <runnel/time.h>

int rn_ctx_err(const rn_context *ctx)
{
    rn__point(RN_AT_CONTEXT, ctx);
    return rn__done_seen(ctx);
}

int rn_ctx_cause(const rn_context *ctx)
{
    rn__point(RN_AT_CONTEXT, ctx);
    if (rn__done_never(ctx))
        return 0;
    struct rn_done *d = rn__done_lock(ctx);
    if (!d)
        return rn__done_seen(ctx);
    int cause = rn_load_relaxed(&d->word) & RN_DONE_FIRED ? d->cause : 0; /* changes under the lock */
    rn_lock_release(&d->lock);
    (void)rn__done_seen(ctx);
    return cause;
}

/* Whether the slot is still that of ctx, after something was read from it. */
static bool still(const struct rn_done *d, const rn_context *ctx)
{
    /* Pairs with the release fence in ctx_new. */
    rn_fence_acquire();
    return (rn_load_relaxed(&d->word) ^ (uintptr_t)ctx) >> RN_DONE_GEN_SHIFT == 0;
}

bool rn_ctx_deadline(const rn_context *ctx, rn_time *when)
{
    if (rn__done_never(ctx))
        return false;
    struct rn_ctx *c = rn__ctx_of(rn__done_slot(ctx));
    rn_time limit = rn_load_relaxed(&c->when); /* checked by still */
    if (limit == INT64_MAX || !still(&c->done, ctx))
        return false;
    if (when)
        *when = limit;
    return true;
}

void *rn_ctx_value(const rn_context *ctx, const void *key)
{
    if (rn__done_never(ctx) || !key)
        return NULL;
    struct rn_ctx *c = rn__ctx_of(rn__done_slot(ctx));
    /* relaxed: each round is checked by still before it counts. */
    for (struct rn_ctx *at = c; at; at = rn_load_relaxed(&at->values)) {
        uintptr_t found = rn_load_relaxed(&at->key), value = rn_load_relaxed(&at->value);
        if (!still(&c->done, ctx))
            return NULL;
        if (found == (uintptr_t)key)
            return (void *)value;
    }
    return NULL;
}

size_t rn_num_contexts(void)
{
    return rn__done_live();
}

/* ---- waiting ----------------------------------------------------------------------------------------- */

int rn_ctx_wait(const rn_context *ctx)
{
    if (rn__done_add(ctx, rn__waiter_own(rn__self(), NULL, (void *)(uintptr_t)ctx)))
        rn__park(RN_WAIT_CONTEXT, ctx);
    return rn__done_seen(ctx);
}

int(rn_sleep_ctx)(const rn_context *ctx, rn_duration d)
{
    if (d <= 0 || rn__done_never(ctx)) {
        rn_sleep(d);
        return rn__done_seen(ctx);
    }
    rn_atomic(uint32_t) claim = 0;
    struct rn_waiter done = {.g = rn__self(), .claim = &claim};
    struct rn_timeout t = {.w = {.g = done.g, .claim = &claim}};
    if (!rn__done_add(ctx, &done))
        return rn__done_seen(ctx);
    rn__timeout_start(&t, rn__deadline(d));
    if (rn__park(RN_WAIT_SLEEP, ctx) == &done) {
        rn__timeout_stop(&t);
        return rn__done_seen(ctx);
    }
    rn__timeout_over(&t);
    rn__done_remove(ctx, &done);
    return 0;
}

void *rn__ctx_done(rn_context *ctx)
{
    return rn__done_never(ctx) ? NULL : ctx;
}
