/* Park, ready, yield: how goroutines leave the processor and come back.
 *
 * What always holds:
 *  - g->on_cpu is 1 from before the switch to g until after the last use of its stack by the switch
 *    away (arch/ clears it).  A goroutine may be in a run queue while it is 1: its waker does not ask
 *    whether it has gone yet.  Whoever takes it from a queue resumes it only when it is 0.
 *  - Nobody waits for on_cpu on a goroutine's stack, only in the loop on g0: two threads, each on its
 *    way out of the goroutine that the other wants, would wait for each other for ever.
 *  - The thread that switches to a goroutine is inside (own.h); the goroutine leaves on its behalf.
 *  - `link`, `status` and `sp` belong to whoever has the goroutine: its thread, its waiters' queue
 *    (until rn__ready), its run queue.
 *
 * Tried and rejected: a state machine with a compare-and-swap in park and in ready (a waker sees
 * PARKING and leaves a token): two locked instructions a wake-up where this has none.
 */
#include "sched/exceptions.h"
#include "sched/next.h"
#include "sched/switch.h"
#include <errno.h>
#include <limits.h>

static inline bool may_resume(struct rn_g *g, struct rn_m *m)
{
    /* acquire: pairs with the release in rn__arch_switch; the stack is complete. */
    return rn_load_acquire(&g->on_cpu) == 0 && (!g->pins || g->pinned == m);
}

/* As rn__switch_to; from is a goroutine. */
static __attribute__((noinline)) void switch_with_exceptions(struct rn_m *m, struct rn_g *from, struct rn_g *to)
{
    struct rn_exceptions mine = rn__exceptions_take(m);
    rn__switch_to(m, from, to);
    rn__exceptions_give(rn__m(), mine);
}

static inline __attribute__((always_inline)) void leave_to(struct rn_m *m, struct rn_g *from, struct rn_g *to)
{
    if (__builtin_expect(m->exceptions != NULL, 0))
        switch_with_exceptions(m, from, to);
    else
        rn__switch_to(m, from, to);
}

void rn__to_loop(struct rn_m *m, struct rn_g *g, struct rn_g *hint)
{
    m->hint = hint;
    leave_to(m, g, &m->g0);
}

/* Puts g, the running goroutine, away for another one, or for the loop when there is none at hand.
 * m is inside; when this returns, g runs again and has left, perhaps on another thread. */
static inline __attribute__((always_inline)) void switch_away(struct rn_m *m, struct rn_g *g,
                                                              struct rn_g *(*choose)(struct rn_p *))
{
    struct rn_p *p = m->p;
    struct rn_g *next = NULL;
    bool here = p && !g->pins && (rn__exploring() || (rn_load_relaxed(&p->tick) & p->look) != 0);
    if (__builtin_expect(here, 1))
        next = choose(p);
    if (__builtin_expect(next == g, 0)) {
        /* relaxed: only the owner writes it.  Counted, so that one that yields alone comes to the loop. */
        rn_store_relaxed(&p->tick, rn_load_relaxed(&p->tick) + 1);
        rn__leave(m);
        return;
    }
    if (__builtin_expect(next && may_resume(next, m), 1))
        leave_to(m, g, next);
    else
        rn__to_loop(m, g, next);
    rn__leave(rn__m());
}

static struct rn_m *take_idle_p(struct rn_m *m)
{
    struct rn_p *p = rn__idle_p_get();
    if (p)
        rn__attach(m, p);
    return m;
}

/* A goroutine that has no processor any more: takes an idle one, or queues for one.  One may have become idle in between:
 * this worker looks for work once more before it sleeps, but not when it is for its pinned goroutine alone. */
static struct rn_m *enter_without(struct rn_m *m)
{
    if (take_idle_p(m)->p)
        return m;
    struct rn_g *g = m->g;
    rn_store_relaxed(&g->status, RN_G_RUNNABLE); /* relaxed: for reports */
    rn__push_global(g, g, 1);
    if (g->pinned)
        rn__wake_idle();
    rn__to_loop(m, g, NULL);
    return rn__m();
}

