/* Every blocking operation of sync has a form that a context cancels, and that leaves nothing behind. */
#include "sync_inside.h"

static rn_mutex mu;
static rn_rwmutex rw;
static rn_waitgroup group;
static int result;

/* Both ways of a context's end, on op, which blocks: done before, and done while it waits. */
#define ENDS(op)                                                  \
    do {                                                          \
        rn_context *ctx = ctx_with_cancel(ctx_background());      \
        ctx_cancel(ctx);                                          \
        CHECK_EQ(op, RN_ECANCELED);                               \
        ctx = ctx_with_timeout(ctx_background(), RN_MILLISECOND); \
        CHECK_EQ(op, RN_ETIMEOUT);                                \
        ctx_cancel(ctx);                                          \
    } while (0)

TEST(mutex)
{
    CHECK_EQ(mutex_lock_ctx(ctx_background(), &mu), 0);
    ENDS(mutex_lock_ctx(ctx, &mu));
    CHECK_EQ(waiters(&mu.rn_queue), 0);
    mutex_unlock(&mu);
    mutex_lock(&mu);
    mutex_unlock(&mu);
    CHECK_EQ(rn_load_relaxed(&mu.rn_state) & 7, 0); /* not locked, and nobody waits */
}

TEST(rwmutex)
{
    CHECK_EQ(rwmutex_lock_ctx(NULL, &rw), 0);
    ENDS(rwmutex_rlock_ctx(ctx, &rw));
    ENDS(rwmutex_lock_ctx(ctx, &rw));
    rwmutex_unlock(&rw);
    CHECK_EQ(rwmutex_rlock_ctx(NULL, &rw), 0);
    ENDS(rwmutex_lock_ctx(ctx, &rw));
    CHECK(rwmutex_try_rlock(&rw)); /* no writer holds readers back any more */
    rwmutex_runlock(&rw);
    rwmutex_runlock(&rw);
    CHECK_EQ(waiters(&rw.rn_writers), 0);
    CHECK(rwmutex_try_lock(&rw));
    rwmutex_unlock(&rw);
}

static void write_until(rn_context *ctx)
{
    result = rwmutex_lock_ctx(ctx, &rw);
}

static void read_once(void)
{
    rwmutex_rlock(&rw);
    rwmutex_runlock(&rw);
}

TEST(a_writer_that_gives_up_lets_in_the_readers)
{
    rn_context *ctx = ctx_with_cancel(ctx_background());
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    rwmutex_rlock(&rw);
    wg_go(&wg, write_until, ctx);
    await_waiters(&rw.rn_writers, 1);
    for (int i = 0; i < 3; i++)
        wg_go(&wg, read_once);
    await_readers(&rw, 3);
    ctx_cancel(ctx);
    wg_wait(&wg); /* while this reader holds on */
    CHECK_EQ(result, RN_ECANCELED);
    rwmutex_runlock(&rw);
    CHECK(rwmutex_try_lock(&rw));
    rwmutex_unlock(&rw);
}

TEST(waitgroup)
{
    wg_add(&group, 1);
    ENDS(wg_wait_ctx(ctx, &group));
    CHECK_EQ(waiters(&group.rn_queue), 0);
    wg_done(&group);
    CHECK_EQ(wg_wait_ctx(NULL, &group), 0);
    wg_add(&group, 1);
    wg_done(&group);
    wg_wait(&group);
}

TEST(semaphore)
{
    rn_semaphore sem = RN_SEMAPHORE_INIT(1);
    CHECK_EQ(sem_acquire(NULL, &sem, 1), 0);
    ENDS(sem_acquire(ctx, &sem, 1));
    CHECK_EQ(waiters(&sem.rn_queue), 0);
    sem_release(&sem, 1);
}

TEST(cond)
{
    rn_cond c = RN_COND_INIT;
    mutex_lock(&mu);
    ENDS(cond_wait_ctx(ctx, &c, &mu));
    CHECK_EQ(waiters(&c.rn_queue), 0);
    CHECK_EQ(rn_load_relaxed(&c.rn_waiting), 0);
    mutex_unlock(&mu);
}

static void *cancel_soon(void *ctx)
{
    ctx_cancel(ctx);
    return NULL;
}

TEST(a_plain_thread_may_cancel)
{
    pthread_t t;
    rn_context *ctx = ctx_with_cancel(ctx_background());
    mutex_lock(&mu);
    pthread_create(&t, NULL, cancel_soon, ctx);
    CHECK_EQ(mutex_lock_ctx(ctx, &mu), RN_ECANCELED);
    pthread_join(t, NULL);
    mutex_unlock(&mu);
}

/* Cancel, unlock and other lockers at the same time: nothing is lost and nobody is left. */
static rn_atomic_int64 locked, given_up;

static void lock_or_not(uint64_t seed, int turns)
{
    for (int i = 0; i < turns; i++) {
        rn_context *ctx = ctx_with_timeout(ctx_background(), (rn_duration)(next_random(&seed) % 20000));
        if (mutex_lock_ctx(ctx, &mu) == 0) {
            rn_atomic_add(&locked, 1);
            rn_yield();
            mutex_unlock(&mu);
        } else {
            rn_atomic_add(&given_up, 1);
        }
        ctx_cancel(ctx);
    }
}

TEST(cancel_and_unlock_meet)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < 8; i++)
        wg_go(&wg, lock_or_not, test_seed() + (uint64_t)i, 500);
    wg_wait(&wg);
    CHECK_EQ(rn_atomic_load(&locked) + rn_atomic_load(&given_up), 4000);
    CHECK(mutex_try_lock(&mu));
}
