/* Model test of how workers come and go: src/sched/{start,loop,idle,park,queue,monitor}.c.  Threads that can't be had or
 * come late, more and fewer processors, goroutines that are pinned to a worker, calls that block, and the end of a run beside
 * these.
 *
 * Nobody looks for queued work again later, as the monitor does: who sleeps while something waits sleeps for ever, and
 * that is a deadlock here. */
#define _GNU_SOURCE
#define RN_WATCH_STUCK 0
#define RN_WATCH_NAPS 1u
#include "model_workers.h"

/* In place of pthreads'. */
#define pthread_self() ((pthread_t)model_self())
#define pthread_setspecific(key, value) ((void)(key), (void)(value))
#define pthread_key_create(key, f) ((void)(key), (void)(f), 0)
#define pthread_key_delete(key) ((void)(key))
#define pthread_once(once, f) ((void)(once), (f)())
#define pthread_getattr_np(thread, attr) ((void)(thread), (void)(attr), 1)
#define pthread_join(thread, value) model_join(thread)
static void model_join(pthread_t thread);

#pragma GCC diagnostic ignored "-Wunused-function"
#include "os/lock.c"
#include "sched/idle.c"
#include "sched/loop.c"
#include "sched/monitor.c"
#include "sched/next.c"
#include "sched/park.c"
#include "sched/queue.c"
#include "sched/spill.c"
#include "sched/start.c"
#include "sched/watch.c"
#include "sched/poll.c"

enum { GOROUTINES = 2 };
#include "model_goroutines.h"

/* ---- threads ------------------------------------------------------------------------------------ */

/* A thread of the model that rn_os_thread_start may start. */
struct spare {
    struct model_token begin;
    void *(*f)(void *);
    void *arg;
};
static struct spare spares[MODEL_THREADS];
static int spare_from, spare_to; /* those that are left; under sched.lock */
static int refusals;             /* so many starts may fail, if the model likes; under sched.lock */

int rn_os_thread_start(pthread_t *t, void *(*f)(void *), void *arg, const char *name)
{
    (void)name;
    if (spare_from == spare_to)
        return -EAGAIN;
    if (refusals > 0 && model_choose(2) == 1) {
        refusals--;
        return -EAGAIN;
    }
    struct spare *s = &spares[spare_from];
    s->f = f;
    s->arg = arg;
    *t = (pthread_t)spare_from++;
    model_post(&s->begin, "a thread's begin");
    return 0;
}

static void spare(void)
{
    struct spare *s = &spares[model_self()];
    model_wait(&s->begin, "a thread's begin");
    if (!s->f)
        return;
    struct rn_m *m = s->arg;
    model_m[model_self()] = m;
    stack_used(&m->g0);
    m->loop_tick = m->spin_rounds = 1; /* one round: the model has enough to do */
    s->f(m);
}

/* At a run's end nobody starts any more. */
static void spares_end(void)
{
    while (spare_from < spare_to)
        model_post(&spares[spare_from++].begin, "a thread's begin");
}

static void model_join(pthread_t thread)
{
    (void)thread;
    model_fail("pthread_join");
}

/* ---- what is not used here, or as a caller sees it ---------------------------------------------- */

static __attribute__((used)) void never_called(void)
{
    model_fail("called what does not belong here");
}

#define NEVER(name) __asm__(".globl " #name "\n.set " #name ", never_called")
NEVER(rn__crowd_begin);
NEVER(rn__crowd_look);
NEVER(rn__ask_threads);
NEVER(rn__deadlock_report);
NEVER(rn__debug_start);
NEVER(rn__debug_stop);
NEVER(rn__fork_refuse);
NEVER(rn__g_put);
NEVER(rn__g_release_all);
NEVER(rn__goroutines_each);
NEVER(rn__missed_look);
NEVER(rn__pace_alone);
NEVER(rn__pace_elsewhere);
NEVER(rn__pace_somebody_looks);
NEVER(rn__panics_drop);
NEVER(rn__panic_free);
NEVER(rn__panics_settle);
NEVER(rn__poll_begin);
NEVER(rn__poll_end);
NEVER(rn__shortage_look);
NEVER(rn__solo_drop);
NEVER(rn__stacks_tight);
NEVER(rn__stacks_trim);
NEVER(rn__tally_drop);
NEVER(rn__timers_alone);
NEVER(rn__timers_forget);
NEVER(rn__timers_run);
NEVER(rn_os_exit);
NEVER(rn_os_poll_close);
NEVER(rn_os_processors);
NEVER(rn_os_thread_cpu);
NEVER(rn_os_thread_is_blocked);
NEVER(rn_os_write_stderr);
NEVER(rn_panic);
NEVER(rn_strerror);