/* The run ends: g, which runs here, stays where it is for ever.  Who was about to park may have been woken meanwhile, and
 * a worker that has not seen the end yet takes it from its queue: then it is put away there, on that worker's own g0.
 * The one that it was put away by first may be gone already. */
static _Noreturn void go_no_further(struct rn_g *g)
{
    for (;;)
        rn__to_loop(rn__m(), g, NULL);
}

/* The monitor looks at this worker's processor, or the run ends, or this is a child of fork. */
static void enter_slow(struct rn_m *m)
{
    rn__fork_ask();
    do {
        rn_own_withdraw(&m->own);
        /* relaxed: set before revoke, which the lock has published. */
        if (rn_load_relaxed(&rn__sched.stopping) && !m->external) {
            rn_store_relaxed(&m->own.inside, 1); /* relaxed: nobody takes any more */
            if (m->g == &m->g0)                  /* the first worker, before its loop */
                return;
            go_no_further(m->g);
        }
    } while (!rn_own_try_enter(&m->own));
}

struct rn_m *rn__enter_any(struct rn_m *m)
{
    rn__rank_check_none();
    if (__builtin_expect(!rn_own_try_enter(&m->own), 0))
        enter_slow(m);
    return m;
}

static inline __attribute__((always_inline)) struct rn_m *enter_here(void)
{
    struct rn_m *m = rn__m();
    rn__rank_check_none();
    if (__builtin_expect(!m, 0))
        m = rn__adopt();
    if (__builtin_expect(!rn_own_try_enter(&m->own), 0))
        enter_slow(m);
    if (__builtin_expect(!m->p, 0) && !m->external)
        return take_idle_p(m);
    return m;
}

struct rn_m *rn__enter_here(void)
{
    return enter_here();
}

static inline struct rn_m *enter(struct rn_m *m)
{
    rn__rank_check_none();
    if (__builtin_expect(!rn_own_try_enter(&m->own), 0))
        enter_slow(m);
    while (__builtin_expect(!m->p, 0) && !m->external)
        m = enter_without(m);
    return m;
}

struct rn_m *rn__enter(void)
{
    struct rn_m *m = rn__m();
    if (__builtin_expect(!m, 0))
        m = rn__adopt();
    return enter(m);
}

/* Until somebody wakes m, or it has to look again.  patience: where nothing is in sight that could wake it, after so long it
 * asks whether anything can, and from then on each time that it has waited as long again. */
#define PATIENCE (100 * RN_MILLISECOND)

static void sleep_thread(struct rn_m *m, rn_duration *patience)
{
    rn__fork_ask();
    rn_time until = rn__timers_alone(m);
    if (until != INT64_MAX || rn__run_under_way()) {
        rn_os_futex_wait(&m->wake, 0, until);
        return;
    }
    rn_time now = rn__choose_now();
    if (*patience == PATIENCE)
        rn_store_relaxed(&m->g->waiting_since,
                         now); /* relaxed: for reports; without a run the coarse time stands still */
    if (rn_os_futex_wait(&m->wake, 0, now + *patience) == -ETIMEDOUT) {
        rn__ask_threads();
        *patience *= 2;
    }
}

static void park_thread(struct rn_m *m)
{
    rn_duration patience = PATIENCE;
    /* acquire: pairs with the release in ready_thread; publishes woken_by and the value. */
    for (uint32_t wake; (wake = rn_load_acquire(&m->wake)) != 1;)
        if (wake == 0 || rn_cas_acq_rel(&m->wake, &wake, 0)) {
            /* pairs with the one in rn__threads_look: either that sees this thread wait, with nothing in `wake`, or this sees
             * the new timer, or that the run has ended. */
            rn_fence_seq_cst();
            sleep_thread(m, &patience);
        }
    rn__fiber_acquire(m->g);
    rn_store_relaxed(&m->g->status, RN_G_RUNNING); /* relaxed: published by the next store */
    /* release: pairs with own_threads' acquire (deadlock.c): who sees 0 again sees RUNNING.  The next
     * waker is ordered after the next wait's lock. */
    rn_store_release(&m->wake, 0);
}

