/* WebSocket over wslay; see runnel/websocket.h.
 *
 * wslay takes frames apart and checks their heads.  Masks are taken off before, and what frames say together is seen to here: messages
 * are put together in one block that grows, control frames answered, texts and close codes checked.  A server's frames are a short
 * head before the bytes, which need not be copied.
 *
 * What comes is taken in order, and only when the reader comes for it: the answer to a close, or to nonsense, follows those to the
 * messages before it.  Pongs gather in `out` for the time that no frame has to be waited for, and leave before anything else.
 *
 * What is read with comes from a pool when there is something to read, and goes back when nothing is left of it: a connection that waits
 * for a frame holds no buffer.  It is the reader's alone, so that nobody else can be in it.  `lock` guards what others look at, and is held for computing only; `writing` keeps
 * frames whole and is taken before it.
 *
 * Rejected: wslay's event API.  It needs twice the memory, puts each fragment in a block of its own, looks for UTF-8 in a close's reason
 * but for two bytes of each piece in which it comes, drops pongs for a close, and closes without a code. */
#define _GNU_SOURCE 1
#include "base/alloc.h"
#include "base/race.h"
#include "http/conn.h"
#include "http/utf8.h"
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <runnel/websocket.h>
#include <stdio.h>
#include <string.h>
#include <wslay/wslay.h>

enum { CONTROL = 125, HEAD = 10, KEY = 4, IN = 16 << 10, OUT = 512, KEEP = 4096, CLOSE_REASON = CONTROL - 2 };

/* What is read with.  In the pool: `frames` is at the beginning of a frame, and there are no bytes. */
struct intake {
    wslay_frame_context_ptr frames;
    rn_websocket *ws;
    size_t in_at, in_n;       /* of `in`: what has come, and wslay was not given */
    uint64_t not_given;       /* of the payload of the frame whose head wslay was given */
    bool masked;              /* it is */
    uint8_t key[KEY];         /* … by this, the next byte's first */
    uint8_t control[CONTROL]; /* the payload of a control frame, as far as it has come */
    size_t control_n;
    uint8_t out[OUT]; /* pongs */
    size_t out_n;
    char *text; /* the message, as far as it has come, or that the reader has; or NULL */
    size_t room;
    uint8_t in[IN];
};

struct rn_websocket {
    struct rn__http_conn *c;
    rn_context *drain;
    rn_duration ping_interval;
    const char *protocol;
    size_t most; /* bytes of a message */
    rn_mutex writing, lock;

    /* guarded by lock */
    bool close_sent;
    bool we_closed;    /* first */
    bool has_message;  /* the reader does, and has not come back from it */
    rn_time answer_by; /* after our close: when the client's is no longer waited for; before: 0 */

    /* the reader's own */
    struct intake *intake;     /* NULL while nothing has come */
    char *early;               /* what came behind the handshake, as far as it was not taken yet; or NULL */
    size_t early_at, early_n;  /* … from, to */
    ptrdiff_t received;        /* by wslay's last wish for bytes: how many, or why there are none */
    bool in_frame, in_message; /* a frame, a message has begun and not ended */
    bool fin;
    uint8_t opcode;
    uint64_t left; /* of the frame */
    bool whole;    /* the message is */
    enum rn_websocket_kind kind;
    size_t n, checked; /* of the message: bytes; so many are whole characters */
    int over;          /* why nothing more will be read; 0 */
    int close_code;
    bool pinged;
    rn_time quiet_until; /* when silence is too long; 0: it has not begun */
};

/* ---- what is read with ---- */

static ssize_t give_bytes(uint8_t *to, size_t n, int flags, void *user);

static void free_intake(void *p)
{
    struct intake *i = p;
    wslay_frame_context_free(i->frames);
    rn__free(i->text);
    rn__free(i);
}

static void *new_intake(void)
{
    static const struct wslay_frame_callbacks callbacks = {.recv_callback = give_bytes};
    struct intake *i = rn__malloc(sizeof *i);
    if (!i)
        return NULL;
    memset(i, 0, offsetof(struct intake, in));
    if (wslay_frame_context_init(&i->frames, &callbacks, i) == 0)
        return i;
    rn__free(i);
    return NULL;
}

