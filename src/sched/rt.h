/* The scheduler's own structures; only src/sched (and src/debug, which reads) includes this.
 *
 * Ownership:
 *  - A processor (P) belongs to the worker (M) in p->m, and is touched only inside (own.h), but for
 *    the fields marked "any".  A P without a worker is idle (in sched.idle_p, under sched.lock) or in the
 *    hands of the one who just took it.
 *  - A worker's loop runs on its thread's own stack, as the pseudo goroutine g0, always inside.
 *  - A plain thread that calls in has a struct rn_m of its own (external), with no processor.
 *
 * Idle workers sleep on m->wake; one of them, sched.poller, sleeps in the poller instead, until the
 * first deadline of all timers.  sched.lock guards the idle lists and the global queue.
 */
#ifndef RN_SCHED_RT_H
#define RN_SCHED_RT_H

#include "arch/arch.h"
#include "base/wheel.h"
#include "os/bound.h"
#include "sched/own.h"
#include "sched/deque.h"
#include "sched/gate.h"
#include "sched/runq.h"
#include "sched/sched.h"

enum { RN_PROCS_MAX = 256, RN_WORKERS_MAX = 10000, RN_STACK_DEFAULT = 64 << 10, RN_MAIN_STACK = 8 << 20 };
enum { RN_STACK_LEAST = 16 << 10, RN_STACK_LARGEST = 1 << 30 };
enum { RN_TIMERS_WAKE = 64 }; /* timers.c */

struct rn_p {
    uint32_t id;
    uint32_t streak;            /* goroutines taken from `next` in a row */
    rn_atomic(struct rn_m *) m; /* any reads; written by who has it in its hands: rn__attach, rn__detach */
    rn_atomic(uint32_t) tick;   /* any reads; goroutines resumed */
    uint32_t look; /* pace.c: when tick has none of these bits the loop is next, which may look around; 2^n - 1 */
    rn_atomic(struct rn_g *) next; /* the goroutine just woken; any reads, only the owner writes */
    struct rn_runq runq;           /* any: as runq.h says */
    uint32_t share_end;            /* the ring's tail after the last share of the global queue */
    struct rn_deque fresh;         /* goroutines that have not run yet; any: as deque.h says */
    rn_atomic(uint32_t) old_due;   /* how many of the oldest shall have their turn now: the monitor says so */
    uint32_t due_tick;             /* when the last of them had */
    bool next_is_fresh;            /* the owner's, as the following */
    bool has_spilled;              /* and not yet found that nobody is left there */
    bool yields;                   /* the one that ran last: goroutines that have not run come first, for once */
    bool fetches;                  /* some in the ring, before fetch_end, are still to be fetched (rn__fetch_later) */
    uint32_t fetch_end;            /* the ring's tail then */
    uint32_t starts_tick;          /* when its goroutine last started others, */
    uint32_t starts_in_order;      /* and how many of those it may start in that turn go in their order (queue.c) */
    uint32_t waits;                /* turns of runq, and long streaks of next, since one of fresh */
    rn_atomic(uint32_t) wakes_at_once; /* a guess: goroutines put into `next` that others shall be told of; watch.c */

    /* pace.c */
    rn_atomic(bool) brief; /* any reads: what it resumes computes for some microseconds only */
    uint32_t calm;
    rn_atomic(uint32_t) looked_tick; /* any reads, as the following */
    rn_atomic(int32_t) pace;         /* ns for each goroutine, lately */
    rn_atomic(int64_t) looked_at;
    rn_time alone_since;
    uint32_t elsewhere_tick; /* when it last looked elsewhere (loop.c) */
    rn_time elsewhere_at;
    rn_duration around_pace; /* for each goroutine from one such look to the next, lately */
    uint32_t polled_n;       /* how many descriptors woke at the last such look at them */
    bool timer_was_first;    /* then, and whether any whom it found woken was (loop.c) */
    bool woken_was_first;
    bool through;         /* it had nothing to run since then */
    rn_time through_till; /* the first such look after which it always had */

    struct rn_g *free; /* goroutine records with stacks */
    uint32_t free_n;
    uint64_t id_next, id_end; /* goroutine ids to hand out */
    rn_atomic(int64_t) live;  /* any reads, only the owner writes: started here minus ended here */

    rn_lock timers_lock; /* guards wheel */
    struct rn_wheel wheel;
    rn_atomic(int64_t) timers_next; /* any: a moment not after the first deadline */
    uint32_t timers_tick;           /* when its worker last let timers fire, */
    bool timers_woke_many;          /* and whether these have woken all that may be woken at one look */
    struct rn_p *idle_link;

