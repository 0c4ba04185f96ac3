/* A connection: waits for requests of HTTP/1, one after the other, and has each answered.
 *
 * What always holds: a connection that waits for a request holds no buffer, only its record and the page of
 * its goroutine's stack; the buffers come with the first byte (from a pool) and go when nothing is left to do.  While
 * its state is ACTIVE nobody but its goroutine closes it, but for rn_http_close.
 *
 * Rejected: reading the head into a buffer that waits with the connection (8 KiB each for ten thousand idle ones), and a
 * state machine with callbacks (handlers would not be able to block).
 */
#define _GNU_SOURCE 1
#include "http/conn.h"
#include "base/alloc.h"
#include "net/fd.h"
#include <errno.h>
#include <string.h>

/* ---- buffers ---- */

static void *new_buffers(void)
{
    return rn__malloc(sizeof(struct rn__http_buffers));
}

/* Those that were given back; the others are with the work that has them. */
static rn_pool spare = RN_POOL_INIT(new_buffers, rn__free);

static void *new_work(void)
{
    struct rn__http_work *w = rn__malloc(sizeof *w);
    if (!w || !(w->buffers = rn_pool_get(&spare))) {
        rn__free(w);
        return NULL;
    }
    w->in = w->buffers->in;
    w->in_size = sizeof w->buffers->in;
    w->date_until = 0;
    w->date_second = -1;
    w->x.watching = (rn_waitgroup){0};
    return w;
}

static void free_work(void *p)
{
    struct rn__http_work *w = p;
    rn__free(w->buffers);
    rn__free(w);
}

static rn_pool works = RN_POOL_INIT(new_work, free_work);

void rn__http_conn_drain_pool(void)
{
    rn_pool_drain(&works);
    rn_pool_drain(&spare);
}

static bool take_work(struct rn__http_conn *c)
{
    struct rn__http_work *w = rn_pool_get(&works);
    if (!w)
        return false;
    w->conn = c;
    w->pos = w->len = w->head_n = w->out_n = 0;
    w->ended = false;
    w->x.carrier = &rn__http1;
    w->x.conn = c;
    w->x.server = c->server;
    w->x.body = w->buffers->body;
    rn__http_arena_init(&w->x.arena, w->arena, sizeof w->arena);
    c->work = w;
    return true;
}

/* The buffer of a longer head is not kept. */
static void shrink_in(struct rn__http_work *w)
{
    if (w->in != w->buffers->in)
        rn__free(w->in);
    w->in = w->buffers->in;
    w->in_size = sizeof w->buffers->in;
}

void rn__http_conn_give_work(struct rn__http_conn *c)
{
    struct rn__http_work *w = c->work;
    c->work = NULL;
    if (w && w->buffers) {
        shrink_in(w);
        rn_pool_put(&works, w);
    } else {
        rn__free(w);
    }
}

void rn__http_conn_give_buffers(struct rn__http_work *w)
{
    if (!w->portable)
        return;
    shrink_in(w);
    rn_pool_put(&spare, w->buffers);
    w->buffers = NULL;
    w->x.body = w->in = NULL;
    w->in_size = w->pos = w->len = w->head_n = 0;
}

/* Room for a longer head; false at the limit, or when there is no memory. */
static bool grow(struct rn__http_work *w, size_t most)
{
    if (w->in_size >= most + RN__CHUNK_LINE)
        return false;
    size_t size = 2 * w->in_size < most ? 2 * w->in_size : most + RN__CHUNK_LINE;
    char *more = rn__malloc(size);
    if (!more)
        return false;
    memcpy(more, w->in, w->len);
    if (w->in != w->buffers->in)
        rn__free(w->in);
    w->in = more;
    w->in_size = size;
    return true;
}

/* ---- deadlines ---- */

void rn__http_conn_read_deadline(struct rn__http_conn *c, rn_time when)
{
    rn_net_set_read_deadline(c->stream.c, when);
}