static void ready_thread(struct rn_g *g)
{
    struct rn_m *m = rn_load_relaxed(&g->m);
    rn__fiber_release(g);
    /* release: pairs with the acquire in ask_deadlock (idle.c). */
    rn_add_release(&rn__threads_woken, 1);
    /* release: pairs with the acquire in park_thread. */
    rn_store_release(&m->wake, 1);
    rn_os_futex_wake(&m->wake, 1);
}

struct rn_waiter *rn__park(enum rn_wait why, const void *what)
{
    struct rn_m *m = rn__m();
    rn__rank_check_none();
    if (!m)
        m = rn__adopt();
    struct rn_g *g = m->g;
    /* relaxed: for reports.  The waker may already have made g runnable; resuming it sets RUNNING. */
    rn_store_relaxed(&g->waiting, (uint8_t)why);
    rn_store_relaxed(&g->waiting_for, what);
    rn_store_relaxed(&g->waiting_since, rn_load_relaxed(&rn__sched.coarse));
    rn_store_relaxed(&g->status, RN_G_WAITING);
    if (__builtin_expect(g->kind == RN_G_THREAD, 0)) {
        park_thread(m);
    } else {
        switch_away(rn__enter_any_soon(m), g, rn__next_of_parking);
        rn__fiber_acquire(g);
    }
    rn__waiters_forget(g);
    struct rn_waiter *by = g->woken_by;
    g->woken_by = NULL; /* a run that ends goes by it (start.c, end_with_the_run) */
    return by;
}

void rn__threads_look(void)
{
    struct rn_sched *s = &rn__sched;
    rn_fence_seq_cst(); /* pairs with the one in park_thread: after what the caller has written */
    rn_lock_take(&s->lock, RN_RANK_SCHED);
    for (struct rn_m *m = s->all_m; m; m = m->all_link) {
        uint32_t none = 0;
        if (m->external && rn_load_relaxed(&m->g0.status) == RN_G_WAITING && rn_cas_acq_rel(&m->wake, &none, 2))
            rn_os_futex_wake(&m->wake, 1);
    }
    rn_lock_release(&s->lock);
}

/* parks: the caller does at once, so that g alone is not for another processor. */
static inline __attribute__((always_inline)) void queue_ready(struct rn_g *g, bool next, bool parks)
{
    rn__fiber_release(g);
    struct rn_m *m = enter_here();
    /* relaxed: for reports. */
    rn_store_relaxed(&g->status, RN_G_RUNNABLE);
    if (__builtin_expect(m->p && next, 1)) {
        bool only = rn__put_next(m->p, g);
        if (!parks || !only)
            rn__wake_for_next(m->p, only);
    } else {
        bool alone = parks && m->p && !rn__p_has_work(m->p);
        if (m->p)
            rn__push_last(m->p, g);
        else
            rn__push_global(g, g, 1);
        if (!alone)
            rn__wake_idle();
    }
    rn__leave(m);
}

struct rn_gate rn__gate;

bool rn__may_wake_slow(struct rn_g *g)
{
    if (!g || g->kind == RN_G_THREAD)
        return true;
    /* A worker's loop; or who ends the run, when it takes goroutines out of their queues. */
    if (!rn__is_outside(rn__m()))
        return rn__run_under_way();
    if (!rn_gate_enter(&rn__gate))
        return false;
    g->link = RN_GATED;
    return true;
}

bool rn__hold_run(void)
{
    return rn_gate_enter(&rn__gate);
}

void rn__let_run_end(void)
{
    rn_gate_leave(&rn__gate, 1);
}

/* One for whom this thread, or another one, is in the gate. */
static __attribute__((noinline)) void ready_gated(struct rn_g *g, bool next)
{
    g->link = NULL;
    queue_ready(g, next, false);
    rn_gate_leave(&rn__gate, 1);
}

static inline __attribute__((always_inline)) void ready(struct rn_g *g, bool next, bool parks)
{
    if (g->kind == RN_G_THREAD)
        ready_thread(g);
    else if (__builtin_expect(g->link == RN_GATED, 0))
        ready_gated(g, next);
    else
        queue_ready(g, next, parks);
}

