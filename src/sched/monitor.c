/* The monitor: a thread without a processor that takes processors away from goroutines which keep
 * them too long while others wait (SEMANTICS 4; Go's sysmon).
 *
 * User code in C can't be interrupted, and need not be: the goroutine keeps its thread and goes on
 * without a processor, and queues for one when it next enters the runtime. How long is too long:
 *  - a thread that used no processor time since the last look, and does not wait for its turn on one, is
 *    blocked in the kernel: at once;
 *  - one that computes: 10 ms (Go's time slice), or 1 ms when a timer is overdue.
 *
 * It looks every 20 µs for 50 looks after it has taken one; otherwise the pause doubles up to 10 ms, or
 * to 1 ms while timers are pending, all processors are idle, or one is while another is left alone (pace.c), and is once 50 µs when that one seems to compute (missed.c).
 * When it has found every processor idle at 20 looks one after the other it sleeps until one is not, and begins with 20 µs again.  Rejected: to sleep
 * at the first such look; a server is idle some thousand times in a second, and a wake-up of the monitor each time
 * was 6 % of what it did. */
#include "base/hooks.h"
#include "sched/choice.h"
#include <errno.h>

enum {
    PAUSE_MIN = 20,      /* µs */
    PAUSE_MAX = 10000,   /* µs */
    PAUSE_TIMERS = 1000, /* µs */
    PAUSE_SOON = 50,     /* µs */
    LOOKS = 50,
    IDLE_LOOKS = 20,
    SLICE = 10,      /* ms */
    SLICE_TIMER = 1, /* ms */
};

/* Is a timer due that p's worker would see to: p's own, or one that is left on a processor out of use? */
static bool timer_waits(struct rn_p *p, rn_time now)
{
    bool due = rn_load_relaxed(&p->timers_next) <= now; /* relaxed, all: as in others_wait */
    for (uint32_t i = rn__procs_used(); i < rn__procs_made() && !due; i++)
        due = rn_load_relaxed(&rn__procs[i].timers_next) <= now;
    return due;
}

static bool others_wait(struct rn_p *p, rn_time now, bool *timer)
{
    /* relaxed, all: hints; a wrong one costs a hand-off or a later look. */
    *timer = timer_waits(p, now);
    if (*timer || rn__p_has_work(p))
        return true;
    return rn__shared_work() && rn_load_relaxed(&rn__sched.idle_p_n) == 0;
}

/* Takes p from its worker and gives it to another. */
static bool retake(struct rn_p *p)
{
    struct rn_m *m = rn__borrow(p);
    if (!m)
        return false;
    rn__detach(m);
    rn_own_give_up(&m->own);
    rn__hand_off(p);
    return true;
}

static void note(struct rn_p *p, uint32_t tick, rn_time now)
{
    p->seen_tick = tick;
    p->seen_at = now;
    p->seen_cpu = -1;
}

/* One processor; true when it was taken. */
static bool look_at(struct rn_p *p, rn_time now)
{
    struct rn_m *m = rn_load_acquire(&p->m); /* as in rn__borrow */
    uint32_t tick = rn_load_relaxed(&p->tick);
    bool timer;
    if (!m || tick != p->seen_tick) {
        note(p, tick, now);
        return false;
    }
    rn_duration stuck = now - p->seen_at;
    if (rn_load_relaxed(&m->own.inside) || !others_wait(p, now, &timer))
        return false;
    int64_t cpu = rn_os_thread_cpu(m->thread), used = cpu - p->seen_cpu;
    bool blocked = p->seen_cpu >= 0 && cpu >= 0 && used == 0 && stuck >= PAUSE_MIN * RN_MICROSECOND &&
                   rn_os_thread_is_blocked(rn_load_relaxed(&m->tid)); /* relaxed: a number */
    p->seen_cpu = cpu;
    if (!blocked && stuck < (timer ? SLICE_TIMER : SLICE) * RN_MILLISECOND)
        return false;
    note(p, tick, now);
    return retake(p);
}

/* Newest first is unfair while more are started all the time: when the oldest has waited for a time slice, it has its
 * turn.  One in a slice where those that wait become more by that, as in a tree, where it is best to finish first what
 * has been begun; twice as many each time where they don't. */
static void look_at_fresh(struct rn_p *p, rn_time now)
{
    enum { MOST = 64 };
    struct rn_sched *s = &rn__sched;
    /* relaxed, all: hints. */
    uint32_t spilled = rn_load_relaxed(&s->spilled_n), waiting = rn_deque_length(&p->fresh) + spilled;
    uint32_t oldest = spilled ? rn_load_relaxed(&s->spilled_from) : rn_load_relaxed(&p->fresh.head);
    if (oldest != p->seen_oldest || waiting == 0) {
        p->seen_oldest = oldest;
        p->seen_oldest_at = now;
        if (waiting == 0)
            p->old_quota = 0;
    } else if (now - p->seen_oldest_at >= SLICE * RN_MILLISECOND) {
        uint32_t twice = p->old_quota * 2;
        p->old_quota = waiting > p->seen_fresh || twice == 0 ? 1 : twice < MOST ? twice : MOST;
        p->seen_fresh = waiting;
        p->seen_oldest_at = now;
        rn_store_relaxed(&p->old_due, p->old_quota);
    }
}