static rn_pool intakes = RN_POOL_INIT(new_intake, free_intake);

void rn__websocket_drain_pool(void)
{
    rn_pool_drain(&intakes);
}

static bool take_intake(rn_websocket *ws)
{
    if (!ws->intake && (ws->intake = rn_pool_get(&intakes)) != NULL)
        ws->intake->ws = ws;
    return ws->intake != NULL;
}

/* Nothing has begun: what is read with holds nothing. */
static bool is_between(const rn_websocket *ws)
{
    const struct intake *i = ws->intake;
    return !(i && (i->in_at < i->in_n || i->not_given)) && !ws->in_frame && !ws->in_message;
}

/* A large block is not kept. */
static void shrink(struct intake *i)
{
    if (i->room > KEEP) {
        rn__free(i->text);
        i->text = NULL;
        i->room = 0;
    }
}

static void give_intake(rn_websocket *ws)
{
    struct intake *i = ws->intake;
    bool clean = is_between(ws);
    ws->intake = NULL;
    if (i && clean) {
        shrink(i);
        i->out_n = 0;
        rn_pool_put(&intakes, i);
    } else if (i) {
        free_intake(i);
    }
}

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
    if (!ws)
        return NULL;
    ws->most = o->max_message ? o->max_message : 1 << 20;
    ws->c = w->conn;
    ws->drain = rn__http_server_drain(w->server);
    ws->ping_interval = o->ping_interval ? o->ping_interval : 30 * RN_SECOND;
    return ws;
}

static void release(rn_websocket *ws)
{
    give_intake(ws);
    rn__free(ws->early);
    rn__free(ws);
}

/* What the client has sent without waiting for the handshake's answer. */
static bool take_early(rn_websocket *ws, const struct rn__http_work *work)
{
    size_t n = work->len - work->pos;
    if (n && !(ws->early = rn__malloc(n)))
        return false;
    if (n)
        memcpy(ws->early, work->in + work->pos, n);
    ws->early_n = n;
    return true;
}

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
    if (!take_early(ws, work) || rn__http1_flush(work) < 0 || send_handshake(w, r, ws->protocol) < 0) {
        release(ws);
        return NULL;
    }
    rn__http_conn_give_buffers(work);
    return ws;
}

/* ---- writing ---- */

/* The head of a server's frame; its length. */
static size_t frame_head(uint8_t *to, int opcode, uint64_t n)
{
    size_t bytes = n < 126 ? 0 : n < 65536 ? 2 : 8;
    to[0] = (uint8_t)(0x80 | opcode);
    to[1] = bytes == 0 ? (uint8_t)n : bytes == 2 ? 126 : 127;
    for (size_t i = 0; i < bytes; i++)
        to[2 + i] = (uint8_t)(n >> 8 * (bytes - 1 - i));
    return 2 + bytes;
}

static bool is_closing(rn_websocket *ws)
{
    rn_mutex_lock(&ws->lock);
    bool closing = ws->close_sent;
    rn_mutex_unlock(&ws->lock);
    return closing;
}

/* Whether the reader has a message, to which what is written may be the answer. */
static bool has_message(rn_websocket *ws)
{
    rn_mutex_lock(&ws->lock);
    bool has = ws->has_message;
    rn_mutex_unlock(&ws->lock);
    return has;
}

static void set_message(rn_websocket *ws, bool has)
{
    rn_mutex_lock(&ws->lock);
    ws->has_message = has;
    rn_mutex_unlock(&ws->lock);
}

/* Sends a frame; behind a close nothing but the close itself, whoever has said that it is sent. */
static int send_frame(rn_websocket *ws, int opcode, const void *data, size_t n)
{
    uint8_t small[OUT];
    struct iovec iov[2] = {{small, frame_head(small, opcode, n)}, {(void *)data, n}};
    size_t size = iov[0].iov_len + n;
    ptrdiff_t sent = RN_ECLOSED;
    rn_mutex_lock(&ws->writing);
    if (opcode != WSLAY_CONNECTION_CLOSE && is_closing(ws)) {
        rn_mutex_unlock(&ws->writing);
        return RN_ECLOSED;
    }
    if (n <= OUT - HEAD) {
        if (n)
            memcpy(small + iov[0].iov_len, data, n);
        sent = rn__http_conn_write(ws->c, small, size);
    } else {
        rn__http_conn_write_deadline(ws->c, n);
        sent = rn__stream_writev(&ws->c->stream, iov, 2);
    }
    rn_mutex_unlock(&ws->writing);
    return sent < 0 ? (int)sent : 0;
}