    /* the monitor's notes */
    uint32_t seen_tick;
    rn_time seen_at;
    int64_t seen_cpu;
    uint32_t seen_oldest, seen_fresh, old_quota;
    rn_time seen_oldest_at;

    uint32_t missed_tick; /* missed.c */
    rn_time missed_at;
    int64_t missed_cpu;

    /* the watcher's notes */
    uint32_t watched_tick;
    struct rn_g *watched;
} __attribute__((aligned(128)));

/* A goroutine that a thief has seen waiting for p alone (rn__waits_here). */
struct rn_seen {
    struct rn_p *p; /* NULL: none */
    struct rn_g *g;
    uint32_t tick; /* p's then */
    rn_time since;
};

/* crowd.c: a moment, and what was counted until then. */
struct rn_flood {
    rn_time since;
    uint32_t floods;
    uint64_t resumed;
};

struct rn_m {
    struct rn_g g0;                   /* the loop's own context; or an external thread's goroutine */
    struct rn_g *g;                   /* what runs here now; &g0 in the loop; up to here as struct rn_m_head */
    struct rn_p *p;                   /* inside only, or by the taker */
    struct rn_exceptions *exceptions; /* exceptions.h; NULL: no C++; its own thread's */
    struct rn_own own;
    struct rn_bound bound; /* of the clock; its own thread's */
    uint64_t random[2];
    struct rn_tally *tally;   /* tally.h; NULL until it counts */
    uint32_t solo;            /* its name, solo.h; 0: it has none */
    rn_atomic(uint32_t) wake; /* futex: 1 = go on; 2, of a plain thread: look at the timers again */
    bool external, spinning, polling, sleeps_pinned;
    struct rn_p *given;  /* under sched.lock: the processor to go on with */
    struct rn_g *locked; /* rn_pin: the only goroutine that runs here */
    struct rn_g *dead;   /* it has just ended here; the loop puts its record away */
    struct rn_g *hint;   /* the loop's next goroutine, chosen by park */
    uint32_t loop_tick;
    rn_time crowd_since;   /* crowd.c: when it was looked last how long this worker has waited at locks, */
    uint64_t crowd_pauses; /* and how long that was; */
    bool crowd_trial;      /* it has just come back, and is on trial */
    struct rn_flood flood; /* crowd.c: its last look at floods */
    uint8_t spin_luck;     /* park.c, rn__spin_rounds: above 0 where a short wait was worth it of late; */
    uint8_t spins_spared;  /* how often none was tried */
    struct rn_seen seen;
    bool alone;                  /* pace.c: whom the poller woke last is its own affair */
    int64_t preempted;           /* pace.c: rn_os_thread_preempted at its last slow look */
    uint32_t naps;               /* watch.c: that may pass before it sleeps; 0: it does not watch */
    uint32_t spin_rounds;        /* how long to look for work before sleeping; see loop.c */
    struct rn_ready_list events; /* whom the poller's last answer wakes */
    struct rn_m *idle_link;
    struct rn_m *all_link;
    pthread_t thread;
    rn_atomic(int) tid; /* any reads, for reports and guesses; 0: its thread has not begun */
    bool joinable;
};
_Static_assert(offsetof(struct rn_m, g0) == offsetof(struct rn_m_head, g0) &&
                   offsetof(struct rn_m, g) == offsetof(struct rn_m_head, g),
               "sched.h knows how it begins");

/* What is written at different times by different processors is kept on different cache lines (docs/design/scale.md). */
#define RN_NEW_LINE __attribute__((aligned(128)))

enum { RN_MAIN_ID = 1 };

struct rn_sched {
    rn_lock lock;
    /* Under lock; counts are readable by any. */
    struct rn_p *idle_p;
    struct rn_m *idle_m;
    uint32_t idle_m_n, m_n; /* workers that sleep, and that exist (with the first) */
    uint32_t pinned_n;      /* workers that sleep for their pinned goroutine */
    int thread_err;         /* why the last thread could not be had that could not, or 0 */
    struct rn_m *poller;    /* the worker in rn_os_poll_wait, or NULL */
    struct rn_g *global_first, *global_last;
    struct rn_g *front_last;
    rn_atomic(struct rn_g *) front_first; /* they go before all these (queue.c); whether there are any, any reads */
    rn_atomic(uint32_t) global_n;         /* with them */
    struct rn_g **spilled;                /* spill.c */
    uint32_t spilled_to;
    rn_atomic(uint32_t) spilled_from, spilled_n;
    struct rn_m *all_m; /* workers and external threads */

