/* (l) memory.  Usage: l_memory blocked|sleep N (one measurement for each process).  bytes_per_g counts the
 * resident set, as the Go program does; with_tables also the page tables. */
#include "stat.h"

static void blocked(chan_recv_only(long) c, rn_waitgroup *wg)
{
    chan_recv(c);
    wg_done(wg);
}

static void sleeping(rn_waitgroup *wg)
{
    rn_sleep(3 * RN_SECOND);
    wg_done(wg);
}

static void measure_blocked(int n)
{
    double rss = stat_rss(), tables = stat_page_tables();
    chan(long) c = chan_make(long, 0);
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    rn_time start = rn_now();
    wg_add(&wg, n);
    for (int i = 0; i < n; i++)
        go(blocked, c, &wg);
    for (int i = 0; i < 50; i++) { /* let all block */
        rn_yield();
        rn_sleep(4 * RN_MILLISECOND);
    }
    double spawned = rn_ms(rn_since(start)) - 200, rss_then = stat_rss();
    double used = rss_then - rss, with_tables = used + stat_page_tables() - tables;
    start = rn_now();
    chan_close(c);
    wg_wait(&wg);
    printf("MEM l.blocked n=%d bytes_per_g=%.0f with_tables=%.0f rss_MiB=%.0f spawn_ms=%.0f close_wakeall_ms=%.0f\n", n,
           used / n, with_tables / n, rss_then / (1 << 20), spawned, rn_ms(rn_since(start)));
}

static void measure_sleep(int n)
{
    double rss = stat_rss();
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    rn_time start = rn_now();
    wg_add(&wg, n);
    for (int i = 0; i < n; i++)
        go(sleeping, &wg);
    rn_sleep(500 * RN_MILLISECOND);
    double rss_then = stat_rss(), cpu = stat_cpu();
    wg_wait(&wg);
    printf("MEM l.sleep n=%d bytes_per_g=%.0f rss_MiB=%.0f wall_ms=%.0f cpu_total_s=%.2f cpu_wait_phase_s=%.2f\n", n,
           (rss_then - rss) / n, rss_then / (1 << 20), rn_ms(rn_since(start)), stat_cpu(), stat_cpu() - cpu);
}

int rn_main(int argc, char **argv)
{
    int n = argc == 3 ? atoi(argv[2]) : 0;
    if (n > 0 && strcmp(argv[1], "blocked") == 0)
        measure_blocked(n);
    else if (n > 0 && strcmp(argv[1], "sleep") == 0)
        measure_sleep(n);
    else {
        fputs("usage: l_memory blocked|sleep N\n", stderr);
        return 2;
    }
    return 0;
}
