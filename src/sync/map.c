/* Map: hash tables in shards; readers take no lock and make no atomic read-modify-write.
 *
 * A key's hash chooses the shard (high bits) and the place where to look first (low bits); collisions go
 * to the next place (linear probing), and a deletion moves later entries back, so there are no
 * tombstones.  A slot is empty while its hash is 0.
 *
 *     may overlap:   load    store to a key that is there   insert   delete, clear   grow
 *     load            yes                yes                 yes         yes          yes
 *     the others change one shard one at a time, under its mutex.
 *
 *  - A store to a key that is there is one store of the value.
 *  - An insertion writes value and key, then the hash with release: a reader sees an empty slot or all.
 *  - A deletion moves entries.  `version` is odd meanwhile; a reader that finds it odd, or changed at the
 *    end, looks again, and after some turns takes the mutex.
 *  - Growing fills a new table and then publishes it.  The old one does not change any more, so a reader
 *    in it sees the shard as it was at that moment, which lies within its call.  Old tables are kept
 *    until rn_map_free: together they are no larger than the present one.
 *
 * Keys that are text or bytes are copied into blocks that are given back only by rn_map_free; a deleted
 * key's block is used again for another key of its size class, in the same shard.  So a reader may
 * compare with a block that is being written: it reads words that exist, by atomic loads, and the
 * version tells it that they meant nothing.  `length` <= the size of the class always.
 *
 * Memory orders: the seqlock of "Can Seqlocks Get Along with Programming Language Memory Models?" (Boehm,
 * 2012): the reader's loads, an acquire fence, and version again; the writer's version, a release
 * fence, and its stores, which are all atomic.  A value is stored with release and loaded with acquire, so that
 * what it points to is published.  Model test: tests/model/map.c.
 *
 * Rejected: a reader-writer lock for each shard (two atomic operations for a load, and readers of one hot key
 * write to one line); tables of pointers to entries with deferred reclamation (each needs a grace
 * period, for memory that a map hardly ever gives back).
 */
#include "sync/map.h"

#include "base/alloc.h"
#include "sched/sched.h"
#include <string.h>

enum { SHARDS_MIN = 8, SHARDS_MAX = 64 };

/* ---- shards ------------------------------------------------------------------------------------- */

static struct rn_map_shards *make_shards(bool copies)
{
    uint32_t n = SHARDS_MIN, shift = 61;
    for (; n < SHARDS_MAX && n < 4 * (uint32_t)rn_procs(); n *= 2)
        shift--;
    size_t bytes = sizeof(struct rn_map_shards) + n * sizeof(struct rn_mshard);
    struct rn_map_shards *s = rn__aligned_alloc(_Alignof(struct rn_mshard), bytes);
    if (!s)
        return NULL;
    memset(s, 0, bytes);
    s->seed = rn__random();
    s->n = n;
    s->shift = shift;
    for (uint32_t i = 0; i < n; i++)
        s->shard[i].copies = copies;
    return s;
}

_Noreturn static void no_memory(void)
{
    rn_panic("map: out of memory");
}

/* The map's shards, made by the first store. */
static struct rn_map_shards *shards_of(rn_map *m, bool copies)
{
    /* acquire: pairs with the release below; publishes the zeroed shards. */
    struct rn_map_shards *s = rn_load_acquire(&m->rn_shards);
    if (__builtin_expect(s != NULL, 1))
        return s;
    struct rn_map_shards *mine = make_shards(copies);
    if (!mine)
        no_memory();
    /* acq_rel: release publishes ours; acquire, when another was first, its. */
    if (rn_cas_acq_rel(&m->rn_shards, &s, mine))
        return mine;
    rn__free(mine);
    return s;
}

/* ---- keys --------------------------------------------------------------------------------------- */

static const char *kind_name(enum rn_map_kind kind)
{
    return kind == RN_MAP_TEXT ? "text" : "integer";
}

