/* Variables that a select has set, or that had a value before. */
#include <runnel.h>
#include <stdio.h>

static int looked_at(chan(int) c)
{
    int v;
    if (chan_select(on_recv(c, &v), on_timeout(RN_SECOND)) == 0)
        return v;
    return -1;
}

static int has_another(chan(int) c)
{
    int v = -1, w;
    w = -1;
    chan_select(on_recv(c, &v), on_timeout(RN_SECOND));
    chan_select(on_recv(c, &w), on_default());
    return v + w;
}

static int told_by_another(chan(int) c)
{
    int v;
    bool open = false;
    chan_select(on_recv_ok(c, &v, &open), on_timeout(RN_SECOND));
    return open ? v : -1;
}

static int always_set(chan(int) a, chan(int) b)
{
    int v;
    chan_select(on_recv(a, &v), on_recv(b, &v));
    return v;
}

static int only_case(chan(int) c)
{
    int v;
    chan_select(on_recv(c, &v));
    return v;
}

static void nobody_reads(chan(int) c)
{
    int v;
    chan_select(on_recv(c, &v), on_timeout(RN_SECOND));
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    chan(int) c = chan_make(int, 1);
    defer(chan_free, c);
    nobody_reads(c);
    return looked_at(c) + has_another(c) + told_by_another(c) + always_set(c, c) + only_case(c);
}
