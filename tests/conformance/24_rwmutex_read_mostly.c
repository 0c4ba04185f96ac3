/* RWMutex after many reads in a row, when its readers are counted by thread (sync/readers.h): the same semantics. */
#include "sync_inside.h"
#include "sync/readers.h"

/* More than it takes. */
enum { MANY = 3 * (RN_RW_DUE / RN_RW_TICK) };

static rn_rwmutex mu;

static bool is_biased(rn_rwmutex *m)
{
    return rn_load_relaxed(&m->rn_state) & RN_RW_BIASED;
}

static void read_often(rn_rwmutex *m)
{
    for (int i = 0; i < MANY; i++) {
        rwmutex_rlock(m);
        rwmutex_runlock(m);
    }
#if defined(RN_RACE) || defined(RN_TSAN) || defined(RN_EXPLORE)
    CHECK(!is_biased(m));
#else
    CHECK(is_biased(m) || !rn__fence_asymmetric || rn__watched_locks);
#endif
}

TEST(readers_share)
{
    read_often(&mu);
    rwmutex_rlock(&mu);
    rwmutex_rlock(&mu);
    CHECK(rwmutex_try_rlock(&mu));
    CHECK(!rwmutex_try_lock(&mu));
    rwmutex_runlock(&mu);
    rwmutex_runlock(&mu);
    CHECK(!rwmutex_try_lock(&mu));
    rwmutex_runlock(&mu);
    CHECK(rwmutex_try_lock(&mu));
    CHECK(!is_biased(&mu));
    CHECK(!rwmutex_try_rlock(&mu));
    CHECK(!rwmutex_try_lock(&mu));
    rwmutex_unlock(&mu);
    rwmutex_destroy(&mu);
}

static void write_and_note(int *order, int *n)
{
    rwmutex_lock(&mu);
    order[(*n)++] = 1;
    rwmutex_unlock(&mu);
}

static void read_and_note(int *order, int *n)
{
    rwmutex_rlock(&mu);
    order[(*n)++] = 2;
    rwmutex_runlock(&mu);
}

TEST(a_waiting_writer_stops_new_readers)
{
    int order[2] = {0}, n = 0;
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    read_often(&mu);
    rwmutex_rlock(&mu);
    wg_go(&wg, write_and_note, order, &n);
    await_waiters(&mu.rn_writers, 1);
    CHECK(!rwmutex_try_rlock(&mu));
    wg_go(&wg, read_and_note, order, &n);
    await_readers(&mu, 1);
    CHECK_EQ(n, 0);
    rwmutex_runlock(&mu);
    wg_wait(&wg);
    CHECK_EQ(n, 2);
    CHECK_EQ(order[0], 1);
    CHECK_EQ(order[1], 2);
}

static void *runlock_in_thread(void *m)
{
    rwmutex_runlock((rn_rwmutex *)m);
    return NULL;
}

TEST(another_thread_unlocks)
{
    pthread_t t;
    read_often(&mu);
    for (int i = 0; i < 3; i++) {
        rwmutex_rlock(&mu);
        CHECK(!rwmutex_try_lock(&mu));
        pthread_create(&t, NULL, runlock_in_thread, &mu);
        pthread_join(t, NULL);
    }
    CHECK(rwmutex_try_lock(&mu));
    rwmutex_unlock(&mu);
}

TEST(a_writer_that_gives_up_lets_readers_in)
{
    int order[1], n = 0;
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    rn_context *ctx = ctx_with_cancel(ctx_background());
    read_often(&mu);
    rwmutex_rlock(&mu);
    ctx_cancel(ctx);
    CHECK_EQ(rwmutex_lock_ctx(ctx, &mu), RN_ECANCELED);
    wg_go(&wg, read_and_note, order, &n);
    wg_wait(&wg);
    CHECK_EQ(n, 1);
    CHECK(!rwmutex_try_lock(&mu));
    rwmutex_runlock(&mu);
    CHECK(rwmutex_try_lock(&mu));
    rwmutex_unlock(&mu);
}

/* More mutexes than there are places; some are forgotten, as memory that is freed. */
TEST(places_are_given_anew)
{
    enum { N = 2 * RN_TALLIES };
    rn_rwmutex *all = calloc(N, sizeof *all);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < N; i++)
            for (int j = 0; j < MANY; j++) {
                rwmutex_rlock(&all[i]);
                rwmutex_runlock(&all[i]);
            }
        for (int i = 0; i < N; i++) {
            rwmutex_rlock(&all[i]);
            CHECK(!rwmutex_try_lock(&all[i]));
            rwmutex_runlock(&all[i]);
            if (i % 2) {
                CHECK(rwmutex_try_lock(&all[i]));
                rwmutex_unlock(&all[i]);
            } else {
                memset(&all[i], 0, sizeof all[i]);
            }
        }
    }
    free(all);
}

TEST_DIES(runlock_of_unlocked_is_fatal, 2, "fatal error: sync: RUnlock of unlocked RWMutex")
{
    read_often(&mu);
    rwmutex_runlock(&mu);
}

TEST_DIES(runlock_too_often_is_fatal, 2, "fatal error: sync: RUnlock of unlocked RWMutex")
{
    read_often(&mu);
    rwmutex_rlock(&mu);
    rwmutex_runlock(&mu);
    rwmutex_runlock(&mu);
}

TEST_DIES(unlock_of_a_read_lock_is_fatal, 2, "fatal error: sync: Unlock of unlocked RWMutex")
{
    read_often(&mu);
    rwmutex_rlock(&mu);
    rwmutex_unlock(&mu);
}

static void write_again(void)
{
    rwmutex_lock(&mu);
    rwmutex_unlock(&mu);
}

TEST_DIES(a_recursive_read_lock_behind_a_writer_is_a_reported_deadlock, 2, "all goroutines are asleep - deadlock!")
{
    read_often(&mu);
    rwmutex_rlock(&mu);
    go(write_again);
    await_waiters(&mu.rn_writers, 1);
    rwmutex_rlock(&mu);
}
