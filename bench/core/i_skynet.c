/* (i) skynet: a tree with 10 branches, 1 M leaves (1,111,111 goroutines), sums by channels; one operation
 * is the whole tree, in ms. */
#include "stat.h"

static void sky(chan_send_only(long) c, long num, long size, int div)
{
    if (size == 1) {
        chan_send(c, num);
        return;
    }
    chan(long) rc = chan_make(long, 0);
    long sum = 0;
    for (int i = 0; i < div; i++)
        go(sky, rc, num + i * (size / div), size / div, div);
    for (int i = 0; i < div; i++)
        sum += chan_recv(rc);
    chan_free(rc);
    chan_send(c, sum);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    for (int i = 0, p; (p = stat_procs(i)); i++) {
        static struct stat_samples s;
        s.n = 0;
        rn_set_procs(p);
        for (int r = 0; r < stat_rounds(11); r++) {
            rn_time start = rn_now();
            chan(long) c = chan_make(long, 0);
            go(sky, c, 0, 1000000, 10);
            stat_check(chan_recv(c) == 499999500000);
            chan_free(c);
            stat_add(&s, rn_ms(rn_since(start)));
        }
        stat_report(stat_name("i.skynet_1M", p), "ms", &s);
        printf("INFO i.rss_after_MiB=%.1f\n", stat_rss() / (1 << 20));
    }
    return 0;
}
