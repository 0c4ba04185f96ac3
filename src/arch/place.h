/* What is above a new goroutine's first frame, on all processors.
 *
 * rn__copy_frame copies the caller's stack arguments: a bounded piece of its frame, whatever lies there, so that the
 * sanitizers must not look.  That holds for a plain library as well: a program that AddressSanitizer watches brings
 * a memcpy that does; hence a loop that the compiler can't take for one.  n is a multiple of 32. */
#ifndef RN_ARCH_PLACE_H
#define RN_ARCH_PLACE_H

#include "arch/arch.h"
#include "base/sanitizers.h"
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(RN_ASAN) || defined(RN_TSAN) || defined(RN_RACE)
__attribute__((no_sanitize("address"), no_sanitize("thread"), noinline))
#else
__attribute__((always_inline)) inline
#endif
static void
rn__copy_frame(void *to, const void *from, size_t n)
{
    typedef uint64_t rn_two __attribute__((vector_size(16), aligned(8), may_alias));
    const volatile rn_two *f = from;
    rn_two *t = to;
    for (; n > 0; n -= 32, f += 2, t += 2) {
        t[0] = f[0];
        t[1] = f[1];
    }
}

/* As rn__arch_prepare.  Returns where the first frame ends, which has the words. */
static inline char *rn__place_arguments(char *top, const struct rn_captured_words *words, const void *stack,
                                        uint32_t stack_bytes)
{
    const struct rn_captured *all = (const struct rn_captured *)(const void *)words;
    /* Room: when f in its turn starts a goroutine, that many bytes above its own frame are copied as stack arguments, whether
     * they are or not. */
    top -= RN_CAPTURED_MOST;
    if (!stack_bytes)
        return top;
    top -= stack_bytes;
    rn__copy_frame(top, stack, stack_bytes);
    top -= sizeof all->vector;
    memcpy(top, all->vector, sizeof all->vector);
    return top;
}

#endif
