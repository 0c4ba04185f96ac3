/* setjmp and longjmp without what libc, or a sanitizer's runtime in its place, does besides: no locks, no memory, no
 * signal mask, no scrambled registers.  In assembly: src/arch/<cpu>/mark.S; declared here since src/os needs it. */
#ifndef RN_BASE_MARK_H
#define RN_BASE_MARK_H

#include <stdint.h>

/* What a callee must keep, the stack pointer and where to go on. */
struct rn_mark {
    uintptr_t words[22];
};

/* 0; and 1 when rn__arch_go_back comes, as long as the caller has not returned. */
__attribute__((returns_twice)) int rn__arch_mark(struct rn_mark *m);
_Noreturn void rn__arch_go_back(const struct rn_mark *m);

#endif
