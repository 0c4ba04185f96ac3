/* category: anonymous captures / one err for all
 * found-by: race
 *
 * Two steps run in parallel, and both leave their result in the err of the function that has started them. */
#include <runnel.h>

static void step(int number, int *err)
{
    *err = number == 2 ? RN_EINVAL : 0;
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_waitgroup wg = {0};
    int err[2] = {0};
#ifdef FIXED
    int *second = &err[1];
#else
    int *second = &err[0];
#endif
    wg_go(&wg, step, 1, &err[0]);
    wg_go(&wg, step, 2, second);
    wg_wait(&wg);
    return err[0] == 0 || err[0] == RN_EINVAL ? 0 : 1;
}
