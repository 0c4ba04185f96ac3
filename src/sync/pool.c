/* Pool: a stack of objects for each processor, and one that all share.
 *
 * A processor's stack is touched only between rn__local_enter and leave (sched/local.h): no lock and no
 * atomic operation.  When it is empty half a stack is fetched from the shared one; when it is full half
 * of it goes there; what the shared one has no room for is freed by the caller, outside.  Plain threads
 * use the shared stack, and so do processors that were added after the pool was first used.
 *
 * make and free are the user's code: called with nothing held.
 *
 * An object is in at most one stack, and leaves it before get returns it; that is all that "never to
 * two users" takes.  Between processors it passes through the shared stack's lock; within one,
 * through leave and enter.
 *
 * Unlike Go's, a processor that runs dry takes nothing from another's own stack: that would cost
 * every put an atomic operation.  At most RN_POOL_KEEPS objects lie with a processor unused.
 *
 * Model test: tests/model/pool.c.
 */
#include <runnel/pool.h>

#include "base/alloc.h"
#include "base/race.h"
#include "sched/local.h"
#include "sched/sched.h"
#include "sync/waitq.h"
#include <string.h>

enum { HALF = RN_POOL_KEEPS / 2 };

struct stack {
    uint32_t n;
    void *objects[RN_POOL_KEEPS];
} __attribute__((aligned(128)));

struct rn_pool_shards {
    struct rn_waitq lock; /* guards shared */
    uint32_t shared_n, shared_cap;
    void **shared; /* behind the last stack */
    uint32_t procs;
    struct stack own[];
};

static struct rn_pool_shards *make_shards(void)
{
    uint32_t procs = (uint32_t)rn_procs(), cap = (procs + 1) * RN_POOL_KEEPS;
    size_t stacks = sizeof(struct rn_pool_shards) + procs * sizeof(struct stack);
    struct rn_pool_shards *s = rn__aligned_alloc(_Alignof(struct stack), stacks + cap * sizeof(void *));
    if (!s)
        return NULL;
    memset(s, 0, stacks);
    s->procs = procs;
    s->shared_cap = cap;
    s->shared = (void **)(void *)((char *)s + stacks);
    return s;
}

/* The pool's stacks, made at the first use; NULL when there is no memory. */
static struct rn_pool_shards *shards_of(rn_pool *p)
{
    /* acquire: pairs with the release below; publishes the zeroed stacks. */
    struct rn_pool_shards *s = rn_load_acquire(&p->rn_shards);
    if (__builtin_expect(s != NULL, 1))
        return s;
    struct rn_pool_shards *mine = make_shards();
    /* acq_rel: release publishes ours; acquire, when another was first, its. */
    if (!mine || rn_cas_acq_rel(&p->rn_shards, &s, mine))
        return mine;
    rn__free(mine);
    return s;
}

/* ---- between a processor's stack and the shared one ------------------------------------------- */

/* Takes up to n objects from the shared stack. */
static uint32_t shared_take(struct rn_pool_shards *s, void **to, uint32_t n)
{
    rn__waitq_lock(&s->lock);
    if (n > s->shared_n)
        n = s->shared_n;
    s->shared_n -= n;
    memcpy(to, s->shared + s->shared_n, n * sizeof *to);
    rn__waitq_unlock(&s->lock);
    return n;
}

/* Puts objects there, as many of the first as there is room for; returns how many. */
static uint32_t shared_put(struct rn_pool_shards *s, void *const *from, uint32_t n)
{
    rn__waitq_lock(&s->lock);
    if (n > s->shared_cap - s->shared_n)
        n = s->shared_cap - s->shared_n;
    memcpy(s->shared + s->shared_n, from, n * sizeof *from);
    s->shared_n += n;
    rn__waitq_unlock(&s->lock);
    return n;
}

/* This processor's stack, entered; NULL: use the shared one. */
static inline struct stack *enter(struct rn_pool_shards *s, struct rn_m **m)
{
    int i = rn__local_enter(m);
    if (i < 0)
        return NULL;
    if ((uint32_t)i < s->procs)
        return &s->own[i];
    rn__local_leave(*m);
    return NULL;
}

/* For the race detector: a name for each object, which lies outside of it. */
static inline void *race_name(void *object)
{
    static char names[1 << 12];
    uint64_t mixed = (uint64_t)(uintptr_t)object * 0x9e3779b97f4a7c15u;
    return RN_RACE_ON ? &names[mixed >> 52] : NULL;
}

