/* SEMANTICS 44: rn_run returns, all threads are joined, nothing is left; it may be called again. */
#include <runnel.h>
#include <runnel/test.h>
#include <sched.h>
#include <dirent.h>
#include <pthread.h>

static int entries(const char *path)
{
    int n = 0;
    DIR *d = opendir(path);
    while (d && readdir(d))
        n++;
    if (d)
        closedir(d);
    return n;
}

static void double_it(chan(long) in, chan(long) out)
{
    for (long v; chan_next(in, &v);)
        chan_send(out, 2 * v);
}

static int work(int n)
{
    chan(long) in = chan_make(long, 4), out = chan_make(long, 4);
    rn_waitgroup all = RN_WAITGROUP_INIT;
    for (int i = 0; i < 4; i++)
        wg_go(&all, double_it, in, out);
    long sum = 0;
    for (long i = 0; i < n; i++) {
        chan_send(in, i);
        sum += chan_recv(out);
    }
    chan_close(in);
    wg_wait(&all);
    chan_free(in);
    chan_free(out);
    return (int)sum;
}

/* A joined thread is not gone from the list at once; a test whose threads stay ends by its time limit. */
static void threads_come_down_to(int n)
{
    while (entries("/proc/self/task") > n)
        sched_yield();
}

TEST_PLAIN(again_and_again)
{
    CHECK_EQ(rn_run(work, 10), 90);
    int threads = entries("/proc/self/task"), files = entries("/proc/self/fd");
    for (int i = 0; i < 50; i++) {
        CHECK_EQ(rn_run(work, 100), 9900);
        threads_come_down_to(threads);
        CHECK_EQ(entries("/proc/self/fd"), files);
    }
}

TEST_PLAIN(with_other_numbers_of_processors)
{
    for (int p = 1; p <= 5; p++) {
        rn_set_procs(p);
        CHECK_EQ(rn_procs(), p);
        CHECK_EQ(rn_run(work, 100), 9900);
    }
    CHECK_EQ(rn_set_procs(0), RN_EINVAL);
}

static void change(int *sum)
{
    for (int p = 1; p <= 8; p++) {
        CHECK_EQ(rn_set_procs(p % 4 + 1), 0);
        *sum += work(50);
    }
}

TEST_PLAIN(processors_change_during_a_run)
{
    int sum = 0;
    rn_run(change, &sum);
    CHECK_EQ(sum, 8 * 2450);
}

static void blocked(chan_recv_only(int) c)
{
    chan_recv(c);
}

static chan(int) for_ever;

static int leaves_many(void)
{
    chan(int) c = for_ever = chan_make(int, 0);
    for (int i = 0; i < 1000; i++)
        go(blocked, c);
    rn_yield();
    return 1;
}

TEST_PLAIN(goroutines_that_are_left_go_with_the_run)
{
    for (int i = 0; i < 10; i++) {
        CHECK_EQ(rn_run(leaves_many), 1);
        chan_free(for_ever); /* those that waited are gone */
    }
}

static rn_atomic_int there;

static void comes_and_waits(void *c)
{
    rn_atomic_add(&there, 1);
    blocked(c);
}

static void recovers(void *unused)
{
    (void)unused;
    CHECK_STR(rn_recover(), "recovered 1");
}

static void panics_and_recovers(void)
{
    defer(recovers, NULL);
    rn_panic("recovered %d", 1);
}

static void waits_after_a_recovery(void)
{
    panics_and_recovers();
    comes_and_waits(for_ever);
}

static void waits_in_a_deferred_call(void)
{
    defer(comes_and_waits, for_ever);
    rn_panic("not %s", "ended");
}

static int leaves_panics(void)
{
    for_ever = chan_make(int, 0);
    rn_atomic_store(&there, 0);
    go(waits_after_a_recovery);
    go(waits_in_a_deferred_call);
    while (rn_atomic_load(&there) < 2)
        rn_yield();
    return 1;
}

