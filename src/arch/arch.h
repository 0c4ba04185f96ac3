/* What a processor must supply: the context switch, the capture of a call's arguments, and the
 * thread's own pointer.  src/arch/<cpu>/ implements it in assembly.
 */
#ifndef RN_ARCH_ARCH_H
#define RN_ARCH_ARCH_H

#include <runnel/own.h>
#include <stddef.h>
#include <stdint.h>

struct rn_defer;
struct rn_g;
struct rn_m;

/* Offsets in struct rn_g that the assembly knows; asserted in sched/spawn.c. */
#define RN_G_SP 0
#define RN_G_ON_CPU 8

/* Saves the callee-saved registers and floating-point control words on from's stack, stores its
 * stack pointer in from->sp, goes over to to's stack, and then, after the last use of from's,
 * clears from->on_cpu with release order.  Returns when somebody switches back to from. */
void rn__arch_switch(struct rn_g *from, struct rn_g *to);

/* The same for one that has ended: saves nothing, and never returns.  Jumped to, not called: sched/switch.h. */
static inline _Noreturn void rn__arch_leave_to(struct rn_g *from, struct rn_g *to)
{
#if defined(__x86_64__)
    __asm__ volatile("jmp rn__arch_leave" : : "D"(from), "S"(to) : "memory");
#elif defined(__aarch64__)
    register struct rn_g *x0 __asm__("x0") = from, *x1 __asm__("x1") = to;
    __asm__ volatile("b rn__arch_leave" : : "r"(x0), "r"(x1) : "memory");
#endif
    __builtin_unreachable();
}

/* The argument registers of the ABI at the call of a go entry. */
#if defined(__x86_64__)
struct rn_captured_words {
    uint64_t fp_control; /* mxcsr, x87 control word << 32 */
    uint64_t integer[6]; /* rdi rsi rdx rcx r8 r9 */
};
#elif defined(__aarch64__)
struct rn_captured_words {
    uint64_t fp_control; /* fpcr */
    uint64_t unused;
    uint64_t integer[8]; /* x0 … x7 */
};
#else
#error "runnel has no port to this processor; see src/arch/arch.h"
#endif
struct rn_captured {
    struct rn_captured_words words;
    uint8_t vector[8][16];
};

enum { RN_CAPTURED_MOST = 256 }; /* bytes of stack arguments that a go entry keeps at most */

/* Called by the go entries: chain is the function (kind 0) or a struct rn_go_call (kind 1); stack
 * points at the caller's stack arguments, of which stack_bytes are to be kept; pc is where go was called.  0 of them: all
 * arguments are words in registers (integers, pointers).  Otherwise args is in a struct rn_captured. */
void rn__go_captured(void *chain, uint32_t kind, const struct rn_captured_words *args, const void *stack,
                     uint32_t stack_bytes, void *pc);

/* Lays out a new stack below `top` so that the first switch to the returned stack pointer calls
 * rn__g_begin, then f with the captured arguments, then rn__g_end with its result. */
void *rn__arch_prepare(char *top, void *f, const struct rn_captured_words *args, const void *stack,
                       uint32_t stack_bytes);

/* The current floating-point control words, as in rn_captured_words. */
uint64_t rn__arch_fp_control(void);

/* In sched: called on the new goroutine's stack. */
void rn__g_begin(void);
_Noreturn void rn__g_end(intptr_t result);

/* The worker thread that runs this, NULL on a thread that never entered the library.  Volatile: a
 * goroutine may be on another thread after every park, so the value must not be kept by the compiler. */
extern __thread struct rn_m *rn__tls_m __attribute__((visibility("hidden"), tls_model("initial-exec")));

static inline struct rn_m *rn__m(void)
{
    struct rn_m *m;
    RN__TLS_LOAD(m, "rn__tls_m");
    return m;
}

/* Where the goroutine that goes on now keeps its deferred calls (runnel/go.h); as volatile. */
static inline void rn__defers_are(struct rn_defer **top)
{
    uint64_t at;
#if defined(__x86_64__)
    __asm__ volatile("movq rn__tls_defers@gottpoff(%%rip), %0\n\tmovq %1, %%fs:(%0)" : "=&r"(at) : "r"(top) : "memory");
#elif defined(__aarch64__)
    uint64_t tp;
    __asm__ volatile("adrp %0, :gottprel:rn__tls_defers\n\t"
                     "ldr %0, [%0, :gottprel_lo12:rn__tls_defers]\n\t"
                     "mrs %1, tpidr_el0\n\t"
                     "str %2, [%1, %0]"
                     : "=&r"(at), "=&r"(tp)
                     : "r"(top)
                     : "memory");
#endif
}

#endif
