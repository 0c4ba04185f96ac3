/* Who holds which lock, and in which order locks are taken; see lock_order.c. */
#ifndef RN_DEBUG_LOCK_ORDER_H
#define RN_DEBUG_LOCK_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RN_LOCK_HOLDERS = 64 };

/* The numbers of the goroutines that hold the lock, as far as they are known: 0 when none is, or when the lock is one
 * that others than its holder let go.  A goroutine among them may have ended.  In a copy of the process, or while the
 * lock does not change hands.  *pc is where the first of them took it. */
int rn__lock_holders(const void *lock, uint64_t ids[RN_LOCK_HOLDERS], void **pc);

/* Calls f for each piece of memory that the tables are in. */
void rn__lock_order_each(void (*f)(const void *start, size_t bytes, void *arg), void *arg);

/* Starts to watch, if RUNNEL_LOCKS does not say otherwise. */
void rn__lock_order_start(void);
/* How many reports there were. */
unsigned rn__lock_order_reports(void);

#endif
