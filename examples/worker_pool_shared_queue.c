/* The channel is the queue: three workers share five jobs, and whoever is free takes the next. */
#include <runnel.h>
#include <stdio.h>

static void worker(int id, chan_recv_only(int) jobs, chan_send_only(int) results)
{
    for (int j; chan_next(jobs, &j);) {
        printf("worker %d processing job %d\n", id, j);
        rn_sleep(10 * RN_MILLISECOND); /* simulate work */
        chan_send(results, j * 2);
    }
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    enum { JOBS = 5, WORKERS = 3 };
    chan(int) jobs = chan_make(int, JOBS);
    chan(int) results = chan_make(int, JOBS);
    defer(chan_free, jobs);
    defer(chan_free, results);
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int w = 1; w <= WORKERS; w++)
        wg_go(&wg, worker, w, jobs, results);
    for (int j = 1; j <= JOBS; j++)
        chan_send(jobs, j);
    chan_close(jobs); /* no more jobs */
    for (int r = 1; r <= JOBS; r++)
        printf("result: %d\n", chan_recv(results));
    wg_wait(&wg);
    return 0;
}
