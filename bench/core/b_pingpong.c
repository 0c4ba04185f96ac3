/* (b) unbuffered ping-pong; one operation is one round trip (2 messages). */
#include "stat.h"

enum { N = 1000000 };

static void echo(chan_recv_only(long) in, chan_send_only(long) out)
{
    for (long v; chan_next(in, &v);)
        chan_send(out, v);
    chan_close(out);
}

static void ping_pong(void)
{
    chan(long) a = chan_make(long, 0), b = chan_make(long, 0);
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_go(&wg, echo, a, b);
    for (long i = 0; i < N; i++) {
        chan_send(a, i);
        stat_check(chan_recv(b) == i);
    }
    chan_close(a);
    chan_recv(b);
    wg_wait(&wg);
    chan_free(a);
    chan_free(b);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    for (int i = 0, p; (p = stat_procs(i)); i++) {
        rn_set_procs(p);
        stat_bench(stat_name("b.pingpong_roundtrip", p), 11, N, ping_pong);
    }
    return 0;
}
