/* Cure: wait for what you wait for. */
#include <runnel.h>
#include <stdio.h>

static void compute(int *x)
{
    rn_sleep(50 * RN_MILLISECOND); /* a busy machine */
    *x = 42;
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    int x = 0;
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_go(&wg, compute, &x);
    wg_wait(&wg);
    printf("%d\n", x);
    return 0;
}
