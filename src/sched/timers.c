/* Timers: every processor has a timing wheel (base/wheel.h) under a lock of its own.
 *
 * What always holds, with p->timers_lock held:
 *  - an entry's `p` is p exactly while it is in p's wheel or its fire runs; so a stop that takes the
 *    lock and finds p unchanged removes it, and one that reads NULL knows that fire is over;
 *  - p->timers_next is not after the first deadline.
 *
 * Who sees to it that a timer fires in time: the owner of p, each time it looks for work and every
 * 64 switches; a worker that looks for work, for every processor; the sleeping poller, whose
 * deadline is the first of all timers (rn__timer_start wakes it when a new one comes before); and the
 * monitor, when p's goroutine computes for long.  While no run is under way: the plain threads that wait.
 *
 * Once 64 were woken at one look these run before more fire: ten million timers that are due together, each with a
 * goroutine of its own to start, would take 44 GB if all were started first.  A worker looks again after 64
 * resumptions, or when it has nothing else, so that those whom timers wake still run before others. */
#include "sched/rt.h"
#include "sched/choice.h"
#include <string.h>

static inline void publish_next(struct rn_p *p)
{
    /* relaxed: ordered before the load of poll_until by the light fence in started. */
    rn_store_relaxed(&p->timers_next, rn_wheel_next(&p->wheel));
}

void rn__wheel_broken(const struct rn_wheel_entry *e)
{
    rn_fatal("timer: the memory of one that is pending (%p%s) was used for something else: rn_timer_destroy, or "
             "rn_timer_stop, before its variable or block is gone",
             (const void *)e, rn__g_of_address(e) ? ", on a goroutine's stack" : "");
}

static struct rn_p *home(struct rn_m *m)
{
    return m->p ? m->p : &rn__procs[0];
}

/* The poller may sleep past a deadline that is new. */
static inline void started(rn_time when)
{
    /* pairs with the heavy fence in rn__idle: either it sees timers_next, or this sees poll_until.  And with the one in
     * rn__run_wait: either the threads that look then see it, or this sees that the run has ended. */
    rn_fence_light();
    if (__builtin_expect(!rn__run_under_way(), 0)) {
        rn__threads_look();
        return;
    }
    if (__builtin_expect(when < rn_load_relaxed(&rn__sched.poll_until), 0))
        rn_os_poll_wake();
}

static void note_when(struct rn_p *p, rn_time when)
{
    if (when < rn_load_relaxed(&p->timers_next))
        rn_store_relaxed(&p->timers_next, when); /* relaxed: as in publish_next */
}

/* A timer of "never" is one, too: it holds back the deadlock report. */
static inline rn_time moment(rn_time when)
{
    return when < RN_LAST_MOMENT ? when : RN_LAST_MOMENT;
}

static void add_locked(struct rn_p *p, struct rn_timer_entry *t, rn_time when)
{
    rn_lock_assert_held(&p->timers_lock);
    t->wheel.when = when = moment(when);
    rn_wheel_add(&p->wheel, &t->wheel);
    /* release: pairs with the acquire in rn__timer_stop. */
    rn_store_release(&t->p, p);
    note_when(p, when);
}

struct rn_m *rn__timer_begin(void)
{
    return rn__enter_here();
}

static inline void start_begun(struct rn_m *m, struct rn_timer_entry *t, rn_time when)
{
    struct rn_p *p = home(m);
    rn_lock_take(&p->timers_lock, RN_RANK_TIMERS);
    t->by_thread = m->external;
    add_locked(p, t, when);
    rn_lock_release(&p->timers_lock);
    started(when);
    rn__leave(m);
}

void rn__timer_start_begun(struct rn_m *m, struct rn_timer_entry *t, rn_time when)
{
    start_begun(m, t, when);
}

void rn__timer_start(struct rn_timer_entry *t, rn_time when)
{
    start_begun(rn__timer_begin(), t, when);
}

/* Locks the timers that t is in; NULL, and nothing locked, when in none. */
static inline struct rn_p *lock_timers_of(struct rn_timer_entry *t)
{
    struct rn_p *p;
    /* acquire: pairs with the releases in add_locked and fire_one. */
    while ((p = rn_load_acquire(&t->p)) != NULL) {
        rn_lock_take(&p->timers_lock, RN_RANK_TIMERS);
        if (rn_load_relaxed(&t->p) == p) /* relaxed: under the lock that guards it */
            break;
        rn_lock_release(&p->timers_lock);
    }
    return p;
}

