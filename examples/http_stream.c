/* Bodies of any size, piece by piece and both ways: the answer is read while the request is still being written.
 * Neither end holds more than a buffer of it. */
#include <runnel.h>
#include <runnel/http.h>
#include <runnel/net.h>
#include <stdio.h>

enum { LINES = 10000 };

/* The server: sends back what comes, in capitals. */
static void shout(http_writer *w, const http_request *r)
{
    char buf[4096];
    for (ptrdiff_t n; (n = http_read(r, buf, sizeof buf)) > 0;) {
        for (ptrdiff_t i = 0; i < n; i++)
            buf[i] = (char)(buf[i] >= 'a' && buf[i] <= 'z' ? buf[i] - 32 : buf[i]);
        if (http_write(w, buf, (size_t)n) < 0)
            return;
    }
}

/* What is sent: asked for whenever more of it fits in; 0 bytes end it. */
static ssize_t next_line(void *arg, void *buf, size_t n)
{
    int *line = arg;
    return *line < LINES ? snprintf(buf, n, "line %d\n", ++*line) : 0;
}

static int send_and_receive(rn_context *ctx, const char *url)
{
    char buf[4096];
    int line = 0;
    size_t lines = 0;
    ssize_t n;
    http_response res = {0};
    http_client_request r = {.url = url, .content_type = "text/plain", .body_read = next_line, .body_arg = &line};
    defer(http_response_free, &res);
    int err = http_open(ctx, &r, &res); /* the head of the answer is there */
    if (err)
        return err;
    while ((n = http_body_read(&res, buf, sizeof buf)) > 0)
        for (ssize_t i = 0; i < n; i++)
            lines += buf[i] == 'L';
    printf("%d: sent %d lines, %zu came back\n", res.status, line, lines);
    return (int)n; /* 0: all of it; a body that is cut off is an error */
}

static void serve(http_server *s, rn_listener *l)
{
    http_serve(s, l);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    char address[RN_ADDR_TEXT], url[RN_ADDR_TEXT + 8];
    rn_listener *l;
    http_server *s;
    rn_addr at;
    rn_context *ctx = ctx_with_timeout(ctx_background(), RN_MINUTE);
    defer(ctx_cancel, ctx);
    if (net_listen("tcp", "127.0.0.1:0", &l) || http_server_make(&(http_options){.handler = shout}, &s))
        return 1;
    net_listener_addr(l, &at);
    snprintf(url, sizeof url, "http://%s/", addr_format(&at, address));
    go(serve, s, l);
    int err = send_and_receive(ctx, url);
    if (err)
        fprintf(stderr, "%s\n", rn_strerror(err));
    http_shutdown(s, ctx);
    http_server_free(s);
    net_listener_free(l);
    return err != 0;
}
