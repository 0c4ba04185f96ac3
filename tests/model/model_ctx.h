/* Contexts for model tests of waits that one can end: the real chan/done.c and chan/wait.c, with one
 * context and its cancel. */
#ifndef RN_MODEL_CTX_H
#define RN_MODEL_CTX_H

#include "model_sched.h"

#include "chan/done.c"
#include "chan/wait.c"

size_t rn_os_page = 4096;

static char model_slots[(size_t)SLOTS * RN_DONE_SLOT] __attribute__((aligned(4096)));
static rn_context *ctx;

void rn_os_init(void)
{
}

void *rn_os_map(size_t bytes, size_t align)
{
    (void)align;
    MODEL_CHECK(bytes == sizeof model_slots);
    memset(model_slots, 0, (BATCH + 1) * RN_DONE_SLOT); /* as far as one batch goes */
    return model_slots;
}

/* For setup: a context that nobody has cancelled. */
static inline void model_ctx_reset(void)
{
    memset(shards, 0, sizeof shards);
    pool.lock = (rn_lock){0};
    pool.next = 1;
    rn_store_relaxed(&rn__done_chunk[0], NULL);
    ctx = rn__done_handle(rn__done_alloc());
}

static inline void model_ctx_cancel(void)
{
    struct rn_ready_list wake = {0};
    struct rn_done *d = rn__done_lock(ctx);
    rn__done_fire_locked(d, RN_ECANCELED, &wake);
    rn_lock_release(&d->lock);
    if (wake.n)
        rn__ready_all(&wake);
}

/* Nobody waits for it any more. */
static inline bool model_ctx_quiet(void)
{
    return rn_list_empty(&rn__done_slot(ctx)->waiters);
}

/* No deadlines here. */
void rn__timeout_start(struct rn_timeout *t, rn_time when)
{
    (void)t, (void)when;
    model_fail("rn__timeout_start");
}

void rn__timeout_stop(struct rn_timeout *t)
{
    (void)t;
    model_fail("rn__timeout_stop");
}

#endif
