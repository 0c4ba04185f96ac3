/* The one interface through which the runtime reads the clock, draws random numbers and picks the
 * next goroutine.  Nothing else in src/ does any of the three.
 *
 * A normal build compiles the production choices in.  A test build (RN_CHOICE_TABLE) goes through
 * rn__choice, so that one seed can decide a whole run; tests/choice shows that it does.
 */
#ifndef RN_SCHED_CHOICE_H
#define RN_SCHED_CHOICE_H

#include "sched/rt.h"

#ifdef RN_EXPLORE
#define RN_CHOICE_TABLE 1
#endif

#ifdef RN_CHOICE_TABLE
struct rn_choice {
    rn_time (*now)(void);
    uint64_t (*random)(void);
    /* Takes one goroutine out of what p has to run; NULL when there is none. */
    struct rn_g *(*pick)(struct rn_p *p);
};
extern struct rn_choice rn__choice;
#define rn__choose_now() rn__choice.now()
#define rn__choose_tick() rn__choice.now()
#define rn__choose_bound(m) ((void)(m), rn__choice.now())
#define rn__choose_random(m) rn__choice.random()
#define rn__choose_next(p) rn__choice.pick(p)
#else
#define rn__choose_now() rn_os_now()
#define rn__choose_tick() rn_os_tick()
#define rn__choose_bound(m) rn_os_now_bound(&(m)->bound)
#define rn__choose_random(m) rn__m_random(m)
#define rn__choose_next(p) rn__next_local(p)
#endif

/* xoroshiro128+ (Blackman and Vigna), per thread, seeded by the kernel. */
static inline uint64_t rn__m_random(struct rn_m *m)
{
    uint64_t a = m->random[0], b = m->random[1], sum = a + b;
    b ^= a;
    m->random[0] = (a << 24 | a >> 40) ^ b ^ (b << 16);
    m->random[1] = b << 37 | b >> 27;
    return sum;
}

#endif
