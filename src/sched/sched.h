/* The scheduler as the layers above see it: who am I, park, ready, timers, spawn, panic.
 *
 * Goroutines (G) run on worker threads (M) that each hold a processor (P).  A plain thread that
 * calls into the library gets a G of its own (kind THREAD), so that every wait looks the same:
 *
 *     struct rn_waiter w = {.g = rn__self(), …};
 *     lock(queue); … if nothing is to be had: rn_list_push(&queue->waiters, &w.node); unlock(queue);
 *     rn__park(RN_WAIT_…, obj);             // returns once somebody called rn__ready(w.g)
 *
 *     the other side: lock(queue); w = pop; if (rn__waiter_claim(w)) { …; w->g->woken_by = w; } unlock;
 *     rn__ready(w->g);                      // exactly once per park, with no internal lock held
 *
 * What always holds:
 *  - Between the moment a waiter becomes visible and its park, nobody else runs on G's stack: a
 *    readied G is not resumed before it has left its thread (on_cpu, see park.c).  So a waiter may be
 *    enqueued and its lock dropped before the park; the wake-up cannot be lost.
 *  - Exactly one rn__ready per park.  A wait with several wake-up sources (select, timeout,
 *    context) has one claim word; whoever moves it 0 -> 1 wakes, the others leave it alone.
 *  - No internal lock is held across rn__park, rn__ready, rn_yield, rn__spawn or user code.
 *  - A function may come back from rn__park, and from anything that may park, on another thread:
 *    never keep rn__self()'s M or a thread-local address across one.
 */
#ifndef RN_SCHED_SCHED_H
#define RN_SCHED_SCHED_H

#include "base/inner.h"
#include "base/list.h"
#include "base/point.h"
#include "base/wheel.h"
#include "os/lock.h"
#include "os/os.h"
#include "sched/explore.h"
#include <runnel/go.h>
#ifndef RN_MODEL /* whose tests say themselves who runs them */
#include "arch/arch.h"
#endif
#undef rn_panic /* the library's functions that panic are compiled apart from those that recover: the plain ones do */
#undef rn_panic_value

struct rn_g;
struct rn_m;
struct rn_p;

/* ---- who waits for what -------------------------------------------------------------------- */

/* Why a goroutine waits; rn__wait_text gives Go's words ("chan receive", "sleep" …). */
enum rn_wait {
    RN_WAIT_NONE,
    RN_WAIT_CHAN_RECV,
    RN_WAIT_CHAN_SEND,
    RN_WAIT_CHAN_RECV_NIL,
    RN_WAIT_CHAN_SEND_NIL,
    RN_WAIT_SELECT,
    RN_WAIT_SELECT_NONE,
    RN_WAIT_SLEEP,
    RN_WAIT_MUTEX,
    RN_WAIT_RWMUTEX_R,
    RN_WAIT_RWMUTEX_W,
    RN_WAIT_WAITGROUP,
    RN_WAIT_ONCE,
    RN_WAIT_COND,
    RN_WAIT_SEMAPHORE,
    RN_WAIT_GROUP,
    RN_WAIT_FLIGHT,
    RN_WAIT_SCOPE,
    RN_WAIT_CONTEXT,
    RN_WAIT_IO,
    RN_WAIT_SIGNAL,
    RN_WAIT_EXTERNAL, /* something outside the program will wake it: never a deadlock */
    RN_WAIT_COUNT
};
const char *rn__wait_text(enum rn_wait why);

/* One wait in one queue; lives on the stack of the one who waits, or in its record.  The queue's lock guards node. */
struct rn_waiter {
    struct rn_node node;
    struct rn_g *g;
    rn_atomic(uint32_t) * claim;        /* NULL: this queue is the only one that can wake g */
    void *elem;                         /* channels: where the value is, or goes */
    void *of;                           /* the channel, context or wait queue that this is in */
    struct rn_waiter *also;             /* g's next waiter of the same wait */
    void (*leave)(struct rn_waiter *w); /* takes it out of its queue; see rn__waiter_note */
    uint32_t index;                     /* select: the case */
    bool ok;                            /* result, written by the waker before rn__ready */
    bool queued;                        /* in of's queue; guarded by of's lock */
    bool owes;                          /* who is woken by it has something to pass on: see rn__waiter_note */
#ifdef RN_RACE
    bool timer;                /* channels: of is a timer's */
    struct rn_race_turn *turn; /* channels: see chan/race.h */
    uint64_t woken;            /* others: what the waker did before; see base/race.h */
#endif
};

