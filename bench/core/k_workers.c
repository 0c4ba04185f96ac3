/* (k) worker pool: 10 workers, 1 M tiny jobs, channels of capacity 100; one operation is one job. */
#include "stat.h"

static const long N = 1000000;

static void work(chan_recv_only(long) jobs, chan_send_only(long) results)
{
    for (long j; chan_next(jobs, &j);)
        chan_send(results, j * 2);
}

static void feed(chan_send_only(long) jobs)
{
    for (long i = 0; i < N; i++)
        chan_send(jobs, i);
    chan_close(jobs);
}

static void close_after(rn_waitgroup *workers, chan_send_only(long) results)
{
    wg_wait(workers);
    chan_close(results);
}

static void pool(void)
{
    chan(long) jobs = chan_make(long, 100), results = chan_make(long, 100);
    rn_waitgroup workers = RN_WAITGROUP_INIT, others = RN_WAITGROUP_INIT;
    for (int w = 0; w < 10; w++)
        wg_go(&workers, work, jobs, results);
    wg_go(&others, feed, jobs);
    wg_go(&others, close_after, &workers, results);
    long s = 0;
    for (long v; chan_next(results, &v);)
        s += v;
    stat_check(s == N * (N - 1));
    wg_wait(&others);
    chan_free(jobs);
    chan_free(results);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    for (int i = 0, p; (p = stat_procs(i)); i++) {
        rn_set_procs(p);
        stat_bench(stat_name("k.workerpool_10w_1M", p), 11, N, pool);
    }
    return 0;
}