void rn__ready(struct rn_g *g)
{
    ready(g, true, false);
}

void rn__ready_last(struct rn_g *g, bool parks)
{
    ready(g, false, parks);
}

/* Threads are woken one by one; where a plan decides, or ThreadSanitizer is told of each hand-over, so are goroutines. */
static bool must_go_singly(const struct rn_ready_list *l)
{
#if defined(RN_FIBER_TSAN) && !defined(RN_RACE)
    (void)l;
    return true;
#else
    return l->threads || rn__exploring();
#endif
}

/* All of l is queued. */
static inline void list_done(struct rn_ready_list *l)
{
    uint32_t gated = l->gated;
    *l = (struct rn_ready_list){0};
    if (__builtin_expect(gated != 0, 0))
        rn_gate_leave(&rn__gate, gated);
}

/* Queues the goroutines of a list; wakes its threads.  m is inside.  One alone runs next, as with rn__ready.  In the
 * loop, where it is timers and descriptors that wake, the first of them is the next to run, before those that were
 * runnable already, also before one who was to be handed over to: it has waited for that moment, they for one another.
 * (Go does so with timers.)  m is about to run that one, so no worker is woken for it.  Of very many the first go into the
 * ring, and the others as they are into the global queue, whence they come by shares.  alone: nobody is told of those in the
 * ring (pace.c). */
static inline void queue_list(struct rn_m *m, struct rn_ready_list *l, bool alone)
{
    enum { HERE = RN_RUNQ_STEAL };
    bool in_loop = m->g == &m->g0;
    bool next = m->p && (in_loop || !l->first->link);
    bool queued = false;
    uint32_t n = 0, singly = must_go_singly(l) ? l->n : m->p ? HERE : 0;
    struct rn_g *g = l->first;
    m->alone = alone;
    for (struct rn_g *after; g && n < singly; g = after, n++) {
        after = g->link;
        rn__fiber_release(g);
        if (g->kind == RN_G_THREAD) {
            ready_thread(g);
            continue;
        }
        if (n < RN_FETCH_FIRST)
            rn__fetch(g);
        if (next) {
            bool only = rn__push_next(m->p, g);
            if (!alone && !(in_loop && only))
                rn__wake_for_next(m->p, only);
            next = false;
            continue;
        }
        if (!m->p)
            rn__push_global(g, g, 1);
        else
            rn__push_last(m->p, g);
        queued = true;
    }
    if (m->p && n > RN_FETCH_FIRST)
        rn__fetch_later(m->p);
    if (g)
        rn__push_global(g, l->last, l->n - n);
    if ((queued && !alone) || g)
        rn__wake_idle();
    list_done(l);
}

void rn__queue_list(struct rn_m *m, struct rn_ready_list *l)
{
    queue_list(m, l, false);
}

/* There is no processor whose next they could be. */
static void queue_in_front(struct rn_ready_list *l)
{
    struct rn_g *g = l->first, *after;
    bool singly = must_go_singly(l);
    for (; g && singly; g = after) {
        after = g->link;
        rn__fiber_release(g);
        if (g->kind == RN_G_THREAD)
            ready_thread(g);
        else
            rn__push_front(g, g, 1);
    }
    if (g)
        rn__push_front(g, l->last, l->n);
    rn__wake_idle();
    list_done(l);
}

void rn__queue_paced(struct rn_m *m, struct rn_ready_list *l)
{
    if (m && m->p)
        queue_list(m, l, rn__pace_alone(m->p, l->n));
    else
        queue_in_front(l);
}

/* Before anything where a goroutine goes no further when its run has ended: the threads live on. */
static __attribute__((noinline)) void wake_threads(struct rn_ready_list *l)
{
    struct rn_ready_list others = {.gated = l->gated};
    for (struct rn_g *g = l->first, *after; g; g = after) {
        after = g->link;
        g->link = NULL;
        if (g->kind == RN_G_THREAD)
            ready_thread(g);
        else
            rn__ready_add(&others, g);
    }
    *l = others;
}

