/* The keys of rn_map: hashing, comparing, copying.  See map.c.
 *
 * Hashes are seeded for each map, so that a client who chooses keys can't choose collisions.  A word is
 * mixed by a 64 by 64 bit multiplication whose halves are combined (the idea of Wang Yi's wyhash).
 */
#include "sync/map.h"

#include "base/alloc.h"
#include <string.h>

RN_STATIC_ASSERT(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "keys are taken apart lowest byte first");

static const uint64_t MIX_1 = 0x9e3779b97f4a7c15u, MIX_2 = 0xd1b54a32d192ed03u;

static uint64_t mix(uint64_t a, uint64_t b)
{
    __extension__ unsigned __int128 p = (unsigned __int128)a * b;
    return (uint64_t)p ^ (uint64_t)(p >> 64);
}

static uint64_t load_64(const char *p)
{
    uint64_t w;
    memcpy(&w, p, sizeof w);
    return w;
}

static uint64_t load_32(const char *p)
{
    uint32_t w;
    memcpy(&w, p, sizeof w);
    return w;
}

/* The last n bytes of a key of `length`, 0 < n < 8, lowest byte first, filled up with zeros.  By loads
 * that may overlap: a copy of n bytes is a call. */
static uint64_t tail(const char *key, uint32_t length, uint32_t n)
{
    const char *p = key + length - n;
    if (length >= 8)
        return load_64(key + length - 8) >> (8 - n) * 8;
    if (n >= 4)
        return load_32(p) | load_32(p + n - 4) << (n - 4) * 8;
    const unsigned char *b = (const unsigned char *)p;
    return (uint64_t)b[0] | (uint64_t)b[n / 2] << n / 2 * 8 | (uint64_t)b[n - 1] << (n - 1) * 8;
}

/* Word i of the key, the last one filled up with zeros. */
static inline uint64_t word_of(const struct rn_mkey *k, uint32_t i)
{
    uint32_t left = k->length - i * 8;
    if (left >= 8)
        return load_64((const char *)k->bytes + (size_t)i * 8);
    return tail(k->bytes, k->length, left);
}

static uint32_t words_of(uint32_t length)
{
    return length / 8 + (length % 8 != 0);
}

void rn__map_hash(struct rn_mkey *k, uint64_t seed, bool copies)
{
    uint64_t h = seed;
    if (copies) {
        for (uint32_t i = 0; i < words_of(k->length); i++)
            h = mix(h ^ word_of(k, i), MIX_1);
        h ^= k->length;
    } else {
        h ^= k->value;
    }
    h = mix(h ^ MIX_2, MIX_1);
    k->hash = h ? h : 1;
}

bool rn__map_block_is(struct rn_mblock *b, const struct rn_mkey *k)
{
    /* relaxed, here and below: if the block is being written, the version tells the reader. */
    if (rn_load_relaxed(&b->length) != k->length)
        return false;
    for (uint32_t i = 0; i < words_of(k->length); i++)
        if (rn_load_relaxed(&b->words[i]) != word_of(k, i))
            return false;
    return true;
}

static struct rn_mblock *block_new(struct rn_mblocks *all, uint32_t class)
{
    struct rn_mblock *b = rn__malloc(sizeof *b + ((size_t)8 << class));
    if (!b)
        return NULL;
    b->class = class;
    b->all = all->all;
    all->all = b;
    return b;
}

struct rn_mblock *rn__map_block_make(struct rn_mshard *s, const struct rn_mkey *k)
{
    if (!s->blocks && !(s->blocks = rn__calloc(1, sizeof *s->blocks)))
        return NULL;
    uint32_t words = words_of(k->length), class = words > 1 ? 32 - (uint32_t)__builtin_clz(words - 1) : 0;
    struct rn_mblock *b = s->blocks->unused[class];
    if (b)
        s->blocks->unused[class] = b->unused;
    else if (!(b = block_new(s->blocks, class)))
        return NULL;
    /* relaxed: readers of an old slot are told by the version; new ones come by the slot's hash. */
    for (uint32_t i = 0; i < words; i++)
        rn_store_relaxed(&b->words[i], word_of(k, i));
    rn_store_relaxed(&b->length, k->length);
    return b;
}

void rn__map_block_drop(struct rn_mshard *s, struct rn_mblock *b)
{
    b->unused = s->blocks->unused[b->class];
    s->blocks->unused[b->class] = b;
}

void rn__map_blocks_free(struct rn_mshard *s)
{
    for (struct rn_mblock *b = s->blocks ? s->blocks->all : NULL; b;) {
        struct rn_mblock *next = b->all;
        rn__free(b);
        b = next;
    }
    rn__free(s->blocks);
    s->blocks = NULL;
}
