/* A goroutine: `go f(args)` runs a call beside the caller.
 * The arguments are checked, converted and evaluated here, as for a plain call. */
#include <runnel.h>
#include <stdio.h>

static void say_hello(const char *name, chan_send_only(rn_unit) done)
{
    printf("Hello, %s!\n", name);
    chan_send(done, RN_UNIT);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    chan(rn_unit) done = chan_make(rn_unit, 1);
    defer(chan_free, done);

    say_hello("World", done); /* a plain call */
    chan_recv(done);
    go(say_hello, "Goroutine", done); /* runs concurrently */
    chan_recv(done);                  /* wait for it: when main returns, the program ends */
    return 0;
}
