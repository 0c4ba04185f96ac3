/* A buffered channel is a mailbox: sends wait only when it is full, values come out in order. */
#include <runnel.h>
#include <stdio.h>

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    chan(const char *) box = chan_make(const char *, 2);
    defer(chan_free, box);
    chan_send(box, "first"); /* neither waits: there is room */
    chan_send(box, "second");
    printf("%zu of %zu\n", chan_len(box), chan_cap(box));
    if (chan_try_send(box, "third") == RN_EAGAIN) /* chan_send would wait here, for ever */
        puts("full");
    puts(chan_recv(box));
    puts(chan_recv(box));
    return 0;
}
