/* An upper bound of the clock, cheaper than a reading of it: for deadlines, which must not come too early, and may
 * come some microseconds late.
 *
 * Reading the clock is a reading of the processor's counter (9 ns on the EPYC of docs/design/speed.md, 21 for all of it), which the
 * kernel then scales.  Whoever often asks for bounds keeps a pair, the counter and the clock at one moment, and adds to
 * it what the counter has run since.  Only where the kernel's clock is that counter and nothing else (rn_os_now_bound's
 * platform says so): then the two can part company in one way alone, that the kernel changes the scale, to follow a time
 * server.
 *
 * What always holds of a pair in use (reach > 0), for each counter value c that is less than reach past b->count:
 *  - b->at + (c - b->count) * scale is not before what the clock shows at c, and not more than RN_BOUND_LATE after.
 * Because
 *  - at b->count the clock showed at most b->at - SLACK, and at least b->at - SLACK - NEAR: it was read before and after;
 *  - the kernel's scale is never 11 % away from the counter's nominal one (clocksource_max_adjustment; chrony slews by up to
 *    8.3 %, adjtimex by 10 %, usually it is 0.05 % at most), and `scale` was measured; we allow for an eighth,
 *    which in REACH is 4,096 ns, the greater part of SLACK;
 *  - the processor reads the counter ahead of what stands before it in the program, by as much as it has under way at a
 *    time, and in steps of up to 100 ns: the smaller part, 1,024 ns.  (A fence would cost more than half of what is to be gained.)
 *
 * A pair that is older than REACH is not used; a counter that went back counts as older.  So a machine that was
 * suspended, or a virtual one that was halted or moved, costs one reading, as does a thread that was put aside.  When the clock ran faster or slower
 * than we allow for, we stop using the counter for good: what we were told of it was wrong.
 *
 * Each thread has its own pair, which only it uses: bounds that one thread gets rise but for the jitter of a reading.
 * The scale is measured once, by whoever comes first, under `state`.  Whoever asks less than once in OFTEN gets a reading of the clock itself.
 *
 * Tried and lost: one eighth added to the scale instead of to the pair.  It makes deadlines rise and fall by 4 µs with each new pair, so that
 * timers overtake each other.  Left alone: CLOCK_MONOTONIC_COARSE (3 ns), which is up to 4 ms behind.
 *
 * Tests: tests/unit/bound.c, tests/model/bound.c.
 */
#ifndef RN_OS_BOUND_H
#define RN_OS_BOUND_H

#include "base/atomic.h"
#include <runnel/base.h>

enum { RN_BOUND_LATE = 10 * 1024 }; /* ns */

/* A thread's pair.  All-zero: none. */
struct rn_bound {
    uint64_t count;
    rn_time at;
    uint64_t reach, scale; /* counts; ns a count, times 2^RN_BOUND_BITS */
    rn_time looked;        /* when the clock was last read */
};
enum { RN_BOUND_BITS = 32 };

/* BUSY: as FIRST, and somebody is about to go on from there.  Nobody leaves READY but to OFF, nor OFF. */
enum rn_rate_state { RN_RATE_OFF, RN_RATE_FIRST, RN_RATE_BUSY, RN_RATE_READY };
struct rn_rate {
    rn_atomic(uint32_t) state;
    uint64_t count; /* FIRST: a pair, by whoever made the state BUSY */
    rn_time at;
    uint64_t scale, reach; /* READY */
};

/* The clock was `before`, then the counter was read, then the clock was `after`. */
struct rn_reading {
    rn_time before, after;
    uint64_t count;
};
/* Whether the two are near enough for a pair. */
bool rn_reading_is_near(const struct rn_reading *r);

/* A first pair; before there are threads. */
void rn_rate_begin(struct rn_rate *rate, const struct rn_reading *r);
/* Whether a thread that reads the clock at `now` should take a reading of both. */
bool rn_bound_is_often(struct rn_bound *b, const struct rn_rate *rate, rn_time now);
/* Takes the reading for b's new pair, if it will do, or else drops the old one; a bound for r->after.  Any thread. */
rn_time rn_bound_look(struct rn_bound *b, struct rn_rate *rate, const struct rn_reading *r);

/* The bound for this value of the counter: true, or b has no pair that reaches so far. */
static inline bool rn_bound_tell(const struct rn_bound *b, uint64_t count, rn_time *bound)
{
    uint64_t since = count - b->count;
    if (__builtin_expect(since >= b->reach, 0))
        return false;
    *bound = b->at + (rn_time)(since * b->scale >> RN_BOUND_BITS);
    return true;
}

#endif