    /* Read by each who makes a goroutine runnable; written when a processor falls idle or finds work. */
    RN_NEW_LINE rn_atomic(uint32_t) idle_p_n; /* under lock */
    rn_atomic(uint32_t) spinning_n;           /* workers that look for work; any */
    rn_atomic(struct rn_m *) watcher;         /* the idle worker that looks after each nap; any, written under lock */

    RN_NEW_LINE rn_atomic(int64_t) aside_since; /* when the last worker stood aside (crowd.c); any */
    rn_atomic(int64_t) aside_back, aside_stay;  /* when one came back last, and from how long, 0: for other reasons */
    rn_atomic(uint32_t) aside_n;                /* how many are aside */
    rn_atomic(uint32_t) floods;                 /* how often one that starts very many was put behind them */
    rn_atomic(int64_t) flood_next;              /* when somebody may try again whether fewer are faster; */
    rn_atomic(int64_t) flood_alone;             /* for how long they were left alone last, 0: it was slower; */
    rn_atomic(int64_t) flood_together;          /* and the other way round */

    RN_NEW_LINE rn_atomic(int64_t) poll_until; /* the poller's deadline; any */
    rn_atomic(int64_t) polled_at;
    rn_time woke_for_timers; /* the poller's: idle.c */

    /* Written by each processor once in 64 goroutines that it starts, and by threads without one.  The main goroutine is
     * RN_MAIN_ID in each run; the others' numbers go on behind those of plain threads, which may outlive a run. */
    RN_NEW_LINE rn_atomic(uint64_t) next_id;
    uint64_t threads_id_end;         /* above the numbers of all plain threads there were, or 0; under lock */
    rn_atomic(int64_t) live_outside; /* as rn_p.live, of threads without a processor */

    /* Read by all, written now and then. */
    RN_NEW_LINE rn_atomic(int64_t) coarse;
    rn_atomic(uint32_t) stopping;
    rn_atomic(uint32_t) worker_wanted; /* no thread could be had for work, or not from here: the monitor starts one */
    rn_atomic(uint32_t) procs;         /* processors in use; any reads */
    rn_atomic(uint32_t) procs_made;    /* and that ever were in this run; any reads */
    rn_atomic(uint32_t) retired_n;     /* and of these are out of use, with no worker; any reads, under lock */
    rn_atomic(uint32_t) procs_wanted;  /* rn_set_procs, 0: by the environment and the machine; any reads */
    size_t stack_wanted;               /* rn_set_stack, 0: by the environment; does not change during a run */
    size_t stack_default;
    rn_atomic(bool) running;          /* a run is under way */
    bool exiting;                     /* main has called rn_exit_goroutine */
    rn_atomic(uint32_t) monitor_word; /* futex: 1 = sleeps */
    bool monitor_asleep;              /* under lock */
    pthread_t monitor;
    rn_atomic(int) monitor_tid; /* as rn_m.tid */
    int main_status;
    rn_atomic(struct rn_g *) main; /* NULL once it has left by rn_exit_goroutine: its record may be another's then */
    struct rn_go_call *main_call;
};

extern struct rn_sched rn__sched;

static inline bool rn__run_under_way(void)
{
    /* relaxed: those whom it concerns were started after a run began, or are told of its end by the one who called
     * rn_run; to a plain thread that does neither it is a hint: it looks again when it wakes. */
    return rn_load_relaxed(&rn__sched.running);
}
extern struct rn_p rn__procs[RN_PROCS_MAX];

static inline uint32_t rn__procs_used(void)
{
    return rn_load_relaxed(&rn__sched.procs); /* relaxed: a processor too many notices it in its loop */
}

static inline uint32_t rn__procs_made(void)
{
    return rn_load_acquire(&rn__sched.procs_made); /* pairs with the release in rn_set_procs: rn__p_init */
}

/* How many processors have no worker, idle or out of use; exact under sched.lock. */
static inline uint32_t rn__resting_procs(void)
{
    return rn_load_relaxed(&rn__sched.idle_p_n) + rn_load_relaxed(&rn__sched.retired_n); /* relaxed, both: a hint */
}

static inline bool rn__all_rest(void)
{
    return rn__resting_procs() == rn__procs_made();
}

