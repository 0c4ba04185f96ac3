/* category: resource deadlock / units of a semaphore are taken one by one
 * found-by: explore
 *
 * Each needs both units and takes them one after the other: two with one each wait for ever. */
#include <runnel.h>

static int copy(rn_semaphore *buffers)
{
#ifdef FIXED
    int err = sem_acquire(NULL, buffers, 2);
#else
    int err = sem_acquire(NULL, buffers, 1);
    err = err ? err : sem_acquire(NULL, buffers, 1);
#endif
    if (!err)
        sem_release(buffers, 2);
    return err;
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_semaphore buffers = RN_SEMAPHORE_INIT(2);
    rn_group both = {0};
    group_go(&both, copy, &buffers);
    group_go(&both, copy, &buffers);
    return group_wait(&both);
}