/* For n bytes that are about to be written. */
static rn_time write_deadline(struct rn__http_conn *c, size_t n)
{
    const rn_http_options *o = rn__http_server_options(c->server);
    return rn__deadline(rn__http_grace(c->server, o->write_timeout, (int64_t)n));
}

void rn__http_conn_write_deadline(struct rn__http_conn *c, size_t n)
{
    rn_net_set_write_deadline(c->stream.c, write_deadline(c, n));
}

ptrdiff_t rn__http_conn_write(struct rn__http_conn *c, const void *data, size_t n)
{
    if (!c->stream.tls)
        return rn__net_write_by(c->stream.c, data, n, write_deadline(c, n));
    rn__http_conn_write_deadline(c, n);
    return rn__stream_write(&c->stream, data, n);
}

void rn__http_conn_first_chance(struct rn__http_conn *c)
{
    rn__http_conn_read_deadline(c, rn_time_add(rn_now(), RN_SECOND / 2));
}

char *rn__http_conn_remote(struct rn__http_conn *c, struct rn__http_arena *a)
{
    rn_addr addr;
    char *text = rn__http_arena_get(a, RN_ADDR_TEXT);
    rn_net_remote_addr(c->stream.c, &addr);
    if (text)
        rn_addr_format(&addr, text);
    return text;
}

/* ---- the head of a request ---- */

/* LINGER: something was sent that the client should see before the end.  NOTHING: no request has begun. */
enum outcome { GO_ON, END, LINGER, NOTHING };

static enum outcome refuse(struct rn__http_work *w, int status)
{
    rn__http1_refuse(w, status);
    return LINGER;
}

/* The whole head is there.  A body is framed behind it in the buffer (h1.c), which needs room for the longest line of a
 * chunk, also behind a head that has just filled it. */
static enum outcome end_head(struct rn__http_work *w, size_t n, size_t most)
{
    w->head_n = n;
    if (n > most)
        return refuse(w, 431);
    if (w->in_size - n < RN__CHUNK_LINE && !grow(w, most))
        return refuse(w, 503);
    return GO_ON;
}

/* Empty lines before a request mean nothing (RFC 9112, 2.2; old clients send one behind a body): they are taken away, so that a
 * connection on which nothing else has come is an idle one. */
static void skip_empty_lines(struct rn__http_work *w)
{
    size_t n = 0;
    while (n + 2 <= w->len && w->in[n] == '\r' && w->in[n + 1] == '\n')
        n += 2;
    memmove(w->in, w->in + n, w->len -= n);
}

/* Reads until the whole head is there. */
static enum outcome read_head(struct rn__http_work *w)
{
    const rn_http_options *o = rn__http_server_options(w->conn->server);
    size_t seen = 0;
    rn_time deadline = 0;
    for (;;) {
        ptrdiff_t n = rn__http_head_end(w->in, w->len, &seen);
        if (n < 0)
            return refuse(w, (int)-n);
        if (n == 2) {
            skip_empty_lines(w);
            if (!w->len)
                return NOTHING;
            seen = 0;
            continue;
        }
        if (n > 0)
            return end_head(w, (size_t)n, o->max_header_bytes);
        if (w->len >= o->max_header_bytes || (w->len == w->in_size && !grow(w, o->max_header_bytes)))
            return refuse(w, memchr(w->in, '\n', w->len) ? 431 : 414);
        if (w->len && !deadline) {
            deadline = rn_time_add(rn_now(), o->header_timeout);
            rn__http_conn_read_deadline(w->conn, deadline);
        }
        ptrdiff_t got = w->ended ? 0 : rn__http1_fill(w);
        if (got == RN_ETIMEOUT && w->len)
            return refuse(w, 408);
        if (got <= 0)
            return END;
    }
}

/* A head that may turn the connection into something else is put where it can stay while the buffers go.  Where there is no
 * memory for that they stay, too. */
