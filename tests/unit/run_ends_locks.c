/* A run ends while goroutines are on their way to locks that live on, or have just been given them: plain threads that wait
 * for the same locks get them, and so does whoever comes later. */
#include "sync/waitq.h"
#include <pthread.h>
#include <runnel.h>
#include <runnel/test.h>

static rn_mutex mutex;
static rn_rwmutex rwmutex;
static rn_semaphore semaphore;

static void lock_mutex(void)
{
    rn_mutex_lock(&mutex);
    rn_mutex_unlock(&mutex);
}

static void lock_to_write(void)
{
    rn_rwmutex_lock(&rwmutex);
    rn_rwmutex_unlock(&rwmutex);
}

static void lock_to_read(void)
{
    rn_rwmutex_rlock(&rwmutex);
    rn_rwmutex_runlock(&rwmutex);
}

static void acquire_two(void)
{
    CHECK_EQ(rn_sem_acquire(NULL, &semaphore, 2), 0);
    rn_sem_release(&semaphore, 2);
}

static void acquire_one(void)
{
    CHECK_EQ(rn_sem_acquire(NULL, &semaphore, 1), 0);
    rn_sem_release(&semaphore, 1);
}

/* What these do is done in the library's code as a rule, which the race detector does not see. */
#define AS_THE_LIBRARY __attribute__((no_sanitize("thread")))

AS_THE_LIBRARY static size_t length_of(const struct rn_node *n)
{
    size_t length = 0;
    for (; n; n = n->next)
        length++;
    return length;
}

/* Until n stand in q, or wait to read. */
AS_THE_LIBRARY static void await(struct rn_waitq *q, size_t n)
{
    for (size_t stand = 0; stand < n;) {
        rn_yield();
        rn__waitq_lock(q);
        stand = length_of(q->rn_first) + (q == &rwmutex.rn_writers ? length_of(rwmutex.rn_reader_first) : 0);
        rn__waitq_unlock(q);
    }
}

static void *as_a_thread(void *arg)
{
    void (*const *f)(void) = arg;
    (*f)();
    return NULL;
}

static void start_thread(pthread_t *t, void (**f)(void))
{
    REQUIRE(pthread_create(t, NULL, as_a_thread, f) == 0);
}

/* A goroutine waits in q, and behind it a thread. */
struct plan {
    struct rn_waitq *q;
    void (*hold)(void), (*let_go)(void);
    void (*goroutine)(void), (*thread)(void);
    pthread_t t;
};

static int end_with_one_in_line(struct plan *plan)
{
    plan->hold();
    go(plan->goroutine);
    await(plan->q, 1);
    start_thread(&plan->t, &plan->thread);
    await(plan->q, 2);
    return 7;
}

/* Who holds lets go, and the run ends before that goroutine has run. */
static int end_with_one_on_its_way(struct plan *plan)
{
    int status = end_with_one_in_line(plan);
    plan->let_go();
    return status;
}

/* Afterwards a second thread waits while this one holds. */
static void run_and_use(struct plan plan)
{
    rn_set_procs(1);
    CHECK_EQ(rn_run(end_with_one_on_its_way, &plan), 7);
    pthread_join(plan.t, NULL);
    plan.hold();
    start_thread(&plan.t, &plan.thread);
    await(plan.q, 1);
    plan.let_go();
    pthread_join(plan.t, NULL);
}

static void hold_mutex(void)
{
    rn_mutex_lock(&mutex);
}

static void drop_mutex(void)
{
    rn_mutex_unlock(&mutex);
}

/* (It waited for ever: a waiter was said to be on its way, and then nobody wakes another one.) */
TEST_PLAIN(a_mutex_is_not_left_to_one_on_its_way)
{
    run_and_use((struct plan){&mutex.rn_queue, hold_mutex, drop_mutex, lock_mutex, lock_mutex, 0});
}

/* One that has lost, and has waited for more than a millisecond, is handed it. */
static void unlock_twice(void)
{
    rn_time until = rn_now() + 2 * RN_MILLISECOND;
    while (rn_now() < until)
        continue;
    drop_mutex();
    hold_mutex();
    rn_yield();
    drop_mutex();
}

TEST_PLAIN(a_mutex_is_not_left_to_one_that_it_was_handed_to)
{
    run_and_use((struct plan){&mutex.rn_queue, hold_mutex, unlock_twice, lock_mutex, lock_mutex, 0});
}

static void hold_writing(void)
{
    rn_rwmutex_lock(&rwmutex);
}

