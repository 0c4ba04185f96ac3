/* Pitfall: the receiver closes the channel, and the sender's next send panics. */
#include <runnel.h>

static void produce(chan_send_only(int) out)
{
    for (int i = 0; i < 5; i++)
        chan_send(out, i);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    chan(int) c = chan_make(int, 0);
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_go(&wg, produce, c);
    chan_recv(c);
    chan_close(c); /* it wanted no more */
    wg_wait(&wg);
    return 0;
}
