/* A stream of HTTP/2 as an exchange; see h2.h.
 *
 * A handler that writes hands its bytes to the session as they are (left[]) and waits until the session has taken all of
 * them, which it does as far as the client's windows let it: what a slow client does not take is never copied. */
#define _GNU_SOURCE 1
#include "base/alloc.h"
#include "http/h2.h"
#include <inttypes.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct rn__http2_stream *stream_of(struct rn_http_writer *x)
{
    return (struct rn__http2_stream *)(void *)x;
}

/* ---- life ---- */

struct rn__http2_stream *rn__http2_stream_make(struct rn__http2 *h, int32_t id)
{
    struct rn__http2_stream *st = rn__malloc(sizeof *st);
    if (!st)
        return NULL;
    memset(st, 0, offsetof(struct rn__http2_stream, arena));
    st->h = h;
    st->id = id;
    struct rn_http_writer *x = &st->x;
    x->carrier = &rn__http2;
    x->conn = h->c;
    x->server = h->c->server;
    x->body = st->body;
    rn__http_arena_init(&x->arena, st->arena, sizeof st->arena);
    rn__http_arena_init(&st->trailer_arena, st->arena, 0);
    rn__http_begin(x);
    x->r.version = 20;
    x->r.tls = h->c->stream.tls != NULL;
    x->r.method = "";
    x->r.content_length = x->body_left = -1;
    st->fields_room = rn__http_server_options(x->server)->max_headers;
    rn_list_push(&h->streams, &st->node);
    return st;
}

void rn__http2_stream_free(struct rn__http2_stream *st)
{
    rn_list_remove(&st->h->streams, &st->node);
    rn__http_end(&st->x);
    rn__http_arena_reset(&st->trailer_arena);
    rn_cond_destroy(&st->changed);
    rn__free(st->in);
    rn__free(st);
}

/* ---- the request ---- */

static bool named(const uint8_t *name, size_t n, const char *what)
{
    return n == strlen(what) && memcmp(name, what, n) == 0;
}

/* Room for one more; the array grows with the arena. */
static struct rn__http_field *new_field(struct rn__http_arena *a, struct rn__http_field **fields, size_t *n,
                                        size_t most)
{
    if (*n >= most)
        return NULL;
    if ((*n & (*n - 1)) == 0) { /* 0, 1, 2, 4, 8 …: full */
        struct rn__http_field *more = rn__http_arena_get(a, (*n ? 2 * *n : 1) * sizeof *more);
        if (!more)
            return NULL;
        if (*n)
            memcpy(more, *fields, *n * sizeof *more);
        *fields = more;
    }
    return &(*fields)[(*n)++];
}

static void pseudo(struct rn__http2_stream *st, const uint8_t *name, size_t name_n, const char *value)
{
    struct rn_http_writer *x = &st->x;
    if (named(name, name_n, ":method"))
        x->r.method = value;
    else if (named(name, name_n, ":path"))
        x->r.target = value;
    else if (named(name, name_n, ":authority"))
        x->r.host = value;
}

/* Adds a field; 0 or the status that says why not. */
static int add_field(struct rn__http2_stream *st, const uint8_t *name, size_t name_n, const uint8_t *value,
                     size_t value_n)
{
    struct rn_http_writer *x = &st->x;
    struct rn__http_arena *a = st->in_trailers ? &st->trailer_arena : &x->arena;
    if (st->head_bytes > rn__http_server_options(x->server)->max_header_bytes)
        return 431;
    if (!rn__http_is_value((const char *)value, value_n))
        return 400;
    char *value_copy = rn__http_arena_copy(a, (const char *)value, value_n);
    char *name_copy = value_copy ? rn__http_arena_copy(a, (const char *)name, name_n) : NULL;
    if (!name_copy)
        return 503;
    if (*name_copy == ':') {
        pseudo(st, name, name_n, value_copy);
        return 0;
    }
    struct rn__http_field *f = st->in_trailers ? new_field(a, &x->trailers, &x->n_trailers, st->fields_room)
                                               : new_field(a, &x->fields, &x->n_fields, st->fields_room);
    if (!f)
        return 431;
    *f = (struct rn__http_field){name_copy, value_copy, (uint32_t)name_n, (uint32_t)value_n};
    return 0;
}

