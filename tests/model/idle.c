/* Model test of idle workers and how they are woken, and of those that stand aside:
 * src/sched/{idle,queue,poll,pace,missed,crowd}.c.
 *
 * Somebody queues work and does not run it himself; the worker that is on its way to sleep at that
 * moment, or asleep, must come and take it.  A wake-up that is lost shows as a deadlock. */
#define RN_WATCH_STUCK 0
#define RN_WATCH_NAPS 1u
#include "model_workers.h"

#include "os/lock.c"
#include "sched/crowd.c"
#include "sched/idle.c"
#include "sched/missed.c"
#include "sched/pace.c"
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

/* Here every worker exists; but who wakes one when the run has ended finds none that sleeps. */
void rn__worker_start(struct rn_p *p, bool spinning)
{
    struct rn_sched *s = &rn__sched;
    if (spinning)
        rn_sub_acq_rel(&s->spinning_n, 1);
    rn_lock_take(&s->lock, RN_RANK_SCHED);
    MODEL_CHECK(rn_load_relaxed(&s->stopping));
    rn__idle_p_put_locked(p);
    rn_lock_release(&s->lock);
}

void rn__monitor_wake_locked(void)
{
    model_fail("rn__monitor_wake_locked");
}

rn_time rn__timers_first(void)
{
    return INT64_MAX;
}

int64_t rn_os_thread_preempted(void)
{
    return 0;
}

int64_t rn_os_thread_cpu(pthread_t thread)
{
    (void)thread;
    return -1; /* can't be asked: a millisecond has to pass */
}

/* As park.c's, of one goroutine, which goes into the ring. */
void rn__queue_paced(struct rn_m *m, struct rn_ready_list *l)
{
    struct rn_g *g = l->first;
    if (!m->p) {
        rn__push_front(g, g, 1);
        rn__wake_idle();
        return;
    }
    bool alone = rn__pace_alone(m->p, 1);
    rn__push_last(m->p, g);
    if (!alone)
        rn__wake_idle();
}

struct rn_g *rn__next_local(struct rn_p *p)
{
    return rn_runq_pop(&p->runq, 1);
}

