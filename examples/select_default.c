/* With on_default nothing waits: try to receive, try to send, else go on. */
#include <runnel.h>
#include <stdio.h>

static void poll_once(chan(const char *) c)
{
    const char *msg;
    switch (chan_select(on_recv(c, &msg), on_default())) {
    case 0:
        printf("received: %s\n", msg);
        break;
    case 1:
        puts("no message ready, moving on");
        break;
    }
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    chan(const char *) c = chan_make(const char *, 1);
    defer(chan_free, c);
    poll_once(c);
    for (int i = 0; i < 2; i++) {
        switch (chan_select(on_send(c, "a message"), on_default())) {
        case 0:
            puts("sent");
            break;
        case 1:
            puts("full, dropped");
            break;
        }
    }
    poll_once(c);
    return 0;
}
