/* Copies the caller's stack arguments: a bounded piece of its frame, whatever lies there, so that the
 * sanitizers must not look.  That holds for a plain library as well: a program that AddressSanitizer watches brings
 * a memcpy that does; hence a loop that the compiler can't take for one.  n is a multiple of 32. */
#ifndef RN_ARCH_COPY_FRAME_H
#define RN_ARCH_COPY_FRAME_H

#include "base/sanitizers.h"
#include <stddef.h>
#include <stdint.h>

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

#endif
