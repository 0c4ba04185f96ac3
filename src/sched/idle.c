/* Idle workers and how they are woken.
 *
 * A worker that finds nothing makes its processor idle, joins the idle workers, executes a heavy
 * fence, looks at every queue once more, and only then sleeps; so does whoever else makes a processor idle
 * (rn__hand_off), before it goes on. Whoever queues work executes a light
 * fence and reads idle_p_n and spinning_n (rn__wake_idle). Either the worker's last look sees the work,
 * or the one who queued it sees the idle processor: no wake-up is lost.
 *
 * spinning_n counts workers that look for work and have not found any. While it is not 0 nobody is woken,
 * since a spinning worker that finds nothing looks at everything once more after it has stopped counting itself. One that
 * finds work, and was the last, wakes another if it sees more (loop.c, stop_spinning). (Go, proc.go, "Worker thread
 * parking/unparking".)
 *
 * One idle worker is the poller: it sleeps in rn_os_poll_wait, until the first timer of all. It is
 * woken by descriptors, by rn__timer_start for an earlier deadline, and when work comes and no other
 * worker sleeps.  It stays the poller until it has really left, which it says itself: two in
 * rn_os_poll_wait would take each other's wake-ups.  Who became idle meanwhile takes its place.  A poller that
 * comes back with something to do while every processor is busy leaves as well: busy workers look at descriptors and
 * timers between their goroutines, and need not wait for the kernel to run another thread first.  There is
 * none then until a processor becomes idle, or the monitor finds that nobody has looked for a while.
 *
 * Under sched.lock: idle_p, idle_m, poller, m->given, and the change of a processor's worker when it is idle.
 * Model test: tests/model/idle.c.
 */
#include "sched/choice.h"
#include <errno.h>

/* ---- processors ---------------------------------------------------------------------------------- */

/* Processors that rn_set_procs has taken out of use; under sched.lock. */
static struct rn_p *retired;

static void retire_locked(struct rn_p *p)
{
    rn_lock_assert_held(&rn__sched.lock);
    struct rn_sched *s = &rn__sched;
    p->idle_link = retired;
    retired = p;
    rn_store_relaxed(&s->retired_n, rn_load_relaxed(&s->retired_n) + 1); /* relaxed: a hint, or under the lock */
}

/* One that is out of use is no idle processor: nobody would be right to wake a worker for it. */
void rn__idle_p_put_locked(struct rn_p *p)
{
    rn_lock_assert_held(&rn__sched.lock);
    struct rn_sched *s = &rn__sched;
    if (p->id >= rn__procs_used()) {
        retire_locked(p);
        return;
    }
    p->idle_link = s->idle_p;
    s->idle_p = p;
    /* relaxed: ordered by the fences of the protocol above. */
    rn_store_relaxed(&s->idle_p_n, rn_load_relaxed(&s->idle_p_n) + 1);
}

/* How often a processor has ceased to be idle; under sched.lock.  While it stays the same and all are
 * idle, no goroutine has run. */
static uint64_t idle_p_taken;

static struct rn_p *idle_p_get_locked(void)
{
    rn_lock_assert_held(&rn__sched.lock);
    struct rn_sched *s = &rn__sched;
    struct rn_p *p = s->idle_p;
    if (p) {
        idle_p_taken++;
        s->idle_p = p->idle_link;
        rn_store_relaxed(&s->idle_p_n, rn_load_relaxed(&s->idle_p_n) - 1); /* relaxed: as above */
        if (s->monitor_asleep)
            rn__monitor_wake_locked();
    }
    return p;
}

struct rn_p *rn__idle_p_get(void)
{
    if (rn_load_relaxed(&rn__sched.idle_p_n) == 0) /* relaxed: the caller queues itself if not */
        return NULL;
    rn_lock_take(&rn__sched.lock, RN_RANK_SCHED);
    struct rn_p *p = idle_p_get_locked();
    rn_lock_release(&rn__sched.lock);
    return p;
}

void rn__attach(struct rn_m *m, struct rn_p *p)
{
    m->p = p;
    rn_store_release(&p->m, m); /* pairs with the acquire in rn__borrow: who looks at p's worker finds its record */
    rn__pace_begin(p, rn__choose_now());
}

