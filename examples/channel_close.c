/* What close means: what is buffered is still received; then every receive gives the zero value
 * and false, at once and to everybody: a broadcast. */
#include <runnel.h>
#include <stdio.h>

static void wait_for(chan_recv_only(rn_unit) start, rn_waitgroup *wg)
{
    chan_recv(start);
    wg_done(wg);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    chan(int) c = chan_make(int, 3);
    defer(chan_free, c);
    chan_send(c, 7);
    chan_send(c, 8);
    chan_close(c);
    for (int i = 0; i < 3; i++) {
        int v;
        bool open = chan_recv_ok(c, &v);
        printf("%d %s\n", v, open ? "received" : "closed");
    }

    chan(rn_unit) start = chan_make(rn_unit, 0);
    defer(chan_free, start);
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_add(&wg, 100);
    for (int i = 0; i < 100; i++)
        go(wait_for, start, &wg);
    chan_close(start); /* wakes them all */
    wg_wait(&wg);
    puts("all 100 started");
    return 0;
}
