/* Blocks of memory, found without anybody's help: what /proc/self/maps says, and the chunks of glibc's heaps.
 *
 * A block is a chunk of the heap, or a whole mapping of which nothing is known.  A pointer anywhere into a block
 * reaches it, and then every aligned word of it is taken for a pointer.
 *
 * The heap of the program break, the heaps of other arenas (64 MiB-aligned mappings) and chunks with a mapping of
 * their own are walked from size to size.  A walk counts only when it ends exactly where the heap ends; otherwise the
 * heap is one block: fewer leaks are found, and none is made up.  So a libc with another heap, a sanitizer's, or a
 * heap that was stopped in the middle of an allocation is safe.  What is free (its neighbour says so, or it is in a
 * thread's cache, or it is the heap's top) is not followed: it is full of old pointers.
 */
#define _GNU_SOURCE 1
#include "debug/leaks_memory.h"
#include <string.h>

enum kind { ROOT, WHOLE, CHUNKS, SPECIAL };
enum { MARKED = 1, FREE = 2 };
enum { REGIONS = 1 << 16 };

struct region {
    uintptr_t start, end;
    enum kind kind;
    uint8_t flags;       /* of a WHOLE */
    size_t first, count; /* of CHUNKS: in chunk_at */
    void (*met)(uintptr_t, void *);
};

/* What waits to be scanned. */
struct range {
    uintptr_t start, end;
};

static struct {
    struct region *regions; /* sorted, disjoint */
    size_t n;
    struct region *specials; /* sorted */
    size_t specials_n;
    uintptr_t *chunk_at;
    uint8_t *chunk_flags;
    size_t chunks, chunks_room;
    struct range *todo;
    size_t todo_n, todo_room;
    uintptr_t low, high;
    void (*odd)(uintptr_t, void *);
    void *arg;
    size_t coarse, largest;
    uintptr_t top;              /* the last chunk of the break */
    uintptr_t lists, lists_end; /* malloc's lists of free chunks of the break */
    bool in_roots, failed;
} mem;

/* ---- the heap ------------------------------------------------------------------------------------- */

/* glibc's chunk: the size of the one before it if that is free, then its own size with three flags. */
enum { PREV_IN_USE = 1, IS_MAPPED = 2, CHUNK_MASK = ~7, CHUNK_HEAD = 16, CHUNK_LEAST = 32 };
enum { ARENA_ALIGN = 64 << 20, TCACHE_CHUNK = 0x290, TCACHE_BINS = 64 };

static uintptr_t word_at(uintptr_t at)
{
    return *(const uintptr_t *)at; /* NOLINT(performance-no-int-to-ptr) */
}

static void add_chunk(uintptr_t at)
{
    if (mem.chunks == mem.chunks_room) {
        mem.failed = true;
        return;
    }
    mem.chunk_flags[mem.chunks] = 0;
    mem.chunk_at[mem.chunks++] = at;
}

/* Two words may be left behind the last chunk of a heap that has grown into another: fences. */
static bool is_end(uintptr_t at, uintptr_t end)
{
    uintptr_t left = end - at;
    if (left == 0)
        return true;
    return left <= 2 * CHUNK_HEAD && (word_at(at + 8) & (uintptr_t)CHUNK_MASK) <= CHUNK_HEAD;
}

/* Adds the chunks from `at` to `end`; false, and adds none, when they don't fill it. */
static bool walk(uintptr_t at, uintptr_t end)
{
    size_t before = mem.chunks;
    while (!is_end(at, end)) {
        uintptr_t head = word_at(at + 8), size = head & (uintptr_t)CHUNK_MASK;
        if (size < CHUNK_LEAST || size % 16 != 0 || size > end - at || (head & IS_MAPPED)) {
            mem.chunks = before;
            return false;
        }
        if (!(head & PREV_IN_USE) && mem.chunks > before)
            mem.chunk_flags[mem.chunks - 1] |= FREE;
        add_chunk(at);
        at += size;
    }
    if (at == end && mem.chunks > before) /* the top */
        mem.chunk_flags[mem.chunks - 1] |= FREE;
    return mem.chunks > before;
}

