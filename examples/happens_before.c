/* A channel does not only carry values, it orders memory: what was written before the close (or
 * the send) is seen after the receive.  No lock and no atomic is needed for x. */
#include <runnel.h>
#include <stdio.h>

static void compute(int *x, chan_send_only(rn_unit) done)
{
    *x = 42;          /* the write happens here, */
    chan_close(done); /* then the signal */
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    chan(rn_unit) done = chan_make(rn_unit, 0);
    defer(chan_free, done);
    int x = 0;
    go(compute, &x, done);
    chan_recv(done);
    printf("%d\n", x); /* sure to be 42 */
    return 0;
}
