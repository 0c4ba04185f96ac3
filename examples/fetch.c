/* fetch URL…: asks for all of them at once, and prints what came, in the order in which it came.
 *
 * Without arguments it starts a server of its own, whose answers take their time, and asks for the same
 * pages one after the other and then all at once.
 *
 * The lesson: each request is a goroutine that reads as if it blocked, and sends what it found to a
 * channel; one context bounds them all.  Exit status 1 when a page could not be had. */
#include <runnel.h>
#include <runnel/http.h>
#include <runnel/net.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct page {
    const char *url;
    int status;
    size_t bytes;
    int err;
    rn_duration took;
    char why[300]; /* when err is not 0: a line about it */
};

static void fetch(rn_context *ctx, const char *url, chan_send_only(struct page) out)
{
    struct page p = {.url = url};
    rn_time start = rn_now();
    http_response res = {0};
    p.err = http_get(ctx, url, &res); /* 0, or a negative error code */
    p.status = res.status;
    p.bytes = res.body_len;
    p.took = rn_since(start);
    if (res.error) /* says more than the code, and begins with the URL */
        snprintf(p.why, sizeof p.why, "%s", res.error);
    else if (p.err)
        snprintf(p.why, sizeof p.why, "%s: %s", url, rn_strerror(p.err));
    http_response_free(&res);
    chan_send(out, p);
}

/* ---- what is shown --------------------------------------------------------------------------- */

/* A bar on the last line of the terminal, where stderr is one. */
static void show_progress(int done, int all)
{
    enum { WIDTH = 30 };
    int full = all ? done * WIDTH / all : WIDTH;
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r[%.*s%*s] %d/%d ", full, "##############################", WIDTH - full, "", done, all);
}

static void clear_progress(void)
{
    if (isatty(STDERR_FILENO))
        fputs("\r\033[K", stderr);
}

static void print(const struct page *p)
{
    clear_progress();
    if (p->err)
        fprintf(stderr, "FAIL %s\n", p->why);
    else
        printf("%d %8zu B %8.1f ms  %s\n", p->status, p->bytes, rn_ms(p->took), p->url);
    if (fflush(stdout)) { /* a full disk, say */
        perror("fetch: standard output");
        exit(1);
    }
}

/* Returns how many failed. */
static int fetch_all(rn_context *ctx, int n, char **urls)
{
    chan(struct page) pages = chan_make(struct page, n);
    defer(chan_free, pages);
    int failed = 0;
    for (int i = 0; i < n; i++)
        go(fetch, ctx, urls[i], pages);
    for (int i = 0; i < n; i++) {
        show_progress(i, n);
        struct page p = chan_recv(pages);
        print(&p);
        failed += p.err != 0;
    }
    return failed;
}

static int fetch_in_turn(rn_context *ctx, int n, char **urls)
{
    int failed = 0;
    for (int i = 0; i < n; i++) {
        show_progress(i, n);
        failed += fetch_all(ctx, 1, &urls[i]);
    }
    return failed;
}

/* ---- the demonstration ------------------------------------------------------------------------- */

static void slow_page(http_writer *w, const http_request *r)
{
    long ms = http_query_long(r, "ms", 0);
    rn_sleep(ms * RN_MILLISECOND);
    http_printf(w, "This took %ld ms.\n", ms);
}

static void serve(http_server *s, rn_listener *l, rn_waitgroup *wg)
{
    int err = http_serve(s, l);
    if (err)
        fprintf(stderr, "the server: %s\n", rn_strerror(err));
    wg_done(wg);
}

static int demonstrate(rn_context *ctx)
{
    enum { N = 10 };
    static char text[N][64];
    char *urls[N], address[RN_ADDR_TEXT];
    rn_listener *l;
    http_server *s;
    rn_addr where;
    int err = net_listen("tcp", "127.0.0.1:0", &l);
    if (!err)
        err = http_server_make(&(http_options){.handler = slow_page}, &s);
    if (err) {
        fprintf(stderr, "no server of our own: %s\n", rn_strerror(err));
        return 1;
    }
    net_listener_addr(l, &where);
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_add(&wg, 1);
    go(serve, s, l, &wg);
    for (int i = 0; i < N; i++) {
        snprintf(text[i], sizeof text[i], "http://%s/?ms=%d", addr_format(&where, address), 20 * (i + 1));
        urls[i] = text[i];
    }

    puts("One after the other:");
    rn_time start = rn_now();
    int failed = fetch_in_turn(ctx, N, urls);
    rn_duration in_turn = rn_since(start);
    puts("All at once:");
    start = rn_now();
    failed += fetch_all(ctx, N, urls);
    rn_duration at_once = rn_since(start);
    printf("one after the other: %.0f ms, all at once: %.0f ms\n", rn_ms(in_turn), rn_ms(at_once));

    http_close(s);
    wg_wait(&wg);
    http_server_free(s);
    net_listener_free(l);
    return failed != 0;
}

int rn_main(int argc, char **argv)
{
    rn_context *ctx = ctx_with_timeout(ctx_background(), 10 * RN_SECOND);
    defer(ctx_cancel, ctx);
    if (argc < 2)
        return demonstrate(ctx);
    return fetch_all(ctx, argc - 1, argv + 1) != 0;
}