struct heap {
    uintptr_t start, end; /* what is mapped */
    uintptr_t used;       /* set: where its blocks end */
};

static bool walk_break(void *arg)
{
    struct heap *h = arg;
    h->used = h->end;
    if (!walk(h->start, h->end))
        return false;
    mem.top = mem.chunk_at[mem.chunks - 1];
    return true;
}

/* struct _heap_info, and after the first of an arena its struct malloc_state, whose size depends on the version. */
static bool walk_arena(void *arg)
{
    enum { ARENA = 0, SIZE = 16, INFO_LEAST = 0x20, INFO_MOST = 0x60, STATE_LEAST = 0x800, STATE_MOST = 0x960 };
    struct heap *h = arg;
    uintptr_t arena = word_at(h->start + ARENA), size = word_at(h->start + SIZE);
    if (size < 4096 || size > ARENA_ALIGN || size % 4096 != 0 || size > h->end - h->start)
        return false;
    bool has_state = arena > h->start && arena < h->start + INFO_MOST;
    uintptr_t from = has_state ? arena + STATE_LEAST : h->start + INFO_LEAST;
    uintptr_t to = has_state ? arena + STATE_MOST : h->start + INFO_MOST;
    h->used = h->start + size;
    for (from = (from + 15) & ~(uintptr_t)15; from <= to; from += 16)
        if (walk(from, h->used))
            return true;
    return false;
}

/* Chunks with a mapping of their own, which the kernel may have joined: as many as there are in a row. */
static bool walk_mapped(void *arg)
{
    struct heap *h = arg;
    uintptr_t at = h->start;
    size_t before = mem.chunks;
    while (h->end - at >= 4096) {
        uintptr_t head = word_at(at + 8), size = head & (uintptr_t)CHUNK_MASK;
        if (word_at(at) != 0 || (head & 7) != IS_MAPPED || size % 4096 != 0 || size == 0 || size > h->end - at)
            break;
        add_chunk(at);
        at += size;
    }
    h->used = at;
    return mem.chunks > before;
}

/* ---- regions ---------------------------------------------------------------------------------------- */

static struct region *add_region(uintptr_t start, uintptr_t end, enum kind kind)
{
    static struct region none;
    if (start >= end)
        return &none;
    if (mem.n == REGIONS) {
        mem.failed = true;
        return &none;
    }
    mem.regions[mem.n] = (struct region){.start = start, .end = end, .kind = kind};
    return &mem.regions[mem.n++];
}

/* Makes the beginning of [start, end) one region of blocks, if the walk finds them; returns where the rest starts. */
static uintptr_t add_blocks(bool (*walk_it)(void *), uintptr_t start, uintptr_t end)
{
    struct heap h = {start, end, start};
    size_t first = mem.chunks;
    if (!rn_os_try(walk_it, &h)) {
        mem.chunks = first;
        return start;
    }
    struct region *r = add_region(start, h.used, CHUNKS);
    r->first = first;
    r->count = mem.chunks - first;
    return h.used;
}

/* Sanitizers reserve terabytes, into which words point by accident. */
static bool is_beyond_reason(uintptr_t start, uintptr_t end)
{
    return end - start > mem.largest;
}

static void add_plain(uintptr_t start, uintptr_t end)
{
    add_region(add_blocks(walk_mapped, start, end), end, WHOLE);
}

static void add_anonymous(uintptr_t start, uintptr_t end)
{
    uintptr_t at = start;
    if (is_beyond_reason(start, end))
        return;
    for (uintptr_t a = (at + ARENA_ALIGN - 1) & -(uintptr_t)ARENA_ALIGN; a < end; a += ARENA_ALIGN) {
        struct heap h = {a, end, a};
        size_t before = mem.chunks;
        bool is_arena = rn_os_try(walk_arena, &h);
        mem.chunks = before;
        if (!is_arena)
            continue;
        add_plain(at, a);
        at = add_blocks(walk_arena, a, end);
    }
    add_plain(at, end);
}

