/* Plain accesses: data races, freed memory, and the heap of the code under test.
 *
 * A test is compiled with -fsanitize=thread but not linked with its runtime: the compiler calls
 * __tsan_read4 and its relatives before each plain access, and they are here.  So every plain access
 * of the code under test takes part, without marks in the source.
 *
 * For every 8 bytes touched there is a short list of who accessed which of them, at which epoch.
 * Two accesses race when they overlap, one writes, they are not both atomic, and neither happens
 * before the other.  A plain access counts to the epoch after its thread's last operation, which the
 * thread's next release publishes.
 */
#include "engine.h"

#include <stdio.h>

enum { GRANULES = 1 << 14, RECORDS = 10, HEAP = 1 << 20, BLOCKS = 4096 };

struct record {
    uint8_t thread, mask;
    bool write, atomic;
    uint32_t epoch;
    const void *pc;                /* of a plain access */
    const struct model_site *site; /* of an atomic one */
};

struct granule {
    uintptr_t key;
    uint32_t run;
    int n;
    struct record records[RECORDS];
};

static struct granule granules[GRANULES];
static uint32_t run;
static int used;

static char heap[HEAP] __attribute__((aligned(128))); /* what any of the sources asks for */
static size_t heap_used;
static struct {
    char *p;
    size_t n;
    bool freed;
} blocks[BLOCKS];
static int block_n;

void race_reset(void)
{
    run++;
    used = 0;
}

static struct granule *granule(uintptr_t key)
{
    uint32_t h = (uint32_t)(key * 2654435761u) % GRANULES;
    for (; granules[h].run == run; h = (h + 1) % GRANULES)
        if (granules[h].key == key)
            return &granules[h];
    if (++used > GRANULES * 3 / 4)
        model_fail("the engine has no room for the plain accesses of this execution");
    granules[h].key = key;
    granules[h].run = run;
    granules[h].n = 0;
    return &granules[h];
}

static void describe(char *to, size_t n, const struct record *r)
{
    if (r->atomic)
        snprintf(to, n, "T%d's atomic %s", r->thread, r->site ? r->site->expr : "access");
    else
        snprintf(to, n, "T%d's %s (@%p)", r->thread, r->write ? "write" : "read", r->pc);
}

static _Noreturn void report(const volatile void *p, const struct record *a, const struct record *b)
{
    char first[128], second[128];
    describe(first, sizeof first, a);
    describe(second, sizeof second, b);
    model_fail("data race at %p: %s and %s are not ordered", (const void *)(uintptr_t)p, first, second);
}

/* gcc joins two flags in one word's half into a read of the whole word, of which it then drops the
 * other half: a plain read beside an atomic write counts only when it is of the same bytes. */
static bool conflict(const struct record *a, const struct record *b)
{
    if (!(a->mask & b->mask) || !(a->write || b->write) || (a->atomic && b->atomic))
        return false;
    bool mixed = a->atomic != b->atomic, read = a->atomic ? !b->write : !a->write;
    return !mixed || !read || a->mask == b->mask;
}

static void access_granule(struct granule *g, struct record now, const volatile void *p)
{
    const struct clock *hb = &threads[now.thread].hb;
    int kept = 0;
    for (int i = 0; i < g->n; i++) {
        struct record *r = &g->records[i];
        bool before = r->thread == now.thread || r->epoch <= hb->at[r->thread];
        if (!before && conflict(r, &now))
            report(p, r, &now);
        /* What races with r also races with now: r can be forgotten. */
        bool covered =
            before && (r->mask | now.mask) == now.mask && (now.write || !r->write) && (!now.atomic || r->atomic);
        if (!covered)
            g->records[kept++] = *r;
    }
    if (kept == RECORDS) { /* forget the oldest */
        memmove(g->records, g->records + 1, (RECORDS - 1) * sizeof *g->records);
        kept--;
    }
    g->records[kept] = now;
    g->n = kept + 1;
}

static void access_range(const volatile void *p, size_t size, struct record now)
{
    if (running == MAIN)
        return; /* before or after everything else */
    uintptr_t a = (uintptr_t)p, last = a + size;
    while (a < last) {
        uintptr_t key = a >> 3, stop = (key + 1) << 3;
        if (stop > last)
            stop = last;
        now.mask = (uint8_t)(((1u << (stop - a)) - 1) << (a & 7));
        access_granule(granule(key), now, (const volatile void *)a);
        a = stop;
    }
}

static void check_freed(const volatile void *p)
{
    const char *c = (const char *)(uintptr_t)p;
    if (c < heap || c >= heap + HEAP)
        return;
    for (int i = block_n - 1; i >= 0; i--)
        if (c >= blocks[i].p && c < blocks[i].p + blocks[i].n) {
            if (blocks[i].freed)
                model_fail("use of freed memory at %p", (const void *)c);
            return;
        }
}

void race_atomic(const volatile void *p, size_t size, bool write)
{
    check_freed(p);
    access_range(p, size,
                 (struct record){.thread = (uint8_t)running,
                                 .write = write,
                                 .atomic = true,
                                 .epoch = threads[running].hb.at[running],
                                 .site = event()->site});
}

