/* What is kept of a stack that is put away: see kept_stack.h.
 *
 * A page appears with all of its contents or not at all (os/linux/away.c), and the kernel copies it from memory that must
 * be complete.  Without a hole that is the block itself, in the middle of what lies around it.  With one, each page is put
 * together in a scratch page first.  There are SCRATCHES of them, each taken for the time of one page by whoever
 * thaws, in a signal handler or not: a handler that interrupts another thaw takes another one, and who finds none waits
 * for a thread that only copies.
 *
 * Tried and rejected: a scratch page on the handler's stack (who resumes is on a goroutine's stack, which is to bear it
 * as well); several holes for a stack (the frames between buffers are small, and each hole has to be described);
 * putting the zeroes out by UFFDIO_ZEROPAGE (whole pages only, and a buffer is seldom one).
 */
#include "sched/kept_stack.h"
#include "arch/arch.h"
#include "sched/kept.h"
#include <string.h>

enum {
    USED_MOST = 40 << 10, /* looked through for a hole: a buffer of 32 KiB on a stack is nothing rare */
    HOLE_LEAST = 256,
    STEP = 64, /* a hole is found in whole steps from sp on */
    SCRATCHES = 32,
};

/* From the stack pointer on; bytes 0: none. */
struct rn_hole {
    uint32_t at, bytes;
};

static char *scratch; /* SCRATCHES pages, and one more for a copy of the process */
static rn_atomic(uint32_t) taken[SCRATCHES];

static char *page_of(const void *p)
{
    return (char *)((uintptr_t)p & ~(uintptr_t)(rn_os_page - 1)); /* NOLINT(performance-no-int-to-ptr) */
}

static size_t used(const struct rn_g *g)
{
    return (size_t)(rn__g_top(g) - RN_CAPTURED_MOST - (char *)g->sp);
}

/* ---- holes ----------------------------------------------------------------------------------------- */

static bool is_zero(const char *p)
{
    uint64_t words[STEP / 8], any = 0;
    memcpy(words, p, STEP);
    for (int i = 0; i < STEP / 8; i++)
        any |= words[i];
    return any == 0;
}

/* The longest run of zeroes. */
static struct rn_hole find_hole(const struct rn_g *g)
{
    struct rn_hole best = {0, 0}, run = {0, 0};
    const char *p = g->sp;
    uint32_t end = (uint32_t)used(g);
    for (uint32_t at = 0; at + STEP <= end; at += STEP) {
        if (!is_zero(p + at)) {
            run.bytes = 0;
            continue;
        }
        if (run.bytes == 0)
            run.at = at;
        run.bytes += STEP;
        if (run.bytes > best.bytes)
            best = run;
    }
    return best.bytes >= HOLE_LEAST ? best : (struct rn_hole){0, 0};
}

static struct rn_hole hole_of(const struct rn_g *g)
{
    struct rn_hole hole = {0, 0};
    if (g->hollow)
        memcpy(&hole, g->kept, sizeof hole);
    return hole;
}

static size_t size_with(const struct rn_g *g, struct rn_hole hole)
{
    return used(g) - hole.bytes + (hole.bytes ? sizeof hole : 0);
}

bool rn_keep_fits(const struct rn_g *g)
{
    size_t n = used(g);
    return n <= RN_KEPT_MOST || (n <= USED_MOST && size_with(g, find_hole(g)) <= RN_KEPT_MOST);
}

/* ---- keeping --------------------------------------------------------------------------------------- */

bool rn_keep(struct rn_g *g)
{
    struct rn_hole hole = find_hole(g); /* again: somebody may have written there */
    size_t bytes = size_with(g, hole);
    char *block = bytes <= RN_KEPT_MOST ? rn_kept_get(bytes) : NULL;
    if (!block)
        return false;
    g->kept = block;
    g->hollow = hole.bytes != 0;
    if (!g->hollow) {
        memcpy(block, g->sp, bytes);
        return true;
    }
    char *sp = g->sp, *low = block + sizeof hole;
    memcpy(block, &hole, sizeof hole);
    memcpy(low, sp, hole.at);
    memcpy(low + hole.at, sp + hole.at + hole.bytes, used(g) - hole.at - hole.bytes);
    return true;
}

void rn_keep_drop(struct rn_g *g)
{
    rn_kept_put(g->kept);
}