void rn__monitor_wake_locked(void)
{
    rn_lock_assert_held(&rn__sched.lock);
    rn__sched.monitor_asleep = false;
    /* release: pairs with the acquire in sleep_while_idle. */
    rn_store_release(&rn__sched.monitor_word, 0);
    rn_os_futex_wake(&rn__sched.monitor_word, 1);
}

/* With every processor idle: until one is taken, the run ends, or the moment is there. */
static bool sleep_while_idle(rn_time until)
{
    struct rn_sched *s = &rn__sched;
    rn_lock_take(&s->lock, RN_RANK_SCHED);
    /* relaxed, all: changed under the lock. */
    bool idle = rn__all_rest() && !rn_load_relaxed(&s->stopping) && !rn_load_relaxed(&s->worker_wanted);
    if (idle) {
        s->monitor_asleep = true;
        rn_store_relaxed(&s->monitor_word, 1); /* relaxed: under the lock */
    }
    rn_lock_release(&s->lock);
    /* acquire: pairs with the release in rn__monitor_wake_locked. */
    while (idle && rn_load_acquire(&s->monitor_word) == 1)
        if (rn_os_futex_wait(&s->monitor_word, 1, until) == -ETIMEDOUT) {
            rn_lock_take(&s->lock, RN_RANK_SCHED);
            s->monitor_asleep = false;
            rn_store_relaxed(&s->monitor_word, 0); /* relaxed: under the lock */
            rn_lock_release(&s->lock);
        }
    return idle;
}

/* A worker, where no thread could be had, or not from there (start.c, no_worker). */
static void start_wanted(void)
{
    struct rn_sched *s = &rn__sched;
    /* relaxed: a hint.  acquire: pairs with the release in no_worker, whose processor is seen to be idle then; and at once,
     * since who asks meanwhile asks anew. */
    if (rn_load_relaxed(&s->worker_wanted) && rn_xchg_acquire(&s->worker_wanted, 0))
        rn__wake_idle();
}

/* Descriptors, when every worker has been busy for long. */
static void poll_if_nobody_does(rn_time now)
{
    enum { EVERY = 10 }; /* ms */
    struct rn_sched *s = &rn__sched;
    /* relaxed, all: hints. */
    if (rn_load_relaxed(&rn__external_wakers) == 0 || rn_load_relaxed(&s->poll_until) != INT64_MIN ||
        now - rn_load_relaxed(&s->polled_at) < EVERY * RN_MILLISECOND)
        return;
    struct rn_ready_list wake = {0};
    rn__poll(&wake, 0);
    if (wake.first)
        rn__queue_polled(NULL, &wake);
}

/* True while there are stacks to trim, now or later. */
static bool trim_stacks(rn_time now)
{
    enum { EVERY = 100 }; /* ms */
    static rn_time last;
    static bool more;
    if (now - last >= EVERY * RN_MILLISECOND || now < last || (more && rn__stacks_tight())) {
        last = now;
        more = rn__stacks_trim(now);
    }
    return more;
}

static uint32_t next_pause(uint32_t pause, uint32_t looks, bool soon, rn_time now)
{
    if (looks <= LOOKS)
        return PAUSE_MIN;
    if (soon)
        return PAUSE_SOON;
    pause *= 2;
    uint32_t max = PAUSE_MAX;
    rn_time first = rn__timers_first();
    bool alone = rn_load_relaxed(&rn__sched.idle_p_n) != 0 && rn__pace_somebody_looks(); /* relaxed: a hint */
    if (alone || rn__all_rest() || (first != INT64_MAX && first - now < PAUSE_MAX * RN_MICROSECOND))
        max = PAUSE_TIMERS;
    return pause < max ? pause : max;
}

void *rn__monitor(void *arg)
{
    (void)arg;
    struct rn_sched *s = &rn__sched;
    uint32_t pause = PAUSE_MIN, looks = LOOKS, idle_looks = 0;
    bool active = true;                                   /* goroutines may have run since the last look */
    rn_store_relaxed(&s->monitor_tid, rn_os_thread_id()); /* relaxed: a number */
    while (!rn_load_acquire(&s->stopping)) {              /* acquire: pairs with the release in stop_workers */
        rn_os_nap(pause * RN_MICROSECOND);
        rn_time now = rn__choose_now();
        rn_store_relaxed(&s->coarse, now); /* relaxed: a moment */
        bool took = false;
        for (uint32_t i = 0; i < rn__procs_made(); i++) {
            look_at_fresh(&rn__procs[i], now);
            took |= look_at(&rn__procs[i], now);
        }
        bool soon = rn__missed_look(now);
        start_wanted();
        rn__shortage_look(now);
        poll_if_nobody_does(now);
        rn_time again = rn__hooks.answer_request ? rn__hooks.answer_request() : INT64_MAX;
        bool trims = trim_stacks(now);
        bool urgent;
        rn_time hibernates = rn__hib_look(now, active, &urgent);
        looks = took || urgent ? 0 : looks + 1;
        pause = next_pause(pause, looks, soon, now);
        active = true;
        idle_looks = rn__all_rest() ? idle_looks + 1 : 0;
        if (!trims && idle_looks >= IDLE_LOOKS && sleep_while_idle(again < hibernates ? again : hibernates)) {
            active = rn_os_now() < hibernates; /* else nobody has run meanwhile: no need to wait for idleness again */
            pause = PAUSE_MIN;
            idle_looks = active ? 0 : IDLE_LOOKS;
        }
    }
    return NULL;
}
