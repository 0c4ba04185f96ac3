/* What a worker does when no goroutine runs on it: its loop, on its thread's own stack (g0). */
#include "sched/next.h"
#include "sched/switch.h"

enum {
    POLL_EVERY = 8,   /* µs between looks at descriptors while others wait, for each one that the last has found, */
    POLL_MOST = 16,   /* up to so many: where there are many, it is their number that makes them wait */
    WAITS_LOOKS = 4,  /* after so many such looks one has its turn that has not run yet, however few turns that was */
    SPIN_ROUNDS = 40, /* looks at everybody's queue before sleeping, at most: about 20 µs */
    SPIN_PAUSES = 40, /* between two looks */
};

/* Timers have woken many here, who are to run before more fire. */
static bool woken_wait(struct rn_p *p)
{
#ifdef RN_FIBER_TSAN
    enum { SWITCHES = 2 }; /* for each, there and back */
#else
    enum { SWITCHES = 1 };
#endif
    /* relaxed: only the owner writes it. */
    return rn_load_relaxed(&p->tick) - p->timers_tick < SWITCHES * RN_TIMERS_WAKE && rn__p_has_work(p);
}

/* At once: whoever runs before may wake another, who would take its place. */
static struct rn_g *take_next(struct rn_p *p)
{
    struct rn_g *g = rn_load_relaxed(&p->next); /* relaxed, both: the owner's */
    if (g)
        rn_store_relaxed(&p->next, NULL);
    return g;
}

static struct rn_g *after_timers(struct rn_m *m, struct rn_p *timers)
{
    /* relaxed: a hint; the lock decides. */
    rn_time next = rn_load_relaxed(&timers->timers_next);
    if (next == INT64_MAX || (__builtin_expect(m->p->timers_woke_many, 0) && woken_wait(m->p)))
        return NULL;
    rn_time now = rn__choose_now();
    if (next > now || !rn__timers_run(m, timers, now))
        return NULL;
    return take_next(m->p);
}

/* One look at everybody, from a random start. */
static struct rn_g *steal_once(struct rn_m *m)
{
    struct rn_p *p = m->p;
    uint32_t n = rn__procs_made(), start = (uint32_t)(rn__choose_random(m) % n);
    for (uint32_t i = 0; i < n; i++) {
        struct rn_p *victim = &rn__procs[(start + i) % n];
        if (victim == p)
            continue;
        if (rn_runq_steal_from(&victim->runq, &p->runq))
            return rn_runq_pop(&p->runq, 1);
        struct rn_g *g = rn_deque_steal(&victim->fresh);
        if (g || (g = after_timers(m, victim)) != NULL)
            return g;
    }
    struct rn_g *g = rn__pop_global(p);
    return g ? g : rn__spilled_share(p);
}

static bool may_spin(struct rn_m *m)
{
    struct rn_sched *s = &rn__sched;
    if (m->spinning)
        return true;
    if (rn__procs_used() == 1)
        return false;
    /* relaxed: a limit on waste, not on meaning: at most half of the busy processors' number spins. */
    if (2 * rn_load_relaxed(&s->spinning_n) >= rn__procs_used() - rn_load_relaxed(&s->idle_p_n))
        return false;
    m->spinning = true;
    rn_add_acq_rel(&s->spinning_n, 1); /* acq_rel: see idle.c */
    return true;
}

/* Where work comes from other processors a little later, spinning spares a sleep and a wake-up; where it
 * comes from descriptors or timers it is a waste.  So a worker spins for twice as long when that has helped,
 * up to SPIN_ROUNDS, and for half as long each time when it has not; and now and then it tries anew. */
static uint32_t spin_rounds(struct rn_m *m)
{
    enum { TRY_EVERY = 64, TRY = 8 };
    if (!m->spin_rounds)
        return SPIN_ROUNDS;
    return m->spin_rounds == 1 && m->loop_tick % TRY_EVERY == 0 ? TRY : m->spin_rounds;
}

