/* Which timer may come while others can run, as a choice: as if these were late, on a machine that is busy.
 *
 * Only limits do: a wait that somebody else should have ended before (a timeout, the deadline of a context or of I/O, a timer
 * in a select, after_func).  Timers keep their order: what is due before the limit fires before it.  A sleep that ends
 * before it, or at the same moment, holds it back: who sleeps gives the others time, and tests that count on it have no bug
 * that anybody ever sees.
 *
 * How often, how late, and what counts then: RN_EXPLORE_DELAYS, LATE and PATIENCE in explore.h. */
#ifdef RN_EXPLORE
#include "base/alloc.h"
#include "base/hooks.h"
#include "sched/choice.h"

enum { MOST = 256 }; /* timers that are looked at: with more nobody is late */

struct search {
    struct rn_timer_entry *limit;
    rn_time sleep;
    uint32_t n;
};

struct place {
    const char *at;
    struct rn_g *g;
};

static void look_at_stack(struct rn_g *g, void *arg)
{
    struct place *p = arg;
    if (p->at >= g->stack_lo && p->at < g->stack_hi)
        p->g = g;
}

/* Also stacks of a size of their own, as main's. */
struct rn_g *rn__explore_owner(const struct rn_timer_entry *t)
{
    struct place p = {(const char *)t, rn__g_of_address(t)};
    if (!p.g)
        rn__g_each(look_at_stack, &p);
    return p.g;
}

struct receiver {
    const struct rn_timer_entry *timer;
    bool alone;
};

static void look_at_receiver(struct rn_g *g, void *arg)
{
    struct receiver *r = arg;
    /* relaxed, all: no other thread. */
    if (rn_load_relaxed(&g->status) == RN_G_WAITING && rn_load_relaxed(&g->waiting) == RN_WAIT_CHAN_RECV)
        r->alone |= rn_load_relaxed(&g->waiting_for) == r->timer + 1;
}

/* Who receives from a timer's channel, and from nothing else, sleeps; and before somebody waits for it, it may be that. */
static bool is_chan_sleep(struct rn_timer_entry *t)
{
    struct receiver r = {t, !t->awaited(t)};
    rn__g_each(look_at_receiver, &r);
    return r.alone;
}

static bool is_sleep(struct rn_timer_entry *t)
{
    if (t->kind == RN_TIMER_CHAN)
        return is_chan_sleep(t);
    const struct rn_g *g = rn__explore_owner(t);
    return t->kind == RN_TIMER_SLEEP || (g && rn_load_relaxed(&g->waiting) == RN_WAIT_SLEEP); /* relaxed: as above */
}

static bool look_at_timer(struct rn_wheel_entry *e, void *arg)
{
    struct rn_timer_entry *t = rn_container(e, struct rn_timer_entry, wheel);
    struct search *s = arg;
    if (++s->n > MOST)
        return true;
    if (t->kind == RN_TIMER_EVENT || (t->kind == RN_TIMER_LIMIT && t->awaited && !t->awaited(t)))
        return false;
    if (is_sleep(t))
        s->sleep = e->when < s->sleep ? e->when : s->sleep;
    else if (!s->limit || e->when < s->limit->wheel.when)
        s->limit = t;
    return false;
}

struct rn_timer_entry *rn__explore_limit(void)
{
    struct search s = {NULL, INT64_MAX, 0};
    bool many = rn_wheel_any(&rn__procs[0].wheel, look_at_timer, &s);
    return !many && s.limit && s.limit->wheel.when < s.sleep ? s.limit : NULL;
}

#else
typedef int rn__explore_time_is_another_build; /* an empty file is no C */
#endif
