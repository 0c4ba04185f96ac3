/* Goroutines are cheap: a hundred thousand of them wait at once, each with a stack of its own.
 * (A million needs about 4 GiB of memory: million 1000000.) */
#include <runnel.h>
#include <stdio.h>
#include <stdlib.h>

static void wait_and_add(chan_recv_only(rn_unit) start, rn_atomic_int64 *sum)
{
    chan_recv(start);
    rn_atomic_add(sum, 1);
}

int rn_main(int argc, char **argv)
{
    long n = argc > 1 ? atol(argv[1]) : 100000;
    chan(rn_unit) start = chan_make(rn_unit, 0);
    rn_atomic_int64 sum = {0};
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (long i = 0; i < n; i++)
        wg_go(&wg, wait_and_add, start, &sum);
    printf("%zu goroutines\n", rn_num_goroutines());
    chan_close(start);
    wg_wait(&wg);
    printf("%lld have run\n", (long long)rn_atomic_load(&sum));
    chan_free(start);
    return 0;
}
