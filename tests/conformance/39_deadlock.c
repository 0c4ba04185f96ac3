/* SEMANTICS 39: when every goroutine waits for another, the program says so and ends with status 2;
 * never while a timer, a descriptor, a signal handler, a blocked call or a plain thread could
 * still wake somebody. */
#define _GNU_SOURCE 1 /* ualarm */
#include <runnel.h>
#include <runnel/test.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#define DEADLOCK "fatal error: all goroutines are asleep - deadlock!"

TEST_DIES(receive_that_nobody_sends, 2, DEADLOCK)
{
    chan(int) c = chan_make(int, 0);
    chan_recv(c);
}

TEST_DIES(null_channel, 2, "chan send (nil chan)")
{
    chan(int) c = NULL;
    chan_send(c, 1);
}

TEST_DIES(empty_select, 2, "select (no cases)")
{
    chan_select();
}

static void wait_on(chan(int) c)
{
    chan_recv(c);
}

TEST_DIES(others_too, 2, DEADLOCK)
{
    chan(int) c = chan_make(int, 0);
    for (int i = 0; i < 100; i++)
        go(wait_on, c);
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_add(&wg, 1);
    wg_wait(&wg);
}

TEST_DIES(after_main_has_left, 2, "no goroutines (main called rn_exit_goroutine) - deadlock!")
{
    rn_exit_goroutine();
}

static void ends(void)
{
    rn_yield();
}

TEST_DIES(after_main_has_left_and_the_last_ends, 2, "no goroutines (main called rn_exit_goroutine) - deadlock!")
{
    go(ends);
    rn_exit_goroutine();
}

TEST_DIES(a_pinned_goroutine_waits_too, 2, DEADLOCK)
{
    chan(int) c = chan_make(int, 0);
    rn_pin();
    chan_recv(c);
}

TEST_DIES(after_a_stopped_timer, 2, DEADLOCK)
{
    chan(int) c = chan_make(int, 0);
    int v;
    CHECK_EQ(chan_select(on_recv(c, &v), on_timeout(RN_MILLISECOND)), 1);
    chan_recv(c);
}

/* ---- what holds it back ---- */

static void send_on(void *arg)
{
    chan(int) c = arg;
    chan_send(c, 1);
}

TEST(a_sleeper_wakes_it)
{
    chan(int) c = chan_make(int, 0);
    rn_sleep(10 * RN_MILLISECOND);
    rn_timer t;
    rn_after_func(&t, 20 * RN_MILLISECOND, send_on, c);
    CHECK_EQ(chan_recv(c), 1);
    rn_timer_stop(&t);
    chan_free(c);
}

static void *thread(void *arg)
{
    struct timespec t = {.tv_nsec = 300 * 1000 * 1000};
    nanosleep(&t, NULL);
    chan(int) c = arg;
    chan_send(c, 7);
    return NULL;
}

TEST(a_plain_thread_wakes_it)
{
    chan(int) c = chan_make(int, 0);
    pthread_t t;
    REQUIRE(pthread_create(&t, NULL, thread, c) == 0);
    CHECK_EQ(chan_recv(c), 7);
    rn_blocking_enter();
    pthread_join(t, NULL);
    rn_blocking_leave();
    chan_free(c);
}

static void *thread_that_ends(void *arg)
{
    (void)arg;
    struct timespec t = {.tv_nsec = 150 * 1000 * 1000};
    nanosleep(&t, NULL);
    return NULL;
}

TEST_DIES(and_is_reported_once_that_thread_has_ended, 2, DEADLOCK)
{
    chan(int) c = chan_make(int, 0);
    pthread_t t;
    REQUIRE(pthread_create(&t, NULL, thread_that_ends, NULL) == 0);
    pthread_detach(t);
    chan_recv(c);
}

static void *thread_that_waits(void *arg)
{
    chan(int) c = arg;
    chan_recv(c);
    return NULL;
}

TEST_DIES(a_plain_thread_that_waits_too_is_no_hope, 2, DEADLOCK)
{
    chan(int) c = chan_make(int, 0);
    pthread_t t;
    REQUIRE(pthread_create(&t, NULL, thread_that_waits, c) == 0);
    pthread_detach(t);
    chan_recv(c);
}

static void blocked_call(chan(int) c)
{
    struct timespec t = {.tv_nsec = 200 * 1000 * 1000};
    nanosleep(&t, NULL);
    chan_send(c, 3);
}

TEST(a_blocked_call_wakes_it)
{
    chan(int) c = chan_make(int, 0);
    go(blocked_call, c);
    CHECK_EQ(chan_recv(c), 3);
    chan_free(c);
}

static void handler(int s)
{
    (void)s;
    _exit(9);
}

TEST_DIES(a_signal_handler_holds_it_back, 9, "")
{
    signal(SIGALRM, handler);
    alarm(1);
    chan(int) c = chan_make(int, 0);
    chan_recv(c);
}

/* Waits that end in 292 years end. */
static void die_soon(void)
{
    ualarm(100 * 1000, 0);
}

