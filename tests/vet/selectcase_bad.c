/* Variables that only one case of a select sets, read whichever it was. */
#include <runnel.h>
#include <stdio.h>

static int late(chan(int) c)
{
    int v;
    chan_select(on_recv(c, &v), on_timeout(RN_SECOND)); // want selectcase
    return v;
}

static int empty(chan(int) c)
{
    int v;
    (void)chan_select(on_recv(c, &v), on_default()); // want selectcase
    if (v > 0)
        puts("some");
    return v;
}

static int either(chan(int) a, chan(int) b)
{
    int v, w;
    chan_select(on_recv(a, &v), on_recv(b, &w)); // want selectcase
    return v + w;
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    chan(int) c = chan_make(int, 1);
    defer(chan_free, c);
    return late(c) + empty(c) + either(c, c);
}
