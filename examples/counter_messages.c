/* The counter once more: a thousand goroutines report, one counts.  The total belongs to main alone. */
#include <runnel.h>
#include <stdio.h>

static void report(chan_send_only(int) counts)
{
    chan_send(counts, 1);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    chan(int) counts = chan_make(int, 1000);
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < 1000; i++)
        wg_go(&wg, report, counts);
    int total = 0;
    for (int i = 0; i < 1000; i++)
        total += chan_recv(counts);
    printf("%d\n", total);
    wg_wait(&wg); /* the last sender may still be on its way out */
    chan_free(counts);
    return 0;
}