void model_plain(const volatile void *p, size_t size, bool write, const void *at)
{
    if (!executing || size == 0)
        return;
    check_freed(p);
    access_range(
        p, size,
        (struct record){
            .thread = (uint8_t)running, .write = write, .epoch = threads[running].hb.at[running] + 1, .pc = at});
    if (write)
        memory_restart(p, size);
}

/* ---- the heap ------------------------------------------------------------------------------ */

void heap_reset(void)
{
    heap_used = 0;
    block_n = 0;
}

void *model_aligned_alloc(size_t align, size_t n)
{
    size_t start = (heap_used + align - 1) & ~(align - 1);
    if (block_n == BLOCKS || start + n > HEAP)
        model_fail("the engine's heap is full");
    heap_used = start + n;
    blocks[block_n].p = heap + start;
    blocks[block_n].n = n;
    blocks[block_n++].freed = false;
    memset(heap + start, 0xa5, n);
    return heap + start;
}

int model_posix_memalign(void **p, size_t align, size_t n)
{
    *p = model_aligned_alloc(align, n);
    return 0;
}

void *model_malloc(size_t n)
{
    return model_aligned_alloc(16, n ? n : 1);
}

void *model_calloc(size_t n, size_t size)
{
    void *p = model_malloc(n * size);
    memset(p, 0, n * size);
    return p;
}

static int block_of(void *p)
{
    for (int i = block_n - 1; i >= 0; i--)
        if (blocks[i].p == p)
            return i;
    model_fail("free of %p, which was not allocated", p);
}

void model_free(void *p)
{
    if (!p)
        return;
    int i = block_of(p);
    if (blocks[i].freed)
        model_fail("%p is freed twice", p);
    model_plain(p, blocks[i].n, true, NULL);
    blocks[i].freed = true;
}

void *model_realloc(void *p, size_t n)
{
    void *q = model_malloc(n);
    if (p) {
        size_t had = blocks[block_of(p)].n;
        memcpy(q, p, had < n ? had : n);
        model_free(p);
    }
    return q;
}

void *model_memcpy(void *to, const void *from, size_t n)
{
    model_plain(from, n, false, __builtin_return_address(0));
    memmove(to, from, n);
    model_plain(to, n, true, __builtin_return_address(0));
    return to;
}

void *model_memmove(void *to, const void *from, size_t n)
{
    return model_memcpy(to, from, n);
}

void *model_memset(void *to, int byte, size_t n)
{
    memset(to, byte, n);
    model_plain(to, n, true, __builtin_return_address(0));
    return to;
}

/* ---- what -fsanitize=thread calls ------------------------------------------------------------ */

/* The types are those that gcc has built in. */
void __tsan_init(void);
void __tsan_func_entry(void *pc);
void __tsan_func_exit(void *unused);
void __tsan_read_range(void *p, long n);
void __tsan_write_range(void *p, long n);

void __tsan_init(void)
{
}

void __tsan_func_entry(void *pc)
{
    (void)pc;
}

void __tsan_func_exit(void *unused)
{
    (void)unused;
}

void __tsan_read_range(void *p, long n)
{
    model_plain(p, (size_t)n, false, __builtin_return_address(0));
}

void __tsan_write_range(void *p, long n)
{
    model_plain(p, (size_t)n, true, __builtin_return_address(0));
}

#define HOOK(name, n, write)                                   \
    void name(void *p);                                        \
    void name(void *p)                                         \
    {                                                          \
        model_plain(p, n, write, __builtin_return_address(0)); \
    }
HOOK(__tsan_read1, 1, false)
HOOK(__tsan_read2, 2, false)
HOOK(__tsan_read4, 4, false)
HOOK(__tsan_read8, 8, false)
HOOK(__tsan_read16, 16, false)
HOOK(__tsan_write1, 1, true)
HOOK(__tsan_write2, 2, true)
HOOK(__tsan_write4, 4, true)
HOOK(__tsan_write8, 8, true)
HOOK(__tsan_write16, 16, true)
HOOK(__tsan_unaligned_read2, 2, false)
HOOK(__tsan_unaligned_read4, 4, false)
HOOK(__tsan_unaligned_read8, 8, false)
HOOK(__tsan_unaligned_read16, 16, false)
HOOK(__tsan_unaligned_write2, 2, true)
HOOK(__tsan_unaligned_write4, 4, true)
HOOK(__tsan_unaligned_write8, 8, true)
HOOK(__tsan_unaligned_write16, 16, true)
HOOK(__tsan_volatile_read1, 1, false)
HOOK(__tsan_volatile_read2, 2, false)
HOOK(__tsan_volatile_read4, 4, false)
HOOK(__tsan_volatile_read8, 8, false)
HOOK(__tsan_volatile_write1, 1, true)
HOOK(__tsan_volatile_write2, 2, true)
HOOK(__tsan_volatile_write4, 4, true)
HOOK(__tsan_volatile_write8, 8, true)