void rn__ready_all(struct rn_ready_list *l)
{
    rn__rank_check_none();
    if (__builtin_expect(l->threads, 0))
        wake_threads(l);
    struct rn_g *first = l->first;
    if (!first)
        return;
    if (!first->link) {
        rn__ready(first);
        list_done(l);
        return;
    }
    struct rn_m *m = rn__enter_here();
    rn__queue_list(m, l);
    rn__leave(m);
}

void rn__ready_all_and_park(struct rn_ready_list *l, enum rn_wait why, const void *what)
{
    struct rn_g *first = l->first;
    if (l->n == 1 && !l->threads && !l->gated)
        queue_ready(first, true, true);
    else
        rn__ready_all(l);
    rn__park(why, what);
}

/* m is inside.  fresh: has_fresh. */
static inline __attribute__((always_inline)) void push_yielding(struct rn_m *m, bool fresh)
{
    rn_store_relaxed(&m->g->status, RN_G_RUNNABLE); /* relaxed: for reports */
    rn__put_last(m->p, m->g);
    if (__builtin_expect(fresh, 0))
        m->p->yields = true;
}

/* Who yields alone goes on, and nobody is woken to take it.  Nor is while one watches, where only somebody just woken has
 * its turn now: that is a hand-over (watch.c), after which the one that yields goes on here. */
void rn_yield(void)
{
    struct rn_m *m = rn__m();
    if (__builtin_expect(!m || m->g->kind == RN_G_THREAD, 0)) {
        rn_os_yield();
        return;
    }
    m = enter(m);
    struct rn_p *p = m->p;
    bool fresh = __builtin_expect(rn__has_fresh(p), 0),
         queued = __builtin_expect(fresh || !rn_runq_is_empty_here(&p->runq), 1);
    /* relaxed, both: only the owner writes them. */
    bool alone = !queued && !rn_load_relaxed(&p->next) && (rn_load_relaxed(&p->tick) & p->look) != 0;
    if (__builtin_expect(alone && !m->g->pins && !rn__exploring(), 0)) {
        rn_store_relaxed(&p->tick, rn_load_relaxed(&p->tick) + 1); /* relaxed: as in switch_away */
        rn__leave(m);
        return;
    }
    push_yielding(m, fresh);
    rn__wake_for_next(p, !queued);
    switch_away(m, m->g, rn__next_of_yielding);
}

/* tell: other processors may take the caller at once. */
void rn__yield_to(struct rn_ready_list *l, bool tell)
{
    bool one = l->n == 1 && !l->threads && !l->gated;
    if (!one)
        rn__ready_all(l);
    struct rn_m *m = enter(rn__m());
    if (one) {
        rn__fiber_release(l->first);
        rn_store_relaxed(&l->first->status, RN_G_RUNNABLE); /* relaxed: for reports */
        tell |= !rn__push_next(m->p, l->first);
        list_done(l);
    }
    push_yielding(m, rn__has_fresh(m->p));
    if (tell)
        rn__wake_idle();
    switch_away(m, m->g, rn__next_of_parking);
}

#ifdef RN_EXPLORE
void rn__preempt(void)
{
    struct rn_m *m = rn__enter();
    struct rn_g *g = m->g;
    rn_store_relaxed(&g->status, RN_G_RUNNABLE); /* relaxed: for reports */
    switch_away(m, g, rn__next_of_parking);
}
#endif

/* The spawner of very many goes behind all that it has started. */
void rn__yield_global(struct rn_m *m)
{
    struct rn_g *g = m->g;
    rn_store_relaxed(&g->status, RN_G_RUNNABLE); /* relaxed: for reports */
    rn_add_relaxed(&rn__sched.floods, 1);        /* relaxed: a count */
    rn__push_global(g, g, 1);
    rn__to_loop(m, g, NULL);
    rn__leave(rn__m());
}

