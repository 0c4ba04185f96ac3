/* What libcurl hands over of an answer, and asks for of a request: its callbacks for head and body.
 *
 * They run in the driver, inside of libcurl, and never enter the runtime (see client.h).
 *
 * A body that rn_http_do takes grows in one block.  One that rn_http_open streams goes into a list of
 * chunks; when RN_HTTP_WINDOW bytes are unread libcurl is told to pause, stops reading the socket, and the
 * sender has to wait; the reader orders GO_ON when half of it is read.  A body to be sent comes in pieces
 * from body_read, which runs in the exchange's own goroutine; while there is none libcurl pauses.
 *
 * Chunks that were read are the shard's, for the next ones, until its connections are closed: given back after each body, libc
 * would give all of their pages back to the system, and fetch them anew for the next.
 *
 * Rejected: a ring of fixed size for each streamed body (a thousand open responses would be a thousand
 * rings, mostly empty), and body_read in the driver (it may block, which would stall all exchanges).
 */
#include "http/client.h"
#include <errno.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool rn__http_bytes_add(struct rn__http_bytes *b, const char *text, size_t n)
{
    if (n >= b->room - b->used) { /* room for a zero as well */
        size_t room = b->room + b->room / 2 + n + 64;
        char *at = room < n ? NULL : rn__realloc(b->at, room);
        if (!at)
            return false;
        b->at = at;
        b->room = room;
    }
    memcpy(b->at + b->used, text, n);
    b->used += n;
    b->at[b->used] = 0;
    return true;
}

