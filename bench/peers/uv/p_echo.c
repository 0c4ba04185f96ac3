/* (p) TCP echo server on one loop.  Usage: p_echo ADDRESS, as ":PORT" or "127.0.0.1:PORT". */
#include "../../stat.h"
#include <signal.h>
#include <uv.h>

struct client {
    uv_tcp_t tcp;
    uv_write_t write;
    char buf[4096];
};

static void closed(uv_handle_t *h)
{
    free(h->data);
}

static void end(struct client *c)
{
    if (!uv_is_closing((uv_handle_t *)&c->tcp))
        uv_close((uv_handle_t *)&c->tcp, closed);
}

static void give(uv_handle_t *h, size_t size, uv_buf_t *buf)
{
    (void)size;
    struct client *c = h->data;
    *buf = uv_buf_init(c->buf, sizeof c->buf);
}

static void got(uv_stream_t *s, ssize_t n, const uv_buf_t *buf);

static void wrote(uv_write_t *w, int status)
{
    struct client *c = w->data;
    if (status < 0 || uv_read_start((uv_stream_t *)&c->tcp, give, got) < 0)
        end(c);
}

static void got(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
    struct client *c = s->data;
    uv_buf_t out = uv_buf_init(buf->base, n > 0 ? (unsigned)n : 0);
    if (n == 0)
        return;
    if (n < 0) {
        end(c);
        return;
    }
    int written = uv_try_write(s, &out, 1);
    if (written == n)
        return;
    if (written > 0)
        out = uv_buf_init(buf->base + written, (unsigned)(n - written));
    uv_read_stop(s); /* one buffer: nothing is read while it is written */
    c->write.data = c;
    if (uv_write(&c->write, s, &out, 1, wrote) < 0)
        end(c);
}

static void accepted(uv_stream_t *l, int status)
{
    struct client *c = status == 0 ? calloc(1, sizeof *c) : NULL;
    if (!c)
        return;
    uv_tcp_init(l->loop, &c->tcp);
    c->tcp.data = c;
    if (uv_accept(l, (uv_stream_t *)&c->tcp) < 0) {
        end(c);
        return;
    }
    uv_tcp_nodelay(&c->tcp, 1);
    uv_read_start((uv_stream_t *)&c->tcp, give, got);
}

static void report(uv_signal_t *s, int signo)
{
    (void)s;
    printf("INFO p.echo rss_MiB=%.1f cpu_s=%.2f\n", stat_rss() / (1 << 20), stat_cpu());
    fflush(stdout);
    if (signo == SIGTERM)
        exit(0);
}

int main(int argc, char **argv)
{
    struct sockaddr_in a;
    uv_tcp_t l;
    uv_signal_t term, usr1;
    uv_loop_t *loop = uv_default_loop();
    stat_check(argc == 2 && strrchr(argv[1], ':'));
    uv_ip4_addr("127.0.0.1", atoi(strrchr(argv[1], ':') + 1), &a);
    uv_tcp_init(loop, &l);
    stat_check(uv_tcp_bind(&l, (struct sockaddr *)&a, 0) == 0 && uv_listen((uv_stream_t *)&l, 4096, accepted) == 0);
    uv_signal_init(loop, &term);
    uv_signal_init(loop, &usr1);
    uv_signal_start(&term, report, SIGTERM);
    uv_signal_start(&usr1, report, SIGUSR1);
    return uv_run(loop, UV_RUN_DEFAULT);
}
