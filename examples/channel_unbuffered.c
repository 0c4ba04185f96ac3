/* An unbuffered channel is a meeting: the send waits until the other side has received. */
#include <runnel.h>
#include <stdio.h>

static void greet(chan_send_only(const char *) messages)
{
    chan_send(messages, "Hello from goroutine!");
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    chan(const char *) messages = chan_make(const char *, 0);
    defer(chan_free, messages);
    go(greet, messages);
    puts(chan_recv(messages));
    return 0;
}
