/* A worker pool that processes 1000 jobs with 10 workers and collects a result, or an error, for
 * each.  Both channels hold all there is, so nobody waits for the collector. */
#include <runnel.h>
#include <stdio.h>

struct job {
    int id;
    int payload;
};

struct result {
    int job;
    int output;
    int err;
};

static int process(int payload, int *output)
{
    if (payload % 100 == 99)
        return RN_EINVAL;
    *output = payload * payload;
    return 0;
}

static void worker(chan_recv_only(struct job) jobs, chan_send_only(struct result) results)
{
    for (struct job j; chan_next(jobs, &j);) {
        struct result r = {.job = j.id};
        r.err = process(j.payload, &r.output);
        chan_send(results, r);
    }
}

static void process_jobs(const struct job *all, int n, int workers, struct result *out)
{
    chan(struct job) jobs = chan_make(struct job, n);
    chan(struct result) results = chan_make(struct result, n);
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < workers; i++)
        wg_go(&wg, worker, jobs, results);
    for (int i = 0; i < n; i++)
        chan_send(jobs, all[i]);
    chan_close(jobs);
    for (int i = 0; i < n; i++) {
        struct result r = chan_recv(results);
        out[r.job] = r;
    }
    wg_wait(&wg);
    chan_free(jobs);
    chan_free(results);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    enum { N = 1000 };
    static struct job job[N];
    static struct result result[N];
    for (int i = 0; i < N; i++)
        job[i] = (struct job){.id = i, .payload = i};
    process_jobs(job, N, 10, result);

    int failed = 0;
    long sum = 0;
    for (int i = 0; i < N; i++) {
        failed += result[i].err != 0;
        sum += result[i].output;
    }
    printf("%d jobs, %d failed, sum %ld\n", N, failed, sum);
    return 0;
}
