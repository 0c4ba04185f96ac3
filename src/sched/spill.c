/* Goroutines that have not run yet and that their processor's deque has no room for: one array for all processors,
 * the oldest first.
 *
 * A deque is full when a tree of goroutines is wider than it, or when one goroutine starts very many.  The latter has
 * to wait until there is room and nobody is left here (rn__push_fresh).  For a tree waiting would be wrong: each level that waits behind the
 * others lets them start their children, until all of the tree lives at once.  So the oldest, of which most is still
 * to come, go aside, and the processor goes on with the newest.
 *
 * What always holds:
 *  - spilled[spilled_from .. spilled_to) is in the order in which they went aside; spilled_n is their number.  All under
 *    sched.lock; from and n may be read without.
 *  - the processor that spilled takes back the newest when its deque is empty; others take the oldest.
 * The address space is for as many goroutines as there can be; its pages come with use.
 */
#include "sched/rt.h"
#include <string.h>

enum { MOST = RN_CHUNK * RN_CHUNKS_MAX, BACK = RN_DEQUE_SIZE / 2, SHARE = RN_DEQUE_SIZE / 8 };

static bool has_room_locked(void)
{
    rn_lock_assert_held(&rn__sched.lock);
    struct rn_sched *s = &rn__sched;
    if (!s->spilled)
        s->spilled = rn_os_map((size_t)MOST * sizeof(struct rn_g *), rn_os_page);
    return s->spilled != NULL;
}

static void set_locked(uint32_t from, uint32_t to)
{
    rn_lock_assert_held(&rn__sched.lock);
    struct rn_sched *s = &rn__sched;
    if (from == to)
        from = to = 0;
    s->spilled_to = to;
    /* relaxed, both: readers without the lock take them as hints; ordering as in rn__wake_idle. */
    rn_store_relaxed(&s->spilled_from, from);
    rn_store_relaxed(&s->spilled_n, to - from);
}

bool rn__spill(struct rn_p *p)
{
    struct rn_sched *s = &rn__sched;
    rn_lock_take(&s->lock, RN_RANK_SCHED);
    bool room = has_room_locked();
    if (room) {
        uint32_t from = rn_load_relaxed(&s->spilled_from), n = s->spilled_to - from; /* relaxed: under the lock */
        if (s->spilled_to + BACK > MOST) {
            memmove(s->spilled, s->spilled + from, n * sizeof *s->spilled);
            from = 0;
        }
        n += rn_deque_take(&p->fresh, s->spilled + from + n, BACK);
        set_locked(from, from + n);
        p->has_spilled = true;
    }
    rn_lock_release(&s->lock);
    return room;
}

void rn__spill_all(struct rn_p *p)
{
    while (rn_deque_length(&p->fresh) && rn__spill(p))
        continue;
    p->has_spilled = false; /* others come by */
}

/* What p's deque takes: all of list but the last, which is returned. */
static struct rn_g *keep(struct rn_p *p, struct rn_g **list, uint32_t n)
{
    for (uint32_t i = 0; i + 1 < n; i++)
        (void)rn_deque_push(&p->fresh, list[i]); /* it is empty */
    return n ? list[n - 1] : NULL;
}

struct rn_g *rn__spilled_newest(struct rn_p *p)
{
    struct rn_sched *s = &rn__sched;
    rn_lock_take(&s->lock, RN_RANK_SCHED);
    uint32_t from = rn_load_relaxed(&s->spilled_from), left = s->spilled_to - from; /* relaxed: under the lock */
    uint32_t n = left < BACK ? left : BACK;
    struct rn_g *g = keep(p, s->spilled + from + left - n, n);
    set_locked(from, from + left - n);
    p->has_spilled = left > n;
    rn_lock_release(&s->lock);
    return g;
}

/* The first `most` of all, but at most half. */
static struct rn_g *take_oldest(struct rn_p *p, uint32_t most)
{
    struct rn_sched *s = &rn__sched;
    if (rn_load_relaxed(&s->spilled_n) == 0) /* relaxed: a hint; rn__idle looks again under the lock */
        return NULL;
    rn_lock_take(&s->lock, RN_RANK_SCHED);
    uint32_t from = rn_load_relaxed(&s->spilled_from); /* relaxed: under the lock */
    uint32_t n = (s->spilled_to - from + 1) / 2;
    if (n > most)
        n = most;
    struct rn_g *g = keep(p, s->spilled + from, n);
    set_locked(from + n, s->spilled_to);
    rn_lock_release(&s->lock);
    return g;
}

struct rn_g *rn__spilled_share(struct rn_p *p)
{
    return take_oldest(p, SHARE);
}

struct rn_g *rn__oldest_fresh(struct rn_p *p)
{
    struct rn_g *g = take_oldest(p, 1);
    return g ? g : rn_deque_steal(&p->fresh);
}

void rn__spilled_forget(void)
{
    struct rn_sched *s = &rn__sched;
    rn_lock_take(&s->lock, RN_RANK_SCHED);
    set_locked(0, 0);
    if (s->spilled)
        rn_os_unmap(s->spilled, (size_t)MOST * sizeof(struct rn_g *));
    s->spilled = NULL;
    rn_lock_release(&s->lock);
}
