/* Direction is part of the type: chan(T) converts by itself to send-only or receive-only, never
 * back, and a send on a receive-only channel does not compile. */
#include <runnel.h>
#include <stdio.h>

static void producer(chan_send_only(int) out)
{
    for (int i = 0; i < 10; i++)
        chan_send(out, i);
    chan_close(out);
}

static void consumer(chan_recv_only(int) in)
{
    for (int v; chan_next(in, &v);)
        printf("%d\n", v);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    chan(int) c = chan_make(int, 5);
    defer(chan_free, c);
    go(producer, c);
    consumer(c); /* until the channel is closed */
    return 0;
}
