/* Goroutine records and their stacks.
 *
 * Both are made in chunks of 256: a mapping of stacks, one for each record, of the default size and with a guard below; and
 * a 32nd of a mapping of records, a shelf.  Record i of a chunk has stack i, always: a free record keeps its stack.
 * Chunks stay until the run ends, so a record's memory is a record for ever.
 *
 *     | 256 records | 256 records | …          | guard, stack 0 | guard, stack 1 | …
 *
 * A shelf is 2 MiB, and from the ninth on (65,536 goroutines) a huge page, where the system has one: what
 * wakes very many goes from record to record, each of them a miss in the processor's cache of translations otherwise,
 * and 512 page faults are one.  Of fewer goroutines the unused part of it would be felt.  Stacks can't lie in huge pages: they
 * would have to be touched throughout.
 *
 * A free record is in the list of a processor (touched inside only) or in the pool (under its lock).  When there is no memory for
 * a chunk, what the other processors have in theirs comes into the pool.
 * The monitor gives the pages of stacks that the pool did not need for some seconds back to the system; when the stacks that
 * have pages take more than their share of the memory that there is (rn__stacks_tight), whoever puts some into the pool
 * does, at once.  A goroutine with a size of its own has a mapping of its own, unmapped when it has ended.
 *
 * Memory of a parked goroutine: its record (256 B), one page of stack, and 136 B of page tables at
 * 64 KiB a stack.
 */
#include "base/alloc.h"
#include "base/valgrind.h"
#include "sched/fiber.h"
#include "sched/kept_stack.h"
#include "sched/rt.h"
#include <string.h>

enum {
    CHUNK = RN_CHUNK,
    MOVE = 64,        /* records between a processor and the pool at a time */
    POOL_KEEP = 4096, /* free records in the pool whose stacks always keep their pages */
    TRIM = 4096,      /* stacks trimmed at a time, at most, */
    TRIM_BUSY = 256,  /* and while every processor is busy: each costs a system call, and interrupts them all */
    WINDOW = 2000,    /* ms: those that were not needed in one, nor since, are too many */
    SHARE = 8,        /* of the memory that there is, a part of 1 / SHARE for stacks that have pages */
    FEW = 4096,       /* these are never too many */
    GRANULE = 24,     /* bits */
    GRANULES = 1 << (48 - GRANULE),
    SHELF = 32,         /* chunks */
    SHELVES_SMALL = 32, /* the rest are huge pages, of which the last is partly in vain: 8 bytes a goroutine at most */
    HUGE = 2 << 20,     /* a huge page */
};

#if !defined(RN_EXPLORE) && !defined(RN_RACE)
_Static_assert(sizeof(struct rn_g) <= 256, "a million goroutines are to take a quarter GiB");
#endif

struct chunk {
    struct rn_g *records;
    char *stacks;
    uint32_t before_first, before_last; /* see chunk_of */
};

static struct {
    rn_lock lock; /* rank STACKS: guards all but the entries of made chunks */
    struct chunk chunks[RN_CHUNKS_MAX];
    rn_atomic(uint32_t) chunks_n;   /* any reads */
    rn_atomic(uint32_t) * granules; /* any reads: see chunk_of */
    size_t stack;                   /* bytes a stack, guard included */
    struct rn_g *warm;              /* free, used before: their stacks have pages */
    struct rn_g *cold;              /* free, without pages */
    rn_atomic(uint32_t) warm_n;     /* any reads */
    uint32_t low[2];                /* the least warm_n in this WINDOW, and in the one before */
    rn_time window;                 /* when this one began */
    rn_atomic(uint32_t) split_n;    /* guards that are mappings of their own; any, as the following */
    rn_atomic(int64_t) split_most;  /* 0: not known yet */
} pool;

rn_atomic(int64_t) rn__stacks_most;

static void record_init(struct rn_g *g, uint32_t index, char *stack)
{
    *g = (struct rn_g){.kind = RN_G_GOROUTINE, .index_low = (uint16_t)index, .index_high = (uint8_t)(index >> 16)};
    g->stack_lo = stack + rn_os_page;
    g->stack_hi = stack + pool.stack;
}

