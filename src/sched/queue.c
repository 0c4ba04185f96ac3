/* Where runnable goroutines wait: each processor's `next` and ring, and the global queue for what
 * does not fit, for goroutines that lost their processor, and for plain threads that wake somebody.
 *
 * The global queue is guarded by sched.lock; its length may be read without.  Whoever queues
 * something calls rn__wake_idle afterwards. */
#include "sched/rt.h"

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
    /* relaxed: readers without the lock take it as a hint; ordering as in rn__wake_idle. */
    rn_store_relaxed(&s->global_n, rn_load_relaxed(&s->global_n) + n);
    rn_lock_release(&s->lock);
}

/* The ring is full: half of it and g go to the global queue. */
static void overflow(struct rn_p *p, struct rn_g *g)
{
    struct rn_g *first = NULL, *last = NULL;
    uint32_t n = 0;
    for (struct rn_g *x; n < RN_RUNQ_SIZE / 2 && (x = rn_runq_pop(&p->runq)) != NULL; n++) {
        if (last)
            last->link = x;
        else
            first = x;
        last = x;
    }
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

void rn__push_next(struct rn_p *p, struct rn_g *g)
{
    /* relaxed: only the owner touches next; others look at it for reports. */
    struct rn_g *kicked = rn_load_relaxed(&p->next);
    if (rn__exploring() && rn__explore_ready(g))
        return;
    rn_store_relaxed(&p->next, g);
    if (kicked)
        rn__push_last(p, kicked);
}

/* A fair share of the global queue: its first goroutine is returned, others go to p's ring. */
struct rn_g *rn__pop_global(struct rn_p *p)
{
    struct rn_sched *s = &rn__sched;
    if (rn_load_relaxed(&s->global_n) == 0) /* relaxed: a hint; rn__idle looks again under the lock */
        return NULL;
    rn_lock_take(&s->lock, RN_RANK_SCHED);
    uint32_t left = rn_load_relaxed(&s->global_n);
    uint32_t n = left / s->procs + 1;
    if (n > RN_RUNQ_SIZE / 2)
        n = RN_RUNQ_SIZE / 2;
    struct rn_g *g = NULL;
    for (uint32_t i = 0; i < n && s->global_first; i++) {
        struct rn_g *x = s->global_first, *next = x->link; /* once in the ring, x may be stolen, run and end */
        if (g && !rn_runq_push(&p->runq, x))
            break;
        if (!g)
            g = x;
        s->global_first = next;
        left--;
    }
    if (!s->global_first)
        s->global_last = NULL;
    rn_store_relaxed(&s->global_n, left);
    rn_lock_release(&s->lock);
    return g;
}

bool rn__p_has_work(struct rn_p *p)
{
    /* relaxed: a hint for whoever looks from outside. */
    return rn_runq_length(&p->runq) != 0 || rn_load_relaxed(&p->next) != NULL;
}
