/* The HTTP client's functions: one exchange, hop by hop, and the streamed body.
 *
 * An exchange's goroutine orders the driver to START it and waits for news; meanwhile it calls body_read
 * when the driver wants more to send.  When the context ends the wait, or a callback of the caller's panics,
 * it orders STOP and waits until the driver has taken the exchange out of libcurl, which does not block: only
 * then may the caller's memory go.
 */
#include "base/race.h"
#include "http/client.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* ---- an exchange under way ------------------------------------------------------------------------------ */

/* Waits until the driver has stopped it.  A server of HTTP/2 that sends faster than libcurl (7.88) reads, and nothing of a body,
 * keeps libcurl reading for as long as it likes.  So the connection is broken when the driver was seen in one call three times. */
static void await_stop(struct rn_http_exchange *ex)
{
    enum { BETWEEN = 300 };
    uint64_t seen = 0;
    int times = 0, err = 0;
    ex->ctx = NULL;
    do {
        uint64_t now = rn__http_call(ex->shard);
        times = now && now == seen ? times + 1 : 0;
        seen = now;
        if (times >= 2)
            rn__http_sockets_break(ex, now);
        ex->deadline = rn_time_add(rn_now(), BETWEEN * RN_MILLISECOND);
        err = 0;
    } while (!rn__http_await(ex, RN_HTTP_DONE, &err));
}

/* Ends it, whatever it is doing. */
static void stop(struct rn_http_exchange *ex)
{
    if (!ex->started)
        return;
    rn__http_order(ex, RN_HTTP_STOP, true);
    await_stop(ex);
    ex->started = false;
}

static void discard(struct rn_http_exchange *ex)
{
    stop(ex);
    rn__http_exchange_free(ex);
}

/* The driver wants more to send: asks the caller, whose function may block and panic. */
static int feed(struct rn_http_exchange *ex)
{
    ssize_t n = ex->request.body_read(ex->request.body_arg, ex->upload, RN_HTTP_UPLOAD);
    if (n < 0)
        return (int)n;
    if (n > RN_HTTP_UPLOAD)
        rn__misuse("http: body_read returned %zd for room for %d bytes", n, RN_HTTP_UPLOAD);
    rn__http_lock(ex->shard);
    ex->news &= ~(uint32_t)RN_HTTP_WANTS;
    ex->upload_at = 0;
    ex->upload_len = (size_t)n;
    ex->upload_over = n == 0;
    rn__http_unlock(ex->shard);
    rn__http_order(ex, RN_HTTP_GO_ON, true);
    return 0;
}

/* Whether the request's own time has passed, and not its context's. */
static bool is_late(const struct rn_http_exchange *ex)
{
    return !rn_ctx_err(ex->ctx) && ex->deadline != INT64_MAX && rn_now() >= ex->deadline;
}

/* In place of what libcurl says of its being stopped. */
static void explain_lateness(struct rn_http_exchange *ex)
{
    rn_duration own = ex->request.timeout ? ex->request.timeout : ex->client->options.timeout;
    snprintf(ex->error, sizeof ex->error, "no whole answer within %g s", (double)own / RN_SECOND);
}

/* Waits for one of `wanted`, which is returned in *got, and sends meanwhile.  0, or a negative error, and
 * then the exchange is stopped. */
static int await(struct rn_http_exchange *ex, uint32_t wanted, uint32_t *got)
{
    int err = 0;
    while (!err) {
        *got = rn__http_await(ex, wanted | RN_HTTP_WANTS, &err);
        if (*got & wanted)
            return 0;
        if (*got)
            err = feed(ex);
    }
    bool late = err == RN_ETIMEOUT && is_late(ex);
    stop(ex);
    if (late)
        explain_lateness(ex);
    return err;
}

/* Until the end of it, or when it streams until the answer's head is complete. */
static int ask(struct rn_http_exchange *ex)
{
    uint32_t got;
    int err = rn__http_exchange_aim(ex);
    if (err)
        return err;
    ex->started = true;
    rn__http_order(ex, RN_HTTP_START, true);
    err = await(ex, RN_HTTP_DONE | (ex->streams ? RN_HTTP_HEAD : 0), &got);
    if (err) {
        ex->again = false;
        return err;
    }
    if (got & RN_HTTP_DONE)
        ex->started = false;
    return got & RN_HTTP_DONE ? ex->result : 0;
}

/* One hop.  It is asked again for each kept connection that turned out to be of no use. */
static int hop(struct rn_http_exchange *ex)
{
    int err;
    do
        err = ask(ex);
    while (ex->again);
    return err;
}

