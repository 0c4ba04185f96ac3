/* A connection of HTTP/2; see h2.h.
 *
 * The connection's goroutine reads and feeds the session, whose callbacks start handlers.  Whoever has given the session
 * something to say pumps it out: there is no goroutine for writing, so that a response costs no hand-over.
 *
 * Against abuse, beside nghttp2's own limits (floods of PING, SETTINGS, CONTINUATION): a stream that the client has broken off
 * counts until its handler has ended (at most twice max_streams at a time), and so many resets in a short time end the
 * connection; a body waits in at most one window per stream; header lists are bounded, and so is the time that a head takes while
 * no request is answered, for which the frames are followed here as well.  (To count all handlers that run would be wrong: one
 * whose response has left is about to end, and its client may have sent the next request already.)
 *
 * A server that is shut down ends the waiting of every connection's reading goroutine.  With handlers under way that says GOAWAY
 * and goes on reading; who has ended last ends its waiting again.  Then, as after any fault of the client's, GOAWAY is
 * said and what still comes is thrown away for a moment: closed with unread bytes the connection would be reset, and the
 * client might not see which of its requests were not taken, and can be sent again elsewhere. */
#define _GNU_SOURCE 1
#include "base/alloc.h"
#include "http/h2.h"
#include <errno.h>
#include <string.h>

enum { BUFFER = 33 << 10, FRAME = 16384 + 9, RESETS_MOST = 500, CONNECTION_WINDOW = 1 << 20 };

static void *new_buffer(void)
{
    return rn__malloc(BUFFER);
}
/* To read and to write with, for as long as that takes. */
static rn_pool buffers = RN_POOL_INIT(new_buffer, rn__free);

void rn__http2_drain_pool(void)
{
    rn_pool_drain(&buffers);
}

/* ---- writing ---- */

/* Wakes whoever waits for the client. */
static void give_up(struct rn__http2 *h)
{
    h->dead = true;
    for (struct rn_node *n = h->streams.first; n; n = n->next)
        rn_cond_broadcast(&rn_container(n, struct rn__http2_stream, node)->changed);
}

/* Nothing can be read or written any more. */
static void die(struct rn__http2 *h)
{
    give_up(h);
    rn_net_close(h->c->stream.c);
}

/* Fills the buffer with frames; how many bytes, or -1. */
static ssize_t collect(struct rn__http2 *h, char *buffer)
{
    size_t n = 0;
    rn_mutex_lock(&h->lock);
    while (n + FRAME <= BUFFER && !h->dead) {
        const uint8_t *data;
        ssize_t got = nghttp2_session_mem_send(h->session, &data);
        if (got < 0 || (size_t)got > BUFFER - n)
            die(h);
        if (got <= 0 || h->dead)
            break;
        memcpy(buffer + n, data, (size_t)got);
        n += (size_t)got;
    }
    bool dead = h->dead;
    rn_mutex_unlock(&h->lock);
    return dead ? -1 : (ssize_t)n;
}

int rn__http2_pump(struct rn__http2 *h)
{
    char *buffer = rn_pool_get(&buffers);
    ssize_t n = -1;
    rn_mutex_lock(&h->writing);
    while (buffer && (n = collect(h, buffer)) > 0) {
        if (rn__http_conn_write(h->c, buffer, (size_t)n) < 0) {
            n = -1;
            break;
        }
    }
    rn_mutex_unlock(&h->writing);
    rn_pool_put(&buffers, buffer);
    if (n == 0)
        return 0;
    rn_mutex_lock(&h->lock);
    if (!h->dead)
        die(h);
    rn_mutex_unlock(&h->lock);
    return buffer ? -ECONNRESET : RN_ENOMEM;
}

/* ---- what the session tells ---- */

static bool was_passed_over(const struct rn__http2_order *o, uint32_t id)
{
    for (uint32_t i = 0; i < RN__HTTP2_GAPS && i < o->n_gaps; i++)
        if (id >= o->gaps[i].from && id <= o->gaps[i].to)
            return true;
    return false;
}

