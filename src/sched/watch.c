/* Hand-over: who sees to a goroutine in `next` when its waker goes on computing.
 *
 * Whoever wakes a goroutine mostly waits next.  Then the woken one runs at once on the same processor, with what it
 * was sent in the cache, and another processor could only be slower.  When the waker computes instead, the woken one
 * is to run elsewhere soon.  Only time tells which of the two it is:
 *
 *  - A thief takes a goroutine out of `next` only when it has seen it there for STUCK, while its processor resumed
 *    nobody; and it looks rarely, since each look costs the owner of that cache line a miss.
 *  - One idle worker, sched.watcher, does not sleep but naps, and looks after each nap.  While there is one, a wake-up
 *    that only fills an empty `next` wakes no worker: that costs a system call in one of the two who hand over and an
 *    interrupt to tell, and there is nothing for that worker to do.  (Two that do nothing but wake each other: 60 ns
 *    for a round trip so, 190 when each found the other worker asleep again.)
 *  - So it is with one that yields where only the one that was just woken has its turn before it: no worker is woken to take it, and
 *    the watcher sees to it when its processor resumes nobody.  (A loop that receives or yields, 200,000 values through a
 *    channel with room for one, a loaded machine: 0.3 to 1.5 s of processor time with up to 100,000 sleeps and
 *    wake-ups, 0.03 to 0.08 without.)
 *  - The watcher sleeps for good when nobody was resumed during NAPS naps, and after a nap at whose end every processor is
 *    idle: then nobody can compute with somebody behind him.  Like a spinning worker that stops, it says so first and looks
 *    once more after a heavy fence (idle.c).  (A ticker of 1 ms and one receiver, two processors, processor time for 2 s:
 *    0.52 to 0.59 s with all naps in each pause, 0.26 to 0.30 so; three round trips and 30 µs of work in each tick 0.61 to 0.71
 *    and 0.31 to 0.37; a server under load, and programs that are never idle: no difference.)
 *  - Where something was stolen, it is likely that the next wakers compute as well: AT_ONCE of them wake a worker.  Not
 *    where whoever was stolen only waits again: it was woken by an unlock, and the waker has locked the mutex anew
 *    (sync/mutex.c).  16 goroutines on two processors that do nothing but hold one mutex for 1.4 µs at a time woke a
 *    worker 800 times in 100 ms, each time in vain, at some 25 µs of the holder's time (an interrupt sent from a virtual
 *    machine): 120 ms for what takes 66 on one processor, and 80 now; for 7 µs 130, and 78; a rwmutex's writers as well.
 *    Rejected: longer naps after a theft in vain (70 there, but 5 to 15 % slower where they compute as long without the
 *    mutex).
 *
 * What a processor has made its own in its ring (runq.h) waits for it alone as well, and is seen to in the same way; all of
 * it is taken at once.
 *
 * Who watches changes under sched.lock; what it has seen (rn_p, watched_*) is its own. */
#include "sched/choice.h"

#ifndef RN_WATCH_STUCK
#define RN_WATCH_STUCK 5
#define RN_WATCH_NAPS 4u
#endif

enum {
    STUCK = RN_WATCH_STUCK * RN_MICROSECOND,
    LOOK = STUCK / 5,
    NAPS = RN_WATCH_NAPS, /* without anything seen */
    AT_ONCE = 16,         /* wake-ups */
};

/* ---- the thief ----------------------------------------------------------------------------------- */

static bool still_there(const struct rn_seen *seen)
{
    /* relaxed: hints; what is taken is taken under own.h. */
    return seen->p && seen->g == rn__waits_here(seen->p) && seen->tick == rn_load_relaxed(&seen->p->tick);
}

/* The next processor, after the one that was looked at last, that has somebody. */
static void look_for_another(struct rn_m *m)
{
    uint32_t n = rn__procs_made(), from = m->seen.p ? m->seen.p->id : 0;
    m->seen.p = NULL;
    for (uint32_t i = 1; i <= n; i++) {
        struct rn_p *p = &rn__procs[(from + i) % n];
        struct rn_g *g = p != m->p ? rn__waits_here(p) : NULL; /* relaxed: as above */
        if (!g)
            continue;
        m->seen = (struct rn_seen){p, g, rn_load_relaxed(&p->tick), rn__choose_now()};
        return;
    }
}

