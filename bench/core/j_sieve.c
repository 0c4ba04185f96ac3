/* (j) prime sieve, a chain of goroutine filters, the first 2,000 primes; ms. */
#include "stat.h"

enum { N = 2000 };

static void generate(chan_send_only(long) c, chan_recv_only(long) quit)
{
    for (long i = 2;; i++)
        if (chan_select(on_send(c, i), on_recv(quit, NULL)) == 1) {
            chan_close(c);
            return;
        }
}

static void filter(chan_recv_only(long) in, chan_send_only(long) out, long p)
{
    for (long v; chan_next(in, &v);)
        if (v % p != 0)
            chan_send(out, v);
    chan_close(out);
    chan_free(in);
}

static double sieve(void)
{
    rn_time start = rn_now();
    chan(long) c = chan_make(long, 0), quit = chan_make(long, 0);
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_go(&wg, generate, c, quit);
    long last = 0;
    for (int i = 0; i < N; i++) {
        last = chan_recv(c);
        chan(long) next = chan_make(long, 0);
        wg_go(&wg, filter, c, next, last);
        c = next;
    }
    double took = rn_ms(rn_since(start));
    stat_check(last == 17389);
    chan_close(quit);
    for (long v; chan_next(c, &v);)
        ;
    wg_wait(&wg);
    chan_free(c);
    chan_free(quit);
    return took;
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    for (int i = 0, p; (p = stat_procs(i)); i++) {
        static struct stat_samples s;
        s.n = 0;
        rn_set_procs(p);
        for (int r = 0; r < stat_rounds(5); r++)
            stat_add(&s, sieve());
        stat_report(stat_name("j.sieve_2000primes", p), "ms", &s);
    }
    return 0;
}
