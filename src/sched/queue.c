/* Where runnable goroutines wait: each processor's `next`, its ring, its deque of goroutines that have not run
 * yet, and the global queue for what does not fit, for goroutines that lost their processor, and for plain threads that wake somebody.
 *
 * The global queue has a front, for whom descriptors wake while the worker that finds them (the poller), or the monitor, has no
 * processor: a processor that had looked itself would run the first of them next, and behind ten thousand others they were late by
 * a whole round.  Whoever takes from the global queue takes from its front first; and a busy processor's look elsewhere takes from
 * there whether its share of the rest has run or not.
 *
 * The global queue is guarded by sched.lock; its length, the front's included, may be read without, and so may whether there is
 * anybody in front.  Whoever queues something calls rn__wake_idle afterwards. */
#include "sched/choice.h"

static void more_global_locked(uint32_t n)
{
    rn_lock_assert_held(&rn__sched.lock);
    struct rn_sched *s = &rn__sched;
    /* relaxed: readers without the lock take it as a hint; ordering as in rn__wake_idle. */
    rn_store_relaxed(&s->global_n, rn_load_relaxed(&s->global_n) + n);
}

void rn__push_global(struct rn_g *first, struct rn_g *last, uint32_t n)
{
    struct rn_sched *s = &rn__sched;
    last->link = NULL;
    if (rn__exploring() && rn__explore_ready(first)) /* n is 1 */
        return;
    rn_lock_take(&s->lock, RN_RANK_SCHED);
    if (s->global_last)
        s->global_last->link = first;
    else
        s->global_first = first;
    s->global_last = last;
    more_global_locked(n);
    rn_lock_release(&s->lock);
}

void rn__push_front(struct rn_g *first, struct rn_g *last, uint32_t n)
{
    struct rn_sched *s = &rn__sched;
    last->link = NULL;
    rn_lock_take(&s->lock, RN_RANK_SCHED);
    if (rn_load_relaxed(&s->front_first)) /* relaxed, both: under the lock; outside it is a hint */
        s->front_last->link = first;
    else
        rn_store_relaxed(&s->front_first, first);
    s->front_last = last;
    more_global_locked(n);
    rn_lock_release(&s->lock);
}

/* Takes up to `most` goroutines out of p's ring, as a chain. */
static uint32_t take_chain(struct rn_p *p, uint32_t most, struct rn_g **first, struct rn_g **last)
{
    uint32_t n = 0;
    *first = *last = NULL;
    for (struct rn_g *x; n < most && (x = rn_runq_pop(&p->runq, RN_RUNQ_MINE)) != NULL; n++) {
        if (*last)
            (*last)->link = x;
        else
            *first = x;
        *last = x;
    }
    return n;
}

/* The ring is full: its oldest and g go to the global queue. */
static void overflow(struct rn_p *p, struct rn_g *g)
{
    enum { MOVE = RN_RUNQ_STEAL };
    struct rn_g *first, *last;
    uint32_t n = take_chain(p, MOVE, &first, &last);
    if (last)
        last->link = g;
    else
        first = g;
    rn__push_global(first, g, n + 1);
}

void rn__push_last(struct rn_p *p, struct rn_g *g)
{
    if (rn__exploring() && rn__explore_ready(g))
        return;
    if (__builtin_expect(!rn_runq_push(&p->runq, g), 0))
        overflow(p, g);
}

/* It has waited before, so it is no part of a tree on its way down. */
static inline bool has_waited(const struct rn_g *g)
{
    return rn_load_relaxed(&g->waiting) != RN_WAIT_NONE; /* relaxed: it runs here */
}

/* Is one that was started here, and makes way now, to go in its order?  Who starts others, waits, and starts others again is no
 * part of a tree: it receives requests, say, and starts a goroutine for each.  Newest first, one of these could wait for as long
 * as others come.  But not where one starts very many at once: that is faster newest first. */
static bool in_order(struct rn_p *p)
{
    enum { MOST = RN_DEQUE_SIZE / 2 };
    struct rn_g *starter = rn_load_relaxed(&p->m)->g; /* relaxed, both: the owner's */
    uint32_t tick = rn_load_relaxed(&p->tick);
    if (p->starts_tick != tick) {
        p->starts_tick = tick;
        bool again = (starter->flags & (RN_G_STARTER | RN_G_FLOODS)) == RN_G_STARTER && has_waited(starter);
        p->starts_in_order = again ? MOST : 0;
        starter->flags = (uint8_t)((starter->flags & ~RN_G_FLOODS) | RN_G_STARTER);
    }
    if (p->starts_in_order == 0)
        return false;
    p->starts_in_order--;
    return true;
}

#ifdef RN_RACE
enum { BY_CHANCE = 1 };
#else
enum { BY_CHANCE = 0 };
#endif