/* Sends what gathers in `out`; the reader's. */
static int flush(rn_websocket *ws)
{
    struct intake *i = ws->intake;
    ptrdiff_t sent = 0;
    if (!i || !i->out_n)
        return 0;
    rn_mutex_lock(&ws->writing);
    if (!is_closing(ws))
        sent = rn__http_conn_write(ws->c, i->out, i->out_n);
    rn_mutex_unlock(&ws->writing);
    i->out_n = 0;
    return sent < 0 ? (int)sent : 0;
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
    RN_RACE_CALLED();
    rn__race_read(data, n, RN_RACE_PC);
    if (kind != RN_WEBSOCKET_TEXT && kind != RN_WEBSOCKET_BINARY)
        return RN_EINVAL;
    if (rn__http_server_parted(ws->c->server) && !has_message(ws)) /* who never reads learns it so */
        rn_websocket_close(ws, WSLAY_CODE_GOING_AWAY, NULL);
    return send_frame(ws, (int)kind, data, n);
}

/* The payload of a close; its length.  What is too long ends with a whole character. */
static size_t close_payload(uint8_t to[CONTROL], int code, const char *reason)
{
    size_t n = reason ? strnlen(reason, CLOSE_REASON + 1) : 0;
    if (!code)
        return 0;
    if (n > CLOSE_REASON)
        for (n = CLOSE_REASON; n && ((uint8_t)reason[n] & 0xc0) == 0x80;)
            n--;
    to[0] = (uint8_t)(code >> 8);
    to[1] = (uint8_t)code;
    if (n)
        memcpy(to + 2, reason, n);
    return 2 + n;
}

int rn_websocket_close(rn_websocket *ws, int code, const char *reason)
{
    uint8_t payload[CONTROL];
    rn_mutex_lock(&ws->lock);
    bool first = !ws->close_sent;
    if (first) {
        ws->close_sent = true;
        ws->we_closed = true;
        ws->answer_by = rn_time_add(rn_now(), patience(ws));
        rn__http_conn_read_deadline(ws->c, ws->answer_by);
    }
    rn_mutex_unlock(&ws->lock);
    return first ? send_frame(ws, WSLAY_CONNECTION_CLOSE, payload, close_payload(payload, code, reason)) : 0;
}

/* ---- waiting ---- */

/* Sets how long the client may be silent; whether that is for its answer to our close. */
static bool limit_silence(rn_websocket *ws)
{
    if (!ws->quiet_until)
        ws->quiet_until = rn_time_add(rn_now(), ws->ping_interval);
    rn_mutex_lock(&ws->lock);
    bool closing = ws->answer_by != 0;
    if (!closing) /* rn_websocket_close has set it otherwise, also for who waits already */
        rn__http_conn_read_deadline(ws->c, ws->quiet_until);
    rn_mutex_unlock(&ws->lock);
    return closing;
}

static int ping(rn_websocket *ws)
{
    ws->pinged = true;
    ws->quiet_until = 0;
    int err = send_frame(ws, WSLAY_PING, NULL, 0);
    return err == RN_ECLOSED ? 0 : err;
}

/* Up to n bytes; or, for none, a wait until there are some: 1. */
static ptrdiff_t read_or_wait(rn_websocket *ws, rn_context *ctx, void *to, size_t n)
{
    struct rn__http_stream *s = &ws->c->stream;
    if (n)
        return rn__stream_read(ctx, s, to, n);
    int err = rn__stream_wait(ctx, s);
    return err ? err : 1;
}

