/* A run ends while a goroutine that is about to wait has been woken already.  Its worker puts it away for ever; one that
 * has not seen the end yet has it in its queue, and takes it up once more: it stays where it is there, too.  (It went on as
 * if on its first worker, on the stack of a thread that was gone.) */
#include "chan/done.h"
#include "chan/outside.h"
#include "sched/switch.h"
#include <pthread.h>
#include <runnel.h>
#include <runnel/test.h>
#include <sched.h>

static struct rn_g *waiter;
static rn_atomic_int begun;

/* Between what it has told and the park there is no call of the scheduler's: as in a channel's receive, after its lock. */
static void wait_late(void)
{
    struct rn_m *m = rn__m();
    waiter = rn__self();
    rn_atomic_add(&begun, 1);
    /* relaxed, both: until the run ends and this worker is told so. */
    while (!rn_load_relaxed(&rn__sched.stopping) || !rn_load_relaxed(&m->own.revoke))
        rn_cpu_pause();
    rn__park(RN_WAIT_CHAN_RECV, NULL);
}

/* As one that parks, and finds the other at hand: it has entered before the end. */
static void take_it_up(void)
{
    struct rn_m *m = rn__enter();
    rn_atomic_add(&begun, 1);
    /* relaxed: as above.  acquire: pairs with the release in rn__arch_switch. */
    while (!rn_load_relaxed(&rn__sched.stopping) || rn_load_acquire(&waiter->on_cpu) != 0)
        rn_cpu_pause();
    rn__switch_to(m, m->g, waiter);
}

static int run_and_end(void)
{
    go(wait_late);
    while (rn_atomic_load(&begun) < 1)
        rn_yield();
    go(take_it_up);
    while (rn_atomic_load(&begun) < 2)
        rn_yield();
    return 7;
}

TEST_PLAIN(one_that_is_woken_before_it_waits_stays_where_it_is)
{
    rn_set_procs(3);
    for (int i = 0; i < 20; i++) {
        rn_atomic_store(&begun, 0);
        CHECK_EQ(rn_run(run_and_end), 7);
    }
}

/* ---- who did not wait after all ---- */

/* A select of two contexts and a descriptor, say, meets the second context's end when it stands in the queue of the first
 * already: it leaves that, and does not park.  The run ends before the goroutine has waited again, whose stack is something
 * else by then.  (Its waiter was still remembered, and asked to leave its queue.) */
static rn_context *one, *other;
static rn_atomic_int may_select;

static bool is_never_ready(const struct rn_case *k, bool take)
{
    (void)k, (void)take;
    return false;
}

static int never_waits(struct rn_outside *o)
{
    (void)o;
    return 0;
}

static __attribute__((noinline)) void use_the_stack(void)
{
    volatile char rubbish[8192];
    for (size_t i = 0; i < sizeof rubbish; i++)
        rubbish[i] = 0x55;
}

static __attribute__((noinline)) void select_all(void)
{
    static const struct rn_case_ops ops = {.ready = is_never_ready, .enqueue = never_waits};
    struct rn_case cases[] = {
        {.kind = RN_CASE_DONE, .chan = one},
        {.kind = RN_CASE_DONE, .chan = other},
        {.kind = RN_CASE_OUTSIDE, .chan = (void *)(uintptr_t)&ops},
    };
    CHECK_EQ(rn__select(cases, 3), 1);
}

static void selects_and_computes(void)
{
    rn_atomic_add(&begun, 1);
    while (!rn_atomic_load(&may_select))
        rn_cpu_pause();
    select_all();
    use_the_stack();
    rn_atomic_add(&begun, 1);
    while (!rn_load_relaxed(&rn__sched.stopping)) /* relaxed: until the run ends */
        rn_cpu_pause();
    rn_yield();
}

static void *end_the_other(void *arg)
{
    ctx_cancel(other);
    return arg;
}