rn_atomic(int64_t) rn__external_wakers;
rn_atomic(uint32_t) rn__threads_woken;
struct rn_hooks rn__hooks;
bool rn__forked_in_run;

void rn__fork_expect(void)
{
}

enum rn_asleep rn__ask_deadlock(void)
{
    return RN_ASLEEP_NO;
}

rn_time rn__coarse_now(void)
{
    return 1;
}

rn_time rn__timers_first(void)
{
    return INT64_MAX;
}

void rn__pace_begin(struct rn_p *p, rn_time now)
{
    (void)p, (void)now;
}

void rn__pace_look(struct rn_m *m, rn_time now, bool through)
{
    (void)m, (void)now, (void)through;
}

void rn__p_init(struct rn_p *p, uint32_t id)
{
    *p = (struct rn_p){.id = id, .look = RN_PACE_LOOK - 1};
    rn_store_relaxed(&p->timers_next, INT64_MAX);
}

int rn_os_thread_id(void)
{
    return model_self() + 1;
}

void rn_os_entropy(void *p, size_t bytes)
{
    memset(p, 0, bytes);
}

void rn_os_init(void)
{
}

int rn_os_altstack_set(void)
{
    return 0;
}

void rn_os_altstack_drop(void)
{
}

int64_t rn_os_timer_slack(int64_t ns)
{
    return ns;
}

/* ---- goroutines and workers --------------------------------------------------------------------- */

static void last_has_ended(void)
{
    stop_workers();
}

/* workers_n of them exist; the model's threads from `from` to `to` may be started. */
static void reset(int workers_n, int procs_n, int from, int to)
{
    goroutines_reset(workers_n, procs_n);
    for (int i = 0; i < workers_n; i++) {
        workers[i].spin_rounds = workers[i].loop_tick = 1;
        rn_store_relaxed(&workers[i].tid, i + 1);
    }
    memset(spares, 0, sizeof spares);
    spare_from = from;
    spare_to = to;
    refusals = 0;
    idle_p_taken = 0;
    rn__retired_forget();
    rn__gate = (struct rn_gate){0};
    rn_gate_open(&rn__gate);
}

/* A thread that is a worker from the start, and what ends a run. */
static void worker_thread(void)
{
    rn__loop(rn__m());
}

static void first_worker(void)
{
    rn__loop(rn__m());
    shut_out_threads();
    spares_end();
}

/* The monitor, as far as workers are concerned. */
static void monitor(void)
{
    while (!rn_load_acquire(&rn__sched.stopping)) {
        start_wanted();
        if (!sleep_while_idle(INT64_MAX))
            rn_os_nap(0);
    }
}

/* One goroutine waits until the other has been here. */
static struct place {
    rn_lock lock;
    bool posted;
    struct rn_g *waits;
} place;

static void waits(void)
{
    rn_lock_take(&place.lock, RN_RANK_CHAN);
    bool posted = place.posted;
    if (!posted)
        place.waits = rn__self();
    rn_lock_release(&place.lock);
    if (!posted)
        rn__park(RN_WAIT_CHAN_RECV, &place);
}

static void posts(void)
{
    rn_lock_take(&place.lock, RN_RANK_CHAN);
    place.posted = true;
    struct rn_g *g = place.waits;
    rn_lock_release(&place.lock);
    if (g)
        rn__ready(g);
}

static void nothing(void)
{
}

/* ---- pinned goroutines, and calls that block ---------------------------------------------------- */

/* f on its thread. */
static void pinned(void (*f)(void))
{
    rn_pin();
    struct rn_m *here = rn__m();
    f();
    MODEL_CHECK(rn__m() == here && here->locked == rn__self());
    rn_unpin();
}

static void blocks(void)
{
    rn_blocking_enter();
    rn_blocking_leave();
}

static void pinned_blocks(void)
{
    pinned(blocks);
}

static void pinned_yields(void)
{
    pinned(rn_yield);
}

static void pinned_waits(void)
{
    pinned(waits);
}

/* One processor, two workers; the second has none. */
static void setup_one(void (*f)(void), void (*g)(void))
{
    reset(2, 1, 0, 0);
    place = (struct place){0};
    add(0, f, 0);
    if (g)
        add(1, g, 0);
}

static void setup_blocks(void)
{
    setup_one(blocks, NULL);
}

static void setup_pinned_blocks(void)
{
    setup_one(pinned_blocks, NULL);
}

static void setup_pinned_yields(void)
{
    setup_one(pinned_yields, nothing);
}

