/* What is kept of a stack that is put away, and how it gets back onto it.
 *
 * What a goroutine uses of its stack goes from its saved stack pointer to RN_CAPTURED_MOST bytes below its top, but
 * that a long run of zeroes in it is not kept: a buffer on the stack that nothing was read into yet would otherwise be
 * most of what an idle connection costs.  One such hole for each stack: the longest.
 *
 *     | low: no hole, or below it | hole | high: above it | what no frame owns |
 *     sp                                                  rn__g_top - RN_CAPTURED_MOST
 *
 * g->kept is a block (kept.h) of low and high, with a struct rn_hole before them if g->hollow.  Pages that the hole covers
 * wholly do not trap: they are discarded, and so are what they were.
 *
 *     | call                | who, beside what                                                          |
 *     | rn_keep_fits        | the putter; others may write to that stack meanwhile                      |
 *     | rn_keep, …_drop     | the putter, while the stack can't be written to                           |
 *     | rn_keep_trap        | the putter, while the stack is frozen                                     |
 *     | rn_keep_restore     | the one thread that thaws g, in signal handlers too; the putter           |
 *     | rn_keep_begin, _end | the putter before all others; at a run's end nobody else                   |
 */
#ifndef RN_SCHED_KEPT_STACK_H
#define RN_SCHED_KEPT_STACK_H

#include "sched/sched.h"

/* Whether what g uses, without its hole, is little enough to be kept.  Only for who is parked. */
bool rn_keep_fits(const struct rn_g *g);
/* Copies it to a block; false: there is no memory, or it is too much. */
bool rn_keep(struct rn_g *g);
void rn_keep_drop(struct rn_g *g);
/* Marks the pages, which were discarded: any touch of them traps.  False: some may be marked. */
bool rn_keep_trap(struct rn_g *g);
/* Puts the pages back, marked or not, and the block away. */
void rn_keep_restore(struct rn_g *g);
/* In a copy of the process: the block stays. */
void rn_keep_restore_in_copy(struct rn_g *g);
/* The same for the one page that was touched; false: it is none of those that are kept. */
bool rn_keep_restore_page_in_copy(struct rn_g *g, void *addr);
bool rn_keep_begin(void);
void rn_keep_end(void);
/* Calls f for each area of address space that contents of stacks are in, those of long ago too. */
void rn_keep_each(void (*f)(const void *start, size_t bytes, void *arg), void *arg);

#endif
