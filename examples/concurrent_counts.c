/* Concurrency is structure: two counts that know nothing of each other run side by side.
 * Called one after the other, the second would wait for the end of the first. */
#include <runnel.h>
#include <stdio.h>

static void count(const char *thing)
{
    for (int i = 1; i <= 5; i++) {
        printf("%d %s\n", i, thing);
        rn_sleep(5 * RN_MILLISECOND);
    }
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_go(&wg, count, "dog"); /* in the background */
    count("cat");             /* here */
    wg_wait(&wg);
    return 0;
}