/* What p ran last was brief and woken by timers: so will be what comes next, and who sleeps until then finds more of it due.
 * (But who was told, or has seen before sleeping, that somebody waits looks for him: else it tried to sleep again at once, with a
 * fence of all processors each time, for as long as another one had somebody in its ring.  1,000 that sleep for 1 ms again and again
 * on two processors: 7,000 fences a second, now 2,400.) */
static bool waits_for_timers(struct rn_p *p)
{
    /* relaxed, both: a guess; only the owner writes tick. */
    return rn_load_relaxed(&p->brief) && rn_load_relaxed(&p->tick) - p->timers_tick <= 2 * RN_TIMERS_WAKE;
}

static struct rn_g *spin(struct rn_m *m)
{
    uint32_t rounds = spin_rounds(m);
    for (uint32_t round = 0; round < rounds && !rn_load_relaxed(&rn__sched.stopping); round++) {
        for (int i = 0; i < SPIN_PAUSES && round; i++)
            rn_cpu_pause();
        struct rn_g *g = steal_once(m);
        if (!g)
            g = rn__steal_next(m, false);
        if (g && round)
            m->spin_rounds = rounds * 2 < SPIN_ROUNDS ? rounds * 2 : SPIN_ROUNDS;
        if (g)
            return g;
    }
    m->spin_rounds = (rounds + 1) / 2;
    return rn__steal_next(m, true);
}

/* Descriptors, while this worker always finds work of its own; the first whom they wake is next. */
static void look_at_descriptors(struct rn_m *m, rn_time now)
{
    struct rn_p *p = m->p;
    uint32_t times = p->polled_n == 0 ? 1 : p->polled_n < POLL_MOST ? p->polled_n : POLL_MOST;
    if (now - rn_load_relaxed(&rn__sched.polled_at) >= times * POLL_EVERY * RN_MICROSECOND) /* relaxed: a hint */
        p->polled_n = rn__poll_now(m, false);
}

/* What else waits elsewhere meanwhile: the global queue, and the timers of a processor that rn_set_procs has taken out of
 * use, which has no worker to see to them. */
static struct rn_g *elsewhere(struct rn_m *m)
{
    struct rn_g *g = rn__exchange_global(m->p);
    for (uint32_t i = 0; !g && i < rn__procs_made(); i++)
        if (&rn__procs[i] != m->p)
            g = after_timers(m, &rn__procs[i]);
    return g;
}

/* Whom they have woken goes before g where that comes from elsewhere.  Where a timer has woken it both are due at once: the
 * next look finds the other one in front of all. */
static struct rn_g *woken_first(struct rn_p *p, struct rn_g *g, const struct rn_g *before)
{
    struct rn_g *woken = rn_load_relaxed(&p->next); /* relaxed, both: the owner's */
    if (!woken || woken == before)
        return g;
    if (!p->timer_was_first) {
        rn_store_relaxed(&p->next, g);
        if (g)
            rn__wake_for_next(p, true);
        return woken;
    }
    rn_store_relaxed(&p->next, NULL);
    rn__push_front(woken, woken, 1);
    rn__wake_idle();
    return g;
}

/* Whom timers or descriptors have woken is the next to run, but not at each look while others wait: of two that write to each
 * other each look finds one, and they would be alone for ever.  After one that went first another goes before, and the next look
 * finds the woken one in front of all (in p->next another, whom that one wakes, would take its place). */
static struct rn_g *by_turns(struct rn_m *m, struct rn_g *woken)
{
    struct rn_p *p = m->p;
    struct rn_g *other = p->woken_was_first ? rn__choose_next(p) : NULL;
    p->woken_was_first = !other;
    if (!other)
        return woken;
    rn__push_front(woken, woken, 1);
    if (!m->alone)
        rn__wake_idle();
    return other;
}

