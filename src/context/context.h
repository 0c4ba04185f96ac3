/* A context's slot, as src/context sees it.  context.c says what always holds. */
#ifndef RN_CONTEXT_CONTEXT_H
#define RN_CONTEXT_CONTEXT_H

#include "chan/done.h"

enum rn_ctx_kind { RN_CTX_PLAIN, RN_CTX_AFTER };

struct rn_ctx {
    struct rn_done done;
    struct rn_list children;           /* guarded by done.lock */
    struct rn_node sibling;            /* in the parent's children; guarded by the parent's lock */
    struct rn_ctx *parent;             /* NULL below the background, and below one that was gone */
    rn_atomic(struct rn_ctx *) values; /* the nearest above it that has a key */
    rn_atomic(int64_t) when;           /* the deadline, or INT64_MAX */
    rn_atomic(uintptr_t) key, value;   /* of ctx_with_value, key 0: none; for AFTER f and arg */
    uint8_t kind;                      /* enum rn_ctx_kind */
    bool linked;                       /* in the parent's children; guarded by the parent's lock */
    bool let_go;                       /* the maker's reference is gone; guarded by done.lock */
    bool timed;                        /* has a timer; set before the slot is shared */
    int32_t late_cause;                /* the cause when the timer ends it */
    uint32_t retained;                 /* ctx_retain minus ctx_release; guarded by done.lock */
    struct rn_timer_entry timer;
};

RN_STATIC_ASSERT(sizeof(struct rn_ctx) <= RN_DONE_SLOT, "a context fits its slot");

static inline struct rn_ctx *rn__ctx_of(struct rn_done *d)
{
    return (struct rn_ctx *)(void *)d;
}

static inline void rn__ctx_lock(struct rn_ctx *c)
{
    rn_lock_take(&c->done.lock, RN_RANK_DONE);
}

static inline void rn__ctx_unlock(struct rn_ctx *c)
{
    rn_lock_release(&c->done.lock);
}

#endif
