/* (h) a ring of 503 goroutines passes a token, 1 M hops; one operation is one hop. */
#include "stat.h"

enum { R = 503, N = 1000000 };

static void pass(chan_recv_only(long) in, chan_send_only(long) out, chan_send_only(long) done)
{
    for (long v; chan_next(in, &v);) {
        if (v == 0) {
            chan_send(done, 1);
            return;
        }
        chan_send(out, v - 1);
    }
}

static void ring(void)
{
    /* As in the Go program the other 502 stay blocked, and their channels with them. */
    chan(long) done = chan_make(long, 0);
    chan(long) first = chan_make(long, 0), in = first;
    for (int i = 0; i < R; i++) {
        chan(long) out = i == R - 1 ? first : chan_make(long, 0);
        go(pass, in, out, done);
        in = out;
    }
    chan_send(first, N);
    stat_check(chan_recv(done) == 1);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    for (int i = 0, p; (p = stat_procs(i)); i++) {
        rn_set_procs(p);
        stat_bench(stat_name("h.ring503_hop", p), 11, N, ring);
    }
    return 0;
}
