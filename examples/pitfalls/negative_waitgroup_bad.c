/* Pitfall: one done too many. */
#include <runnel.h>

static void work(rn_waitgroup *wg)
{
    wg_done(wg); /* and wg_go is done again when this returns */
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_go(&wg, work, &wg);
    wg_wait(&wg);
    rn_sleep(10 * RN_SECOND);
    return 0;
}
