/* Model test of timers, src/sched/timers.c, and of the poller that sleeps until the first of them
 * (idle.c): a new timer is not slept through, and a stopped one is not touched. */
#include "model_workers.h"

#include "os/lock.c"
#include "base/wheel.c"
#include "sched/idle.c"
#include "sched/pace.c"
#include "sched/poll.c"
#include "sched/queue.c"
#include "sched/spill.c"
#include "sched/timers.c"
#include "sched/watch.c"

rn_atomic(int64_t) rn__external_wakers;
rn_atomic(uint32_t) rn__threads_woken;

enum rn_asleep rn__ask_deadlock(void)
{
    return RN_ASLEEP_NO;
}

void rn__deadlock_report(void)
{
    model_fail("deadlock reported");
}

void rn__worker_start(struct rn_p *p, bool spinning)
{
    (void)p, (void)spinning;
    model_fail("rn__worker_start: here every worker exists");
}

void rn__monitor_wake_locked(void)
{
    model_fail("rn__monitor_wake_locked");
}

void rn__queue_list(struct rn_m *m, struct rn_ready_list *l)
{
    (void)m, (void)l;
    model_fail("rn__queue_list");
}

int64_t rn_os_thread_preempted(void)
{
    return 0;
}

void rn__queue_paced(struct rn_m *m, struct rn_ready_list *l)
{
    rn__queue_list(m, l);
}

struct rn_g *rn__next_local(struct rn_p *p)
{
    return rn_runq_pop(&p->runq, 2);
}

/* The callers here are in the runtime all the time. */
struct rn_m *rn__enter_here(void)
{
    return rn__m();
}

struct rn_m *rn__enter_any(struct rn_m *m)
{
    return m;
}

void rn__threads_look(void)
{
    model_fail("rn__threads_look: a run is under way");
}

struct rn_g *rn__g_of_address(const void *addr)
{
    (void)addr;
    model_fail("rn__g_of_address: no run ends here");
}

void rn__goroutines_each(void (*f)(struct rn_g *g, void *arg), void *arg)
{
    (void)f, (void)arg;
    model_fail("rn__goroutines_each: as above");
}

struct rn_m *rn__adopt(void)
{
    model_fail("rn__adopt: here every thread has its record");
}

/* ---- a new timer ---------------------------------------------------------------------------- */

enum { DEADLINE = 1000 * 1000 }; /* the clock starts before it */
static struct rn_timer_entry *timer;
static int fired, stopped; /* plain */
static rn_atomic(uint32_t) over;

static rn_time fire(struct rn_timer_entry *t, rn_time now, struct rn_ready_list *wake)
{
    (void)wake;
    MODEL_CHECK(t == timer && now >= t->wheel.when);
    fired++;
    rn_store_release(&over, 1);
    return 0;
}

static void setup(int workers_n)
{
    workers_reset(workers_n, workers_n);
    for (int i = 0; i < workers_n; i++)
        rn__p_init(&rn__procs[i], (uint32_t)i);
    for (int i = 0; i < workers_n; i++)
        rn_store_relaxed(&rn__procs[i].m, &workers[i]);
    timer = malloc(sizeof *timer);
    *timer = (struct rn_timer_entry){.fire = fire};
    fired = stopped = 0;
    rn_store_relaxed(&over, 0);
}

static void setup_two(void)
{
    setup(2);
}

static void starter(void)
{
    rn__timer_start(timer, DEADLINE);
}

/* A worker with nothing to do but timers. */
static void worker(void)
{
    struct rn_m *m = rn__m();
    while (!rn_load_acquire(&over)) {
        for (uint32_t i = 0; i < rn__procs_made(); i++)
            if (rn_load_relaxed(&rn__procs[i].timers_next) <= rn__choose_now())
                rn__timers_run(m, &rn__procs[i], rn__choose_now());
        if (rn_load_acquire(&over))
            break;
        rn__idle(m);
        if (m->spinning)
            rn_sub_acq_rel(&rn__sched.spinning_n, 1);
        m->spinning = false;
    }
}

static void fired_once(void)
{
    MODEL_CHECK(fired == 1 && !rn_load_relaxed(&timer->p));
}

MODEL_TEST(new_timer_is_not_slept_through, .setup = setup_two, .thread = {worker, starter}, .finish = fired_once);
MODEL_MUTANT(new_timer_is_not_slept_through, "rn_os_fence_heavy", "fence_heavy");
MODEL_MUTANT(new_timer_is_not_slept_through, "started", "fence_light");

/* ---- stop beside fire ------------------------------------------------------------------------- */

/* In processor 0, and due. */
static void setup_due(void)
{
    setup(2);
    model_m[MODEL_THREADS] = &workers[0];
    rn__timer_start(timer, DEADLINE);
    clock_reaches(2 * DEADLINE);
}

static void runner(void)
{
    rn__timers_run(rn__m(), &rn__procs[0], rn__choose_now());
}

/* When stop returns, fire is not running and will not run: the entry may be freed. */
static void stopper(void)
{
    stopped = rn__timer_stop(timer);
    int before = fired;
    MODEL_CHECK(stopped + before == 1);
    free(timer);
}

static void one_of_both(void)
{
    MODEL_CHECK(stopped + fired == 1);
}

MODEL_TEST(stop_beside_fire, .setup = setup_due, .thread = {runner, stopper}, .finish = one_of_both);
MODEL_MUTANT(stop_beside_fire, "lock_timers_of", "load_acquire");
MODEL_MUTANT(stop_beside_fire, "fire_one", "store_release");

/* ---- stop beside reset -------------------------------------------------------------------------- */

/* In processor 0, and far from due. */
static void setup_pending(void)
{
    setup(2);
    model_m[MODEL_THREADS] = &workers[0];
    rn__timer_start(timer, 2 * DEADLINE);
}

static void resetter(void)
{
    if (!rn__timer_move(timer, 3 * DEADLINE))
        rn__timer_start(timer, 3 * DEADLINE); /* in processor 0's wheel or, of the second thread, 1's */
}

static void idle_stopper(void)
{
    stopped = rn__timer_stop(timer);
}

/* Whoever was last, the timer is in one wheel with its new deadline, or in none. */
static void in_one_wheel(void)
{
    struct rn_p *p = rn_load_relaxed(&timer->p);
    MODEL_CHECK(stopped == 1 &&
                (!p || (timer->wheel.when == 3 * DEADLINE && rn_wheel_next(&p->wheel) <= 3 * DEADLINE)));
}

MODEL_TEST(stop_beside_reset, .setup = setup_pending, .thread = {idle_stopper, resetter}, .finish = in_one_wheel);
MODEL_MUTANT(stop_beside_reset, "rn__timer_stop", "store_release");
MODEL_MUTANT(stop_beside_reset, "lock_timers_of", "load_acquire");
