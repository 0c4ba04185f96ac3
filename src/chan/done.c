/* The pool of slots behind context handles; see done.h.
 *
 * What always holds:
 *  - A slot's memory is never given back.  Its generation changes, under its lock, when its last
 *    reference is dropped; whoever finds another generation than its handle's has a stale handle.
 *  - A slot whose generations are used up is never used again: a stale handle can't come to life.
 *  - A slot that has fired, or is free, has no waiters.
 *
 * Free slots are kept in a list for each of a few shards, one picked for each thread: contexts are
 * made and dropped for every request, and one list would be one lock for all.  A thread that finds
 * its own empty takes from the others before the pool grows.
 * Lock order: a slot's, a shard's, the pool's; the last two are leaves and never nest with others.
 *
 * Tried and rejected: reference counts alone (a goroutine that outlives the maker of its context,
 * which is normal in Go, would touch freed memory unless every start of a goroutine counted), and
 * freeing a tree together with its root (a server's root lives as long as the server).
 */
#include "chan/done.h"
#include "os/os.h"
#include <stddef.h>

enum { SLOTS = 1 << RN_DONE_CHUNK_BITS, SHARDS = 16, BATCH = 32 };

/* A slot that nobody uses: in a shard's list. */
struct spare {
    struct rn_done done;
    struct spare *next;
};

static struct shard {
    rn_lock lock;
    size_t made, freed;  /* guarded by lock; the sum of their differences is what lives */
    struct spare *spare; /* guarded by lock */
} __attribute__((aligned(64))) shards[SHARDS];

static struct {
    rn_lock lock;
    uint32_t next; /* index of the first slot never used; 0 stands for the background */
} pool = {.next = 1};

rn_atomic(char *) rn__done_chunk[RN_DONE_CHUNKS];

/* Not inlined: the address of a thread's variable must not be kept across a switch. */
static __attribute__((noinline)) struct shard *my_shard(void)
{
    static rn_atomic(uint32_t) threads;
    static __thread uint32_t mine; /* shard + 1 */
    if (!mine)
        mine = rn_add_relaxed(&threads, 1) % SHARDS + 1; /* a number that nobody else has; orders nothing */
    return &shards[mine - 1];
}

static struct spare *slot_at(uint32_t index)
{
    char *chunk = rn_load_relaxed(&rn__done_chunk[index / SLOTS]); /* the pool's lock is held */
    return (struct spare *)(void *)(chunk + (size_t)(index % SLOTS) * RN_DONE_SLOT);
}

/* Slots that were never used before, as a list; NULL when memory is short. */
static struct spare *done_grow(void)
{
    struct spare *list = NULL;
    rn_os_init();
    rn_lock_take(&pool.lock, RN_RANK_STACKS);
    uint32_t chunk = pool.next / SLOTS;
    char *memory = chunk < RN_DONE_CHUNKS ? rn_load_relaxed(&rn__done_chunk[chunk]) : NULL; /* lock held */
    if (!memory && chunk < RN_DONE_CHUNKS) {
        memory = rn_os_map((size_t)SLOTS * RN_DONE_SLOT, rn_os_page);
        /* release: pairs with the acquire in rn__done_slot; publishes the zeroed slots. */
        rn_store_release(&rn__done_chunk[chunk], memory);
    }
    uint32_t end = (pool.next / BATCH + 1) * BATCH; /* a batch lies in one chunk */
    while (memory && end > pool.next) {
        struct spare *s = slot_at(--end);
        rn_store_relaxed(&s->done.word, (uint64_t)1 << RN_DONE_GEN_SHIFT); /* published with the list */
        s->done.index = end;
        s->next = list;
        list = s;
    }
    if (memory)
        pool.next = (pool.next / BATCH + 1) * BATCH;
    rn_lock_release(&pool.lock);
    return list;
}

static struct spare *take_from(struct shard *from)
{
    struct spare *s = from->spare;
    if (s)
        from->spare = s->next;
    return s;
}

/* From the other shards, one slot; their lists are looked at without waiting for anybody. */
static struct spare *done_steal(void)
{
    for (int i = 0; i < SHARDS; i++) {
        struct shard *other = &shards[i];
        if (!rn_lock_try(&other->lock, RN_RANK_STACKS))
            continue;
        struct spare *s = take_from(other);
        rn_lock_release(&other->lock);
        if (s)
            return s;
    }
    return NULL;
}

static struct spare *done_alloc_slow(void)
{
    struct spare *s = done_steal();
    if (s)
        return s;
    s = done_grow();
    if (!s)
        return NULL;
    struct shard *here = my_shard();
    rn_lock_take(&here->lock, RN_RANK_STACKS);
    struct spare *last = s;
    while (last->next)
        last = last->next;
    last->next = here->spare;
    here->spare = s->next;
    rn_lock_release(&here->lock);
    return s;
}

