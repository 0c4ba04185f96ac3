/* (s) extras: lateness of a sleeper beside an endless loop, hand-off in a blocking system call, panic and
 * recover, defer, a system call, a deep stack. */
#include "stat.h"

#include <time.h>

enum { N = 1000000 };

static void spin(rn_atomic_bool *stop, rn_waitgroup *wg)
{
    while (!rn_atomic_load(stop))
        ;
    wg_done(wg);
}

static void measure_sleeper_beside_spinner(void)
{
    static struct stat_samples s;
    rn_atomic_bool stop = {false};
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_add(&wg, 1);
    go(spin, &stop, &wg);
    for (int i = 0; i < 200; i++) {
        rn_time start = rn_now();
        rn_sleep(RN_MILLISECOND);
        stat_add(&s, rn_ms(rn_since(start)));
    }
    rn_atomic_store(&stop, true);
    stat_report("s.sleep1ms_vs_spinner.P1", "ms", &s);
    wg_wait(&wg);
}

static void count_yields(rn_atomic_int64 *count, rn_atomic_bool *stop)
{
    while (!rn_atomic_load(stop)) {
        rn_atomic_add(count, 1);
        rn_yield();
    }
}

static void measure_system_call(void)
{
    static struct stat_samples s;
    for (int r = 0; r < 11; r++) {
        rn_atomic_int64 count = {0};
        rn_atomic_bool stop = {false};
        rn_waitgroup wg = RN_WAITGROUP_INIT;
        wg_go(&wg, count_yields, &count, &stop);
        rn_yield();
        struct timespec t = {.tv_nsec = 20000000};
        int64_t before = rn_atomic_load(&count);
        nanosleep(&t, NULL);
        stat_add(&s, (double)(rn_atomic_load(&count) - before));
        rn_atomic_store(&stop, true);
        wg_wait(&wg);
    }
    stat_report("s.yields_during_20ms_syscall.P1", "count", &s);
}

static void recover(void *arg)
{
    (void)arg;
    (void)rn_recover();
}

static __attribute__((noinline)) void panic_once(void)
{
    defer(recover, NULL);
    rn_panic("1");
}

static void panic_recover(void)
{
    for (int i = 0; i < N; i++)
        panic_once();
}

static void increment(long *x)
{
    ++*x;
}

static __attribute__((noinline)) void defer_once(long *x)
{
    defer(increment, x);
}

static void defer_call(void)
{
    long x = 0;
    for (long i = 0; i < N * 20L; i++)
        defer_once(&x);
    stat_check(x == N * 20L);
}

static void getppid_call(void)
{
    for (int i = 0; i < N; i++)
        getppid();
}

static __attribute__((noinline)) int deep(int n)
{
    volatile char b[128];
    if (n == 0)
        return b[0] = 0;
    b[n & 127] = 1;
    b[1] = 0;
    return deep(n - 1) + b[1];
}

static void go_deep(chan_send_only(int) c)
{
    chan_send(c, deep(N));
}

static void deep_stack(void)
{
    chan(int) c = chan_make(int, 1);
    stat_check(rn_go_with((.stack = (size_t)N * 256), go_deep, c) == 0);
    chan_recv(c);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    int all = rn_procs();
    rn_set_procs(1);
    measure_sleeper_beside_spinner();
    measure_system_call();
    rn_set_procs(all);
    stat_bench("s.panic_recover", 11, N, panic_recover);
    stat_bench("s.defer_call", 11, N * 20L, defer_call);
    stat_bench("s.getppid_syscall", 11, N, getppid_call);
    stat_bench("s.deep_stack_1M_frames_first", 5, N, deep_stack);
    return 0;
}
