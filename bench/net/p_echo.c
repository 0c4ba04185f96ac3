/* (p) TCP echo server, a goroutine for each connection: reads what comes, up to 4 KiB, and writes it back.
 * Usage: p_echo ADDRESS.  SIGUSR1 prints memory and processor time so far, SIGTERM as well and ends. */
#include "../core/stat.h"
#include <runnel/net.h>
#include <runnel/signal.h>
#include <signal.h>

static void report_on_signal(void)
{
    chan(int) signals = chan_make(int, 4);
    signal_notify(signals, SIGTERM, SIGUSR1);
    for (int signo; chan_next(signals, &signo);) {
        printf("INFO p.echo rss_MiB=%.1f cpu_s=%.2f\n", stat_rss() / (1 << 20), stat_cpu());
        fflush(stdout);
        if (signo == SIGTERM)
            exit(0);
    }
}

static void echo(rn_conn *c)
{
    char buf[4096];
    ssize_t n;
    while ((n = net_read(c, buf, sizeof buf)) > 0 && net_write(c, buf, (size_t)n) > 0)
        continue;
    net_free(c);
}

int rn_main(int argc, char **argv)
{
    rn_listener *l;
    rn_conn *c;
    stat_check(argc == 2);
    go(report_on_signal);
    stat_check(net_listen("tcp", argv[1], &l) == 0);
    while (net_accept(l, &c) == 0)
        go(echo, c);
    return 1;
}
