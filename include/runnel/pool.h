/* runnel/pool.h: objects that are kept for use again, instead of being freed and made anew.
 *
 *     static void *new_buffer(void) { return malloc(64 << 10); }
 *     static rn_pool buffers = RN_POOL_INIT(new_buffer, free);
 *
 *     char *b = pool_get(&buffers);
 *     …
 *     pool_put(&buffers, b);               // b is the pool's again
 *
 * An object that pool_get returns belongs to the caller alone.  It is one that was put back, in whatever state
 * it was, or a new one.  Each processor keeps up to RN_POOL_KEEPS objects of its own, so that usually
 * get and put don't compete with anybody; further objects are shared by all processors, up to
 * as many again; the rest is freed.  All-zero is valid: pool_get then returns NULL if nothing is
 * there, and surplus objects are dropped without being freed.
 *
 * From goroutines and plain threads; not from signal handlers.
 * Happens before: a pool_put before the pool_get that returns the object.  (Go, sync.Pool, which
 * lets the garbage collector empty it; here pool_drain does.)
 */
#ifndef RUNNEL_POOL_H
#define RUNNEL_POOL_H

#include <runnel/sync_type.h>

enum { RN_POOL_KEEPS = 64 };
struct rn_pool_shards;

typedef struct rn_pool {
    void *(*rn_make)(void);
    void (*rn_free)(void *);
    rn_atomic(struct rn_pool_shards *) rn_shards;
} rn_pool;

/* make() returns a new object, or NULL; free(object) ends one.  Either may be NULL. */
#define RN_POOL_INIT(make, free) \
    {                            \
        (make), (free), NULL     \
    }

RN_EXTERN_C_BEGIN

/* An object that was put back, or a new one; NULL when there is neither. */
RN_PUBLIC RN_MUST_USE void *rn_pool_get(rn_pool *p);
/* Gives an object to the pool, which may free it at once.  NULL is ignored. */
RN_PUBLIC void rn_pool_put(rn_pool *p, void *object);
/* Frees all objects that are in the pool, and what the pool itself has allocated.  Nobody else may use it
 * meanwhile; afterwards it is empty and may be used again. */
RN_PUBLIC void rn_pool_drain(rn_pool *p);

RN_EXTERN_C_END

#ifndef RN_NO_SHORT_NAMES
#define pool_get rn_pool_get
#define pool_put rn_pool_put
#define pool_drain rn_pool_drain
#endif

#endif
