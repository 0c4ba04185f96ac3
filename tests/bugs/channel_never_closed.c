/* category: communication deadlock / channel: ranged over, and not closed
 * found-by: leaks
 *
 * The workers take jobs until the channel is closed, which nobody does. */
#include <runnel.h>

static void worker(chan_recv_only(int) jobs)
{
    for (int job; chan_next(jobs, &job);)
        rn_yield();
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    chan(int) jobs = chan_make(int, 4);
    for (int i = 0; i < 2; i++)
        go(worker, jobs);
    for (int i = 0; i < 4; i++)
        chan_send(jobs, i);
#ifdef FIXED
    chan_close(jobs);
#endif
    rn_sleep(RN_MILLISECOND);
    return 0;
}