/* While the first's lock is held the select has looked at both, and gets no further. */
static int ends_beside_it(void)
{
    pthread_t t;
    go(selects_and_computes);
    while (rn_atomic_load(&begun) < 1)
        rn_yield();
    struct rn_done *d = rn__done_lock(one);
    rn_atomic_store(&may_select, 1);
    rn_os_nap(20 * RN_MILLISECOND);
    REQUIRE(pthread_create(&t, NULL, end_the_other, NULL) == 0);
    pthread_join(t, NULL);
    rn_lock_release(&d->lock);
    while (rn_atomic_load(&begun) < 2)
        rn_yield();
    return 7;
}

TEST_PLAIN(one_that_did_not_wait_stands_nowhere)
{
    one = ctx_with_cancel(NULL);
    other = ctx_with_cancel(NULL);
    rn_atomic_store(&begun, 0);
    rn_set_procs(2);
    CHECK_EQ(rn_run(ends_beside_it), 7);
    ctx_cancel(one);
}

/* ---- a program ends with its main function, but not while it dies of another's panic ---- */

static void panics(rn_waitgroup *wg)
{
    defer(wg_done, wg);
    rn_panic("to be read in full");
}

static int returns_while_it_is_printed(void)
{
    static rn_waitgroup wg;
    wg_add(&wg, 1);
    go(panics, &wg);
    wg_wait(&wg);
    return 0;
}

/* With one processor main goes on when the monitor takes that from the one who prints. */
TEST_PLAIN_DIES(main_ends_while_a_panic_is_printed, 2, "created by returns_while_it_is_printed in goroutine 1\n")
{
    rn__main_is_ours = true;
    rn_run(returns_while_it_is_printed);
}

/* ---- numbers --------------------------------------------------------------------------------------------- */

/* A plain thread keeps its number, by which reports and the detector of lock orders know it, from run to run: no
 * goroutine has the same (it was reported to hold the thread's locks). */

static rn_mutex used;
static uint64_t number_of_thread;
static rn_atomic_int numbered, released;

static void *numbered_thread(void *arg)
{
    (void)arg;
    rn_mutex_lock(&used);
    rn_mutex_unlock(&used);
    number_of_thread = rn__self()->id;
    rn_atomic_store(&numbered, 1);
    while (!rn_atomic_load(&released))
        sched_yield();
    return NULL;
}

static void begin_thread(pthread_t *t)
{
    rn_atomic_store(&numbered, 0);
    REQUIRE(pthread_create(t, NULL, numbered_thread, NULL) == 0);
    while (!rn_atomic_load(&numbered))
        sched_yield();
}

static void check_number(rn_waitgroup *wg)
{
    CHECK(rn__self()->id != number_of_thread);
    wg_done(wg);
}

static int many_numbers(void)
{
    enum { MANY = 400 };
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    CHECK_EQ(rn__self()->id, 1);
    for (int i = 0; i < MANY; i++) {
        wg_add(&wg, 1);
        go(check_number, &wg);
    }
    wg_wait(&wg);
    return 7;
}

static int begin_in_a_run(pthread_t *t)
{
    begin_thread(t);
    return 7;
}

TEST_PLAIN(numbers_of_threads_are_their_own)
{
    pthread_t before, within;
    begin_thread(&before);
    CHECK(number_of_thread > 1);
    CHECK_EQ(rn_run(many_numbers), 7);
    CHECK_EQ(rn_run(begin_in_a_run, &within), 7);
    CHECK_EQ(rn_run(many_numbers), 7);
    rn_atomic_store(&released, 1);
    pthread_join(before, NULL);
    pthread_join(within, NULL);
}

/* ---- plain threads beside the end --------------------------------------------------------------------------- */

/* Plain threads wake goroutines, and start some, while runs end and begin.  A thread that had claimed a waiter and came
 * to queue its goroutine when the run had ended touched freed memory, or queued it for the next run. */

static chan(int) to_run;
static rn_atomic_int threads_are_to_end, rounds_begun, rounds_counted;
static rn_waitgroup awaited;

static void receives(void)
{
    for (;;)
        chan_recv(to_run);
}

static void selects(void)
{
    for (;;)
        chan_select(on_recv(to_run, NULL), on_timeout(RN_MILLISECOND));
}