bool rn__http_is_redirect(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

const char *rn__http_head_find(const struct rn_http_exchange *ex, const char *name)
{
    const char *at = ex->head.at;
    for (size_t i = 0; i < ex->head_n; i++) {
        const char *value = at + strlen(at) + 1;
        if (strcasecmp(at, name) == 0)
            return value;
        at = value + strlen(value) + 1;
    }
    return NULL;
}

/* ---- head ----------------------------------------------------------------------------------------- */

/* Libcurl gives up after a callback that takes less than it was given. */
static size_t refuse(struct rn_http_exchange *ex, int why)
{
    ex->why = why;
    return 0;
}

static size_t refuse_head(struct rn_http_exchange *ex, const char *said)
{
    ex->why_said = said;
    return refuse(ex, RN_EPROTO);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* A status line begins a new head; what came before is forgotten: an interim answer (100, 103), or the beginning of one that the server
 * has broken off.  libcurl asks again, by HTTP/1, when a stream of HTTP/2 ends with HTTP_1_1_REQUIRED, also after a part of the
 * answer; who reads it as it comes has seen that part. */
static size_t begin_head(struct rn_http_exchange *ex, size_t n)
{
    if (ex->head_over && ex->streams && !ex->discards)
        return refuse_head(ex, "the server has broken off its answer, and begun another");
    ex->head.used = ex->body.used = 0;
    ex->head_n = ex->discarded = 0;
    ex->head_over = ex->discards = false;
    return n;
}

/* Will its goroutine ask again, elsewhere?  Then the body of this answer is of no use.  A body that
 * body_read has sent can't be sent again.  An empty Location leads nowhere, as none does. */
static bool leads_on(const struct rn_http_exchange *ex)
{
    bool repeats = ex->status == 307 || ex->status == 308;
    const char *to = rn__http_head_find(ex, "location");
    return ex->max_redirects >= 0 && rn__http_is_redirect(ex->status) && !(repeats && ex->sends) && to && *to;
}

/* A redirect's body is read only so far (as by Go), so that the connection of a short one can be used again. */
enum { DISCARDS = 2 << 10 };

/* Whether it is too long to be read, by its length. */
static bool is_too_long(const struct rn_http_exchange *ex)
{
    const char *length = rn__http_head_find(ex, "content-length");
    return length && strcmp(ex->method, "HEAD") != 0 && strtoull(length, NULL, 10) > DISCARDS;
}

/* Whether what was said of the body's length can be: one number, which libcurl does not insist on (RFC 9112, 6.3). */
static bool length_is_clear(const struct rn_http_exchange *ex)
{
    const char *at = ex->head.at, *length = NULL;
    for (size_t i = 0; i < ex->head_n; i++) {
        const char *name = at, *value = at + strlen(at) + 1;
        at = value + strlen(value) + 1;
        if (strcasecmp(name, "content-length") != 0)
            continue;
        if (!*value || value[strspn(value, "0123456789")] || strlen(value) > 18 ||
            (length && strcmp(length, value) != 0))
            return false;
        length = value;
    }
    return true;
}

/* ---- TLS ------------------------------------------------------------------------------------------- */

/* OpenSSL's part of the exchange's connection; NULL: none, or it is another library's. */
static SSL *tls_of(const struct rn_http_exchange *ex)
{
    const struct curl_tlssessioninfo *tls = NULL;
    if (!ex->tls || curl_easy_getinfo(ex->easy, CURLINFO_TLS_SSL_PTR, &tls) != CURLE_OK || !tls ||
        tls->backend != CURLSSLBACKEND_OPENSSL)
        return NULL;
    return tls->internals;
}

/* Whether the connection speaks HTTP/2: there the server says what it did not take, and where a body ends. */
static bool speaks_http2(const struct rn_http_exchange *ex)
{
    const unsigned char *name = NULL;
    unsigned n = 0;
    SSL *tls = tls_of(ex);
    if (!tls)
        return ex->tls; /* can't be known */
    SSL_get0_alpn_selected(tls, &name, &n);
    return n == 2 && memcmp(name, "h2", 2) == 0;
}

/* What OpenSSL sends and receives: the peer's goodbye is an alert. */
static void on_message(int sent, int version, int type, const void *at, size_t n, SSL *tls, void *arg)
{
    const unsigned char *alert = at;
    (void)version, (void)tls;
    if (!sent && type == SSL3_RT_ALERT && n == 2 && alert[1] == SSL3_AD_CLOSE_NOTIFY)
        ((struct rn_http_exchange *)arg)->wants_goodbye = false;
}

/* A body that ends with the connection is whole only if TLS says that this is its end (RFC 9112, 9.8); libcurl takes any end for it.
 * No other exchange will have the connection. */
static void want_goodbye(struct rn_http_exchange *ex)
{
    bool bodyless = strcmp(ex->method, "HEAD") == 0 || ex->status == 204 || ex->status == 304;
    SSL *tls = tls_of(ex);
    if (!tls || bodyless || ex->discards || speaks_http2(ex) || rn__http_head_find(ex, "content-length") ||
        rn__http_head_find(ex, "transfer-encoding"))
        return;
    ex->wants_goodbye = true;
    SSL_set_msg_callback(tls, on_message);
    SSL_set_msg_callback_arg(tls, ex);
}

/* ---- head, to its end ------------------------------------------------------------------------------ */

/* The status and headers are complete. */
static size_t end_head(struct rn_http_exchange *ex, size_t n)
{
    long status = 0;
    curl_easy_getinfo(ex->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status < 200 && status != 101)
        return n; /* an interim answer */
    if (!length_is_clear(ex))
        return refuse_head(ex, "the answer's Content-Length makes no sense");
    ex->status = (int)status;
    ex->head_over = true;
    ex->packing = rn__http_packing_of(ex);
    ex->discards = leads_on(ex);
    if (ex->discards && is_too_long(ex))
        return refuse(ex, 0);
    want_goodbye(ex);
    if (ex->streams && !ex->discards) {
        rn__http_lock(ex->shard);
        rn__http_tell_locked(ex, RN_HTTP_HEAD);
        rn__http_unlock(ex->shard);
    }
    return n;
}

static void trim(const char **from, const char **end)
{
    while (*end > *from && is_space((*end)[-1]))
        --*end;
    while (*from < *end && is_space(**from))
        ++*from;
}

/* A line that goes on with the value of the one before it: a blank stands for the break (RFC 9112, 5.2). */
static size_t continue_header(struct rn_http_exchange *ex, const char *line, size_t n)
{
    const char *end = line + n;
    trim(&line, &end);
    if (ex->head_n == 0 || line == end)
        return n;
    ex->head.used--; /* the zero */
    bool empty = ex->head.at[ex->head.used - 1] == '\0';
    if ((!empty && !rn__http_bytes_add(&ex->head, " ", 1)) ||
        !rn__http_bytes_add(&ex->head, line, (size_t)(end - line)) || !rn__http_bytes_add(&ex->head, "", 1))
        return refuse(ex, RN_ENOMEM);
    return n;
}

static size_t add_header(struct rn_http_exchange *ex, const char *line, size_t n)
{
    const char *colon = memchr(line, ':', n), *end = line + n;
    if (line[0] == ' ' || line[0] == '\t')
        return continue_header(ex, line, n);
    if (!colon)
        return n; /* libcurl has judged it; nothing to show */
    const char *value = colon + 1;
    trim(&value, &end);
    if (!rn__http_bytes_add(&ex->head, line, (size_t)(colon - line)) || !rn__http_bytes_add(&ex->head, "", 1) ||
        !rn__http_bytes_add(&ex->head, value, (size_t)(end - value)) || !rn__http_bytes_add(&ex->head, "", 1))
        return refuse(ex, RN_ENOMEM);
    ex->head_n++;
    return n;
}

/* Whether a line holds only what may be in one.  A CR within it would begin another line for those who read so, and libcurl takes
 * one that begins with a CR for the end of the head (RFC 9112, 2.2; RFC 9110, 5.5). */
static bool is_clean(const char *line, size_t n)
{
    n -= n > 0 && line[n - 1] == '\n';
    n -= n > 0 && line[n - 1] == '\r';
    for (size_t i = 0; i < n; i++)
        if (((unsigned char)line[i] < ' ' && line[i] != '\t') || line[i] == 0x7f)
            return false;
    return true;
}

static size_t on_header(char *line, size_t one, size_t n, void *arg)
{
    struct rn_http_exchange *ex = arg;
    n *= one;
    ex->heads_bytes += n; /* of all heads, and trailers: libcurl keeps what it has shown us */
    if (ex->heads_bytes > ex->max_headers)
        return refuse(ex, RN_ETOOBIG);
    if (!is_clean(line, n))
        return refuse_head(ex, "a control byte in the answer's head");
    if (n > 5 && memcmp(line, "HTTP/", 5) == 0)
        return begin_head(ex, n);
    if (ex->head_over)
        return n; /* trailers */
    if (n == 0 || line[0] == '\r' || line[0] == '\n')
        return end_head(ex, n);
    return add_header(ex, line, n);
}

/* ---- body ------------------------------------------------------------------------------------------ */

/* The most bytes of body that may come.  Packed it may be a little longer than it is. */
static size_t most_bytes(const struct rn_http_exchange *ex)
{
    size_t excess = ex->max_body / 256 + 1024;
    return ex->packing && ex->max_body < SIZE_MAX - excess ? ex->max_body + excess : ex->max_body;
}

static size_t keep(struct rn_http_exchange *ex, const char *data, size_t n)
{
    size_t most = most_bytes(ex);
    if (n > most || ex->body.used > most - n)
        return refuse(ex, RN_ETOOBIG);
    curl_off_t length = -1;
    if (!ex->body.at && curl_easy_getinfo(ex->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length) == CURLE_OK &&
        length > (curl_off_t)n && length < 64 << 20) {
        ex->body.at = rn__malloc((size_t)length + 1); /* what it says it will be, within reason */
        ex->body.room = ex->body.at ? (size_t)length + 1 : 0;
    }
    return rn__http_bytes_add(&ex->body, data, n) ? n : refuse(ex, RN_ENOMEM);
}

/* Has the reader enough?  Then it will order libcurl to go on.  Otherwise *c is a chunk that it has read, if there is one. */
static bool reader_is_full(struct rn_http_exchange *ex, struct rn__http_chunk **c)
{
    struct rn__http_shard *s = ex->shard;
    rn__http_lock(s);
    bool full = ex->unread >= RN_HTTP_WINDOW;
    if (full && !ex->stopped) {
        ex->stopped = true;
        s->paused_n++;
    }
    *c = full ? NULL : s->spare;
    if (*c) {
        s->spare = (*c)->next;
        s->spare_n--;
    }
    rn__http_unlock(s);
    return full;
}

static size_t pass_on(struct rn_http_exchange *ex, const char *data, size_t n)
{
    struct rn__http_chunk *c;
    if (reader_is_full(ex, &c))
        return CURL_WRITEFUNC_PAUSE; /* libcurl keeps the data and brings it again */
    if (!c || c->room < n) {
        rn__free(c);
        if (!(c = rn__malloc(sizeof *c + n)))
            return refuse(ex, RN_ENOMEM);
        c->room = n;
    }
    c->next = NULL;
    c->bytes = n;
    c->read = 0;
    memcpy(c->data, data, n);
    rn__http_lock(ex->shard);
    if (ex->last)
        ex->last->next = c;
    else
        ex->first = c;
    ex->last = c;
    ex->unread += n;
    rn__http_tell_locked(ex, RN_HTTP_DATA);
    rn__http_unlock(ex->shard);
    return n;
}

static size_t on_body(char *data, size_t one, size_t n, void *arg)
{
    struct rn_http_exchange *ex = arg;
    n *= one;
    if (n == 0)
        return n;
    if (ex->discards)
        return (ex->discarded += n) > DISCARDS ? refuse(ex, 0) : n;
    return ex->streams ? pass_on(ex, data, n) : keep(ex, data, n);
}

void rn__http_chunks_free(struct rn__http_chunk *c)
{
    while (c) {
        struct rn__http_chunk *next = c->next;
        rn__free(c);
        c = next;
    }
}

void rn__http_chunk_spare_locked(struct rn__http_shard *s, struct rn__http_chunk *c, struct rn__http_chunk **unwanted)
{
    rn_lock_assert_held(&s->lock);
    bool keep = s->driven && s->spare_n < RN_HTTP_SPARES;
    struct rn__http_chunk **list = keep ? &s->spare : unwanted;
    s->spare_n += keep;
    c->next = *list;
    *list = c;
}

void rn__http_chunks_drop(struct rn_http_exchange *ex)
{
    rn__http_chunks_free(ex->first);
    ex->first = ex->last = NULL;
    ex->unread = 0;
}

void rn__http_spares_free(struct rn__http_shard *s)
{
    rn__http_lock(s);
    struct rn__http_chunk *all = s->spare;
    s->spare = NULL;
    s->spare_n = 0;
    rn__http_unlock(s);
    rn__http_chunks_free(all);
}

/* ---- the body to send ------------------------------------------------------------------------------ */

static size_t on_upload(char *to, size_t one, size_t n, void *arg)
{
    struct rn_http_exchange *ex = arg;
    struct rn__http_shard *s = ex->shard;
    n *= one;
    rn__http_lock(s);
    size_t left = ex->upload_len - ex->upload_at;
    if (n > left)
        n = left;
    const char *from = ex->upload + ex->upload_at;
    ex->upload_at += n;
    bool pause = n == 0 && !ex->upload_over;
    if (pause)
        rn__http_tell_locked(ex, RN_HTTP_WANTS);
    rn__http_unlock(s);
    if (pause)
        return CURL_READFUNC_PAUSE;
    if (n)
        memcpy(to, from, n); /* its goroutine fills the block again only when asked to */
    return n;
}

/* ---- again -------------------------------------------------------------------------------------------- */

static bool is_idempotent(const char *method)
{
    static const char *const methods[] = {"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (strcmp(method, methods[i]) == 0)
            return true;
    return false;
}

/* Before the request is sent.  A kept connection on which something has come is not used: the request is aborted, by which libcurl
 * closes it, and made again.  When a connection that was used before ends without a word, libcurl asks again on another;
 * the server may have done by then what was asked, and a POST is not for doing twice (RFC 9110, 9.2.2).  After a 417 it would ask
 * again with the same Expect, which is the caller's, for ever. */
static int on_ready(void *arg, char *to, char *from, int to_port, int from_port)
{
    struct rn_http_exchange *ex = arg;
    (void)to, (void)from, (void)to_port;
    if (ex->head_over && ex->status == 417) {
        ex->stands = true;
        return CURL_PREREQFUNC_ABORT;
    }
    bool strays = rn__http_socket_strays(ex->shard, from_port);
    bool repeats = ex->asked && !is_idempotent(ex->method) && ex->heads_bytes == 0 && !speaks_http2(ex);
    if (repeats || strays) {
        ex->again = !ex->asked;
        ex->why = -ECONNRESET;
        return CURL_PREREQFUNC_ABORT;
    }
    ex->asked = true;
    return CURL_PREREQFUNC_OK;
}

void rn__http_callbacks_set(struct rn_http_exchange *ex)
{
    curl_easy_setopt(ex->easy, CURLOPT_PREREQFUNCTION, on_ready);
    curl_easy_setopt(ex->easy, CURLOPT_PREREQDATA, ex);
    curl_easy_setopt(ex->easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(ex->easy, CURLOPT_HEADERDATA, ex);
    curl_easy_setopt(ex->easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(ex->easy, CURLOPT_WRITEDATA, ex);
    if (ex->sends) {
        curl_easy_setopt(ex->easy, CURLOPT_READFUNCTION, on_upload);
        curl_easy_setopt(ex->easy, CURLOPT_READDATA, ex);
    }
}