/* The kind of key that the map has; the first key decides. */
static enum rn_map_kind kind_of(rn_map *m, enum rn_map_kind wanted)
{
    /* relaxed: the kind is all that this word says. */
    uint32_t kind = rn_load_relaxed(&m->rn_kind);
    if (__builtin_expect(kind == RN_MAP_ANY, 0) && rn_cas_relaxed(&m->rn_kind, &kind, wanted))
        return wanted;
    if (__builtin_expect(kind != wanted && kind != RN_MAP_STRUCT, 0))
        rn_panic("map: key of type %s in a map with keys of type %s", kind_name(wanted),
                 kind_name((enum rn_map_kind)kind));
    return (enum rn_map_kind)kind;
}

static struct rn_mkey key_of(const rn_map *m, enum rn_map_kind kind, struct rn_map_key given)
{
    struct rn_mkey k = {.value = given.value};
    if (kind == RN_MAP_INTEGER)
        return k;
    k.bytes = (const void *)given.value;
    if (!k.bytes)
        rn_panic("map: NULL key");
    size_t length = kind == RN_MAP_TEXT ? strlen(k.bytes) : m->rn_key_size;
    if (length > INT32_MAX / 2)
        rn_panic("map: key too long");
    k.length = (uint32_t)length;
    return k;
}

static struct rn_mshard *shard_of(struct rn_map_shards *s, struct rn_mkey *k, bool copies)
{
    rn__map_hash(k, s->seed, copies);
    return &s->shard[k->hash >> s->shift];
}

/* For those who only look: NULL when the map is empty. */
static struct rn_mshard *look(rn_map *m, struct rn_map_key given, struct rn_mkey *k)
{
    /* acquire: as in shards_of. */
    struct rn_map_shards *s = rn_load_acquire(&m->rn_shards);
    if (!s)
        return NULL;
    enum rn_map_kind kind = kind_of(m, given.kind);
    *k = key_of(m, kind, given);
    return shard_of(s, k, kind != RN_MAP_INTEGER);
}

static struct rn_mshard *look_or_make(rn_map *m, struct rn_map_key given, struct rn_mkey *k)
{
    enum rn_map_kind kind = kind_of(m, given.kind);
    *k = key_of(m, kind, given);
    return shard_of(shards_of(m, kind != RN_MAP_INTEGER), k, kind != RN_MAP_INTEGER);
}

/* ---- operations --------------------------------------------------------------------------------- */

/* A changer's look at a value.  relaxed: values change under the mutex only. */
static void *value_of(struct rn_mslot *at)
{
    return rn_load_relaxed(&at->value);
}

static void set_value(struct rn_mslot *at, void *v)
{
    /* release: pairs with the acquire in rn__map_read; publishes what v points to. */
    rn_store_release(&at->value, v);
}

bool rn__map_load(rn_map *m, struct rn_map_key key, void **v)
{
    rn__point(RN_AT_MAP, m);
    struct rn_mkey k;
    void *value = NULL;
    struct rn_mshard *s = look(m, key, &k);
    bool found = s && rn__map_read(s, &k, &value);
    rn__map_race_sees(m, k.hash);
    if (v)
        *v = value;
    return found;
}

static bool swap(rn_map *m, struct rn_map_key key, void *v, void **before, bool sees)
{
    rn__point(RN_AT_MAP, m);
    struct rn_mkey k;
    struct rn_mshard *s = look_or_make(m, key, &k);
    rn__map_race_changes(m, k.hash);
    rn__map_lock(s);
    struct rn_mslot *at = rn__map_find(s, &k);
    *before = at ? value_of(at) : NULL;
    bool found = at != NULL, stored = true;
    if (at)
        set_value(at, v);
    else
        stored = rn__map_insert(s, &k, v);
    rn__map_unlock(s);
    if (!stored)
        no_memory();
    if (sees)
        rn__map_race_sees(m, k.hash);
    return found;
}

bool rn__map_swap(rn_map *m, struct rn_map_key key, void *v, void **before)
{
    return swap(m, key, v, before, true);
}

void rn__map_store(rn_map *m, struct rn_map_key key, void *v)
{
    void *before;
    swap(m, key, v, &before, false);
}