static void make_portable(struct rn__http_work *w, struct rn__http_head *h)
{
    struct rn__http_arena *a = &w->x.arena;
    struct rn__http_field *fields = rn__http_arena_get(a, h->n_fields * sizeof *fields);
    char *text = rn__http_arena_copy(a, w->in, w->head_n);
    w->portable = fields && text;
    if (!w->portable)
        return;
    for (size_t i = 0; i < h->n_fields; i++) {
        fields[i] = h->fields[i];
        fields[i].name = text + (fields[i].name - w->in);
        fields[i].value = text + (fields[i].value - w->in);
    }
    h->fields = fields;
    h->method = text + (h->method - w->in);
    h->target = text + (h->target - w->in);
    h->host = h->host ? text + (h->host - w->in) : NULL;
}

/* Fills in the request from its head.  0 or the status to refuse it with. */
static int take_head(struct rn__http_work *w)
{
    const rn_http_options *o = rn__http_server_options(w->conn->server);
    struct rn_http_writer *x = &w->x;
    struct rn__http_head h = {.fields = w->buffers->fields, .room = o->max_headers};
    rn__http_begin(x);
    if (h.room > RN__HTTP_FIELDS && !(h.fields = rn__http_arena_get(&x->arena, h.room * sizeof *h.fields)))
        return 503;
    int status = rn__http_parse_head(w->in, w->head_n, &h);
    if (status)
        return status;
    w->portable = false;
    if (h.flags & RN__HTTP_UPGRADE)
        make_portable(w, &h);
    w->pos = w->head_n;
    w->chunked = (struct rn__http_chunked){0};
    x->fields = h.fields;
    x->n_fields = h.n_fields;
    x->r.method = h.method;
    x->r.host = h.host ? h.host : "";
    x->r.version = h.version;
    x->r.tls = w->conn->stream.tls != NULL;
    x->body_left = h.flags & RN__HTTP_CHUNKED ? -1 : h.length > 0 ? h.length : 0;
    x->r.content_length = x->body_left;
    x->body_done = x->body_left == 0;
    x->expects_continue = h.flags & RN__HTTP_CONTINUE && !x->body_done;
    w->upgrade = h.flags & RN__HTTP_UPGRADE && h.flags & RN__HTTP_H2C && x->body_done && h.version == 11 && !x->r.tls &&
                 !o->no_http2 && rn__http2_can_upgrade(x);
    x->close = h.flags & RN__HTTP_CLOSE || (h.version == 10 && !(h.flags & RN__HTTP_KEEP_ALIVE));
    return rn__http_take_target(x, h.target, h.target_n);
}

/* ---- one request ---- */

/* Reads what the handler left of the body; false when that is too much. */
static bool drain_body(struct rn_http_writer *x)
{
    enum { MOST = 256 << 10 };
    char rest[2048];
    int64_t most = x->body_total + MOST;
    while (!x->body_done && x->body_total < most)
        if (rn__http_read_body(x, rest, sizeof rest) < 0)
            return false;
    return x->body_done;
}

/* The request goes on as the first stream of HTTP/2. */
static void upgrade(struct rn__http_work *w)
{
    static const char yes[] = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
    struct rn__http_conn *c = w->conn;
    if (rn__http1_flush(w) == 0 && rn__stream_write(&c->stream, yes, sizeof yes - 1) > 0)
        rn__http2_serve(c, w->in + w->pos, w->len - w->pos, &w->x);
    if (c->work)
        rn__http_end(&w->x);
}

/* The response is not whole.  Where its end would have been that of the connection (HTTP/1.0) only a reset tells. */
static void break_off(struct rn__http_work *w)
{
    const struct rn_http_writer *x = &w->x;
    w->conn->broken = true;
    if (x->head_sent && !x->hijacked && !x->no_body && !x->chunked && x->declared < 0)
        rn_net_set_linger(w->conn->stream.c, 0);
}

