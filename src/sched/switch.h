/* The switch to another goroutine, compiled into those who switch.
 *
 * The processor guesses where a return goes from the calls that it has seen, of which it keeps the newest 16 or 32 as
 * a stack of its own.  A goroutine that goes on again returns from the switch, from park, from wait …, and each of these
 * is guessed wrong (15 to 20 cycles) when there were more calls than returns, or fewer, since it left.  So
 * between any two of its turns the numbers are to be the same:
 *
 *  - the function that parks calls the switch itself; to a goroutine that was parked, the switch returns;
 *  - to a new one it jumps (arch/<cpu>/switch.S), which leaves the call of the one who parked as the newest;
 *  - a goroutine's end is jumped to, calls nothing that does not return, and returns to the next.
 *
 * So one that starts others and waits for each is never guessed wrong, nor is a tree of goroutines that is run depth
 * first: 89 ns for a start and a join before, 64 so.
 */
#ifndef RN_SCHED_SWITCH_H
#define RN_SCHED_SWITCH_H

#include "sched/fiber.h"
#include "sched/hibernate.h"
#include "sched/rt.h"

static inline __attribute__((always_inline)) void rn__before_switch(struct rn_m *m, struct rn_g *from, struct rn_g *to)
{
    m->g = to;
    rn__defers_are(&to->defers);
    /* relaxed, all four: for this thread's later reads and for reports. */
    rn_store_relaxed(&to->on_cpu, 1);
    rn_store_relaxed(&to->m, m);
    rn_store_relaxed(&to->status, RN_G_RUNNING);
    if (m->p)
        rn_store_relaxed(&m->p->tick, rn_load_relaxed(&m->p->tick) + 1);
#ifdef RN_HIBERNATES
    if (__builtin_expect(rn_hib_must_wake(to), 0))
        rn__hib_resume(to);
#endif
    rn__fiber_before_switch(from, to);
}

/* m, which is inside, goes from `from`, which it runs, to `to`, which is in its hands.  Returns when somebody switches
 * back, perhaps on another thread. */
static inline __attribute__((always_inline)) void rn__switch_to(struct rn_m *m, struct rn_g *from, struct rn_g *to)
{
    rn__before_switch(m, from, to);
    rn__arch_switch(from, to);
    rn__fiber_after_switch(from);
}

#endif
