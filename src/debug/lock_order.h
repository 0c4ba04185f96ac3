/* Who holds which lock, and in which order locks are taken; see lock_order.c. */
#ifndef RN_DEBUG_LOCK_ORDER_H
#define RN_DEBUG_LOCK_ORDER_H

#include <runnel/base.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RN_LOCK_HOLDERS = 64 };

/* What is known of who lets a lock go. */
enum rn_lock_past {
    RN_LOCK_OPEN,  /* others than its holders may: one did, or a plain thread is among them */
    RN_LOCK_FIRST, /* nothing: nobody has let it go yet */
    RN_LOCK_USUAL, /* its holders, always */
};

/* The numbers of the goroutines that hold the lock, as far as they are known: 0 when none is.  pc[0] is where the first of
 * them took it, pc[1] where that goroutine was started; NULL: unknown.  The lock is named by its address or its queue's.  In a copy of
 * the process, or while the lock does not change hands. */
int rn__lock_holders(const void *lock, uint64_t ids[RN_LOCK_HOLDERS], void *pc[2], enum rn_lock_past *past);

/* Whether holders are known at all. */
bool rn__lock_order_on(void);

/* Calls f for each piece of memory that the tables are in. */
void rn__lock_order_each(void (*f)(const void *start, size_t bytes, void *arg), void *arg);

/* By the monitor, now and then: says who has waited long for a lock that it holds itself.  Returns when to be called again. */
rn_time rn__lock_order_look(void);

/* At the end of main: whether somebody waits for a lock that it holds itself, and says so of a goroutine that is never to be woken. */
bool rn__lock_order_waits(void);
void rn__lock_order_stays(uint64_t goroutine);

/* Starts to watch, if RUNNEL_LOCKORDER is 1, or who holds what if RUNNEL_LEAKS is; before there are goroutines. */
void rn__lock_order_start(void);

#endif