static bool for_long(const struct rn_seen *seen)
{
    return rn__choose_now() - seen->since >= STUCK;
}

/* Waits until it is clear which of the two it is with the one that m has seen. */
static bool turns_out_stuck(struct rn_m *m)
{
    while (still_there(&m->seen)) {
        if (for_long(&m->seen))
            return true;
        for (rn_time t = rn__choose_now(); rn__choose_now() - t < LOOK;)
            rn_cpu_pause();
    }
    m->seen.p = NULL;
    return false;
}

/* Who waits there, with victim borrowed; what else is its ring's own goes to p's. */
static struct rn_g *take_waiting(struct rn_p *victim, struct rn_p *p)
{
    struct rn_g *g = rn_load_relaxed(&victim->next); /* relaxed, both: published by own.h */
    if (!g)
        return rn_runq_take_mine(&victim->runq, &p->runq);
    rn_store_relaxed(&victim->next, NULL);
    return g;
}

static struct rn_g *take(struct rn_m *m)
{
    const struct rn_seen *seen = &m->seen;
    struct rn_p *victim = seen->p;
    struct rn_m *owner = rn__borrow(victim);
    struct rn_g *g = NULL;
    if (!owner)
        return NULL;
    if (still_there(seen)) {
        g = take_waiting(victim, m->p);
        rn_store_relaxed(&victim->wakes_at_once, AT_ONCE); /* relaxed: a guess */
    }
    rn_own_give_up(&owner->own);
    return g;
}

struct rn_g *rn__steal_next(struct rn_m *m, bool wait)
{
    if (!still_there(&m->seen))
        look_for_another(m);
    return (wait ? turns_out_stuck(m) : m->seen.p && for_long(&m->seen)) ? take(m) : NULL;
}

void rn__woken_in_vain(void)
{
    struct rn_m *m = rn__m();
    struct rn_p *p = m ? m->seen.p : NULL;
    if (p)
        rn_store_relaxed(&p->wakes_at_once, 0); /* relaxed: a guess */
}

/* ---- the watcher --------------------------------------------------------------------------------- */

void rn__watch_begin_locked(struct rn_m *m)
{
    rn_lock_assert_held(&rn__sched.lock);
    struct rn_sched *s = &rn__sched;
    /* relaxed, both: under the lock; idle.c's heavy fence follows. */
    if (rn_load_relaxed(&s->watcher) || rn__all_rest())
        return;
    rn_store_relaxed(&s->watcher, m);
    m->naps = NAPS;
}

void rn__watch_end_locked(struct rn_m *m)
{
    rn_lock_assert_held(&rn__sched.lock);
    m->naps = 0;
    if (rn_load_relaxed(&rn__sched.watcher) == m)
        rn_store_relaxed(&rn__sched.watcher, NULL); /* relaxed, both: as above */
}

/* Looks at all processors: has nobody been resumed since the last look, and is nobody about to be?  Who was in the
 * same `next` then is noted; and *queued is whether a processor that has resumed nobody has somebody in its ring: who
 * yielded there to one that computes, and woke no worker. */
static bool quiet(struct rn_m *m, bool *queued)
{
    bool quiet = true, stuck = false;
    for (uint32_t i = 0; i < rn__procs_made(); i++) {
        struct rn_p *p = &rn__procs[i];
        uint32_t tick = rn_load_relaxed(&p->tick); /* relaxed, both: hints */
        struct rn_g *waits = rn__waits_here(p);
        if (waits && waits == p->watched && tick == p->watched_tick)
            m->seen = (struct rn_seen){.p = p, .g = waits, .tick = tick};
        if (tick == p->watched_tick && rn_runq_length(&p->runq) != 0) {
            rn_store_relaxed(&p->wakes_at_once, AT_ONCE); /* relaxed: a guess */
            stuck = true;
        }
        quiet &= !waits && tick == p->watched_tick;
        p->watched_tick = tick;
        p->watched = waits;
    }
    *queued = stuck;
    return quiet;
}

bool rn__watch_look(struct rn_m *m)
{
    bool queued;
    m->naps = quiet(m, &queued) ? m->naps - 1 : NAPS;
    if (queued)
        return true;
    if (!still_there(&m->seen))
        look_for_another(m);
    return turns_out_stuck(m);
}