/* The whole pages in the hole: they neither trap nor are they brought back.  from == to: none. */
static void pages_in_hole(const struct rn_g *g, char **from, char **to)
{
    struct rn_hole hole = hole_of(g);
    *from = page_of((char *)g->sp + hole.at + rn_os_page - 1);
    *to = page_of((char *)g->sp + hole.at + hole.bytes);
    if (*to <= *from)
        *from = *to = page_of(g->sp);
}

bool rn_keep_trap(struct rn_g *g)
{
    char *page = page_of(g->sp), *from, *to;
    pages_in_hole(g, &from, &to);
    return (from == page || rn_os_away_trap(page, (size_t)(from - page)) == 0) &&
           rn_os_away_trap(to, (size_t)(g->stack_hi - to)) == 0;
}

/* ---- bringing back ----------------------------------------------------------------------------------- */

static char *scratch_take(void)
{
    if (rn_os_is_copy()) /* it has one thread; who held the others is not there */
        return scratch + SCRATCHES * rn_os_page;
    for (uint32_t i = 0;; i = (i + 1) % SCRATCHES) {
        uint32_t none = 0;
        /* relaxed: a hint; acquire: pairs with the release in scratch_give. */
        if (rn_load_relaxed(&taken[i]) == 0 && rn_cas_acquire(&taken[i], &none, 1))
            return scratch + i * rn_os_page;
        rn_cpu_pause();
    }
}

static void scratch_give(const char *page)
{
    size_t i = (size_t)(page - scratch) / rn_os_page;
    if (i < SCRATCHES)
        rn_store_release(&taken[i], 0); /* pairs with the acquire in scratch_take */
}

/* What of the piece [at, at + bytes) of the stack lies on `page` goes to the same place on `to`, or is zero there. */
static void put_piece(char *to, const char *page, const char *at, size_t bytes, const char *from)
{
    const char *lo = at > page ? at : page;
    const char *end = at + bytes < page + rn_os_page ? at + bytes : page + rn_os_page;
    if (end <= lo)
        return;
    if (from)
        memcpy(to + (lo - page), from + (lo - at), (size_t)(end - lo));
    else
        memset(to + (lo - page), 0, (size_t)(end - lo));
}

static void restore_hollow(const struct rn_g *g, char *first, const char *end)
{
    struct rn_hole hole = hole_of(g);
    const char *sp = g->sp, *low = (const char *)g->kept + sizeof hole, *high = sp + hole.at + hole.bytes;
    char *from, *to;
    pages_in_hole(g, &from, &to);
    for (char *page = first; page < end; page += rn_os_page) {
        if (page >= from && page < to)
            continue;
        char *whole = scratch_take();
        put_piece(whole, page, sp, hole.at, low);
        put_piece(whole, page, sp + hole.at, hole.bytes, NULL);
        put_piece(whole, page, high, used(g) - hole.at - hole.bytes, low + hole.at);
        rn_os_away_restore(page, rn_os_page, whole);
        scratch_give(whole);
    }
}

/* The block is surrounded by memory that can be read: so it is the middle of whole pages.  What lies in them around
 * it is of no meaning, like all that was never written. */
static void restore_whole(const struct rn_g *g, char *page, const char *end)
{
    rn_os_away_restore(page, (size_t)(end - page), (char *)g->kept + (page - (char *)g->sp));
}

static void restore(const struct rn_g *g, char *page, const char *end)
{
    (g->hollow ? restore_hollow : restore_whole)(g, page, end);
}

void rn_keep_restore_in_copy(struct rn_g *g)
{
    restore(g, page_of(g->sp), g->stack_hi);
}

bool rn_keep_restore_page_in_copy(struct rn_g *g, void *addr)
{
    char *page = page_of(addr);
    if (page < page_of(g->sp))
        return false;
    restore(g, page, page + rn_os_page);
    return true;
}

void rn_keep_restore(struct rn_g *g)
{
    restore(g, page_of(g->sp), g->stack_hi);
    rn_kept_put(g->kept);
}

/* ---- a run's beginning and end --------------------------------------------------------------------------- */

bool rn_keep_begin(void)
{
    if (!scratch)
        scratch = rn_os_map((SCRATCHES + 1) * rn_os_page, rn_os_page);
    return scratch != NULL;
}

void rn_keep_end(void)
{
    rn_os_unmap(scratch, (SCRATCHES + 1) * rn_os_page);
    scratch = NULL;
    rn_kept_forget();
}

void rn_keep_each(void (*f)(const void *start, size_t bytes, void *arg), void *arg)
{
    if (scratch)
        f(scratch, (SCRATCHES + 1) * rn_os_page, arg);
    rn_kept_each(f, arg);
}