static void waits(void)
{
    wg_wait(&awaited);
}

static int waking_run(int i)
{
    go(receives);
    go(receives);
    go(selects);
    awaited = (rn_waitgroup)RN_WAITGROUP_INIT;
    wg_add(&awaited, 1);
    go(waits);
    for (int k = 0; k < i % 5; k++)
        rn_yield();
    if (i % 3 == 0)
        rn_sleep(20 * RN_MICROSECOND);
    rn_atomic_add(&rounds_begun, 1);
    return 7;
}

static void *sends(void *arg)
{
    (void)arg;
    while (!rn_atomic_load(&threads_are_to_end))
        (void)chan_try_send(to_run, 1);
    return NULL;
}

/* Each run has somebody who waits alone, whom the one done wakes without a queue. */
static void *counts_down(void *arg)
{
    (void)arg;
    while (!rn_atomic_load(&threads_are_to_end)) {
        if (rn_atomic_load(&rounds_begun) == rn_atomic_load(&rounds_counted))
            continue;
        wg_done(&awaited);
        rn_atomic_add(&rounds_counted, 1);
    }
    return NULL;
}

TEST_PLAIN(threads_wake_goroutines_while_runs_end)
{
    enum { RUNS = 100 };
    pthread_t t[3];
    to_run = chan_make(int, 0);
    rn_atomic_store(&threads_are_to_end, 0);
    rn_set_procs(3);
    for (int i = 0; i < 3; i++)
        REQUIRE(pthread_create(&t[i], NULL, i < 2 ? sends : counts_down, NULL) == 0);
    for (int i = 0; i < RUNS; i++) {
        CHECK_EQ(rn_run(waking_run, i), 7);
        while (rn_atomic_load(&rounds_counted) != rn_atomic_load(&rounds_begun))
            sched_yield();
    }
    rn_atomic_store(&threads_are_to_end, 1);
    for (int i = 0; i < 3; i++)
        pthread_join(t[i], NULL);
    chan_free(to_run); /* waits for ever if a goroutine were still counted as standing there */
}

/* The same, step by step: the run ends between a thread's claim and the goroutine's being queued. */

static struct rn_waiter *to_claim;
static rn_atomic_int stands, was_claimed, was_queued;

static void stand(void)
{
    to_claim = rn__waiter_own(rn__self(), NULL, NULL);
    rn_atomic_store(&stands, 1);
    rn__park(RN_WAIT_CHAN_RECV, NULL);
}

static void *wakes_late(void *arg)
{
    (void)arg;
    while (!rn_atomic_load(&stands))
        sched_yield();
    CHECK(rn__waiter_claim(to_claim));
    rn_atomic_store(&was_claimed, 1);
    rn_os_nap(20 * RN_MILLISECOND);
    rn_atomic_store(&was_queued, 1);
    rn__ready(to_claim->g);
    return NULL;
}

static int end_once_it_is_claimed(void)
{
    go(stand);
    while (!rn_atomic_load(&was_claimed))
        rn_yield();
    return 7;
}

static void run_beside(void *(*thread)(void *))
{
    pthread_t t;
    REQUIRE(pthread_create(&t, NULL, thread, NULL) == 0);
    CHECK_EQ(rn_run(end_once_it_is_claimed), 7);
    CHECK(rn_atomic_load(&was_queued));
    pthread_join(t, NULL);
}

TEST_PLAIN(a_run_waits_for_who_has_claimed_somebody)
{
    run_beside(wakes_late);
}

/* The word of a waitgroup names who waits alone: whoever has brought it to zero looks at that one's record before it may wake
 * it or not.  (The record was gone.) */

static void *counts_down_late(void *arg)
{
    enum { ALONE = 0x7ffffffe };
    while (!(rn_load_acquire(&awaited.rn_state) & ALONE))
        sched_yield();
    rn_add_acq_rel(&awaited.rn_state, -(UINT64_C(1) << 32)); /* rn_wg_done begins like this, */
    rn_atomic_store(&was_claimed, 1);
    rn_os_nap(20 * RN_MILLISECOND);
    rn_atomic_store(&was_queued, 1);
    rn_store_release(&awaited.rn_state, 0); /* and ends so when the run is over */
    return arg;
}

