/* Limits that come while the one who should have been there before is merely late.
 *
 * The repaired programs have limits of their own patience, too, and sleeps that give others time: those are no bugs. */
#include <runnel.h>
#include <runnel/test.h>

/* ---- an answer that comes too late ---- */

static void look_up(chan(int) answer)
{
    int n = 0;
    for (int i = 0; i < 10; i++)
        n += i;
    chan_send(answer, n);
}

static void ask(int room, rn_duration patience)
{
    chan(int) answer = chan_make(int, room);
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_go(&wg, look_up, answer);
    int got;
    chan_select(on_recv(answer, &got), on_timeout(patience));
    wg_wait(&wg);
    chan_free(answer);
}

TEST(buggy_late_answer)
{
    ask(0, 5 * RN_SECOND);
}

TEST(fixed_late_answer)
{
    ask(1, 5 * RN_SECOND);
}

/* Who waits for so long waits for ever. */
TEST(fixed_answer_within_a_minute)
{
    ask(0, RN_MINUTE);
}

/* ---- both sides close ---- */

static void work_and_close(chan(rn_unit) over, rn_once *once)
{
    if (once)
        once_do(once, chan_close, over);
    else
        chan_close(over);
}

static void wait_or_close(rn_once *once)
{
    static chan(rn_unit) over;
    over = chan_make(rn_unit, 0);
    rn_context *ctx = ctx_with_timeout(ctx_background(), RN_SECOND);
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_go(&wg, work_and_close, over, once);
    if (chan_select(on_recv(over, NULL), on_done(ctx)) == 1)
        work_and_close(over, once);
    wg_wait(&wg);
    ctx_cancel(ctx);
    chan_free(over);
}

TEST(buggy_closed_by_both)
{
    wait_or_close(NULL);
}

TEST(fixed_closed_by_both)
{
    rn_once once = RN_ONCE_INIT;
    wait_or_close(&once);
}

/* ---- what is tried again was not lost, but late ---- */

struct account {
    rn_mutex lock;
    int balance, seen;
};

struct order {
    int number;
    chan(int) done;
};

static void pay(struct account *a, struct order *o, bool once)
{
    mutex_lock(&a->lock);
    if (!once || a->seen != o->number)
        a->balance -= 10;
    a->seen = o->number;
    mutex_unlock(&a->lock);
    chan_send(o->done, 0);
}

static void pay_with_patience(bool once)
{
    struct account a = {.balance = 100};
    struct order o = {7, chan_make(int, 2)};
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_go(&wg, pay, &a, &o, once);
    if (chan_select(on_recv(o.done, NULL), on_timeout(20 * RN_MILLISECOND)) == 1)
        wg_go(&wg, pay, &a, &o, once);
    wg_wait(&wg);
    CHECK_EQ(a.balance, 90);
    chan_free(o.done);
}

TEST(buggy_paid_again)
{
    pay_with_patience(false);
}

TEST(fixed_paid_again)
{
    pay_with_patience(true);
}

/* ---- a lock that was not got in time ---- */

static void hold(rn_mutex *mu)
{
    mutex_lock(mu);
    rn_yield();
    mutex_unlock(mu);
}

static void lock_in_time(bool looks)
{
    rn_mutex mu = RN_MUTEX_INIT;
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    rn_context *ctx = ctx_with_timeout(ctx_background(), RN_SECOND);
    wg_go(&wg, hold, &mu);
    rn_yield();
    int err = mutex_lock_ctx(ctx, &mu);
    if (!looks || err == 0)
        mutex_unlock(&mu);
    wg_wait(&wg);
    ctx_cancel(ctx);
}

TEST(buggy_not_locked_in_time)
{
    lock_in_time(false);
}

TEST(fixed_not_locked_in_time)
{
    lock_in_time(true);
}

/* ---- no bugs ---- */

static void finish(chan(int) done)
{
    rn_yield();
    chan_send(done, 1);
}

/* A test's own patience. */
TEST(fixed_guard)
{
    chan(int) done = chan_make(int, 1);
    go(finish, done);
    int got = 0;
    CHECK_EQ(chan_select(on_recv(done, &got), on_timeout(RN_SECOND)), 0);
    CHECK_EQ(got, 1);
}

TEST(fixed_guard_that_panics)
{
    chan(int) done = chan_make(int, 0);
    go(finish, done);
    if (chan_select(on_recv(done, NULL), on_timeout(100 * RN_MILLISECOND)) == 1)
        rn_panic("no answer");
}

static void set(rn_atomic_int64 *to)
{
    rn_yield();
    rn_atomic_store(to, 1);
}

/* Who sleeps gives the others time, also beside limits that come later. */
TEST(fixed_sleep_beside_a_limit)
{
    rn_atomic_int64 done = {0};
    rn_context *ctx = ctx_with_timeout(ctx_background(), 50 * RN_MILLISECOND);
    go(set, &done);
    rn_sleep(10 * RN_MILLISECOND);
    CHECK_EQ(rn_atomic_load(&done), 1);
    rn_atomic_store(&done, 0);
    go(set, &done);
    chan_recv_only(rn_time) later = rn_after(10 * RN_MILLISECOND);
    chan_recv(later);
    chan_free(later);
    CHECK_EQ(rn_atomic_load(&done), 1);
    ctx_cancel(ctx);
}

TEST(fixed_sleep_with_a_context)
{
    rn_atomic_int64 done = {0};
    rn_context *ctx = ctx_with_cancel(ctx_background());
    go(set, &done);
    CHECK_EQ(rn_sleep_ctx(ctx, 10 * RN_MILLISECOND), 0);
    CHECK_EQ(rn_atomic_load(&done), 1);
    ctx_cancel(ctx);
}

static void wait_for(rn_duration d, chan(rn_unit) never, chan(rn_duration) to)
{
    chan_select(on_recv(never, NULL), on_timeout(d));
    chan_send(to, d);
}

/* The earlier limit comes first, however late others are. */
TEST(fixed_limits_in_order)
{
    chan(rn_unit) never = chan_make(rn_unit, 0);
    chan(rn_duration) to = chan_make(rn_duration, 2);
    rn_time start = rn_now();
    go(wait_for, 20 * RN_MILLISECOND, never, to);
    go(wait_for, 10 * RN_MILLISECOND, never, to);
    chan_recv(to);
    CHECK(rn_since(start) >= 10 * RN_MILLISECOND);
    chan_recv(to);
    CHECK(rn_since(start) >= 20 * RN_MILLISECOND);
    chan_free(to);
    chan_free(never);
}

static void beat(chan(int) to)
{
    for (int i = 0; i < 3; i++) {
        rn_sleep(10 * RN_MILLISECOND);
        chan_send(to, i);
    }
    chan_close(to);
}

/* Goes by the virtual clock. */
TEST(fixed_heartbeat)
{
    chan(int) beats = chan_make(int, 4);
    go(beat, beats);
    int v, missed = 0;
    for (bool open = true; open && !missed;)
        missed = chan_select(on_recv_ok(beats, &v, &open), on_timeout(50 * RN_MILLISECOND));
    CHECK_EQ(missed, 0);
}
