/* Blocks that keep what was on the stacks of goroutines that were put away: small ones, densely packed.
 *
 *     | call               | who, beside what                                            |
 *     | rn_kept_get        | the putter alone                                            |
 *     | rn_kept_put        | any thread, at any time, in signal handlers too              |
 *     | rn_kept_collect    | the putter alone                                            |
 *     | rn_kept_forget     | at a run's end, nobody else                                 |
 */
#ifndef RN_SCHED_KEPT_H
#define RN_SCHED_KEPT_H

#include <stdbool.h>
#include <stddef.h>

enum { RN_KEPT_MOST = 6 << 10, RN_KEPT_MARGIN = 3 * 4096 };

/* A block of `bytes` <= RN_KEPT_MOST, aligned to 16; NULL: no memory.  RN_KEPT_MARGIN bytes on both sides of any block
 * can be read. */
void *rn_kept_get(size_t bytes);
/* Gives it back: to the next rn_kept_collect. */
void rn_kept_put(void *block);
/* Blocks that were given back can be used again, and memory that holds none any more goes back to the system. */
void rn_kept_collect(void);
/* Whether there is something to collect. */
bool rn_kept_any(void);
void rn_kept_forget(void);
/* Calls f for each area of address space that the blocks are in. */
void rn_kept_each(void (*f)(const void *start, size_t bytes, void *arg), void *arg);

#endif
