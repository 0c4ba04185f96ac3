/* Mutex: excludes; unlock of an unlocked one is fatal; any goroutine may unlock; under contention
 * nobody starves; try_lock. */
#include "sync_inside.h"

static rn_mutex mu;
static long counter;

static void count_up(int n)
{
    for (int i = 0; i < n; i++) {
        mutex_lock(&mu);
        counter++;
        mutex_unlock(&mu);
    }
}

TEST(one_at_a_time)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < 8; i++)
        wg_go(&wg, count_up, 20000);
    wg_wait(&wg);
    CHECK_EQ(counter, 160000);
    CHECK_EQ(rn_load_relaxed(&mu.rn_state) & 1, 0);
}

TEST_DIES(unlock_of_unlocked_is_fatal, 2, "fatal error: sync: unlock of unlocked mutex")
{
    rn_mutex m = RN_MUTEX_INIT;
    mutex_unlock(&m);
}

static void ignore(void *arg)
{
    (void)arg;
    rn_recover();
}

static void unlock_twice(void)
{
    rn_mutex m = RN_MUTEX_INIT;
    defer(ignore, NULL);
    mutex_lock(&m);
    mutex_unlock(&m);
    mutex_unlock(&m);
}

TEST_DIES(unlock_of_unlocked_cannot_be_recovered, 2, "sync: unlock of unlocked mutex")
{
    unlock_twice();
}

TEST_DIES(locking_again_is_a_reported_deadlock, 2, "all goroutines are asleep - deadlock!")
{
    rn_mutex m = RN_MUTEX_INIT;
    mutex_lock(&m);
    mutex_lock(&m);
}

static void unlock_it(rn_mutex *m)
{
    mutex_unlock(m);
}

TEST(any_goroutine_may_unlock)
{
    rn_mutex m = RN_MUTEX_INIT;
    mutex_lock(&m);
    go(unlock_it, &m);
    mutex_lock(&m);
    mutex_unlock(&m);
}

TEST(try_lock)
{
    rn_mutex m = RN_MUTEX_INIT;
    CHECK(mutex_try_lock(&m));
    CHECK(!mutex_try_lock(&m));
    mutex_unlock(&m);
    CHECK(mutex_try_lock(&m));
    mutex_unlock(&m);
}

static void lock_and_note(rn_mutex *m, int i, int *order, int *n)
{
    mutex_lock(m);
    order[(*n)++] = i;
    mutex_unlock(m);
}

TEST(waiters_are_served_in_order_when_nobody_else_comes)
{
    enum { N = 10 };
    rn_mutex m = RN_MUTEX_INIT;
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    int order[N], n = 0;
    mutex_lock(&m);
    for (int i = 0; i < N; i++) {
        wg_go(&wg, lock_and_note, &m, i, order, &n);
        await_waiters(&m.rn_queue, i + 1);
    }
    mutex_unlock(&m);
    wg_wait(&wg);
    CHECK_EQ(n, N);
    for (int i = 0; i < N; i++)
        CHECK_EQ(order[i], i);
}

static rn_atomic_bool stop;

/* Holds the mutex nearly all the time, and lets go only for a moment. */
static void hog(rn_mutex *m)
{
    while (!rn_atomic_load(&stop)) {
        mutex_lock(m);
        for (rn_time end = rn__now() + 100 * RN_MICROSECOND; rn__now() < end;)
            continue;
        mutex_unlock(m);
    }
}

TEST(nobody_starves)
{
    rn_mutex m = RN_MUTEX_INIT;
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < 2; i++)
        wg_go(&wg, hog, &m);
    for (int i = 0; i < 20; i++) {
        mutex_lock(&m);
        mutex_unlock(&m);
        rn_yield();
    }
    rn_atomic_store(&stop, true);
    wg_wait(&wg);
}

static void *count_in_thread(void *arg)
{
    count_up((int)(intptr_t)arg);
    return NULL;
}

TEST(plain_threads_and_goroutines_exclude_each_other)
{
    pthread_t t[3];
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < 3; i++)
        pthread_create(&t[i], NULL, count_in_thread, (void *)20000);
    for (int i = 0; i < 3; i++)
        wg_go(&wg, count_up, 20000);
    wg_wait(&wg);
    for (int i = 0; i < 3; i++)
        pthread_join(t[i], NULL);
    CHECK_EQ(counter, 120000);
}

TEST_PLAIN(works_without_a_runtime)
{
    pthread_t t[3];
    for (int i = 0; i < 3; i++)
        pthread_create(&t[i], NULL, count_in_thread, (void *)10000);
    for (int i = 0; i < 3; i++)
        pthread_join(t[i], NULL);
    CHECK_EQ(counter, 30000);
}

/* Memory that holds a mutex may be freed by the last one to unlock it (ASan watches). */
struct counted {
    rn_mutex m;
    int refs;
};

static void drop(struct counted *c)
{
    mutex_lock(&c->m);
    bool last = --c->refs == 0;
    mutex_unlock(&c->m);
    if (last) {
        memset(c, 0xa5, sizeof *c);
        free(c);
    }
}

TEST(the_last_to_unlock_may_free)
{
    for (int i = 0; i < 500; i++) {
        struct counted *c = calloc(1, sizeof *c);
        rn_waitgroup wg = RN_WAITGROUP_INIT;
        c->refs = 4;
        for (int j = 0; j < 4; j++)
            wg_go(&wg, drop, c);
        wg_wait(&wg);
    }
}