struct rn_g *rn__chunk(uint32_t i, struct rn_os_range *stacks)
{
    /* acquire: as in rn__goroutines_each. */
    if (i >= rn_load_acquire(&pool.chunks_n))
        return NULL;
    *stacks = (struct rn_os_range){pool.chunks[i].stacks, CHUNK * pool.stack};
    return pool.chunks[i].records;
}

struct rn_g *rn__g_at(uint32_t index)
{
    return &pool.chunks[index / CHUNK].records[index % CHUNK];
}

/* Which chunk an address is in: of each 16 MiB the newest chunk that reaches into them is known, and of each chunk
 * the one before it in those where it begins and ends.  (In between it is the only one.) */

static uint32_t granule_of(const void *p)
{
    return (uint32_t)((uintptr_t)p >> GRANULE) & (GRANULES - 1);
}

/* With the lock held. */
static bool chunk_enter(uint32_t n)
{
    struct chunk *c = &pool.chunks[n];
    if (!pool.granules)
        pool.granules = rn_os_map(GRANULES * sizeof *pool.granules, rn_os_page);
    if (!pool.granules)
        return false;
    uint32_t first = granule_of(c->stacks), last = granule_of(c->stacks + CHUNK * pool.stack - 1);
    /* relaxed, all but the last: under the lock that guards them. */
    c->before_first = rn_load_relaxed(&pool.granules[first]);
    c->before_last = rn_load_relaxed(&pool.granules[last]);
    for (uint32_t i = first; i <= last; i++)
        rn_store_release(&pool.granules[i], n + 1); /* pairs with the acquire in chunk_of */
    return true;
}

static struct chunk *chunk_of(const char *a)
{
    uint32_t at = granule_of(a);
    if (!pool.granules)
        return NULL;
    /* acquire: pairs with the release in chunk_enter. */
    for (uint32_t i = rn_load_acquire(&pool.granules[at]); i != 0;) {
        struct chunk *c = &pool.chunks[i - 1];
        if (a >= c->stacks && a < c->stacks + CHUNK * pool.stack)
            return c;
        i = at == granule_of(c->stacks) ? c->before_first : c->before_last;
    }
    return NULL;
}

static size_t shelf_bytes(void)
{
    return (SHELF * CHUNK * sizeof(struct rn_g) + rn_os_page - 1) & ~(rn_os_page - 1);
}

/* With the lock held: where the records of chunk n are to be; NULL: there is no memory. */
static struct rn_g *shelve(uint32_t n)
{
    if (n % SHELF)
        return pool.chunks[n - 1].records + CHUNK;
    bool huge = n / SHELF >= SHELVES_SMALL;
    void *shelf = n < RN_CHUNKS_MAX ? rn_os_map(shelf_bytes(), huge ? HUGE : rn_os_page) : NULL;
    if (shelf && huge)
        rn_os_huge(shelf, shelf_bytes());
    return shelf;
}

/* An odd number of pages: what a goroutine uses is mostly the last page of its stack, and the processor's translations are
 * cached in sets by the low bits of the page's number.  Sixteen pages apart they were in one set of sixteen: a yield
 * among 1,000 took 36 ns instead of 24, and 2,000 goroutines in a chain 156 ms instead of 130 (EPYC 7003). */
static size_t with_guard(size_t stack)
{
    return ((stack / rn_os_page + 1) | 1) * rn_os_page;
}

