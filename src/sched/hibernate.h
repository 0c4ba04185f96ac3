/* Hibernation: a goroutine that has been parked for long keeps what it uses of its stack in a small block, and gives
 * the stack's pages back to the system.  docs/design/hibernation.md has the argument; hibernate.c does it.
 *
 * This file is who may touch the stack when: the word g->hib.
 *
 *     AWAKE     the stack is a stack.  Any goroutine that runs is AWAKE or STAYS.
 *     STAYS     the same, and it is not to be put away before it has run again: somebody uses its stack
 *     CLAIMED   the putter looks at it, or is putting it away
 *     AWAY      the pages trap any touch; g->kept has the contents
 *     THAWING   one thread is bringing it back
 *
 *     from -> to          by                   when
 *     AWAKE -> CLAIMED    the putter           it has been parked for long
 *     CLAIMED -> AWAKE    the putter           it runs, or is not parked: nothing was done
 *     CLAIMED -> AWAY     the putter           the pages trap
 *     AWAY -> THAWING     whoever needs it     (compare and swap: one of them does the work)
 *     THAWING -> AWAKE    the resumer          the pages are back
 *     THAWING -> STAYS    the toucher          the same
 *     AWAKE -> STAYS      the toucher          before a system call that will use its stack
 *     STAYS -> AWAKE      the resumer
 *
 * One putter at a time.  A resumer sets on_cpu, then reads hib; the putter claims, then reads on_cpu (Dekker; the putter
 * pays for the fence).  So either the resumer sees the claim, and waits until it is decided; or the putter sees on_cpu,
 * and lets go.  A touch needs no order of its own: it comes by a trap, and the pages trap only between
 * CLAIMED and THAWING; until that is over it waits.
 *
 * Model test: tests/model/hibernate.c.
 */
#ifndef RN_SCHED_HIBERNATE_H
#define RN_SCHED_HIBERNATE_H

#include "os/os.h"
#include "sched/sched.h"

/* ---- the putter ---------------------------------------------------------------------------------- */

static inline bool rn_hib_claim(struct rn_g *g)
{
    uint8_t awake = RN_HIB_AWAKE;
    /* acquire: pairs with the release in rn_hib_wake: the resumer's on_cpu is seen.  Against a resumer that
     * finds AWAKE, the heavy fence after this pairs with the light one in rn_hib_must_wake. */
    return rn_load_relaxed(&g->hib) == awake && rn_cas_acquire(&g->hib, &awake, RN_HIB_CLAIMED);
}

/* After a claim and a heavy fence: nobody runs on its stack, and nobody will before the claim is decided. */
static inline bool rn_hib_is_parked(struct rn_g *g)
{
    /* acquire: pairs with the release in rn__arch_switch: the stack and the status are those of the last park. */
    return rn_load_acquire(&g->on_cpu) == 0 && rn_load_relaxed(&g->status) == RN_G_WAITING;
}

/* The claim is decided. */
static inline void rn_hib_decide(struct rn_g *g, enum rn_hib to)
{
    /* release: pairs with the acquires in rn_hib_wake: g->kept, and that the pages trap. */
    rn_store_release(&g->hib, (uint8_t)to);
}

/* ---- the others ------------------------------------------------------------------------------------ */

/* The claim or the thaw of somebody else is waited for: some µs, unless the kernel has put that thread off. */
static inline void rn_hib_pause(unsigned tries)
{
    enum { SPINS = 200, YIELDS = 1000 };
    if (tries < SPINS)
        rn_cpu_pause();
    else if (tries < YIELDS)
        rn_os_yield();
    else
        rn_os_nap(50 * RN_MICROSECOND);
}

/* Brings it back, if nobody else does so first.  A signal handler of the program's that came in between on this thread, and
 * touched that stack, would wait for the thread that it has interrupted; so would one in the putter. */
static inline bool rn_hib_thaw(struct rn_g *g, enum rn_hib to, void (*bring_back)(struct rn_g *g))
{
    uint64_t held = rn_os_signals_hold();
    uint8_t away = RN_HIB_AWAY;
    /* acquire: pairs with the releases in rn_hib_decide and below. */
    bool ours = rn_cas_acquire(&g->hib, &away, RN_HIB_THAWING);
    if (ours) {
        bring_back(g);
        rn_store_release(&g->hib, (uint8_t)to); /* pairs with the acquires here, in rn_hib_wake and in rn_hib_claim */
    }
    rn_os_signals_release(held);
    return ours;
}

/* Makes it AWAKE or STAYS, by bring_back where it is AWAY.  Any thread; the resumer has set on_cpu. */
static inline void rn_hib_wake(struct rn_g *g, enum rn_hib to, void (*bring_back)(struct rn_g *g))
{
    for (unsigned tries = 0;; tries++) {
        /* acquire: pairs with the releases in rn_hib_decide and rn_hib_thaw. */
        uint8_t now = rn_load_acquire(&g->hib);
        if (now == to || (now == RN_HIB_AWAKE && to == RN_HIB_AWAKE))
            return;
        if (now == RN_HIB_AWAKE || now == RN_HIB_STAYS) {
            /* acq_rel: pairs with the acquire in rn_hib_claim, which then sees on_cpu. */
            if (rn_cas_acq_rel(&g->hib, &now, (uint8_t)to))
                return;
        } else if (now == RN_HIB_AWAY) {
            if (rn_hib_thaw(g, to, bring_back))
                return;
        } else {
            rn_hib_pause(tries);
        }
    }
}

/* Before the first use of g's stack by whoever resumes it, who has set on_cpu.  True: rn_hib_wake is needed. */
static inline bool rn_hib_must_wake(struct rn_g *g)
{
    /* pairs with the heavy fence between rn_hib_claim and rn_hib_is_parked.  Where the fences are symmetric
     * nobody is ever put away. */
#ifdef RN_MODEL
    rn_fence_light();
#else
    rn_fence_compiler();
#endif
    return rn_load_relaxed(&g->hib) != RN_HIB_AWAKE; /* relaxed: rn_hib_wake acquires */
}

#endif
