/* Crowding: a processor that spends its time at locks which others hold stands aside for a while.
 *
 * Two processors whose goroutines do little but meet at the same channels are slower than one: the lock and what it guards
 * go from cache to cache with nearly every operation, which on one processor costs nothing.  How much slower depends on
 * how far the two are from each other, and that only the hypervisor knows: ten workers that double numbers took 32 ns a job on
 * one processor, and on two of the same machine 44, 95 or 190 at different minutes; a line's way to the other and back took
 * 83 ns or 400.  Go's processors meet the same
 * by falling asleep at a contended lock: they then mostly run one at a time.  (Restricting how many compete for what is saturated:
 * Dice, "Malthusian Locks", EuroSys 2017; Dice and Kogan, "Avoiding scalability collapse by restricting concurrency",
 * Euro-Par 2019.)
 *
 * Each worker counts what it has waited at the runtime's locks (os/lock.h), and now and then (its loop's look elsewhere)
 * compares that with the time that has passed.  When it is more than a quarter, it gives all that it has to run to the
 * others and naps, for STAY, and twice as long each time when it loses as much again at once, up to MOST.  So that as few stand aside as are too many, one begins at a time, APART from
 * the one before, and those who are left measure again.  One processor is always left; and when nobody was resumed on any
 * during a nap (they compute, or are idle) whoever is aside comes back at once.
 *
 * A worker that stands aside keeps its processor and is `inside`: it is not idle, nobody wakes it, and there is no
 * protocol with those who queue work; what comes meanwhile is for the others, as if it computed.  Its timers are looked at by
 * the others as well (loop.c).
 *
 * Rejected: longer pauses at a held lock (no gain: most locks are found free, and are far away all the same); to measure each
 * mode's speed and choose the faster (needs a count of what the program gets done, which only the program has). */
#include "sched/choice.h"

enum {
    WINDOW = 10 * RN_MICROSECOND, /* less says nothing */
    APART = 50 * RN_MICROSECOND,
    NAP = 100 * RN_MICROSECOND,
    STAY = 10 * NAP,
    MOST = 8 * STAY,
    PART = 4, /* of its time, lost to waiting: too much */
};

/* What a pause takes; 0: not measured yet. */
static rn_atomic(int64_t) picoseconds;

void rn__crowd_begin(void)
{
    enum { TRIES = 4, PAUSES = 32 };
    int64_t least = INT64_MAX;
    for (int try = 0; try < TRIES; try++) {
        rn_time from = rn_os_now();
        for (int i = 0; i < PAUSES; i++)
            rn_cpu_pause();
        int64_t took = (rn_os_now() - from) * 1000 / PAUSES;
        if (took < least)
            least = took;
    }
    rn_store_relaxed(&picoseconds, least); /* relaxed: before the first worker starts */
}

/* Has m lost too much of the time since it was asked last? */
static bool loses(struct rn_m *m, rn_time now)
{
    rn_duration window = now - m->crowd_since;
    if (window < WINDOW)
        return false;
    uint64_t pauses = rn__lock_pauses - m->crowd_pauses;
    m->crowd_since = now;
    m->crowd_pauses = rn__lock_pauses;
    /* relaxed: as in rn__crowd_begin. */
    bool much = (int64_t)pauses * rn_load_relaxed(&picoseconds) / 1000 > window / PART;
    if (!much)
        m->crowd_stay = 0;
    return much;
}

/* True for one worker at a time, and not for the last that is busy. */
static bool may_leave(rn_time now)
{
    struct rn_sched *s = &rn__sched;
    /* relaxed, all: how many is a matter of speed alone; whoever is aside comes back by itself. */
    rn_time last = rn_load_relaxed(&s->aside_since);
    uint32_t gone = rn_load_relaxed(&s->aside_n) + rn_load_relaxed(&s->idle_p_n);
    return gone + 1 < rn__procs_used() && now - last >= APART && rn_cas_relaxed(&s->aside_since, &last, now);
}

static void stand_aside(struct rn_m *m, rn_time now)
{
    struct rn_sched *s = &rn__sched;
    uint64_t resumed, before = rn__resumed();
    m->crowd_stay = m->crowd_stay == 0 ? STAY : m->crowd_stay < MOST ? m->crowd_stay * 2 : MOST;
    rn_time until = now + m->crowd_stay;
    rn_add_relaxed(&s->aside_n, 1); /* relaxed, here and below: as in may_leave */
    rn__give_all(m->p);
    rn__wake_idle();
    do {
        rn_os_nap(NAP);
        resumed = rn__resumed() - before;
        before += resumed;
    } while (resumed && rn__choose_now() < until && !rn_load_relaxed(&s->stopping));
    rn_sub_relaxed(&s->aside_n, 1);
    m->crowd_since = rn__choose_now();
    m->crowd_pauses = rn__lock_pauses;
}

bool rn__crowd_left(struct rn_m *m, rn_time now)
{
    if (__builtin_expect(!loses(m, now), 1) || m->spinning || !may_leave(now))
        return false;
    stand_aside(m, now);
    return true;
}