bool rn__http2_stream_field(struct rn__http2_stream *st, const uint8_t *name, size_t name_n, const uint8_t *value,
                            size_t value_n)
{
    st->head_bytes += name_n + value_n + 32;
    if (st->in_trailers)
        st->bad_trailers |= !st->bad_trailers && add_field(st, name, name_n, value, value_n) != 0;
    else if (!st->refuse)
        st->refuse = add_field(st, name, name_n, value, value_n);
    return st->head_bytes / 4 <= rn__http_server_options(st->x.server)->max_header_bytes;
}

bool rn__http2_stream_data(struct rn__http2_stream *st, const uint8_t *data, size_t n)
{
    if (st->in_from + st->in_n + n > st->in_size) {
        if (st->in_n)
            memmove(st->in, st->in + st->in_from, st->in_n);
        st->in_from = 0;
    }
    if (st->in_n + n > st->in_size) {
        size_t size = st->in_n + n < 4096 ? 4096 : 2 * (st->in_n + n);
        char *more = rn__realloc(st->in, size);
        if (!more)
            return false;
        st->in = more;
        st->in_size = size;
    }
    memcpy(st->in + st->in_from + st->in_n, data, n);
    st->in_n += n;
    rn_cond_broadcast(&st->changed);
    return true;
}

/* A client may send its cookies in pieces; for a handler they are one header (RFC 9113, 8.2.3).  False: no memory. */
static bool join_cookies(struct rn_http_writer *x)
{
    size_t sum = 0, n = 0, kept = 0;
    for (size_t i = 0; i < x->n_fields; i++)
        if (named((const uint8_t *)x->fields[i].name, x->fields[i].name_n, "cookie")) {
            sum += x->fields[i].value_n + 2;
            n++;
        }
    char *all = n > 1 ? rn__http_arena_get(&x->arena, sum + 1) : NULL, *to = all;
    struct rn__http_field *first = NULL;
    if (!all)
        return n <= 1;
    for (size_t i = 0; i < x->n_fields; i++) {
        struct rn__http_field f = x->fields[i];
        bool is_cookie = named((const uint8_t *)f.name, f.name_n, "cookie");
        if (is_cookie) {
            to = mempcpy(first ? mempcpy(to, "; ", 2) : to, f.value, f.value_n);
            if (first)
                continue;
            first = &x->fields[kept];
        }
        x->fields[kept++] = f;
    }
    *to = 0;
    first->value = all;
    first->value_n = (uint32_t)(to - all);
    x->n_fields = kept;
    return true;
}

/* Fills in what a head has beside its fields; the status to refuse it with, or 0. */
static int complete_request(struct rn__http2_stream *st)
{
    struct rn_http_writer *x = &st->x;
    const char *length = rn_http_request_header(&x->r, "content-length"), *host;
    if (st->refuse)
        return st->refuse;
    if (!join_cookies(x))
        return 503;
    if (!*x->r.method || !x->r.target || strcmp(x->r.method, "CONNECT") == 0)
        return *x->r.method && strcmp(x->r.method, "CONNECT") == 0 ? 501 : 400;
    if ((host = rn_http_request_header(&x->r, "host")) != NULL) {
        if (*x->r.host && strcasecmp(x->r.host, host) != 0)
            return 400; /* two programs in a row could take it for two different ones */
        x->r.host = host;
    }
    if (!*x->r.host || !rn__http_is_host(x->r.host, strlen(x->r.host)))
        return 400;
    for (const char *s = x->r.target; *s; s++)
        if (*s <= ' ' || *s == '#' || *s == 0x7f || *s & 0x80)
            return 400;
    if (length) /* nghttp2 has checked it */
        sscanf(length, "%" SCNd64, &x->r.content_length);
    if (st->in_end) {
        x->r.content_length = 0;
        x->body_done = true;
    }
    x->expects_continue = !x->body_done && rn_http_request_header(&x->r, "expect");
    return rn__http_take_target(x, x->r.target, strlen(x->r.target));
}

