/* A NULL channel is never ready: setting a variable to NULL switches its case off. */
#include <runnel.h>
#include <stdio.h>

static void produce(chan_send_only(int) out, int from, int to)
{
    for (int i = from; i < to; i++)
        chan_send(out, i);
    chan_close(out);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    chan(int) odd_jobs = chan_make(int, 0), even_jobs = chan_make(int, 0);
    defer(chan_free, odd_jobs);
    defer(chan_free, even_jobs);
    go(produce, odd_jobs, 0, 10);
    go(produce, even_jobs, 10, 30);

    chan_recv_only(int) a = odd_jobs;
    chan_recv_only(int) b = even_jobs;
    int sum = 0, rounds = 0;
    while (a || b) {
        int v;
        bool open;
        int chosen = chan_select(on_recv_ok(a, &v, &open), on_recv_ok(b, &v, &open));
        rounds++;
        if (open)
            sum += v;
        else if (chosen == 0)
            a = NULL; /* closed: without this its case would always be ready */
        else
            b = NULL;
    }
    printf("sum %d in %d rounds\n", sum, rounds);
    return 0;
}
