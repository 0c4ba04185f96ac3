/* Copies the caller's stack arguments: a bounded piece of its frame, whatever lies there, so that the
 * sanitizers must not look.  That holds for a plain library as well: a program that AddressSanitizer watches brings
 * a memcpy that does; hence a loop that the compiler can't take for one.  n is a multiple of 8. */
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
    const volatile uint64_t *f = from;
    for (uint64_t *t = to; n > 0; n -= 8)
        *t++ = *f++;
}

#endif
