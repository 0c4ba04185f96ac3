/* A worker pool whose results end by themselves: the pool waits for its workers, then closes the
 * results, so that the collector can simply range over them. */
#include <runnel.h>
#include <stdio.h>

static void worker(chan_recv_only(int) jobs, chan_send_only(int) results)
{
    for (int job; chan_next(jobs, &job);)
        chan_send(results, job * 10);
}

static void worker_pool(int workers, chan_recv_only(int) jobs, chan_send_only(int) results)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < workers; i++)
        wg_go(&wg, worker, jobs, results);
    wg_wait(&wg);
    chan_close(results);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    chan(int) jobs = chan_make(int, 100);
    chan(int) results = chan_make(int, 100);
    defer(chan_free, jobs);
    defer(chan_free, results);
    go(worker_pool, 5, jobs, results);
    for (int i = 0; i < 20; i++)
        chan_send(jobs, i);
    chan_close(jobs);
    for (int result; chan_next(results, &result);)
        printf("%d\n", result);
    return 0;
}
