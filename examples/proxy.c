/* proxy LISTEN TARGET: passes TCP connections on, in both directions, until SIGINT or SIGTERM.
 *
 *     proxy :8080 example.org:80          proxy /tmp/sock localhost:5432
 *
 * Each direction is a goroutine of its own.  When one side has said all (end of stream), that is passed on, and the
 * other direction goes on until it ends as well: half-closed connections work.  When either direction
 * breaks, both end.  An address with a slash is a unix socket.  Without arguments it shows itself between a client and
 * a server of its own. */
#include <runnel.h>
#include <runnel/net.h>
#include <runnel/signal.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static const char *network_of(const char *address)
{
    return strchr(address, '/') || address[0] == '@' ? "unix" : "tcp";
}

/* From one to the other until the end of the stream, which is passed on; a break ends both. */
static void copy(rn_conn *from, rn_conn *to)
{
    if (net_copy(to, from, NULL) == 0) {
        net_close_write(to);
    } else {
        net_close(from);
        net_close(to);
    }
}

static void pass_on(rn_conn *client, const char *target)
{
    rn_conn *server;
    rn_waitgroup back = {0};
    defer(net_free, client);
    int err = net_dial(network_of(target), target, &server);
    if (err) {
        fprintf(stderr, "proxy: can't reach %s: %s\n", target, rn_strerror(err));
        return;
    }
    defer(net_free, server);
    wg_go(&back, copy, server, client);
    copy(client, server);
    wg_wait(&back);
}

/* Until stop is done; then those who are connected are left to themselves. */
static void serve(rn_listener *l, const char *target, rn_context *stop)
{
    rn_conn *c;
    while (net_accept_ctx(stop, l, &c) == 0)
        go(pass_on, c, target);
}

/* ---- without arguments ------------------------------------------------------------------------------ */

/* Reads a question to its end and only then answers: needs the half-close to come through. */
static void count_bytes(rn_listener *l)
{
    rn_conn *c;
    char buf[4096], answer[64];
    size_t sum = 0;
    if (net_accept(l, &c) != 0)
        return;
    for (ssize_t n; (n = net_read(c, buf, sizeof buf)) > 0;)
        sum += (size_t)n;
    int n = snprintf(answer, sizeof answer, "%zu bytes came through", sum);
    net_write(c, answer, (size_t)n);
    net_free(c);
}

static int listen_somewhere(rn_listener **l, char *address)
{
    rn_addr at;
    int err = net_listen("tcp", "127.0.0.1:0", l);
    if (!err) {
        net_listener_addr(*l, &at);
        addr_format(&at, address);
    }
    return err;
}

static int demonstrate(void)
{
    static char question[1 << 20], answer[64];
    char server_at[RN_ADDR_TEXT], proxy_at[RN_ADDR_TEXT];
    rn_listener *server, *proxy;
    rn_conn *c;
    rn_waitgroup serving = {0};
    rn_context *stop = ctx_with_cancel(ctx_background());
    defer(wg_wait, &serving);
    defer(ctx_cancel, stop);
    if (listen_somewhere(&server, server_at) || listen_somewhere(&proxy, proxy_at))
        return 1;
    go(count_bytes, server);
    wg_go(&serving, serve, proxy, server_at, stop);
    if (net_dial("tcp", proxy_at, &c) || net_write(c, question, sizeof question) < 0 || net_close_write(c))
        return 1;
    for (size_t have = 0; have < sizeof answer - 1;) {
        ssize_t n = net_read(c, answer + have, sizeof answer - 1 - have);
        if (n <= 0)
            break;
        have += (size_t)n;
    }
    puts(answer);
    net_free(c);
    return 0;
}

int rn_main(int argc, char **argv)
{
    rn_listener *l;
    if (argc == 1)
        return demonstrate();
    if (argc != 3) {
        fprintf(stderr, "usage: proxy [LISTEN TARGET]\n");
        return 2;
    }
    int err = net_listen(network_of(argv[1]), argv[1], &l);
    if (err) {
        fprintf(stderr, "proxy: can't listen on %s: %s\n", argv[1], rn_strerror(err));
        return 1;
    }
    rn_context *stop = ctx_with_signals(ctx_background(), SIGINT, SIGTERM);
    serve(l, argv[2], stop);
    ctx_cancel(stop);
    net_listener_free(l);
    return 0;
}
