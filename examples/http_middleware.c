/* What is to be done for every request, whichever handler it is for: who asks, a limit of time, a line for the log.
 *
 *   ./runnel run examples/http_middleware.c           serves at :8080 until Ctrl-C
 *   ./runnel run examples/http_middleware.c demo      serves at a free port, and asks itself
 */
#include <runnel.h>
#include <runnel/http.h>
#include <runnel/net.h>
#include <stdio.h>
#include <string.h>

static const char user_key; /* only its address counts */

/* ---- handlers: they know nothing of what is around them, but for the context ---- */

static void hello(http_writer *w, const http_request *r)
{
    const char *user = ctx_value(http_context(r), &user_key);
    http_printf(w, "Hello, %s, from %s!\n", http_path_value(r, "name"), user);
}

static void slow(http_writer *w, const http_request *r)
{
    int err = rn_sleep_ctx(http_context(r), RN_HOUR);
    http_error(w, err == RN_ETIMEOUT ? 503 : 500, rn_strerror(err));
}

/* ---- around them ---- */

/* Lets the mux's handlers work for who has said a name, for 100 ms at most. */
static void allow(http_writer *w, const http_request *r)
{
    const char *user = http_header(r, "X-User");
    if (!user) {
        http_error(w, 401, NULL);
        return;
    }
    rn_context *ctx = ctx_with_value(http_context(r), &user_key, (void *)user);
    defer(ctx_cancel, ctx);
    rn_context *soon = ctx_with_timeout(ctx, 100 * RN_MILLISECOND);
    defer(ctx_cancel, soon);
    http_mux_serve_ctx(soon, NULL, w, r);
}

static void log_all(http_writer *w, const http_request *r)
{
    allow(w, r);
    printf("%d, %lld bytes: %s %s, by \"%s\"\n", http_get_status(w), (long long)http_written(w), r->method, r->path,
           http_pattern(r));
}

/* ---- the demonstration ---- */

static void ask(const char *base, const char *path, const char *user)
{
    char url[256];
    http_response res = {0};
    http_header name = {"X-User", user};
    snprintf(url, sizeof url, "http://%s%s", base, path);
    int err = http_do(NULL, &(http_client_request){.url = url, .headers = &name, .headers_len = user != NULL}, &res);
    printf("%s", err ? rn_strerror(err) : res.body);
    http_response_free(&res);
}

static void serve(http_server *s, rn_listener *l)
{
    http_serve(s, l);
}

static int demo(const http_options *o)
{
    http_server *s;
    rn_listener *l;
    rn_addr at;
    char base[RN_ADDR_TEXT];
    if (http_server_make(o, &s) < 0 || net_listen("tcp", "127.0.0.1:0", &l) < 0)
        return 1;
    net_listener_addr(l, &at);
    addr_format(&at, base);
    go(serve, s, l);
    ask(base, "/hello/gopher", "ann");
    ask(base, "/hello/gopher", NULL);
    ask(base, "/slow", "ann");
    ask(base, "/nowhere", "ann");
    http_server_free(s);
    net_listener_free(l);
    return 0;
}

int rn_main(int argc, char **argv)
{
    http_options o = {.handler = log_all};
    http_handle("GET /hello/{name}", hello);
    http_handle("GET /slow", slow);
    if (argc > 1 && strcmp(argv[1], "demo") == 0)
        return demo(&o);
    return http_listen_and_serve(argc > 1 ? argv[1] : ":8080", &o) ? 1 : 0;
}