bool rn__timer_stop(struct rn_timer_entry *t)
{
    struct rn_p *p = lock_timers_of(t);
    if (!p)
        return false;
    rn_wheel_remove(&p->wheel, &t->wheel);
    /* release: pairs with the acquire in lock_timers_of of one who resets it meanwhile, and finds it in no wheel. */
    rn_store_release(&t->p, NULL);
    rn_lock_release(&p->timers_lock);
    return true;
}

bool rn__timer_move(struct rn_timer_entry *t, rn_time when)
{
    struct rn_p *p = lock_timers_of(t);
    if (!p)
        return false;
    rn_wheel_move(&p->wheel, &t->wheel, moment(when));
    note_when(p, moment(when));
    rn_lock_release(&p->timers_lock);
    started(when);
    return true;
}

static void fire_one(struct rn_p *p, struct rn_timer_entry *t, rn_time now, struct rn_ready_list *wake)
{
    if (__builtin_expect(rn_load_relaxed(&t->p) != p, 0)) /* relaxed: under the lock that guards it */
        rn__wheel_broken(&t->wheel);
    rn_time again = t->fire(t, now, wake);
    if (again)
        add_locked(p, t, again);
    /* A goroutine that was woken by t is not queued before the lock is dropped, so t still exists. */
    else
        rn_store_release(&t->p, NULL); /* pairs with the acquire in lock_timers_of */
}

#ifdef RN_EXPLORE
/* Those of one moment fire in any order, and some perhaps only when those woken by others have run. */
static uint32_t fire_in_some_order(struct rn_p *p, rn_time now, struct rn_ready_list *wake)
{
    enum { MOST = 64 };
    struct rn_timer_entry *due[MOST];
    uint32_t n = 0, fired = 0;
    for (struct rn_wheel_entry *e; n < MOST && (e = rn_wheel_expire(&p->wheel, now)) != NULL;)
        due[n++] = rn_container(e, struct rn_timer_entry, wheel);
    while (n && (fired == 0 || rn__explore_index(RN_AT_TIME, 2) == 0)) {
        uint32_t i = rn__explore_index(RN_AT_TIME, n);
        fire_one(p, due[i], now, wake);
        fired++;
        for (n--; i < n; i++)
            due[i] = due[i + 1];
    }
    for (uint32_t i = 0; i < n; i++)
        add_locked(p, due[i], due[i]->wheel.when);
    return fired;
}
#endif

/* Fires what is due, until it has woken WAKE; true when there may be more that is due. */
static bool fire_some(struct rn_p *p, rn_time now, struct rn_ready_list *wake, uint32_t *fired)
{
    enum { BATCH = 128, WAKE = RN_TIMERS_WAKE }; /* fired under one hold of the lock */
    struct rn_wheel_entry *e = NULL;
    uint32_t n = 0;
    while (n < BATCH && wake->n < WAKE && (e = rn_wheel_expire(&p->wheel, now)) != NULL) {
        fire_one(p, rn_container(e, struct rn_timer_entry, wheel), now, wake);
        n++;
    }
    *fired += n;
    return e && wake->n < WAKE;
}

/* A processor that gets on fast with whom timers wake is left alone with them (pace.c). */
static void queue_woken(struct rn_m *m, struct rn_ready_list *wake, rn_time now)
{
    bool paced = m->p && m->g == &m->g0;
    if (paced)
        rn__pace_look(m, now, !rn__p_has_work(m->p));
    if (!wake->first)
        return;
    if (paced)
        rn__queue_paced(m, wake);
    else
        rn__queue_list(m, wake);
}

static uint32_t fire_due(struct rn_p *p, rn_time now, struct rn_ready_list *wake)
{
    uint32_t fired = 0;
    bool more = false;
    do {
        rn_lock_take(&p->timers_lock, RN_RANK_TIMERS);
#ifdef RN_EXPLORE
        if (rn__exploring())
            fired = fire_in_some_order(p, now, wake);
        else
#endif
            more = fire_some(p, now, wake, &fired);
        publish_next(p);
        rn_lock_release(&p->timers_lock);
    } while (more);
    return fired;
}