/* With the lock held; false when there is no memory. */
static bool chunk_make(void)
{
    uint32_t n = rn_load_relaxed(&pool.chunks_n); /* relaxed: under the lock */
    if (n == 0)
        pool.stack = with_guard(rn__sched.stack_default);
    struct rn_g *records = shelve(n);
    char *stacks = records ? rn_os_map_stack(CHUNK * pool.stack) : NULL;
    if (records)
        pool.chunks[n] = (struct chunk){records, stacks, 0, 0};
    if (!stacks || !chunk_enter(n)) {
        rn_os_unmap(stacks, CHUNK * pool.stack);
        if (n % SHELF == 0)
            rn_os_unmap(records, shelf_bytes());
        return false;
    }
    for (uint32_t i = CHUNK; i-- > 0;) {
        struct rn_g *g = &pool.chunks[n].records[i];
        record_init(g, n * CHUNK + i, stacks + i * pool.stack);
        g->link = pool.cold;
        pool.cold = g;
    }
    /* release: pairs with the acquires in rn__goroutines_each and rn__g_of_address. */
    rn_store_release(&pool.chunks_n, n + 1);
    return true;
}

/* With the lock held. */
static void warm_add(int64_t n)
{
    uint32_t now = (uint32_t)(rn_load_relaxed(&pool.warm_n) + n); /* relaxed, both: any other reads a moment's view */
    rn_store_relaxed(&pool.warm_n, now);
    if (now < pool.low[0])
        pool.low[0] = now;
}

static struct rn_g *pop_locked(void)
{
    rn_lock_assert_held(&pool.lock);
    struct rn_g **list = pool.warm ? &pool.warm : &pool.cold;
    struct rn_g *g = *list;
    if (g)
        *list = g->link;
    if (list == &pool.warm)
        warm_add(-1);
    return g;
}

/* They will be started soon, and many of those in the pool have left the processor's caches since they ended: fetches what a start
 * writes, the record and the top of the stack but for RN_CAPTURED_MOST.  (Of stacks that have no page yet, nothing.) */
static void fetch_all(const struct rn_g *first)
{
    enum { LINE = 64, OF_RECORD = 4, OF_STACK = 8 };
    for (const struct rn_g *g = first; g; g = g->link)
        for (int i = 1; i < OF_RECORD; i++) /* the first is here: it holds link */
            __builtin_prefetch((const char *)g + i * LINE, 1);
    for (const struct rn_g *g = first; g; g = g->link)
        for (int i = 1; i <= OF_STACK; i++)
            __builtin_prefetch(rn__g_top(g) - RN_CAPTURED_MOST - i * LINE, 1);
}

/* Takes up to n records out of the pool as a chain; NULL when there is no memory. */
static struct rn_g *pool_take(uint32_t n, uint32_t *taken)
{
    struct rn_g *chain = NULL, *g;
    rn_lock_take(&pool.lock, RN_RANK_STACKS);
    if (pool.warm || pool.cold || chunk_make())
        for (*taken = 0; *taken < n && (g = pop_locked()) != NULL; ++*taken) {
            g->link = chain;
            chain = g;
        }
    rn_lock_release(&pool.lock);
    fetch_all(chain);
    return chain;
}

static void pool_give(struct rn_g *first, struct rn_g *last, uint32_t n)
{
    rn_lock_take(&pool.lock, RN_RANK_STACKS);
    last->link = pool.warm;
    pool.warm = first;
    warm_add(n);
    rn_lock_release(&pool.lock);
}

/* ---- giving pages back ------------------------------------------------------------------------------ */

bool rn__stacks_tight(void)
{
    int64_t most = rn_load_relaxed(&rn__stacks_most); /* relaxed, all: a moment's view */
    return most != 0 && rn__count_live() + rn_load_relaxed(&pool.warm_n) - rn__hib_count_away() > most;
}

/* Where memory is tight: so many free stacks keep their pages, for those that are started next. */
static uint32_t tight_keep(void)
{
    int64_t part = rn_load_relaxed(&rn__stacks_most) / 8; /* relaxed: a number */
    return part < POOL_KEEP ? (uint32_t)part : POOL_KEEP;
}

static void find_share(void)
{
    int64_t most = rn_os_memory() / SHARE / (int64_t)rn_os_page;
    rn_store_relaxed(&rn__stacks_most, most > FEW ? most : FEW); /* relaxed: a number */
}

