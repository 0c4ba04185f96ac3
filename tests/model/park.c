/* Model test of park, ready, yield and the loss of a processor: src/sched/park.c with own.h, next.c, queue.c,
 * loop.c's resume and monitor.c's retake.  Workers are model threads; goroutines have stacks of their
 * own and really move between them, so that a stack that two threads use at once is found.
 *
 * The workers' search for work is the test's own, and spins: idle.c has a test of its own. */
#include "model_workers.h"

#pragma GCC diagnostic ignored "-Wunused-function"
#include "os/lock.c"
#include "sched/loop.c"
#include "sched/monitor.c"
#include "sched/next.c"
#include "sched/park.c"
#include "sched/queue.c"
#include "sched/spill.c"

enum { GOROUTINES = 3 };
#include "model_goroutines.h"

/* ---- what is not used here, or as a caller sees it -------------------------------------------- */

struct rn_m *rn__adopt(void)
{
    model_fail("rn__adopt: here every thread has its record");
}

void rn_panic(const char *format, ...)
{
    model_fail("panic: %s", format);
}

static struct rn_p *handed; /* plain, by the one who takes it away for itself */

void rn__hand_off(struct rn_p *p)
{
    handed = p;
}

struct rn_p *rn__idle_p_get(void)
{
    return NULL;
}

void rn__idle(struct rn_m *m)
{
    (void)m;
    rn_cpu_pause();
}

bool rn__work_somewhere(const struct rn_p *but)
{
    (void)but;
    return false;
}

