/* Pace: how fast a processor gets on with whom descriptors and timers wake, when it is left alone with them, and how often it
 * looks for them.
 *
 * A server's goroutines are mostly woken by descriptors, compute for some microseconds, and wait again.  To wake
 * another worker for two of them takes longer than both, and then they run with their records, stacks and sockets in
 * another processor's cache (docs/design/scale.md: some 30 lines for each).  So a processor is `brief` when between
 * its last CALM looks at descriptors or timers all that it resumed was brief: it looks often, by itself.  Then
 * whom it finds ready it keeps, and wakes nobody, if by its pace they will all have run within BURST; but only if
 * it has been through with everything within ALONE: who is busier is helped.
 *
 * One slow look, and it is not brief any more; unless the kernel has meanwhile let another thread run in its place,
 * which says nothing about its goroutines.
 *
 * What always holds: no wake-up depends on a guess.  Whom a brief processor keeps is in its `next` and its ring, where
 * everybody sees it: thieves, the last look of who falls asleep (idle.c), and the monitor, which looks every
 * millisecond or more often while a processor is idle.  The monitor wakes a worker when something waits on a processor
 * that has resumed nobody since its last look; when nobody has looked at descriptors for a millisecond it says that no
 * processor is brief, and has a worker sleep in the poller.
 *
 * With an echo of 1 KiB over 64 connections on two processors, which the load shares, a second worker was woken
 * 12,000 times a second, by one message each time, and the two did 136,600 messages a second; left
 * alone one does 170,900, and 209,400 instead of 170,100 for each second of processor time (medians of four).
 *
 * With a million that each sleep for up to a second, a second of waking took 1.5 s of processor time on two processors, and
 * takes 1.25; 1,000 that sleep for 1 ms again and again take 0.25 µs each time instead of 0.55 to 0.73, and are 50 to 60 µs late instead
 * of 45; of 16 that wake together and compute, beside 200 that don't, the last is done when it was before.
 *
 * A processor that has always something to run comes to descriptors and timers by looking up from it (loop.c, look_around):
 * after 64 goroutines, or before that, so that it takes AROUND.  Who is woken runs next, so that is how late it can be.  With 10,000 goroutines
 * that compute for 0.5, 2 and 10 µs and yield, and looks after 64 always, a socket's goroutine was late by 114 to 149 µs (p99 of
 * 500), 275 to 307 and a round or more, and is by 55 to 85, 67 to 89 and 58 to 75.  What a look has to do as well is a share of
 * the global queue, and that takes long where there are so many that their records are in no cache: 124 at each eighth look took 7 to 13 µs,
 * beside which the looks in between had become half as frequent.  So a share is what two looks' time will need, and
 * looks become less frequent only by the pace of some of them together: without what the kernel and others took, a socket's goroutine
 * was late by 42 µs and is by 20 (p99 of 3,000).  A server that comes through with its messages within a
 * millisecond looks often enough: then, and where nobody waits for descriptors or timers, it is 64.
 *
 * Rejected: a wake-up for each burst of more than some messages (what they take is what counts); to forgive one slow
 * look in 64 (who computes for 5 ms in every 20 stays brief, and each time the others wait for the monitor); to keep
 * what is ready from thieves as well (who is awake may help); that who falls idle beside a brief processor does not become
 * the poller (the echo did 3 % less in each of three pairs).
 *
 * Model test: tests/model/idle.c.
 *
 * The owner's: all but `brief`, which the monitor clears as well. */
#include "sched/choice.h"

enum {
    SHORT = 20 * RN_MICROSECOND,  /* for each goroutine resumed */
    WHOLE = RN_MILLISECOND,       /* between two looks */
    BURST = 400 * RN_MICROSECOND, /* what waits for one processor; with another one's help it might be half of that */
    ALONE = 10 * RN_MILLISECOND,
    CALM = 256,                   /* looks */
    AROUND = 20 * RN_MICROSECOND, /* from one look elsewhere to the next, at most, for who is busy: */
    BUSY = RN_MILLISECOND,        /* has had something to run all this time */
};

static void note_look(struct rn_p *p, rn_time now)
{
    /* relaxed, all: only the owner writes them; to others they are hints. */
    rn_store_relaxed(&p->looked_tick, rn_load_relaxed(&p->tick));
    rn_store_relaxed(&p->looked_at, now);
}

void rn__pace_begin(struct rn_p *p, rn_time now)
{
    p->alone_since = p->elsewhere_at = p->through_till = now;
    note_look(p, now);
    p->look = RN_PACE_LOOK - 1;
    /* At once: who waits there may be why it was given away. */
    p->elsewhere_tick = rn_load_relaxed(&p->tick) - RN_PACE_LOOK;
}

