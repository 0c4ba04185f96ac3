/* The counter, second way: one atomic integer. */
#include <runnel.h>
#include <inttypes.h>
#include <stdio.h>

static void increment(rn_atomic_int64 *counter)
{
    rn_atomic_add(counter, 1);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_atomic_int64 counter = {0};
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < 1000; i++)
        wg_go(&wg, increment, &counter);
    wg_wait(&wg);
    printf("%" PRId64 "\n", rn_atomic_load(&counter));
    return 0;
}