static void spinning_less(void)
{
    /* acq_rel: before the last look at the queues; see the head. */
    rn_sub_acq_rel(&rn__sched.spinning_n, 1);
}

/* ---- fewer and more processors --------------------------------------------------------------------- */

/* m's processor is one too many: what it has to run goes to the others.  Its timers stay, and are
 * looked at like all. */
void rn__retire_p(struct rn_m *m)
{
    struct rn_p *p = m->p;
    rn__give_all(p);
    if (m->hint) {
        rn__push_global(m->hint, m->hint, 1);
        m->hint = NULL;
    }
    rn_lock_take(&rn__sched.lock, RN_RANK_SCHED);
    rn__idle_p_put_locked(rn__detach(m));
    rn_lock_release(&rn__sched.lock);
    if (m->spinning)
        spinning_less();
    m->spinning = false;
    rn__wake_idle();
}

void rn__retired_forget(void)
{
    retired = NULL;
    rn_store_relaxed(&rn__sched.retired_n, 0); /* relaxed: as above */
}

void rn__sort_procs_locked(void)
{
    rn_lock_assert_held(&rn__sched.lock);
    struct rn_sched *s = &rn__sched;
    struct rn_p *list = retired, *p;
    rn__retired_forget();
    for (struct rn_p **at = &s->idle_p; (p = *at) != NULL;)
        if (p->id < rn__procs_used()) {
            at = &p->idle_link;
        } else {
            *at = p->idle_link;
            rn_store_relaxed(&s->idle_p_n, rn_load_relaxed(&s->idle_p_n) - 1); /* relaxed, both: as above */
            p->idle_link = list;
            list = p;
        }
    while ((p = list) != NULL) {
        list = p->idle_link;
        rn__idle_p_put_locked(p);
    }
}

/* ---- workers ------------------------------------------------------------------------------------- */

static void idle_m_remove_locked(struct rn_m *m)
{
    rn_lock_assert_held(&rn__sched.lock);
    struct rn_sched *s = &rn__sched;
    for (struct rn_m **at = &s->idle_m; *at; at = &(*at)->idle_link)
        if (*at == m) {
            *at = m->idle_link;
            s->idle_m_n--;
            return;
        }
}

/* Wakes m, which sleeps as `polling` says (read with the lock held). */
static void worker_notify(struct rn_m *m, bool polling)
{
    /* release: pairs with the acquire in sleep_on_wake; publishes m->given. */
    rn_store_release(&m->wake, 1);
    if (polling)
        rn_os_poll_wake();
    else
        rn_os_futex_wake(&m->wake, 1);
}

void rn__workers_wake_all(void)
{
    struct rn_sched *s = &rn__sched;
    for (struct rn_m *m = s->all_m; m; m = m->all_link)
        if (!m->external) {
            rn_store_release(&m->wake, 1); /* pairs with the acquire in sleep_on_wake */
            rn_os_futex_wake(&m->wake, 1);
        }
    rn_os_poll_wake();
}

/* The poller, unless it has a processor already and is about to leave. */
static struct rn_m *sleeping_poller_locked(void)
{
    rn_lock_assert_held(&rn__sched.lock);
    struct rn_m *m = rn__sched.poller;
    return m && !m->given ? m : NULL;
}

/* Gives p to an idle worker, or to a new one; unlocks. */
static void give_unlock(struct rn_p *p, bool spinning)
{
    struct rn_sched *s = &rn__sched;
    struct rn_m *m = s->idle_m ? s->idle_m : sleeping_poller_locked();
    if (!m) {
        rn_lock_release(&s->lock);
        rn__worker_start(p, spinning);
        return;
    }
    if (m != s->poller)
        idle_m_remove_locked(m);
    m->given = p;
    m->spinning = spinning;
    bool polling = m->polling;
    rn_lock_release(&s->lock);
    worker_notify(m, polling);
}

