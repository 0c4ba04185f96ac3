/* Pitfall: wg_add in the goroutine comes too late: wg_wait finds zero and does not wait. */
#include <runnel.h>
#include <stdio.h>

static void work(rn_waitgroup *wg)
{
    rn_sleep(10 * RN_SECOND); /* it takes a while to start */
    wg_add(wg, 1);
    puts("working");
    wg_done(wg);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    go(work, &wg);
    wg_wait(&wg);
    puts("all done?");
    return 0;
}
