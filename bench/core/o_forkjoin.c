/* (o) fork-join fib: the left branch is spawned while depth < D, serial below. */
#include "stat.h"

static __attribute__((noinline)) long serial(long n)
{
    return n < 2 ? n : serial(n - 1) + serial(n - 2);
}

static void parallel(long n, int depth, long *result);

static void left(long n, int depth, long *result, rn_waitgroup *wg)
{
    parallel(n, depth, result);
    wg_done(wg);
}

static void parallel(long n, int depth, long *result)
{
    if (n < 2 || depth == 0) {
        *result = serial(n);
        return;
    }
    long l, r;
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_add(&wg, 1);
    go(left, n - 1, depth - 1, &l, &wg);
    parallel(n - 2, depth - 1, &r);
    wg_wait(&wg);
    *result = l + r;
}

static long spawns(long n, int depth)
{
    return n < 2 || depth == 0 ? 0 : 1 + spawns(n - 1, depth - 1) + spawns(n - 2, depth - 1);
}

static void both_by_channel(long n, int depth, chan_send_only(long) c)
{
    if (n < 2 || depth == 0) {
        chan_send(c, serial(n));
        return;
    }
    chan(long) rc = chan_make(long, 2);
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_go(&wg, both_by_channel, n - 1, depth - 1, rc);
    wg_go(&wg, both_by_channel, n - 2, depth - 1, rc);
    long sum = chan_recv(rc);
    sum += chan_recv(rc);
    wg_wait(&wg); /* a sender may not have left rc yet */
    chan_free(rc);
    chan_send(c, sum);
}

static void measure_parallel(long n, int depth, long expected, int procs)
{
    static struct stat_samples took, rate;
    char name[96];
    long spawned = spawns(n, depth);
    took.n = rate.n = 0;
    for (int r = 0; r < stat_rounds(11); r++) {
        long result;
        rn_time start = rn_now();
        parallel(n, depth, &result);
        double ms = rn_ms(rn_since(start));
        stat_check(result == expected);
        stat_add(&took, ms);
        stat_add(&rate, (double)spawned / ms / 1000);
    }
    snprintf(name, sizeof name, "o.fib%ld_d%d_wg.P%d", n, depth, procs);
    stat_report(name, "ms", &took);
    snprintf(name, sizeof name, "o.fib%ld_d%d_wg_rate.P%d", n, depth, procs);
    stat_report(name, "Mspawn/s", &rate);
}

static void measure_channels(int procs)
{
    static struct stat_samples took;
    took.n = 0;
    for (int r = 0; r < stat_rounds(11); r++) {
        rn_time start = rn_now();
        chan(long) c = chan_make(long, 1);
        rn_waitgroup wg = RN_WAITGROUP_INIT;
        wg_go(&wg, both_by_channel, 25, 99, c);
        stat_check(chan_recv(c) == 75025);
        stat_add(&took, rn_ms(rn_since(start)));
        wg_wait(&wg);
        chan_free(c);
    }
    stat_report(stat_name("o.fib25_chan_both", procs), "ms", &took);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    static struct stat_samples s;
    for (int r = 0; r < stat_rounds(11); r++) {
        rn_time start = rn_now();
        stat_check(serial(32) == 2178309);
        stat_add(&s, rn_ms(rn_since(start)));
    }
    stat_report("o.fib32_serial", "ms", &s);
    for (int i = 0, p; (p = stat_procs(i)); i++) {
        rn_set_procs(p);
        measure_parallel(32, 20, 2178309, p);
        measure_parallel(25, 99, 75025, p);
        measure_channels(p);
    }
    return 0;
}