uint32_t rn__spin_rounds(void)
{
    enum { ALONE = 4, OTHERS_WAIT = 2, TRY_EVERY = 64 };
    struct rn_sched *s = &rn__sched;
    struct rn_m *m = rn__m();
    if (rn__is_outside(m))
        return ALONE;
    /* relaxed, both: hints. */
    uint32_t unused = rn_load_relaxed(&s->idle_p_n) + rn_load_relaxed(&s->spinning_n);
    if (unused + 2 > rn__procs_used())
        return 0;
    rn__enter_any_soon(m);
    bool others_wait = m->p && rn__p_has_work(m->p);
    rn__leave(m);
    if (!others_wait)
        return ALONE;
    return m->spin_luck || ++m->spins_spared % TRY_EVERY == 0 ? OTHERS_WAIT : 0;
}

void rn__spun(bool gained)
{
    enum { MOST = 8 };
    struct rn_m *m = rn__m();
    if (!m)
        return;
    if (!gained)
        m->spin_luck /= 4;
    else if (m->spin_luck < MOST)
        m->spin_luck++;
}

struct rn_g *rn__self(void)
{
    struct rn_m *m = rn__m();
    return m ? m->g : rn__adopt()->g;
}

struct rn_g *rn__self_or_null(void)
{
    struct rn_m *m = rn__m();
    return m ? m->g : NULL;
}

void rn_pin(void)
{
    if (rn__exploring()) /* there is one thread only */
        return;
    struct rn_m *m = rn__enter();
    struct rn_g *g = m->g;
    if (g->kind == RN_G_GOROUTINE && g->pins++ == 0) {
        g->pinned = m;
        m->locked = g;
    }
    rn__leave(m);
}

void rn_unpin(void)
{
    struct rn_m *m = rn__enter();
    struct rn_g *g = m->g;
    rn__leave(m);
    if (g->kind != RN_G_GOROUTINE || rn__exploring())
        return;
    if (g->pins == 0)
        rn__misuse("rn_unpin without rn_pin");
    if (--g->pins == 0) {
        g->pinned = NULL;
        m->locked = NULL;
    }
}

void rn_blocking_enter(void)
{
    if (rn__exploring()) /* the others wait: who ran meanwhile would be for the kernel to choose */
        return;
    struct rn_m *m = rn__enter();
    if (m->p)
        rn__hand_off(rn__detach(m));
    rn__leave(m);
}

void rn_blocking_leave(void)
{
    if (rn__exploring())
        return;
    rn__leave(rn__enter());
}

void rn_set_name(const char *name)
{
    struct rn_g *g = rn__self();
    g->name = name;
    rn__fiber_name(g);
}

const char *rn__wait_text(enum rn_wait why)
{
    static const char *const text[RN_WAIT_COUNT] = {
        [RN_WAIT_NONE] = "waiting",
        [RN_WAIT_CHAN_RECV] = "chan receive",
        [RN_WAIT_CHAN_SEND] = "chan send",
        [RN_WAIT_CHAN_RECV_NIL] = "chan receive (nil chan)",
        [RN_WAIT_CHAN_SEND_NIL] = "chan send (nil chan)",
        [RN_WAIT_SELECT] = "select",
        [RN_WAIT_SELECT_NONE] = "select (no cases)",
        [RN_WAIT_SLEEP] = "sleep",
        [RN_WAIT_MUTEX] = "sync.Mutex.Lock",
        [RN_WAIT_RWMUTEX_R] = "sync.RWMutex.RLock",
        [RN_WAIT_RWMUTEX_W] = "sync.RWMutex.Lock",
        [RN_WAIT_WAITGROUP] = "sync.WaitGroup.Wait",
        [RN_WAIT_ONCE] = "sync.Once.Do",
        [RN_WAIT_COND] = "sync.Cond.Wait",
        [RN_WAIT_SEMAPHORE] = "semaphore acquire",
        [RN_WAIT_GROUP] = "group wait",
        [RN_WAIT_FLIGHT] = "singleflight wait",
        [RN_WAIT_SCOPE] = "scope end",
        [RN_WAIT_CONTEXT] = "context done",
        [RN_WAIT_IO] = "IO wait",
        [RN_WAIT_SIGNAL] = "signal wait",
        [RN_WAIT_EXTERNAL] = "waiting for the outside",
    };
    return why < RN_WAIT_COUNT && text[why] ? text[why] : "waiting";
}