static void drop_writing(void)
{
    rn_rwmutex_unlock(&rwmutex);
}

static void hold_reading(void)
{
    rn_rwmutex_rlock(&rwmutex);
}

static void drop_reading(void)
{
    rn_rwmutex_runlock(&rwmutex);
}

TEST_PLAIN(a_rwmutex_is_not_left_to_a_writer_on_its_way)
{
    run_and_use((struct plan){&rwmutex.rn_writers, hold_writing, drop_writing, lock_to_write, lock_to_write, 0});
}

/* Who reads grants it to the first writer. */
TEST_PLAIN(a_rwmutex_is_not_left_to_a_writer_that_was_granted_it)
{
    run_and_use((struct plan){&rwmutex.rn_writers, hold_reading, drop_reading, lock_to_write, lock_to_write, 0});
    run_and_use((struct plan){&rwmutex.rn_writers, hold_reading, drop_reading, lock_to_write, lock_to_write, 0});
}

/* Who writes grants it to all readers, before the writer. */
TEST_PLAIN(a_rwmutex_is_not_left_to_a_reader_that_was_granted_it)
{
    run_and_use((struct plan){&rwmutex.rn_writers, hold_writing, drop_writing, lock_to_read, lock_to_write, 0});
}

/* The writer stands before the thread, which only wants to read as this one does, who lets go when the thread has read. */
TEST_PLAIN(readers_do_not_wait_for_a_writer_that_has_ended)
{
    struct plan plan = {&rwmutex.rn_writers, hold_reading, drop_reading, lock_to_write, lock_to_read, 0};
    rn_set_procs(1);
    CHECK_EQ(rn_run(end_with_one_in_line, &plan), 7);
    pthread_join(plan.t, NULL);
    drop_reading();
    CHECK(rn_rwmutex_try_lock(&rwmutex));
    drop_writing();
}

static void hold_one(void)
{
    CHECK_EQ(rn_sem_acquire(NULL, &semaphore, 1), 0);
}

static void give_one(void)
{
    rn_sem_release(&semaphore, 1);
}

TEST_PLAIN(a_semaphore_takes_back_what_it_gave_to_one_on_its_way)
{
    semaphore = (rn_semaphore)RN_SEMAPHORE_INIT(2);
    struct plan plan = {&semaphore.rn_queue, hold_one, give_one, acquire_two, acquire_one, 0};
    rn_set_procs(1);
    CHECK_EQ(rn_run(end_with_one_on_its_way, &plan), 7);
    pthread_join(plan.t, NULL);
    CHECK(rn_sem_try_acquire(&semaphore, 2));
    rn_sem_release(&semaphore, 2);
}

/* The thread wants no more than there is, but stood behind one that did. */
TEST_PLAIN(a_semaphore_lets_in_who_stood_behind_one_that_has_ended)
{
    semaphore = (rn_semaphore)RN_SEMAPHORE_INIT(2);
    struct plan plan = {&semaphore.rn_queue, hold_one, give_one, acquire_two, acquire_one, 0};
    rn_set_procs(1);
    CHECK_EQ(rn_run(end_with_one_in_line, &plan), 7);
    pthread_join(plan.t, NULL);
}

/* ---- what the library locks itself ------------------------------------------------------------------------ */

static rn_ticker ticker;
static rn_atomic_int resets;

static void reset_for_ever(void)
{
    for (;;) {
        rn_ticker_reset(&ticker, RN_MILLISECOND);
        rn_atomic_add(&resets, 1);
    }
}

static int end_beside_resets(void)
{
    rn_atomic_store(&resets, 0);
    go(reset_for_ever);
    while (rn_atomic_load(&resets) < 10)
        rn_yield();
    return 7;
}

/* (It had the timer's lock when it went no further.) */
TEST_PLAIN(a_ticker_can_be_stopped_that_a_goroutine_was_resetting)
{
    rn_set_procs(2);
    rn_ticker_init(&ticker, RN_MILLISECOND);
    CHECK_EQ(rn_run(end_beside_resets), 7);
    rn_ticker_stop(&ticker);
    CHECK_EQ(rn_run(end_beside_resets), 7);
    rn_ticker_destroy(&ticker);
}

/* ---- variables of the main function --------------------------------------------------------------------------- */

struct locals {
    rn_waitgroup group;
    rn_mutex mutex;
    rn_rwmutex rwmutex;
};

static void wait_for_local(struct locals *l)
{
    rn_wg_wait(&l->group);
}

static void lock_local(struct locals *l)
{
    rn_mutex_lock(&l->mutex);
}