/* AddressSanitizer's build sees what is left. */
TEST_PLAIN(panics_of_those_that_are_left_go_too)
{
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(rn_run(leaves_panics), 1);
        chan_free(for_ever);
    }
}

/* ---- what goroutines of an ended run waited on goes on without them ---- */

static chan(int) left, also_left;
static rn_mutex left_lock;
static rn_rwmutex left_rwlock;
static rn_waitgroup left_group;
static rn_context *left_ctx;

static void waits_in_select(void)
{
    int v = 7, got;
    chan_select(on_recv(also_left, &got), on_send(left, v), on_done(left_ctx), on_timeout(RN_HOUR));
}

static void waits_to_receive(void)
{
    chan_recv(also_left);
}

static void waits_to_send(void)
{
    chan_send(left, 1);
}

static void waits_for_lock(void)
{
    mutex_lock(&left_lock);
}

static void waits_to_read(void)
{
    rwmutex_rlock(&left_rwlock);
}

static void waits_with_context(void)
{
    (void)!mutex_lock_ctx(left_ctx, &left_lock);
}

static void waits_for_group(void)
{
    wg_wait(&left_group);
}

static int leaves_waiters(void)
{
    void (*all[])(void) = {waits_in_select, waits_to_receive,   waits_to_send,  waits_for_lock,
                           waits_to_read,   waits_with_context, waits_for_group};
    for (int i = 0; i < 70; i++)
        go(all[i % 7]);
    for (int i = 0; i < 1000; i++)
        rn_yield();
    return 0;
}

TEST_PLAIN(what_they_waited_on_goes_on)
{
    left = chan_make(int, 0);
    also_left = chan_make(int, 0);
    left_ctx = ctx_with_cancel(NULL);
    mutex_lock(&left_lock);
    rwmutex_lock(&left_rwlock);
    wg_add(&left_group, 1);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(rn_run(leaves_waiters), 0);
        int v;
        CHECK_EQ(chan_try_send(also_left, 1), RN_EAGAIN); /* nobody receives */
        CHECK_EQ(chan_try_recv(left, &v), RN_EAGAIN);     /* nor sends */
    }
    ctx_cancel(left_ctx);
    mutex_unlock(&left_lock);
    CHECK(mutex_try_lock(&left_lock));
    mutex_unlock(&left_lock);
    rwmutex_unlock(&left_rwlock);
    CHECK(rwmutex_try_rlock(&left_rwlock));
    rwmutex_runlock(&left_rwlock);
    wg_done(&left_group);
    chan_free(left);
    chan_free(also_left);
}

/* ---- plain threads beside a run (SEMANTICS 41) ---- */

static chan(int) jobs, results;

static void *producer(void *arg)
{
    (void)arg;
    for (int i = 1; i <= 1000; i++)
        chan_send(jobs, i);
    return NULL;
}

static void *consumer(void *arg)
{
    long *sum = arg;
    for (int v; chan_next(results, &v);)
        *sum += v;
    return NULL;
}

static void copy(void)
{
    for (int v; chan_next(jobs, &v);)
        chan_send(results, v);
}

static void serve(void)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < 3; i++)
        wg_go(&wg, copy);
    wg_wait(&wg);
    chan_close(results);
}

TEST_PLAIN(plain_threads_send_and_receive)
{
    jobs = chan_make(int, 2);
    results = chan_make(int, 0);
    pthread_t p[4], c[2];
    long sum[2] = {0, 0};
    for (int i = 0; i < 4; i++)
        pthread_create(&p[i], NULL, producer, NULL);
    for (int i = 0; i < 2; i++)
        pthread_create(&c[i], NULL, consumer, &sum[i]);
    pthread_t closer;
    static pthread_t *producers;
    producers = p;
    void *close_when_done(void *arg);
    pthread_create(&closer, NULL, close_when_done, producers);
    rn_run(serve);
    pthread_join(closer, NULL);
    for (int i = 0; i < 2; i++)
        pthread_join(c[i], NULL);
    CHECK_EQ(sum[0] + sum[1], 4L * 500500);
    chan_free(jobs);
    chan_free(results);
}

