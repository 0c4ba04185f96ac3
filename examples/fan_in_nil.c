/* Fan-out to two consumers of everything, and fan-in by a select that switches off each input
 * as it ends: a NULL channel is never ready. */
#include <runnel.h>
#include <stdio.h>

static void generate(chan_send_only(int) out, int n)
{
    for (int i = 1; i <= n; i++)
        chan_send(out, i);
    chan_close(out);
}

static void copy_to_both(chan_recv_only(int) in, chan_send_only(int) a, chan_send_only(int) b)
{
    for (int v; chan_next(in, &v);) {
        chan_send(a, v);
        chan_send(b, v);
    }
    chan_close(a);
    chan_close(b);
}

static void merge(chan_recv_only(int) a, chan_recv_only(int) b, chan_send_only(int) out)
{
    while (a || b) {
        int v;
        bool open;
        int chosen = chan_select(on_recv_ok(a, &v, &open), on_recv_ok(b, &v, &open));
        if (open)
            chan_send(out, v);
        else if (chosen == 0)
            a = NULL;
        else
            b = NULL;
    }
    chan_close(out);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    chan(int) in = chan_make(int, 0), a = chan_make(int, 0), b = chan_make(int, 0), merged = chan_make(int, 0);
    go(generate, in, 100);
    go(copy_to_both, in, a, b);
    go(merge, a, b, merged);

    int n = 0, sum = 0;
    for (int v; chan_next(merged, &v); n++)
        sum += v;
    printf("%d values, sum %d\n", n, sum);

    chan_free(in);
    chan_free(a);
    chan_free(b);
    chan_free(merged);
    return 0;
}
