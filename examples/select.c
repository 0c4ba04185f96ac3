/* chan_select waits for the first of several operations, and does exactly one of them. */
#include <runnel.h>
#include <stdio.h>

static void later(rn_duration delay, chan_send_only(const char *) out, const char *text)
{
    rn_sleep(delay);
    chan_send(out, text);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    chan(const char *) first = chan_make(const char *, 0);
    chan(const char *) second = chan_make(const char *, 0);
    defer(chan_free, first);
    defer(chan_free, second);
    go(later, 10 * RN_MILLISECOND, first, "Channel 1");
    go(later, 60 * RN_MILLISECOND, second, "Channel 2");

    for (int i = 0; i < 2; i++) {
        const char *msg;
        switch (chan_select(on_recv(first, &msg), on_recv(second, &msg), on_timeout(RN_MINUTE))) {
        case 0:
        case 1:
            printf("Received: %s\n", msg);
            break;
        case 2:
            puts("Timeout!");
            return 1;
        }
    }
    return 0;
}