/* Every waiter that is queued is noted with its goroutine: a run that ends takes those of its goroutines
 * out of the queues of channels and locks that live on, by `leave`; also by one that has woken its goroutine, if it owes:
 * then that is on its way to a lock which wakes nobody else meanwhile, or has been handed it.  rn__park forgets them all;
 * who returns without a park calls rn__waiters_forget. */
static inline void rn__waiter_note(struct rn_waiter *w, void (*leave)(struct rn_waiter *w));
static inline void rn__waiters_forget(struct rn_g *g);

/* For the race detector: what the waker has done before comes before what the waiter does now. */
#ifdef RN_RACE
#define rn__race_wakes(w) rn__race_store(&(w)->woken)
#define rn__race_woken(w) rn__race_acquire(&(w)->woken)
#else
#define rn__race_wakes(w) ((void)(w))
#define rn__race_woken(w) ((void)(w))
#endif

/* Whether g, which waits, may be woken: true, but for a plain thread when g's run has ended (gate.h).  Who was told so
 * owes it rn__ready, or rn__ready_add and rn__ready_all.  rn__waiter_claim asks; who wakes without a claim asks itself.  g: NULL
 * from who claims its own wait. */
static inline bool rn__may_wake(struct rn_g *g);
RN_INNER bool rn__may_wake_slow(struct rn_g *g);
/* A plain thread's: the run does not end before rn__let_run_end.  False: it has ended, or is about to. */
RN_INNER bool rn__hold_run(void);
RN_INNER void rn__let_run_end(void);

/* The waker's right to wake w: true for exactly one caller.  With the queue's lock held. */
static inline bool rn__waiter_claim(struct rn_waiter *w)
{
    uint32_t open = 0;
    /* acq_rel: orders the losers' view after the winner's choice; the data itself is published by
     * rn__ready and the run queue. */
    return (!w->claim || rn_cas_acq_rel(w->claim, &open, 1)) && rn__may_wake(w->g);
}

/* ---- timers' entries -------------------------------------------------------------------------- */

struct rn_ready_list;

/* An event (a tick, data that arrives); the limit of a wait for something else; the end of a wait for nothing else; one or the
 * other, as its channel, which follows the entry, is waited for. */
enum rn_timer_kind { RN_TIMER_EVENT, RN_TIMER_LIMIT, RN_TIMER_SLEEP, RN_TIMER_CHAN };

/* An entry in some processor's timers.  All-zero is idle.  Owned by the caller, who keeps it alive
 * until it has fired for the last time or rn__timer_stop has returned.
 *
 * fire runs on some worker thread with the lock of those timers held (rank TIMERS): it must not
 * block, park, call user code or touch timers; it may take locks of higher rank.  It adds whom it
 * wakes to `wake` (after claiming), and returns the next deadline, or 0 when it is done. */
struct rn_timer_entry {
    struct rn_wheel_entry wheel; /* first; wheel.when is the deadline */
    rn_time (*fire)(struct rn_timer_entry *t, rn_time now, struct rn_ready_list *wake);
    rn_atomic(struct rn_p *) p; /* whose timers it is in; NULL when in none */
    bool by_thread;             /* a plain thread has started it last; guarded by those timers' lock */
    uint8_t kind; /* enum rn_timer_kind: whether it may come while others can run (sched/explore_time.c) */
    /* A timer whose firing nobody can notice (a channel timer on whose channel nobody waits) does
     * not hold back the deadlock report: NULL means that it always counts. */
    bool (*awaited)(struct rn_timer_entry *t);
};

/* ---- goroutine ------------------------------------------------------------------------------ */

