/* Crowding: a processor that spends its time at locks which others hold stands aside for a while.
 *
 * Two processors whose goroutines do little but meet at the same channels are slower than one: the lock and what it guards
 * go from cache to cache with nearly every operation, which on one processor costs nothing.  How much slower depends on
 * how far the two are from each other, and that only the hypervisor knows: ten workers that double numbers took 32 ns a job on
 * one processor, and on two of the same machine 44, 95 or 190 at different minutes; a line's way to the other and back took
 * 83 ns or 400.  Go's processors meet the same by falling asleep at a contended lock: they then mostly run one at a time.
 * (Restricting how many compete for what is saturated: Dice, "Malthusian Locks", EuroSys 2017; Dice and Kogan, "Avoiding
 * scalability collapse by restricting concurrency", Euro-Par 2019.)
 *
 * Each worker counts what it has waited at the runtime's locks (os/lock.h), and now and then (its loop's look elsewhere)
 * compares that with the time that has passed.  When it is more than a quarter, it gives all that it has to run to the
 * others and naps, for STAY.  So that no more stand aside than are too many, one begins at a time, APART from the one
 * before, and those who are left measure again.  One processor is always left.  Model test: tests/model/idle.c.
 *
 * Who has come back is on trial: each of its goroutines comes by the loop, until what it has lost can be told after TRIAL
 * instead of after 64 goroutines, which at a channel with room for 1,024 take three milliseconds.  When that is too
 * much again, whoever leaves now stays twice as long as the one before, up to STAY_MOST; when it is not, the next one begins with
 * STAY.  So trials take a two-thousandth of the time where nothing changes.  (Eight producers and eight consumers of one channel
 * stood aside for 1 to 2 ms mostly, since each of the two workers counted its own losses, and who was left alone had none:
 * 2 % slower on two processors than on one, 15 % with room for 1,024 and sixteen of each.)
 *
 * Where something changes, whoever is aside comes back before its time: when less than five goroutines in a millisecond
 * were resumed on all processors during a nap (they compute, or are idle), or when it is half or twice as many as before.
 *
 * Floods.  One goroutine that starts very many brief ones is put behind each 256 of them (rn__push_fresh), and comes
 * back on whichever processor is free first, as some of those that it has started do.  Then the records, the stacks and
 * what they count down at their end go from cache to cache as well: 60 to 75 ns for each that does nothing but end, where one
 * processor takes 32.  With 60 ns of work in each, two are as fast as one.  Here what the program gets done is known: whom it
 * resumes.  So where floods are nearly all that there is, a worker leaves on trial, for 0.3 ms, and compares the others'
 * pace with what it was; if that is better it stays, for 1 ms, 4, 16 and 64 if it is better again and again, but not when
 * the flood has ended; if it is not better, nobody tries for 1 ms, 4, 16 and 64.
 *
 * A worker that stands aside keeps its processor and is `inside`: it is not idle, nobody wakes it, and there is no
 * protocol with those who queue work; what comes meanwhile is for the others, as if it computed.  Its timers are looked at by
 * the others as well (loop.c).
 *
 * Rejected: longer pauses at a held lock (no gain: most locks are found free, and are far away all the same); to measure each
 * mode's speed and choose the faster (needs a count of what the program gets done, which only the program has); to keep the
 * one that floods where it is (then others take those that it starts, one by one, which is as slow). */
#include "sched/choice.h"

enum {
    WINDOW = 10 * RN_MICROSECOND, /* less says nothing */
    TRIAL = 30 * RN_MICROSECOND,
    APART = 50 * RN_MICROSECOND,
    STAY = RN_MILLISECOND,
    STAY_MOST = 64 * STAY,
    NAP = STAY / 10, /* of the time to stay, to NAP_MOST */
    NAP_MOST = STAY / 2,
    SETTLED = STAY,         /* since somebody left or came back */
    FEW = 5,                /* goroutines resumed in a millisecond */
    PART = 4,               /* of its time, lost to waiting: too much */
    FLOOD = RN_DEQUE_SIZE,  /* goroutines that are started before their starter lets them go first */
    FLOOD_WINDOW = 2 * NAP, /* to measure their pace */
    BRIEF = 500,            /* ns for each of them: two processors may be slower than one */
};

static rn_atomic(int64_t) picoseconds; /* that a pause takes; 0: not measured yet */

