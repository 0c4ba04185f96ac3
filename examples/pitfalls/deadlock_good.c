/* Cure: the sender is a goroutine of its own; the two meet at the channel. */
#include <runnel.h>
#include <stdio.h>

static void say(chan_send_only(const char *) c)
{
    chan_send(c, "hello");
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    chan(const char *) c = chan_make(const char *, 0);
    defer(chan_free, c);
    go(say, c);
    puts(chan_recv(c));
    return 0;
}
