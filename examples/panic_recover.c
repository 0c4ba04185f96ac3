/* A worker that survives its jobs: a panic runs the deferred calls, and one that calls rn_recover
 * stops it.  The waitgroup is told in any case. */
#include <runnel.h>
#include <stdio.h>

static void survive(int job)
{
    const char *text = rn_recover();
    if (text)
        printf("job %d failed: %s\n", job, text);
}

static void process(int job)
{
    defer(survive, job);
    if (job % 2)
        rn_panic("odd number %d", job);
    printf("job %d done\n", job);
}

static void worker(chan_recv_only(int) jobs)
{
    for (int job; chan_next(jobs, &job);)
        process(job);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    chan(int) jobs = chan_make(int, 4);
    defer(chan_free, jobs);
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_go(&wg, worker, jobs);
    for (int j = 0; j < 4; j++)
        chan_send(jobs, j);
    chan_close(jobs);
    wg_wait(&wg);
    return 0;
}