enum rn_kind { RN_G_GOROUTINE, RN_G_THREAD };
/* flags: a stack of its own size; the guard is in place; a timer's entry is on its stack */
enum {
    RN_G_OWN_STACK = 1,
    RN_G_GUARDED = 2,
    RN_G_TIMED = 4,
    RN_G_WATCHED = 8 /* by memcheck */,
    RN_G_STARTER = 16 /* has started others, */,
    RN_G_FLOODS = 32 /* and so many that it let them go first */
};
/* Who may touch its stack when: sched/hibernate.h. */
enum rn_hib { RN_HIB_AWAKE, RN_HIB_STAYS, RN_HIB_CLAIMED, RN_HIB_AWAY, RN_HIB_THAWING };
enum rn_status { RN_G_FREE, RN_G_RUNNABLE, RN_G_RUNNING, RN_G_WAITING, RN_G_DEAD };

/* A goroutine's record.  Owned by whoever runs it; readable by a dump at any time, so the fields
 * that a dump reads are atomics.  256 bytes: a million of them is a quarter GiB. */
struct rn_g {
    void *sp; /* first: arch/ keeps the stack pointer here while switched away */
    /* The first 64 bytes are all that a switch to it touches. */
    rn_atomic(uint8_t) on_cpu;  /* 1 from before a switch to it until after the switch away; arch/ clears it */
    rn_atomic(uint8_t) status;  /* enum rn_status */
    rn_atomic(uint8_t) waiting; /* enum rn_wait */
    uint8_t kind;               /* enum rn_kind */
    rn_atomic(uint8_t) hib;     /* enum rn_hib */
    uint8_t flags;
    uint16_t pins;                       /* not 0: pinned is set */
    struct rn_g *link;                   /* in one queue or list at a time */
    rn_atomic(struct rn_m *) m;          /* the thread that runs it; for THREAD its own */
    struct rn_waiter *woken_by;          /* written by the waker before rn__ready */
    struct rn_waiter *waits;             /* its waiters that are, or were, in queues: rn__waiter_note */
    rn_atomic(const void *) waiting_for; /* channel, lock …: for reports */
    rn_atomic(int64_t) waiting_since;    /* coarse clock */
    uint64_t id;                         /* 1 is main; never reused */

    struct rn_defer *defers; /* newest first */
    uint8_t reads;           /* by itself: about how many read locks it holds that are counted apart (sync/readers.h) */
    /* Bit-fields side by side are one place in memory, to be written by one at a time: hence no more of them here. */
    uint8_t hollow : 1;     /* by the putter and who thaws it: kept_stack.h */
    uint8_t reluctance : 3; /* by who thaws it: how long it has to be parked before it is put away */
    uint8_t index_high;
    uint16_t index_low;          /* in the table of records, for good: rn__g_index */
    struct rn_panic *panic;      /* newest first; NULL when not panicking */
    struct rn_panic *last_panic; /* the last that was recovered, whose text the program may still hold */

    char *stack_lo, *stack_hi; /* usable bytes; lo - page is the guard */
    struct rn_m *pinned;       /* rn_pin: the only thread that may run it */
    const char *name;
    void *entry;                    /* the function */
    void *started_at;               /* return address in the starter */
    rn_atomic(uint64_t) started_by; /* its id */
    bool (*ended)(void *owner, enum rn_ended how, intptr_t result, struct rn_panic *panic);
    void *owner;
    union {
        void *fiber; /* TSan's fiber, ASan's fake stack */
        void *kept;  /* elsewhere: what was on its stack, from sp on, while that is away */
    };
    /* What others touch of one that waits in one place only: not on its stack, which may be away, and of a million
     * the records are neighbours while the stacks are a page each. */
    union {
        struct rn_waiter wait;     /* rn__waiter_own */
        struct rn_timer_entry nap; /* rn__sleep_until's */
    };
#ifdef RN_EXPLORE
    struct rn_explore_g explore;
#endif
};

_Static_assert(offsetof(struct rn_g, reads) == offsetof(struct rn_g, defers) + sizeof(struct rn_defer *),
               "runnel/rwmutex.h knows where it is");

static inline uint32_t rn__g_index(const struct rn_g *g)
{
    return (uint32_t)g->index_high << 16 | g->index_low;
}

/* Stacks end with pages, and what a goroutine uses of one are mostly its last lines: if all began there, they would lie in the
 * same few sets of the caches, which hold a dozen each.  So each begins some lines below its end, its neighbours elsewhere. */
