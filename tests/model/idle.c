/* Model test of idle workers and how they are woken: src/sched/{idle,queue,poll}.c.
 *
 * Somebody queues work and does not run it himself; the worker that is on its way to sleep at that
 * moment, or asleep, must come and take it.  A wake-up that is lost shows as a deadlock. */
#define RN_WATCH_STUCK 0
#define RN_WATCH_NAPS 1u
#include "model_workers.h"

#include "os/lock.c"
#include "sched/idle.c"
#include "sched/poll.c"
#include "sched/queue.c"
#include "sched/spill.c"
#include "sched/watch.c"

rn_atomic(int64_t) rn__external_wakers;
rn_atomic(uint32_t) rn__threads_woken;

/* ---- what is not used here, or as a caller sees it ------------------------------------------ */

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

rn_time rn__timers_first(void)
{
    return INT64_MAX;
}

void rn__queue_list(struct rn_m *m, struct rn_ready_list *l)
{
    (void)m, (void)l;
    model_fail("rn__queue_list");
}

struct rn_g *rn__next_local(struct rn_p *p)
{
    return rn_runq_pop(&p->runq, 1);
}

/* ---- the actors ----------------------------------------------------------------------------- */

static struct rn_g work[3];
static int done[3]; /* plain: written by the worker that runs it */
static rn_atomic(uint32_t) left;

static void reset(int workers_n, int procs_n, int jobs)
{
    workers_reset(workers_n, procs_n);
    for (int i = 0; i < 3; i++) {
        work[i] = (struct rn_g){0};
        done[i] = 0;
    }
    rn_store_relaxed(&left, (uint32_t)jobs);
}

/* As the loop's find: its own queue, the global one, the others', and their `next`. */
static struct rn_g *find(struct rn_m *m)
{
    struct rn_g *g = rn_runq_pop(&m->p->runq, 1);
    if (g || (g = rn__pop_global(m->p)) != NULL)
        return g;
    for (uint32_t i = 0; i < rn__procs_made(); i++)
        if (&rn__procs[i] != m->p && rn_runq_steal_from(&rn__procs[i].runq, &m->p->runq))
            return rn_runq_pop(&m->p->runq, 1);
    while ((g = rn__steal_next(m, true)) == NULL && m->seen.p)
        rn_cpu_pause(); /* its owner is inside */
    return g;
}

static void stop_spinning(struct rn_m *m)
{
    if (!m->spinning)
        return;
    m->spinning = false;
    if (rn_sub_acq_rel(&rn__sched.spinning_n, 1) == 1)
        rn__wake_idle();
}

/* As rn__stop. */
static void stop(void)
{
    struct rn_sched *s = &rn__sched;
    rn_lock_take(&s->lock, RN_RANK_SCHED);
    rn_store_release(&s->stopping, 1);
    rn__workers_wake_all();
    rn_lock_release(&s->lock);
}

/* Who does the last job ends the run. */
static void run(struct rn_g *g)
{
    done[g - work]++;
    if (rn_sub_acq_rel(&left, 1) == 1)
        stop();
}

/* A worker's loop, until all jobs are done. */
static void work_loop(struct rn_m *m)
{
    while (!rn_load_relaxed(&rn__sched.stopping)) {
        struct rn_g *g = m->p ? find(m) : NULL;
        if (!g) {
            if (m->p)
                rn__idle(m);
            else
                rn__idle_without(m);
            continue;
        }
        stop_spinning(m);
        run(g);
    }
}

static void worker(void)
{
    work_loop(rn__m());
}

static void spinning_worker(void)
{
    struct rn_m *m = rn__m();
    m->spinning = true;
    rn_add_acq_rel(&rn__sched.spinning_n, 1);
    work_loop(m);
}

/* A worker whose goroutine readies others and then computes. */
static void push_local(int i)
{
    rn__push_last(rn__m()->p, &work[i]);
    rn__wake_idle();
}

static void pusher(void)
{
    push_local(0);
}

static void pusher_of_two(void)
{
    push_local(0);
    push_local(1);
}

/* The same, when it wakes one alone. */
static void hands_over(void)
{
    struct rn_m *m = rn__m();
    rn__push_next(m->p, &work[0]);
    rn__wake_for_next(m->p, true);
    rn__leave(m);
}

