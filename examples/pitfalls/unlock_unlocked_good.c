/* Cure: defer the unlock right where the lock is taken. */
#include <runnel.h>
#include <stdio.h>

int rn_main(int argc, char **argv)
{
    (void)argv;
    rn_mutex mu = RN_MUTEX_INIT;
    if (argc > 1) {
        mutex_lock(&mu);
        defer(mutex_unlock, &mu);
        puts("locked");
    }
    puts("unlocked");
    return 0;
}