uint64_t rn__resumed(void)
{
    return 0;
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

/* The same, when it has yielded to one that computes: whoever is in the ring waits behind that one alone. */
static void yields(void)
{
    struct rn_m *m = rn__m();
    rn__push_last(m->p, &work[0]);
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
    rn_store_relaxed(&rn__external_wakers, 0); /* the event's own setup says otherwise */
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

MODEL_TEST(work_for_an_idle_worker, .setup = setup_pair, .thread = {worker, pusher}, .finish = one_done,
           .preemptions = 3);
MODEL_TEST(work_for_a_spinning_worker, .setup = setup_pair, .thread = {spinning_worker, pusher}, .finish = one_done,
           .preemptions = 3);
MODEL_TEST(work_for_an_idle_worker_without_membarrier, .setup = setup_pair_symmetric,
           .thread = {spinning_worker, pusher}, .finish = one_done, .preemptions = 3);
MODEL_TEST(two_jobs_for_an_idle_worker, .setup = setup_pair_2, .thread = {worker, pusher_of_two}, .finish = two_done,
           .preemptions = 2);
MODEL_MUTANT(work_for_an_idle_worker, "rn_os_fence_heavy", "fence_heavy");
MODEL_MUTANT(work_for_an_idle_worker, "rn__wake_idle", "fence_light");
MODEL_MUTANT(work_for_an_idle_worker_without_membarrier, "rn__wake_idle", "fence_light");

MODEL_TEST(next_for_an_idle_worker, .setup = setup_pair, .thread = {worker, hands_over}, .finish = one_done,
           .preemptions = 3);
MODEL_TEST(next_for_a_spinning_worker, .setup = setup_pair, .thread = {spinning_worker, hands_over}, .finish = one_done,
           .preemptions = 3);
MODEL_TEST(next_without_membarrier, .setup = setup_pair_symmetric, .thread = {worker, hands_over}, .finish = one_done,
           .preemptions = 3);
MODEL_TEST(yielding_for_an_idle_worker, .setup = setup_pair, .thread = {worker, yields}, .finish = one_done,
           .preemptions = 3);
MODEL_TEST(yielding_for_a_spinning_worker, .setup = setup_pair, .thread = {spinning_worker, yields}, .finish = one_done,
           .preemptions = 3);
MODEL_MUTANT(next_for_an_idle_worker, "rn_os_fence_heavy", "fence_heavy");
MODEL_MUTANT(next_for_an_idle_worker, "rn__wake_for_next", "fence_light");
MODEL_MUTANT(next_without_membarrier, "rn__wake_for_next", "fence_light");

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
           .preemptions = 2);
MODEL_TEST(own_for_a_spinning_worker, .setup = setup_own, .thread = {makes_own, spinning_worker}, .finish = own_done,
           .preemptions = 2);

/* T0 goes idle, T1 is a plain thread. */
static void setup_outsider(void)
{
    reset(1, 1, 1);
}

MODEL_TEST(work_from_outside, .setup = setup_outsider, .thread = {worker, outsider}, .finish = one_done,
           .preemptions = 4);
MODEL_TEST(work_from_outside_while_spinning, .setup = setup_outsider, .thread = {spinning_worker, outsider},
           .finish = one_done, .preemptions = 4);

/* The poller without a processor, or the monitor, has found whom a descriptor wakes (rn__queue_paced). */
static void finder(void)
{
    rn__push_front(&work[0], &work[0], 1);
    rn__wake_idle();
}

MODEL_TEST(found_without_a_processor, .setup = setup_outsider, .thread = {worker, finder}, .finish = one_done,
           .preemptions = 3);

/* They go before all others, in their order, and a look elsewhere finds them while the processor's share of the others has
 * not run yet. */
static void setup_alone_with_three(void)
{
    reset(1, 1, 3);
}

static void front_before_all(void)
{
    struct rn_p *p = rn__m()->p;
    rn__push_global(&work[0], &work[0], 1);
    rn__push_front(&work[1], &work[1], 1);
    rn__push_front(&work[2], &work[2], 1);
    MODEL_CHECK(rn__pop_global(p) == &work[1]);
    rn__push_global(&work[1], &work[1], 1);
    MODEL_CHECK(rn__exchange_global(p) == NULL); /* two of its share are in the ring */
    MODEL_CHECK(rn_runq_pop(&p->runq, 1) == &work[2]);
    rn__push_front(&work[2], &work[2], 1);
    MODEL_CHECK(rn__exchange_global(p) == &work[2]);
    MODEL_CHECK(rn_load_relaxed(&rn__sched.global_n) == 1 && rn__sched.global_first == &work[1]);
    MODEL_CHECK(rn_runq_pop(&p->runq, 1) == &work[0] && rn__pop_global(p) == &work[1]);
    MODEL_CHECK(rn_load_relaxed(&rn__sched.global_n) == 0 && !rn__sched.global_last);
}

MODEL_TEST(who_is_found_goes_first, .setup = setup_alone_with_three, .thread = {front_before_all});

/* Two workers go idle (one becomes the poller), a plain thread queues.  By chance: there are too many executions to run
 * them all, even with one preemption. */
MODEL_TEST(work_for_two_idle_workers, .setup = setup_pair, .thread = {worker, worker, outsider}, .finish = one_done,
           .sample = 20000);

/* ---- a processor without its worker ---------------------------------------------------------- */

/* T1, whose processor was taken, sleeps as the poller; T0's processor, with which there is nothing to do, is handed off (as the
 * monitor does, or rn_blocking_enter), while work comes from outside.  The other processor's worker computes. */
static void setup_hand_off(void)
{
    reset(2, 2, 1);
    rn__detach(&workers[1]);
}

static void hands_off(void)
{
    struct rn_sched *s = &rn__sched;
    for (bool sleeps = false; !sleeps; rn_cpu_pause()) {
        rn_lock_take(&s->lock, RN_RANK_SCHED);
        sleeps = s->poller != NULL;
        rn_lock_release(&s->lock);
    }
    rn__hand_off(rn__detach(rn__m()));
}

MODEL_TEST(work_beside_a_hand_off, .setup = setup_hand_off, .thread = {hands_off, worker, outsider}, .finish = one_done,
           .preemptions = 1);

/* The same while T0, who found no processor idle a moment ago, queues on its own and computes. */
static void setup_hand_off_beside(void)
{
    reset(3, 2, 1);
}

MODEL_TEST(work_elsewhere_beside_a_hand_off, .setup = setup_hand_off_beside, .thread = {pusher, hands_off, worker},
           .finish = one_done, .preemptions = 1);
MODEL_MUTANT(work_elsewhere_beside_a_hand_off, "rn_os_fence_heavy", "fence_heavy");
MODEL_MUTANT(work_elsewhere_beside_a_hand_off, "rn__wake_idle", "fence_light");

/* ---- a brief processor ---------------------------------------------------------------------- */

/* T0's processor is brief: it keeps whom it finds ready, and computes from then on; nobody is told. */
static rn_atomic(bool) kept;

static void setup_alone(void)
{
    setup_pair();
    rn_store_relaxed(&rn__procs[0].brief, true);
    rn_store_relaxed(&kept, false);
}

static void keeps(void)
{
    struct rn_m *m = rn__m();
    struct rn_ready_list l = {.first = &work[0], .last = &work[0], .n = 1};
    MODEL_CHECK(!rn_load_relaxed(&m->p->brief) || rn__pace_alone(m->p, 1));
    rn__queue_paced(m, &l);
    rn_store_release(&kept, true);
    rn__leave(m);
}

/* The monitor, from then on: two looks show whether anybody was resumed between them. */
static void look_twice(void)
{
    static const rn_time first = RN_MILLISECOND;
    (void)rn__missed_look(first);
    (void)rn__missed_look(first + RN_MILLISECOND);
}

static void monitor(void)
{
    while (!rn_load_acquire(&kept))
        rn_cpu_pause();
    while (rn_load_relaxed(&left)) {
        look_twice();
        rn_cpu_pause();
    }
}

/* By chance: there are too many executions. */
MODEL_TEST(left_alone_too_long, .setup = setup_alone, .thread = {keeps, worker, monitor}, .finish = one_done,
           .sample = 3000);
MODEL_TEST(left_alone_too_long_while_spinning, .setup = setup_alone, .thread = {keeps, spinning_worker, monitor},
           .finish = one_done, .sample = 3000);

/* As rn__yield_to, which is to tell nobody of the caller: T0's goroutine queues itself, and who runs in its place computes.  T0 is
 * not brief. */
static void setup_yield_to(void)
{
    setup_pair();
    rn_store_relaxed(&kept, false);
}

static void yields_to(void)
{
    struct rn_m *m = rn__m();
    rn__push_last(m->p, &work[0]);
    rn_store_release(&kept, true);
    rn__leave(m);
}

MODEL_TEST(yielded_without_a_word, .setup = setup_yield_to, .thread = {yields_to, worker, monitor}, .finish = one_done,
           .sample = 3000);

/* Without a monitor: who falls asleep after somebody was kept sees him at his last look. */
static void falls_asleep(void)
{
    while (!rn_load_acquire(&kept))
        rn_cpu_pause();
    rn__idle(rn__m());
    worker();
}

MODEL_TEST(kept_before_the_last_look, .setup = setup_alone, .thread = {keeps, falls_asleep}, .finish = one_done,
           .preemptions = 3);

/* T0, which is brief, looks at descriptors no more, and one becomes ready.  Somebody sees it: T1, which falls idle beside it, or
 * the monitor makes T1 look. */
static void wake_by_event(uint64_t tag, uint32_t ready, struct rn_ready_list *wake)
{
    (void)tag, (void)ready;
    *wake = (struct rn_ready_list){.first = &work[0], .last = &work[0], .n = 1};
}

static void setup_event(void)
{
    setup_alone();
    rn_store_relaxed(&rn__poll_event, wake_by_event);
    rn_store_relaxed(&rn__external_wakers, 1);
    rn_store_relaxed(&model_event, 0);
}

static void computes(void)
{
    rn__leave(rn__m());
}

static void event_beside_monitor(void)
{
    rn_store_release(&model_event, 1);
    rn_os_poll_wake();
    rn_store_relaxed(&kept, true);
    monitor();
}

MODEL_TEST(event_beside_one_that_computes, .setup = setup_event, .thread = {computes, worker, event_beside_monitor},
           .finish = one_done, .sample = 3000);

/* Who falls idle beside a brief processor does not sleep in the poller; the brief one, when it falls idle, does. */
static void setup_brief(void)
{
    setup_pair();
    rn_store_relaxed(&rn__procs[0].brief, true);
}

MODEL_TEST(work_for_two_idle_workers_one_brief, .setup = setup_brief, .thread = {worker, worker, outsider},
           .finish = one_done, .sample = 5000);

/* Whether it is brief, by its looks: 256 without a slow one, and one slow one; and how many are too many. */
static void setup_pace(void)
{
    setup_pair();
    rn__pace_begin(&rn__procs[0], 0);
}

/* The next look, after n were resumed and a time. */
static rn_time look_after(rn_time now, uint32_t n, rn_duration took)
{
    struct rn_m *m = rn__m();
    rn_store_relaxed(&m->p->tick, rn_load_relaxed(&m->p->tick) + n);
    rn__pace_look(m, now + took, true);
    return now + took;
}

static void judged_by_its_looks(void)
{
    struct rn_p *p = rn__m()->p;
    rn_time now = 0;
    p->calm = CALM - 2;
    rn_store_relaxed(&p->pace, 5 * RN_MICROSECOND);
    now = look_after(now, 4, 4 * 5 * RN_MICROSECOND);
    MODEL_CHECK(!rn_load_relaxed(&p->brief));
    now = look_after(now, 4, 4 * 5 * RN_MICROSECOND);
    MODEL_CHECK(rn_load_relaxed(&p->brief) && rn__pace_alone(p, 64) && !rn__pace_alone(p, 128));
    MODEL_CHECK(!rn__pace_is_behind(p, now + 50 * RN_MICROSECOND) && rn__pace_is_behind(p, now + 100 * RN_MICROSECOND));
    rn__missed_look(now + 100 * RN_MICROSECOND);
    MODEL_CHECK(rn_load_relaxed(&p->brief));
    rn__missed_look(now + 2 * RN_MILLISECOND);
    MODEL_CHECK(rn_load_relaxed(&p->brief)); /* no processor is idle: nobody could help */
    look_after(now, 1, SHORT + 1);
    MODEL_CHECK(!rn_load_relaxed(&p->brief));
}

MODEL_TEST(brief_by_its_looks, .setup = setup_pace, .thread = {judged_by_its_looks});

/* ---- crowding ------------------------------------------------------------------------------------------------ */

static rn_atomic(uint32_t) aside;

static void setup_crowd(void)
{
    reset(3, 3, 0);
    rn_store_relaxed(&aside, 0);
}

/* Each finds that APART has passed since the one before has left, and stands still wherever the model likes. */
static void stands_aside(void)
{
    struct rn_m *m = rn__m();
    if (!may_leave((1 + model_self()) * APART))
        return;
    leave(m);
    MODEL_CHECK(rn_add_relaxed(&aside, 1) + 1 < rn__procs_used()); /* one is left */
    rn_sub_relaxed(&aside, 1);
    come_back(m);
}

static void all_are_back(void)
{
    MODEL_CHECK(rn_load_relaxed(&rn__sched.aside_n) == 0);
}

MODEL_TEST(one_is_left, .setup = setup_crowd, .thread = {stands_aside, stands_aside, stands_aside},
           .finish = all_are_back, .preemptions = 3);

/* What T0 has is for T1, who goes idle at that moment. */
static void setup_left_alone(void)
{
    reset(2, 2, 1);
    (void)rn_runq_push(&rn__procs[0].runq, &work[0]);
}

static void leaves_its_work(void)
{
    if (may_leave(APART))
        leave(rn__m());
    else
        work_loop(rn__m());
}

MODEL_TEST(left_to_an_idle_worker, .setup = setup_left_alone, .thread = {leaves_its_work, worker}, .finish = one_done,
           .preemptions = 2);
MODEL_TEST(left_to_a_spinning_worker, .setup = setup_left_alone, .thread = {leaves_its_work, spinning_worker},
           .finish = one_done, .preemptions = 2);
