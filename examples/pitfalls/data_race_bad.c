/* Pitfall: read, add, write is three steps, and others come in between: counts are lost.  The yield
 * makes it happen every time; without it, only on the day of the demonstration.  (Each step alone is
 * atomic here, the three are not.  For plain variables `runnel run -race` finds it.) */
#include <runnel.h>
#include <stdio.h>

static rn_atomic_int counter;

static void increment(void)
{
    int v = rn_atomic_load(&counter);
    rn_yield();
    rn_atomic_store(&counter, v + 1);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < 1000; i++)
        wg_go(&wg, increment);
    wg_wait(&wg);
    puts(rn_atomic_load(&counter) < 1000 ? "counts were lost" : "1000");
    return 0;
}