static int end_once_it_is_zero(void)
{
    wg_add(&awaited, 1);
    go(waits);
    while (!rn_atomic_load(&was_claimed))
        rn_yield();
    return 7;
}

TEST_PLAIN(a_run_waits_for_who_has_brought_a_waitgroup_to_zero)
{
    pthread_t t;
    REQUIRE(pthread_create(&t, NULL, counts_down_late, NULL) == 0);
    CHECK_EQ(rn_run(end_once_it_is_zero), 7);
    CHECK(rn_atomic_load(&was_queued));
    pthread_join(t, NULL);
}

/* One that is started by a thread (by a context's end) is in a list meanwhile. */

static void nothing(void *arg)
{
    (void)arg;
}

static void *starts_late(void *arg)
{
    (void)arg;
    struct rn_ready_list list = {0};
    while (!rn_atomic_load(&stands))
        sched_yield();
    CHECK_EQ(rn__spawn(nothing, NULL, &list), 0);
    rn_atomic_store(&was_claimed, 1);
    rn_os_nap(20 * RN_MILLISECOND);
    rn_atomic_store(&was_queued, 1);
    rn__ready_all(&list);
    return NULL;
}

TEST_PLAIN(a_run_waits_for_who_has_started_somebody)
{
    run_beside(starts_late);
}

static void *is_refused(void *arg)
{
    struct rn_ready_list list = {0};
    CHECK_EQ(rn__spawn(nothing, NULL, &list), RN_EAGAIN);
    CHECK_EQ(rn__spawn(nothing, NULL, NULL), RN_EAGAIN);
    return arg;
}

static int shut_and_start(void)
{
    struct rn_ready_list list = {0};
    pthread_t t;
    rn_gate_close(&rn__gate);
    CHECK_EQ(rn__spawn(nothing, NULL, &list), 0); /* a goroutine's */
    rn__ready_all(&list);
    REQUIRE(pthread_create(&t, NULL, is_refused, NULL) == 0);
    pthread_join(t, NULL);
    return 7;
}

TEST_PLAIN(a_run_that_has_ended_starts_nobody)
{
    CHECK_EQ(rn_run(shut_and_start), 7);
}

/* ---- threads that goroutines wake ------------------------------------------------------------------------ */

/* A goroutine closes a channel when its run has ended already: it goes no further than to where it would queue others, and
 * the threads that wait for that channel were in the same list.  (They waited for ever.) */
static chan(int) closed_late;

static void close_late(void)
{
    struct rn_m *m = rn__m();
    rn_atomic_add(&begun, 1);
    while (!rn_load_relaxed(&rn__sched.stopping) ||
           !rn_load_relaxed(&m->own.revoke)) /* relaxed, both: as in wait_late */
        rn_cpu_pause();
    chan_close(closed_late);
}

static void receive(void)
{
    rn_atomic_add(&begun, 1);
    (void)chan_recv(closed_late);
}

static void *receive_as_a_thread(void *arg)
{
    receive();
    return arg;
}

static int end_before_the_close(pthread_t t[2])
{
    rn_atomic_store(&begun, 0);
    for (int i = 0; i < 2; i++)
        REQUIRE(pthread_create(&t[i], NULL, receive_as_a_thread, NULL) == 0);
    go(receive);
    while (rn_atomic_load(&begun) < 3)
        rn_yield();
    rn_os_nap(20 * RN_MILLISECOND); /* they wait by then */
    go(close_late);
    while (rn_atomic_load(&begun) < 4)
        rn_yield();
    return 7;
}

TEST_PLAIN(a_goroutine_wakes_threads_when_its_run_has_ended)
{
    pthread_t t[2];
    closed_late = chan_make(int, 0);
    rn_set_procs(2);
    CHECK_EQ(rn_run(end_before_the_close, t), 7);
    for (int i = 0; i < 2; i++)
        pthread_join(t[i], NULL);
    chan_free(closed_late);
}