/* Puts g into `next`; returns what was there and is to go into a queue, or NULL.  For the race detector it is g itself
 * every other time.  (Go, too, lets goroutines run in any order then.)  Else whoever is started last would nearly always run first,
 * after all that its starter has done; a lock that it lets go hands that on to the others, whose races with the starter
 * are then none.  Rejected: to let g go last, as Go does: trees would grow wide. */
static inline struct rn_g *kick_next(struct rn_p *p, struct rn_g *g, bool fresh, bool *was_fresh)
{
    /* relaxed: only the owner touches next; others look at it for reports. */
    struct rn_g *kicked = rn_load_relaxed(&p->next);
    *was_fresh = kicked && p->next_is_fresh && !in_order(p);
    if (BY_CHANCE && kicked && rn__random_below(2) == 0) {
        *was_fresh = fresh;
        return g;
    }
    rn_store_relaxed(&p->next, g);
    p->next_is_fresh = fresh;
    return kicked;
}

static void push_kicked(struct rn_p *p, struct rn_g *kicked, bool fresh)
{
    if (!fresh || __builtin_expect(!rn_deque_push(&p->fresh, kicked), 0))
        rn__push_last(p, kicked);
}

bool rn__push_next(struct rn_p *p, struct rn_g *g)
{
    bool fresh;
    if (rn__exploring() && rn__explore_ready(g))
        return true;
    struct rn_g *kicked = kick_next(p, g, false, &fresh);
    if (!kicked)
        return true;
    push_kicked(p, kicked, fresh);
    return false;
}

/* p's deque is full.  Has the starter started the newest half of them? */
static bool floods(const struct rn_p *p, const struct rn_g *starter)
{
    uint32_t tail = rn_load_relaxed(&p->fresh.tail); /* relaxed, all: our own; who was stolen is a record still */
    const struct rn_g *middle = rn_load_relaxed(&p->fresh.ring[(tail - RN_DEQUE_SIZE / 2) % RN_DEQUE_SIZE]);
    return rn_load_relaxed(&middle->started_by) == starter->id;
}

/* The starter of very many makes way: for one of the oldest, too.  Newest first, all that it starts between its turns would run
 * before, and the monitor sees to one of the oldest in 10 ms. */
static void push_oldest(struct rn_p *p)
{
    struct rn_g *oldest = rn__oldest_fresh(p);
    if (oldest)
        rn__push_last(p, oldest);
}

bool rn__push_fresh(struct rn_m *m, struct rn_g *g)
{
    struct rn_p *p = m->p;
    bool fresh;
    if (rn__exploring() && rn__explore_ready(g))
        return true;
    struct rn_g *kicked = kick_next(p, g, true, &fresh);
    if (!kicked || (fresh && __builtin_expect(rn_deque_push(&p->fresh, kicked), 1)))
        return __builtin_expect(!p->has_spilled, 1) || !has_waited(m->g);
    bool room = !fresh || (!has_waited(m->g) && !floods(p, m->g) && rn__spill(p));
    if (!room) {
        push_oldest(p);
        m->g->flags |= RN_G_FLOODS;
    }
    push_kicked(p, kicked, fresh);
    return room;
}

/* Those who were started one after the other, and woken so, mostly have records side by side: where x and next have, the
 * one some further on is fetched, which the chain would tell much later. */
static inline void fetch_neighbour(const struct rn_g *x, const struct rn_g *next)
{
    enum { ON = 8 };
    uintptr_t step = (uintptr_t)next - (uintptr_t)x;
    __builtin_prefetch((const void *)((uintptr_t)x + ON * step), 1);
}

/* The global queue's first, which stays there, or NULL; under the lock. */
static struct rn_g *first_locked(bool front_only)
{
    rn_lock_assert_held(&rn__sched.lock);
    struct rn_g *front = rn_load_relaxed(&rn__sched.front_first); /* relaxed: under the lock */
    return front || front_only ? front : rn__sched.global_first;
}

static void remove_first_locked(struct rn_g *next)
{
    rn_lock_assert_held(&rn__sched.lock);
    struct rn_sched *s = &rn__sched;
    if (rn_load_relaxed(&s->front_first)) { /* relaxed, all: as above */
        rn_store_relaxed(&s->front_first, next);
    } else {
        s->global_first = next;
        if (!next)
            s->global_last = NULL;
    }
    rn_store_relaxed(&s->global_n, rn_load_relaxed(&s->global_n) - 1);
}

/* Up to n of the global queue: the first is returned, others go to p's ring, as far as there is room. */
static struct rn_g *take_locked(struct rn_p *p, uint32_t n, bool front_only)
{
    rn_lock_assert_held(&rn__sched.lock);
    struct rn_g *g = NULL, *x;
    for (uint32_t i = 0; i < n && (x = first_locked(front_only)) != NULL; i++) {
        struct rn_g *next = x->link; /* once in the ring, x may be stolen, run and end */
        fetch_neighbour(x, next);
        if (i < RN_FETCH_FIRST)
            rn__fetch(x);
        if (g && !rn_runq_push(&p->runq, x))
            break;
        if (!g)
            g = x;
        remove_first_locked(next);
    }
    rn__fetch_later(p);
    return g;
}

