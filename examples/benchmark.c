/* Two ways to count from several goroutines, measured: `runnel test -bench . benchmark.c`; without the name, in files named *_test.c. */
#include <runnel.h>
#include <runnel/test.h>

static rn_mutex lock;
static long guarded;
static rn_atomic_int64 atomic;

BENCH(count_with_mutex)
{
    while (bench_loop(b)) {
        mutex_lock(&lock);
        guarded++;
        mutex_unlock(&lock);
    }
}

static void count(rn_waitgroup *wg, long times)
{
    while (times-- > 0)
        rn_atomic_add(&atomic, 1);
    wg_done(wg);
}

/* Work that several goroutines share: the body is run again, with more operations each time. */
BENCH(count_by_four)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    long before = rn_atomic_load(&atomic), each = bench_n(b) / 4 + 1;
    wg_add(&wg, 4);
    for (int i = 0; i < 4; i++)
        go(count, &wg, each);
    wg_wait(&wg);
    CHECK_EQ(rn_atomic_load(&atomic) - before, 4 * each);
}