/* ---- the handler's goroutine ---- */

/* After the handler: what is not whole is broken off. */
static void wind_up(struct rn__http2_stream *st, bool broken)
{
    struct rn__http2 *h = st->h;
    if (!st->closed && broken)
        nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, st->id, NGHTTP2_INTERNAL_ERROR);
    else if (!st->closed && !st->in_end) /* the rest of the body is of no interest */
        nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, st->id, NGHTTP2_NO_ERROR);
}

/* The last handler has ended: the connection is idle, or at its end. */
static void go_idle(struct rn__http2 *h)
{
    rn_duration idle = rn__http_server_options(h->c->server)->idle_timeout;
    rn__http2_read_until(h, h->going ? RN__HTTP_NOW : rn_time_add(rn_now(), idle));
}

static void end_handler(struct rn__http2_stream *st)
{
    struct rn__http2 *h = st->h;
    rn_mutex_lock(&h->lock);
    wind_up(st, st->x.error != 0 || !st->x.finished);
    h->abandoned -= st->abandoned;
    if (--h->running == 0)
        go_idle(h);
    st->handled = true;
    if (st->closed)
        rn__http2_stream_free(st);
    rn_mutex_unlock(&h->lock);
    rn__http2_pump(h);
    rn_wg_done(&h->handlers);
}

static void handle(struct rn__http2_stream *st)
{
    defer(end_handler, st); /* also when the handler leaves by rn_exit_goroutine */
    if (st->refuse) {
        rn_http_error(&st->x, st->refuse, NULL);
        rn__http_finish(&st->x);
    } else {
        rn__http_run(&st->x);
    }
}

void rn__http2_stream_start(struct rn__http2_stream *st)
{
    struct rn__http2 *h = st->h;
    st->refuse = complete_request(st);
    st->started = true;
    if (h->running++ == 0)
        rn__http2_read_until(h, 0);
    rn_wg_add(&h->handlers, 1);
    if (rn_go_try(handle, st) == 0)
        return;
    h->running--;
    st->handled = true;
    rn_wg_done(&h->handlers);
    nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, st->id, NGHTTP2_REFUSED_STREAM);
}

/* ---- carrying ---- */

/* Waits for a change until the deadline, with the lock: 0 or an error. */
static int wait_change(struct rn__http2_stream *st, rn_time deadline)
{
    rn_context *limit = rn__http_make_context(NULL, deadline); /* a panic would leave the lock behind */
    if (!limit)
        return RN_ENOMEM;
    int err = rn_cond_wait_ctx(limit, &st->changed, &st->h->lock);
    rn_ctx_cancel(limit);
    return err;
}

static ptrdiff_t h2_read(struct rn_http_writer *x, void *buffer, size_t n, rn_time deadline)
{
    struct rn__http2_stream *st = stream_of(x);
    struct rn__http2 *h = st->h;
    ptrdiff_t got = 0;
    rn_mutex_lock(&h->lock);
    while (!st->in_n && !st->in_end && !st->closed && !h->dead && got == 0)
        got = wait_change(st, deadline);
    if (st->in_n) {
        got = (ptrdiff_t)(n < st->in_n ? n : st->in_n);
        memcpy(buffer, st->in + st->in_from, (size_t)got);
        st->in_from += (size_t)got;
        st->in_n -= (size_t)got;
        if (!st->closed)
            nghttp2_session_consume_stream(h->session, st->id, (size_t)got);
    } else if (got == 0 && !st->in_end) {
        got = -ECONNRESET;
    } else if (got == 0 && st->bad_trailers) {
        got = RN_EINVAL; /* its trailers */
    }
    bool talk = nghttp2_session_want_write(h->session);
    rn_mutex_unlock(&h->lock);
    if (talk)
        rn__http2_pump(h);
    return got;
}

