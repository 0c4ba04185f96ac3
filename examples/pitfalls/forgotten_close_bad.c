/* Pitfall: the producer ends without closing, and the loop over the channel waits for more. */
#include <runnel.h>
#include <stdio.h>

static void producer(chan_send_only(int) out)
{
    for (int i = 0; i < 5; i++)
        chan_send(out, i);
    /* forgotten: chan_close(out) */
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    chan(int) c = chan_make(int, 0);
    go(producer, c);
    for (int v; chan_next(c, &v);)
        printf("%d\n", v);
    return 0;
}