enum { RN_COLOURS = 16, RN_COLOUR = 64 };

static inline char *rn__g_top(const struct rn_g *g)
{
    return g->stack_hi - g->index_low % RN_COLOURS * RN_COLOUR;
}

static inline void rn__waiter_note(struct rn_waiter *w, void (*leave)(struct rn_waiter *w))
{
#ifdef RN_MODEL /* no run ends there */
    (void)w, (void)leave;
#else
    w->leave = leave;
    w->also = w->g->waits;
    w->g->waits = w;
#endif
}

/* What a thread's record (rt.h) begins with: of a worker its loop, of a plain thread what stands for it as a goroutine; and
 * what runs on it now. */
struct rn_m_head {
    struct rn_g g0;
    struct rn_g *g;
};

static inline bool rn__may_wake(struct rn_g *g)
{
#ifdef RN_MODEL
    (void)g;
    return true;
#elif defined(RN_SHARED) /* the thread's record is one library's */
    return rn__may_wake_slow(g);
#else
    /* A goroutine wakes g, mostly. */
    const struct rn_m_head *here = (const void *)rn__m();
    return __builtin_expect(here && here->g != &here->g0, 1) || rn__may_wake_slow(g);
#endif
}

static inline void rn__waiters_forget(struct rn_g *g)
{
    g->waits = NULL;
}

/* The record of that index, which exists. */
struct rn_g *rn__g_at(uint32_t index);
enum { RN_CHUNK = 256, RN_CHUNKS_MAX = 1 << 16 }; /* goroutine records in a chunk; 16 M goroutines */
enum { RN_RECORDS_MAX = RN_CHUNK * RN_CHUNKS_MAX };

/* The waiter in the record of g, which runs: for a wait that only one queue can end. */
static inline struct rn_waiter *rn__waiter_own(struct rn_g *g, void *elem, void *of)
{
    g->wait = (struct rn_waiter){.g = g, .elem = elem, .of = of};
    return &g->wait;
}

/* The goroutine, or thread, that runs this; never NULL (a plain thread is adopted). */
RN_INNER struct rn_g *rn__self(void);
/* The same, but NULL on a plain thread that was not adopted; async-signal-safe. */
struct rn_g *rn__self_or_null(void);
/* How often goroutines were resumed since the run began, on all processors, each modulo 2^32: a moving target. */
RN_INNER uint64_t rn__resumed(void);
static inline bool rn__is_goroutine(const struct rn_g *g)
{
    return g->kind == RN_G_GOROUTINE;
}

/* ---- park and ready -------------------------------------------------------------------------- */

/* Waits until rn__ready(self).  Returns self's woken_by.  `what` is for reports only. */
RN_INNER struct rn_waiter *rn__park(enum rn_wait why, const void *what);
/* How often to look, before parking, whether what another holds has become free; it pays where the holder runs on another
 * processor and is about to let go.  0 where no other processor runs anybody; and where others wait for this one, few,
 * and none but now and then after looks that were for nothing: the holder may well be one of those who wait.  Whoever has
 * looked says whether it was worth it.  (Go, runtime_canSpin, never looks while others wait.) */
RN_INNER uint32_t rn__spin_rounds(void);
RN_INNER void rn__spun(bool gained);
/* The caller was woken to compete for what somebody let go, found it taken again, and is about to wait once more. */
RN_INNER void rn__woken_in_vain(void);
/* Makes g runnable, to run next on this processor (hand-over).  Never parks the caller, who may stand
 * in a queue already. */
RN_INNER void rn__ready(struct rn_g *g);
/* Makes g runnable, behind what is queued.  parks: the caller parks at once; if nobody else waits here no other processor is
 * told of g, which runs in its place. */
RN_INNER void rn__ready_last(struct rn_g *g, bool parks);
/* Many at once (a close, a broadcast, a batch of timers), in the order pushed. */
struct rn_ready_list {
    struct rn_g *first, *last;
    uint32_t n;
    uint32_t gated; /* for whom a plain thread is in the gate */
    bool threads;   /* plain threads are among them */
};

