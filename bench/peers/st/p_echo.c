/* (p) TCP echo server, a thread for each connection.  Usage: p_echo ADDRESS, as ":PORT" or "127.0.0.1:PORT". */
#include "../../stat.h"
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <st.h>
#include <sys/socket.h>

static void *echo(void *arg)
{
    st_netfd_t c = arg;
    char buf[4096];
    ssize_t n;
    while ((n = st_read(c, buf, sizeof buf, ST_UTIME_NO_TIMEOUT)) > 0 &&
           st_write(c, buf, (size_t)n, ST_UTIME_NO_TIMEOUT) == n)
        continue;
    st_netfd_close(c);
    return NULL;
}

static void report(int signo)
{
    char line[128];
    int n = snprintf(line, sizeof line, "INFO p.echo rss_MiB=%.1f cpu_s=%.2f\n", stat_rss() / (1 << 20), stat_cpu());
    if (write(1, line, (size_t)n) == n && signo == SIGTERM)
        _exit(0);
}

int main(int argc, char **argv)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    stat_check(argc == 2 && strrchr(argv[1], ':'));
    a.sin_port = htons((uint16_t)atoi(strrchr(argv[1], ':') + 1));
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    stat_check(bind(fd, (struct sockaddr *)&a, sizeof a) == 0 && listen(fd, 4096) == 0);
    signal(SIGTERM, report);
    signal(SIGUSR1, report);
    stat_check(st_set_eventsys(ST_EVENTSYS_ALT) == 0 && st_init() == 0);
    st_netfd_t l = st_netfd_open_socket(fd), c;
    for (;;) {
        if (!(c = st_accept(l, NULL, NULL, ST_UTIME_NO_TIMEOUT)))
            continue;
        setsockopt(st_netfd_fileno(c), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        stat_check(st_thread_create(echo, c, 0, 0) != NULL);
    }
}
