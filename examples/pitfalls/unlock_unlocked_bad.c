/* Pitfall: an unlock on a path that never locked.  It can't be recovered: the data is not safe any more. */
#include <runnel.h>

int rn_main(int argc, char **argv)
{
    (void)argv;
    rn_mutex mu = RN_MUTEX_INIT;
    if (argc > 1)
        mutex_lock(&mu);
    mutex_unlock(&mu);
    return 0;
}
