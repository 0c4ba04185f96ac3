/* A buffered channel decouples a producer from a consumer: the queue of jobs between them. */
#include <runnel.h>
#include <stdio.h>

struct job {
    int id;
    double size;
};

static void produce(chan_send_only(struct job) jobs, int n)
{
    for (int i = 1; i <= n; i++)
        chan_send(jobs, ((struct job){i, i * 0.5})); /* up to 100 without waiting */
    chan_close(jobs);                                /* no more will come */
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    chan(struct job) jobs = chan_make(struct job, 100);
    defer(chan_free, jobs);
    go(produce, jobs, 1000);

    int count = 0;
    double total = 0;
    for (struct job j; chan_next(jobs, &j);) {
        count++;
        total += j.size;
    }
    printf("%d jobs, size %.1f\n", count, total);
    return 0;
}