void rn__g_sort(struct rn_g **g, size_t n, uint64_t (*key)(const struct rn_g *g))
{
    for (size_t gap = n / 2; gap > 0; gap = gap == 2 ? 1 : gap * 5 / 11)
        for (size_t i = gap; i < n; i++) {
            struct rn_g *one = g[i];
            size_t at = i;
            for (; at >= gap && key(g[at - gap]) > key(one); at -= gap)
                g[at] = g[at - gap];
            g[at] = one;
        }
}

static uint64_t index_of(const struct rn_g *g)
{
    return rn__g_index(g);
}

/* Records that are neighbours on a shelf may be of two chunks, whose stacks are anywhere. */
static bool are_neighbours(const struct rn_g *below, const struct rn_g *above)
{
    return above->stack_lo == below->stack_hi + rn_os_page;
}

/* The pages of n stacks, which are free, as few ranges as there are; the guards between neighbours stay. */
static void discard_some(struct rn_g **g, uint32_t n)
{
    struct rn_os_range ranges[CHUNK];
    uint32_t k = 0;
    rn__g_sort(g, n, index_of);
    for (uint32_t from = 0, to; from < n; from = to) {
        for (to = from + 1; to < n && are_neighbours(g[to - 1], g[to]); to++)
            continue;
        ranges[k++] = (struct rn_os_range){g[from]->stack_lo, (size_t)(g[to - 1]->stack_hi - g[from]->stack_lo)};
    }
    if (rn_os_discard_guarded(ranges, k) == 0)
        return;
    for (uint32_t i = 0; i < n; i++)
        rn_os_discard(g[i]->stack_lo, (size_t)(g[i]->stack_hi - g[i]->stack_lo));
}

static void discard_all(struct rn_g *first)
{
    struct rn_g *some[CHUNK];
    while (first) {
        uint32_t n = 0;
        for (; first && n < CHUNK; first = first->link)
            some[n++] = first;
        discard_some(some, n);
    }
}

/* They belong to nobody, and last->link is NULL. */
static void give_cold(struct rn_g *first, struct rn_g *last)
{
    discard_all(first);
    rn_lock_take(&pool.lock, RN_RANK_STACKS);
    last->link = pool.cold;
    pool.cold = first;
    rn_lock_release(&pool.lock);
}

/* With the lock held: so many have not been needed for a WINDOW, or two.  (When it was 100 ms, 50,000 that are started each
 * half second took 90 to 250 ms of processor time instead of 30 to 45: 12,000 to 16,000 pages were given back and faulted in again.) */
static uint32_t idle_locked(rn_time now)
{
    rn_lock_assert_held(&pool.lock);
    uint32_t idle = pool.low[0] < pool.low[1] ? pool.low[0] : pool.low[1];
    if (now - pool.window >= WINDOW * RN_MILLISECOND || now < pool.window) {
        pool.window = now;
        pool.low[1] = pool.low[0];
        pool.low[0] = rn_load_relaxed(&pool.warm_n); /* relaxed: under the lock */
    }
    return idle;
}

/* With the lock held: takes up to n of the warm ones out. */
static struct rn_g *take_warm(uint32_t n, struct rn_g **last)
{
    rn_lock_assert_held(&pool.lock);
    struct rn_g *first = pool.warm;
    uint32_t taken = 0;
    for (; taken < n && pool.warm; taken++) {
        *last = pool.warm;
        pool.warm = (*last)->link;
    }
    for (int i = 0; i < 2; i++)
        pool.low[i] -= pool.low[i] < taken ? pool.low[i] : taken;
    warm_add(-(int64_t)taken);
    return taken ? first : NULL;
}

/* What the pool has not needed for a WINDOW gives its pages back, some at a time; where memory is tight, what it
 * does not need now.  False when there is nothing left to do later. */