void rn__wake_idle_slow(void)
{
    uint32_t none = 0;
    /* acq_rel: one waker at a time; the rest rely on the worker that it wakes. */
    if (!rn_cas_acq_rel(&rn__sched.spinning_n, &none, 1))
        return;
    rn_lock_take(&rn__sched.lock, RN_RANK_SCHED);
    struct rn_p *p = idle_p_get_locked();
    if (p) {
        give_unlock(p, true);
        return;
    }
    rn_lock_release(&rn__sched.lock);
    spinning_less();
}

void rn__hand_off(struct rn_p *p)
{
    struct rn_sched *s = &rn__sched;
    bool work = rn__p_has_work(p) || rn__shared_work();
    rn_lock_take(&s->lock, RN_RANK_SCHED);
    /* Somebody must sleep for the timers; and with no work the last idle worker asks about deadlock. */
    if (work || !sleeping_poller_locked() || rn__resting_procs() + 1 == rn__procs_made()) {
        give_unlock(p, false);
        return;
    }
    rn__idle_p_put_locked(p);
    rn_lock_release(&s->lock);
    rn_os_fence_heavy(); /* as in sleep_idle: who queued something and found no processor idle has told nobody */
    if (rn__work_somewhere(NULL))
        rn__wake_idle();
}

/* ---- sleeping ------------------------------------------------------------------------------------ */

bool rn__work_at(struct rn_p *p)
{
    /* relaxed, all: after the heavy fence, or a hint. */
    return rn_runq_length(&p->runq) != 0 || rn_deque_length(&p->fresh) != 0 ||
           (!rn_load_relaxed(&rn__sched.watcher) && rn__waits_here(p) != NULL);
}

bool rn__work_somewhere(const struct rn_p *but)
{
    if (rn__shared_work()) /* relaxed: as above */
        return true;
    for (uint32_t i = 0; i < rn__procs_made(); i++)
        if (&rn__procs[i] != but && rn__work_at(&rn__procs[i]))
            return true;
    return false;
}

/* Sleeps until m->wake, or `until`. */
static void sleep_on_wake(struct rn_m *m, rn_time until)
{
    /* acquire: pairs with the release in worker_notify. */
    while (rn_load_acquire(&m->wake) == 0)
        if (rn_os_futex_wait(&m->wake, 0, until) == -ETIMEDOUT)
            return;
}

/* When the poller is to wake for timers.  Where it has just done so others may wait for TOGETHER, to be woken for together:
 * that the poller wakes, and sleeps again, takes more than 10 µs of processor time.  (With 100 goroutines that sleep for 1 ms
 * again and again: 11 µs a sleep without it, 9 with it; and they are less late, since the processors are freer.) */
static rn_time timers_due(void)
{
    enum { TOGETHER = 100 }; /* µs */
    rn_time first = rn__timers_first(), together = rn__sched.woke_for_timers + TOGETHER * RN_MICROSECOND;
    return first > together ? first : together;
}

static void sleep_in_poller(struct rn_m *m, rn_time until)
{
    enum { OVERDUE_NAP = 500 }; /* µs; every processor is busy, and the monitor sees to the timer */
    struct rn_sched *s = &rn__sched;
    rn_time due = timers_due(), now = rn__choose_now();
    if (due <= now && rn_load_relaxed(&s->idle_p_n) != 0) { /* relaxed: a hint; it is taken under the lock */
        s->woke_for_timers = now;                           /* it became due on our way here */
        return;
    }
    if (due <= now)
        due = now + OVERDUE_NAP * RN_MICROSECOND;
    if (due < until)
        until = due;
    /* relaxed: a timer that was started meanwhile saw INT64_MAX or this, and wakes us if it is
     * before; see rn__idle. */
    rn_store_relaxed(&s->poll_until, until);
    if (rn_load_acquire(&m->wake) == 0) /* acquire: as in sleep_on_wake */
        rn__poll(&m->events, until);
    now = rn__choose_now();
    if (now >= due)
        s->woke_for_timers = now;
    rn_store_relaxed(&s->coarse, now); /* relaxed: a moment */
}

static void idle_m_put_locked(struct rn_m *m)
{
    rn_lock_assert_held(&rn__sched.lock);
    rn__sched.idle_m_n++;
    m->idle_link = rn__sched.idle_m;
    rn__sched.idle_m = m;
}

