/* Cure: the sender closes when it is done; defer does it on every way out. */
#include <runnel.h>
#include <stdio.h>

static void producer(chan_send_only(int) out)
{
    defer(chan_close, out);
    for (int i = 0; i < 5; i++)
        chan_send(out, i);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    chan(int) c = chan_make(int, 0);
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_go(&wg, producer, c);
    for (int v; chan_next(c, &v);)
        printf("%d\n", v);
    wg_wait(&wg);
    chan_free(c);
    return 0;
}