/* Waits for bytes, as read_or_wait: > 0, or why none will come. */
static ptrdiff_t receive(rn_websocket *ws, void *to, size_t n)
{
    for (;;) {
        bool closing = limit_silence(ws);
        ptrdiff_t got = read_or_wait(ws, closing ? NULL : ws->drain, to, n);
        if (got > 0 && n) {
            ws->pinged = false;
            ws->quiet_until = 0;
        }
        if (got > 0)
            return got;
        if (got == RN_ETIMEOUT && !ws->pinged && !closing) {
            int err = ping(ws);
            if (err)
                return err;
            continue;
        }
        if (got < 0 && !closing && rn_ctx_err(ws->drain)) {
            rn_websocket_close(ws, WSLAY_CODE_GOING_AWAY, NULL);
            continue; /* for the answer */
        }
        if (got == 0)
            ws->close_code = WSLAY_CODE_ABNORMAL_CLOSURE;
        return got == 0 ? (closing ? RN_ECLOSED : RN_EEOF) : got;
    }
}

static size_t give_early(rn_websocket *ws, uint8_t *to, size_t n)
{
    size_t have = ws->early_n - ws->early_at;
    n = n < have ? n : have;
    memcpy(to, ws->early + ws->early_at, n);
    ws->early_at += n;
    if (ws->early_at == ws->early_n) {
        rn__free(ws->early);
        ws->early = NULL;
    }
    return n;
}

/* More bytes behind those that are there; false: ws->received says why not. */
static bool fill(rn_websocket *ws)
{
    struct intake *i = ws->intake;
    size_t have = i->in_n - i->in_at;
    memmove(i->in, i->in + i->in_at, have);
    i->in_at = 0;
    i->in_n = have;
    if (ws->early) {
        ws->received = (ptrdiff_t)give_early(ws, i->in + have, IN - have);
    } else {
        int err = flush(ws);
        ws->received = err ? err : receive(ws, i->in + have, IN - have);
    }
    i->in_n += ws->received > 0 ? (size_t)ws->received : 0;
    return ws->received > 0;
}

/* Waits until n bytes are there. */
static bool await(rn_websocket *ws, size_t n)
{
    while (ws->intake->in_n - ws->intake->in_at < n)
        if (!fill(ws))
            return false;
    return true;
}

/* How long a frame says that its payload is, in n bytes. */
static uint64_t payload_length(const uint8_t *head, size_t n)
{
    uint64_t length = 0;
    for (size_t i = 2; i < n; i++)
        length = length << 8 | head[i];
    return n > 2 ? length : head[1] & 0x7f;
}

/* Gives wslay a frame's head, as if it had no mask. */
static ssize_t give_head(rn_websocket *ws, uint8_t *to)
{
    struct intake *i = ws->intake;
    if (!await(ws, 2))
        return -1;
    uint8_t size = i->in[i->in_at + 1];
    size_t n = (size & 0x7f) < 126 ? 2 : (size & 0x7f) == 126 ? 4 : HEAD, key = size & 0x80 ? KEY : 0;
    if (!await(ws, n + key))
        return -1;
    memcpy(to, i->in + i->in_at, n);
    to[1] &= 0x7f;
    i->not_given = payload_length(to, n);
    i->masked = key;
    memcpy(i->key, i->in + i->in_at + n, key);
    i->in_at += n + key;
    return (ssize_t)n;
}

/* Takes the mask off n bytes. */
static void unmask(uint8_t *restrict to, const uint8_t *restrict from, size_t n, const uint8_t key[KEY])
{
    uint64_t eight, mask;
    size_t i = 0;
    memcpy(&mask, key, KEY);
    memcpy((uint8_t *)&mask + KEY, key, KEY);
    for (; i + sizeof eight <= n; i += sizeof eight) {
        memcpy(&eight, from + i, sizeof eight);
        eight ^= mask;
        memcpy(to + i, &eight, sizeof eight);
    }
    for (; i < n; i++)
        to[i] = from[i] ^ key[i % KEY];
}

/* Gives wslay up to n bytes of a frame's payload without the mask, which it would take off byte by byte, taking longer than the
 * system calls. */