bool rn__stacks_trim(rn_time now)
{
    enum { CHUNKS = FEW / CHUNK };
    if (rn_load_relaxed(&rn__stacks_most) == 0 && rn_load_relaxed(&pool.chunks_n) >= CHUNKS) /* relaxed, both: hints */
        find_share();
    bool tight = rn__stacks_tight();
    uint32_t keep = tight ? tight_keep() : POOL_KEEP;
    /* relaxed: a hint */
    uint32_t most = tight || rn_load_relaxed(&rn__sched.idle_p_n) != 0 ? TRIM : TRIM_BUSY;
    rn_lock_take(&pool.lock, RN_RANK_STACKS);
    uint32_t idle = idle_locked(now);
    if (tight)
        idle = rn_load_relaxed(&pool.warm_n); /* relaxed, both: under the lock */
    uint32_t spare = idle > keep ? idle - keep : 0;
    struct rn_g *last = NULL, *first = take_warm(spare < most ? spare : most, &last);
    bool more = rn_load_relaxed(&pool.warm_n) > keep;
    rn_lock_release(&pool.lock);
    if (!first)
        return more;
    last->link = NULL;
    give_cold(first, last);
    return more;
}

/* A stack of its own size for g, and a page more, since it may begin at any line; false when there is no memory. */
static bool own_stack(struct rn_g *g, size_t bytes)
{
    if (bytes > SIZE_MAX / 2)
        return false;
    bytes = ((bytes + rn_os_page - 1) & ~(rn_os_page - 1)) + rn_os_page;
    char *stack = rn_os_map_stack(bytes + rn_os_page);
    if (!stack)
        return false;
    rn_os_guard(stack, true);
    (void)VALGRIND_STACK_REGISTER(stack, stack + rn_os_page + bytes);
    g->stack_lo = stack + rn_os_page;
    g->stack_hi = g->stack_lo + bytes;
    g->flags |= RN_G_OWN_STACK;
    return true;
}

/* Not its own any more before it is unmapped: whatever is mapped there next is somebody else's. */
static void own_stack_drop(struct rn_g *g)
{
    char *stack = g->stack_lo - rn_os_page, *end = g->stack_hi;
    struct chunk *c = &pool.chunks[rn__g_index(g) / CHUNK];
    g->stack_lo = c->stacks + (rn__g_index(g) % CHUNK) * pool.stack + rn_os_page;
    g->stack_hi = g->stack_lo - rn_os_page + pool.stack;
    g->flags &= (uint8_t)~RN_G_OWN_STACK;
    rn_os_unmap(stack, (size_t)(end - stack));
}

/* Where the kernel has no guards that are advice (Linux before 6.13) each takes two mappings.  They may take three quarters of
 * those that there are: further stacks, and the program, need some, too. */
static void guard_page(void *page)
{
    /* relaxed, all: counts. */
    int64_t most = rn_load_relaxed(&pool.split_most);
    if (rn_os_guard(page, most == 0 || rn_load_relaxed(&pool.split_n) < most) != RN_GUARD_MPROTECT)
        return;
    rn_add_relaxed(&pool.split_n, 1);
    if (most == 0)
        rn_store_relaxed(&pool.split_most, rn_os_mappings_most() / 2 * 3 / 4);
}

/* Its memcheck runs this.  Another tool of valgrind's may warn of each such question: one is enough. */
static bool is_watched(const struct rn_g *g)
{
    static rn_atomic(bool) unwatched;
    if (rn_load_relaxed(&unwatched)) /* relaxed, both: a hint that saves questions */
        return false;
    bool yes = VALGRIND_MAKE_MEM_UNDEFINED(g->stack_lo, g->stack_hi - g->stack_lo) != 0;
    if (!yes)
        rn_store_relaxed(&unwatched, true);
    return yes;
}

static void guard(struct rn_g *g)
{
    if (g->flags & RN_G_GUARDED)
        return;
    g->flags |= RN_G_GUARDED;
    guard_page(g->stack_lo - rn_os_page);
    (void)VALGRIND_STACK_REGISTER(g->stack_lo, g->stack_hi);
    if (is_watched(g))
        g->flags |= RN_G_WATCHED;
#ifdef RN_FIBER_ASAN
    __lsan_register_root_region(g->stack_lo, (size_t)(g->stack_hi - g->stack_lo));
#endif
}

/* ---- when memory is short ---------------------------------------------------------------------------- */

/* Takes all that p, which is in the caller's hands, has put by. */
static struct rn_g *take_free(struct rn_p *p)
{
    struct rn_g *first = p->free;
    p->free = NULL;
    p->free_n = 0;
    return first;
}