static void read_local(struct locals *l)
{
    rn_rwmutex_rlock(&l->rwmutex);
}

/* Each time they lie somewhere else in the main goroutine's stack, which goes on being used. */
static __attribute__((noinline)) int leave_locals(int deep)
{
    struct locals l = {0};
    if (deep > 0)
        return leave_locals(deep - 1) | (rn_mutex_try_lock(&l.mutex) ? 0 : 8);
    rn_wg_add(&l.group, 1);
    rn_mutex_lock(&l.mutex);
    rn_rwmutex_lock(&l.rwmutex);
    for (int i = 0; i < 2; i++) {
        go(wait_for_local, &l);
        go(lock_local, &l);
        go(read_local, &l);
    }
    for (int i = 0; i < 10; i++)
        rn_yield();
    return 7;
}

/* (The run's end took them out of the queues of locks that were something else by then: it waited for ever.) */
TEST_PLAIN(goroutines_may_wait_for_variables_of_a_main_function_that_has_returned)
{
    rn_set_procs(1);
    for (int deep = 0; deep < 8; deep++)
        CHECK_EQ(rn_run(leave_locals, deep), 7);
}

/* ---- a call that many share --------------------------------------------------------------------------- */

static rn_flight flight;
static rn_atomic_int led, may_land;

static int until_it_may_land(void *arg, void **result)
{
    rn_atomic_store(&led, 1);
    while (!rn_atomic_load(&may_land))
        continue;
    *result = arg;
    return 0;
}

static void lead_on_a_thread(void)
{
    void *result = NULL;
    CHECK_EQ(rn_flight_do(&flight, "key", until_it_may_land, &flight, &result, NULL), 0);
    CHECK_EQ(result, &flight);
}

static void share(void)
{
    void *result;
    rn_flight_do(&flight, "key", until_it_may_land, NULL, &result, NULL);
}

static int end_as_it_lands(void)
{
    enum { GUESTS = 1000 };
    for (int i = 0; i < GUESTS; i++)
        go(share);
    rn_sleep(5 * RN_MILLISECOND);
    rn_atomic_store(&may_land, 1);
    return 0;
}

/* Those who share a thread's call are taken out at the end of their run, while the thread tells them. */
TEST_PLAIN(a_call_of_a_thread_ends_together_with_the_run)
{
    for (int i = 0; i < 10; i++) {
        pthread_t t;
        void (*lead)(void) = lead_on_a_thread;
        rn_atomic_store(&led, 0);
        rn_atomic_store(&may_land, 0);
        start_thread(&t, &lead);
        while (!rn_atomic_load(&led))
            continue;
        CHECK_EQ(rn_run(end_as_it_lands), 0);
        pthread_join(t, NULL);
    }
}

static int for_ever(void *arg, void **result)
{
    (void)arg, (void)result;
    rn_atomic_store(&led, 1);
    rn_sleep(RN_HOUR);
    return 0;
}

static int at_once(void *arg, void **result)
{
    *result = arg;
    return 0;
}

static void lead_for_ever(void)
{
    char key[] = "key"; /* gone with the goroutine */
    rn_flight_do(&flight, key, for_ever, NULL, NULL, NULL);
}

static void share_on_a_thread(void)
{
    void *result = &flight;
    bool shared = false;
    int err = rn_flight_do(&flight, "key", at_once, NULL, &result, &shared);
    CHECK_EQ(err, shared ? RN_ECANCELED : 0); /* not shared: it has come too late */
    CHECK_EQ(result, NULL);
}

static int end_while_it_is_led(pthread_t *t)
{
    static void (*share_it)(void) = share_on_a_thread;
    rn_atomic_store(&led, 0);
    go(lead_for_ever);
    while (!rn_atomic_load(&led))
        rn_yield();
    start_thread(t, &share_it);
    rn_sleep(50 * RN_MILLISECOND); /* by then it mostly shares */
    return 0;
}

static int use_it(void)
{
    void *result = NULL;
    CHECK_EQ(rn_flight_do(&flight, "key", at_once, &flight, &result, NULL), 0);
    CHECK_EQ(result, &flight);
    return 0;
}

/* A call that a goroutine leads ends with its run: a thread that shares it is told, and later ones start anew. */
TEST_PLAIN(a_call_ends_with_the_run_of_its_leader)
{
    pthread_t t;
    CHECK_EQ(rn_run(end_while_it_is_led, &t), 0);
    pthread_join(t, NULL);
    CHECK_EQ(rn_run(use_it), 0);
    use_it();
}
