/* What the goroutines do: the figures that a server shows of itself. */
#include <runnel.h>
#include <runnel/debug.h>
#include <stdio.h>

static void nap(void)
{
    rn_sleep(RN_SECOND);
}

static void print_stats(void)
{
    rn_stats s;
    rn_debug_stats(&s);
    printf(
        "%zu goroutines: %zu running, %zu runnable, waiting: %zu io, %zu sleep, %zu channels, %zu locks, %zu others\n",
        s.goroutines, s.running, s.runnable, s.in_io, s.in_sleep, s.in_channels, s.in_locks, s.in_others);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    print_stats();
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < 3; i++)
        wg_go(&wg, nap);
    rn_sleep(100 * RN_MILLISECOND);
    print_stats();
    wg_wait(&wg);
    return 0;
}