void *close_when_done(void *arg)
{
    pthread_t *p = arg;
    for (int i = 0; i < 4; i++)
        pthread_join(p[i], NULL);
    chan_close(jobs);
    return NULL;
}

TEST(rn_run_in_a_goroutine_panics)
{
    EXPECT_PANIC("rn_run: called from a goroutine", (void)rn_run(work, 1));
}

TEST_PLAIN_DIES(go_without_a_run_panics, 2,
                "go: no run is under way: start goroutines in rn_main, or in what rn_run was given")
{
    go(copy);
}

static void nothing(void)
{
}

static int seven(void)
{
    rn_yield();
    return 7;
}

TEST_PLAIN(go_try_without_a_run_says_so)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    rn_group group = RN_GROUP_INIT;
    CHECK_EQ(rn_go_try(nothing), RN_EAGAIN);
    EXPECT_PANIC("wg_go: no run is under way: start goroutines in rn_main, or in what rn_run was given",
                 wg_go(&wg, nothing));
    wg_wait(&wg); /* nothing is counted */
    EXPECT_PANIC("group_go: no run is under way: start goroutines in rn_main, or in what rn_run was given",
                 group_go(&group, seven));
    CHECK_EQ(group_wait(&group), 0);
}

static rn_atomic_bool over;

static void *starter(void *refused)
{
    for (int err = 0; !rn_atomic_load(&over);)
        if ((err = rn_go_try(nothing)) == RN_EAGAIN)
            ++*(int *)refused;
        else if (err != 0)
            return "another error";
    return NULL;
}

TEST_PLAIN(thread_that_starts_goroutines_as_runs_end)
{
    pthread_t p;
    int refused = 0;
    void *error = "unknown";
    CHECK_EQ(pthread_create(&p, NULL, starter, &refused), 0);
    for (int i = 0; i < 20; i++)
        CHECK_EQ(rn_run(seven), 7);
    rn_atomic_store(&over, true);
    pthread_join(p, &error);
    CHECK(!error);
    CHECK(refused > 0);
}

/* ---- a thread that sets the number of processors ---- */

static rn_atomic_bool enough;

static void *sets_procs(void *arg)
{
    for (int i = 0; !rn_atomic_load(&enough); i++)
        rn_set_procs(1 + i % 4);
    return arg;
}

static void ends(void)
{
}

static int starts_some(void)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < 20; i++)
        wg_go(&wg, ends);
    wg_wait(&wg);
    return 7;
}

TEST_PLAIN(procs_are_set_while_runs_begin_and_end)
{
    pthread_t t;
    REQUIRE(pthread_create(&t, NULL, sets_procs, NULL) == 0);
    for (int i = 0; i < 50; i++)
        CHECK_EQ(rn_run(starts_some), 7);
    rn_atomic_store(&enough, true);
    pthread_join(t, NULL);
}

static pthread_barrier_t both;

static int sleeps(void)
{
    rn_sleep(100 * RN_MILLISECOND);
    return 0;
}

static void *runs(void *unused)
{
    pthread_barrier_wait(&both);
    rn_run(sleeps);
    return unused;
}

/* Both prepared the same run: a fault, or nothing happened any more. */
TEST_PLAIN_DIES(two_threads_run_at_once, 2, "rn_run: already running on another thread")
{
    pthread_t a, b;
    pthread_barrier_init(&both, NULL, 2);
    REQUIRE(pthread_create(&a, NULL, runs, NULL) == 0 && pthread_create(&b, NULL, runs, NULL) == 0);
    pthread_join(a, NULL);
    pthread_join(b, NULL);
}