/* Whose call is over while the processor that it has left becomes idle: one of the two sees the other. */
MODEL_TEST(call_ends_beside_one_that_falls_idle, .setup = setup_blocks, .thread = {first_worker, worker_thread},
           .finish = all_ran, .preemptions = 1);
MODEL_TEST(pinned_call_ends_beside_one_that_falls_idle, .setup = setup_pinned_blocks,
           .thread = {first_worker, worker_thread}, .finish = all_ran, .sample = 4000);
MODEL_TEST(pinned_yields, .setup = setup_pinned_yields, .thread = {first_worker, worker_thread}, .finish = all_ran,
           .sample = 4000);
/* The monitor takes the processor away meanwhile. */
static void retaker(void)
{
    (void)retake(&rn__procs[0]);
}

MODEL_TEST(pinned_call_beside_retake, .setup = setup_pinned_blocks, .thread = {first_worker, worker_thread, retaker},
           .finish = all_ran, .sample = 4000);

/* ---- a thread that can't be had, or comes late --------------------------------------------------- */

/* There is one worker, which may not start another since its goroutine is pinned. */
static void setup_wanted(void (*f)(void), void (*g)(void), int threads)
{
    reset(1, 1, 2, 2 + threads);
    place = (struct place){0};
    refusals = 1;
    add(0, f, 0);
    add(1, g, 0);
}

static void setup_worker_is_wanted(void)
{
    setup_wanted(pinned_waits, posts, 1);
}

static void setup_no_thread(void)
{
    setup_wanted(pinned_yields, pinned_yields, 0);
}

MODEL_TEST(worker_is_wanted, .setup = setup_worker_is_wanted, .thread = {first_worker, monitor, spare},
           .finish = all_ran, .sample = 4000);
MODEL_MUTANT(worker_is_wanted, "start_wanted", "xchg_acquire");
MODEL_MUTANT(worker_is_wanted, "no_worker", "store_release");
MODEL_TEST(no_thread_but_the_pinned, .setup = setup_no_thread, .thread = {first_worker, monitor}, .finish = all_ran,
           .sample = 4000);

/* ---- fewer and more processors ------------------------------------------------------------------- */

static void set_one(void)
{
    MODEL_CHECK(rn_set_procs(1) == 0);
}

static void set_two(void)
{
    MODEL_CHECK(rn_set_procs(2) == 0);
}

static void sets_one_and_waits(void)
{
    set_one();
    waits();
}

static void yields_and_posts(void)
{
    rn_yield();
    posts();
}

static void setup_fewer(void)
{
    reset(2, 2, 0, 0);
    place = (struct place){0};
    add(0, sets_one_and_waits, 0);
    add(1, yields_and_posts, 1);
}

static void setup_fewer_beside(void)
{
    setup_fewer();
    gs[0].f = waits;
}

static void one_is_left(void)
{
    all_ran();
    MODEL_CHECK(rn__procs_used() == 1 && rn__procs_made() == 2 && rn_load_relaxed(&rn__sched.retired_n) <= 1);
}

MODEL_TEST(fewer, .setup = setup_fewer, .thread = {first_worker, worker_thread}, .finish = one_is_left, .sample = 4000);
MODEL_TEST(fewer_by_a_thread, .setup = setup_fewer_beside, .thread = {first_worker, worker_thread, set_one},
           .finish = all_ran, .sample = 4000);

/* The second processor is out of use; who waits for it is started, and the one that runs computes until then. */
static rn_atomic(uint32_t) helped;

static void helps(void)
{
    rn_store_release(&helped, 1);
}

static void computes(void)
{
    while (!rn_load_acquire(&helped))
        rn_cpu_pause();
}

static void setup_more(void)
{
    reset(1, 1, 3, 4);
    rn_store_relaxed(&helped, 0);
    add(0, computes, 0);
    add(1, helps, 0);
}

MODEL_TEST(more_by_a_thread, .setup = setup_more, .thread = {first_worker, set_two, monitor, spare}, .finish = all_ran,
           .sample = 4000);

/* A run ends meanwhile: what belongs to it is let alone from then on. */
static void setup_end(void)
{
    reset(1, 1, 0, 0);
    add(0, nothing, 0);
}

static void worker_that_forgets(void)
{
    first_worker();
    rn__sched.idle_p = NULL; /* as the next run (rn__run_prepare) */
    rn__procs[1] = (struct rn_p){0};
    rn_store_relaxed(&rn__sched.procs_made, 0);
}

MODEL_TEST(more_beside_the_end, .setup = setup_end, .thread = {worker_that_forgets, set_two}, .finish = all_ran,
           .sample = 4000);