static void add_piece(const struct rn_os_mapping *m, uintptr_t start, uintptr_t end)
{
    if (start >= end)
        return;
    if (m->file || m->bss) {
        add_region(start, end, ROOT);
    } else if (m->shared || m->sealed) {
        add_region(start, end, WHOLE);
    } else if (m->heap) {
        uintptr_t rest = add_blocks(walk_break, start, end);
        mem.coarse += rest < end;
        add_region(rest, end, WHOLE);
    } else if (m->stack) {
        add_region(start, end, WHOLE); /* its thread handles a signal on another one */
    } else {
        add_anonymous(start, end);
    }
}

/* What a mapping has between the special ranges. */
static void add_mapping(const struct rn_os_mapping *m, void *arg)
{
    (void)arg;
    uintptr_t at = m->start;
    for (size_t i = 0; i < mem.specials_n; i++) {
        const struct region *s = &mem.specials[i];
        if (s->end <= at || s->start >= m->end)
            continue;
        add_piece(m, at, s->start);
        uintptr_t end = s->end < m->end ? s->end : m->end;
        add_region(s->start > at ? s->start : at, end, SPECIAL)->met = s->met;
        at = end;
    }
    add_piece(m, at, m->end);
}

static void sort(struct region *r, size_t n)
{
    for (size_t gap = n / 2; gap > 0; gap = gap == 2 ? 1 : gap * 5 / 11)
        for (size_t i = gap; i < n; i++) {
            struct region one = r[i];
            size_t at = i;
            for (; at >= gap && r[at - gap].start > one.start; at -= gap)
                r[at] = r[at - gap];
            r[at] = one;
        }
}

/* Room for the chunks: one for each 32 bytes of what may be a heap. */
static void count_room(const struct rn_os_mapping *m, void *arg)
{
    (void)arg;
    if (!m->file && !m->stack && !m->sealed && !is_beyond_reason(m->start, m->end))
        mem.chunks_room += (m->end - m->start) / CHUNK_LEAST;
}

static bool make_room(size_t specials, size_t ranges)
{
    mem.regions = rn_os_map(REGIONS * sizeof *mem.regions, rn_os_page);
    mem.specials = rn_os_map((specials + 8) * sizeof *mem.specials, rn_os_page);
    mem.chunks_room = 0;
    if (rn_os_mappings(count_room, NULL) < 0)
        return false;
    mem.chunk_at = rn_os_map((mem.chunks_room + 1) * sizeof *mem.chunk_at, rn_os_page);
    mem.chunk_flags = rn_os_map(mem.chunks_room + 1, rn_os_page);
    mem.todo_room = mem.chunks_room + REGIONS + ranges;
    mem.todo = rn_os_map(mem.todo_room * sizeof *mem.todo, rn_os_page);
    return mem.regions && mem.specials && mem.chunk_at && mem.chunk_flags && mem.todo;
}

/* The tables themselves are no memory of the program's. */
static void hide_tables(void)
{
    const struct {
        void *at;
        size_t bytes;
    } own[] = {{mem.regions, REGIONS * sizeof *mem.regions},
               {mem.chunk_at, (mem.chunks_room + 1) * sizeof *mem.chunk_at},
               {mem.chunk_flags, mem.chunks_room + 1},
               {mem.todo, mem.todo_room * sizeof *mem.todo}};
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        mem.specials[mem.specials_n++] =
            (struct region){.start = (uintptr_t)own[i].at,
                            .end = ((uintptr_t)own[i].at + own[i].bytes + rn_os_page - 1) & ~(rn_os_page - 1)};
}

static size_t find_chunk(const struct region *r, uintptr_t address)
{
    size_t lo = r->first, hi = r->first + r->count;
    while (hi - lo > 1) {
        size_t mid = lo + (hi - lo) / 2;
        if (mem.chunk_at[mid] <= address)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}

static struct region *find_region(uintptr_t address)
{
    static struct region *last;
    if (last && address >= last->start && address < last->end)
        return last;
    size_t lo = 0, hi = mem.n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (mem.regions[mid].end <= address)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo == mem.n || mem.regions[lo].start > address)
        return NULL;
    return last = &mem.regions[lo];
}

