/* The memory of descriptors' records: chunks that are never given back, so that a late event may look
 * at a record whatever has become of it.
 *
 * The list of unused records, and growth, are under one lock of rank STACKS.  A record's generation is
 * counted up when it is put back.  A tag holds 31 bits of it, which come again after two billion
 * descriptors in one record: an event would have to be that late.
 */
#include "base/alloc.h"
#include "net/fd.h"
#include <string.h>

enum { CHUNK = 64, CHUNKS = 1 << 16 };

static rn_atomic(struct rn__fd *) chunk_of[CHUNKS];
static rn_lock lock;
static struct rn__fd *unused;            /* guarded by lock */
static rn_atomic(uint32_t) made, in_use; /* written under lock */

struct rn__fd *rn__fd_at(uint32_t index)
{
    if (index / CHUNK >= CHUNKS)
        return NULL;
    /* acquire: pairs with the release in grow; publishes the zeroed records. */
    struct rn__fd *chunk = rn_load_acquire(&chunk_of[index / CHUNK]);
    return chunk ? &chunk[index % CHUNK] : NULL;
}

uint32_t rn__fd_records(void)
{
    return rn_load_acquire(&made); /* acquire: pairs with the release in grow */
}

/* With the lock dropped: another chunk, all unused.  False: no memory. */
static bool grow(void)
{
    struct rn__fd *chunk = rn__calloc(CHUNK, sizeof *chunk);
    if (!chunk)
        return false;
    rn_lock_take(&lock, RN_RANK_STACKS);
    uint32_t first = rn_load_relaxed(&made); /* relaxed: under the lock */
    bool room = first / CHUNK < CHUNKS;
    for (uint32_t i = 0; room && i < CHUNK; i++) {
        chunk[i].index = first + i;
        chunk[i].generation = 1;
        chunk[i].fd = -1;
        chunk[i].next_free = unused;
        unused = &chunk[i];
    }
    if (room) {
        rn_store_release(&chunk_of[first / CHUNK], chunk); /* pairs with the acquire in rn__fd_at */
        rn_store_release(&made, first + CHUNK);            /* pairs with the acquire in rn__fd_records */
    }
    rn_lock_release(&lock);
    if (!room)
        rn__free(chunk);
    return room;
}

struct rn__fd *rn__fd_record(void)
{
    do {
        rn_lock_take(&lock, RN_RANK_STACKS);
        struct rn__fd *f = unused;
        if (f) {
            unused = f->next_free;
            rn_store_relaxed(&in_use, rn_load_relaxed(&in_use) + 1); /* relaxed: a count, under the lock */
        }
        rn_lock_release(&lock);
        if (f)
            return f;
    } while (grow());
    return NULL;
}

/* All but what outlives a descriptor; a late event may hold the lock meanwhile. */
static void clear(struct rn__fd *f)
{
    rn_lock_take(&f->lock, RN_RANK_POLL);
    f->generation += (f->generation & INT32_MAX) == INT32_MAX ? 2 : 1;
    f->fd = -1;
    f->users = f->thread_users = 0;
    f->flags = 0;
    f->finishing = f->finished = f->freed = false;
    /* relaxed, all: nobody else uses the record; published with the list of the unused. */
    rn_store_relaxed(&f->registered, 0);
    rn_store_relaxed(&f->closed, false);
    rn_store_relaxed(&f->hangup, false);
    memset(f->side, 0, sizeof f->side);
    rn_lock_release(&f->lock);
}

void rn__fd_record_put(struct rn__fd *f)
{
    clear(f);
    rn_lock_take(&lock, RN_RANK_STACKS);
    f->next_free = unused;
    unused = f;
    rn_store_relaxed(&in_use, rn_load_relaxed(&in_use) - 1); /* relaxed: as above */
    rn_lock_release(&lock);
}

size_t rn_num_descriptors(void)
{
    return rn_load_relaxed(&in_use); /* relaxed: a count */
}