/* Streams are opened in order: HEADERS for one that was passed over are a fault of the connection (RFC 9113, 5.1.1).  nghttp2
 * lets them pass, since it does not remember which streams there were, and trailers of one that was reset may still be on
 * their way.  So what was passed over is remembered, as far as it is not long ago. */
static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *user)
{
    struct rn__http2_order *o = &((struct rn__http2 *)user)->order;
    uint32_t id = (uint32_t)hd->stream_id;
    if (hd->type != NGHTTP2_HEADERS || id % 2 == 0) /* nghttp2 judges what is not the client's */
        return 0;
    if (id >= o->next) {
        if (id > o->next) {
            o->gaps[o->n_gaps % RN__HTTP2_GAPS].from = o->next;
            o->gaps[o->n_gaps++ % RN__HTTP2_GAPS].to = id - 2;
        }
        o->next = id + 2;
        return 0;
    }
    if (!was_passed_over(o, id))
        return 0;
    nghttp2_session_terminate_session(session, NGHTTP2_PROTOCOL_ERROR);
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

static struct rn__http2_stream *find(nghttp2_session *session, int32_t id)
{
    return nghttp2_session_get_stream_user_data(session, id);
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct rn__http2 *h = user;
    const rn_http_options *o = rn__http_server_options(h->c->server);
    int32_t id = frame->hd.stream_id;
    if (frame->hd.type != NGHTTP2_HEADERS)
        return 0;
    struct rn__http2_stream *st = find(session, id);
    if (st) {
        st->in_trailers = true;
        return 0;
    }
    if (h->abandoned >= 2 * o->max_streams) {
        nghttp2_session_terminate_session(session, NGHTTP2_ENHANCE_YOUR_CALM);
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    st = h->going ? NULL : rn__http2_stream_make(h, id);
    if (!st) {
        nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM);
        return 0;
    }
    nghttp2_session_set_stream_user_data(session, id, st);
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_n,
                     const uint8_t *value, size_t value_n, uint8_t flags, void *user)
{
    struct rn__http2_stream *st = find(session, frame->hd.stream_id);
    (void)flags, (void)user;
    /* The rest of the head is then decoded, for the table's sake, but not looked at. */
    if (st && !rn__http2_stream_field(st, name, name_n, value, value_n))
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    return 0;
}

/* A stream ended by an error, the client's word or its fault: faster than anybody has reason to, the connection ends. */
static void count_reset(struct rn__http2 *h)
{
    rn_time now = rn_now();
    if (now - h->resets_since > 30 * RN_SECOND) {
        h->resets_since = now;
        h->resets = 0;
    }
    if (++h->resets == RESETS_MOST)
        nghttp2_session_terminate_session(h->session, NGHTTP2_ENHANCE_YOUR_CALM);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct rn__http2_stream *st = find(session, frame->hd.stream_id);
    if (frame->hd.type == NGHTTP2_RST_STREAM && frame->rst_stream.error_code == NGHTTP2_NO_ERROR)
        count_reset(user); /* with any other error on_close counts it */
    if (!st || (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA))
        return 0;
    if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) {
        st->in_end = true;
        rn_cond_broadcast(&st->changed);
    }
    if (frame->hd.type == NGHTTP2_HEADERS && !st->started)
        rn__http2_stream_start(st);
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data, size_t n, void *user)
{
    struct rn__http2_stream *st = find(session, id);
    (void)flags, (void)user;
    nghttp2_session_consume_connection(session, n); /* one stream that is not read does not stop the others */
    if (!st || st->handled)
        nghttp2_session_consume_stream(session, id, n);
    else if (!rn__http2_stream_data(st, data, n))
        nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_INTERNAL_ERROR);
    return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t error, void *user)
{
    struct rn__http2 *h = user;
    struct rn__http2_stream *st = find(session, id);
    if (error != NGHTTP2_NO_ERROR && !(st && st->handled)) /* afterwards it may be the handler's fault */
        count_reset(h);
    if (!st)
        return 0;
    st->closed = true;
    st->abandoned = st->started && !st->handled && !st->last;
    h->abandoned += st->abandoned;
    rn_cond_broadcast(&st->changed);
    if (st->handled || !st->started)
        rn__http2_stream_free(st);
    return 0;
}