/* ---- inside and outside ---------------------------------------------------------------------- */

/* A goroutine enters the runtime: afterwards it has a processor, though perhaps another thread than
 * before (it queued for one).  A plain thread gets its record; it never has a processor. */
struct rn_m *rn__enter(void);
/* The same for one that must not be queued now, since it may stand in other queues already (a waiter
 * that wakes somebody else or starts a timer before it parks: whoever wakes it would queue it again).
 * It comes without a processor when it has lost its own and none is idle. */
struct rn_m *rn__enter_here(void);
/* The same without the processor: for a goroutine that is on its way out. */
struct rn_m *rn__enter_any(struct rn_m *m);
static inline void rn__leave(struct rn_m *m)
{
    rn_own_leave(&m->own);
}
/* rn__enter and rn__enter_any of a goroutine, which mostly is on its processor still. */
static inline struct rn_m *rn__enter_soon(void)
{
    struct rn_m *m = rn__m();
    rn__rank_check_none();
    if (__builtin_expect(m && rn_own_try_enter(&m->own) && m->p, 1))
        return m;
    return rn__enter();
}
static inline struct rn_m *rn__enter_any_soon(struct rn_m *m)
{
    return __builtin_expect(rn_own_try_enter(&m->own), 1) ? m : rn__enter_any(m);
}
struct rn_m *rn__adopt(void); /* a plain thread's first call; never NULL */

/* ---- fork.c ---------------------------------------------------------------------------------------- */

/* Whether this process is a child of fork, made while a run was under way.  Written before the child has two threads. */
extern bool rn__forked_in_run;
void rn__fork_expect(void); /* from now on that is known */
/* On the way to what needs other threads: does not return in such a child. */
_Noreturn void rn__fork_refuse(void);
static inline void rn__fork_ask(void)
{
    if (__builtin_expect(rn__forked_in_run, 0))
        rn__fork_refuse();
}

/* p, which is in m's hands, is m's from now on. */
void rn__attach(struct rn_m *m, struct rn_p *p);
/* m's processor is in the caller's hands from now on, who is m, or has borrowed it: to be handed off, or to become idle. */
static inline struct rn_p *rn__detach(struct rn_m *m)
{
    struct rn_p *p = m->p;
    m->p = NULL;
    rn_store_relaxed(&p->m, NULL); /* relaxed: who still finds m there sees m->p once it has taken m (own.h) */
    return p;
}
/* p's worker, which is in user code and stays there until the caller's rn_own_give_up, so that p is in the caller's hands;
 * NULL: not so. */
static inline struct rn_m *rn__borrow(struct rn_p *p)
{
    struct rn_m *m = rn_load_acquire(&p->m); /* pairs with the release in rn__attach; m may have lost p since */
    if (!m || !rn_own_take(&m->own))
        return NULL;
    if (m->p == p)
        return m;
    rn_own_give_up(&m->own);
    return NULL;
}

/* A plain thread's, adopted or not, or the monitor's: they run outside of the run's processors. */
static inline bool rn__is_outside(const struct rn_m *m)
{
    return !m || m->external;
}

/* Where they come to what ends with the run. */
extern struct rn_gate rn__gate;

/* ---- next.c ------------------------------------------------------------------------------------ */

/* The next goroutine of p, of which the caller is the owner; NULL: p has nothing to run. */
struct rn_g *rn__next_local(struct rn_p *p);

/* ---- park.c ------------------------------------------------------------------------------------ */

/* Puts the running goroutine away for the loop, which goes on with hint or looks for work. */
void rn__to_loop(struct rn_m *m, struct rn_g *g, struct rn_g *hint);
void rn__queue_list(struct rn_m *m, struct rn_ready_list *l);
/* The same in the loop, after rn__pace_look: tells nobody where m's processor is left alone with them (pace.c).  Without a
 * processor, or by the monitor (m is NULL): they go before all others that wait for one (queue.c). */
void rn__queue_paced(struct rn_m *m, struct rn_ready_list *l);
void rn__yield_global(struct rn_m *m);
/* Exploring: lets another goroutine run, or the loop; whoever calls has queued the running one. */
void rn__preempt(void);

/* Has the processor fetch what a goroutine needs first that is about to be resumed, and that others precede.  Where very
 * many were woken none of it is in a cache, and to fetch it takes longer than to run them; but of several at once not
 * much longer than of one.  g may be in somebody else's hands by now: that is a guess.  Its record's first line, by
 * which it is queued, is here. */
