/* A host program keeps its own main and calls rn_run, as often as it likes; its plain threads may
 * use channels while a run is under way. */
#include <runnel.h>
#include <pthread.h>
#include <stdio.h>

static void add_up(chan_recv_only(int) in, long *sum)
{
    for (int v; chan_next(in, &v);)
        *sum += v;
}

struct feed {
    chan_send_only(int) out;
    int n;
};

static void *host_thread(void *arg)
{
    const struct feed *f = arg;
    for (int i = 1; i <= f->n; i++)
        chan_send(f->out, i); /* waits as a thread */
    chan_close(f->out);
    return NULL;
}

static int run_once(int n)
{
    chan(int) c = chan_make(int, 4);
    struct feed feed = {c, n};
    pthread_t thread;
    if (pthread_create(&thread, NULL, host_thread, &feed) != 0)
        return 1;
    long sum = 0;
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_go(&wg, add_up, c, &sum);
    wg_wait(&wg);
    printf("1 to %d: %ld\n", n, sum);
    pthread_join(thread, NULL);
    chan_free(c);
    return 0;
}

int main(void)
{
    int status = rn_run(run_once, 10);
    if (status == 0)
        status = rn_run(run_once, 1000);
    return status;
}
