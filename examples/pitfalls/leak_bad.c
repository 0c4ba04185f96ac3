/* Pitfall: a goroutine that sends to a channel nobody reads waits for ever: it leaks.
 * Seen here by rn_num_goroutines; cured in leak_good.c. */
#include <runnel.h>
#include <stdio.h>

static void compute(chan_send_only(int) out)
{
    chan_send(out, 42); /* nobody receives: never returns */
}

static void leaky(void)
{
    chan(int) result = chan_make(int, 0);
    go(compute, result);
    /* returns early, without reading the result */
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    for (int i = 0; i < 10; i++)
        leaky();
    printf("goroutines: %zu\n", rn_num_goroutines());
    return 0;
}