static void give_chain(struct rn_g *first)
{
    struct rn_g *last = first;
    uint32_t n = 1;
    if (!first)
        return;
    for (; last->link; n++)
        last = last->link;
    pool_give(first, last, n);
}

static void gather_from_idle(void)
{
    struct rn_sched *s = &rn__sched;
    rn_lock_take(&s->lock, RN_RANK_SCHED);
    for (struct rn_p *p = s->idle_p; p; p = p->idle_link)
        give_chain(take_free(p));
    rn_lock_release(&s->lock);
}

/* From a processor whose goroutine is in user code. */
static void gather_from(struct rn_p *p)
{
    struct rn_m *owner = rn__borrow(p);
    if (!owner)
        return;
    struct rn_g *first = take_free(p);
    rn_own_give_up(&owner->own);
    give_chain(first);
}

/* Once more, with what others have put by; some may be in the runtime just now, which they soon leave. */
static struct rn_g *pool_take_short(uint32_t *taken)
{
    enum { TRIES = 6, PAUSE = 20 }; /* µs, then twice as long */
    struct rn_g *g = NULL;
    uint32_t procs = rn__procs_made();
    for (int i = 0; i < TRIES && !g && procs > 1; i++) {
        if (i > 0)
            rn_os_nap((PAUSE * RN_MICROSECOND) << (i - 1));
        gather_from_idle();
        for (uint32_t k = 0; k < procs; k++)
            gather_from(&rn__procs[k]);
        g = pool_take(1, taken);
    }
    return g;
}

struct rn_g *rn__g_get(struct rn_p *p, size_t stack)
{
    struct rn_g *g;
    uint32_t n = 1;
    if (p && p->free) {
        g = p->free;
    } else {
        g = pool_take(p ? MOVE : 1, &n);
        if (__builtin_expect(!g, 0))
            g = pool_take_short(&n);
        if (!g)
            return NULL;
        if (p)
            p->free_n = n;
    }
    if (p) {
        p->free = g->link;
        p->free_n--;
    }
    if (__builtin_expect(!(g->flags & RN_G_GUARDED), 0))
        guard(g);
    /* What its last goroutine has left counts as gone: somebody else writes there now. */
    if (__builtin_expect(g->flags & RN_G_WATCHED, 0))
        (void)VALGRIND_MAKE_MEM_UNDEFINED(g->stack_lo, g->stack_hi - g->stack_lo);
    if (__builtin_expect(stack > (size_t)(rn__g_top(g) - g->stack_lo), 0) && !own_stack(g, stack)) {
        rn__g_put(p, g);
        return NULL;
    }
    rn__fiber_create(g);
    return g;
}

/* Half of what p has too many of goes to the pool; not the newest, on whose stack this may run. */
static void p_spill(struct rn_p *p)
{
    struct rn_g *keep = p->free;
    for (uint32_t i = 1; i < RN_P_KEEP / 2; i++)
        keep = keep->link;
    struct rn_g *first = keep->link, *last = first;
    uint32_t n = 1;
    for (; last->link; n++)
        last = last->link;
    keep->link = NULL;
    p->free_n -= n;
    if (rn__stacks_tight() && rn_load_relaxed(&pool.warm_n) > tight_keep()) /* relaxed: a moment's view */
        give_cold(first, last);
    else
        pool_give(first, last, n);
}

void rn__g_put(struct rn_p *p, struct rn_g *g)
{
    rn_store_relaxed(&g->status, RN_G_FREE); /* relaxed: for reports */
    if (g->flags & RN_G_OWN_STACK)
        own_stack_drop(g);
    if (!p) {
        pool_give(g, g, 1);
        return;
    }
    if (!rn__g_push(p, g)) {
        p_spill(p);
        (void)rn__g_push(p, g);
    }
}

