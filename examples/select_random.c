/* When several cases are ready one is picked at random, not the first: none is starved. */
#include <runnel.h>
#include <stdio.h>

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    chan(int) a = chan_make(int, 1), b = chan_make(int, 1);
    defer(chan_free, a);
    defer(chan_free, b);
    int taken[2] = {0};
    for (int i = 0; i < 10000; i++) {
        chan_try_send(a, i); /* both are always ready */
        chan_try_send(b, i);
        taken[chan_select(on_recv(a, NULL), on_recv(b, NULL))]++;
    }
    bool fair = taken[0] > 4500 && taken[1] > 4500;
    puts(fair ? "each about half of the time" : "unfair");
    return 0;
}