static inline void rn__fetch(const struct rn_g *g)
{
    enum { LINE = 64, OF_STACK = 4, OF_RECORD = 3 };
    if (rn_load_acquire(&g->on_cpu) != 0) /* pairs with the release in rn__arch_switch, which wrote sp */
        return;
    uintptr_t sp = (uintptr_t)rn_glance(&g->sp);
    for (int i = 1; i < OF_RECORD; i++)
        __builtin_prefetch((const char *)g + i * LINE, 1);
    for (int i = 0; i < OF_STACK; i++)
        __builtin_prefetch((const void *)(sp + (size_t)i * LINE), 1);
}

/* Of those who came into p's ring at once the first RN_FETCH_FIRST are fetched there and then; of the others one with each
 * that leaves the ring, so that memory is at work while goroutines are.  (A hundred at once made the processor wait: for
 * each stack it has to look up a translation, and it does not go on to the next instruction but one before it has.) */
enum { RN_FETCH_FIRST = 16 };
static inline void rn__fetch_later(struct rn_p *p)
{
    p->fetch_end = rn_load_relaxed(&p->runq.tail); /* relaxed: only the owner writes it */
    p->fetches = true;
}

/* ---- queue.c ------------------------------------------------------------------------------------ */

/* True: `next` was empty. */
bool rn__push_next(struct rn_p *p, struct rn_g *g);
/* A goroutine that m's has started: false when that should let others go first. */
bool rn__push_fresh(struct rn_m *m, struct rn_g *g);
void rn__push_last(struct rn_p *p, struct rn_g *g);
void rn__push_global(struct rn_g *first, struct rn_g *last, uint32_t n);
/* Before all others that wait for any processor, but behind those that came so before.  Never while exploring. */
void rn__push_front(struct rn_g *first, struct rn_g *last, uint32_t n);
struct rn_g *rn__pop_global(struct rn_p *p); /* moves a fair share to p's queue */
/* The first in the global queue that is pinned, which is the caller's then, or NULL. */
struct rn_g *rn__pop_pinned(void);
/* Puts the ring's goroutines behind those of the global queue once its last share has run, and takes the next: the
 * first of them, or NULL. */
struct rn_g *rn__exchange_global(struct rn_p *p);
/* All that p has goes to the others, before what waits for any: it would have run sooner here too.  p is the caller's;
 * rn__wake_idle is up to the caller. */
void rn__give_all(struct rn_p *p);
bool rn__p_has_work(struct rn_p *p);
/* Whether something waits for any processor.  A hint. */
static inline bool rn__shared_work(void);
/* Who waits for p and can't be stolen at once (watch.c): in `next`, or the ring's first of p's own.  NULL: nobody. */
static inline struct rn_g *rn__waits_here(struct rn_p *p)
{
    struct rn_g *next = rn_load_relaxed(&p->next); /* relaxed: a hint, but to the owner */
    return next ? next : rn_runq_first_of_mine(&p->runq);
}

/* ---- spill.c ------------------------------------------------------------------------------------ */

/* The oldest half of p's deque goes aside; false: no memory. */
bool rn__spill(struct rn_p *p);
/* All of it, since p goes out of use. */
void rn__spill_all(struct rn_p *p);
/* The newest of those, or NULL; others come back into p's deque, which is empty. */
struct rn_g *rn__spilled_newest(struct rn_p *p);
/* For a processor that has nothing to run: the same of the oldest, a few. */
struct rn_g *rn__spilled_share(struct rn_p *p);
/* The oldest there, else of p's deque, or NULL. */
struct rn_g *rn__oldest_fresh(struct rn_p *p);
/* At a run's end. */
void rn__spilled_forget(void);

/* ---- idle.c ------------------------------------------------------------------------------------- */