static void poller_leave_locked(struct rn_m *m)
{
    rn_lock_assert_held(&rn__sched.lock);
    m->polling = false;
    rn__sched.poller = NULL;
    /* relaxed: nobody sleeps there now; seen late, it costs one wake-up. */
    rn_store_relaxed(&rn__sched.poll_until, INT64_MIN);
}

/* Takes what it was given, or, when it may, an idle processor.  True when m is not idle any more:
 * it has a processor, or the run ends.  With the lock. */
static bool wake_up_locked(struct rn_m *m, bool may_take)
{
    rn_lock_assert_held(&rn__sched.lock);
    struct rn_sched *s = &rn__sched;
    struct rn_p *p = m->given;
    /* relaxed: m->given was read under the lock that guards it; if NULL, nobody has to wake m. */
    rn_store_relaxed(&m->wake, 0);
    if (!p && may_take && (p = idle_p_get_locked()) != NULL) {
        m->spinning = true;
        rn_add_acq_rel(&s->spinning_n, 1); /* acq_rel: see the head */
    }
    if (!p && !rn_load_relaxed(&s->stopping))
        return false;
    idle_m_remove_locked(m);
    if (s->poller == m)
        poller_leave_locked(m);
    rn__watch_end_locked(m);
    m->given = NULL;
    if (p)
        rn__attach(m, p);
    return true;
}

static void poller_become_locked(struct rn_m *m)
{
    rn_lock_assert_held(&rn__sched.lock);
    m->polling = true;
    rn__sched.poller = m;
    /* relaxed: before the heavy fence, which pairs with the light one in timers.c. */
    rn_store_relaxed(&rn__sched.poll_until, INT64_MAX);
}

/* relieved: a poller without a processor shall not go on as the poller while all processors are busy. */
static bool wake_up(struct rn_m *m, bool may_take, bool relieved)
{
    struct rn_sched *s = &rn__sched;
    rn_lock_take(&s->lock, RN_RANK_SCHED);
    bool asked = rn_load_relaxed(&m->wake) != 0; /* relaxed: written under the lock */
    bool awake = wake_up_locked(m, may_take);
    bool needed = asked || rn_load_relaxed(&s->idle_p_n) != 0; /* relaxed: under the lock */
    if (!awake && !s->poller && needed) {
        idle_m_remove_locked(m);
        poller_become_locked(m);
    } else if (!awake && s->poller == m && relieved && !needed) {
        poller_leave_locked(m);
        idle_m_put_locked(m);
    }
    if (m->naps == 0 || rn_load_relaxed(&s->idle_p_n) == 0 || rn__all_rest()) /* relaxed: under the lock */
        rn__watch_end_locked(m);
    rn_lock_release(&s->lock);
    return awake;
}

static bool all_asleep(uint64_t *taken)
{
    struct rn_sched *s = &rn__sched;
    rn_lock_take(&s->lock, RN_RANK_SCHED);
    bool asleep = s->idle_m_n + (sleeping_poller_locked() != NULL) + s->pinned_n == s->m_n && !rn__shared_work();
    asleep &= rn__all_rest(); /* one that does not is on its way to a worker */
    *taken = idle_p_taken;
    rn_lock_release(&s->lock);
    return asleep;
}

/* Everybody sleeps: for ever?  Returns until when to sleep before asking again. */
static rn_time ask_deadlock(void)
{
    enum { ASK_AGAIN = 100 }; /* ms: threads that are not ours may have gone by then */
    uint64_t taken, taken_since;
    /* acquire, both: pairs with the release in ready_thread.  A thread that was seen asleep and has since
     * been woken changes it; one that woke a goroutine before it was seen asleep shows in all_asleep, also
     * when that goroutine has by now run, started another thread, and sleeps again. */
    uint32_t woken = rn_load_acquire(&rn__threads_woken);
    if (!all_asleep(&taken))
        return INT64_MAX;
    enum rn_asleep found = rn__ask_deadlock();
    if (found == RN_ASLEEP_YES && all_asleep(&taken_since) && taken == taken_since &&
        rn_load_acquire(&rn__threads_woken) == woken)
        rn__deadlock_report();
    return found == RN_ASLEEP_NO ? INT64_MAX : rn__choose_now() + ASK_AGAIN * RN_MILLISECOND;
}

