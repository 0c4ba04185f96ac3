/* Cure: hold a lock over all three steps (or add atomically, or let one goroutine own the counter). */
#include <runnel.h>
#include <stdio.h>

static rn_mutex mu;
static int counter; /* guarded by mu */

static void increment(void)
{
    mutex_lock(&mu);
    int v = counter;
    rn_yield();
    counter = v + 1;
    mutex_unlock(&mu);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < 1000; i++)
        wg_go(&wg, increment);
    wg_wait(&wg);
    printf("%d\n", counter);
    return 0;
}