void rn__crowd_begin(void)
{
    enum { TRIES = 4, PAUSES = 32 };
    int64_t least = INT64_MAX;
    if (rn_load_relaxed(&picoseconds) != 0) /* relaxed, here and below: no worker runs yet; by an earlier run */
        return;
    for (int try = 0; try < TRIES; try++) {
        rn_time from = rn_os_now();
        for (int i = 0; i < PAUSES; i++)
            rn_cpu_pause();
        int64_t took = (rn_os_now() - from) * 1000 / PAUSES;
        if (took < least)
            least = took;
    }
    rn_store_relaxed(&picoseconds, least);
}

/* What is measured begins now. */
static void measure(struct rn_m *m, rn_time now)
{
    m->crowd_since = now;
    m->crowd_pauses = rn__lock_pauses;
}

/* Has m lost too much of the time since it was asked last? */
static bool loses(struct rn_m *m, rn_time now)
{
    rn_duration window = now - m->crowd_since;
    if (window < (m->crowd_trial ? TRIAL : WINDOW))
        return false;
    uint64_t pauses = rn__lock_pauses - m->crowd_pauses;
    measure(m, now);
    /* relaxed: as in rn__crowd_begin. */
    bool much = (int64_t)pauses * rn_load_relaxed(&picoseconds) / 1000 > window / PART;
    if (m->crowd_trial && !much)
        rn_store_relaxed(&rn__sched.aside_stay, 0); /* relaxed: as in may_leave */
    m->crowd_trial = false;
    return much;
}

/* True for one worker at a time, which counts as aside from now on, and not for the last that is busy. */
static bool may_leave(rn_time now)
{
    struct rn_sched *s = &rn__sched;
    /* relaxed, all: who goes idle looks at what is left to it, and whoever is aside comes back by itself.  Each counts itself
     * before it asks: of several the last sees all others, however long one stood still on its way. */
    rn_time last = rn_load_relaxed(&s->aside_since);
    if (now - last < APART)
        return false;
    uint32_t gone = rn_add_relaxed(&s->aside_n, 1) + rn_load_relaxed(&s->idle_p_n);
    if (gone + 1 < rn__procs_used() && rn_cas_relaxed(&s->aside_since, &last, now))
        return true;
    rn_sub_relaxed(&s->aside_n, 1);
    return false;
}

/* How long who leaves now stays: twice as long as who came back a moment ago, if that one has not gained. */
static rn_duration next_stay(rn_time now)
{
    struct rn_sched *s = &rn__sched;
    /* relaxed, both: as in may_leave */
    rn_duration last = rn_load_relaxed(&s->aside_stay);
    if (last == 0 || now - rn_load_relaxed(&s->aside_back) > SETTLED)
        return STAY;
    return last * 2 < STAY_MOST ? last * 2 : STAY_MOST;
}

/* What who is aside knows of the others. */
struct others {
    uint64_t resumed; /* goroutines, until `at` */
    rn_time at;
    uint64_t pace; /* how many in a millisecond, since it is settled who is aside; 0: not known yet */
};

static bool settled(rn_time now)
{
    struct rn_sched *s = &rn__sched;
    /* relaxed, both: as in may_leave */
    return now - rn_load_relaxed(&s->aside_since) > SETTLED && now - rn_load_relaxed(&s->aside_back) > SETTLED;
}

/* Since it was asked last they have not resumed few, nor half or twice as many as they did. */
static bool go_on_alike(struct others *o, rn_time now)
{
    uint64_t resumed = rn__resumed(), pace = (resumed - o->resumed) * RN_MILLISECOND / (uint64_t)(now - o->at + 1);
    bool alike = pace >= FEW;
    if (!settled(now))
        o->pace = 0;
    else if (o->pace == 0)
        o->pace = pace;
    else
        alike &= pace <= o->pace * 2 && pace >= o->pace / 2;
    o->resumed = resumed;
    o->at = now;
    return alike;
}

static struct rn_flood floods_until(rn_time now)
{
    return (struct rn_flood){now, rn_load_relaxed(&rn__sched.floods), rn__resumed()}; /* relaxed: a count */
}

/* How many goroutines have been resumed since `f`, if nearly all were part of floods, else 0.  f becomes now. */
static uint64_t floods_since(struct rn_flood *f, rn_time now)
{
    struct rn_flood then = *f;
    *f = floods_until(now);
    uint64_t resumed = f->resumed - then.resumed;
    return resumed < (uint64_t)(f->floods - then.floods) * FLOOD * 2 ? resumed : 0;
}

/* The others have all that m had to run. */
static void leave(struct rn_m *m)
{
    rn__give_all(m->p);
    rn__wake_idle();
}