static void join_idle_locked(struct rn_m *m)
{
    rn_lock_assert_held(&rn__sched.lock);
    struct rn_sched *s = &rn__sched;
    if (!s->poller)
        poller_become_locked(m);
    else
        idle_m_put_locked(m);
}

/* Sleeps once, or has a nap; true when m is not idle any more. */
static bool sleep_once(struct rn_m *m)
{
    enum { NAP = 100 }; /* µs */
    bool work = false, watches = m->naps != 0;
    rn_time until = watches ? rn__choose_now() + NAP * RN_MICROSECOND : ask_deadlock();
    if (m->polling) {
        sleep_in_poller(m, until);
        work = m->events.first || rn__timers_first() <= rn__choose_now();
    } else {
        sleep_on_wake(m, until);
    }
    bool stuck = watches && rn__watch_look(m);
    bool awake = wake_up(m, work || stuck, work);
    if (m->events.first)
        rn__queue_polled(m, &m->events);
    return awake;
}

/* Among the idle already: sleeps until it has a processor, or the run ends. */
static void sleep_idle(struct rn_m *m)
{
    for (;;) {
        bool polling = m->polling;
        if (polling)
            rn_store_relaxed(&rn__sched.poll_until, INT64_MAX); /* relaxed: as in poller_become_locked */
        rn_os_fence_heavy(); /* pairs with the light fence in rn__wake_idle, rn__wake_for_next and timers.c */
        if (wake_up(m, rn__work_somewhere(NULL), false))
            return;
        do
            if (sleep_once(m))
                return;
        while (m->naps && m->polling == polling);
    }
}

void rn__poller_replace(void)
{
    struct rn_sched *s = &rn__sched;
    rn_lock_take(&s->lock, RN_RANK_SCHED);
    if (!s->poller && s->idle_m)
        worker_notify(s->idle_m, false); /* given nothing, it becomes the poller */
    rn_lock_release(&s->lock);
}

void rn__idle(struct rn_m *m)
{
    struct rn_sched *s = &rn__sched;
    rn_lock_take(&s->lock, RN_RANK_SCHED);
    if (rn__shared_work() || rn_load_relaxed(&s->stopping)) {
        rn_lock_release(&s->lock);
        return;
    }
    rn__idle_p_put_locked(rn__detach(m));
    join_idle_locked(m);
    rn__watch_begin_locked(m);
    bool spinning = m->spinning;
    m->spinning = false;
    rn_lock_release(&s->lock);
    if (spinning)
        spinning_less();
    sleep_idle(m);
}

void rn__idle_without(struct rn_m *m)
{
    rn_lock_take(&rn__sched.lock, RN_RANK_SCHED);
    join_idle_locked(m);
    rn_lock_release(&rn__sched.lock);
    sleep_idle(m);
}

static void pinned_awake_locked(struct rn_m *m)
{
    rn_lock_assert_held(&rn__sched.lock);
    rn__sched.pinned_n -= m->sleeps_pinned;
    m->sleeps_pinned = false;
}

/* A worker to whom only its pinned goroutine may come: not among the idle, it waits for its
 * processor from whoever takes that goroutine out of a queue. */
void rn__sleep_pinned(struct rn_m *m)
{
    struct rn_sched *s = &rn__sched;
    rn_lock_take(&s->lock, RN_RANK_SCHED);
    bool given = m->given != NULL;
    if (!given)
        s->pinned_n++;
    m->sleeps_pinned = !given;
    rn_lock_release(&s->lock);
    sleep_on_wake(m, given ? INT64_MAX : ask_deadlock());
    rn_lock_take(&s->lock, RN_RANK_SCHED);
    pinned_awake_locked(m);
    (void)wake_up_locked(m, false);
    rn_lock_release(&s->lock);
}

void rn__give_pinned(struct rn_m *m, struct rn_p *p)
{
    rn_lock_take(&rn__sched.lock, RN_RANK_SCHED);
    m->given = p;
    pinned_awake_locked(m);
    rn_lock_release(&rn__sched.lock);
    worker_notify(m, false);
}