static enum outcome serve_request(struct rn__http_work *w)
{
    struct rn_http_writer *x = &w->x;
    int status = take_head(w);
    if (status) {
        rn__http_end(x);
        return refuse(w, status);
    }
    if (w->upgrade) {
        upgrade(w);
        return END;
    }
    bool panicked = rn__http_run(x);
    enum outcome out = GO_ON;
    if (panicked || x->error)
        break_off(w);
    if (w->conn->broken || (x->hijacked && rn__http_server_draining(x->server)))
        out = END;
    else if (x->hijacked)
        out = LINGER; /* its last frame says why */
    else if (x->close || x->expects_continue)
        out = x->body_done && !x->body_error && w->pos == w->len ? END : LINGER;
    else if (!drain_body(x) || x->leaves_body)
        out = x->body_done && w->pos == w->len ? END : LINGER;
    rn__http_end(x);
    w->len -= w->pos;
    if (w->len)
        memmove(w->in, w->in + w->pos, w->len);
    w->pos = w->head_n = 0;
    return out;
}

/* Whether what has come so far could be the beginning of HTTP/2. */
static bool begins_http2(const struct rn__http_work *w)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\n";
    return w->head_n == sizeof preface - 1 && memcmp(w->in, preface, w->head_n) == 0;
}

/* More requests, without waiting for them: true when something has come. */
static bool more_has_come(struct rn__http_work *w)
{
    if (w->conn->stream.tls || rn__http1_flush(w) < 0)
        return false;
    ptrdiff_t got = rn__net_read_early(w->conn->stream.c, w->in, w->in_size);
    if (got > 0)
        w->len = (size_t)got;
    return got > 0;
}

/* Reads the bytes that were waited for; false: there are none, or no memory. */
static bool take_first_bytes(struct rn__http_conn *c)
{
    bool room = take_work(c);
    if (c->stream.tls)
        return room;
    if (!room) {
        rn__net_turn_end(c->stream.c);
        return false;
    }
    ptrdiff_t got = rn__net_turn_read(c->stream.c, c->work->in, c->work->in_size);
    c->work->len = got > 0 ? (size_t)got : 0;
    if (got <= 0)
        rn__http_conn_give_work(c);
    return got > 0;
}

/* All requests that have arrived.  The work block is taken, and given back; by HTTP/2 before it waits for frames. */
static __attribute__((noinline)) enum outcome serve_arrived(struct rn__http_conn *c)
{
    if (!take_first_bytes(c))
        return END;
    struct rn__http_work *w = c->work;
    enum outcome out;
    do {
        out = read_head(w);
        /* relaxed, both: its own */
        if (out == GO_ON && !rn_load_relaxed(&c->served) && begins_http2(w) &&
            !rn__http_server_options(c->server)->no_http2) {
            rn__http2_serve(c, w->in, w->len, NULL);
            out = END;
        } else if (out == GO_ON) {
            rn_store_relaxed(&c->served, true);
            c->idle_until = 0;
            out = serve_request(w);
        }
        if (out == NOTHING)
            out = GO_ON;
    } while (out == GO_ON && (w->len > 0 || w->ended || more_has_come(w)));
    if (c->work && rn__http1_flush(w) < 0)
        out = END;
    rn__http_conn_give_work(c);
    return out;
}

/* The response must arrive before the end does: a connection that is closed with unread bytes is reset, and
 * what was sent may be lost.  So the client is told that nothing follows, and what it still sends is thrown away, for a
 * while; however much it is: who reads only after writing, or looks for no answer once a write has failed, would miss it. */
__attribute__((noinline)) void rn__http_conn_linger(struct rn__http_conn *c)
{
    char rest[4096];
    rn__stream_close_write(&c->stream);
    rn_net_set_deadline(c->stream.c, rn_time_add(rn_now(), RN__HTTP_PARTING * RN_SECOND));
    while (rn_net_read(c->stream.c, rest, sizeof rest) > 0)
        ;
}

/* ---- the connection ---- */

