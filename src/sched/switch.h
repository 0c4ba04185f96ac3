/* The switch to another goroutine, compiled into those who switch.
 *
 * The processor guesses where a return goes from the calls that it has seen: it keeps the newest 16 or 32 of them as a
 * stack of its own.  A goroutine that goes on again returns from the switch, from park, from wait …: each of these
 * is guessed wrong (15 to 20 cycles) when more calls than returns, or fewer, have happened since it left.  So
 * between any two of its turns the numbers must be the same.  Hence: the switch is called by the function that parks
 * itself, with no function between; and a goroutine's end is jumped to, not called (arch/<cpu>/switch.S), and calls
 * nothing but the switch when it leaves.  (One that starts others and waits for each: 89 ns a turn before, 71 so.)
 */
#ifndef RN_SCHED_SWITCH_H
#define RN_SCHED_SWITCH_H

#include "sched/fiber.h"
#include "sched/hibernate.h"
#include "sched/rt.h"

/* m, which is inside, goes from `from`, which it runs, to `to`, which is in its hands.  Returns when somebody switches
 * back, perhaps on another thread. */
static inline __attribute__((always_inline)) void rn__switch_to(struct rn_m *m, struct rn_g *from, struct rn_g *to)
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
    rn__arch_switch(from, to);
    rn__fiber_after_switch(from);
}

#endif