static uintptr_t chunk_end(const struct region *r, size_t i)
{
    return i + 1 < r->first + r->count ? mem.chunk_at[i + 1] : r->end;
}

/* A thread's cache of free chunks: known by its size and by its pointing to chunks of the right sizes, which are
 * marked as free with it. */
static bool free_cached(uintptr_t at, bool for_good)
{
    const uint16_t *counts = (const uint16_t *)(at + CHUNK_HEAD); /* NOLINT(performance-no-int-to-ptr) */
    uintptr_t entries = at + CHUNK_HEAD + TCACHE_BINS * sizeof(uint16_t);
    for (int i = 0; i < TCACHE_BINS; i++) {
        uintptr_t p = word_at(entries + (uintptr_t)i * 8);
        if ((counts[i] == 0) != (p == 0) || counts[i] > 127)
            return false;
        for (int n = counts[i]; n > 0; n--) {
            struct region *r = find_region(p - CHUNK_HEAD);
            size_t c = r && r->kind == CHUNKS ? find_chunk(r, p - CHUNK_HEAD) : 0;
            if (!r || r->kind != CHUNKS || mem.chunk_at[c] != p - CHUNK_HEAD ||
                chunk_end(r, c) - mem.chunk_at[c] != (uintptr_t)i * 16 + CHUNK_LEAST)
                return false;
            if (for_good)
                mem.chunk_flags[c] |= FREE;
            p = (p >> 12) ^ word_at(p); /* glibc's safe linking */
        }
    }
    return true;
}

static bool look_for_caches(void *arg)
{
    (void)arg;
    for (size_t i = 0; i < mem.n; i++) {
        const struct region *r = &mem.regions[i];
        for (size_t c = r->first; r->kind == CHUNKS && c < r->first + r->count; c++)
            if (!(mem.chunk_flags[c] & FREE) && chunk_end(r, c) - mem.chunk_at[c] == TCACHE_CHUNK &&
                free_cached(mem.chunk_at[c], false)) {
                free_cached(mem.chunk_at[c], true);
                mem.chunk_flags[c] |= FREE;
            }
    }
    return true;
}

bool rn__mem_build(const struct rn_mem_special *specials, size_t n, size_t ranges, size_t largest,
                   void (*odd)(uintptr_t, void *), void *arg)
{
    mem.largest = largest;
    if (!make_room(n, ranges))
        return false;
    mem.odd = odd;
    mem.arg = arg;
    for (size_t i = 0; i < n; i++)
        mem.specials[mem.specials_n++] =
            (struct region){.start = specials[i].start, .end = specials[i].end, .met = specials[i].met};
    hide_tables();
    sort(mem.specials, mem.specials_n);
    if (rn_os_mappings(add_mapping, NULL) < 0 || mem.n == 0 || mem.failed)
        return false;
    mem.low = mem.regions[0].start;
    mem.high = mem.regions[mem.n - 1].end;
    rn_os_try(look_for_caches, NULL);
    return true;
}

/* ---- marking ------------------------------------------------------------------------------------------ */

void rn__mem_later(uintptr_t start, uintptr_t end)
{
    if (mem.todo_n < mem.todo_room)
        mem.todo[mem.todo_n++] = (struct range){start, end};
    else
        mem.failed = true;
}

static void mark_chunk(const struct region *r, size_t c)
{
    if (mem.chunk_flags[c] != 0)
        return;
    mem.chunk_flags[c] = MARKED;
    rn__mem_later(mem.chunk_at[c] + CHUNK_HEAD, chunk_end(r, c) + 8);
}

/* A chunk's last word is the first of its neighbour's head; the second is the allocator's.  Its own lists, in libc's
 * data, name the heads of free chunks. */