/* A plain thread that readies a goroutine. */
static void outsider(void)
{
    rn__push_global(&work[0], &work[0], 1);
    rn__wake_idle();
}

static void each_once(int jobs)
{
    for (int i = 0; i < jobs; i++)
        MODEL_CHECK(done[i] == 1);
    uint32_t spinning = 0;
    for (int i = 0; i < MODEL_THREADS; i++)
        spinning += workers[i].spinning;
    MODEL_CHECK(rn_load_relaxed(&rn__sched.spinning_n) == spinning);
}

static void one_done(void)
{
    each_once(1);
}

static void two_done(void)
{
    each_once(2);
}

/* T0 goes idle, T1 pushes to its own queue and computes. */
static void setup_pair(void)
{
    reset(2, 2, 1);
}

static void setup_pair_2(void)
{
    reset(2, 2, 2);
}

static void setup_pair_symmetric(void)
{
    reset(2, 2, 1);
    rn__fence_asymmetric = false;
}

MODEL_TEST(work_for_an_idle_worker, .setup = setup_pair, .thread = {worker, pusher}, .finish = one_done);
MODEL_TEST(work_for_a_spinning_worker, .setup = setup_pair, .thread = {spinning_worker, pusher}, .finish = one_done);
MODEL_TEST(work_for_an_idle_worker_without_membarrier, .setup = setup_pair_symmetric,
           .thread = {spinning_worker, pusher}, .finish = one_done, .preemptions = 3);
MODEL_TEST(two_jobs_for_an_idle_worker, .setup = setup_pair_2, .thread = {worker, pusher_of_two}, .finish = two_done,
           .preemptions = 2);
MODEL_MUTANT(work_for_an_idle_worker, "rn_os_fence_heavy", "fence_heavy");
MODEL_MUTANT(work_for_an_idle_worker_without_membarrier, "rn__wake_idle", "fence_seq_cst");

MODEL_TEST(next_for_an_idle_worker, .setup = setup_pair, .thread = {worker, hands_over}, .finish = one_done);
MODEL_TEST(next_for_a_spinning_worker, .setup = setup_pair, .thread = {spinning_worker, hands_over},
           .finish = one_done);
MODEL_TEST(next_without_membarrier, .setup = setup_pair_symmetric, .thread = {worker, hands_over}, .finish = one_done,
           .preemptions = 3);
MODEL_MUTANT(next_for_an_idle_worker, "rn_os_fence_heavy", "fence_heavy");
MODEL_MUTANT(next_without_membarrier, "rn__wake_for_next", "fence_seq_cst");

/* T0 makes one its own while nobody looks, and then computes; another one anybody may take. */
static void setup_own(void)
{
    reset(2, 2, 3);
    for (int i = 0; i < 2; i++)
        (void)rn_runq_push(&rn__procs[0].runq, &work[i]);
}

static void makes_own(void)
{
    struct rn_m *m = rn__m();
    rn__push_last(m->p, &work[2]);
    rn__wake_idle();
    struct rn_g *g = rn_runq_pop(&m->p->runq, rn__nobody_looks() ? 2 : 1);
    if (g)
        run(g);
    rn__leave(m);
}

static void own_done(void)
{
    each_once(3);
}

MODEL_TEST(own_for_an_idle_worker, .setup = setup_own, .thread = {makes_own, worker}, .finish = own_done,
           .preemptions = 1);
MODEL_TEST(own_for_a_spinning_worker, .setup = setup_own, .thread = {makes_own, spinning_worker}, .finish = own_done,
           .preemptions = 1);

/* T0 goes idle, T1 is a plain thread. */
static void setup_outsider(void)
{
    reset(1, 1, 1);
}

MODEL_TEST(work_from_outside, .setup = setup_outsider, .thread = {worker, outsider}, .finish = one_done,
           .preemptions = 4);
MODEL_TEST(work_from_outside_while_spinning, .setup = setup_outsider, .thread = {spinning_worker, outsider},
           .finish = one_done, .preemptions = 4);

/* Two workers go idle (one becomes the poller), a plain thread queues. */
MODEL_TEST(work_for_two_idle_workers, .setup = setup_pair, .thread = {worker, worker, outsider}, .finish = one_done,
           .preemptions = 1);