void rn__timers_run_outside(rn_time now)
{
    struct rn_ready_list wake = {0};
    rn_add_relaxed(&rn__external_wakers, 1);
    /* pairs with the acquire in will_be_woken (deadlock.c): who asks and finds a timer gone finds this to wake somebody. */
    rn_fence_seq_cst();
    for (uint32_t i = 0; i < rn__procs_made(); i++)
        if (rn_load_relaxed(&rn__procs[i].timers_next) <= now) /* relaxed: a hint; the lock decides */
            fire_due(&rn__procs[i], now, &wake);
    if (wake.first)
        rn__queue_polled(NULL, &wake);
    else
        rn__poll_queued();
}

uint32_t rn__timers_run(struct rn_m *m, struct rn_p *p, rn_time now)
{
    struct rn_ready_list wake = {0};
    uint32_t fired = fire_due(p, now, &wake);
    if (m->p) {
        m->p->timers_woke_many = wake.n >= RN_TIMERS_WAKE;
        m->p->timers_tick = rn_load_relaxed(&m->p->tick); /* relaxed: only the owner writes it */
    }
    queue_woken(m, &wake, now);
    return fired;
}

static struct {
    void (*f)(void *);
    void *arg;
} left; /* rn__timer_alone's; guarded by the first processor's timers_lock */

void rn__timer_alone(void (*f)(void *), void *arg)
{
    left.f = f;
    left.arg = arg;
}

/* With no lock held. */
static void do_what_is_left(struct rn_p *p)
{
    rn__rank_check_none();
    rn_lock_take(&p->timers_lock, RN_RANK_TIMERS);
    void (*f)(void *) = left.f;
    void *arg = left.arg;
    left.f = NULL;
    rn_lock_release(&p->timers_lock);
    if (f)
        f(arg);
}

/* Who asks whether all threads sleep finds the timer; or m running; or, when m was seen asleep before, the count changed. */
static void fire_alone(struct rn_m *m, struct rn_p *p, rn_time now)
{
    rn_store_relaxed(&m->g0.status, RN_G_RUNNING); /* relaxed: published by the next */
    rn_add_release(&rn__threads_woken, 1);         /* pairs with the acquires in rn__ask_threads */
    rn__enter_any(m);
    rn__timers_run(m, p, now);
    rn__leave(m);
    do_what_is_left(p);
    rn_store_relaxed(&m->g0.status, RN_G_WAITING); /* relaxed: as in rn__park */
    rn_fence_seq_cst(); /* as the one in park_thread: rn__threads_look passes over who does not wait */
}

rn_time rn__timers_alone(struct rn_m *m)
{
    if (rn__run_under_way())
        return INT64_MAX;
    struct rn_p *p = &rn__procs[0];
    rn_time now = rn__choose_now();
    if (rn_load_relaxed(&p->timers_next) <= now) /* relaxed: 0 at first; see rn__threads_look */
        fire_alone(m, p, now);
    return rn_load_relaxed(&p->timers_next);
}

bool rn__timers_outside(void)
{
    struct rn_p *p = &rn__procs[0];
    rn_lock_take(&p->timers_lock, RN_RANK_TIMERS);
    bool some = p->wheel.count != 0;
    rn_lock_release(&p->timers_lock);
    return some;
}

rn_time rn__timers_first(void)
{
    rn_time first = INT64_MAX;
    for (uint32_t i = 0; i < rn__procs_made(); i++) {
        /* relaxed: after the caller's heavy fence, which pairs with the light one in `started`. */
        rn_time next = rn_load_relaxed(&rn__procs[i].timers_next);
        if (next < first)
            first = next;
    }
    return first;
}

static bool is_awaited(struct rn_wheel_entry *e, void *arg)
{
    (void)arg;
    struct rn_timer_entry *t = rn_container(e, struct rn_timer_entry, wheel);
    return !t->awaited || t->awaited(t);
}

bool rn__timers_awaited(void)
{
    bool awaited = false;
    for (uint32_t i = 0; i < rn__procs_made() && !awaited; i++) {
        struct rn_p *p = &rn__procs[i];
        rn_lock_take(&p->timers_lock, RN_RANK_TIMERS);
        awaited = rn_wheel_any(&p->wheel, is_awaited, NULL);
        rn_lock_release(&p->timers_lock);
    }
    return awaited;
}

