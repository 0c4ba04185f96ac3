/* Cure: pass the value; go evaluates its arguments at once. */
#include <runnel.h>
#include <stdio.h>

static void process(int item, chan_recv_only(rn_unit) start)
{
    chan_recv(start);
    printf("item %d\n", item);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    chan(rn_unit) start = chan_make(rn_unit, 0);
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < 3; i++)
        wg_go(&wg, process, i, start);
    chan_close(start);
    wg_wait(&wg);
    chan_free(start);
    return 0;
}