/* It is time to look at all of it.  Whom a timer has woken goes first, and makes way for others at the next such look. */
static struct rn_g *look_around(struct rn_m *m)
{
    struct rn_p *p = m->p;
    struct rn_g *g = NULL, *other = NULL;
    rn_time now = rn__choose_now();
    bool timers_first = !p->timer_was_first;
    p->waits += RN_NEXT_WAITS / WAITS_LOOKS;
    rn__pace_elsewhere(p, now);
    rn__crowd_look(m, now);
    if (!timers_first)
        g = other = elsewhere(m);
    p->timer_was_first = false;
    if (!g) {
        g = after_timers(m, p);
        p->timer_was_first = g != NULL;
    }
    if (!g && timers_first)
        g = other = elsewhere(m);
    const struct rn_g *next = rn_load_relaxed(&p->next); /* relaxed: the owner's */
    look_at_descriptors(m, now);                         /* last: the sooner will those be seen who come meanwhile */
    g = woken_first(p, g, next);
    if (g && g != other)
        return by_turns(m, g);
    p->woken_was_first = false;
    return g;
}

/* The next goroutine for m, which has a processor; NULL: look again (it may have slept). */
static struct rn_g *find(struct rn_m *m)
{
    struct rn_p *p = m->p;
    struct rn_g *g;
    if (rn__exploring())
        return rn__explore_find(m);
    m->loop_tick++;
    if ((g = rn__pace_elsewhere_is_due(p) ? look_around(m) : after_timers(m, p)) != NULL)
        return g;
    if ((g = rn__choose_next(p)) != NULL || (g = rn__pop_global(p)) != NULL || (g = rn__spilled_share(p)) != NULL)
        return g;
    p->through = true;
    if (rn__poll_now(m, true) != 0 && (g = rn__choose_next(p)) != NULL)
        return g;
    if ((m->spinning || !waits_for_timers(p)) && may_spin(m) && (g = spin(m)) != NULL)
        return g;
    rn__idle(m);
    return NULL;
}

static void put_dead_away(struct rn_m *m)
{
    struct rn_g *g = m->dead;
    if (!g)
        return;
    m->dead = NULL;
    rn__fiber_destroy(g);
    rn__g_put(m->p, g);
}

/* This worker is for its pinned goroutine alone: gives its processor away until that can run. */
static struct rn_g *wait_pinned(struct rn_m *m)
{
    struct rn_g *hint = m->hint;
    m->hint = NULL;
    if (m->p) {
        if (hint)
            rn__push_next(m->p, hint);
        rn__hand_off(rn__detach(m));
    }
    rn__sleep_pinned(m);
    return m->p ? m->locked : NULL;
}

/* g is pinned to another worker: that one gets our processor, and we wait for another. */
static void pass_to_pinned(struct rn_m *m, struct rn_g *g)
{
    rn__give_pinned(g->pinned, rn__detach(m));
}

static void stop_spinning(struct rn_m *m)
{
    if (!m->spinning)
        return;
    m->spinning = false;
    /* acq_rel: see idle.c.  The last one wakes another if there is more work.  What is being queued at this
     * very moment it may miss, as there is no heavy fence; its queue's owner runs it, or the monitor sees it. */
    if (rn_sub_acq_rel(&rn__sched.spinning_n, 1) == 1 && rn__work_somewhere(m->alone ? m->p : NULL))
        rn__wake_idle();
}

static void resume(struct rn_m *m, struct rn_g *g)
{
    stop_spinning(m);
    if (g->pinned && g->pinned != m) {
        pass_to_pinned(m, g);
        return;
    }
    /* acquire: pairs with the release in rn__arch_switch.  Its thread is a few instructions from
     * done, unless the kernel has put that thread away. */
    for (unsigned spins = 0; rn_load_acquire(&g->on_cpu) != 0; spins++)
        if (spins < 1000)
            rn_cpu_pause();
        else
            rn_os_yield();
    rn__switch_to(m, &m->g0, g);
}

void rn__loop(struct rn_m *m)
{
    while (!rn_load_relaxed(&rn__sched.stopping)) { /* relaxed: stop_workers wakes every sleeper */
        put_dead_away(m);
        if (m->p && m->p->id >= rn__procs_used())
            rn__retire_p(m);
        struct rn_g *g = NULL;
        if (m->locked) {
            g = wait_pinned(m);
        } else if (!m->p) {
            rn__idle_without(m);
        } else if ((g = m->hint) != NULL) {
            m->hint = NULL;
        } else {
            g = find(m);
        }
        if (g)
            resume(m, g);
    }
    put_dead_away(m);
}
