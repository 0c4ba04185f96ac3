/* Words that one thread changes without atomic operations, until another one wants to.
 *
 * A thread that is to own such words has a name: bits 16-30, never 0, which it writes into them.  It then changes them by
 * rn__solo_take and rn__solo_give, which are a load, a comparison and a store in a restartable section of Linux
 * (runnel/own.h): while nothing comes in between on this thread, as if they were one operation.
 *
 *     owner's section              another
 *     load the word, compare       change the word by an atomic operation to what the owner expects never
 *     store                        rn__solo_fence
 *                                  change it again, by a compare and swap: it is no more the owner's
 *
 * Each section of the owner's falls into one of these, by when the fence visits its thread:
 *  - it has stored.  The store comes before the first change, which then has read it; or after, and then the second finds
 *    it, since the fence has made it visible, and fails.
 *  - it is under way.  It is interrupted and stores nothing.
 *  - it begins later.  Its load then sees the first change, or a later one: the visit is a full fence.
 * So after the second change has succeeded no store of the owner's will ever come.  The second change must be for the one
 * alone who made the first (the others wait for a lock, or some such): who has called the fence for an earlier first
 * change may find the same value there again, and a section that began after that fence.
 *
 * What the owner does before rn__solo_give happens before who changes the word next by an acquiring operation, or takes
 * it by rn__solo_take; what was done before a releasing change of the word, before its rn__solo_take.
 *
 * A thread's name becomes another's when it has ended.  Its words are the other's then, who comes after all that it did.
 *
 * The fence costs 0.3 to some µs, and as much for each processor that it interrupts.  So names are lent by a budget: a
 * word may be made somebody's own only when rn__solo_afford says so.  Each is charged with what such a fence cost of late, and
 * twice, for those who were interrupted; what it really costs more is charged then.  In total that may be BURST and a
 * SHARE of the time since the first: this is what a program loses by it in the worst case.
 *
 * None has a name where the kernel or the C library has no such sections (os/linux/section.c), nor a plain thread that has not
 * waited or entered the runtime in another way yet.
 *
 * What is gained differs.  A mutex takes two atomic operations and little else, and sections gain on all processors that were
 * tried (EPYC 7003: 5.9 -> 2.2 ns).  A send or receive takes one, and some forty instructions with eight stores that need not wait
 * for it.  Xeon (an atomic addition takes 7 ns): a send and a receive 26 -> 8 ns.  EPYC 7003 (2.4 ns): 6.6 either
 * way, one by one, 7.4 -> 6.7 by 64, a job of ten workers 19.3 -> 21, and 38 in one process of three: there the atomic
 * operation is hidden behind the rest, and the section's two stores are not.  So it is measured whether it pays (solo.c).
 *
 * Rejected: own words of a processor (its worker changes whenever a goroutine computes for long, without its doing); a
 * second word that says who is about to change the first one (it would be looked at after the change, when the memory may have
 * been freed); that others help with a change that is under way, instead of waiting for it (then a fence may be older than
 * the change which it is to be for; see above).
 *
 * Model test: tests/model/mutex.c.
 */
#ifndef RN_SCHED_SOLO_H
#define RN_SCHED_SOLO_H

enum { RN_SOLO_NAME_SHIFT = 16 };

#ifdef RN_MODEL
#include "model_solo.h"
#else
#include "sched/rt.h"
#include <runnel/own.h>

/* By who has a name (rn__solo, runnel/own.h): if *word is from it becomes to.  False: it is not, or something has come in
 * between.  take acquires, give releases. */
static inline bool rn__solo_take(rn_atomic(uint32_t) * word, uint32_t from, uint32_t to)
{
    return rn__section_take(word, from, to);
}

static inline bool rn__solo_give(rn_atomic(uint32_t) * word, uint32_t from, uint32_t to)
{
    return rn__section_give(word, from, to);
}

/* The running thread's name, which it is given if it has none; 0: it can't have one. */
uint32_t rn__solo_name(void);

/* Whether a word more may be made somebody's own now; if so, that is charged. */
bool rn__solo_afford(void);

/* As in the table above.  It takes some µs. */
void rn__solo_fence(void);

/* By who has a name: whether a section is so much faster than an atomic operation that it is worth while also where much is
 * done with what the word guards (a channel).  The first call measures it, for some µs. */
bool rn__solo_pays(void);
extern rn_atomic(uint32_t) rn__solo_paying; /* enum rn_solo_paying; tests write it */
enum rn_solo_paying { RN_SOLO_NOT_MEASURED, RN_SOLO_PAYS, RN_SOLO_PAYS_NOT };

/* Whether one worker is left to work, for a while, and the others stand aside. */
static inline bool rn__solo_alone(void)
{
    /* relaxed, both: a guess; they come back by themselves, or are woken, whenever it is. */
    uint32_t aside = rn_load_relaxed(&rn__sched.aside_n);
    return aside != 0 && aside + rn_load_relaxed(&rn__sched.idle_p_n) + 1 >= rn__procs_used();
}
#endif

/* Who may own a word next is kept in another one, which whoever has locked the first may change: bits 1-2 RN_SOLO_WORN, how
 * often it was taken from an owner; 8-15 RN_SOLO_SEEN, how many looks in a row have seen the thread that is named in bits 16-30. */
enum {
    RN_SOLO_WORN = 2,
    RN_SOLO_WORN_MOST = 6,
    RN_SOLO_SEEN = 0x100,
    RN_SOLO_SEEN_ALL = 0xff00,
    RN_SOLO_NAME = 0x7fff0000
};
enum { RN_SOLO_KEPT = ~(RN_SOLO_SEEN_ALL | RN_SOLO_NAME) }; /* what a wait, or an owner, leaves in it */
enum { RN_SOLO_EARNS = 4 };                                 /* looks that must have seen the same thread */

/* A look: whether the thread with this name has earned the word.  Each time that it was taken away it takes four times as many
 * looks to the next, up to 255; but not while all other workers stand aside (crowd.c), who took it when they came back to try. */
static inline bool rn__solo_earns(uint32_t *book, uint32_t name)
{
    uint32_t b = *book, seen = (b & RN_SOLO_NAME) == name ? (b & RN_SOLO_SEEN_ALL) / RN_SOLO_SEEN : 0;
    uint32_t wanted = RN_SOLO_EARNS << (rn__solo_alone() ? 0 : b & RN_SOLO_WORN_MOST);
    if (wanted > RN_SOLO_SEEN_ALL / RN_SOLO_SEEN)
        wanted = RN_SOLO_SEEN_ALL / RN_SOLO_SEEN;
    bool earned = ++seen >= wanted && rn__solo_afford();
    if (seen >= wanted)
        seen = earned ? 0 : wanted - 1;
    *book = (b & (uint32_t)RN_SOLO_KEPT) | seen * RN_SOLO_SEEN | name;
    return earned;
}

/* It was taken from its owner. */
static inline void rn__solo_wear(uint32_t *book)
{
    uint32_t kept = *book & (uint32_t)RN_SOLO_KEPT;
    *book = (kept & RN_SOLO_WORN_MOST) < RN_SOLO_WORN_MOST ? kept + RN_SOLO_WORN : kept;
}

#endif
