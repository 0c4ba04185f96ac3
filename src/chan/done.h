/* What channels, select and sync know of a context: a one-shot event that may already have fired.
 * (Written with src/context; the rest of a context is there.)
 *
 * A rn_context * is a handle, never dereferenced: the index of a slot and a generation.  Slots live
 * in memory that is never given back, and the generation changes when the last reference to a
 * context is dropped; so a handle that outlives its context is harmless, and reads as canceled.
 * docs/design/context.md says why.
 *
 *     bit 0        1 (a handle is never NULL and never a valid pointer to an object)
 *     bits 1-27    index of the slot; 0 is the background, which has no slot in use
 *     bits 28-63   generation
 *
 * The wait protocol is that of every queue (sched.h): a waiter is added, the caller parks, and after
 * that removes the waiter, unless it was woken by it.  RANK: the lock of a slot (RN_RANK_DONE) comes
 * after those of channels, so that select may add a waiter with its channels locked.
 *
 *     struct rn_waiter w = {.g = rn__self(), .claim = &claim, .index = i};
 *     if (!rn__done_add(ctx, &w)) → done already: rn__done_err(ctx)
 *     rn__park(…);  if (woken_by != &w) rn__done_remove(ctx, &w);
 */
#ifndef RN_CHAN_DONE_H
#define RN_CHAN_DONE_H

#include "base/list.h"
#include "base/race.h"
#include "os/lock.h"
#include "sched/sched.h"
#include <runnel/context_type.h>

enum {
    RN_DONE_INDEX_BITS = 27,
    RN_DONE_CHUNK_BITS = 10, /* slots in a chunk */
    RN_DONE_CHUNKS = 1 << (RN_DONE_INDEX_BITS - RN_DONE_CHUNK_BITS),
    RN_DONE_GEN_SHIFT = RN_DONE_INDEX_BITS + 1,
    RN_DONE_SLOT = 192, /* bytes; src/context needs as much */
    RN_DONE_FIRED = 1,  /* bits of word */
    RN_DONE_TIMED_OUT = 2,
};

/* The head of every slot. */
struct rn_done {
    rn_atomic(uint64_t) word; /* generation << RN_DONE_GEN_SHIFT | RN_DONE_FIRED … */
    rn_lock lock;             /* RN_RANK_DONE; a parent's before its child's */
    uint32_t refs;            /* guarded by lock; 0: the slot is free */
    struct rn_list waiters;   /* guarded by lock; empty once fired */
    uint32_t index;           /* of the slot; never changes */
    int32_t cause;            /* src/context's; guarded by lock */
};

/* Chunks of slots; an entry is written once and then stays. */
extern rn_atomic(char *) rn__done_chunk[RN_DONE_CHUNKS];

/* A context that can never be done. */
static inline bool rn__done_never(const rn_context *ctx)
{
    return (uintptr_t)ctx <= 1;
}

/* The slot of a handle that is not rn__done_never, whosever it is by now. */
static inline struct rn_done *rn__done_slot(const rn_context *ctx)
{
    uint32_t i = (uint32_t)((uintptr_t)ctx >> 1) & ((1u << RN_DONE_INDEX_BITS) - 1);
    /* acquire: pairs with the release in done_grow; publishes the zeroed slots. */
    char *chunk = rn_load_acquire(&rn__done_chunk[i >> RN_DONE_CHUNK_BITS]);
    return (struct rn_done *)(void *)(chunk + (size_t)(i & ((1u << RN_DONE_CHUNK_BITS) - 1)) * RN_DONE_SLOT);
}

/* 0 while ctx is not done, then RN_ECANCELED or RN_ETIMEOUT.  Never blocks, takes no lock.
 * What happened before the cancel happens before a call that returns not 0. */
static inline int rn__done_err(const rn_context *ctx)
{
    if (rn__done_never(ctx))
        return 0;
    /* acquire: pairs with the release in rn__done_fire_locked. */
    uint64_t word = rn_load_acquire(&rn__done_slot(ctx)->word);
    if ((word ^ (uintptr_t)ctx) >> RN_DONE_GEN_SHIFT)
        return RN_ECANCELED;
    if (!(word & RN_DONE_FIRED))
        return 0;
    return word & RN_DONE_TIMED_OUT ? RN_ETIMEOUT : RN_ECANCELED;
}

/* For the race detector: the name under which the end of ctx releases, and who sees it acquires.  A slot's
 * contexts have different ones, for a good while. */
static inline void *rn__done_name(const rn_context *ctx)
{
    enum { NAMES = RN_DONE_SLOT / 2 };
    uintptr_t gen = (uintptr_t)ctx >> RN_DONE_GEN_SHIFT;
    return RN_RACE_NAME(rn__done_slot(ctx), gen % NAMES);
}

/* rn__done_err for one who tells the program. */
static inline int rn__done_seen(const rn_context *ctx)
{
    int err = rn__done_err(ctx);
    if (RN_RACE_ON && err)
        rn__race_acquire(rn__done_name(ctx));
    return err;
}

/* Adds w to those whom the end of ctx wakes (claiming w, with woken_by = w and ok = false).  False,
 * and w is not added, when ctx is done already.  For a context that is rn__done_never it is true and
 * nothing is added.  With locks of rank up to RN_RANK_CHAN held. */
bool rn__done_add(const rn_context *ctx, struct rn_waiter *w);
/* Takes w out if it is still there.  When it returns nobody touches w any more on behalf of ctx. */
void rn__done_remove(const rn_context *ctx, struct rn_waiter *w);

/* ---- for src/context ------------------------------------------------------------------------- */

/* A free slot with one reference and a new generation; the rest behind struct rn_done is as its last
 * user left it, zero at first.  NULL when there is no memory. */
struct rn_done *rn__done_alloc(void);
/* The handle of a slot that the caller holds a reference to. */
rn_context *rn__done_handle(const struct rn_done *d);
/* Locks the slot and returns it when ctx is still in it; NULL, and nothing locked, when not. */
struct rn_done *rn__done_lock(const rn_context *ctx);
/* Marks d done and takes its waiters out; adds those whom it claims to wake.  d is locked and not
 * fired yet; err is RN_ECANCELED or RN_ETIMEOUT. */
void rn__done_fire_locked(struct rn_done *d, int err, struct rn_ready_list *wake);
/* Drops one reference, with the slot locked, and unlocks; true when it was the last: handles are
 * stale from now on, and the caller, who alone has the slot, gives it back by rn__done_free. */
bool rn__done_unref_unlock(struct rn_done *d);
void rn__done_free(struct rn_done *d);
/* Slots in use, for tests and leak reports. */
size_t rn__done_live(void);

#endif
