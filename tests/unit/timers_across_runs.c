/* Timers and deadlines that are set before a run, or outlive one. */
#include <pthread.h>
#include <runnel.h>
#include <runnel/test.h>

static rn_context *deadline;
static rn_timer timer;

static void see_deadline(void)
{
    CHECK_EQ(ctx_wait(deadline), RN_ETIMEOUT);
}

TEST_PLAIN(a_deadline_set_before_the_run)
{
    deadline = ctx_with_timeout(NULL, 2 * RN_MILLISECOND);
    rn_run(see_deadline);
    ctx_cancel(deadline);
    CHECK_EQ(rn_num_contexts(), 0);
}

TEST_PLAIN(without_a_run)
{
    rn_context *ctx = ctx_with_timeout(NULL, RN_HOUR);
    rn_timer_init(&timer, RN_HOUR);
    CHECK(rn_timer_reset(&timer, RN_MINUTE));
    CHECK(rn_timer_stop(&timer));
    rn_timer_destroy(&timer);
    ctx_cancel(ctx);
    CHECK_EQ(rn_num_contexts(), 0);
}

static void leave_behind(void)
{
    deadline = ctx_with_timeout(NULL, RN_HOUR);
    rn_timer_init(&timer, RN_HOUR);
}

/* What the last run left is stopped among timers of this one, which must not suffer. */
static void clean_up(void)
{
    rn_timer own[50];
    rn_duration d = RN_MILLISECOND;
    for (int i = 0; i < 50; i++)
        rn_timer_init(&own[i], i % 2 ? d : RN_HOUR);
    ctx_cancel(deadline);
    CHECK_EQ(ctx_err(deadline), RN_ECANCELED);
    CHECK(!rn_timer_stop(&timer)); /* forgotten with its run */
    rn_timer_reset(&timer, d);
    chan_recv(rn_timer_chan(&timer));
    rn_timer_destroy(&timer);
    for (int i = 1; i < 50; i += 2)
        chan_recv(rn_timer_chan(&own[i]));
    for (int i = 0; i < 50; i++)
        rn_timer_destroy(&own[i]);
}

TEST_PLAIN(what_a_run_leaves_behind)
{
    for (int i = 0; i < 20; i++) {
        rn_run(leave_behind);
        rn_run(clean_up);
    }
    CHECK_EQ(rn_num_contexts(), 0);
}

static void sleep_long(void)
{
    rn_sleep(RN_HOUR);
}

static void leave_sleepers(void)
{
    for (int i = 0; i < 100; i++)
        go(sleep_long);
    rn_sleep(RN_MILLISECOND);
}

TEST_PLAIN(sleepers_end_with_their_run)
{
    for (int i = 0; i < 20; i++)
        rn_run(leave_sleepers);
}

/* ---- what plain threads have set ---- */

static rn_timer *theirs; /* on the stack of a goroutine */

static void *reset_theirs(void *arg)
{
    rn_timer_reset(theirs, 5 * RN_MILLISECOND);
    return arg;
}

static void has_a_timer(rn_waitgroup *there)
{
    rn_timer t;
    rn_timer_init(&t, RN_HOUR);
    rn_timer_stop(&t);
    theirs = &t;
    wg_done(there);
    rn_sleep(RN_HOUR);
}

static void ends_before_it_fires(size_t stack)
{
    pthread_t other;
    rn_waitgroup there = RN_WAITGROUP_INIT;
    wg_add(&there, 1);
    rn_go_with((.stack = stack), has_a_timer, &there);
    wg_wait(&there);
    REQUIRE(pthread_create(&other, NULL, reset_theirs, NULL) == 0);
    pthread_join(other, NULL);
}

/* A timer that lies on a goroutine's stack ends with the run, whoever has set it; the thread's own goes on. */
TEST_PLAIN(a_thread_has_set_a_goroutines_timer)
{
    const size_t sizes[] = {0, 1 << 20};
    for (int i = 0; i < 2; i++) {
        rn_timer_init(&timer, 10 * RN_MILLISECOND);
        rn_run(ends_before_it_fires, sizes[i]);
        chan_recv(rn_timer_chan(&timer)); /* by now the other would have fired, too */
        rn_timer_destroy(&timer);
    }
}
