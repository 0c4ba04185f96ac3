/* runnel/own.h: what is a thread's own, which it changes without an atomic operation.  Nothing here is for programs: mutexes
 * are made of it, whose short ways are compiled into them.
 *
 * Of words that others may take from it (src/sched/solo.h) it is a compare and swap in a restartable section of Linux (rseq(2)):
 *
 *     place = &section       the kernel is told which instructions belong together
 *     load the word, compare it
 *     store                  the section's last instruction
 *
 * A thread that is interrupted between the first and the last of them (it loses its processor, has a signal, or the library
 * asks the kernel for it) goes on behind the mark, as if the comparison had failed.  So the store is done only if
 * nothing has come between it and the load on this thread.  Nothing of the word's is touched after the store.  The place is
 * cleared after each section, since the kernel reads what it points to, and what the section is in may have been unloaded
 * by then.  The C library has registered a place for each thread, all at one distance from the thread pointer.
 *
 * The mark before the place where an interrupted section goes on is what the C library registered the thread with.  Who is given
 * words of its own, and how they are taken from it, is in src/sched/solo.h.
 */
#ifndef RUNNEL_OWN_H
#define RUNNEL_OWN_H

#include <runnel/base.h>

RN_EXTERN_C_BEGIN

/* The pointer in the thread-local variable of that name, of the thread that runs this.  Volatile, and by assembly: a goroutine may go
 * on with another thread after any call, so the compiler must keep neither the value nor its address. */
#if defined(__x86_64__)
#define RN__TLS_LOAD(to, name) \
    __asm__ volatile(RN__X86_TLS_AT(name) RN__X86("movq %%fs:(%0), %0", "mov %0, fs:[%0]") : "=r"(to) : : "memory")
#elif defined(__aarch64__)
#define RN__TLS_LOAD(to, name)                                       \
    do {                                                             \
        uint64_t rn_tp_;                                             \
        __asm__ volatile("adrp %0, :gottprel:" name "\n\t"           \
                         "ldr %0, [%0, :gottprel_lo12:" name "]\n\t" \
                         "mrs %1, tpidr_el0\n\t"                     \
                         "ldr %0, [%1, %0]"                          \
                         : "=&r"(to), "=&r"(rn_tp_)                  \
                         :                                           \
                         : "memory");                                \
    } while (0)
#endif

/* Numbers that this thread has counted, an array of which it alone writes (src/sched/tally.h); NULL: it counts none yet. */
struct rn_count {
    rn_atomic(uint32_t) rn_ups, rn_downs;
};
extern RN_PUBLIC __thread struct rn_count *rn__tls_counts;

#ifndef RN_MODEL /* model tests have threads of their own */
/* Bits 16-30 of the words that are this thread's own, never 0; 0: there are none. */
extern RN_PUBLIC __thread uint32_t rn__tls_solo;
/* Where the kernel looks for the section that a thread is in, from the thread pointer; for threads with a name. */
extern RN_PUBLIC ptrdiff_t rn__section_at;

/* As volatile. */
RN_PUBLIC RN__UNTRACED inline uint32_t rn__solo(void)
{
    uint64_t name;
#if defined(__x86_64__)
    __asm__ volatile(RN__X86_TLS_AT("rn__tls_solo") RN__X86("movl %%fs:(%0), %k0", "mov %k0, fs:[%0]")
                     : "=r"(name)
                     :
                     : "memory");
#elif defined(__aarch64__)
    uint64_t tp;
    __asm__ volatile("adrp %0, :gottprel:rn__tls_solo\n\t"
                     "ldr %0, [%0, :gottprel_lo12:rn__tls_solo]\n\t"
                     "mrs %1, tpidr_el0\n\t"
                     "ldr %w0, [%1, %0]"
                     : "=&r"(name), "=&r"(tp)
                     :
                     : "memory");
#endif
    return (uint32_t)name;
}

/* rn__tls_counts, as volatile. */
RN_PUBLIC RN__UNTRACED inline struct rn_count *rn__counts(void)
{
    struct rn_count *counts;
    RN__TLS_LOAD(counts, "rn__tls_counts");
    return counts;
}

/* What the kernel wants to know of a section: version and flags; its begin, its length, where to go on.  In the group of its
 * function, if that is in one, and by itself: the linker may leave out both. */