void rn__goroutines_each(void (*f)(struct rn_g *g, void *arg), void *arg)
{
    /* acquire: pairs with the release in chunk_make. */
    uint32_t n = rn_load_acquire(&pool.chunks_n);
    for (uint32_t i = 0; i < n * CHUNK; i++) {
        struct rn_g *g = &pool.chunks[i / CHUNK].records[i % CHUNK];
        /* relaxed: a moment's view. */
        uint8_t status = rn_load_relaxed(&g->status);
        if (status != RN_G_FREE && status != RN_G_DEAD)
            f(g, arg);
    }
}

/* relaxed, all: a moment's view. */
static void count_other(struct rn_g *g, void *arg)
{
    struct rn_others *o = arg;
    if (g == rn__self())
        return;
    uint8_t status = rn_load_relaxed(&g->status);
    o->running += status != RN_G_DEAD && (status != RN_G_WAITING || rn_load_relaxed(&g->on_cpu));
    o->sleeping += status == RN_G_WAITING && rn_load_relaxed(&g->waiting) == RN_WAIT_SLEEP;
    o->waiting += status == RN_G_WAITING;
}

struct rn_others rn__others(void)
{
    struct rn_others o = {0};
    rn__goroutines_each(count_other, &o);
    return o;
}

void rn__g_each(void (*f)(struct rn_g *g, void *arg), void *arg)
{
    rn__goroutines_each(f, arg);
    rn__threads_each(f, arg);
}

void rn__stacks_each(void (*f)(const void *start, size_t bytes, void *arg), void *arg)
{
    /* acquire: as in rn__goroutines_each. */
    uint32_t n = rn_load_acquire(&pool.chunks_n);
    for (uint32_t i = 0; i < n; i++) {
        struct chunk *c = &pool.chunks[i];
        if (i % SHELF == 0)
            f(c->records, shelf_bytes(), arg);
        f(c->stacks, CHUNK * pool.stack, arg);
        for (uint32_t k = 0; k < CHUNK; k++)
            if (c->records[k].flags & RN_G_OWN_STACK)
                f(c->records[k].stack_lo, (size_t)(c->records[k].stack_hi - c->records[k].stack_lo), arg);
    }
    rn_keep_each(f, arg);
}

struct rn_g *rn__g_of_address(const void *addr)
{
    const char *a = addr;
    struct chunk *c = chunk_of(a);
    if (c)
        return &c->records[(size_t)(a - c->stacks) / pool.stack];
    struct rn_g *self = rn__self_or_null();
    if (self && self->stack_lo && a >= self->stack_lo - rn_os_page && a < self->stack_hi)
        return self;
    return NULL;
}

void rn__g_release_all(void)
{
    uint32_t n = rn_load_relaxed(&pool.chunks_n); /* relaxed: no other thread is left */
    rn_store_relaxed(&pool.chunks_n, 0);
    for (uint32_t i = 0; i < n * CHUNK; i++) {
        struct rn_g *g = &pool.chunks[i / CHUNK].records[i % CHUNK];
        uint8_t status = rn_load_relaxed(&g->status);
        if (status != RN_G_FREE && status != RN_G_DEAD)
            rn__fiber_destroy(g);
        if (g->flags & RN_G_OWN_STACK)
            own_stack_drop(g);
#ifdef RN_FIBER_ASAN
        if (g->flags & RN_G_GUARDED)
            __lsan_unregister_root_region(g->stack_lo, (size_t)(g->stack_hi - g->stack_lo));
        __asan_unpoison_memory_region(g->stack_lo, (size_t)(g->stack_hi - g->stack_lo));
#endif
    }
    for (uint32_t i = 0; i < n; i++) {
        rn_os_unmap(pool.chunks[i].stacks, CHUNK * pool.stack);
        if (i % SHELF == 0)
            rn_os_unmap(pool.chunks[i].records, shelf_bytes());
    }
    rn_os_unmap(pool.granules, GRANULES * sizeof *pool.granules);
    pool.granules = NULL;
    pool.warm = pool.cold = NULL;
    rn_store_relaxed(&pool.warm_n, 0);
    rn_store_relaxed(&pool.split_n, 0);
    pool.low[0] = pool.low[1] = 0;
}