static void mark_in_chunks(const struct region *r, uintptr_t word)
{
    size_t c = find_chunk(r, word);
    if (mem.chunk_at[c] > word)
        return;
    uintptr_t offset = word - mem.chunk_at[c];
    if (offset >= CHUNK_HEAD)
        mark_chunk(r, c);
    else if (offset < 8 && c > r->first && !(mem.in_roots && (mem.chunk_flags[c] & FREE)))
        mark_chunk(r, c - 1);
}

void rn__mem_word(uintptr_t word)
{
    if (word & 1)
        mem.odd(word, mem.arg);
    if (word < mem.low || word >= mem.high)
        return;
    struct region *r = find_region(word);
    if (!r)
        return;
    if (r->kind == SPECIAL && r->met) {
        r->met(word, mem.arg);
    } else if (r->kind == WHOLE && !r->flags) {
        r->flags = MARKED;
        rn__mem_later(r->start, r->end);
    } else if (r->kind == CHUNKS) {
        mark_in_chunks(r, word);
    }
}

static void scan_page(uintptr_t from, uintptr_t to, void *arg)
{
    (void)arg;
    for (uintptr_t at = from; at + sizeof(uintptr_t) <= to; at += sizeof(uintptr_t))
        if (at < mem.lists || at >= mem.lists_end)
            rn__mem_word(word_at(at));
}

void rn__mem_scan(uintptr_t start, uintptr_t end)
{
    start = (start + 7) & ~(uintptr_t)7;
    if (start < end)
        rn_os_pages(start, end, scan_page, NULL);
}

/* glibc's struct malloc_state: ten lists, the top, what was last split (which may be in use again), and 254 words of
 * lists that are circles.  Where its `top` is at `at` is told by the circles that are empty. */
enum { FAST_LISTS = 10, CIRCLES = 254, EMPTY_LEAST = 64, WORD = sizeof(uintptr_t) };

static bool has_lists(void *arg)
{
    uintptr_t first = *(uintptr_t *)arg + 2 * WORD;
    int empty = 0;
    for (uintptr_t i = 0; i < CIRCLES; i++)
        empty += word_at(first + i * WORD) == first + (i & ~(uintptr_t)1) * WORD - 2 * WORD;
    return empty >= EMPTY_LEAST;
}

static void look_for_lists(uintptr_t from, uintptr_t to, void *arg)
{
    (void)arg;
    for (uintptr_t at = from; at + WORD <= to; at += WORD)
        if (word_at(at) == mem.top && rn_os_try(has_lists, &at)) {
            mem.lists = at - FAST_LISTS * WORD;
            mem.lists_end = at + (2 + CIRCLES) * WORD;
        }
}

void rn__mem_scan_roots(void)
{
    for (size_t i = 0; mem.top && i < mem.n; i++)
        if (mem.regions[i].kind == ROOT)
            rn_os_pages(mem.regions[i].start, mem.regions[i].end, look_for_lists, NULL);
    mem.in_roots = true;
    for (size_t i = 0; i < mem.n; i++)
        if (mem.regions[i].kind == ROOT)
            rn__mem_scan(mem.regions[i].start, mem.regions[i].end);
    mem.in_roots = false;
}

bool rn__mem_follow(void)
{
    while (mem.todo_n > 0) {
        struct range r = mem.todo[--mem.todo_n];
        rn__mem_scan(r.start, r.end);
    }
    return !mem.failed;
}

enum rn_mem_state rn__mem_state(uintptr_t address)
{
    const struct region *r = find_region(address);
    if (!r || r->kind == ROOT)
        return RN_MEM_UNKNOWN;
    if (r->kind == SPECIAL)
        return RN_MEM_SPECIAL;
    if (r->kind == WHOLE)
        return r->flags ? RN_MEM_REACHED : RN_MEM_UNREACHED;
    size_t c = find_chunk(r, address);
    return mem.chunk_flags[c] & FREE ? RN_MEM_UNKNOWN : mem.chunk_flags[c] ? RN_MEM_REACHED : RN_MEM_UNREACHED;
}

uintptr_t rn__mem_end(uintptr_t address)
{
    const struct region *r = find_region(address);
    return r ? r->end : address;
}

size_t rn__mem_coarse(void)
{
    return mem.coarse;
}