#define RN__SECTION                                     \
    ".pushsection .data.rel.ro.local.rn%=, \"aw?\"\n\t" \
    ".balign 32\n"                                      \
    "3:\t.long 0, 0\n\t.quad 1f, 2f - 1f, 4f\n\t"       \
    ".popsection\n\t"
/* Where a section that was not done goes on, out of the way of those that are: the mark, and behind it the place.  leave: clears
 * the place, and jumps. */
#define RN__SECTION_ELSEWHERE(leave)                                   \
    ".subsection 1\n\t" RN__SECTION_MARK "4:\t" leave "%l[failed]\n\t" \
    ".previous"
#if defined(__x86_64__)
#define RN__SECTION_MARK ".byte 0x0f, 0xb9, 0x3d\n\t.long 0x53053053\n" /* ud1 mark(%rip), %edi */
/* A processor of this kind keeps loads and stores in order: acquire and release cost nothing. */
#define RN__SECTION_TAKE RN__SECTION_CODE
#define RN__SECTION_GIVE RN__SECTION_CODE
#define RN__SECTION_CLEAR RN__X86("movq $0, %%fs:(%3)", "mov qword ptr fs:[%3], 0") "\n\t"
#define RN__SECTION_CODE                \
    RN__SECTION                         \
    RN__X86("leaq 3b(%%rip), %%rax\n\t" \
            "movq %%rax, %%fs:(%3)\n"   \
            "1:\tcmpl %1, (%0)\n\t"     \
            "jne 4f\n\t"                \
            "movl %2, (%0)\n",          \
            "lea rax, 3b[rip]\n\t"      \
            "mov fs:[%3], rax\n"        \
            "1:\tcmp [%0], %1\n\t"      \
            "jne 4f\n\t"                \
            "mov [%0], %2\n")           \
    "2:\t" RN__SECTION_CLEAR RN__SECTION_ELSEWHERE(RN__SECTION_CLEAR "jmp ")
#define RN__SECTION_CLOBBERS "rax", "cc", "memory"
#elif defined(__aarch64__)
#define RN__SECTION_MARK ".inst 0xd428bc00\n" /* brk */
/* (A jump to 4, which is behind all of the file's code, by a condition would reach a megabyte; clang does not say so.) */
#define RN__SECTION_CODE(load, store) \
    RN__SECTION                       \
    "mrs x15, tpidr_el0\n\t"          \
    "adrp x16, 3b\n\t"                \
    "add x16, x16, :lo12:3b\n\t"      \
    "str x16, [x15, %3]\n"            \
    "1:\t" load " w17, [%0]\n\t"      \
    "cmp w17, %w1\n\t"                \
    "b.eq 5f\n\t"                     \
    "b 4f\n"                          \
    "5:\t" store " %w2, [%0]\n"       \
    "2:\tstr xzr, [x15, %3]\n\t" RN__SECTION_ELSEWHERE("str xzr, [x15, %3]\n\tb ")
#define RN__SECTION_TAKE RN__SECTION_CODE("ldar", "str")
#define RN__SECTION_GIVE RN__SECTION_CODE("ldr", "stlr")
#define RN__SECTION_CLOBBERS "x15", "x16", "x17", "cc", "memory"
#endif

/* By a thread with a name.  *word == from ? *word = to : nothing, and true if it did.  False also if it was interrupted.  take
 * acquires, give releases. */
RN_PUBLIC RN__UNTRACED inline bool rn__section_take(rn_atomic(uint32_t) * word, uint32_t from, uint32_t to)
{
    __asm__ inline goto(RN__SECTION_TAKE
                        :
                        : "r"(word), "r"(from), "r"(to), "r"(rn__section_at)
                        : RN__SECTION_CLOBBERS
                        : failed);
    return true;
failed:
    return false;
}

RN_PUBLIC RN__UNTRACED inline bool rn__section_give(rn_atomic(uint32_t) * word, uint32_t from, uint32_t to)
{
    __asm__ inline goto(RN__SECTION_GIVE
                        :
                        : "r"(word), "r"(from), "r"(to), "r"(rn__section_at)
                        : RN__SECTION_CLOBBERS
                        : failed);
    return true;
failed:
    return false;
}
#endif

RN_EXTERN_C_END

#endif
