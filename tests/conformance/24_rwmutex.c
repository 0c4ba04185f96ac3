/* RWMutex: readers share; a waiting writer stops new readers; the writer happens after all earlier
 * readers; waiting readers go as a batch. */
#include "sync_inside.h"

static rn_rwmutex mu;

TEST(readers_share)
{
    rwmutex_rlock(&mu);
    rwmutex_rlock(&mu);
    CHECK(rwmutex_try_rlock(&mu));
    CHECK(!rwmutex_try_lock(&mu));
    rwmutex_runlock(&mu);
    rwmutex_runlock(&mu);
    rwmutex_runlock(&mu);
    CHECK(rwmutex_try_lock(&mu));
    CHECK(!rwmutex_try_rlock(&mu));
    CHECK(!rwmutex_try_lock(&mu));
    rwmutex_unlock(&mu);
}

static void write_and_note(int i, int *order, int *n)
{
    rwmutex_lock(&mu);
    order[(*n)++] = i;
    rwmutex_unlock(&mu);
}

static rn_mutex note_mutex;

static void read_and_note(int i, int *order, int *n)
{
    rwmutex_rlock(&mu);
    mutex_lock(&note_mutex);
    order[(*n)++] = i;
    mutex_unlock(&note_mutex);
    rwmutex_runlock(&mu);
}

TEST(a_waiting_writer_stops_new_readers)
{
    int order[3], n = 0;
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    rwmutex_rlock(&mu);
    wg_go(&wg, write_and_note, 1, order, &n);
    await_waiters(&mu.rn_writers, 1);
    CHECK(!rwmutex_try_rlock(&mu));
    wg_go(&wg, read_and_note, 2, order, &n);
    await_readers(&mu, 1);
    CHECK_EQ(n, 0);
    rwmutex_runlock(&mu);
    wg_wait(&wg);
    CHECK_EQ(n, 2);
    CHECK_EQ(order[0], 1);
    CHECK_EQ(order[1], 2);
}

static void read_with_all(rn_waitgroup *all_in, rn_waitgroup *done)
{
    rwmutex_rlock(&mu);
    wg_done(all_in);
    wg_wait(all_in); /* only ends if all readers are in at the same time */
    rwmutex_runlock(&mu);
    wg_done(done);
}

static void write_once(int *order, int *n)
{
    write_and_note(9, order, n);
}

TEST(waiting_readers_go_as_a_batch_before_the_next_writer)
{
    enum { N = 5 };
    int order[2], n = 0;
    rn_waitgroup all_in = RN_WAITGROUP_INIT, done = RN_WAITGROUP_INIT;
    rwmutex_lock(&mu);
    wg_add(&all_in, N);
    wg_add(&done, N);
    for (int i = 0; i < 3; i++)
        go(read_with_all, &all_in, &done);
    await_readers(&mu, 3);
    wg_go(&done, write_once, order, &n);
    await_waiters(&mu.rn_writers, 1);
    for (int i = 3; i < N; i++) /* those behind the writer too */
        go(read_with_all, &all_in, &done);
    await_readers(&mu, N);
    rwmutex_unlock(&mu);
    wg_wait(&done);
    CHECK_EQ(n, 1);
}

static void read_again(void)
{
    rwmutex_rlock(&mu);
    rwmutex_runlock(&mu);
}

static void write_again(void)
{
    rwmutex_lock(&mu);
    rwmutex_unlock(&mu);
}

TEST_DIES(a_recursive_read_lock_behind_a_writer_is_a_reported_deadlock, 2, "all goroutines are asleep - deadlock!")
{
    rwmutex_rlock(&mu);
    go(write_again);
    await_waiters(&mu.rn_writers, 1);
    read_again();
}

TEST_DIES(runlock_of_unlocked_is_fatal, 2, "fatal error: sync: RUnlock of unlocked RWMutex")
{
    rwmutex_runlock(&mu);
}

TEST_DIES(unlock_of_unlocked_is_fatal, 2, "fatal error: sync: Unlock of unlocked RWMutex")
{
    rwmutex_unlock(&mu);
}

TEST_DIES(runlock_of_a_write_lock_is_fatal, 2, "fatal error: sync: RUnlock of unlocked RWMutex")
{
    rwmutex_lock(&mu);
    rwmutex_runlock(&mu);
}

TEST_DIES(unlock_of_a_read_lock_is_fatal, 2, "fatal error: sync: Unlock of unlocked RWMutex")
{
    rwmutex_rlock(&mu);
    rwmutex_unlock(&mu);
}

/* From Go's sync/rwmutex_test.go: never a writer beside anybody. */
static rn_atomic_int32 activity;

static void reader(int turns)
{
    for (int i = 0; i < turns; i++) {
        rwmutex_rlock(&mu);
        int32_t n = rn_atomic_add(&activity, 1);
        if (n < 1 || n >= 10000)
            FAIL("a reader beside a writer: %d", n);
        rn_atomic_add(&activity, -1);
        rwmutex_runlock(&mu);
    }
}

static void writer(int turns)
{
    for (int i = 0; i < turns; i++) {
        rwmutex_lock(&mu);
        int32_t n = rn_atomic_add(&activity, 10000);
        if (n != 10000)
            FAIL("a writer beside others: %d", n);
        rn_atomic_add(&activity, -10000);
        rwmutex_unlock(&mu);
    }
}

TEST(hammer)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_go(&wg, writer, 3000);
    for (int i = 0; i < 5; i++)
        wg_go(&wg, reader, 3000);
    wg_go(&wg, writer, 3000);
    for (int i = 0; i < 5; i++)
        wg_go(&wg, reader, 3000);
    wg_wait(&wg);
    CHECK(rwmutex_try_lock(&mu)); /* also forgets how often it was read */
    rwmutex_unlock(&mu);
    CHECK_EQ(rn_load_relaxed(&mu.rn_state) & ~2u, 0);
}
