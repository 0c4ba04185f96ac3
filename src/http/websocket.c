/* WebSocket over wslay; see runnel/websocket.h.
 *
 * wslay takes frames apart, checks them, and makes the control frames (pong, close).  Fragments are put together here, in one block that
 * grows (wslay keeps a block for each, so that a message in single bytes takes 50 times its size), and data frames are
 * written here: a server's are a short head before the bytes, which need not be copied.
 *
 * What comes is answered in order: the answer to a close, or to nonsense, waits until the messages before it have been read, and the
 * reader has come for more; it may have answered them.  A ping is answered where it stands: a close behind it takes nothing away.
 *
 * `lock` guards wslay's context and what its callbacks touch, and is held for computing only; `writing` keeps frames whole and is
 * taken before it.  What wslay wants to say gathers in `out` and leaves by flush, after a read or a close.
 */
#define _GNU_SOURCE 1
#include "base/alloc.h"
#include "http/conn.h"
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <runnel/websocket.h>
#include <stdio.h>
#include <string.h>
#include <wslay/wslay.h>

enum { IN = 4096, CLOSE_REASON = 123 };

struct message {
    struct message *next;
    enum rn_websocket_kind kind;
    size_t n;
    char data[];
};

struct rn_websocket {
    struct rn__http_conn *c;
    rn_context *drain;
    rn_duration ping_interval;
    const char *protocol;
    rn_mutex writing, lock;

    /* guarded by lock */
    wslay_event_context_ptr ctx;
    const char *in; /* what wslay may read, */
    size_t in_n;
    char *out; /* and what it wants to send */
    size_t out_n, out_size;
    struct message *first, **last;
    struct message *partial; /* of which fragments have come */
    size_t partial_room, most;
    bool in_message;        /* the frame is one of these, and not of control */
    bool no_memory, broken; /* broken: the client does not keep to the protocol */
    bool we_closed;         /* first */
    rn_time answer_by;      /* after our close: when the client's is no longer waited for; before: 0 */
    bool they_closed;
    int close_code;
    bool in_close; /* the frame is one, and */
    size_t code_n; /* so much of its code has come */
    uint8_t code[2];

    struct message *current; /* what the reader has got, and has not come back from */

    /* the reader's own */
    bool pinged;
    char buffer[IN];
};

/* ---- wslay's callbacks ---- */

