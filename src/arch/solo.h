/* A compare and swap without an atomic operation, for a word that only the running thread changes: a restartable section of
 * Linux (rseq(2)).
 *
 *     place = &section       the kernel is told which instructions belong together
 *     load the word, compare it
 *     store                  the section's last instruction
 *
 * A thread that is interrupted between the first and the last of them (it loses its processor, has a signal, or somebody
 * calls rn_os_fence_restart) goes on behind the mark, as if the comparison had failed.  So the store is done only if
 * nothing has come between it and the load on this thread.  Nothing of the word's is touched after the store.  The place is
 * cleared after each section, since the kernel reads what it points to, and the library may have been unloaded by then.  The C
 * library has registered one for each thread, all at one distance from the thread pointer.
 *
 * The mark before the place where an interrupted section goes on is what the C library registered the thread with.
 */
#ifndef RN_ARCH_SOLO_H
#define RN_ARCH_SOLO_H

#include "base/atomic.h"

/* What the kernel wants to know of a section: version and flags; its begin, its length, where to go on. */
#define RN_SOLO_SECTION                           \
    ".pushsection .data.rel.ro.local, \"aw\"\n\t" \
    ".balign 32\n"                                \
    "3:\t.long 0, 0\n\t.quad 1f, 2f - 1f, 4f\n\t" \
    ".popsection\n\t"
/* Where a section that was not done goes on, out of the way of those that are: the mark, and behind it the place.  leave: clears
 * the place, and jumps. */
#define RN_SOLO_ELSEWHERE(leave)                                   \
    ".subsection 1\n\t" RN_SOLO_MARK "4:\t" leave "%l[failed]\n\t" \
    ".previous"
#if defined(__x86_64__)
#define RN_SOLO_MARK ".byte 0x0f, 0xb9, 0x3d\n\t.long 0x53053053\n" /* ud1 mark(%rip), %edi */
/* A processor of this kind keeps loads and stores in order: acquire and release cost nothing. */
#define RN_SOLO_TAKE RN_SOLO_CODE
#define RN_SOLO_GIVE RN_SOLO_CODE
#define RN_SOLO_CODE            \
    RN_SOLO_SECTION             \
    "leaq 3b(%%rip), %%rax\n\t" \
    "movq %%rax, %%fs:(%3)\n"   \
    "1:\tcmpl %1, (%0)\n\t"     \
    "jne 4f\n\t"                \
    "movl %2, (%0)\n"           \
    "2:\tmovq $0, %%fs:(%3)\n\t" RN_SOLO_ELSEWHERE("movq $0, %%fs:(%3)\n\tjmp ")
#define RN_SOLO_CLOBBERS "rax", "cc", "memory"
#elif defined(__aarch64__)
#define RN_SOLO_MARK ".inst 0xd428bc00\n" /* brk */
#define RN_SOLO_CODE(load, store)      \
    RN_SOLO_SECTION                    \
    "mrs x15, tpidr_el0\n\t"           \
    "adrp x16, 3b\n\t"                 \
    "add x16, x16, :lo12:3b\n\t"       \
    "str x16, [x15, %3]\n"             \
    "1:\t" load " w17, [%0]\n\t"       \
    "cmp w17, %w1\n\t"                 \
    "b.ne 4f\n\t" store " %w2, [%0]\n" \
    "2:\tstr xzr, [x15, %3]\n\t" RN_SOLO_ELSEWHERE("str xzr, [x15, %3]\n\tb ")
#define RN_SOLO_TAKE RN_SOLO_CODE("ldar", "str")
#define RN_SOLO_GIVE RN_SOLO_CODE("ldr", "stlr")
#define RN_SOLO_CLOBBERS "x15", "x16", "x17", "cc", "memory"
#endif

/* *word == from ? *word = to : nothing, and true if it did.  False also if it was interrupted.  at: the place, from the thread
 * pointer.  take acquires, give releases. */
static inline __attribute__((always_inline)) bool rn__arch_solo_take(rn_atomic(uint32_t) * word, uint32_t from,
                                                                     uint32_t to, ptrdiff_t at)
{
    __asm__ goto(RN_SOLO_TAKE : : "r"(word), "r"(from), "r"(to), "r"(at) : RN_SOLO_CLOBBERS : failed);
    return true;
failed:
    return false;
}

static inline __attribute__((always_inline)) bool rn__arch_solo_give(rn_atomic(uint32_t) * word, uint32_t from,
                                                                     uint32_t to, ptrdiff_t at)
{
    __asm__ goto(RN_SOLO_GIVE : : "r"(word), "r"(from), "r"(to), "r"(at) : RN_SOLO_CLOBBERS : failed);
    return true;
failed:
    return false;
}

#endif