/* ---- the session ---- */

static void *get(size_t n, void *unused)
{
    (void)unused;
    return rn__malloc(n);
}

static void give(void *p, void *unused)
{
    (void)unused;
    rn__free(p);
}

static void *get_zeroed(size_t n, size_t size, void *unused)
{
    (void)unused;
    return rn__calloc(n, size);
}

static void *get_more(void *p, size_t n, void *unused)
{
    (void)unused;
    return rn__realloc(p, n);
}

/* nghttp2 has it since 1.57, and distributions' older ones that were mended. */
void nghttp2_option_set_stream_reset_rate_limit(nghttp2_option *options, uint64_t burst, uint64_t rate)
    __attribute__((weak));

/* By itself nghttp2 ends a connection on which the client resets 33 streams a second, after the first 1,000, also such as have
 * ended: libcurl 7.88 says of each answer of 64 KiB and more, when it has it whole, that its stream is closed.  Those that do end by it
 * count_reset counts. */
static void leave_resets_to_us(nghttp2_option *options)
{
    if (nghttp2_option_set_stream_reset_rate_limit)
        nghttp2_option_set_stream_reset_rate_limit(options, UINT32_MAX, UINT32_MAX);
}

static int new_session(struct rn__http2 *h)
{
    nghttp2_session_callbacks *calls = NULL;
    nghttp2_option *options = NULL;
    nghttp2_mem memory = {NULL, get, give, get_zeroed, get_more}; /* so that tests can let it fail; it is copied */
    int err = RN_ENOMEM;
    if (nghttp2_session_callbacks_new(&calls) == 0 && nghttp2_option_new(&options) == 0) {
        nghttp2_session_callbacks_set_on_begin_frame_callback(calls, on_begin_frame);
        nghttp2_session_callbacks_set_on_begin_headers_callback(calls, on_begin_headers);
        nghttp2_session_callbacks_set_on_header_callback(calls, on_header);
        nghttp2_session_callbacks_set_on_frame_recv_callback(calls, on_frame);
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(calls, on_data);
        nghttp2_session_callbacks_set_on_stream_close_callback(calls, on_close);
        nghttp2_option_set_no_auto_window_update(options, 1);
        leave_resets_to_us(options);
        if (nghttp2_session_server_new3(&h->session, calls, h, options, &memory) == 0)
            err = 0;
    }
    nghttp2_option_del(options);
    nghttp2_session_callbacks_del(calls);
    return err;
}

/* What waits to be read is bounded by the streams' windows, since the connection's is given back at once; it is larger so that
 * uploads at the same time do not wait for each other. */
static int send_settings(struct rn__http2 *h)
{
    const rn_http_options *o = rn__http_server_options(h->c->server);
    const nghttp2_settings_entry ours[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, o->max_streams},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)o->max_header_bytes},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, RN__HTTP2_WINDOW},
    };
    int err = nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, ours, sizeof ours / sizeof *ours);
    return err ? err : nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE, 0, CONNECTION_WINDOW);
}

/* Bytes of base64url; how many, or -1. */
static ptrdiff_t decode64(uint8_t *to, size_t room, const char *s)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint32_t bits = 0;
    size_t n = 0;
    int have = 0;
    for (; *s && *s != '='; s++) {
        const char *digit = strchr(digits, *s);
        if (!digit)
            return -1;
        bits = bits << 6 | (uint32_t)(digit - digits);
        have += 6;
        if (have >= 8) {
            have -= 8;
            if (n == room)
                return -1;
            to[n++] = (uint8_t)(bits >> have);
        }
    }
    return (ptrdiff_t)n;
}

enum { SETTINGS = 256 };

bool rn__http2_can_upgrade(const struct rn_http_writer *x)
{
    uint8_t settings[SETTINGS];
    const char *name, *value;
    int n = 0;
    for (size_t i = 0; rn_http_header_at(&x->r, i, &name, &value); i++)
        if (strcasecmp(name, "HTTP2-Settings") == 0)
            n += decode64(settings, sizeof settings, value) % 6 == 0 ? 1 : 2; /* six bytes a setting */
    return n == 1;
}

