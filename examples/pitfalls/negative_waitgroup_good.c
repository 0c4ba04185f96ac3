/* Cure: wg_go counts by itself; wg_done is for those who called wg_add. */
#include <runnel.h>
#include <stdio.h>

static void work(void)
{
    puts("working");
}

static void work_by_hand(rn_waitgroup *wg)
{
    defer(wg_done, wg);
    puts("working");
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_go(&wg, work);
    wg_add(&wg, 1);
    go(work_by_hand, &wg);
    wg_wait(&wg);
    return 0;
}
