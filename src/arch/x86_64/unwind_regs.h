/* What the unwinder must know of x86-64: register numbers are DWARF's (System V psABI, figure 3.36). */
#ifndef RN_ARCH_X86_64_UNWIND_REGS_H
#define RN_ARCH_X86_64_UNWIND_REGS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/ucontext.h>

enum { RN_REG_FP = 6, RN_REG_SP = 7, RN_REG_PC = 16, RN_REGS = 17 };
enum { RN_SAVED = 6 };
#define RN_UNWIND_WORDS 2 /* of a rule in the cache, unwind.c */
/* What a called function keeps, beside the stack pointer. */
#define RN_SAVED_REGS        \
    {                        \
        3, 6, 12, 13, 14, 15 \
    }
#define RN_SAVED_MASK ((1ull << 3) | (1ull << 6) | (15ull << 12))
/* The DWARF column of the return address; bytes of a switched-out goroutine's first frame (switch.S). */
enum { RN__RA = RN_REG_PC, RN_SAVED_BYTES = 64 };

/* Our index of a DWARF register; -1: not one that we follow. */
static inline int rn__reg_index(uint64_t dwarf)
{
    return dwarf < RN_REGS ? (int)dwarf : -1;
}

static inline uintptr_t rn__strip_return_address(uintptr_t pc)
{
    return pc;
}

/* Stores the registers as they are here: sp and pc of this place, and what a callee must keep. */
static inline __attribute__((always_inline)) void rn__regs_here(uintptr_t *regs)
{
    uintptr_t pc;
    __asm__ volatile("movq %%rbx, 24(%1)\n\t"
                     "movq %%rbp, 48(%1)\n\t"
                     "movq %%rsp, 56(%1)\n\t"
                     "movq %%r12, 96(%1)\n\t"
                     "movq %%r13, 104(%1)\n\t"
                     "movq %%r14, 112(%1)\n\t"
                     "movq %%r15, 120(%1)\n\t"
                     "leaq 0f(%%rip), %0\n"
                     "0:"
                     : "=r"(pc)
                     : "r"(regs)
                     : "memory");
    regs[RN_REG_PC] = pc;
}

/* Stores all registers of a signal's ucontext; returns the mask of those that are now valid. */
static inline uint64_t rn__regs_of_context(uintptr_t *regs, const void *uc)
{
    /* The kernel's order (REG_R8 is 0, REG_RIP 16), which <sys/ucontext.h> names under _GNU_SOURCE only. */
    static const uint8_t from[RN_REGS] = {13, 12, 14, 11, 9, 8, 10, 15, 0, 1, 2, 3, 4, 5, 6, 7, 16};
    const ucontext_t *u = uc;
    for (int i = 0; i < RN_REGS; i++)
        regs[i] = (uintptr_t)u->uc_mcontext.gregs[from[i]];
    return (1ull << RN_REGS) - 1;
}

/* Stores what rn__arch_switch left at sp: [fpctl][r15][r14][r13][r12][rbx][rbp][return address]. */
static inline void rn__regs_of_saved(uintptr_t *regs, const void *sp)
{
    const uintptr_t *s = sp;
    regs[15] = s[1];
    regs[14] = s[2];
    regs[13] = s[3];
    regs[12] = s[4];
    regs[3] = s[5];
    regs[6] = s[6];
    regs[RN_REG_PC] = s[7];
    regs[RN_REG_SP] = (uintptr_t)(s + 8);
}

/* Whether what lies at a saved stack pointer is a goroutine's first frame, which nobody has switched to yet. */
static inline bool rn__arch_not_begun(const void *sp)
{
    extern void rn__arch_entry(void);
    const uintptr_t *s = sp;
    return s[7] == (uintptr_t)rn__arch_entry;
}

#endif