TEST_DIES(the_longest_sleep_holds_it_back, 128 + SIGALRM, "")
{
    die_soon();
    rn_sleep(INT64_MAX);
}

TEST_DIES(the_longest_timeout_holds_it_back, 128 + SIGALRM, "")
{
    chan(int) c = chan_make(int, 0);
    die_soon();
    chan_select(on_recv(c, NULL), on_timeout(INT64_MAX));
}

TEST_DIES(the_longest_timeout_beside_the_end_of_a_context_holds_it_back, 128 + SIGALRM, "")
{
    rn_context *ctx = ctx_with_cancel(NULL);
    die_soon();
    chan_select(on_recv(ctx_done(ctx), NULL), on_timeout(INT64_MAX));
}

TEST_DIES(the_longest_timer_holds_it_back, 128 + SIGALRM, "")
{
    rn_timer t;
    rn_timer_init(&t, INT64_MAX);
    die_soon();
    chan_recv(rn_timer_chan(&t));
}

TEST_DIES(the_longest_context_holds_it_back, 128 + SIGALRM, "")
{
    rn_context *ctx = ctx_with_timeout(NULL, INT64_MAX);
    die_soon();
    ctx_wait(ctx);
}

static void wait_for_nobody(void *c)
{
    chan_recv((chan(int))c);
}

static void panics_and_waits(chan(int) c)
{
    defer(wait_for_nobody, c);
    rn_panic("why it all began");
}

/* A deferred call that waits for ever does not hide the panic for which it runs. */
TEST_DIES(
    deadlock_in_a_panic, 2,
    "all goroutines are asleep - deadlock!\n\ngoroutine 1 [chan receive]:\n\tpanic: why it all began\nwait_for_nobody\n")
{
    panics_and_waits(chan_make(int, 0));
}

static void wait_in_an_exit(chan(int) c)
{
    defer(wait_for_nobody, c);
    rn_exit_goroutine();
}

TEST_DIES(deadlock_in_an_exit, 2, "deadlock!\n\ngoroutine 1 [chan receive]:\nwait_for_nobody\n")
{
    wait_in_an_exit(chan_make(int, 0));
}

/* ---- without a run ------------------------------------------------------------------------------------ */

#define THREADS "fatal error: all threads are asleep - deadlock!"

TEST_PLAIN_DIES(a_plain_main_receives_what_nobody_sends, 2, "outside of any run [chan receive, plain thread]:\n")
{
    chan(int) c = chan_make(int, 0);
    chan_recv(c);
}

TEST_PLAIN_DIES(a_plain_main_locks_twice, 2, THREADS)
{
    rn_mutex m = RN_MUTEX_INIT;
    mutex_lock(&m);
    mutex_lock(&m);
}

TEST_PLAIN_DIES(a_plain_main_waits_for_a_group, 2, THREADS)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_add(&wg, 1);
    wg_wait(&wg);
}

TEST_PLAIN_DIES(a_plain_main_selects_nothing, 2, THREADS)
{
    chan_select();
}

static int no_work(void)
{
    return 0;
}

TEST_PLAIN_DIES(a_plain_main_waits_after_a_run, 2, THREADS)
{
    rn_run(no_work);
    chan(int) c = chan_make(int, 0);
    chan_recv(c);
}

TEST_PLAIN_DIES(two_plain_threads_wait_for_each_other, 2, THREADS)
{
    chan(int) c = chan_make(int, 0);
    pthread_t t;
    REQUIRE(pthread_create(&t, NULL, thread_that_waits, c) == 0);
    chan_recv(c);
}

static void *late_thread(void *arg)
{
    thread_that_ends(NULL);
    thread_that_ends(NULL);
    return thread(arg);
}

TEST_PLAIN(a_plain_main_is_woken_by_a_thread_that_was_elsewhere)
{
    chan(int) c = chan_make(int, 0);
    pthread_t t;
    REQUIRE(pthread_create(&t, NULL, late_thread, c) == 0);
    CHECK_EQ(chan_recv(c), 7);
    pthread_join(t, NULL);
    chan_free(c);
}

static int late_main(chan(int) c)
{
    late_thread(c);
    return 0;
}

static void *run_elsewhere(void *arg)
{
    rn_run(late_main, (chan(int))arg);
    return NULL;
}

TEST_PLAIN(a_plain_main_is_woken_by_a_run)
{
    chan(int) c = chan_make(int, 0);
    pthread_t t;
    REQUIRE(pthread_create(&t, NULL, run_elsewhere, c) == 0);
    CHECK_EQ(chan_recv(c), 7);
    pthread_join(t, NULL);
    chan_free(c);
}

TEST_PLAIN(a_plain_main_is_woken_by_a_timer)
{
    chan(int) c = chan_make(int, 0);
    CHECK_EQ(chan_select(on_recv(c, NULL), on_timeout(300 * RN_MILLISECOND)), 1);
    chan_free(c);
}

TEST_PLAIN_DIES(a_signal_handler_may_end_a_plain_main, 9, "")
{
    signal(SIGALRM, handler);
    alarm(1);
    chan(int) c = chan_make(int, 0);
    chan_recv(c);
}