/* True: until then, or the run ends.  False: something has changed before.  floods: nearly all are part of floods. */
static bool stay_until(rn_time until, rn_duration nap, bool floods)
{
    rn_time now = rn__choose_now();
    struct others others = {rn__resumed(), now, 0};
    struct rn_flood before = floods_until(now);
    bool alike = true;
    while (alike && now < until && !rn_load_relaxed(&rn__sched.stopping)) { /* relaxed: it is looked at again */
        rn_os_nap(nap);
        now = rn__choose_now();
        alike = go_on_alike(&others, now) && (!floods || floods_since(&before, now));
    }
    return alike;
}

static void come_back(struct rn_m *m)
{
    rn_time now = rn__choose_now();
    rn_store_relaxed(&rn__sched.aside_back, now); /* relaxed, both: as in may_leave */
    rn_sub_relaxed(&rn__sched.aside_n, 1);
    measure(m, now);
    m->flood.since = INT64_MAX; /* as crowd_since in stand_aside */
}

static void stand_aside(struct rn_m *m, rn_time now)
{
    rn_duration stay = next_stay(now);
    rn_duration nap = stay * NAP / STAY < NAP_MOST ? stay * NAP / STAY : NAP_MOST;
    leave(m);
    bool alike = stay_until(now + stay, nap, false);
    rn_store_relaxed(&rn__sched.aside_stay, alike ? stay : 0); /* relaxed: as in may_leave */
    come_back(m);
    m->crowd_trial = true;
    m->crowd_since = INT64_MAX; /* it begins when the first goroutine has been here: finding one is no loss */
    m->p->look = 0;
}

/* How many goroutines in a millisecond, if they were brief and part of floods; else, or not known yet, 0. */
static uint64_t flood_pace(struct rn_m *m, rn_time now)
{
    if (m->flood.since == INT64_MAX)
        m->flood = floods_until(now);
    rn_duration window = now - m->flood.since;
    if (window < FLOOD_WINDOW)
        return 0;
    uint64_t resumed = floods_since(&m->flood, now);
    return resumed * BRIEF > (uint64_t)window ? resumed * RN_MILLISECOND / (uint64_t)window : 0;
}

/* The pace of those who are left, after what m has left them. */
static uint64_t pace_without(rn_time *now)
{
    rn_os_nap(NAP);
    rn_time from = rn__choose_now();
    uint64_t resumed = rn__resumed();
    rn_os_nap(FLOOD_WINDOW);
    *now = rn__choose_now();
    return (rn__resumed() - resumed) * RN_MILLISECOND / (uint64_t)(*now - from + 1);
}

/* Four times as long as the last time, if that was right. */
static rn_duration longer(rn_duration last)
{
    return last == 0 ? STAY : last * 4 < STAY_MOST ? last * 4 : STAY_MOST;
}

/* Stays away if that makes them faster.  pace: with m. */
static void try_without(struct rn_m *m, uint64_t pace)
{
    struct rn_sched *s = &rn__sched;
    rn_time now;
    leave(m);
    /* relaxed, all: as in may_leave. */
    rn_duration alone = rn_load_relaxed(&s->flood_alone), together = rn_load_relaxed(&s->flood_together);
    if (pace_without(&now) > pace) {
        together = 0;
        alone = longer(alone);
        if (!stay_until(now + alone, NAP_MOST, true))
            alone = 0;
    } else {
        alone = 0;
        together = longer(together);
        rn_store_relaxed(&s->flood_next, now + together);
    }
    rn_store_relaxed(&s->flood_alone, alone);
    rn_store_relaxed(&s->flood_together, together);
    come_back(m);
}

static void look_at_floods(struct rn_m *m, rn_time now)
{
    uint64_t pace = flood_pace(m, now);
    /* relaxed: as in may_leave. */
    if (__builtin_expect(pace != 0, 0) && now >= rn_load_relaxed(&rn__sched.flood_next) && !m->spinning &&
        may_leave(now))
        try_without(m, pace);
}

void rn__crowd_look(struct rn_m *m, rn_time now)
{
    if (__builtin_expect(m->crowd_trial, 0)) {
        m->p->look = 0; /* until the trial is over */
        if (m->crowd_since == INT64_MAX)
            measure(m, now);
    }
    if (__builtin_expect(loses(m, now), 0) && !m->spinning && may_leave(now))
        stand_aside(m, now);
    else
        look_at_floods(m, now);
}
