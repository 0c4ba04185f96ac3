/* chan_next is Go's range: it receives until the channel is closed and drained.
 * The sender closes, never the receiver. */
#include <runnel.h>
#include <stdio.h>

static void count(const char *thing, chan_send_only(const char *) out)
{
    for (int i = 1; i <= 5; i++) {
        chan_send(out, thing);
        rn_sleep(2 * RN_MILLISECOND);
    }
    chan_close(out); /* no more values */
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    chan(const char *) c = chan_make(const char *, 0);
    defer(chan_free, c);
    go(count, "dog", c);
    for (const char *msg; chan_next(c, &msg);)
        puts(msg);
    return 0;
}