static ssize_t give_input(wslay_event_context_ptr ctx, uint8_t *to, size_t n, int flags, void *user)
{
    rn_websocket *ws = user;
    (void)flags;
    if (!ws->in_n) {
        wslay_event_set_error(ctx, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    n = n < ws->in_n ? n : ws->in_n;
    memcpy(to, ws->in, n);
    ws->in += n;
    ws->in_n -= n;
    return (ssize_t)n;
}

static ssize_t take_output(wslay_event_context_ptr ctx, const uint8_t *data, size_t n, int flags, void *user)
{
    rn_websocket *ws = user;
    (void)flags;
    if (ws->out_n + n > ws->out_size) {
        size_t size = 2 * (ws->out_n + n) + 128;
        char *more = rn__realloc(ws->out, size);
        if (!more) {
            ws->no_memory = true;
            wslay_event_set_error(ctx, WSLAY_ERR_CALLBACK_FAILURE);
            return -1;
        }
        ws->out = more;
        ws->out_size = size;
    }
    memcpy(ws->out + ws->out_n, data, n);
    ws->out_n += n;
    return (ssize_t)n;
}

/* Room for n more bytes, and a NUL. */
static bool grow(rn_websocket *ws, size_t n)
{
    size_t have = ws->partial ? ws->partial->n : 0, room = have + n;
    if (ws->partial && room <= ws->partial_room)
        return true;
    if (room < 2 * ws->partial_room) /* not when it is the first */
        room = 2 * ws->partial_room;
    struct message *m = rn__realloc(ws->partial, sizeof *m + room + 1);
    if (!m) {
        ws->no_memory = true;
        return false;
    }
    if (!ws->partial)
        *m = (struct message){0};
    ws->partial = m;
    ws->partial_room = room;
    return true;
}

static void on_frame(wslay_event_context_ptr ctx, const struct wslay_event_on_frame_recv_start_arg *arg, void *user)
{
    rn_websocket *ws = user;
    ws->in_message = !wslay_is_ctrl_frame(arg->opcode);
    ws->in_close = arg->opcode == WSLAY_CONNECTION_CLOSE;
    ws->code_n = 0;
    if (!ws->in_message || !grow(ws, 0))
        return;
    if (arg->opcode != WSLAY_CONTINUATION_FRAME)
        ws->partial->kind = arg->opcode == WSLAY_TEXT_FRAME ? RN_WEBSOCKET_TEXT : RN_WEBSOCKET_BINARY;
    if (arg->payload_length <= ws->most - ws->partial->n)
        return;
    ws->in_message = false; /* wslay goes on to the frame's end */
    wslay_event_shutdown_read(ctx);
    wslay_event_queue_close(ctx, WSLAY_CODE_MESSAGE_TOO_BIG, NULL, 0);
}

static void on_piece(wslay_event_context_ptr ctx, const struct wslay_event_on_frame_recv_chunk_arg *arg, void *user)
{
    rn_websocket *ws = user;
    (void)ctx;
    for (size_t i = 0; ws->in_close && i < arg->data_length && ws->code_n < 2; i++)
        ws->code[ws->code_n++] = arg->data[i];
    if (!ws->in_message || ws->no_memory || !arg->data_length || !grow(ws, arg->data_length))
        return;
    memcpy(ws->partial->data + ws->partial->n, arg->data, arg->data_length);
    ws->partial->n += arg->data_length;
}

/* wslay knows the codes of RFC 6455 and takes those that IANA has given since then (service restart, try again later, bad
 * gateway) for a fault: they are answered before it can do so. */
static void on_frame_end(wslay_event_context_ptr ctx, void *user)
{
    enum { SERVICE_RESTART = 1012, BAD_GATEWAY = 1014 };
    rn_websocket *ws = user;
    int code = ws->code_n == 2 ? ws->code[0] << 8 | ws->code[1] : 0;
    if (!ws->in_close || code < SERVICE_RESTART || code > BAD_GATEWAY)
        return;
    ws->they_closed = true;
    ws->close_code = code;
    ws->no_memory |= wslay_event_queue_close(ctx, (uint16_t)code, NULL, 0) == WSLAY_ERR_NOMEM;
}

static void on_message(wslay_event_context_ptr ctx, const struct wslay_event_on_msg_recv_arg *arg, void *user)
{
    rn_websocket *ws = user;
    if (arg->opcode == WSLAY_PING) {
        ws->no_memory |= wslay_event_send(ctx) != 0; /* now: wslay drops pongs that wait when a close comes */
    } else if (arg->opcode == WSLAY_CONNECTION_CLOSE && arg->msg_length == 1) {
        ws->broken = true; /* half a code; wslay takes it for none */
    } else if (arg->opcode == WSLAY_CONNECTION_CLOSE) {
        ws->they_closed = true;
        ws->close_code = arg->status_code ? arg->status_code : WSLAY_CODE_NO_STATUS_RCVD;
    }
    struct message *m = ws->partial;
    if (!ws->in_message || ws->no_memory || !m)
        return;
    m->data[m->n] = 0;
    *ws->last = m;
    ws->last = &m->next;
    ws->partial = NULL;
    ws->partial_room = 0;
}

static const struct wslay_event_callbacks callbacks = {
    .recv_callback = give_input,
    .send_callback = take_output,
    .on_frame_recv_start_callback = on_frame,
    .on_frame_recv_chunk_callback = on_piece,
    .on_frame_recv_end_callback = on_frame_end,
    .on_msg_recv_callback = on_message,
};

/* ---- the handshake ---- */

static bool same_origin(const rn_http_request *r)
{
    const char *origin = rn_http_request_header(r, "Origin"), *host;
    if (!origin)
        return true; /* no browser */
    host = strstr(origin, "://");
    return host && strcasecmp(host + 3, r->host) == 0;
}

/* Whether a header, which is a list and may come several times, has the item. */
static bool header_has(const rn_http_request *r, const char *header, const char *item)
{
    const char *name, *value;
    for (size_t i = 0; rn_http_header_at(r, i, &name, &value); i++)
        if (strcasecmp(name, header) == 0 && rn__http_list_has(value, item))
            return true;
    return false;
}

/* The status to refuse the request with, or 0. */
static int check(rn_http_writer *w, const rn_http_request *r, bool any_origin)
{
    const char *version = rn_http_request_header(r, "Sec-WebSocket-Version");
    const char *key = rn_http_request_header(r, "Sec-WebSocket-Key");
    unsigned char bytes[24];
    if (r->version != 11 || strcmp(r->method, "GET") != 0 || !header_has(r, "Upgrade", "websocket") ||
        !header_has(r, "Connection", "upgrade"))
        return 426;
    if (!version || strcmp(version, "13") != 0) {
        rn_http_set_header(w, "Sec-WebSocket-Version", "13");
        return 426;
    }
    if (!key || strlen(key) != 24 || EVP_DecodeBlock(bytes, (const unsigned char *)key, 24) != 18 ||
        strchr(key, '=') != key + 22)
        return 400;
    if (!w->body_done)
        return 400;
    return any_origin || same_origin(r) ? 0 : 403;
}

/* The first of ours that the client offers; in the request's memory. */
static const char *choose_protocol(const rn_http_request *r, const char *ours)
{
    char *copy = ours ? rn__http_arena_copy(&rn__http_of(r)->arena, ours, strlen(ours)) : NULL, *rest;
    for (char *one = copy ? strtok_r(copy, " ,", &rest) : NULL; one; one = strtok_r(NULL, " ,", &rest))
        if (header_has(r, "Sec-WebSocket-Protocol", one))
            return one;
    return "";
}

static int send_handshake(rn_http_writer *w, const rn_http_request *r, const char *protocol)
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    unsigned char digest[SHA_DIGEST_LENGTH], accept[32];
    char text[512], proof[64];
    snprintf(proof, sizeof proof, "%s%s", rn_http_request_header(r, "Sec-WebSocket-Key"), guid);
    SHA1((const unsigned char *)proof, strlen(proof), digest);
    EVP_EncodeBlock(accept, digest, sizeof digest);
    int n =
        snprintf(text, sizeof text,
                 "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 "Sec-WebSocket-Accept: %s\r\n%s%s%s\r\n",
                 (const char *)accept, *protocol ? "Sec-WebSocket-Protocol: " : "", protocol, *protocol ? "\r\n" : "");
    if (n < 0 || (size_t)n >= sizeof text)
        return RN_EINVAL;
    ptrdiff_t sent = rn__http_conn_write(w->conn, text, (size_t)n);
    return sent < 0 ? (int)sent : 0;
}

static rn_websocket *make(rn_http_writer *w, const rn_websocket_options *o)
{
    rn_websocket *ws = rn__calloc(1, sizeof *ws);
    if (!ws || wslay_event_context_server_init(&ws->ctx, &callbacks, ws) != 0) {
        rn__free(ws);
        return NULL;
    }
    ws->most = o->max_message ? o->max_message : 1 << 20;
    wslay_event_config_set_max_recv_msg_length(ws->ctx, ws->most); /* of a frame; of all of them on_frame does */
    wslay_event_config_set_no_buffering(ws->ctx, 1);
    ws->c = w->conn;
    ws->drain = rn__http_server_drain(w->server);
    ws->ping_interval = o->ping_interval ? o->ping_interval : 30 * RN_SECOND;
    ws->last = &ws->first;
    return ws;
}

static void release(rn_websocket *ws)
{
    for (struct message *m = ws->first, *next; m; m = next) {
        next = m->next;
        rn__free(m);
    }
    rn__free(ws->partial);
    rn__free(ws->current);
    wslay_event_context_free(ws->ctx);
    rn__free(ws->out);
    rn__free(ws);
}

static int feed(rn_websocket *ws, const char *data, size_t n);

rn_websocket *rn_websocket_accept(rn_http_writer *w, const rn_http_request *r, const rn_websocket_options *o)
{
    static const rn_websocket_options defaults;
    o = o ? o : &defaults;
    int status = w->head_sent ? 500 : check(w, r, o->any_origin);
    rn_websocket *ws = status ? NULL : make(w, o);
    if (!ws) {
        if (status == 426)
            rn_http_set_header(w, "Upgrade", "websocket");
        rn_http_error(w, status ? status : 503, NULL);
        return NULL;
    }
    struct rn__http_work *work = w->conn->work;
    ws->protocol = choose_protocol(r, o->protocols);
    w->hijacked = w->head_sent = w->close = true;
    w->status = 101;
    rn__http_end_watch(w); /* it would take what is the reader's; what it has read already lies in `work` */
    if (rn__http1_flush(work) < 0 || send_handshake(w, r, ws->protocol) < 0 ||
        feed(ws, work->in + work->pos, work->len - work->pos) < 0) {
        release(ws);
        return NULL;
    }
    return ws;
}

/* ---- writing ---- */

/* Sends what wslay has gathered. */
static int flush(rn_websocket *ws)
{
    int err = 0;
    rn_mutex_lock(&ws->writing);
    rn_mutex_lock(&ws->lock);
    char *out = ws->out;
    size_t n = ws->out_n;
    ws->out = NULL;
    ws->out_n = ws->out_size = 0;
    rn_mutex_unlock(&ws->lock);
    if (n) {
        ptrdiff_t sent = rn__http_conn_write(ws->c, out, n);
        err = sent < 0 ? (int)sent : 0;
    }
    rn_mutex_unlock(&ws->writing);
    rn__free(out);
    return err;
}

/* The head of a server's frame; its length. */
static size_t frame_head(uint8_t *to, enum rn_websocket_kind kind, size_t n)
{
    size_t bytes = n < 126 ? 0 : n < 65536 ? 2 : 8;
    to[0] = (uint8_t)(0x80 | kind);
    to[1] = bytes == 0 ? (uint8_t)n : bytes == 2 ? 126 : 127;
    for (size_t i = 0; i < bytes; i++)
        to[2 + i] = (uint8_t)((uint64_t)n >> 8 * (bytes - 1 - i));
    return 2 + bytes;
}

static bool is_closing(rn_websocket *ws)
{
    rn_mutex_lock(&ws->lock);
    bool closing = wslay_event_get_close_sent(ws->ctx);
    rn_mutex_unlock(&ws->lock);
    return closing;
}

/* Whether the reader has a message, to which what is written may be the answer. */
static bool has_message(rn_websocket *ws)
{
    rn_mutex_lock(&ws->lock);
    bool has = ws->current != NULL;
    rn_mutex_unlock(&ws->lock);
    return has;
}

/* How long the client may take to answer our close, whatever else it sends meanwhile; a server that is shut down has less
 * patience. */
static rn_duration patience(const rn_websocket *ws)
{
    rn_duration most = rn__http_server_draining(ws->c->server) ? RN__HTTP_PARTING * RN_SECOND : 5 * RN_SECOND;
    return ws->ping_interval < most ? ws->ping_interval : most;
}

int rn_websocket_write(rn_websocket *ws, enum rn_websocket_kind kind, const void *data, size_t n)
{
    uint8_t head[10];
    struct iovec iov[2] = {{head, frame_head(head, kind, n)}, {(void *)data, n}};
    ptrdiff_t sent = RN_ECLOSED;
    if (kind != RN_WEBSOCKET_TEXT && kind != RN_WEBSOCKET_BINARY)
        return RN_EINVAL;
    if (rn__http_server_parted(ws->c->server) && !has_message(ws)) /* who never reads learns it so */
        rn_websocket_close(ws, WSLAY_CODE_GOING_AWAY, NULL);
    rn_mutex_lock(&ws->writing);
    if (!is_closing(ws)) {
        rn__http_conn_write_deadline(ws->c, n);
        sent = rn__stream_writev(&ws->c->stream, iov, 2);
    }
    rn_mutex_unlock(&ws->writing);
    return sent < 0 ? (int)sent : 0;
}

int rn_websocket_close(rn_websocket *ws, int code, const char *reason)
{
    size_t n = reason ? strlen(reason) : 0;
    rn_mutex_lock(&ws->lock);
    bool first = !wslay_event_get_close_sent(ws->ctx);
    if (first) {
        ws->we_closed = !ws->they_closed;
        ws->answer_by = rn_time_add(rn_now(), patience(ws));
        rn__http_conn_read_deadline(ws->c, ws->answer_by);
        wslay_event_queue_close(ws->ctx, (uint16_t)code, (const uint8_t *)reason, n < CLOSE_REASON ? n : CLOSE_REASON);
        wslay_event_send(ws->ctx);
    }
    rn_mutex_unlock(&ws->lock);
    return first ? flush(ws) : 0;
}

/* ---- reading ---- */

/* wslay closes without a code where a control frame is malformed: 1002 says why. */
static void explain_close(rn_websocket *ws)
{
    static const char empty[] = {(char)0x88, 0},
                      code[] = {WSLAY_CODE_PROTOCOL_ERROR >> 8, WSLAY_CODE_PROTOCOL_ERROR & 255};
    if (ws->they_closed || ws->out_n < 2 || memcmp(ws->out + ws->out_n - 2, empty, 2) != 0)
        return;
    if (take_output(ws->ctx, (const uint8_t *)code, 2, 0, ws) == 2)
        ws->out[ws->out_n - 3] = 2;
}

/* With the lock: nothing more will be read. */
static bool is_over(rn_websocket *ws)
{
    return ws->they_closed || ws->broken || !wslay_event_get_read_enabled(ws->ctx);
}

/* What wslay has to say leaves; an error. */
static int answer(rn_websocket *ws)
{
    rn_mutex_lock(&ws->lock);
    if (wslay_event_want_write(ws->ctx) && !(is_over(ws) && ws->first)) /* a pong, or why it is closed */
        ws->no_memory |= wslay_event_send(ws->ctx) != 0;
    if (!wslay_event_get_read_enabled(ws->ctx) && !ws->no_memory)
        explain_close(ws);
    bool failed = ws->no_memory, any = ws->out_n > 0;
    rn_mutex_unlock(&ws->lock);
    int sent = any ? flush(ws) : 0;
    return failed ? RN_ENOMEM : sent;
}

static int feed(rn_websocket *ws, const char *data, size_t n)
{
    rn_mutex_lock(&ws->lock);
    ws->in = data;
    ws->in_n = n;
    ws->broken |= wslay_event_recv(ws->ctx) != 0 && !ws->no_memory;
    ws->in_n = 0;
    rn_mutex_unlock(&ws->lock);
    return answer(ws);
}

static int ping(rn_websocket *ws)
{
    const struct wslay_event_msg m = {.opcode = WSLAY_PING};
    rn_mutex_lock(&ws->lock);
    bool can = wslay_event_queue_msg(ws->ctx, &m) == 0 && wslay_event_send(ws->ctx) == 0;
    rn_mutex_unlock(&ws->lock);
    ws->pinged = true;
    return can ? flush(ws) : 0;
}

/* Why there is nothing more to read; 0 while there could be. */
static int ended(rn_websocket *ws)
{
    rn_mutex_lock(&ws->lock);
    int err = ws->they_closed ? (ws->we_closed ? RN_ECLOSED : RN_EEOF) : is_over(ws) ? -EPROTO : 0;
    rn_mutex_unlock(&ws->lock);
    if (err)
        answer(ws); /* what has waited for the messages to be read */
    return err;
}

/* Sets how long the client may be silent; whether that is for its answer to our close. */
static bool limit_silence(rn_websocket *ws)
{
    rn_mutex_lock(&ws->lock);
    bool closing = ws->answer_by != 0;
    if (!closing) /* rn_websocket_close has set it otherwise, also for who waits already */
        rn__http_conn_read_deadline(ws->c, rn_time_add(rn_now(), ws->ping_interval));
    rn_mutex_unlock(&ws->lock);
    return closing;
}

/* Waits for bytes: > 0, or why none will come. */
static ptrdiff_t receive(rn_websocket *ws)
{
    for (;;) {
        bool closing = limit_silence(ws);
        ptrdiff_t n = rn__stream_read(closing ? NULL : ws->drain, &ws->c->stream, ws->buffer, sizeof ws->buffer);
        if (n > 0) {
            ws->pinged = false;
            return n;
        }
        if (n == RN_ETIMEOUT && !ws->pinged && !closing) {
            int err = ping(ws);
            if (err)
                return err;
            continue;
        }
        if (n < 0 && !closing && rn_ctx_err(ws->drain)) {
            rn_websocket_close(ws, WSLAY_CODE_GOING_AWAY, NULL);
            continue; /* for the answer */
        }
        if (n == 0)
            ws->close_code = WSLAY_CODE_ABNORMAL_CLOSURE;
        return n == 0 ? (closing ? RN_ECLOSED : RN_EEOF) : n;
    }
}

/* The next message that has come, or NULL, is what the reader has now. */
static struct message *next_message(rn_websocket *ws)
{
    rn_mutex_lock(&ws->lock);
    struct message *next = ws->first, *last = ws->current;
    if (next && !(ws->first = next->next))
        ws->last = &ws->first;
    ws->current = next;
    rn_mutex_unlock(&ws->lock);
    rn__free(last);
    return next;
}

int rn_websocket_read(rn_websocket *ws, rn_websocket_message *m)
{
    for (;;) {
        struct message *next = next_message(ws);
        if (next) {
            *m = (rn_websocket_message){next->kind, next->data, next->n};
            return 0;
        }
        int err = ended(ws);
        ptrdiff_t n = err ? err : receive(ws);
        if (n < 0)
            return (int)n;
        err = feed(ws, ws->buffer, (size_t)n);
        if (err)
            return err;
    }
}

int rn_websocket_close_code(const rn_websocket *ws)
{
    return ws->close_code;
}

const char *rn_websocket_protocol(const rn_websocket *ws)
{
    return ws->protocol;
}

void rn_websocket_free(rn_websocket *ws)
{
    if (!ws)
        return;
    rn_websocket_close(ws, WSLAY_CODE_GOING_AWAY, NULL);
    release(ws);
}