/* ---- a wait with a deadline -------------------------------------------------------------------- */

static rn_time timeout_fire(struct rn_timer_entry *e, rn_time now, struct rn_ready_list *wake)
{
    (void)now;
    struct rn_timeout *t = rn_container(e, struct rn_timeout, entry);
    if (rn__waiter_claim(&t->w)) {
        t->w.ok = false;
        t->w.g->woken_by = &t->w;
        rn__ready_add(wake, t->w.g);
    }
    return 0;
}

void rn__timeout_start(struct rn_timeout *t, rn_time when)
{
    t->entry = (struct rn_timer_entry){.fire = timeout_fire, .kind = RN_TIMER_LIMIT};
    t->w.g->flags |= RN_G_TIMED;
    rn__timer_start(&t->entry, when);
}

void rn__timeout_stop(struct rn_timeout *t)
{
    rn__timeout_over(t);
    rn__timer_stop(&t->entry);
}

/* ---- a run's beginning and end --------------------------------------------------------------------- */

/* Timers that plain threads set before the run stay, and fire in it: those of the first processor.  The
 * others nobody knows yet; their timers' lock is not taken, since rn_set_procs holds a later one.  timers_next is left to
 * publish_next: a plain thread that waits may just be letting its timers fire, with the lock. */
void rn__p_init(struct rn_p *p, uint32_t id)
{
    enum { AFTER_TIMERS = offsetof(struct rn_p, timers_tick) };
    memset(p, 0, offsetof(struct rn_p, timers_lock));
    memset((char *)p + AFTER_TIMERS, 0, sizeof *p - AFTER_TIMERS);
    p->id = id;
    if (id == 0)
        rn_lock_take(&p->timers_lock, RN_RANK_TIMERS);
    if (p->wheel.count == 0)
        rn_wheel_init(&p->wheel, rn__choose_now());
    publish_next(p);
    if (id == 0)
        rn_lock_release(&p->timers_lock);
}

static struct rn_timer_entry *entry_of_node(struct rn_node *n)
{
    return rn_container(rn_container(n, struct rn_wheel_entry, node), struct rn_timer_entry, wheel);
}

static void forget_one(struct rn_timer_entry *t)
{
    rn_store_release(&t->p, NULL); /* as in fire_one */
}

/* Forgets those of a list that lie on g's stack, of a size of its own. */
static void forget_on_stack(struct rn_g *g, void *arg)
{
    struct rn_list *l = arg;
    for (struct rn_node *n = g->flags & RN_G_OWN_STACK ? l->first : NULL, *next; n; n = next) {
        next = n->next;
        if ((char *)n < g->stack_lo || (char *)n >= g->stack_hi)
            continue;
        rn_list_remove(l, n);
        forget_one(entry_of_node(n));
    }
}

/* A plain thread has started it, and it may fire when the goroutines' memory is gone. */
static bool outlives_the_run(struct rn_timer_entry *t)
{
    struct rn_g *g = t->by_thread ? rn__g_of_address(t) : NULL;
    return t->by_thread && !(g && rn__is_goroutine(g));
}

/* With the lock.  Those that stay are in the first processor's timers already: home. */
static void forget_locked(struct rn_p *p)
{
    rn_lock_assert_held(&p->timers_lock);
    struct rn_list stay = {0};
    for (struct rn_wheel_entry *e; (e = rn_wheel_expire(&p->wheel, INT64_MAX)) != NULL;) {
        struct rn_timer_entry *t = rn_container(e, struct rn_timer_entry, wheel);
        if (outlives_the_run(t))
            rn_list_push(&stay, &e->node);
        else
            forget_one(t);
    }
    if (stay.first)
        rn__goroutines_each(forget_on_stack, &stay);
    rn_wheel_init(&p->wheel, rn__choose_now());
    for (struct rn_node *n; (n = rn_list_pop(&stay)) != NULL;)
        rn_wheel_add(&p->wheel, &entry_of_node(n)->wheel);
    publish_next(p);
}

void rn__timers_forget(void)
{
    for (uint32_t i = 0; i < rn__procs_made(); i++) {
        struct rn_p *p = &rn__procs[i];
        rn_lock_take(&p->timers_lock, RN_RANK_TIMERS);
        forget_locked(p);
        rn_lock_release(&p->timers_lock);
    }
}
