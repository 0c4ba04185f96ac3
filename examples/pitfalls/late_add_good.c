/* Cure: add before go; wg_go does it by itself. */
#include <runnel.h>
#include <stdio.h>

static void work(void)
{
    rn_sleep(20 * RN_MILLISECOND);
    puts("working");
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_go(&wg, work);
    wg_wait(&wg);
    puts("all done");
    return 0;
}
