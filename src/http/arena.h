/* Memory that lives as long as one request.  A block that belongs to the connection serves first; what does
 * not fit comes from the heap and is freed with the request.  In steady state no request allocates. */
#ifndef RN_HTTP_ARENA_H
#define RN_HTTP_ARENA_H

#include <stddef.h>
#include <stdint.h>

struct rn__http_chunk;

/* One goroutine at a time. */
struct rn__http_arena {
    char *at, *end; /* what is free of the block, or of the newest chunk */
    char *block;
    size_t block_size;
    struct rn__http_chunk *chunks;
};

/* Begins with a block of the caller's. */
void rn__http_arena_init(struct rn__http_arena *a, void *block, size_t n);
/* Everything is free again. */
void rn__http_arena_reset(struct rn__http_arena *a);
/* n bytes, aligned to 16, not zeroed; NULL when there is no memory. */
void *rn__http_arena_get(struct rn__http_arena *a, size_t n);
/* A copy of n bytes, with a NUL behind it; NULL when there is no memory. */
char *rn__http_arena_copy(struct rn__http_arena *a, const char *s, size_t n);

#endif