bool rn__http_conn_become(struct rn__http_conn *c, uint32_t from, uint32_t to)
{
    /* seq_cst: going idle and then looking whether the server drains, against the server's saying so and then looking for idle
     * ones (server.c). */
    return rn_cas_seq_cst(&c->state, &from, to);
}

/* The deadline for the first bytes was set.  Whether to wait for them: who drains the server says so before it sets a
 * deadline, or closes what is idle. */
static bool may_wait(struct rn__http_conn *c)
{
    if (!rn__http_server_draining(c->server))
        return true;
    if (rn_load_relaxed(&c->served)) /* relaxed: its own */
        return rn__net_has_come(c->stream.c);
    rn__http_conn_first_chance(c);
    return true;
}

static bool become_active(struct rn__http_conn *c)
{
    return rn__http_conn_become(c, RN__HTTP_IDLE, RN__HTTP_ACTIVE);
}

/* Waits for the first bytes of a request.  Where there is no TLS it is the connection's turn to read then. */
static bool wait_for_request(struct rn__http_conn *c)
{
    if (!c->idle_until) /* empty lines do not prolong it */
        c->idle_until = rn__deadline(rn__http_server_options(c->server)->idle_timeout);
    rn_time until = c->idle_until;
    rn_conn *s = c->stream.c;
    if (c->stream.tls) {
        if (!rn__tls_pending(c->stream.tls)) {
            rn__http_conn_read_deadline(c, until);
            if (!may_wait(c) || rn_net_wait_read(s) < 0)
                return false;
        }
        return become_active(c);
    }
    if (rn__net_turn(s, until) < 0)
        return false;
    if (may_wait(c) && rn__net_turn_wait(s) == 0 && become_active(c))
        return true;
    rn__net_turn_end(s);
    return false;
}

/* To who speaks plainly where TLS is spoken. */
static enum outcome refuse_plain(struct rn__http_conn *c)
{
    static const char text[] = "HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
                               "An HTTP request came where HTTPS is spoken.\n";
    return rn_net_write(c->stream.c, text, sizeof text - 1) < 0 ? END : LINGER;
}

/* Agrees on TLS and what it carries. */
static __attribute__((noinline)) enum outcome secure(struct rn__http_conn *c, bool *h2)
{
    struct rn__tls_context *t = rn__http_server_tls(c->server);
    if (!t)
        return GO_ON;
    rn_net_set_deadline(c->stream.c, rn_time_add(rn_now(), rn__http_server_options(c->server)->header_timeout));
    if (rn__http_server_draining(c->server)) /* as in wait_for_request */
        rn__http_conn_first_chance(c);
    int err = rn_net_wait_read(c->stream.c);
    if (!err)
        err = rn__tls_accept(&c->stream, t, h2);
    if (err)
        return err == RN_EINVAL ? refuse_plain(c) : END;
    rn_net_set_deadline(c->stream.c, 0);
    return GO_ON;
}

static void end_connection(struct rn__http_conn *c)
{
    if (c->work) /* a handler has left by rn_exit_goroutine */
        break_off(c->work);
    rn__http_conn_give_work(c);
    rn__stream_end(&c->stream, !c->broken);
    rn__http_server_forget(c);
}

void rn__http_conn_main(struct rn__http_conn *c)
{
    defer(end_connection, c); /* also when a handler leaves by rn_exit_goroutine */
    bool h2 = false;
    enum outcome out = secure(c, &h2);
    if (out == GO_ON && h2) {
        if (rn__http_conn_become(c, RN__HTTP_IDLE, RN__HTTP_ACTIVE))
            rn__http2_serve(c, NULL, 0, NULL);
        return;
    }
    while (out == GO_ON && wait_for_request(c)) {
        out = serve_arrived(c);
        if (out == GO_ON && !rn__http_conn_become(c, RN__HTTP_ACTIVE, RN__HTTP_IDLE))
            return;
    }
    if (out == LINGER)
        rn__http_conn_linger(c);
}