static void drop(rn_pool *p, void *object)
{
    if (RN_RACE_ON)
        rn__race_acquire(race_name(object)); /* what its last user did comes before the free */
    if (p->rn_free)
        p->rn_free(object);
}

/* To the shared stack; what it has no room for is freed. */
static void give(rn_pool *p, struct rn_pool_shards *s, void *const *from, uint32_t n)
{
    for (uint32_t i = shared_put(s, from, n); i < n; i++)
        drop(p, from[i]);
}

/* Its own stack was empty: fetches some, keeps one, and puts the rest there (by now that may be
 * another processor's). */
static void *get_shared(rn_pool *p, struct rn_pool_shards *s)
{
    void *some[HALF];
    uint32_t n = shared_take(s, some, HALF);
    if (n == 0)
        return NULL;
    void *object = some[--n];
    struct rn_m *m;
    struct stack *own = n ? enter(s, &m) : NULL;
    if (own) {
        while (n && own->n < RN_POOL_KEEPS)
            own->objects[own->n++] = some[--n];
        rn__local_leave(m);
    }
    if (n)
        give(p, s, some, n);
    return object;
}

/* ---- the interface ------------------------------------------------------------------------------ */

/* pc: where the program calls. */
static __attribute__((noinline)) void *get_slow(rn_pool *p, void *pc)
{
    struct rn_pool_shards *s = shards_of(p);
    void *object = s ? get_shared(p, s) : NULL;
    if (object || !p->rn_make)
        return object;
    rn__race_call_begin(pc);
    object = p->rn_make();
    rn__race_call_end();
    return object;
}

static inline void *get(rn_pool *p)
{
    rn__point(RN_AT_POOL, p);
    struct rn_m *m;
    /* acquire: as in shards_of. */
    struct rn_pool_shards *s = rn_load_acquire(&p->rn_shards);
    struct stack *own = s ? enter(s, &m) : NULL;
    if (__builtin_expect(own && own->n, 1)) {
        void *object = own->objects[--own->n];
        rn__local_leave(m);
        return object;
    }
    if (own)
        rn__local_leave(m);
    return get_slow(p, RN_RACE_PC);
}

void *rn_pool_get(rn_pool *p)
{
    void *object = get(p);
    if (RN_RACE_ON && object)
        rn__race_acquire(race_name(object));
    return object;
}

/* The processor's stack is full, or there is none: sends half of it along. */
static void put_shared(rn_pool *p, struct rn_pool_shards *s, void *object)
{
    void *some[HALF + 1] = {object};
    uint32_t n = 1;
    struct rn_m *m;
    struct stack *own = enter(s, &m);
    if (own) {
        while (n <= HALF && own->n)
            some[n++] = own->objects[--own->n];
        rn__local_leave(m);
    }
    give(p, s, some, n);
}

static __attribute__((noinline)) void put_slow(rn_pool *p, void *object)
{
    struct rn_pool_shards *s = shards_of(p);
    if (s)
        put_shared(p, s, object);
    else
        drop(p, object);
}

void rn_pool_put(rn_pool *p, void *object)
{
    rn__point(RN_AT_POOL, p);
    struct rn_m *m;
    if (!object)
        return;
    if (RN_RACE_ON)
        rn__race_release(race_name(object));
    /* acquire: as in shards_of. */
    struct rn_pool_shards *s = rn_load_acquire(&p->rn_shards);
    struct stack *own = s ? enter(s, &m) : NULL;
    if (__builtin_expect(own && own->n < RN_POOL_KEEPS, 1)) {
        own->objects[own->n++] = object;
        rn__local_leave(m);
        return;
    }
    if (own)
        rn__local_leave(m);
    put_slow(p, object);
}

void rn_pool_drain(rn_pool *p)
{
    /* acquire: as in shards_of. */
    struct rn_pool_shards *s = rn_xchg_acq_rel(&p->rn_shards, NULL);
    if (!s)
        return;
    for (uint32_t i = 0; i < s->shared_n; i++)
        drop(p, s->shared[i]);
    for (uint32_t i = 0; i < s->procs; i++)
        while (s->own[i].n)
            drop(p, s->own[i].objects[--s->own[i].n]);
    rn__free(s);
}
