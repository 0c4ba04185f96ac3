/* Walking up a stack, by the tables that the compiler leaves in .eh_frame.
 *
 *     struct rn_cursor c;
 *     rn_cursor_from_here(&c);                 // this function's own frame
 *     while (rn_cursor_step(&c) > 0)           // c is now the caller, then its caller …
 *         print(c.pc);                         // a return address: look up pc - 1
 *
 * A cursor describes one frame: where it executes and what its registers hold.  One step computes
 * the same for the caller.  So after a step all that a callee must keep is known, and the frame that
 * was left can be returned from at once, without running its code: rn_panic's recovery does that.
 *
 * Everything here is async-signal-safe, allocates nothing and takes no lock (see unwind.c for the one
 * exception, which cursors made by rn_cursor_from_context never meet).
 */
#ifndef RN_ARCH_UNWIND_H
#define RN_ARCH_UNWIND_H

#include <stdbool.h>
#include <stdint.h>

#if defined(__x86_64__)
#include "arch/x86_64/unwind_regs.h"
#elif defined(__aarch64__)
#include "arch/aarch64/unwind_regs.h"
#else
#error "runnel runs on x86-64 and aarch64"
#endif

struct rn_cursor {
    uintptr_t cfa;           /* of the frame that the last step left: the value that sp has back in its caller */
    uintptr_t lo, hi;        /* memory that may be read without asking the kernel: the stack */
    uint64_t valid;          /* bit i: regs[i] is known */
    uint64_t gen;            /* unwind.c: how many objects have been unloaded; ~0 when not asked yet */
    bool exact;              /* pc is the next instruction, not a return address */
    bool warm;               /* the cache of decoded rules may be used */
    uintptr_t regs[RN_REGS]; /* RN_REG_PC, RN_REG_SP and the rest */
};

/* Makes c the frame of the function that contains this call.  The stack above must be intact. */
static inline __attribute__((always_inline)) void rn_cursor_from_here(struct rn_cursor *c)
{
    rn__regs_here(c->regs);
    c->valid = RN_SAVED_MASK | 1ull << RN_REG_SP | 1ull << RN_REG_PC;
    c->lo = c->regs[RN_REG_SP];
    c->hi = UINTPTR_MAX;
    c->gen = UINT64_MAX;
    c->exact = true;
    c->warm = true;
}
/* The frame that a signal interrupted.  Memory outside lo … hi is read through the kernel, which can't fault. */
void rn_cursor_from_context(struct rn_cursor *c, const void *uc, const void *lo, const void *hi);
/* The innermost frame of a goroutine that is switched away and whose saved stack pointer is sp.  False: sp is not
 * in lo … hi. */
bool rn_cursor_from_saved(struct rn_cursor *c, const void *sp, const void *lo, const void *hi);

/* To the caller.  1: done.  0: this was the outermost frame, or nothing is known about it; -1: the stack or the
 * table is damaged.  On 0 and -1, c stays as it was. */
int rn_cursor_step(struct rn_cursor *c);

/* What to look up for c's frame: its pc, or the call before a return address. */
static inline uintptr_t rn_cursor_where(const struct rn_cursor *c)
{
    return c->regs[RN_REG_PC] - !c->exact;
}

/* Where the function that contains pc begins; 0: unknown. */
uintptr_t rn_function_start(uintptr_t pc);
/* Whether the function that begins at f has an unconditional jump to the address `to`: a call in its last place may be
 * compiled so.  May say yes wrongly, for bytes that look like one; reads f's code. */
bool rn_function_jumps(uintptr_t f, uintptr_t to);

/* ---- in assembly: <cpu>/unwind.S ------------------------------------------------------------ */

/* Calls f(arg), after storing to *cfa the stack pointer that f's frame has as its CFA. */
void rn__arch_call_deferred(void (*f)(void *), void *arg, uintptr_t *cfa);
/* Goes on at regs[RN_REG_PC] with regs, as after a return with value 0. */
_Noreturn void rn__arch_resume(const uintptr_t *regs);
/* Calls f(arg) on the stack that ends at top (aligned to 16); a trace from f ends there. */
void rn__arch_call_on(void *top, void (*f)(void *), void *arg);

#endif