static ssize_t give_payload(rn_websocket *ws, uint8_t *to, size_t n)
{
    struct intake *i = ws->intake;
    if (!await(ws, 1))
        return -1;
    n = n < i->in_n - i->in_at ? n : i->in_n - i->in_at;
    n = n < i->not_given ? n : (size_t)i->not_given;
    unmask(to, i->in + i->in_at, n, i->key);
    uint8_t key[KEY];
    memcpy(key, i->key, KEY);
    for (size_t k = 0; k < KEY; k++)
        i->key[k] = key[(n + k) % KEY];
    i->in_at += n;
    i->not_given -= n;
    return (ssize_t)n;
}

/* wslay wants bytes.  It is given a head or payload, and so never has more than it hands on at once. */
static ssize_t give_bytes(uint8_t *to, size_t n, int flags, void *user)
{
    const struct intake *i = user;
    (void)flags;
    return i->not_given ? give_payload(i->ws, to, n) : give_head(i->ws, to);
}

/* ---- reading ---- */

/* Says goodbye on the reader's behalf, if nobody has. */
static int part(rn_websocket *ws, const uint8_t *payload, size_t n, bool they_closed)
{
    int err = flush(ws);
    rn_mutex_lock(&ws->lock);
    bool first = !ws->close_sent;
    ws->close_sent = true;
    ws->over = !they_closed ? -EPROTO : ws->we_closed ? RN_ECLOSED : RN_EEOF;
    rn_mutex_unlock(&ws->lock);
    int sent = first ? send_frame(ws, WSLAY_CONNECTION_CLOSE, payload, n) : 0;
    return err ? err : sent ? sent : ws->over;
}

/* The client breaks the rules. */
static int fail(rn_websocket *ws, int code)
{
    uint8_t payload[CONTROL];
    return part(ws, payload, close_payload(payload, code, NULL), false);
}

static int on_close(rn_websocket *ws)
{
    enum { BAD_GATEWAY = 1014 }; /* the last that IANA has given */
    const struct intake *i = ws->intake;
    int code = i->control_n < 2 ? 0 : i->control[0] << 8 | i->control[1];
    if (i->control_n == 1 || (i->control_n && (code < 1000 || (code > BAD_GATEWAY && code < 3000) || code > 4999 ||
                                               (code >= 1004 && code <= WSLAY_CODE_ABNORMAL_CLOSURE))))
        return fail(ws, WSLAY_CODE_PROTOCOL_ERROR);
    if (code && rn__utf8_prefix(i->control + 2, i->control_n - 2) != (ptrdiff_t)i->control_n - 2)
        return fail(ws, WSLAY_CODE_INVALID_FRAME_PAYLOAD_DATA);
    ws->close_code = code ? code : WSLAY_CODE_NO_STATUS_RCVD;
    return part(ws, i->control, i->control_n, true);
}

static int on_ping(rn_websocket *ws)
{
    struct intake *i = ws->intake;
    int err = i->out_n + HEAD + i->control_n > OUT ? flush(ws) : 0;
    i->out_n += frame_head(i->out + i->out_n, WSLAY_PONG, i->control_n);
    memcpy(i->out + i->out_n, i->control, i->control_n);
    i->out_n += i->control_n;
    return err;
}

/* Room for n more bytes, and a NUL. */
static bool grow(rn_websocket *ws, size_t n)
{
    struct intake *i = ws->intake;
    size_t room = ws->n + n + 1;
    if (room <= i->room)
        return true;
    room = room < 2 * i->room ? 2 * i->room : room;
    char *text = rn__realloc(i->text, room);
    if (!text)
        return false;
    i->text = text;
    i->room = room;
    return true;
}

/* More of a message has come. */
static int add(rn_websocket *ws, const uint8_t *data, size_t n)
{
    struct intake *i = ws->intake;
    if (!grow(ws, n))
        return ws->over = RN_ENOMEM;
    memcpy(i->text + ws->n, data, n);
    ws->n += n;
    i->text[ws->n] = 0;
    if (ws->kind != RN_WEBSOCKET_TEXT)
        return 0;
    ptrdiff_t whole = rn__utf8_prefix((uint8_t *)i->text + ws->checked, ws->n - ws->checked);
    if (whole < 0)
        return fail(ws, WSLAY_CODE_INVALID_FRAME_PAYLOAD_DATA);
    ws->checked += (size_t)whole;
    return 0;
}

