/* (e) what select costs. */
#include "stat.h"

enum { N = 500000, M = 20000000 };

struct ends {
    chan(long) a, b, quit, done;
};

static void echo(const struct ends *e)
{
    for (;;) {
        long v;
        if (chan_select(on_recv(e->a, &v), on_recv(e->quit, NULL)) == 1 ||
            chan_select(on_send(e->b, v), on_recv(e->quit, NULL)) == 1) {
            chan_close(e->done);
            return;
        }
    }
}

/* Both sides use a select of two cases (data and quit); one operation is a round trip. */
static void ping_pong(void)
{
    struct ends e = {chan_make(long, 0), chan_make(long, 0), chan_make(long, 0), chan_make(long, 0)};
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_go(&wg, echo, &e);
    for (long i = 0; i < N; i++) {
        chan_select(on_send(e.a, i), on_recv(e.quit, NULL));
        chan_select(on_recv(e.b, NULL), on_recv(e.quit, NULL));
    }
    chan_close(e.quit);
    chan_recv(e.done);
    wg_wait(&wg);
    chan_free(e.a);
    chan_free(e.b);
    chan_free(e.quit);
    chan_free(e.done);
}

static void rotate(chan(long) c[8])
{
    for (long i = 0; i < N; i++)
        chan_send(c[i & 7], i);
}

#define EIGHT(c, p)                                                                                     \
    on_recv((c)[0], p), on_recv((c)[1], p), on_recv((c)[2], p), on_recv((c)[3], p), on_recv((c)[4], p), \
        on_recv((c)[5], p), on_recv((c)[6], p), on_recv((c)[7], p)

/* One side receives by a select of 8, the other sends on each in turn; one operation is a message. */
static void eight_unbuffered(void)
{
    chan(long) c[8];
    for (int i = 0; i < 8; i++)
        c[i] = chan_make(long, 0);
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_go(&wg, rotate, c);
    for (long i = 0; i < N; i++)
        chan_select(EIGHT(c, NULL));
    wg_wait(&wg);
    for (int i = 0; i < 8; i++)
        chan_free(c[i]);
}

static chan(long) full[8];

static void eight_ready(void)
{
    for (long i = 0; i < N; i++) {
        long v;
        chan_select(EIGHT(full, &v));
        chan_send(full[v], v);
    }
}

static chan(long) empty[2];

static void try_one(void)
{
    for (long i = 0; i < M; i++)
        stat_check(chan_try_recv(empty[0], NULL) == RN_EAGAIN);
}

static void try_two(void)
{
    for (long i = 0; i < M / 4; i++)
        stat_check(chan_select(on_recv(empty[0], NULL), on_recv(empty[1], NULL), on_default()) == 2);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    int all = rn_procs();
    for (int i = 0, p; (p = stat_procs(i)); i++) {
        rn_set_procs(p);
        stat_bench(stat_name("e.select2_pingpong_roundtrip", p), 11, N, ping_pong);
        stat_bench(stat_name("e.select8_recv_unbuf", p), 11, N, eight_unbuffered);
    }
    rn_set_procs(all);
    for (int i = 0; i < 8; i++) {
        full[i] = chan_make(long, 1);
        chan_send(full[i], i);
    }
    empty[0] = chan_make(long, 0);
    empty[1] = chan_make(long, 0);
    stat_bench("e.select8_all_ready_plus_refill", 11, N, eight_ready);
    stat_bench("e.nonblock_recv_empty_default", 11, M, try_one);
    stat_bench("e.nonblock_2case_empty_default", 11, M / 4, try_two);
    return 0;
}
