/* category: misuse of channels / closed while others send
 * found-by: panic, explore, vet
 *
 * The collector has what it wants, closes the channel and goes; the other producer is still about to send. */
#include <runnel.h>

static void produce(chan(int) out, int v)
{
    chan_send(out, v);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_waitgroup wg = {0};
    chan(int) c = chan_make(int, 0);
    for (int i = 0; i < 2; i++)
        wg_go(&wg, produce, c, i);
#ifdef FIXED
    for (int i = 0; i < 2; i++)
        chan_recv(c);
    wg_wait(&wg);
    chan_close(c);
#else
    chan_close(c);
    chan_recv(c);
    wg_wait(&wg);
#endif
    chan_free(c);
    return 0;
}
