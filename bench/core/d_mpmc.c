/* (d) 8 producers, 8 consumers, capacity 128; one operation is one message. */
#include "stat.h"

enum { N = 4000000, SIDES = 8 };

static void produce(chan_send_only(long) c)
{
    for (long i = 0; i < N / SIDES; i++)
        chan_send(c, i);
}

static void consume(chan_recv_only(long) c, rn_atomic_int64 *sum)
{
    long s = 0;
    for (long v; chan_next(c, &v);)
        s += v;
    rn_atomic_add(sum, s);
}

static void mpmc(void)
{
    chan(long) c = chan_make(long, 128);
    rn_waitgroup producers = RN_WAITGROUP_INIT, consumers = RN_WAITGROUP_INIT;
    rn_atomic_int64 sum = {0};
    for (int k = 0; k < SIDES; k++) {
        wg_go(&producers, produce, c);
        wg_go(&consumers, consume, c, &sum);
    }
    wg_wait(&producers);
    chan_close(c);
    wg_wait(&consumers);
    long m = N / SIDES;
    stat_check(rn_atomic_load(&sum) == SIDES * m * (m - 1) / 2);
    chan_free(c);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    for (int i = 0, p; (p = stat_procs(i)); i++) {
        rn_set_procs(p);
        stat_bench(stat_name("d.mpmc_8x8_cap128", p), 11, N, mpmc);
    }
    return 0;
}
