/* See arena.h. */
#include "http/arena.h"
#include "base/alloc.h"
#include <string.h>

struct rn__http_chunk {
    struct rn__http_chunk *next;
    _Alignas(16) char bytes[];
};

enum { CHUNK = 8192 };

void rn__http_arena_init(struct rn__http_arena *a, void *block, size_t n)
{
    *a = (struct rn__http_arena){.at = block, .end = (char *)block + n, .block = block, .block_size = n};
}

void rn__http_arena_reset(struct rn__http_arena *a)
{
    for (struct rn__http_chunk *c = a->chunks, *next; c; c = next) {
        next = c->next;
        rn__free(c);
    }
    a->chunks = NULL;
    a->at = a->block;
    a->end = a->block + a->block_size;
}

static void *from_new_chunk(struct rn__http_arena *a, size_t n)
{
    size_t room = n < CHUNK / 2 ? CHUNK : n;
    struct rn__http_chunk *c = n < SIZE_MAX / 2 ? rn__malloc(sizeof *c + room) : NULL;
    if (!c)
        return NULL;
    c->next = a->chunks;
    a->chunks = c;
    if (room - n > (size_t)(a->end - a->at)) { /* go on with the one that has more left */
        a->at = c->bytes + n;
        a->end = c->bytes + room;
    }
    return c->bytes;
}

void *rn__http_arena_get(struct rn__http_arena *a, size_t n)
{
    size_t rounded = (n + 15) & ~(size_t)15;
    if (rounded < n || rounded > (size_t)(a->end - a->at))
        return from_new_chunk(a, rounded < n ? n : rounded);
    char *p = a->at;
    a->at += rounded;
    return p;
}

char *rn__http_arena_copy(struct rn__http_arena *a, const char *s, size_t n)
{
    char *p = n < SIZE_MAX - 1 ? rn__http_arena_get(a, n + 1) : NULL;
    if (!p)
        return NULL;
    if (n)
        memcpy(p, s, n);
    p[n] = 0;
    return p;
}
