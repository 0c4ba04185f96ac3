/* The counter, third way: share by communicating.  The value itself lives in a channel of capacity
 * one: who has received it owns it, until it sends it back. */
#include <runnel.h>
#include <stdio.h>

static void increment(chan(int) counter)
{
    int v = chan_recv(counter);
    chan_send(counter, v + 1);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    chan(int) counter = chan_make(int, 1);
    defer(chan_free, counter);
    chan_send(counter, 0);
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < 1000; i++)
        wg_go(&wg, increment, counter);
    wg_wait(&wg);
    printf("%d\n", chan_recv(counter));
    return 0;
}