static int run(struct rn_http_exchange *ex)
{
    for (;;) {
        int err = hop(ex);
        if (err || !ex->discards)
            return err;
        err = rn__http_exchange_redirect(ex);
        if (err)
            return err;
        ex->discards = false;
    }
}

/* ---- the answer -------------------------------------------------------------------------------------------- */

static int version_of(CURL *easy)
{
    long v = 0;
    curl_easy_getinfo(easy, CURLINFO_HTTP_VERSION, &v);
    return v == CURL_HTTP_VERSION_1_0 ? 10 : v == CURL_HTTP_VERSION_1_1 ? 11 : v == CURL_HTTP_VERSION_2_0 ? 20 : 0;
}

/* A sentence about the failure, in memory of res. */
static void explain(struct rn_http_exchange *ex, int err, rn_http_response *res)
{
    const char *what = ex->why_said ? ex->why_said : ex->error[0] && !ex->why ? ex->error : rn_strerror(err);
    const char *url = ex->url ? ex->url : res->url;
    size_t n = strlen(what) + strlen(url) + 3;
    char *text = rn__malloc(n);
    if (text)
        snprintf(text, n, "%s: %s", url, what);
    res->error = text;
}

static bool headers_of(struct rn_http_exchange *ex, rn_http_response *res)
{
    if (ex->head_n == 0)
        return true;
    rn_http_header *h = rn__malloc(ex->head_n * sizeof *h);
    if (!h)
        return false;
    const char *at = ex->head.at;
    for (size_t i = 0; i < ex->head_n; i++) {
        h[i].name = at;
        h[i].value = at + strlen(at) + 1;
        at = h[i].value + strlen(h[i].value) + 1;
    }
    res->headers = h;
    res->headers_len = ex->head_n;
    res->rn_head = ex->head.at;
    ex->head = (struct rn__http_bytes){0};
    return true;
}

/* Moves what there is from the exchange to res. */
static int hand_over(struct rn_http_exchange *ex, int err, rn_http_response *res)
{
    if (!err && !ex->streams)
        err = rn__http_unpack_all(ex);
    if (!err && !headers_of(ex, res))
        err = RN_ENOMEM;
    if (!err && !ex->streams && !ex->body.at && !rn__http_bytes_add(&ex->body, "", 0))
        err = RN_ENOMEM;
    if (err) {
        explain(ex, err, res);
    } else {
        res->status = ex->status;
        res->version = version_of(ex->easy);
        res->body = ex->body.at;
        res->body_len = ex->body.used;
        ex->body = (struct rn__http_bytes){0};
    }
    res->redirects = ex->redirects;
    res->url = ex->url;
    ex->url = NULL;
    return err;
}

/* ---- public -------------------------------------------------------------------------------------------------- */

/* For the race detector, to which the driver's reading on the caller's behalf is unknown. */
static void race_accesses(const rn_http_client_request *r, rn_http_response *res, void *pc)
{
    rn__race_write(res, sizeof *res, pc);
    rn__race_read_text(r->url, pc);
    rn__race_read(r->body, r->body_len, pc);
    for (size_t i = 0; RN_RACE_ON && i < r->headers_len; i++)
        rn__race_read_text(r->headers[i].value, pc);
}

int rn_http_do(rn_context *ctx, const rn_http_client_request *request, rn_http_response *res)
{
    race_accesses(request, res, RN_RACE_PC);
    int err;
    *res = (rn_http_response){0};
    struct rn_http_exchange *ex = rn__http_exchange_make(request, ctx, false, &err);
    if (!ex)
        return err;
    RN__AT_END(end, discard, ex); /* body_read may panic */
    err = run(ex);
    return hand_over(ex, err, res);
}

int rn_http_get(rn_context *ctx, const char *url, rn_http_response *res)
{
    RN_RACE_CALLED();
    rn_http_client_request r = {.url = url};
    return rn_http_do(ctx, &r, res);
}

int rn_http_post(rn_context *ctx, const char *url, const char *content_type, const void *body, size_t len,
                 rn_http_response *res)
{
    RN_RACE_CALLED();
    rn_http_client_request r = {
        .url = url, .method = "POST", .content_type = content_type, .body = body ? body : "", .body_len = len};
    return rn_http_do(ctx, &r, res);
}

/* What rn_http_open opens, until it is res's: freed when body_read panics. */
static void discard_unless_given(struct rn_http_exchange **ex)
{
    if (*ex)
        discard(*ex);
}

