/* An exchange's course: find the handler, run it, see that the response is complete. */
#define _GNU_SOURCE 1
#include "http/conn.h"
#include "http/exchange.h"
#include "http/path.h"
#include "sched/sched.h"
#include <string.h>

void rn__http_begin(struct rn_http_writer *x)
{
    rn__http_arena_reset(&x->arena);
    x->r = (rn_http_request){.query = "", .path = "/", .host = ""};
    /* Without a log the Date alone needs it. */
    x->began = rn__http_server_options(x->server)->access_log ? rn_now() : rn__tick();
    x->fields = x->trailers = NULL;
    x->n_fields = x->n_trailers = 0;
    x->match.route = NULL;
    x->arg = NULL;
    x->remote = NULL;
    x->form = NULL;
    x->body_total = 0;
    x->body_began = 0;
    x->body_error = x->body_status = 0;
    x->body_done = x->expects_continue = x->leaves_body = false;
    x->ctx = x->watch_stop = x->given = NULL;
    x->watching = (rn_waitgroup)RN_WAITGROUP_INIT; /* x is not cleared memory */
    x->status = 200;
    x->head_sent = x->no_body = x->finished = x->chunked = x->close = x->hijacked = false;
    x->error = 0;
    x->declared = -1;
    x->written = 0;
    x->out = x->out_inline;
    x->n_out = 0;
    x->out_room = RN__HTTP_OUT_INLINE;
    x->body_n = 0;
}

/* ---- the context ---- */

struct making {
    rn_context *parent, *made;
    rn_time deadline;
};

static void recover_shortage(struct making *m)
{
    if (!m->made)
        rn_recover();
}

static void make_context(struct making *m)
{
    defer(recover_shortage, m);
    m->made = m->deadline ? rn_ctx_with_deadline(m->parent, m->deadline) : rn_ctx_with_cancel(m->parent);
}

rn_context *rn__http_make_context(rn_context *parent, rn_time deadline)
{
    struct making m = {.parent = parent, .deadline = deadline};
    make_context(&m);
    return m.made;
}

static void watch(struct rn_http_writer *x)
{
    if (x->carrier->watch(x, x->watch_stop))
        rn_ctx_cancel_cause(x->ctx, RN_ECANCELED);
}

/* Looks out for the client's end, as far as the carrier can: only once the body was read, or can't be any more. */
static void begin_watch(struct rn_http_writer *x)
{
    if (!x->ctx || x->watch_stop || x->hijacked || !(x->body_done || x->body_error || x->carrier->watch_early))
        return;
    x->watch_stop = rn_ctx_with_cancel(NULL);
    rn_wg_go(&x->watching, watch, x);
}

void rn__http_end_watch(struct rn_http_writer *x)
{
    if (x->watch_stop) {
        rn_ctx_cancel(x->watch_stop);
        rn_wg_wait(&x->watching);
        x->watch_stop = NULL;
    }
}

rn_context *rn_http_context(const rn_http_request *r)
{
    struct rn_http_writer *x = rn__http_of(r);
    if (!x->ctx)
        x->ctx = rn_ctx_with_cancel(rn__http_server_context(x->server));
    begin_watch(x);
    return x->given ? x->given : x->ctx;
}

void rn__http_end(struct rn_http_writer *x)
{
    rn__http_end_watch(x);
    if (x->ctx)
        rn_ctx_cancel(x->ctx);
    x->ctx = NULL;
    rn__http_arena_reset(&x->arena);
}

/* ---- routes ---- */

void rn__http_redirect_path(struct rn_http_writer *x, bool slash)
{
    size_t query = strlen(x->r.query);
    char *to = rn__http_arena_get(&x->arena, 3 * x->match_path_n + query + 4);
    if (!to) {
        rn_http_error(x, 500, NULL);
        return;
    }
    size_t n = rn__http_path_encode(to, x->match_path, x->match_path_n);
    if (slash)
        to[n++] = '/';
    if (query) {
        to[n++] = '?';
        memcpy(to + n, x->r.query, query);
        n += query;
    }
    to[n] = 0;
    rn_http_redirect(x, &x->r, to, 307);
}

static void call_route(struct rn_http_writer *x, const rn_http_mux *m)
{
    char allow[256];
    if (*x->match_path == '*') /* OPTIONS *: the server is there */
        return;
    if (!x->clean_path) {
        rn__http_redirect_path(x, false);
        return;
    }
    switch (rn__http_route(m, x->r.host, x->r.method, x->match_path, x->match_path_n, &x->match, allow, sizeof allow)) {
    case RN__HTTP_FOUND:
        x->arg = x->match.route->arg;
        x->match.route->handler(x, &x->r);
        break;
    case RN__HTTP_ADD_SLASH:
        rn__http_redirect_path(x, true);
        break;
    case RN__HTTP_NO_METHOD:
        rn_http_set_header(x, "Allow", allow);
        rn_http_error(x, 405, NULL);
        break;
    case RN__HTTP_NO_ROUTE:
        rn_http_error(x, 404, NULL);
        break;
    }
}

static void call_handler(struct rn_http_writer *x)
{
    const rn_http_options *o = rn__http_server_options(x->server);
    if (!o->handler) {
        call_route(x, o->mux);
        return;
    }
    x->arg = o->arg;
    o->handler(x, &x->r);
}

/* What is the outer handler's own while one of a mux runs within it. */
struct outer {
    struct rn_http_writer *x;
    void *arg;
    rn_context *given;
};

static void come_back(struct outer *o)
{
    o->x->arg = o->arg;
    o->x->given = o->given;
}

void rn_http_mux_serve_ctx(rn_context *ctx, rn_http_mux *m, rn_http_writer *w, const rn_http_request *r)
{
    struct outer o = {rn__http_of(r), w->arg, w->given};
    defer(come_back, &o);
    w->given = ctx ? ctx : w->given;
    call_route(w, m);
}

void rn_http_mux_serve(rn_http_mux *m, rn_http_writer *w, const rn_http_request *r)
{
    rn_http_mux_serve_ctx(NULL, m, w, r);
}

/* ---- panics ---- */

struct guard {
    struct rn_http_writer *x;
    bool panicked, returned;
};

/* A handler's panic ends here. */
static void recover(struct guard *g)
{
    const char *text = g->returned ? NULL : rn_recover();
    if (!text)
        return;
    const rn_http_request *r = &g->x->r;
    g->panicked = true;
    rn__panic_tell((const char *const[]){"http: panic serving ", rn_http_remote(r), ": ", text, " (", r->method, " ",
                                         r->target, ")", NULL});
}

static void call_guarded(struct guard *g)
{
    defer(recover, g);
    call_handler(g->x);
    g->returned = true;
}

/* What the reading of the body found wrong is the response, unless the handler has set a status since. */
static void settle_body_error(struct rn_http_writer *x)
{
    if (x->body_status && !x->head_sent)
        rn_http_error(x, x->status, NULL);
}

bool rn__http_run(struct rn_http_writer *x)
{
    struct guard g = {.x = x};
    call_guarded(&g);
    rn__http_end_watch(x);
    if (g.panicked) {
        x->close = true;
        if (!x->head_sent && !x->error && !x->hijacked) {
            x->n_out = 0;
            rn_http_error(x, 500, NULL);
        } else {
            x->error = x->error ? x->error : RN_EPANIC;
        }
    }
    settle_body_error(x);
    rn__http_finish(x);
    if (rn__http_server_options(x->server)->access_log)
        rn__http_log(x);
    return g.panicked;
}
