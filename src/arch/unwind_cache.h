/* An entry of the unwinder's cache: a sequence lock.
 *
 * A writer makes seq odd with a compare-and-swap, and gives up when another writer is at it; a reader that saw seq odd
 * or changed goes to the tables instead.  Any number of readers and writers may overlap, in signal handlers too:
 * nobody waits.  RN_UNWIND_WORDS, how many words an entry has, is said before (unwind_regs.h).
 * tests/model/unwind_cache.c runs it. */
#ifndef RN_ARCH_UNWIND_CACHE_H
#define RN_ARCH_UNWIND_CACHE_H

#include "base/atomic.h"

struct rn_unwind_entry {
    rn_atomic(uint64_t) seq; /* odd while being written */
    rn_atomic(uint64_t) pc;  /* 0: empty */
    rn_atomic(uint64_t) word[RN_UNWIND_WORDS];
};

/* Copies what was put for pc to `word`; false when the entry has nothing for it, or is being written. */
static inline bool rn__unwind_entry_get(struct rn_unwind_entry *e, uint64_t pc, uint64_t *word)
{
    /* acquire: pairs with put's release; the words below are at least as new as seq. */
    uint64_t seq = rn_load_acquire(&e->seq);
    if ((seq & 1) || rn_load_relaxed(&e->pc) != pc)
        return false;
    for (int i = 0; i < RN_UNWIND_WORDS; i++)
        word[i] = rn_load_relaxed(&e->word[i]);
    /* acquire fence: the words were read before seq is read again; pairs with the fence in put. */
    rn_fence_acquire();
    return rn_load_relaxed(&e->seq) == seq;
}

static inline void rn__unwind_entry_put(struct rn_unwind_entry *e, uint64_t pc, const uint64_t *word)
{
    uint64_t seq = rn_load_relaxed(&e->seq);
    /* acquire: orders this writer after the last one. */
    if ((seq & 1) || !rn_cas_acquire(&e->seq, &seq, seq + 1))
        return;
    /* release fence: a reader that sees a word of this writer sees seq odd, or later. */
    rn_fence_release();
    rn_store_relaxed(&e->pc, pc);
    for (int i = 0; i < RN_UNWIND_WORDS; i++)
        rn_store_relaxed(&e->word[i], word[i]);
    /* release: pairs with get's acquire; publishes pc and the words. */
    rn_store_release(&e->seq, seq + 2);
}

#endif