#define UNUSED(result, name, ...) \
    result name(__VA_ARGS__)      \
    {                             \
        model_fail(#name);        \
    }
UNUSED(void, rn__attach, struct rn_m *m __attribute__((unused)), struct rn_p *p __attribute__((unused)))
UNUSED(void, rn__idle_without, struct rn_m *m __attribute__((unused)))
UNUSED(void, rn__sleep_pinned, struct rn_m *m __attribute__((unused)))
UNUSED(void, rn__give_pinned, struct rn_m *m __attribute__((unused)), struct rn_p *p __attribute__((unused)))
UNUSED(void, rn__retire_p, struct rn_m *m __attribute__((unused)))
UNUSED(void, rn__wake_idle_slow, void)
UNUSED(void, rn__g_put, struct rn_p *p __attribute__((unused)), struct rn_g *g __attribute__((unused)))
UNUSED(void, rn__poll_queued, void)
UNUSED(rn_time, rn__poll, struct rn_ready_list *l __attribute__((unused)), rn_time until __attribute__((unused)))
UNUSED(uint32_t, rn__poll_now, struct rn_m *m __attribute__((unused)), bool through __attribute__((unused)))
UNUSED(void, rn__crowd_look, struct rn_m *m __attribute__((unused)), rn_time now __attribute__((unused)))
UNUSED(void, rn__pace_elsewhere, struct rn_p *p __attribute__((unused)), rn_time now __attribute__((unused)))
UNUSED(bool, rn__pace_alone, struct rn_p *p __attribute__((unused)), uint32_t n __attribute__((unused)))
UNUSED(void, rn__ask_threads, void)
UNUSED(void, rn__fork_refuse, void)
UNUSED(rn_time, rn__timers_first, void)
UNUSED(rn_time, rn__timers_alone, struct rn_m *m __attribute__((unused)))
UNUSED(uint32_t, rn__timers_run, struct rn_m *m __attribute__((unused)), struct rn_p *p __attribute__((unused)),
       rn_time now __attribute__((unused)))
UNUSED(int, rn_os_thread_id, void)
UNUSED(int64_t, rn_os_thread_cpu, pthread_t t __attribute__((unused)))

rn_atomic(int64_t) rn__external_wakers;
rn_atomic(uint32_t) rn__threads_woken;
bool rn__forked_in_run;

rn_time rn__coarse_now(void)
{
    return 1;
}

/* ---- workers -------------------------------------------------------------------------------------- */

static void last_has_ended(void)
{
    rn_store_release(&rn__sched.stopping, 1);
}

static void reset(int workers_n, int procs_n)
{
    goroutines_reset(workers_n, procs_n);
    handed = NULL;
}

/* A worker's loop: what park chose, its own queue, the global one, the others'. */
static void worker_loop(struct rn_m *m)
{
    while (!rn_load_acquire(&rn__sched.stopping)) {
        struct rn_g *g = m->hint;
        m->hint = NULL;
        if (!g && m->p)
            g = rn__next_local(m->p);
        if (!g && m->p)
            g = rn__pop_global(m->p);
        for (uint32_t i = 0; !g && m->p && i < rn__procs_made(); i++)
            if (&rn__procs[i] != m->p && rn_runq_steal_from(&rn__procs[i].runq, &m->p->runq))
                g = rn_runq_pop(&m->p->runq, 2);
        if (g)
            resume(m, g);
        else
            rn_cpu_pause();
    }
}

static void worker(void)
{
    worker_loop(rn__m());
}

/* ---- one waits, the other wakes it ---------------------------------------------------------------- */

/* A place where one goroutine waits for another; plain but for the lock. */
struct place {
    rn_lock lock;
    bool posted;
    struct rn_g *waits;
    int value;
};
static struct place places[2];

static void place_wait(struct place *p)
{
    struct rn_g *self = rn__self();
    rn_lock_take(&p->lock, RN_RANK_CHAN);
    bool posted = p->posted;
    if (!posted)
        p->waits = self;
    rn_lock_release(&p->lock);
    if (!posted)
        rn__park(RN_WAIT_CHAN_RECV, p);
    MODEL_CHECK(p->value == 7 && rn__self() == self);
}

static void place_post(struct place *p)
{
    p->value = 7;
    rn_lock_take(&p->lock, RN_RANK_CHAN);
    p->posted = true;
    struct rn_g *g = p->waits;
    rn_lock_release(&p->lock);
    if (g)
        rn__ready(g);
}

/* Where others know that it waits before it wakes anybody. */
static void place_post_and_wait(struct place *to, struct place *at)
{
    struct rn_g *self = rn__self();
    struct rn_ready_list wake = {0};
    rn_lock_take(&at->lock, RN_RANK_CHAN);
    bool posted = at->posted;
    if (!posted)
        at->waits = self;
    rn_lock_release(&at->lock);
    to->value = 7;
    rn_lock_take(&to->lock, RN_RANK_CHAN);
    to->posted = true;
    if (to->waits)
        rn__ready_add(&wake, to->waits);
    rn_lock_release(&to->lock);
    if (!posted)
        rn__ready_all_and_park(&wake, RN_WAIT_CHAN_RECV, at);
    else
        rn__ready_all(&wake);
    MODEL_CHECK(at->value == 7 && rn__self() == self);
}

static void wait_0(void)
{
    place_wait(&places[0]);
}

static void post_0(void)
{
    place_post(&places[0]);
}

static void post_1_wait_0(void)
{
    place_post(&places[1]);
    place_wait(&places[0]);
}

static void post_0_wait_1(void)
{
    place_post(&places[0]);
    place_wait(&places[1]);
}

static void setup_of(void (*f)(void), void (*g)(void))
{
    reset(2, 2);
    memset(places, 0, sizeof places);
    memset(gs, 0, sizeof gs);
    add(0, f, 0);
    add(1, g, 1);
}

static void setup_wake(void)
{
    setup_of(wait_0, post_0);
}

static void setup_cross(void)
{
    setup_of(post_1_wait_0, post_0_wait_1);
}

MODEL_TEST(park_and_ready, .setup = setup_wake, .thread = {worker, worker}, .finish = all_ran, .preemptions = 4);
/* Each is woken by the other, which is on its way out: nobody waits for ever for a stack. */
MODEL_TEST(wake_each_other, .setup = setup_cross, .thread = {worker, worker}, .finish = all_ran, .preemptions = 4);
MODEL_MUTANT(park_and_ready, "arrived", "store_release");
MODEL_MUTANT(wake_each_other, "resume", "load_acquire &g->on_cpu");

/* Who wakes switches to whom it has woken, and is queued itself, which the other worker may take before it has left. */
static void post_0_yield_to(void)
{
    struct place *p = &places[0];
    struct rn_ready_list wake = {0};
    p->value = 7;
    rn_lock_take(&p->lock, RN_RANK_CHAN);
    p->posted = true;
    if (p->waits)
        rn__ready_add(&wake, p->waits);
    rn_lock_release(&p->lock);
    rn__yield_to(&wake, false);
}

static void setup_yield_to(void)
{
    setup_of(wait_0, post_0_yield_to);
}

MODEL_TEST(yield_to_whom_it_wakes, .setup = setup_yield_to, .thread = {worker, worker}, .finish = all_ran,
           .preemptions = 2);

/* Each wakes the other and parks, in whose queue it may be already, and be woken there, on its way. */
static void post_1_and_wait_0(void)
{
    place_post_and_wait(&places[1], &places[0]);
}

static void post_0_and_wait_1(void)
{
    place_post_and_wait(&places[0], &places[1]);
}

static void setup_post_and_wait(void)
{
    setup_of(post_1_and_wait_0, post_0_and_wait_1);
}

MODEL_TEST(wake_each_other_and_park, .setup = setup_post_and_wait, .thread = {worker, worker}, .finish = all_ran,
           .preemptions = 2);

/* One that yields is taken by the other worker before it has left. */
static void yields(void)
{
    rn_yield();
}

static void nothing(void)
{
}

static void setup_yield(void)
{
    reset(2, 2);
    memset(gs, 0, sizeof gs);
    add(0, yields, 0);
    add(1, nothing, 0);
}

MODEL_TEST(yield_is_stolen, .setup = setup_yield, .thread = {worker, worker}, .finish = all_ran, .preemptions = 2);

/* ---- a processor is taken away -------------------------------------------------------------------- */

/* The monitor takes worker 0's processor while its goroutine is in user code, and gives it to worker 1,
 * which goes on with what was queued; the goroutine finds out when it next enters the runtime. */
static void long_then_yield(void)
{
    rn_yield();
}

static void setup_retake(void)
{
    reset(2, 1);
    memset(gs, 0, sizeof gs);
    add(0, long_then_yield, 0);
    add(1, nothing, 0);
}

static void monitor_then_worker(void)
{
    struct rn_m *m = rn__m();
    if (retake(&rn__procs[0])) {
        m->p = handed;
        rn_store_relaxed(&m->p->m, m);
    }
    worker_loop(m);
}

MODEL_TEST(processor_is_retaken, .setup = setup_retake, .thread = {worker, monitor_then_worker}, .finish = all_ran,
           .preemptions = 2);
MODEL_MUTANT(processor_is_retaken, "rn_os_fence_heavy", "fence_heavy");
MODEL_MUTANT(processor_is_retaken, "rn_own_try_enter", "fence_light");
MODEL_MUTANT(processor_is_retaken, "rn_own_leave", "store_release");

/* The same while it waits for another. */
static void setup_retake_wait(void)
{
    reset(2, 1);
    memset(places, 0, sizeof places);
    memset(gs, 0, sizeof gs);
    add(0, wait_0, 0);
    add(1, post_0, 0);
}

MODEL_TEST(processor_is_retaken_before_park, .setup = setup_retake_wait, .thread = {worker, monitor_then_worker},
           .finish = all_ran, .preemptions = 2);

/* ---- ready while one stands in a queue oneself ------------------------------------------------------ */

/* As rn_cond_wait: queues itself, then wakes somebody (the mutex's next), then parks.  It has lost its
 * processor before, and a plain thread may wake it meanwhile. */
static rn_atomic(struct rn_p *) free_p;

static void queue_ready_park(void)
{
    struct place *p = &places[0];
    struct rn_m *m = rn__m();
    m->p = NULL; /* as retake does */
    rn_store_release(&free_p, &rn__procs[0]);
    rn_lock_take(&p->lock, RN_RANK_CHAN);
    bool posted = p->posted;
    if (!posted)
        p->waits = rn__self();
    rn_lock_release(&p->lock);
    rn__ready(&gs[1].g);
    if (!posted)
        rn__park(RN_WAIT_COND, p);
    MODEL_CHECK(p->value == 7);
}

static void worker_with_free_p(void)
{
    struct rn_m *m = rn__m();
    while ((m->p = rn_load_acquire(&free_p)) == NULL)
        rn_cpu_pause();
    worker_loop(m);
}

static void plain_thread(void)
{
    place_post(&places[0]);
}

static void setup_queue_ready_park(void)
{
    reset(2, 1);
    memset(places, 0, sizeof places);
    memset(gs, 0, sizeof gs);
    rn_store_relaxed(&free_p, NULL);
    add(0, queue_ready_park, 0);
    add(1, nothing, 0);
    rn__procs[0].runq = (struct rn_runq){0};
    rn_runq_push(&rn__procs[0].runq, &gs[0].g);
    workers[2] = (struct rn_m){.g = &workers[2].g0, .external = true};
    workers[2].g0.kind = RN_G_THREAD;
    model_m[2] = &workers[2];
}

MODEL_TEST(ready_while_queued, .setup = setup_queue_ready_park, .thread = {worker, worker_with_free_p, plain_thread},
           .finish = all_ran, .preemptions = 1);

/* ---- the end of a run --------------------------------------------------------------------------------- */

/* A goroutine that enters the runtime after stop goes no further, also when the monitor wanted its
 * processor at the same moment. */
static rn_atomic(uint32_t) stopped;

static void enters_after_stop(void)
{
    while (!rn_load_acquire(&stopped))
        rn_cpu_pause();
    rn_yield();
    model_fail("a goroutine went on after stop");
}

/* As stop_workers (start.c). */
static void stopper(void)
{
    rn_lock_take(&rn__sched.lock, RN_RANK_SCHED);
    rn_store_release(&rn__sched.stopping, 1);
    rn_own_stop(&workers[0].own);
    rn_lock_release(&rn__sched.lock);
    rn_store_release(&stopped, 1);
}

static void monitor(void)
{
    (void)retake(&rn__procs[0]);
}

static void setup_stop(void)
{
    reset(1, 1);
    memset(gs, 0, sizeof gs);
    rn_store_relaxed(&stopped, 0);
    add(0, enters_after_stop, 0);
    model_m[1] = model_m[2] = NULL;
}

static void has_stopped(void)
{
    MODEL_CHECK(gs[0].ran == 0);
}

MODEL_TEST(stop_beside_retake, .setup = setup_stop, .thread = {worker, monitor, stopper}, .finish = has_stopped,
           .preemptions = 3);