/* The link of one for whom a plain thread is in the gate, between rn__may_wake and its being queued; nobody's address. */
#define RN_GATED ((struct rn_g *)(uintptr_t)sizeof(void *))
static inline void rn__ready_add(struct rn_ready_list *l, struct rn_g *g);
RN_INNER void rn__ready_all(struct rn_ready_list *l);
/* The same, and rn_yield: of one alone no other processor is told, it runs here at once.  tell false: none is told of the caller
 * either, which has nothing to do unless who runs next gives it some; while that one computes, it may be as long as the monitor's
 * pause, 10 ms at most, until another processor takes it.  l may be empty.  For goroutines. */
RN_INNER void rn__yield_to(struct rn_ready_list *l, bool tell);
/* rn__ready_all and rn__park: of one alone no other processor is told, it runs here at once.  l may be empty.  The caller may stand
 * in a queue already. */
RN_INNER void rn__ready_all_and_park(struct rn_ready_list *l, enum rn_wait why, const void *what);

static inline void rn__ready_add(struct rn_ready_list *l, struct rn_g *g)
{
    l->gated += g->link == RN_GATED;
    g->link = NULL;
    if (__builtin_expect(g->kind == RN_G_THREAD, 0))
        l->threads = true;
    else
        rn_store_relaxed(&g->status, RN_G_RUNNABLE); /* relaxed: for reports */
    if (l->last)
        l->last->link = g;
    else
        l->first = g;
    l->last = g;
    l->n++;
}

/* ---- starting ------------------------------------------------------------------------------- */

/* Why rn_go_try's err says that nothing was started. */
#define RN_NO_RUN "no run is under way: start goroutines in rn_main, or in what rn_run was given"
static inline const char *rn__go_error(int err)
{
    return err == RN_EAGAIN ? RN_NO_RUN : rn_strerror(err);
}

/* A goroutine that runs f(arg), for the library's own use (after_func, poller).  0 or RN_ENOMEM.
 * When list is not NULL the goroutine is added to it instead of being queued: for callers that
 * hold a lock. */
RN_INNER int rn__spawn(void (*f)(void *), void *arg, struct rn_ready_list *list);
/* The same, with a list; for the race detector the goroutine comes after what was released under `name`. */
int rn__spawn_after(void (*f)(void *), void *arg, struct rn_ready_list *list, void *name);

/* Ends the running goroutine, whose deferred calls have run.  Asks its `ended` callback first, but
 * for RN_ENDED_PANIC, where the caller has asked already. */
_Noreturn void rn__g_finish(enum rn_ended how, intptr_t result);

/* Calls f for every goroutine and every plain thread that is known.  Records may change meanwhile:
 * for a program that dies, or that can bear it. */
void rn__g_each(void (*f)(struct rn_g *g, void *arg), void *arg);
/* The same without the plain threads, who come and go also when a run has ended. */
void rn__goroutines_each(void (*f)(struct rn_g *g, void *arg), void *arg);
/* What the goroutines but this one do just now: a guess, for who has time to ask again. */
struct rn_others {
    int running, sleeping, waiting; /* running: or about to, or on the way to a wait; sleeping: of those who wait */
};
struct rn_others rn__others(void);
/* Sorts g[0 … n) by their keys, the least first (Shell: no recursion, no memory).  Async-signal-safe. */
void rn__g_sort(struct rn_g **g, size_t n, uint64_t (*key)(const struct rn_g *g));
/* The goroutine whose stack, its guard included, holds addr; NULL if none.  Async-signal-safe. */
struct rn_g *rn__g_of_address(const void *addr);

/* ---- hibernation ---------------------------------------------------------------------------- */

/* Stacks of goroutines that have been parked for long are put away (sched/hibernate.h), and a touch brings them
 * back; but the kernel's touch only fails.  So before memory of the user's is given to a system call: */