int rn_http_open(rn_context *ctx, const rn_http_client_request *request, rn_http_response *res)
{
    race_accesses(request, res, RN_RACE_PC);
    int err;
    *res = (rn_http_response){0};
    struct rn_http_exchange *ex = rn__http_exchange_make(request, ctx, true, &err);
    if (!ex)
        return err;
    RN__AT_END(end, discard_unless_given, &ex);
    err = run(ex);
    err = hand_over(ex, err, res);
    if (err)
        return err;
    res->rn_exchange = ex;
    ex = NULL;
    return 0;
}

/* Takes up to n bytes of the first chunk, c.  A chunk that is empty then is kept for what comes next, or put on the list of
 * those to be freed.  The shard is locked. */
static size_t take_locked(struct rn_http_exchange *ex, struct rn__http_chunk *c, char *to, size_t n,
                          struct rn__http_chunk **empty)
{
    rn_lock_assert_held(&ex->shard->lock);
    if (n > c->bytes - c->read)
        n = c->bytes - c->read;
    memcpy(to, c->data + c->read, n);
    c->read += n;
    ex->unread -= n;
    if (c->read == c->bytes) {
        ex->first = c->next;
        rn__http_chunk_spare_locked(ex->shard, c, empty);
        if (!ex->first) {
            ex->last = NULL;
            ex->news &= ~(uint32_t)RN_HTTP_DATA;
        }
    }
    return n;
}

/* What has come and was not read yet; lets the sender go on when there is room again. */
static size_t take(struct rn_http_exchange *ex, void *to, size_t n)
{
    struct rn__http_shard *s = ex->shard;
    struct rn__http_chunk *empty = NULL;
    size_t got = 0;
    rn__http_lock(s);
    while (got < n && ex->first)
        got += take_locked(ex, ex->first, (char *)to + got, n - got, &empty);
    bool go_on = ex->stopped && ex->unread <= RN_HTTP_WINDOW / 2;
    if (go_on) {
        ex->stopped = false;
        s->paused_n--;
    }
    rn__http_unlock(s);
    rn__http_chunks_free(empty);
    if (go_on)
        rn__http_order(ex, RN_HTTP_GO_ON, false);
    return got;
}

/* As rn_http_body_read, of what came as it came. */
static ssize_t take_or_wait(struct rn_http_exchange *ex, void *buf, size_t n)
{
    uint32_t got;
    for (;;) {
        size_t have = take(ex, buf, n);
        if (have)
            return (ssize_t)have;
        if (!ex->started)
            return ex->result;
        int err = await(ex, RN_HTTP_DATA | RN_HTTP_DONE, &got);
        if (err)
            return err;
        if (got & RN_HTTP_DONE)
            ex->started = false;
    }
}

/* The error stays: asked again, it is told again. */
static ssize_t broken(rn_http_response *res, int err)
{
    struct rn_http_exchange *ex = res->rn_exchange;
    if (!res->error)
        explain(ex, err, res);
    stop(ex);
    rn__http_chunks_drop(ex);
    ex->packing = RN__HTTP_PLAIN;
    ex->result = err;
    return err;
}

ssize_t rn_http_body_read(rn_http_response *res, void *buf, size_t n)
{
    struct rn_http_exchange *ex = res->rn_exchange;
    if (!ex)
        rn__misuse("http_body_read: the response is not open");
    if (n == 0)
        return 0;
    ssize_t got = ex->packing ? rn__http_unpack_some(ex, take_or_wait, buf, n) : take_or_wait(ex, buf, n);
    rn__race_write(buf, got > 0 ? (size_t)got : 0, RN_RACE_PC);
    return got < 0 ? broken(res, (int)got) : got;
}

void rn_http_response_close(rn_http_response *res)
{
    if (res->rn_exchange)
        discard(res->rn_exchange);
    res->rn_exchange = NULL;
}

void rn_http_response_free(rn_http_response *res)
{
    rn_http_response_close(res);
    rn__free(res->body);
    rn__free((void *)(uintptr_t)res->headers);
    rn__free(res->rn_head);
    rn__free((void *)(uintptr_t)res->url);
    rn__free((void *)(uintptr_t)res->error);
    *res = (rn_http_response){0};
}

const char *rn_http_response_header(const rn_http_response *res, const char *name)
{
    for (size_t i = 0; i < res->headers_len; i++)
        if (strcasecmp(res->headers[i].name, name) == 0)
            return res->headers[i].value;
    return NULL;
}