/* After work was queued: wakes a worker when a processor is idle and nobody is looking. */
static inline void rn__wake_idle(void);
void rn__wake_idle_slow(void);
/* No processor is idle or looks for work: so nobody would steal now. */
static inline bool rn__nobody_looks(void)
{
    /* relaxed, both: hints. */
    return rn_load_relaxed(&rn__sched.idle_p_n) == 0 && rn_load_relaxed(&rn__sched.spinning_n) == 0;
}
/* Gives a processor that was taken, or is being left, to some worker, or makes it idle. */
void rn__hand_off(struct rn_p *p);
struct rn_p *rn__idle_p_get(void);
/* Is anything queued there that is not the watcher's affair?  As rn__work_somewhere. */
bool rn__work_at(struct rn_p *p);
/* Is anything queued, anywhere but there (NULL: anywhere)?  Exact after a heavy fence, otherwise a hint. */
bool rn__work_somewhere(const struct rn_p *but);
void rn__idle_p_put_locked(struct rn_p *p);
/* The worker has a processor and nothing to run: sleeps, and comes back with a processor. */
void rn__idle(struct rn_m *m);
/* The worker has no processor: sleeps until it is given one. */
void rn__idle_without(struct rn_m *m);
void rn__sleep_pinned(struct rn_m *m);
void rn__give_pinned(struct rn_m *m, struct rn_p *p);
void rn__workers_wake_all(void);
/* Makes a sleeping worker the poller when there is none. */
void rn__poller_replace(void);
/* rn_set_procs: m gives up its processor, which is one too many; who is idle now and who is out of use. */
void rn__retire_p(struct rn_m *m);
void rn__sort_procs_locked(void);
void rn__retired_forget(void);

/* ---- crowd.c ------------------------------------------------------------------------------------ */

/* At a run's begin. */
void rn__crowd_begin(void);
/* m, which has a processor and nothing in its hands, now and then: when others are in its way it is away for a while. */
void rn__crowd_look(struct rn_m *m, rn_time now);

/* ---- watch.c ------------------------------------------------------------------------------------ */

/* After a goroutine was put into p's `next`: as rn__wake_idle.  only: nobody had to make way for it, so that it alone
 * waits, for the one who runs now; then a watcher is enough, unless a worker is likely to be needed.  So it is after one that yields
 * was queued; only: behind nobody, or behind whom `next` holds. */
static inline void rn__wake_for_next(struct rn_p *p, bool only);
/* m, which becomes idle, watches if nobody does, and there is anything to watch. */
void rn__watch_begin_locked(struct rn_m *m);
void rn__watch_end_locked(struct rn_m *m);
/* m has had a nap: true when a goroutine that waits in some `next` should be taken from there. */
bool rn__watch_look(struct rn_m *m);
/* One whose waker has computed for long, taken from another processor.  wait: until it is clear about the one that m
 * sees there. */
struct rn_g *rn__steal_next(struct rn_m *m, bool wait);

/* ---- pace.c ------------------------------------------------------------------------------------- */

enum { RN_PACE_LOOK = 64 }; /* resumptions from one look elsewhere to the next, at most */
/* p is a worker's, from now on. */
void rn__pace_begin(struct rn_p *p, rn_time now);
/* Has p resumed enough goroutines since it last looked elsewhere?  A sixteenth less will do, for who did that at another tick
 * than its loop's. */
static inline bool rn__pace_elsewhere_is_due(const struct rn_p *p)
{
    uint32_t n = rn_load_relaxed(&p->tick) - p->elsewhere_tick; /* relaxed: only the owner writes it */
    return n > p->look - p->look / 16;
}
/* It looks: when shall it look again? */
void rn__pace_elsewhere(struct rn_p *p, rn_time now);
/* m has looked at descriptors, or would have if nobody slept there.  through: it has nothing to run. */
void rn__pace_look(struct rn_m *m, rn_time now, bool through);
/* After that: whether p is to be left alone with n more. */
bool rn__pace_alone(struct rn_p *p, uint32_t n);
/* Whether a busy processor looks at descriptors often, so that nobody else needs to.  A guess. */
bool rn__pace_somebody_looks(void);
/* It was wrong. */
void rn__pace_nobody_looks(void);
/* By p's own notes, does the one that runs there take longer than those did that it has resumed?  A guess, for any thread. */
bool rn__pace_is_behind(struct rn_p *p, rn_time now);

/* ---- missed.c ----------------------------------------------------------------------------------- */

/* The monitor, at each look.  True: it should look again soon. */
bool rn__missed_look(rn_time now);

/* ---- poll.c ------------------------------------------------------------------------------------- */

/* A run's beginning, which opens the poller, and end, before anything of it is forgotten. */
int rn__poll_begin(void);
void rn__poll_end(void);
/* Waits for descriptors; adds whom they wake.  They wait for nothing any more and are in no queue yet, so the
 * poller counts as somebody who will wake them, until its caller, who has got any, has queued them and says so.  Returns
 * the time. */
