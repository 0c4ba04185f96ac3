/* What the unwinder must know of aarch64.  Registers 0 to 31 are DWARF's x0 to x30 and sp; 32 to 39
 * are the low halves of v8 to v15, which a callee keeps (DWARF 72 to 79); 40 is the pc. */
#ifndef RN_ARCH_AARCH64_UNWIND_REGS_H
#define RN_ARCH_AARCH64_UNWIND_REGS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/ucontext.h>
#include <asm/sigcontext.h>

enum { RN_REG_FP = 29, RN_REG_SP = 31, RN_REG_D8 = 32, RN_REG_PC = 40, RN_REGS = 41 };
enum { RN_SAVED = 20 };
#define RN_UNWIND_WORDS 4 /* of a rule in the cache, unwind.c */
#define RN_SAVED_REGS                                                                  \
    {                                                                                  \
        19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 32, 33, 34, 35, 36, 37, 38, 39 \
    }
#define RN_SAVED_MASK (0xfffull << 19 | 0xffull << 32)
/* The DWARF column of the return address; bytes of a switched-out goroutine's first frame (switch.S). */
enum { RN__RA = 30, RN_SAVED_BYTES = 176 };
#define RN_REG_LR 30

static inline int rn__reg_index(uint64_t dwarf)
{
    if (dwarf <= 31)
        return (int)dwarf;
    return dwarf >= 72 && dwarf <= 79 ? (int)(dwarf - 72) + RN_REG_D8 : -1;
}

/* Takes a pointer authentication code off a return address (xpaclri; a no-op on older cores). */
static inline uintptr_t rn__strip_return_address(uintptr_t pc)
{
    register uintptr_t lr __asm__("x30") = pc;
    __asm__("hint #7" : "+r"(lr));
    return lr;
}

static inline __attribute__((always_inline)) void rn__regs_here(uintptr_t *regs)
{
    uintptr_t pc, sp;
    __asm__ volatile("stp x19, x20, [%2, #152]\n\t"
                     "stp x21, x22, [%2, #168]\n\t"
                     "stp x23, x24, [%2, #184]\n\t"
                     "stp x25, x26, [%2, #200]\n\t"
                     "stp x27, x28, [%2, #216]\n\t"
                     "stp x29, x30, [%2, #232]\n\t"
                     "stp d8, d9, [%2, #256]\n\t"
                     "stp d10, d11, [%2, #272]\n\t"
                     "stp d12, d13, [%2, #288]\n\t"
                     "stp d14, d15, [%2, #304]\n\t"
                     "mov %1, sp\n\t"
                     "adr %0, 0f\n"
                     "0:"
                     : "=&r"(pc), "=&r"(sp)
                     : "r"(regs)
                     : "memory");
    regs[RN_REG_SP] = sp;
    regs[RN_REG_PC] = pc;
}

static inline uint64_t rn__regs_of_context(uintptr_t *regs, const void *uc)
{
    const ucontext_t *u = uc;
    const struct _aarch64_ctx *head = (const void *)u->uc_mcontext.__reserved;
    for (int i = 0; i < 31; i++)
        regs[i] = u->uc_mcontext.regs[i];
    regs[RN_REG_SP] = u->uc_mcontext.sp;
    regs[RN_REG_PC] = u->uc_mcontext.pc;
    uint64_t valid = 0xffffffffull | 1ull << RN_REG_PC;
    if (head->magic != FPSIMD_MAGIC)
        return valid;
    const struct fpsimd_context *fp = (const void *)head;
    for (int i = 0; i < 8; i++)
        regs[RN_REG_D8 + i] = (uintptr_t)fp->vregs[8 + i];
    return valid | 0xffull << RN_REG_D8;
}

/* Stores what rn__arch_switch left at sp; see switch.S. */
static inline void rn__regs_of_saved(uintptr_t *regs, const void *sp)
{
    const uintptr_t *s = sp;
    for (int i = 0; i < 12; i++)
        regs[19 + i] = s[i];
    for (int i = 0; i < 8; i++)
        regs[RN_REG_D8 + i] = s[12 + i];
    regs[RN_REG_PC] = s[11];
    regs[RN_REG_SP] = (uintptr_t)(s + 22);
}

/* Whether what lies at a saved stack pointer is a goroutine's first frame, which nobody has switched to yet. */
static inline bool rn__arch_not_begun(const void *sp)
{
    extern void rn__arch_entry(void);
    const uintptr_t *s = sp;
    return s[11] == (uintptr_t)rn__arch_entry;
}

#endif
