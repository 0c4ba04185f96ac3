/* A channel of rn_unit carries no data, only that something has happened. */
#include <runnel.h>
#include <stdio.h>

static void do_work(chan_send_only(rn_unit) done)
{
    puts("working");
    chan_send(done, RN_UNIT); /* signal completion */
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    chan(rn_unit) done = chan_make(rn_unit, 0);
    defer(chan_free, done);
    go(do_work, done);
    chan_recv(done); /* wait */
    puts("done");
    return 0;
}
