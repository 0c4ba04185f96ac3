/* Blocks for the contents of stacks: see kept.h.
 *
 * Areas of 32 MiB of address space are cut into slabs of 64 KiB, each for one size, a multiple of 16.  A slab begins
 * with its header and is found from a block by its address.  The first and the last slab of an area are not used: they
 * are the margin.
 *
 * What always holds:
 *  - a slab is in the list of its size if it has a block to give, and in `empty` if it was never used or all of its
 *    blocks have come back: then its pages have gone back to the system, its header too;
 *  - only the putter touches slabs and lists; others push their block on `returned`, and read nothing but what
 *    they keep.
 *
 * Model test: tests/model/kept.c.
 */
#include "sched/kept.h"
#include "base/atomic.h"
#include "os/os.h"
#include <stdint.h>

enum {
    SLAB = 64 << 10,
    AREA = 512, /* slabs */
    AREAS_MAX = 4096,
    GRAIN = 16,
    HEAD = 64,
    SIZES = RN_KEPT_MOST / GRAIN + 1,
    EMPTY_BYTES = AREAS_MAX * AREA * (int)sizeof(uint32_t),
};

struct block {
    struct block *next;
};

struct slab {
    struct slab *next, *prev; /* of its size, or empty: next only */
    struct block *free;
    uint32_t bytes, unused; /* of a block; from where on no block was ever given */
    uint32_t given;
    bool listed;
};
_Static_assert(sizeof(struct slab) <= HEAD && (int)RN_KEPT_MARGIN <= (int)SLAB, "the layout of a slab");

static struct slab *with_room[SIZES];
static char *areas[AREAS_MAX];
static uint32_t areas_n;
static uint32_t *empty; /* a stack of slabs: area * AREA + slab */
static uint32_t empty_n;
static rn_atomic(struct block *) returned;

static void list_add(struct slab *s)
{
    struct slab **list = &with_room[s->bytes / GRAIN];
    s->prev = NULL;
    s->next = *list;
    if (s->next)
        s->next->prev = s;
    *list = s;
    s->listed = true;
}

static void list_remove(struct slab *s)
{
    *(s->prev ? &s->prev->next : &with_room[s->bytes / GRAIN]) = s->next;
    if (s->next)
        s->next->prev = s->prev;
    s->listed = false;
}

static bool area_make(void)
{
    if (!empty)
        empty = rn_os_map(EMPTY_BYTES, rn_os_page);
    char *p = empty && areas_n < AREAS_MAX ? rn_os_map((size_t)AREA * SLAB, SLAB) : NULL;
    if (!p)
        return false;
    areas[areas_n] = p;
    for (uint32_t i = AREA - 1; i-- > 1;)
        empty[empty_n++] = areas_n * AREA + i;
    areas_n++;
    return true;
}

static struct slab *slab_make(uint32_t bytes)
{
    if (empty_n == 0 && !area_make())
        return NULL;
    uint32_t at = empty[--empty_n];
    struct slab *s = (struct slab *)(void *)(areas[at / AREA] + (size_t)(at % AREA) * SLAB);
    *s = (struct slab){.bytes = bytes, .unused = HEAD};
    list_add(s);
    return s;
}

static struct slab *slab_of(void *block)
{
    return (struct slab *)((uintptr_t)block & ~(uintptr_t)(SLAB - 1)); /* NOLINT(performance-no-int-to-ptr) */
}

static bool has_room(const struct slab *s)
{
    return s->free || s->unused + s->bytes <= SLAB;
}

void *rn_kept_get(size_t bytes)
{
    uint32_t size = (uint32_t)(bytes + GRAIN - 1) / GRAIN * GRAIN;
    struct slab *s = with_room[size / GRAIN];
    if (!s && !(s = slab_make(size)))
        return NULL;
    struct block *b = s->free;
    if (b) {
        s->free = b->next;
    } else {
        b = (struct block *)(void *)((char *)s + s->unused);
        s->unused += size;
    }
    s->given++;
    if (!has_room(s))
        list_remove(s);
    return b;
}

void rn_kept_put(void *block)
{
    struct block *b = block, *first = rn_load_relaxed(&returned); /* relaxed: the exchange checks it */
    do
        b->next = first;
    while (!rn_cas_release(&returned, &first, b)); /* pairs with the acquire in rn_kept_collect: next */
}

static void slab_empty(struct slab *s)
{
    for (uint32_t i = 0; i < areas_n; i++)
        if ((char *)s > areas[i] && (char *)s < areas[i] + (size_t)AREA * SLAB) {
            empty[empty_n++] = i * AREA + (uint32_t)((size_t)((char *)s - areas[i]) / SLAB);
            break;
        }
    rn_os_discard(s, SLAB);
}

void rn_kept_collect(void)
{
    /* acquire: pairs with the release in rn_kept_put. */
    struct block *b = rn_xchg_acquire(&returned, NULL);
    for (struct block *next; b; b = next) {
        struct slab *s = slab_of(b);
        next = b->next;
        b->next = s->free;
        s->free = b;
        if (!s->listed)
            list_add(s);
        if (--s->given == 0) {
            list_remove(s);
            slab_empty(s);
        }
    }
}

bool rn_kept_any(void)
{
    return rn_load_relaxed(&returned) != NULL; /* relaxed: a hint */
}

void rn_kept_forget(void)
{
    for (uint32_t i = 0; i < areas_n; i++)
        rn_os_unmap(areas[i], (size_t)AREA * SLAB);
    for (uint32_t i = 0; i < SIZES; i++)
        with_room[i] = NULL;
    rn_os_unmap(empty, EMPTY_BYTES);
    empty = NULL;
    areas_n = empty_n = 0;
    rn_store_relaxed(&returned, NULL); /* relaxed: no other thread is left */
}

void rn_kept_each(void (*f)(const void *start, size_t bytes, void *arg), void *arg)
{
    for (uint32_t i = 0; i < areas_n; i++)
        f(areas[i], (size_t)AREA * SLAB, arg);
}