rn_time rn__poll(struct rn_ready_list *wake, rn_time until);
void rn__poll_queued(void);
/* Queues them, for who is left alone with them, or may be helped; and says so.  As rn__queue_paced. */
void rn__queue_polled(struct rn_m *m, struct rn_ready_list *wake);
/* Whom descriptors wake now; returns how many.  through: m has nothing else to run. */
uint32_t rn__poll_now(struct rn_m *m, bool through);

/* ---- start.c, loop.c ---------------------------------------------------------------------------- */

void rn__loop(struct rn_m *m);
void rn__worker_start(struct rn_p *p, bool spinning);
/* What may be the reason that a thread can't be had: err is -EAGAIN or what else was said; 0: no memory for its record. */
const char *rn__no_thread_why(int err);

/* ---- tally.c ------------------------------------------------------------------------------------ */

void rn__tally_drop(struct rn_m *m); /* its thread has ended, or is about to */

/* ---- solo.c ------------------------------------------------------------------------------------- */

void rn__solo_drop(struct rn_m *m); /* as rn__tally_drop */

/* ---- timers.c ----------------------------------------------------------------------------------- */

void rn__p_init(struct rn_p *p, uint32_t id);
/* How many goroutines live; a moment's view.  Any thread. */
int64_t rn__count_live(void);
/* Fires what is due in timers, whosever they are, and queues whom it woke with m, which is inside.
 * Returns how many fired. */
uint32_t rn__timers_run(struct rn_m *m, struct rn_p *timers, rn_time now);
/* The same of all processors, by the monitor, which has no record: where no worker can (shortage.c). */
void rn__timers_run_outside(rn_time now);
rn_time rn__timers_first(void); /* over all processors */
/* For a plain thread that is about to wait: while no run is under way it fires the timers that are due, which
 * nobody else would.  When it must look again at the latest. */
rn_time rn__timers_alone(struct rn_m *m);
/* While no run is under way: whether there is any. */
bool rn__timers_outside(void);
/* The plain threads that wait do so: there is a new timer. */
void rn__threads_look(void);
bool rn__timers_awaited(void);
/* At a run's end, when its workers are gone and plain threads still leave timers to them, before its stacks go: makes every
 * entry idle that a goroutine has started.  Those that outlive the run (a context's, a timer in memory of the program's) will
 * not fire; stopping them stays harmless.  What plain threads have started goes on. */
void rn__timers_forget(void);

/* ---- start.c ------------------------------------------------------------------------------------ */

/* A variable of the environment; NULL where it is not set, or empty. */
const char *rn__setting(const char *name);
bool rn__setting_is_on(const char *name, bool unsaid); /* a switch, 1 or 0, with what it is where nothing is said */
_Noreturn void rn__bad_setting(const char *name, const char *value, const char *wanted);
void rn__main_ended(enum rn_ended how, int status);
extern bool rn__main_is_ours; /* main.c's: the process ends with the main goroutine */
void rn__threads_each(void (*f)(struct rn_g *, void *), void *arg);

/* ---- stack.c ------------------------------------------------------------------------------------ */

struct rn_g *rn__g_get(struct rn_p *p, size_t stack); /* p may be NULL; NULL: no memory */
void rn__g_put(struct rn_p *p, struct rn_g *g);
enum { RN_P_KEEP = 512 }; /* free records with a processor; half of what is more goes into the pool */
/* The newest of p's free records, if it has any whose stack is as large and ready for use; else NULL. */
static inline struct rn_g *rn__g_pop(struct rn_p *p, size_t stack)
{
    struct rn_g *g = p ? p->free : NULL;
    if (!g || (g->flags & (RN_G_GUARDED | RN_G_WATCHED)) != RN_G_GUARDED ||
        stack > (size_t)(rn__g_top(g) - g->stack_lo))
        return NULL;
    p->free = g->link;
    p->free_n--;
    return g;
}
/* Puts g, which has no stack of its own size, there; false: there are too many. */
static inline bool rn__g_push(struct rn_p *p, struct rn_g *g)
{
    if (__builtin_expect(p->free_n >= RN_P_KEEP, 0))
        return false;
    g->link = p->free;
    p->free = g;
    p->free_n++;
    return true;
}
void rn__g_release_all(void);
bool rn__stacks_trim(rn_time now); /* by the monitor */
/* Whether the stacks that have pages take more than their share of the memory that this process may use.  Any thread. */
bool rn__stacks_tight(void);
extern rn_atomic(int64_t) rn__stacks_most; /* how many may; 0: not known yet */
/* Calls f for each mapping of records, stacks, and what is kept of stacks; as rn__g_each. */
void rn__stacks_each(void (*f)(const void *start, size_t bytes, void *arg), void *arg);

