/* Cond: signal wakes one in the order of waiting, broadcast all; an early signal is lost. */
#include "sync_inside.h"

static rn_mutex mu;
static rn_cond cond;
static int order[100], n;

static void wait_and_note(int i)
{
    mutex_lock(&mu);
    cond_wait(&cond, &mu);
    order[n++] = i;
    mutex_unlock(&mu);
}

static int noted(void)
{
    mutex_lock(&mu);
    int now = n;
    mutex_unlock(&mu);
    return now;
}

TEST(signal_wakes_one_in_order)
{
    enum { N = 10 };
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < N; i++) {
        wg_go(&wg, wait_and_note, i);
        await_waiters(&cond.rn_queue, i + 1);
    }
    for (int i = 0; i < N; i++) {
        cond_signal(&cond);
        while (noted() != i + 1)
            rn_yield();
        CHECK_EQ(waiters(&cond.rn_queue), N - 1 - i);
    }
    wg_wait(&wg);
    for (int i = 0; i < N; i++)
        CHECK_EQ(order[i], i);
}

TEST(broadcast_wakes_all)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < 50; i++)
        wg_go(&wg, wait_and_note, i);
    await_waiters(&cond.rn_queue, 50);
    cond_broadcast(&cond);
    wg_wait(&wg);
    CHECK_EQ(n, 50);
}

TEST(an_early_signal_is_lost)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    cond_signal(&cond);
    cond_broadcast(&cond);
    wg_go(&wg, wait_and_note, 0);
    await_waiters(&cond.rn_queue, 1);
    for (int i = 0; i < 100; i++)
        rn_yield();
    CHECK_EQ(waiters(&cond.rn_queue), 1);
    cond_signal(&cond);
    wg_wait(&wg);
}

TEST_DIES(a_wait_that_nobody_signals_is_a_reported_deadlock, 2, "all goroutines are asleep - deadlock!")
{
    mutex_lock(&mu);
    cond_wait(&cond, &mu);
}

TEST_DIES(the_mutex_must_be_locked, 2, "sync: unlock of unlocked mutex")
{
    cond_wait(&cond, &mu);
}

static int turn;

static void play(int me, int turns)
{
    mutex_lock(&mu);
    for (int i = 0; i < turns; i++) {
        while (turn != me)
            cond_wait(&cond, &mu);
        turn = !me;
        cond_signal(&cond);
    }
    mutex_unlock(&mu);
}

static void *play_in_thread(void *arg)
{
    play(1, (int)(intptr_t)arg);
    return NULL;
}

TEST(ping_pong)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_go(&wg, play, 1, 10000);
    play(0, 10000);
    wg_wait(&wg);
}

TEST(ping_pong_with_a_plain_thread)
{
    pthread_t t;
    pthread_create(&t, NULL, play_in_thread, (void *)1000);
    play(0, 1000);
    pthread_join(t, NULL);
}

TEST(a_context_ends_the_wait_and_the_signal_goes_to_another)
{
    rn_context *ctx = ctx_with_cancel(ctx_background());
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    ctx_cancel(ctx);
    mutex_lock(&mu);
    CHECK_EQ(cond_wait_ctx(ctx, &cond, &mu), RN_ECANCELED);
    CHECK(!mutex_try_lock(&mu)); /* it is locked again */
    mutex_unlock(&mu);
    CHECK_EQ(waiters(&cond.rn_queue), 0);
    wg_go(&wg, wait_and_note, 1);
    await_waiters(&cond.rn_queue, 1);
    cond_signal(&cond);
    wg_wait(&wg);
}
