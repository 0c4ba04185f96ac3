/* An HTTP server: for every request, three things are looked up in parallel.
 *
 *   ./runnel run examples/http_server.c           serves at :8080 until Ctrl-C, which lets running requests finish
 *   ./runnel run examples/http_server.c demo      serves at a free port, and asks itself
 */
#include <runnel.h>
#include <runnel/http.h>
#include <runnel/net.h>
#include <stdio.h>
#include <string.h>

static const rn_duration PATIENCE = 2 * RN_SECOND;

struct found {
    int err; /* 0, or why there is no text */
    char text[48];
};

/* What would be a question to a database each: ends when ctx does. */
static struct found lookup(rn_context *ctx, const char *what, long id, rn_duration takes)
{
    struct found f = {.err = rn_sleep_ctx(ctx, takes)};
    snprintf(f.text, sizeof f.text, "%s of %ld", what, id);
    return f;
}

static void user(rn_context *ctx, long id, chan_send_only(struct found) out)
{
    chan_send(out, lookup(ctx, "user", id, 30 * RN_MILLISECOND));
}

static void product(rn_context *ctx, long id, chan_send_only(struct found) out)
{
    chan_send(out, lookup(ctx, "product", id, 20 * RN_MILLISECOND));
}

static void analytics(rn_context *ctx, long id, rn_duration takes, chan_send_only(struct found) out)
{
    chan_send(out, lookup(ctx, "analytics", id, takes));
}

/* All three at once, within PATIENCE and as long as the client is there: the request takes as long as the
 * slowest of them.  ?ms=… says how long the third one takes. */
static void handle(http_writer *w, const http_request *r)
{
    long id = http_query_long(r, "id", 1), ms = http_query_long(r, "ms", 10);
    rn_context *ctx = ctx_with_timeout(http_context(r), PATIENCE);
    chan(struct found) found = chan_make(struct found, 3);
    defer(chan_free, found);
    defer(ctx_cancel, ctx);
    go(user, ctx, id, found);
    go(product, ctx, id, found);
    go(analytics, ctx, id, ms * RN_MILLISECOND, found);
    struct found f[3];
    int err = 0;
    for (int i = 0; i < 3; i++) { /* all: they use ctx and found */
        f[i] = chan_recv(found);
        err = err ? err : f[i].err;
    }
    if (err)
        return http_error(w, 504, rn_strerror(err));
    for (int i = 0; i < 3; i++)
        http_printf(w, "Result: %s\n", f[i].text);
}

static void hello(http_writer *w, const http_request *r)
{
    http_printf(w, "Hello, %s!\n", http_path_value(r, "name"));
}

/* ---- the demonstration ---- */

/* Asks for a path, and prints what comes back without its headers. */
static void ask(const char *address, const char *path)
{
    char request[256], answer[4096];
    size_t n = 0;
    rn_conn *c;
    if (net_dial("tcp", address, &c) < 0)
        return;
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", path, address);
    net_write(c, request, strlen(request));
    for (ssize_t got; (got = net_read(c, answer + n, sizeof answer - 1 - n)) > 0;)
        n += (size_t)got;
    net_free(c);
    answer[n] = 0;
    char *body = strstr(answer, "\r\n\r\n");
    printf("%.12s\n%s", answer, body ? body + 4 : "");
}

static void demonstrate(void *stop, const char *address)
{
    ask(address, "/?id=7");
    ask(address, "/hello/gopher");
    ask(address, "/hello/");
    chan(rn_unit) done = stop;
    chan_close(done);
}

static void serve(http_server *s, rn_listener *l)
{
    http_serve(s, l);
}

static int demo(void)
{
    http_server *s;
    rn_listener *l;
    rn_addr at;
    char address[RN_ADDR_TEXT];
    if (http_server_make(NULL, &s) < 0 || net_listen("tcp", "127.0.0.1:0", &l) < 0)
        return 1;
    net_listener_addr(l, &at);
    chan(rn_unit) done = chan_make(rn_unit, 0);
    go(serve, s, l);
    go(demonstrate, (void *)done, rn_addr_format(&at, address));
    chan_recv(done);
    int err = http_shutdown(s, ctx_background());
    http_server_free(s);
    net_listener_free(l);
    chan_free(done);
    return err ? 1 : 0;
}

int rn_main(int argc, char **argv)
{
    http_handle("/", handle);
    http_handle("GET /hello/{name}", hello);
    if (argc > 1 && strcmp(argv[1], "demo") == 0)
        return demo();
    return http_listen_and_serve(argc > 1 ? argv[1] : ":8080", NULL) ? 1 : 0; /* drains and stops on SIGTERM */
}