/* The records of chunk i, of which there are RN_CHUNK; NULL: there is no such chunk.  *stacks: the mapping of their stacks. */
struct rn_g *rn__chunk(uint32_t i, struct rn_os_range *stacks);

/* ---- hibernate.c --------------------------------------------------------------------------------- */

#ifdef RN_HIBERNATES
void rn__hib_begin(void);
void rn__hib_end(void);
/* By the monitor: puts some away, and says when it wants to be called again.  active: goroutines have run since.
 * *urgent: there is more to do at once. */
rn_time rn__hib_look(rn_time now, bool active, bool *urgent);
/* Its resumer has set on_cpu. */
void rn__hib_resume(struct rn_g *g);
bool rn__hib_fault(void *addr); /* async-signal-safe; true: the access is to be tried again */
/* Keeps the putter from work; for a copy of the process. */
void rn__hib_hold_putter(bool hold);
extern rn_atomic(int64_t) rn__hib_away; /* how many are away */
static inline int64_t rn__hib_count_away(void)
{
    return rn_load_relaxed(&rn__hib_away); /* relaxed: a moment's view */
}
/* Who starts goroutines while memory is tight puts some away itself, if only because the monitor can't keep up where
 * many threads want the processors.  Outside. */
void rn__hib_help(void);
#else
#define rn__hib_help() ((void)0)
#define rn__hib_count_away() INT64_C(0)
#define rn__hib_begin() ((void)0)
#define rn__hib_end() ((void)0)
#define rn__hib_fault(addr) ((void)(addr), false)
#define rn__hib_hold_putter(hold) ((void)(hold))
#define rn__hib_look(now, active, urgent) ((void)(now), (void)(active), *(urgent) = false, INT64_MAX)
#endif

/* ---- monitor.c, deadlock.c ---------------------------------------------------------------------- */

void *rn__monitor(void *arg);
void rn__monitor_wake_locked(void);
void rn__shortage_look(rn_time now); /* shortage.c; at each look, after it has tried to start who is wanted */
/* Every worker sleeps: can nothing wake the program any more?  PERHAPS: somebody whom we don't know
 * could; ask again later.  YES only counts if every worker still sleeps afterwards and no plain thread
 * has been woken meanwhile: the threads were looked at one after the other. */
enum rn_asleep { RN_ASLEEP_NO, RN_ASLEEP_PERHAPS, RN_ASLEEP_YES };
enum rn_asleep rn__ask_deadlock(void);
_Noreturn void rn__deadlock_report(void);
/* For a plain thread that has waited for some time while no run is under way: can nothing wake it any more?  Then it is
 * reported, and this does not return. */
void rn__ask_threads(void);
/* Counts rn__ready of plain threads, and how often one of them lets timers fire. */
extern rn_atomic(uint32_t) rn__threads_woken;

static inline bool rn__shared_work(void)
{
    /* relaxed, both: hints. */
    return rn_load_relaxed(&rn__sched.global_n) != 0 || rn_load_relaxed(&rn__sched.spilled_n) != 0;
}

static inline void rn__wake_idle(void)
{
    /* relaxed loads after the caller's push: ordered by the light fence, which pairs with the heavy
     * fence in rn__idle between "this processor is idle" and its last look at the queues. */
    rn_fence_light();
    if (__builtin_expect(rn_load_relaxed(&rn__sched.idle_p_n) != 0, 0) && rn_load_relaxed(&rn__sched.spinning_n) == 0)
        rn__wake_idle_slow();
}

static inline void rn__wake_for_next(struct rn_p *p, bool only)
{
    rn_fence_light(); /* as in rn__wake_idle; the watcher's fence is in idle.c */
    if (__builtin_expect(rn_load_relaxed(&rn__sched.idle_p_n) == 0, 1) || rn_load_relaxed(&rn__sched.spinning_n) != 0)
        return;
    if (only && rn_load_relaxed(&rn__sched.watcher)) {
        uint32_t at_once = rn_load_relaxed(&p->wakes_at_once); /* relaxed, both: a guess */
        if (__builtin_expect(at_once == 0, 1))
            return;
        rn_store_relaxed(&p->wakes_at_once, at_once - 1);
    }
    rn__wake_idle_slow();
}

#endif