/* Is anybody late when p does not look? */
static bool somebody_may_come(struct rn_p *p)
{
    /* relaxed, both: hints. */
    return rn_load_relaxed(&rn__external_wakers) != 0 || rn_load_relaxed(&p->timers_next) != INT64_MAX;
}

/* n took `took`.  Sooner at once when that is AROUND or more; later only where it would not be by the pace of the last
 * looks together, since what is to be done at one look need not be at the next. */
static uint32_t next_look(struct rn_p *p, rn_duration took, uint32_t n)
{
    uint32_t look = p->look;
    rn_duration each = took / n < AROUND ? took / n : AROUND;
    p->around_pace += (each - p->around_pace) / 8;
    if ((look + 1) * took <= AROUND * n)
        return 2 * (look + 1) * p->around_pace <= AROUND && look < RN_PACE_LOOK - 1 ? 2 * look + 1 : look;
    while (look != 0 && (look + 1) * took > AROUND * n)
        look /= 2;
    return look;
}

void rn__pace_elsewhere(struct rn_p *p, rn_time now)
{
    uint32_t tick = rn_load_relaxed(&p->tick); /* relaxed: as above */
    if (p->through)
        p->through_till = now;
    if (now - p->through_till < BUSY || !somebody_may_come(p))
        p->look = RN_PACE_LOOK - 1;
    else
        p->look = next_look(p, now - p->elsewhere_at, tick - p->elsewhere_tick);
    p->through = false;
    p->elsewhere_at = now;
    p->elsewhere_tick = tick;
}

/* Has m itself been slow, and not the kernel? */
static bool slow_itself(struct rn_m *m)
{
    int64_t preempted = rn_os_thread_preempted();
    bool itself = preempted == m->preempted;
    m->preempted = preempted;
    return itself;
}

static void judge(struct rn_m *m, uint32_t n, rn_duration took)
{
    struct rn_p *p = m->p;
    if (took > WHOLE || took / n > SHORT) {
        if (p->calm != 0 && slow_itself(m))
            p->calm = 0;
    } else {
        p->calm += p->calm < CALM;
        int32_t pace = rn_load_relaxed(&p->pace); /* relaxed, both: as in note_look */
        rn_store_relaxed(&p->pace, pace + ((int32_t)(took / n) - pace) / 8);
    }
    bool brief = p->calm == CALM;
    if (brief != rn_load_relaxed(&p->brief)) /* relaxed, both: a guess */
        rn_store_relaxed(&p->brief, brief);
}

void rn__pace_look(struct rn_m *m, rn_time now, bool through)
{
    struct rn_p *p = m->p;
    /* relaxed, all: as in note_look */
    uint32_t n = rn_load_relaxed(&p->tick) - rn_load_relaxed(&p->looked_tick);
    if (n != 0)
        judge(m, n, now - rn_load_relaxed(&p->looked_at));
    note_look(p, now);
    if (through)
        p->alone_since = now;
}

bool rn__pace_alone(struct rn_p *p, uint32_t n)
{
    /* relaxed, all: a guess, and what only the owner writes */
    if (!rn_load_relaxed(&p->brief))
        return false;
    rn_time looked_at = rn_load_relaxed(&p->looked_at);
    n += rn_runq_length(&p->runq);
    if (n * (rn_duration)rn_load_relaxed(&p->pace) <= BURST && looked_at - p->alone_since < ALONE)
        return true;
    p->alone_since = looked_at;
    return false;
}

/* For more than a millisecond nobody has looked, which is another matter (missed.c). */
bool rn__pace_is_behind(struct rn_p *p, rn_time now)
{
    enum { TIMES = 4 };
    /* relaxed, all: hints */
    uint32_t n = rn_load_relaxed(&p->tick) - rn_load_relaxed(&p->looked_tick);
    rn_duration took = now - rn_load_relaxed(&p->looked_at), pace = rn_load_relaxed(&p->pace);
    return took > 2 * SHORT + (n + 1) * TIMES * pace && took < WHOLE;
}

bool rn__pace_somebody_looks(void)
{
    for (uint32_t i = 0; i < rn__procs_made(); i++) {
        struct rn_p *p = &rn__procs[i];
        if (rn_load_relaxed(&p->brief) && rn_load_relaxed(&p->m)) /* relaxed, both: a guess */
            return true;
    }
    return false;
}

void rn__pace_nobody_looks(void)
{
    for (uint32_t i = 0; i < rn__procs_made(); i++)
        rn_store_relaxed(&rn__procs[i].brief, false); /* relaxed: a guess */
}
