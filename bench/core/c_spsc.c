/* (c) one producer, one consumer, capacity 128 and 0, one operation is one message; a put and a get by the same
 * goroutine; and a channel that is made, used for one message and given up, as one for a reply is. */
#include "stat.h"

static const long N = 5000000;

static void add_up(chan_recv_only(long) c, chan_send_only(long) done)
{
    long s = 0;
    for (long v; chan_next(c, &v);)
        s += v;
    chan_send(done, s);
}

static void run(int capacity, long n)
{
    chan(long) c = chan_make(long, capacity), done = chan_make(long, 0);
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_go(&wg, add_up, c, done);
    for (long i = 0; i < n; i++)
        chan_send(c, i);
    chan_close(c);
    stat_check(chan_recv(done) == n * (n - 1) / 2);
    wg_wait(&wg);
    chan_free(c);
    chan_free(done);
}

static void buffered(void)
{
    run(128, N);
}

static void unbuffered(void)
{
    run(0, N / 5);
}

static void same_goroutine(void)
{
    static chan(long) c;
    if (!c)
        c = chan_make(long, 1);
    for (long i = 0; i < N * 2; i++) {
        chan_send(c, i);
        chan_recv(c);
    }
}

static void make_use_free(void)
{
    for (long i = 0; i < N / 5; i++) {
        chan(long) c = chan_make(long, 1);
        chan_send(c, i);
        stat_check(chan_recv(c) == i);
        chan_free(c);
    }
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    int all = rn_procs();
    for (int i = 0, p; (p = stat_procs(i)); i++) {
        rn_set_procs(p);
        stat_bench(stat_name("c.spsc_cap128", p), 11, N, buffered);
        stat_bench(stat_name("c.oneway_unbuf", p), 11, N / 5, unbuffered);
    }
    rn_set_procs(all);
    stat_bench("c.same_goroutine_put_get", 11, N * 2, same_goroutine);
    stat_bench("c.make_use_free", 11, N / 5, make_use_free);
    return 0;
}