#if !defined(RN_MODEL) && !defined(RN_RACE) && !defined(RN_TSAN) && !defined(RN_ASAN)
#define RN_HIBERNATES 1
RN_INNER extern rn_atomic(int64_t) rn__hib_chunks; /* that ever had somebody put away; 0: nothing to do */
/* Brings the owner of [p, p + bytes) back, if it is another goroutine's stack; it stays until it has run again. */
RN_INNER void rn__hib_hold_slow(const void *p, size_t bytes);
/* g stays until it has run again. */
RN_INNER void rn__hib_stay(struct rn_g *g);
static inline void rn__hib_hold(const void *p, size_t bytes)
{
    if (__builtin_expect(rn_load_relaxed(&rn__hib_chunks) != 0, 0)) /* relaxed: whose stack it is has happened before */
        rn__hib_hold_slow(p, bytes);
}
/* Before a variable of g's, who waits, is used: cheaper than the trap. */
static inline void rn__hib_touch(struct rn_g *g)
{
    if (__builtin_expect(rn_load_relaxed(&g->hib) > RN_HIB_STAYS, 0)) /* relaxed: a hint; else it traps */
        rn__hib_stay(g);
}
#else
#define rn__hib_touch(g) ((void)(g))
#define rn__hib_hold(p, bytes) ((void)(p), (void)(bytes))
#define rn__hib_stay(g) ((void)(g))
#endif

/* ---- choices -------------------------------------------------------------------------------- */

/* Everything that a run's course depends on goes through these three (and pick in sched/choice.h):
 * a test build replaces them, and one seed then decides the whole run. */
RN_INNER rn_time rn__now(void); /* monotonic, ns */
/* The clock's last moment, in 292 years; what is to come later comes then.  INT64_MAX is none: never. */
#define RN_LAST_MOMENT (INT64_MAX - 1)
/* d from now, for what must not happen before: some microseconds later at most, and cheaper than rn__now. */
RN_INNER rn_time rn__deadline(rn_duration d);
/* The same clock at the kernel's last tick: at most RN_TICK ago, but on a machine that was stalled, and for an eighth of the cost. */
RN_INNER rn_time rn__tick(void);
#define RN_TICK (10 * RN_MILLISECOND)
/* Whether `when` has passed, seen late only by a machine that was stalled.  The clock is read where the tick does not tell. */
static inline bool rn__has_passed(rn_time when)
{
    return when <= rn__tick() + RN_TICK && when <= rn__now();
}
uint64_t rn__random(void);             /* 64 random bits */
uint32_t rn__random_below(uint32_t n); /* uniform in 0 … n-1; n > 0 */
/* Which of n ready cases a select takes: uniform in 0 … n-1. */
#ifdef RN_EXPLORE
#define rn__choose_case(n) rn__explore_index(RN_AT_CASE, (n))
#else
#define rn__choose_case(n) rn__random_below(n)
#endif
/* A clock that is at most some milliseconds old and costs one load: for reports. */
rn_time rn__coarse_now(void);

/* ---- timers --------------------------------------------------------------------------------- */

/* Starts an idle entry; `when` may be in the past. */
RN_INNER void rn__timer_start(struct rn_timer_entry *t, rn_time when);
/* The same in two steps, for who starts it with a lock held: begins before it takes that.  A goroutine goes no further at the
 * first one when its run has ended, and would keep the lock. */
RN_INNER struct rn_m *rn__timer_begin(void);
RN_INNER void rn__timer_start_begun(struct rn_m *m, struct rn_timer_entry *t, rn_time when);
/* Stops it: true when it was pending.  When it returns, fire is not running and will not run. */
RN_INNER bool rn__timer_stop(struct rn_timer_entry *t);
/* For fire, when rn__spawn has said RN_EAGAIN: the plain thread that lets timers fire calls f(arg) when it has dropped their lock.
 * One call is kept, so the entry is to fire again unless f stops it. */
void rn__timer_alone(void (*f)(void *), void *arg);
/* Gives a pending one another moment; false, and nothing is done, when it is not pending. */
RN_INNER bool rn__timer_move(struct rn_timer_entry *t, rn_time when);
/* The running goroutine, g, waits until then. */
RN_INNER void rn__sleep_until(struct rn_g *g, rn_time until);

/* A wait with a deadline: on the stack beside a waiter; fire claims w and readies it with
 * woken_by = w, w->ok = false. */
struct rn_timeout {
    struct rn_timer_entry entry;
    struct rn_waiter w; /* w.g and w.claim set by the caller */
};
void rn__timeout_start(struct rn_timeout *t, rn_time when);
void rn__timeout_stop(struct rn_timeout *t);
/* The same for one that has fired. */
static inline void rn__timeout_over(struct rn_timeout *t)
{
    t->w.g->flags &= (uint8_t)~RN_G_TIMED;
}