bool rn__map_load_or_store(rn_map *m, struct rn_map_key key, void *v, void **actual)
{
    rn__point(RN_AT_MAP, m);
    struct rn_mkey k;
    struct rn_mshard *s = look_or_make(m, key, &k);
    if (rn__map_read(s, &k, actual)) {
        rn__map_race_sees(m, k.hash);
        return true;
    }
    rn__map_lock(s);
    struct rn_mslot *at = rn__map_find(s, &k);
    if (!at)
        rn__map_race_changes(m, k.hash);
    *actual = at ? value_of(at) : v;
    bool stored = at || rn__map_insert(s, &k, v);
    rn__map_unlock(s);
    if (!stored)
        no_memory();
    rn__map_race_sees(m, k.hash);
    return at != NULL;
}

bool rn__map_load_and_delete(rn_map *m, struct rn_map_key key, void **v)
{
    rn__point(RN_AT_MAP, m);
    struct rn_mkey k;
    void *value = NULL;
    struct rn_mshard *s = look(m, key, &k);
    struct rn_mslot *at = NULL;
    /* A key that is not there, which is common, costs no lock. */
    if (s && rn__map_read(s, &k, &value)) {
        rn__map_lock(s);
        at = rn__map_find(s, &k);
        value = at ? value_of(at) : NULL;
        if (at) {
            rn__map_race_changes(m, k.hash);
            rn__map_remove(s, at);
        }
        rn__map_unlock(s);
    }
    rn__map_race_sees(m, k.hash);
    if (v)
        *v = value;
    return at != NULL;
}

/* If key's value is old, puts *v there, or without v takes the key out. */
static bool change_if(rn_map *m, struct rn_map_key key, const void *old, void *const *v)
{
    rn__point(RN_AT_MAP, m);
    struct rn_mkey k;
    struct rn_mshard *s = look(m, key, &k);
    if (!s)
        return false;
    rn__map_lock(s);
    struct rn_mslot *at = rn__map_find(s, &k);
    bool match = at && value_of(at) == old;
    if (match) {
        rn__map_race_changes(m, k.hash);
        if (v)
            set_value(at, *v);
        else
            rn__map_remove(s, at);
    }
    rn__map_unlock(s);
    rn__map_race_sees(m, k.hash);
    return match;
}

bool rn__map_compare_and_swap(rn_map *m, struct rn_map_key key, void *old, void *v)
{
    return change_if(m, key, old, &v);
}

bool rn__map_compare_and_delete(rn_map *m, struct rn_map_key key, void *old)
{
    return change_if(m, key, old, NULL);
}

size_t rn_map_len(rn_map *m)
{
    rn__point(RN_AT_MAP, m);
    /* acquire: as in shards_of. */
    struct rn_map_shards *s = rn_load_acquire(&m->rn_shards);
    size_t n = 0;
    for (uint32_t i = 0; s && i < s->n; i++)
        n += rn_load_relaxed(&s->shard[i].n); /* relaxed: a number */
    return n;
}

void rn_map_clear(rn_map *m)
{
    rn__point(RN_AT_MAP, m);
    /* acquire: as in shards_of. */
    struct rn_map_shards *s = rn_load_acquire(&m->rn_shards);
    if (RN_RACE_ON && s)
        rn__race_release(RN_RACE_NAME(s->shard, 0));
    for (uint32_t i = 0; s && i < s->n; i++) {
        rn__map_lock(&s->shard[i]);
        rn__map_remove_all(&s->shard[i]);
        rn__map_unlock(&s->shard[i]);
    }
}

void rn_map_free(rn_map *m)
{
    /* acquire: as in shards_of. */
    struct rn_map_shards *s = rn_xchg_acq_rel(&m->rn_shards, NULL);
    for (uint32_t i = 0; s && i < s->n; i++) {
        struct rn_mtable *t = rn_load_relaxed(&s->shard[i].table); /* relaxed: nobody else is there */
        while (t) {
            struct rn_mtable *older = t->older;
            rn__free(t);
            t = older;
        }
        rn__map_blocks_free(&s->shard[i]);
    }
    rn__free(s);
    if (rn_load_relaxed(&m->rn_kind) != RN_MAP_STRUCT) /* relaxed: as above */
        rn_store_relaxed(&m->rn_kind, RN_MAP_ANY);
}
