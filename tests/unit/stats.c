/* What rn_debug_stats counts, with goroutines that are known to wait. */
#include <runnel.h>
#include <runnel/debug.h>
#include <runnel/net.h>
#include <runnel/test.h>
#include <unistd.h>

static void sleeper(void)
{
    rn_sleep(RN_HOUR); /* until the test is over */
}

static void receiver(chan(int) c)
{
    int v;
    chan_next(c, &v);
}

static void locker(rn_mutex *m)
{
    mutex_lock(m);
    mutex_unlock(m);
}

static void waiter(rn_waitgroup *wg)
{
    wg_wait(wg);
}

static void reader(int fd)
{
    rn_fd_wait(fd, RN_FD_READ, 0);
}

static rn_stats when_all_wait(size_t goroutines)
{
    rn_stats s;
    do {
        rn_yield();
        rn_debug_stats(&s);
    } while (s.running + s.runnable != 1 || s.goroutines != goroutines);
    return s;
}

TEST(who_waits_for_what)
{
    rn_test_leaks_ok();
    chan(int) c = chan_make(int, 0);
    rn_mutex m = RN_MUTEX_INIT;
    rn_waitgroup wg = RN_WAITGROUP_INIT, all = RN_WAITGROUP_INIT;
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    wg_add(&wg, 1);
    mutex_lock(&m);
    for (int i = 0; i < 2; i++)
        go(sleeper);
    for (int i = 0; i < 3; i++)
        wg_go(&all, receiver, c);
    for (int i = 0; i < 4; i++)
        wg_go(&all, locker, &m);
    for (int i = 0; i < 5; i++)
        wg_go(&all, waiter, &wg);
    wg_go(&all, reader, ends[0]);
    rn_stats s = when_all_wait(16);
    CHECK_EQ(s.running, 1);
    CHECK_EQ(s.runnable, 0);
    CHECK_EQ(s.in_sleep, 2);
    CHECK_EQ(s.in_channels, 3);
    CHECK_EQ(s.in_locks, 4);
    CHECK_EQ(s.in_others, 5);
    CHECK_EQ(s.in_io, 1);
    CHECK_EQ(s.processors, rn_procs());
    CHECK(s.idle <= s.processors && s.threads >= 1);
    chan_close(c);
    mutex_unlock(&m);
    wg_done(&wg);
    REQUIRE(write(ends[1], "x", 1) == 1);
    wg_wait(&all);
    s = when_all_wait(3);
    CHECK_EQ(s.in_sleep, 2);
    chan_free(c);
    close(ends[0]);
    close(ends[1]);
}

static void yielder(rn_atomic_bool *stop)
{
    while (!rn_atomic_load(stop))
        rn_yield();
}

TEST(runnable_ones_are_seen)
{
    int before = rn_set_procs(1);
    rn_atomic_bool stop = {false};
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < 100; i++)
        wg_go(&wg, yielder, &stop);
    rn_stats s;
    rn_debug_stats(&s);
    CHECK_EQ(s.goroutines, 101);
    CHECK_EQ(s.running + s.runnable, 101);
    CHECK(s.runnable >= 98); /* main, and on a busy machine another one, run */
    rn_atomic_store(&stop, true);
    wg_wait(&wg);
    rn_set_procs(before);
}