/* As many of the global queue as are gone when the loop looks for the second time since (pace.c). */
static uint32_t share_of(const struct rn_p *p)
{
    uint32_t two_looks = 2 * (p->look + 1);
    return two_looks - two_looks / 32;
}

/* A fair share of the global queue: its first goroutine is returned, others go to p's ring. */
struct rn_g *rn__pop_global(struct rn_p *p)
{
    struct rn_sched *s = &rn__sched;
    if (rn_load_relaxed(&s->global_n) == 0) /* relaxed: a hint; rn__idle looks again under the lock */
        return NULL;
    rn_lock_take(&s->lock, RN_RANK_SCHED);
    uint32_t n = rn_load_relaxed(&s->global_n) / rn__procs_used() + 1, most = share_of(p);
    struct rn_g *g = take_locked(p, n < most ? n : most, false);
    rn_lock_release(&s->lock);
    p->share_end = rn_load_relaxed(&p->runq.tail); /* relaxed: only the owner writes it */
    return g;
}

/* Takes the first that is pinned out of a chain whose last has no link; NULL: none is. */
static struct rn_g *take_pinned(struct rn_g **first, struct rn_g **last)
{
    struct rn_g *before = NULL, *g = *first;
    for (; g && !g->pinned; g = g->link)
        before = g;
    if (!g)
        return NULL;
    *(before ? &before->link : first) = g->link;
    if (*last == g)
        *last = before;
    return g;
}

struct rn_g *rn__pop_pinned(void)
{
    struct rn_sched *s = &rn__sched;
    rn_lock_take(&s->lock, RN_RANK_SCHED);
    struct rn_g *front = rn_load_relaxed(&s->front_first); /* relaxed, all: under the lock */
    struct rn_g *g = take_pinned(&front, &s->front_last);
    rn_store_relaxed(&s->front_first, front);
    if (!g)
        g = take_pinned(&s->global_first, &s->global_last);
    if (g)
        rn_store_relaxed(&s->global_n, rn_load_relaxed(&s->global_n) - 1);
    rn_lock_release(&s->lock);
    return g;
}

/* Those in front of all others, whom p's ring could let wait: as queue_list (park.c) does with those that p finds itself. */
static struct rn_g *pop_front(struct rn_p *p)
{
    struct rn_sched *s = &rn__sched;
    if (__builtin_expect(!rn_load_relaxed(&s->front_first), 1)) /* relaxed: a hint; this is asked again and again */
        return NULL;
    rn_lock_take(&s->lock, RN_RANK_SCHED);
    struct rn_g *g = take_locked(p, UINT32_MAX, true);
    rn_lock_release(&s->lock);
    return g;
}

/* With more runnable goroutines than a ring holds, each has its turn: when those have run that came with the last share of
 * the global queue, what is in the ring since goes behind all others, and the next share comes.  (A ring that were
 * filled up only would go round by itself, and let one of the others in now and then.)  When all fit into the ring,
 * that is where they go. */
struct rn_g *rn__exchange_global(struct rn_p *p)
{
    enum { ALL = RN_RUNQ_SIZE - RN_RUNQ_STEAL };
    struct rn_g *first, *last;
    /* relaxed, both: a hint; thieves may move head at any time. */
    uint32_t left = rn_load_relaxed(&rn__sched.global_n), here = rn_runq_length(&p->runq);
    if (left == 0)
        return NULL;
    if (left + here > ALL) {
        if ((int32_t)(p->share_end - rn_load_relaxed(&p->runq.head)) > 0)
            return pop_front(p);
        uint32_t n = take_chain(p, RN_RUNQ_SIZE, &first, &last);
        if (n)
            rn__push_global(first, last, n);
        rn__wake_idle();
    }
    return rn__pop_global(p);
}

/* Before all others in the global queue. */
static void push_global_first(struct rn_g *first, struct rn_g *last, uint32_t n)
{
    struct rn_sched *s = &rn__sched;
    rn_lock_take(&s->lock, RN_RANK_SCHED);
    last->link = s->global_first;
    if (!s->global_first)
        s->global_last = last;
    s->global_first = first;
    more_global_locked(n);
    rn_lock_release(&s->lock);
}

void rn__give_all(struct rn_p *p)
{
    struct rn_g *first = NULL, *last = NULL, *g;
    uint32_t n = 0;
    rn__spill_all(p);
    for (; (g = rn__choose_next(p)) != NULL; n++) {
        if (last)
            last->link = g;
        else
            first = g;
        last = g;
    }
    if (n)
        push_global_first(first, last, n);
}

bool rn__p_has_work(struct rn_p *p)
{
    /* relaxed: a hint for whoever looks from outside. */
    return rn_runq_length(&p->runq) != 0 || rn_deque_length(&p->fresh) != 0 || rn__waits_here(p) != NULL;
}
