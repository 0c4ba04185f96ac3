/* How the program dies: what panic.c offers to src/debug, which prints, and to the handlers of faults. */
#ifndef RN_SCHED_PANIC_H
#define RN_SCHED_PANIC_H

#include "arch/unwind.h"
#include "sched/fiber.h"
#include "sched/sched.h"

/* This thread is about to print the last words.  Returns on the first thread that calls it; ends the
 * program when that one fails once more; otherwise waits for the end.  Async-signal-safe. */
void rn__dying(void);
/* Whether this thread is printing them. */
bool rn__is_dying(void);
/* After rn__dying and the first line: prints the goroutines and ends the program with status 2. */
_Noreturn void rn__die(struct rn_g *g, void *uc);

/* Whether p and those further out are all rn_exit_goroutine's. */
bool rn__only_exits(const struct rn_panic *p);
/* Set by the thread that reports a deadlock: no goroutine runs any more, so that all of each may be read. */
extern rn_atomic(bool) rn__all_asleep;

#ifdef RN_FIBER_ASAN
void __asan_handle_no_return(void);
#endif

#endif