/* The request that asked for the upgrade is stream 1. */
static bool take_over(struct rn__http2 *h, struct rn_http_writer *from)
{
    uint8_t settings[SETTINGS];
    ptrdiff_t n = decode64(settings, sizeof settings, rn_http_request_header(&from->r, "HTTP2-Settings"));
    if (n < 0 ||
        nghttp2_session_upgrade2(h->session, settings, (size_t)n, strcmp(from->r.method, "HEAD") == 0, NULL) != 0)
        return false;
    struct rn__http2_stream *st = rn__http2_stream_make(h, 1);
    if (!st)
        return false;
    nghttp2_session_set_stream_user_data(h->session, 1, st);
    h->order.next = 3;
    for (size_t i = 0; i < from->n_fields; i++)
        (void)rn__http2_stream_field(st, (const uint8_t *)from->fields[i].name, from->fields[i].name_n,
                                     (const uint8_t *)from->fields[i].value, from->fields[i].value_n);
    st->x.r.method = rn__http_arena_copy(&st->x.arena, from->r.method, strlen(from->r.method));
    st->x.r.target = rn__http_arena_copy(&st->x.arena, from->r.target, strlen(from->r.target));
    if (!st->x.r.method || !st->x.r.target)
        return false;
    st->in_end = true;
    rn__http2_stream_start(st);
    return true;
}

/* ---- the connection ---- */

void rn__http2_go_away(struct rn__http2 *h)
{
    nghttp2_submit_goaway(h->session, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(h->session),
                          NGHTTP2_NO_ERROR, NULL, 0);
    h->going = true;
}

static void set_deadline(struct rn__http2 *h)
{
    bool sooner = h->head_until && h->head_until < h->until;
    rn__http_conn_read_deadline(h->c, sooner ? h->head_until : h->until);
    /* Behind it: the server says that it drains before it sets the deadline of its own. */
    if (rn__http_server_draining(h->c->server) && !h->going)
        rn__http_conn_read_deadline(h->c, RN__HTTP_NOW);
}

void rn__http2_read_until(struct rn__http2 *h, rn_time when)
{
    h->until = when;
    set_deadline(h);
}

static void begin_frame(struct rn__http2_place *p)
{
    const uint8_t *f = p->frame;
    p->left = (uint32_t)f[0] << 16 | (uint32_t)f[1] << 8 | f[2];
    p->is_head = f[3] == NGHTTP2_HEADERS || f[3] == NGHTTP2_CONTINUATION;
    p->goes_on = p->is_head && !(f[4] & NGHTTP2_FLAG_END_HEADERS);
    p->frame_n = 0;
}

static void follow(struct rn__http2_place *p, const uint8_t *data, size_t n)
{
    for (;;) {
        size_t some = p->left < n ? p->left : n;
        p->left -= (uint32_t)some;
        data += some;
        n -= some;
        if (n == 0)
            return;
        p->heads += !p->goes_on && p->frame_n == 0;
        p->frame[p->frame_n++] = *data++;
        n--;
        if (p->frame_n == sizeof p->frame)
            begin_frame(p);
    }
}

/* A head that has begun must be there in time, as under HTTP/1. */
static void watch_head(struct rn__http2 *h, const uint8_t *data, size_t n)
{
    struct rn__http2_place *p = &h->place;
    uint32_t before = p->heads;
    rn_time until = 0;
    follow(p, data, n);
    if (p->frame_n != 0 || (p->is_head && (p->left != 0 || p->goes_on)))
        until = h->head_until && p->heads == before
                    ? h->head_until
                    : rn_time_add(rn_now(), rn__http_server_options(h->c->server)->header_timeout);
    if (until == h->head_until)
        return;
    h->head_until = until;
    set_deadline(h);
}

static bool feed(struct rn__http2 *h, const char *data, size_t n)
{
    rn_mutex_lock(&h->lock);
    ssize_t used = nghttp2_session_mem_recv(h->session, (const uint8_t *)data, n);
    bool fine = used >= 0 && !h->dead;
    if (fine)
        watch_head(h, (const uint8_t *)data, n);
    rn_mutex_unlock(&h->lock);
    return fine;
}

