/* The library's heap: all of it goes through these five functions, so that a test build can make
 * the nth request fail (see base/fault.h).  In other builds they are libc's and cost nothing.
 *
 * NULL means that there is no memory; the caller reports RN_ENOMEM or panics.  Safe on any thread.
 */
#ifndef RN_BASE_ALLOC_H
#define RN_BASE_ALLOC_H

#include "base/fault.h"
#include "base/race.h"
#include <stddef.h>
#include <stdlib.h>

static inline void *rn__malloc(size_t bytes)
{
    rn__race_own_begin();
    void *p = rn__fault_hit() ? NULL : malloc(bytes);
    rn__race_own_end();
    return p;
}

/* Zeroed; NULL as well when n * bytes overflows. */
static inline void *rn__calloc(size_t n, size_t bytes)
{
    rn__race_own_begin();
    void *p = rn__fault_hit() ? NULL : calloc(n, bytes);
    rn__race_own_end();
    return p;
}

/* On failure p stays as it was. */
static inline void *rn__realloc(void *p, size_t bytes)
{
    rn__race_own_begin();
    void *q = rn__fault_hit() ? NULL : realloc(p, bytes);
    rn__race_own_end();
    return q;
}

/* `align` is a power of two and at least sizeof(void *); not zeroed. */
static inline void *rn__aligned_alloc(size_t align, size_t bytes)
{
    void *p = NULL;
    rn__race_own_begin();
    if (rn__fault_hit() || posix_memalign(&p, align, bytes) != 0)
        p = NULL;
    rn__race_own_end();
    return p;
}

/* Takes what any of the above returned, or NULL. */
static inline void rn__free(void *p)
{
    rn__race_own_begin();
    free(p);
    rn__race_own_end();
}

#endif
