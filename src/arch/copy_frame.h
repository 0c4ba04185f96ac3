/* Copies the caller's stack arguments: a bounded piece of its frame, whatever lies there, so that the
 * sanitizers must not look.  n is a multiple of 8. */
#ifndef RN_ARCH_COPY_FRAME_H
#define RN_ARCH_COPY_FRAME_H

#include "base/sanitizers.h"
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(RN_ASAN) || defined(RN_TSAN) || defined(RN_RACE)
__attribute__((no_sanitize("address"), no_sanitize("thread"), noinline)) static void
rn__copy_frame(void *to, const void *from, size_t n)
{
    const volatile uint64_t *f = from;
    for (uint64_t *t = to; n > 0; n -= 8)
        *t++ = *f++;
}
#else
static inline void rn__copy_frame(void *to, const void *from, size_t n)
{
    memcpy(to, from, n);
}
#endif

#endif