/* The wait for frames is over.  True when the server drains and there are requests to be answered first. */
static bool stays(struct rn__http2 *h)
{
    rn_mutex_lock(&h->lock);
    bool stays = !h->going && !h->dead && h->running && rn__http_server_draining(h->c->server);
    if (stays) {
        rn__http2_go_away(h);
        rn__http2_read_until(h, 0);
    }
    rn_mutex_unlock(&h->lock);
    return stays && rn__http2_pump(h) == 0;
}

/* Waits for frames, and feeds what has come: as rn__stream_read.  *fine: the session has taken it. */
static ptrdiff_t read_some(struct rn__http2 *h, bool *fine)
{
    int err = rn__stream_wait(NULL, &h->c->stream);
    char *buffer = err ? NULL : rn_pool_get(&buffers);
    if (!buffer)
        return err ? err : RN_ENOMEM;
    ptrdiff_t n = rn__stream_read(NULL, &h->c->stream, buffer, BUFFER);
    if (n > 0)
        *fine = feed(h, buffer, (size_t)n);
    rn_pool_put(&buffers, buffer);
    return n;
}

/* Reads and feeds until the connection is over.  True unless the client has ended it. */
static bool read_all(struct rn__http2 *h)
{
    for (bool fine = true; fine;) {
        rn_mutex_lock(&h->lock);
        bool more = !h->dead && (nghttp2_session_want_read(h->session) || nghttp2_session_want_write(h->session));
        rn_mutex_unlock(&h->lock);
        if (!more)
            return true;
        ptrdiff_t n = read_some(h, &fine);
        if (n == RN_ETIMEOUT && stays(h))
            continue;
        if (n <= 0)
            return n == RN_ETIMEOUT;
        fine &= rn__http2_pump(h) == 0;
    }
    return true;
}

/* Says goodbye and closes. */
static void leave(struct rn__http2 *h)
{
    rn_mutex_lock(&h->lock);
    if (h->session && !h->dead)
        nghttp2_session_terminate_session(h->session, NGHTTP2_NO_ERROR);
    rn_mutex_unlock(&h->lock);
    bool said = h->session && rn__http2_pump(h) == 0;
    rn_mutex_lock(&h->lock);
    give_up(h);
    rn_mutex_unlock(&h->lock);
    if (said && h->lingers)
        rn__http_conn_linger(h->c);
    else if (said && h->c->stream.tls)
        rn__tls_close_write(&h->c->stream);
    rn_net_close(h->c->stream.c);
}

static void end(struct rn__http2 *h)
{
    leave(h);
    rn_wg_wait(&h->handlers);
    rn_mutex_lock(&h->lock); /* who ended last may still be leaving */
    while (h->streams.first)
        rn__http2_stream_free(rn_container(h->streams.first, struct rn__http2_stream, node));
    nghttp2_session_del(h->session);
    rn_mutex_unlock(&h->lock);
    rn__free(h);
}

void rn__http2_serve(struct rn__http_conn *c, const char *first, size_t n, struct rn_http_writer *x)
{
    struct rn__http2 *h = rn__calloc(1, sizeof *h);
    if (!h)
        return;
    h->c = c;
    h->order.next = 1;
    h->place = (struct rn__http2_place){.left = NGHTTP2_CLIENT_MAGIC_LEN, .is_head = true};
    defer(end, h);
    if (new_session(h) != 0)
        return;
    /* seq_cst: before the look at whether the server drains; see tell_connection of server.c. */
    rn_store_seq_cst(&c->is_h2, true);
    rn_mutex_lock(&h->lock);
    rn__http2_read_until(h, rn_time_add(rn_now(), rn__http_server_options(c->server)->idle_timeout));
    bool fine = send_settings(h) == 0 && (!x || take_over(h, x));
    rn_mutex_unlock(&h->lock);
    fine = fine && rn__http2_pump(h) == 0;
    if (fine && n) {
        fine = feed(h, first, n);
        h->lingers = rn__http2_pump(h) != 0 || !fine;
    }
    if (x)
        rn__http_end(x);
    rn__http_conn_give_work(c);
    if (fine && !h->lingers)
        h->lingers = read_all(h);
}