/* nghttp2 wants up to n bytes to send. */
static ssize_t give_data(nghttp2_session *session, int32_t id, uint8_t *to, size_t n, uint32_t *flags,
                         nghttp2_data_source *source, void *unused)
{
    struct rn__http2_stream *st = source->ptr;
    size_t done = 0;
    (void)id, (void)unused, (void)session;
    for (int i = 0; i < 2; i++) {
        size_t piece = st->left[i].n < n - done ? st->left[i].n : n - done;
        if (!piece)
            continue;
        memcpy(to + done, st->left[i].at, piece);
        st->left[i].at += piece;
        st->left[i].n -= piece;
        done += piece;
    }
    if (st->left[0].n + st->left[1].n == 0) {
        rn_cond_broadcast(&st->changed);
        if (!st->last)
            return done ? (ssize_t)done : NGHTTP2_ERR_DEFERRED;
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (rn_http_get_header(&st->x, "Trailer"))
            *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM; /* they are submitted after this */
    }
    return (ssize_t)done;
}

static bool of_connection(const struct rn__http_out *o)
{
    static const char *const names[] = {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (o->name_n == strlen(names[i]) && strncasecmp(o->name, names[i], o->name_n) == 0)
            return true;
    return false;
}

static void set_nv(nghttp2_nv *nv, const char *name, size_t name_n, const char *value, size_t value_n)
{
    *nv = (nghttp2_nv){(uint8_t *)name, (uint8_t *)value, name_n, value_n, NGHTTP2_NV_FLAG_NONE};
}

enum which { HEAD, NONE, TRAILERS };

static bool is_wanted(const struct rn_http_writer *x, const struct rn__http_out *o, enum which which)
{
    if (!o->name_n || which == NONE || of_connection(o))
        return false;
    bool is_trailer = !x->no_body && rn__http_lists(x, "Trailer", o->name);
    return is_trailer == (which == TRAILERS);
}

/* The response's headers, in the arena; with which status, date and length.  NULL: no memory. */
static nghttp2_nv *fields_of(struct rn_http_writer *x, int status, enum which which, size_t *n)
{
    nghttp2_nv *nv = rn__http_arena_get(&x->arena, (x->n_out + 3) * sizeof *nv);
    char *text = rn__http_arena_get(&x->arena, 96);
    if (!nv || !text)
        return NULL;
    *n = 0;
    if (status) {
        snprintf(text, 8, "%d", status);
        set_nv(&nv[(*n)++], ":status", 7, text, strlen(text));
    }
    if (status >= 200 && !rn_http_get_header(x, "Date")) {
        rn__http_date(text + 8, rn__http_wall());
        set_nv(&nv[(*n)++], "date", 4, text + 8, RN__HTTP_DATE - 1);
    }
    if (status >= 200 && x->declared >= 0) {
        snprintf(text + 48, 32, "%lld", (long long)x->declared);
        set_nv(&nv[(*n)++], "content-length", 14, text + 48, strlen(text + 48));
    }
    for (size_t i = 0; i < x->n_out; i++) {
        const struct rn__http_out *o = &x->out[i];
        if (is_wanted(x, o, which))
            set_nv(&nv[(*n)++], o->name, o->name_n, o->value, o->value_n);
    }
    return nv;
}

/* With the lock. */
static int submit_head(struct rn__http2_stream *st, size_t body, bool last)
{
    struct rn_http_writer *x = &st->x;
    size_t n;
    rn__http_complete_head(x, body, last);
    nghttp2_nv *nv = fields_of(x, x->status, HEAD, &n);
    if (!nv)
        return RN_ENOMEM;
    nghttp2_data_provider source = {.source.ptr = st, .read_callback = give_data};
    bool empty = x->no_body || (last && body == 0 && !rn_http_get_header(x, "Trailer"));
    int err = nghttp2_submit_response(st->h->session, st->id, nv, n, empty ? NULL : &source);
    return err == 0 ? 0 : err == NGHTTP2_ERR_NOMEM ? RN_ENOMEM : -ECONNRESET;
}

/* Gives the body's pieces to the session.  With the lock. */
static int submit(struct rn__http2_stream *st, const void *data, size_t n, bool last)
{
    struct rn_http_writer *x = &st->x;
    int err = 0;
    bool first = !x->head_sent;
    if (st->closed || st->h->dead)
        return -ECONNRESET;
    if (first)
        err = submit_head(st, x->body_n + n, last);
    st->last = last;
    if (err || x->no_body)
        return err;
    st->left[0].at = x->body;
    st->left[0].n = x->body_n;
    st->left[1].at = data;
    st->left[1].n = n;
    if (!first)
        nghttp2_session_resume_data(st->h->session, st->id);
    return 0;
}

static int h2_send(struct rn_http_writer *x, const void *data, size_t n, bool last)
{
    struct rn__http2_stream *st = stream_of(x);
    struct rn__http2 *h = st->h;
    const rn_http_options *o = rn__http_server_options(x->server);
    rn_mutex_lock(&h->lock);
    int err = submit(st, data, n, last);
    rn_mutex_unlock(&h->lock);
    if (err || (err = rn__http2_pump(h)) != 0)
        return err;
    rn_mutex_lock(&h->lock);
    rn_time deadline = 0;
    while (!err && st->left[0].n + st->left[1].n > 0 && !st->closed && !h->dead) {
        if (!deadline)
            deadline = rn_time_add(rn_now(), rn__http_grace(x->server, o->write_timeout, (int64_t)n));
        err = wait_change(st, deadline);
    }
    if (!err && st->left[0].n + st->left[1].n > 0)
        err = -ECONNRESET;
    st->left[0].n = st->left[1].n = 0;
    st->last &= err == 0; /* what was not sent whole must not look whole */
    size_t trailers;
    if (!err && last && !st->closed && !x->no_body && rn_http_get_header(x, "Trailer")) {
        nghttp2_nv *nv = fields_of(x, 0, TRAILERS, &trailers);
        err = nv ? nghttp2_submit_trailer(h->session, st->id, nv, trailers) : RN_ENOMEM;
    }
    rn_mutex_unlock(&h->lock);
    return err; /* the trailers leave when the handler has ended */
}

static int h2_interim(struct rn_http_writer *x, int status)
{
    struct rn__http2_stream *st = stream_of(x);
    size_t n;
    rn_mutex_lock(&st->h->lock);
    nghttp2_nv *nv = fields_of(x, status, status == 103 ? HEAD : NONE, &n);
    int err = !nv ? RN_ENOMEM
              : st->closed || st->h->dead
                  ? -ECONNRESET
                  : nghttp2_submit_headers(st->h->session, NGHTTP2_FLAG_NONE, st->id, NULL, nv, n, NULL);
    rn_mutex_unlock(&st->h->lock);
    return err < 0 ? err : rn__http2_pump(st->h);
}

static bool h2_watch(struct rn_http_writer *x, rn_context *stop)
{
    struct rn__http2_stream *st = stream_of(x);
    struct rn__http2 *h = st->h;
    int err = 0;
    rn_mutex_lock(&h->lock);
    while (!err && !st->closed && !h->dead)
        err = rn_cond_wait_ctx(stop, &st->changed, &h->lock);
    bool gone = (st->closed && !x->finished) || h->dead;
    rn_mutex_unlock(&h->lock);
    return gone;
}

const struct rn__http_carrier rn__http2 = {
    .read = h2_read,
    .send = h2_send,
    .interim = h2_interim,
    .watch = h2_watch,
    .watch_early = true,
};