/* ---- the rest ------------------------------------------------------------------------------- */

/* A panic that is under way in a goroutine, or rn_exit_goroutine; see panic.c. */
struct rn_panic {
    struct rn_panic *up;    /* the one that it replaced */
    struct rn_panic *cause; /* the other goroutine's, of which this one was raised (rn__panic_pass_on) */
    char *text;             /* part of this block */
    void *value;
    struct rn_defer *running; /* the deferred call that runs now */
    bool recovered, is_exit;  /* is_exit: rn_exit_goroutine */
    bool on_stack;            /* there was no memory for a block */
    uint32_t room;            /* bytes for text */
    uintptr_t frame;          /* of the function that runs the deferred calls */
    uintptr_t call;           /* the CFA of the deferred call that runs now */
    void *trace[32];          /* where it was raised; filled in before `ended` is asked */
    int trace_n;
    uint64_t g;
};

void rn__panic_free(struct rn_panic *p); /* one, not the chain; NULL is nothing */
void rn__panics_drop(struct rn_g *g);    /* all that g has, at its end */
/* Main has returned.  A goroutine that panics may have let it go on, by a deferred wg_done: waits a little until it
 * has recovered or ends the program, and for whoever prints the last words.  (Go's issues 3934 and 20018.) */
void rn__panics_settle(void);
/* The caller has found what another goroutine is about to panic for, or does: waits likewise, so that it is that one who is
 * blamed.  Returns when that one has recovered. */
void rn__panic_follows(void);
/* Panics here with what an `ended` callback has taken over, which this takes; a report shows both traces. */
_Noreturn void rn__panic_pass_on(struct rn_panic *p);
/* To stderr, by the deferred function that has recovered it: the texts (NULL ends them), and the goroutine's trace from where the newest
 * panic was raised.  Blocks the thread for the time that takes. */
RN_INNER void rn__panic_tell(const char *const *texts);
/* A recovered panic's deferred call is being left by a jump: forgets the panic. */
void rn__panic_left(struct rn_g *g);

/* Misuse: panics with the text. */
#define rn__misuse(...) rn_panic(__VA_ARGS__)

/* How events of the poller become goroutines, for the layers that registered descriptors; each adds
 * those whom it wakes, claimed, to `wake`.  They run on a worker that has no processor, or on the
 * monitor: they must not block, park or call user code.  NULL: nobody has registered any.  Tags with
 * RN_POLL_HTTP_TAG are those of the HTTP client, the others src/net's.  Stored with release by whoever is about to
 * register something, so more than once, also while a poller looks: that acquires. */
#define RN_POLL_HTTP_TAG (UINT64_C(1) << 31)
typedef void rn__poll_event_fn(uint64_t tag, uint32_t ready, struct rn_ready_list *wake);
extern rn_atomic(rn__poll_event_fn *) rn__poll_event;
RN_INNER extern rn_atomic(rn__poll_event_fn *) rn__poll_http_event;
/* Called whenever rn_os_signals_pending. */
typedef void rn__poll_signals_fn(struct rn_ready_list *wake);
extern rn_atomic(rn__poll_signals_fn *) rn__poll_signals;

/* What a higher layer has to forget when a run ends: f is called at the end of every run from then on,
 * when no goroutine and no worker is left but the thread that called rn_run.  Once for each hook. */
struct rn_stop_hook {
    void (*f)(void);
    struct rn_stop_hook *next;
    bool added;
};
RN_INNER void rn__at_stop(struct rn_stop_hook *hook);
/* At the end of a run: a variable of the main function's, which has returned: other goroutines may still stand in line for
 * it.  (Odd is no address: a context.) */
RN_INNER bool rn__is_mains(const void *object);

/* The number of the run that is under way, 0 when none is.  Each has its own poller, which knows nothing
 * of what was registered with another. */
uint32_t rn__poll_run(void);

/* A word that counts what could wake the program from outside: descriptors waited on, signal
 * channels.  Above 0, no deadlock is reported. */
RN_INNER extern rn_atomic(int64_t) rn__external_wakers;
#endif