struct rn_done *rn__done_alloc(void)
{
    struct shard *here = my_shard();
    rn_lock_take(&here->lock, RN_RANK_STACKS);
    struct spare *s = take_from(here);
    here->made++;
    rn_lock_release(&here->lock);
    if (__builtin_expect(!s, 0))
        s = done_alloc_slow();
    if (!s) {
        rn_lock_take(&here->lock, RN_RANK_STACKS);
        here->made--;
        rn_lock_release(&here->lock);
        return NULL;
    }
    s->done.refs = 1;
    s->done.cause = 0;
    return &s->done;
}

void rn__done_free(struct rn_done *d)
{
    struct spare *s = (struct spare *)(void *)d;
    /* Nobody else writes the word of a slot without references. */
    bool worn_out = rn_load_relaxed(&d->word) >> RN_DONE_GEN_SHIFT == 0;
    struct shard *here = my_shard();
    rn_lock_take(&here->lock, RN_RANK_STACKS);
    here->freed++;
    if (!worn_out) {
        s->next = here->spare;
        here->spare = s;
    }
    rn_lock_release(&here->lock);
}

rn_context *rn__done_handle(const struct rn_done *d)
{
    /* The generation does not change while the caller holds a reference. */
    uint64_t gen = rn_load_relaxed(&d->word) >> RN_DONE_GEN_SHIFT;
    return (rn_context *)(uintptr_t)(gen << RN_DONE_GEN_SHIFT | (uint64_t)d->index << 1 | 1);
}

static bool is_current(const struct rn_done *d, const rn_context *ctx)
{
    /* The lock is held, under which the generation changes. */
    return (rn_load_relaxed(&d->word) ^ (uintptr_t)ctx) >> RN_DONE_GEN_SHIFT == 0;
}

struct rn_done *rn__done_lock(const rn_context *ctx)
{
    struct rn_done *d = rn__done_slot(ctx);
    rn_lock_take(&d->lock, RN_RANK_DONE);
    if (is_current(d, ctx))
        return d;
    rn_lock_release(&d->lock);
    return NULL;
}

static void leave_done(struct rn_waiter *w)
{
    rn__done_remove(w->of, w);
}

bool rn__done_add(const rn_context *ctx, struct rn_waiter *w)
{
    if (rn__done_never(ctx))
        return true;
    struct rn_done *d = rn__done_lock(ctx);
    if (!d)
        return false;
    bool waits = !(rn_load_relaxed(&d->word) & RN_DONE_FIRED); /* changes under the lock only */
    if (waits) {
        w->queued = true;
        w->of = (void *)(uintptr_t)ctx;
        rn__waiter_note(w, leave_done);
        rn_list_push(&d->waiters, &w->node);
    }
    rn_lock_release(&d->lock);
    return waits;
}

void rn__done_remove(const rn_context *ctx, struct rn_waiter *w)
{
    if (rn__done_never(ctx))
        return;
    struct rn_done *d = rn__done_slot(ctx);
    rn_lock_take(&d->lock, RN_RANK_DONE);
    if (w->queued) { /* then nothing has fired, and the slot is still that of ctx */
        w->queued = false;
        rn_list_remove(&d->waiters, &w->node);
    }
    rn_lock_release(&d->lock);
}

void rn__done_fire_locked(struct rn_done *d, int err, struct rn_ready_list *wake)
{
    rn_lock_assert_held(&d->lock);
    if (RN_RACE_ON)
        rn__race_release(rn__done_name(rn__done_handle(d)));
    uint64_t bits = RN_DONE_FIRED | (err == RN_ETIMEOUT ? RN_DONE_TIMED_OUT : 0);
    /* release: pairs with the acquire in rn__done_err; publishes what led to the cancel.  Written
     * under the lock only, so no other write is lost. */
    rn_store_release(&d->word, rn_load_relaxed(&d->word) | bits);
    for (struct rn_node *n; (n = rn_list_pop(&d->waiters)) != NULL;) {
        struct rn_waiter *w = rn_container(n, struct rn_waiter, node);
        struct rn_g *g = w->g;
        w->queued = false;
        if (!rn__waiter_claim(w))
            continue;
        w->ok = false;
        g->woken_by = w;
        rn__ready_add(wake, g);
    }
}

bool rn__done_unref_unlock(struct rn_done *d)
{
    bool last = --d->refs == 0;
    if (last) {
        uint64_t gen = (rn_load_relaxed(&d->word) >> RN_DONE_GEN_SHIFT) + 1;
        /* release: pairs with the acquire in rn__done_err, for which a stale handle is a cancel. */
        rn_store_release(&d->word, gen << RN_DONE_GEN_SHIFT);
    }
    rn_lock_release(&d->lock);
    return last;
}

size_t rn__done_live(void)
{
    size_t live = 0;
    for (int i = 0; i < SHARDS; i++) {
        rn_lock_take(&shards[i].lock, RN_RANK_STACKS);
        live += shards[i].made - shards[i].freed;
        rn_lock_release(&shards[i].lock);
    }
    return live;
}
