/* rn_map_range: shard by shard, a copy of the entries made under the mutex, then the visits with
 * nothing held.  An entry never changes its shard, so one that stays is visited exactly once. */
#include "base/point.h"
#include "sync/map.h"

#include "base/alloc.h"
#include <runnel/go.h>
#include <string.h>

struct entry {
    uintptr_t key; /* INTEGER; otherwise the offset of the copied key */
    void *value;
};

struct copy {
    size_t n, used; /* entries, bytes of keys */
    bool copies;
    char *keys; /* behind the entries */
    struct entry entries[];
};

/* The words of a block, as the bytes that they were, with a NUL behind. */
static size_t key_room(struct rn_mblock *b)
{
    return ((size_t)rn_load_relaxed(&b->length) / 8 + 1) * 8; /* relaxed: written under the mutex */
}

static struct rn_mblock *block_at(struct rn_mslot *at)
{
    return (struct rn_mblock *)rn_load_relaxed(&at->key); /* relaxed: written under the mutex */
}

static uintptr_t copy_key(struct copy *c, struct rn_mblock *b)
{
    uintptr_t at = c->used;
    size_t room = key_room(b);
    uint32_t length = rn_load_relaxed(&b->length); /* relaxed, both: written under the mutex */
    memset(c->keys + at, 0, room);
    for (uint32_t i = 0; i * 8 < length; i++) {
        uint64_t w = rn_load_relaxed(&b->words[i]);
        memcpy(c->keys + at + (size_t)i * 8, &w, 8);
    }
    c->used += room;
    return at;
}

/* With the mutex. */
static size_t bytes_of_keys(const struct rn_mshard *s, struct rn_mtable *t)
{
    size_t bytes = 0;
    for (uint64_t i = 0; s->copies && i <= t->mask; i++)
        if (rn_load_relaxed(&t->slots[i].hash)) /* relaxed: written under the mutex */
            bytes += key_room(block_at(&t->slots[i]));
    return bytes;
}

/* With the mutex; NULL: no memory. */
static struct copy *copy_shard(rn_map *m, struct rn_mshard *s, struct rn_mtable *t)
{
    size_t n = rn_load_relaxed(&s->n); /* relaxed, all: written under the mutex */
    size_t entries = sizeof(struct copy) + n * sizeof(struct entry);
    struct copy *c = rn__malloc(entries + bytes_of_keys(s, t));
    if (!c)
        return NULL;
    *c = (struct copy){.copies = s->copies, .keys = (char *)c + entries};
    for (uint64_t i = 0; i <= t->mask; i++) {
        struct rn_mslot *at = &t->slots[i];
        if (!rn_load_relaxed(&at->hash))
            continue;
        rn__map_race_sees(m, rn_load_relaxed(&at->hash));
        uintptr_t key = s->copies ? copy_key(c, block_at(at)) : rn_load_relaxed(&at->key);
        c->entries[c->n++] = (struct entry){key, rn_load_relaxed(&at->value)};
    }
    return c;
}

static bool visit_shard(rn_map *m, struct rn_mshard *s, rn_map_visit *f, void *arg)
{
    struct copy *c = NULL;
    rn__map_lock(s);
    struct rn_mtable *t = rn_load_relaxed(&s->table); /* relaxed: written under the mutex */
    if (t)
        c = copy_shard(m, s, t);
    rn__map_unlock(s);
    if (!t)
        return true;
    if (!c)
        rn_panic("map: out of memory");
    rn_defer(rn__free, c);
    for (size_t i = 0; i < c->n; i++) {
        uintptr_t key = c->entries[i].key;
        if (!f(c->copies ? c->keys + key : (const void *)key, c->entries[i].value, arg))
            return false;
    }
    return true;
}

void rn_map_range(rn_map *m, rn_map_visit *f, void *arg)
{
    rn__point(RN_AT_MAP, m);
    /* acquire: pairs with the release in shards_of (map.c). */
    struct rn_map_shards *s = rn_load_acquire(&m->rn_shards);
    if (RN_RACE_ON && s)
        rn__race_acquire(RN_RACE_NAME(s->shard, 0)); /* a clear before */
    for (uint32_t i = 0; s && i < s->n; i++)
        if (!visit_shard(m, &s->shard[i], f, arg))
            return;
}
