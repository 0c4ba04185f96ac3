/* The lock of a channel: one word, in which a thread's name may stand whose own the channel then is (sched/solo.h).
 *
 *     bit 0       HELD     somebody has the lock
 *     bit 1       LEAVING  somebody takes it from the thread whose own it is; never with HELD
 *     bits 16-30  the name of that thread; 0: it is nobody's own
 *
 *     transition                            by whom                              how
 *     0 -> HELD                             anybody                              compare and swap
 *     HELD -> 0                             the holder                           store; its last access
 *     HELD -> name|HELD                     the holder, with its own name        store
 *     name -> name|HELD                     the owner                            section, or compare and swap
 *     name|HELD -> name                     the holder, who is the owner         store; its last access
 *     name -> name|LEAVING -> HELD          anybody else                         `taking`; compare and swap, with the
 *                                                                                  fence in between
 *
 * What a channel costs that one thread alone uses was mostly the atomic operation of each send and receive, 5 to 8 ns.  Its
 * owner takes the lock by a load, a comparison and a store, which the kernel lets nothing come between on this thread.  Giving it back
 * is the store that it always was: nobody but the holder changes a word that is HELD.  What it stores is in `free`, which only the
 * holder writes; others read it, for a guess which of the two ways to take.  Where it is 0 that needs no look at the word before
 * the swap, and where it is a name none before the section.
 *
 * Nobody is in the owner's way unnoticed.  Who wants a channel that is another's sets LEAVING while it is free.  A section
 * of the owner's that began before that stores HELD before the fence or never (solo.h), and then the second compare and swap
 * fails, and all begins again; one that begins later finds LEAVING.  That the second is for the one alone who made the
 * first takes `taking`, which all channels share: it is taken for some µs, for each time that a channel was made
 * somebody's own, and for that there is a budget (solo.h, 2 % of the time in the worst case).
 *
 * Where an atomic operation costs little more than a section no channel is anybody's own (rn__solo_pays): the processor does
 * the rest of a send or receive while it waits for the one, and not while it does the stores of the other.
 *
 * Who owns it.  `changes` counts how often the lock was taken.  Each time that its low bits are 0 (LOOKS) the holder looks which
 * thread it is (rn__solo_earns, by what is in `owner`, guarded by the lock).
 *
 * What reads the word without the lock (chan.h) asks for HELD alone: an owner's store of it comes before whatever it changes,
 * as that of an atomic operation did.
 *
 * Model test: tests/model/chan.c.
 */
#include "chan/chan.h"
#include "base/hooks.h"

static rn_lock taking; /* rank OWNER: by who takes a channel from its owner */

/* Who takes it? */
static void look_locked(struct rn_chan *c)
{
    rn_lock_assert_held(&c->lock);
    uint32_t name = rn__solo_name();
    /* relaxed, all: nobody else changes what is held. */
    if (rn_load_relaxed(&c->free) || !name || !rn__solo_pays() || !rn__solo_earns(&c->owner, name))
        return;
    rn_store_relaxed(&c->free, name);
    rn_store_relaxed(&c->lock.held, name | RN_CHAN_HELD);
}

/* Takes the lock from the thread whose own it is.  False: that was quicker, or it is somebody's no more. */
static bool take_away(struct rn_chan *c)
{
    rn_lock_take(&taking, RN_RANK_OWNER);
    uint32_t s = rn_load_relaxed(&c->lock.held); /* relaxed: a guess for the swap */
    bool ours = false;
    /* relaxed, both: the fence acquires what the owner has released. */
    if ((s & RN_CHAN_OWNED) && !(s & RN_CHAN_HELD) && rn_cas_relaxed(&c->lock.held, &s, s | RN_CHAN_LEAVING)) {
        s |= RN_CHAN_LEAVING;
        rn__solo_fence();
        ours = rn_cas_relaxed(&c->lock.held, &s, RN_CHAN_HELD);
    }
    rn_lock_release(&taking);
    if (ours) {
        rn_store_relaxed(&c->free, 0); /* relaxed: as in look_locked */
        rn__solo_wear(&c->owner);
    }
    return ours;
}

/* One try, by whoever it is. */
static bool try_slowly(struct rn_chan *c)
{
    uint32_t s = rn_load_relaxed(&c->lock.held); /* relaxed: a guess for the swaps */
    if (s & (RN_CHAN_HELD | RN_CHAN_LEAVING))
        return false;
    if (!(s & RN_CHAN_OWNED) || s == rn__solo())
        /* acquire: pairs with the release in rn__chan_let_go. */
        return rn_cas_acquire(&c->lock.held, &s, s | RN_CHAN_HELD);
    return take_away(c);
}

void rn__chan_lock_slow(struct rn_chan *c)
{
    for (unsigned round = 0; !try_slowly(c); round++)
        rn__lock_rest(round);
    rn__rank_taken(&c->lock, RN_RANK_CHAN);
    uint32_t n = rn_load_relaxed(&c->changes) + 1;
    rn__chan_count_change(c, n);
    if (n % RN_CHAN_LOOKS == 0)
        look_locked(c);
}
