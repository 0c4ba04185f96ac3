/* A done channel stops every worker at once: closing it is a broadcast.  (A context does the same
 * and more: see context_cancel.c.) */
#include <runnel.h>
#include <stdatomic.h>
#include <stdio.h>

static void worker(chan_recv_only(rn_unit) done, chan_recv_only(int) jobs, atomic_int *sum)
{
    for (;;) {
        int job;
        switch (chan_select(on_recv(done, NULL), on_recv(jobs, &job))) {
        case 0:
            return; /* shutdown */
        case 1:
            atomic_fetch_add(sum, job);
            break;
        }
    }
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    chan(rn_unit) done = chan_make(rn_unit, 0);
    chan(int) jobs = chan_make(int, 0);
    defer(chan_free, done);
    defer(chan_free, jobs);
    atomic_int sum = 0;
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < 3; i++)
        wg_go(&wg, worker, done, jobs, &sum);
    for (int j = 1; j <= 100; j++)
        chan_send(jobs, j);
    chan_close(done);
    wg_wait(&wg);
    printf("sum %d\n", atomic_load(&sum));
    return 0;
}
