/* The inside of rn_map, shared by map.c (operations), map_table.c (one shard's table) and map_key.c
 * (keys).  The design, and who may do what at the same time, is in map.c. */
#ifndef RN_SYNC_MAP_H
#define RN_SYNC_MAP_H

#include "base/atomic.h"
#include "base/race.h"
#include <runnel/map.h>
#include <runnel/mutex.h>

/* A key that somebody asks for. */
struct rn_mkey {
    uint64_t hash;     /* never 0 */
    uintptr_t value;   /* INTEGER */
    const void *bytes; /* otherwise */
    uint32_t length;
};

/* A copied key.  Lives until rn_map_free; belongs to one shard. */
struct rn_mblock {
    struct rn_mblock *all;      /* in the shard's list of all its blocks */
    struct rn_mblock *unused;   /* in the list of its class */
    uint32_t class;             /* room: 8 << class bytes; never changes */
    rn_atomic(uint32_t) length; /* <= room */
    rn_atomic(uint64_t) words[];
};

enum { RN_MAP_CLASSES = 28 };
struct rn_mblocks {
    struct rn_mblock *all, *unused[RN_MAP_CLASSES];
};

struct rn_mslot {
    rn_atomic(uint64_t) hash; /* 0: empty */
    rn_atomic(uintptr_t) key; /* INTEGER: itself; otherwise a struct rn_mblock * */
    rn_atomic(void *) value;
};

struct rn_mtable {
    uint64_t mask;           /* number of slots - 1 */
    struct rn_mtable *older; /* the one that it replaced */
    struct rn_mslot slots[];
};

struct rn_mshard {
    rn_atomic(uint32_t) version;         /* odd: entries are being moved */
    bool copies;                         /* keys are blocks; never changes */
    rn_atomic(struct rn_mtable *) table; /* NULL at first */
    rn_atomic(size_t) n;
    rn_mutex mutex; /* of those who change the shard; guards what follows */
    struct rn_mblocks *blocks;
} __attribute__((aligned(128)));

struct rn_map_shards {
    uint64_t seed;
    uint32_t n, shift; /* n = 1 << (64 - shift), n > 1 */
    struct rn_mshard shard[];
};

/* The shard's mutex.  The race detector is not told: it would order the users of different keys. */
static inline void rn__map_lock(struct rn_mshard *s)
{
    if (RN_RACE_ON)
        rn__mutex_lock_slow(&s->mutex);
    else
        rn_mutex_lock(&s->mutex);
}

static inline void rn__map_unlock(struct rn_mshard *s)
{
    if (RN_RACE_ON)
        rn__mutex_unlock_slow(&s->mutex);
    else
        rn_mutex_unlock(&s->mutex);
}

/* For the race detector: a name for each key, as good as; they are odd addresses within the shards.  The
 * first is that of rn_map_clear. */
static inline void *rn__map_race_name(struct rn_map_shards *s, uint64_t hash)
{
    uint64_t names = s->n * sizeof(struct rn_mshard) / 2 - 1;
    return RN_RACE_NAME(s->shard, 1 + hash % names);
}

/* What this goroutine has done comes before what those do who see its change of the key. */
static inline void rn__map_race_changes(rn_map *m, uint64_t hash)
{
    if (RN_RACE_ON)
        rn__race_release(rn__map_race_name(rn_load_acquire(&m->rn_shards), hash));
}

static inline void rn__map_race_sees(rn_map *m, uint64_t hash)
{
    struct rn_map_shards *s = RN_RACE_ON ? rn_load_acquire(&m->rn_shards) : NULL;
    if (!s)
        return;
    rn__race_acquire(rn__map_race_name(s, hash));
    rn__race_acquire(RN_RACE_NAME(s->shard, 0));
}

/* ---- map_key.c ---------------------------------------------------------------------------------- */

/* The hash of k in a map with this seed; fills in the rest of k. */
void rn__map_hash(struct rn_mkey *k, uint64_t seed, bool copies);
/* Whether the block holds k's bytes.  While the block is being written the answer may be wrong. */
bool rn__map_block_is(struct rn_mblock *b, const struct rn_mkey *k);
/* With the shard's mutex.  NULL: no memory. */
struct rn_mblock *rn__map_block_make(struct rn_mshard *s, const struct rn_mkey *k);
void rn__map_block_drop(struct rn_mshard *s, struct rn_mblock *b);
void rn__map_blocks_free(struct rn_mshard *s);

/* ---- map_table.c -------------------------------------------------------------------------------- */

/* Where k is; NULL if it is not there.  With the mutex, or under the reader's protocol. */
struct rn_mslot *rn__map_find(struct rn_mshard *s, const struct rn_mkey *k);
/* A reader's whole visit. */
bool rn__map_read(struct rn_mshard *s, const struct rn_mkey *k, void **value);
/* With the mutex.  k is not there yet; false: no memory. */
bool rn__map_insert(struct rn_mshard *s, const struct rn_mkey *k, void *value);
void rn__map_remove(struct rn_mshard *s, struct rn_mslot *at);
void rn__map_remove_all(struct rn_mshard *s);

#endif
