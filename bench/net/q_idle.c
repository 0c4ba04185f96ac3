/* (q) idle connections, a goroutine that waits in read for each.  Usage: q_idle ADDRESS BUFFER N: prints resident
 * memory and page tables for each of N connections, once they are accepted and have settled. */
#include "../core/stat.h"
#include <runnel/net.h>

static size_t buffer;

static void hold(rn_conn *c)
{
    char buf[buffer];
    while (net_read(c, buf, buffer) > 0)
        continue;
    net_free(c);
}

int rn_main(int argc, char **argv)
{
    rn_listener *l;
    rn_conn *c;
    stat_check(argc == 4);
    buffer = (size_t)atoi(argv[2]);
    int n = atoi(argv[3]);
    stat_check(net_listen("tcp", argv[1], &l) == 0);
    double before = stat_rss() + stat_page_tables();
    rn_time start = rn_now();
    for (int i = 0; i < n; i++) {
        stat_check(net_accept(l, &c) == 0);
        go(hold, c);
    }
    rn_duration took = rn_since(start);
    rn_sleep(RN_SECOND);
    printf("MEM q.idle n=%d buf=%zu bytes_per_conn=%.0f rss_MiB=%.1f accept_ms=%lld\n", n, buffer,
           (stat_rss() + stat_page_tables() - before) / n, stat_rss() / (1 << 20), (long long)(took / RN_MILLISECOND));
    return 0;
}
