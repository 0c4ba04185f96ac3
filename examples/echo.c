/* echo [ADDRESS]: a TCP echo server, one goroutine for each connection, that stops in good order.
 *
 * With an address (":7777") it serves until SIGINT or SIGTERM: then it accepts no more, gives those who are
 * connected GRACE to finish, and closes what is left.  Without one it shows itself: it serves on a free port,
 * some clients talk to it at once, and it is stopped while one of them is silent.
 *
 * The lesson: code that reads as if it blocked, and a stop that is a context. */
#include <runnel.h>
#include <runnel/net.h>
#include <runnel/signal.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static const rn_duration GRACE = 5 * RN_SECOND, IDLE = RN_MINUTE;

struct server {
    rn_listener *listener;
    rn_waitgroup connections;
    rn_context *stopping; /* done: finish what you are at */
    rn_context *killing;  /* done: the grace is over */
};

static void echo(struct server *s, rn_conn *c)
{
    char buf[4096];
    ssize_t n;
    defer(net_free, c);
    for (;;) {
        net_set_deadline(c, rn_now() + IDLE); /* also for one that sends and does not read */
        n = net_read_ctx(s->killing, c, buf, sizeof buf);
        if (n <= 0 || net_write_ctx(s->killing, c, buf, (size_t)n) < 0)
            return;
    }
}

static void accept_all(struct server *s)
{
    rn_conn *c;
    while (net_accept_ctx(s->stopping, s->listener, &c) == 0)
        wg_go(&s->connections, echo, s, c);
}

/* Serves until `stop` is done; returns whether everybody had finished by then or within `grace`. */
static bool serve(rn_listener *l, rn_context *stop, rn_duration grace)
{
    struct server s = {.listener = l, .stopping = stop, .killing = ctx_with_cancel(ctx_background())};
    accept_all(&s);
    net_listener_close(l);
    rn_context *patience = ctx_with_timeout(ctx_background(), grace);
    bool in_time = wg_wait_ctx(patience, &s.connections) == 0;
    ctx_cancel(patience);
    ctx_cancel(s.killing);
    wg_wait(&s.connections);
    return in_time;
}

/* ---- without arguments ------------------------------------------------------------------------------ */

static void client(const char *to, int number)
{
    char text[32], back[32] = "";
    rn_conn *c;
    if (net_dial("tcp", to, &c) != 0)
        return;
    defer(net_free, c);
    size_t n = (size_t)snprintf(text, sizeof text, "hello from client %d", number);
    if (net_write(c, text, n) == (ssize_t)n && net_read_full(c, back, n) == 0)
        printf("%s\n", back);
}

static void serve_and_tell(rn_listener *l, rn_context *stop, chan(bool) in_time)
{
    chan_send(in_time, serve(l, stop, 50 * RN_MILLISECOND));
}

static int demonstrate(void)
{
    enum { CLIENTS = 5 };
    rn_listener *l;
    rn_conn *silent;
    rn_addr at;
    char to[RN_ADDR_TEXT], nothing;
    rn_waitgroup clients = {0};
    chan(bool) in_time = chan_make(bool, 0);
    rn_context *stop = ctx_with_cancel(ctx_background());
    defer(chan_free, in_time);
    defer(ctx_cancel, stop);
    if (net_listen("tcp", "127.0.0.1:0", &l) != 0)
        return 1;
    defer(net_listener_free, l);
    net_listener_addr(l, &at);
    addr_format(&at, to);
    go(serve_and_tell, l, stop, in_time);
    for (int i = 1; i <= CLIENTS; i++)
        wg_go(&clients, client, to, i);
    wg_wait(&clients);
    if (net_dial("tcp", to, &silent) != 0 || net_write(silent, "?", 1) != 1 || net_read(silent, &nothing, 1) != 1)
        return 1;
    ctx_cancel(stop);
    printf("everybody had finished: %s\n", chan_recv(in_time) ? "yes" : "no, one was silent");
    printf("the silent one reads: %s\n", net_read(silent, &nothing, 1) == 0 ? "end of stream" : "something else");
    net_free(silent);
    return 0;
}

int rn_main(int argc, char **argv)
{
    rn_listener *l;
    if (argc < 2)
        return demonstrate();
    int err = net_listen("tcp", argv[1], &l);
    if (err) {
        fprintf(stderr, "echo: can't listen on %s: %s\n", argv[1], rn_strerror(err));
        return 1;
    }
    rn_context *stop = ctx_with_signals(ctx_background(), SIGINT, SIGTERM);
    bool in_time = serve(l, stop, GRACE);
    ctx_cancel(stop);
    net_listener_free(l);
    return in_time ? 0 : 1;
}