/* The head of a frame; what it says of itself alone wslay has checked. */
static int begin_frame(rn_websocket *ws, const struct wslay_frame_iocb *f)
{
    bool control = wslay_is_ctrl_frame(f->opcode), more = f->opcode == WSLAY_CONTINUATION_FRAME;
    if (f->rsv || !ws->intake->masked || f->opcode > WSLAY_PONG || (!control && f->opcode > WSLAY_BINARY_FRAME) ||
        (!control && more != ws->in_message))
        return fail(ws, WSLAY_CODE_PROTOCOL_ERROR);
    ws->in_frame = true;
    ws->fin = f->fin;
    ws->opcode = f->opcode;
    ws->left = f->payload_length;
    ws->intake->control_n = 0;
    if (control)
        return 0;
    if (!more) {
        ws->in_message = true;
        ws->kind = f->opcode == WSLAY_TEXT_FRAME ? RN_WEBSOCKET_TEXT : RN_WEBSOCKET_BINARY;
        ws->n = ws->checked = 0;
    }
    return f->payload_length > ws->most - ws->n ? fail(ws, WSLAY_CODE_MESSAGE_TOO_BIG) : 0;
}

static int end_frame(rn_websocket *ws)
{
    ws->in_frame = false;
    switch (ws->opcode) {
    case WSLAY_CONNECTION_CLOSE:
        return on_close(ws);
    case WSLAY_PING:
        return on_ping(ws);
    case WSLAY_PONG:
        return 0;
    default:
        ws->in_message = !ws->fin;
        ws->whole = ws->fin;
        if (ws->fin && ws->kind == RN_WEBSOCKET_TEXT && ws->checked != ws->n)
            return fail(ws, WSLAY_CODE_INVALID_FRAME_PAYLOAD_DATA);
        return 0;
    }
}

/* A frame, or a part of it. */
static int take_frame(rn_websocket *ws, const struct wslay_frame_iocb *f)
{
    struct intake *i = ws->intake;
    if (!ws->in_frame) {
        int err = begin_frame(ws, f);
        if (err)
            return err;
    }
    ws->left -= f->data_length;
    int err = 0;
    if (!wslay_is_ctrl_frame(ws->opcode)) {
        err = add(ws, f->data, f->data_length);
    } else if (f->data_length) {
        memcpy(i->control + i->control_n, f->data, f->data_length);
        i->control_n += f->data_length;
    }
    return err ? err : ws->left ? 0 : end_frame(ws);
}

/* Takes what has come, up to a frame's end, or waits for it. */
static int step(rn_websocket *ws)
{
    struct wslay_frame_iocb f;
    ws->received = 1;
    if (!take_intake(ws))
        return RN_ENOMEM;
    ssize_t got = wslay_frame_recv(ws->intake->frames, &f);
    if (got == WSLAY_ERR_WANT_READ)
        return ws->received > 0 ? 0 : (int)ws->received;
    if (got >= 0)
        return take_frame(ws, &f);
    ws->in_frame = true; /* what is read with is of no use any more */
    return fail(ws, WSLAY_CODE_PROTOCOL_ERROR);
}

/* The reader has come back from its message. */
static int come_back(rn_websocket *ws)
{
    set_message(ws, false);
    if (ws->intake && !ws->in_message)
        shrink(ws->intake);
    return ws->over;
}

/* Where nothing has begun: waits for what does with nothing to read with. */
static int rest(rn_websocket *ws)
{
    if (ws->early || !is_between(ws))
        return 0;
    int err = flush(ws);
    if (err)
        return err;
    give_intake(ws);
    ptrdiff_t some = receive(ws, NULL, 0);
    return some < 0 ? (int)some : 0;
}

int rn_websocket_read(rn_websocket *ws, rn_websocket_message *m)
{
    int err = come_back(ws);
    while (!err && !ws->whole) {
        err = rest(ws);
        if (!err)
            err = step(ws);
    }
    ws->whole = false;
    if (!err)
        err = flush(ws);
    if (err)
        return err;
    set_message(ws, true);
    rn__race_write(m, sizeof *m, RN_RACE_PC);
    *m = (rn_websocket_message){ws->kind, ws->intake->text, ws->n};
    return 0;
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
