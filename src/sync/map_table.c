/* One shard of rn_map: the table, and the reader's protocol.  See map.c. */
#include "sync/map.h"

#include "base/alloc.h"

enum { SLOTS_AT_FIRST = 8, READER_TURNS = 8 };

static bool same_key(const struct rn_mshard *s, struct rn_mslot *at, const struct rn_mkey *k)
{
    /* relaxed: written before the hash, which was read with acquire; or moved, which the version tells. */
    uintptr_t key = rn_load_relaxed(&at->key);
    return s->copies ? rn__map_block_is((struct rn_mblock *)key, k) : key == k->value;
}

struct rn_mslot *rn__map_find(struct rn_mshard *s, const struct rn_mkey *k)
{
    /* acquire: pairs with the release in grow; publishes the filled table. */
    struct rn_mtable *t = rn_load_acquire(&s->table);
    if (!t)
        return NULL;
    /* Bounded: a reader may see a table in motion, without an empty slot. */
    for (uint64_t i = 0; i <= t->mask; i++) {
        struct rn_mslot *at = &t->slots[(k->hash + i) & t->mask];
        /* acquire: pairs with the release in put; publishes key and value. */
        uint64_t hash = rn_load_acquire(&at->hash);
        if (hash == 0)
            return NULL;
        if (hash == k->hash && same_key(s, at, k))
            return at;
    }
    return NULL;
}

bool rn__map_read(struct rn_mshard *s, const struct rn_mkey *k, void **value)
{
    for (int turn = 0; turn < READER_TURNS; turn++) {
        /* acquire: pairs with the release in moved; what follows is not older. */
        uint32_t version = rn_load_acquire(&s->version);
        struct rn_mslot *at = version & 1 ? NULL : rn__map_find(s, k);
        /* acquire: pairs with the release of the store; publishes what the value points to. */
        *value = at ? rn_load_acquire(&at->value) : NULL;
        /* Pairs with the release fence in move: had we read anything of a move, we see its version. */
        rn_fence_acquire();
        if (!(version & 1) && rn_load_relaxed(&s->version) == version)
            return at != NULL;
        rn_cpu_pause();
    }
    rn__map_lock(s);
    struct rn_mslot *at = rn__map_find(s, k);
    *value = at ? rn_load_relaxed(&at->value) : NULL; /* relaxed: written under the mutex */
    rn__map_unlock(s);
    return at != NULL;
}

/* ---- changes, with the mutex -------------------------------------------------------------------- */

static void move(struct rn_mshard *s)
{
    /* relaxed, then the fence: pairs with the reader's acquire fence. */
    rn_store_relaxed(&s->version, rn_load_relaxed(&s->version) + 1);
    rn_fence_release();
}

static void moved(struct rn_mshard *s)
{
    /* release: pairs with the reader's acquire load; the moves come before. */
    rn_store_release(&s->version, rn_load_relaxed(&s->version) + 1);
}

static void count(struct rn_mshard *s, size_t by)
{
    rn_store_relaxed(&s->n, rn_load_relaxed(&s->n) + by); /* relaxed: a number for rn_map_len */
}

static void put(struct rn_mslot *at, uint64_t hash, uintptr_t key, void *value)
{
    /* release, both: pair with the reader's acquire fence.  Who has read an older hash here and then one of these must
     * see the version of the move that emptied the slot, which may have been another thread's. */
    rn_store_release(&at->value, value);
    rn_store_release(&at->key, key);
    /* release: pairs with the acquire in find. */
    rn_store_release(&at->hash, hash);
}

/* The first empty slot for this hash; the table has one. */
static struct rn_mslot *empty_slot(struct rn_mtable *t, uint64_t hash)
{
    uint64_t i = hash & t->mask;
    while (rn_load_relaxed(&t->slots[i].hash) != 0) /* relaxed: written under the mutex */
        i = (i + 1) & t->mask;
    return &t->slots[i];
}

/* A table twice as large, with all entries; NULL: no memory. */
static struct rn_mtable *grow(struct rn_mshard *s, struct rn_mtable *old)
{
    uint64_t slots = old ? (old->mask + 1) * 2 : SLOTS_AT_FIRST;
    struct rn_mtable *t = rn__calloc(1, sizeof *t + slots * sizeof(struct rn_mslot));
    if (!t)
        return NULL;
    t->mask = slots - 1;
    t->older = old;
    for (uint64_t i = 0; old && i <= old->mask; i++) {
        struct rn_mslot *from = &old->slots[i];
        uint64_t hash = rn_load_relaxed(&from->hash); /* relaxed, all: written under the mutex */
        if (hash)
            put(empty_slot(t, hash), hash, rn_load_relaxed(&from->key), rn_load_relaxed(&from->value));
    }
    /* release: pairs with the acquire in find. */
    rn_store_release(&s->table, t);
    return t;
}

bool rn__map_insert(struct rn_mshard *s, const struct rn_mkey *k, void *value)
{
    struct rn_mtable *t = rn_load_relaxed(&s->table); /* relaxed, both: written under the mutex */
    size_t n = rn_load_relaxed(&s->n);
    if (!t || (n + 1) * 4 > (t->mask + 1) * 3)
        t = grow(s, t);
    uintptr_t key = k->value;
    if (t && s->copies)
        key = (uintptr_t)rn__map_block_make(s, k);
    if (!t || (s->copies && !key))
        return false;
    put(empty_slot(t, k->hash), k->hash, key, value);
    count(s, 1);
    return true;
}

/* The slot at i becomes empty: later entries that it kept from their place move up. */
static void close_gap(struct rn_mtable *t, uint64_t i)
{
    for (uint64_t j = (i + 1) & t->mask;; j = (j + 1) & t->mask) {
        struct rn_mslot *from = &t->slots[j];
        uint64_t hash = rn_load_relaxed(&from->hash); /* relaxed, all: written under the mutex */
        if (hash == 0)
            break;
        if (((j - hash) & t->mask) < ((j - i) & t->mask))
            continue; /* it is nearer to its place than the gap is */
        put(&t->slots[i], hash, rn_load_relaxed(&from->key), rn_load_relaxed(&from->value));
        i = j;
    }
    rn_store_relaxed(&t->slots[i].hash, 0);
}

void rn__map_remove(struct rn_mshard *s, struct rn_mslot *at)
{
    struct rn_mtable *t = rn_load_relaxed(&s->table); /* relaxed, both: written under the mutex */
    uintptr_t key = rn_load_relaxed(&at->key);
    move(s);
    close_gap(t, (uint64_t)(at - t->slots));
    moved(s);
    if (s->copies)
        rn__map_block_drop(s, (struct rn_mblock *)key);
    count(s, (size_t)-1);
}

void rn__map_remove_all(struct rn_mshard *s)
{
    struct rn_mtable *t = rn_load_relaxed(&s->table); /* relaxed, all: written under the mutex */
    move(s);
    for (uint64_t i = 0; t && i <= t->mask; i++) {
        if (s->copies && rn_load_relaxed(&t->slots[i].hash))
            rn__map_block_drop(s, (struct rn_mblock *)rn_load_relaxed(&t->slots[i].key));
        rn_store_relaxed(&t->slots[i].hash, 0);
    }
    moved(s);
    rn_store_relaxed(&s->n, 0);
}
