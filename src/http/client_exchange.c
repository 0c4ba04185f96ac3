/* An exchange: a request and the answer to it, through all its redirects.
 *
 * Redirects are followed here and not by libcurl: every hop's host is looked up by us (client_name.c) and
 * decides on the shard, and a context may end it in between.  The rules are Go's and the browsers':
 * after 303, and after 301 and 302 to a POST, a GET without body goes out; after 307 and 308 the same
 * request again, unless its body came from body_read, which can't be had twice (then the 307 is the answer).  Of a redirect's body
 * 2 KiB are read at most, then its connection is closed.  Authorization, Cookie and their like, and a Host of the caller's, do not
 * go on to another host, scheme or port, nor what describes a body with a request that has none any more.
 *
 * What the caller gives is checked before libcurl sees it: no line break gets into a header, and what
 * frames the body (Content-Length, Transfer-Encoding) is for libcurl alone to say.
 */
#include "base/units.h"
#include "http/client.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* ---- checks ---------------------------------------------------------------------------------------- */

/* A token of RFC 9110. */
static bool is_token(const char *t)
{
    static const char others[] = "!#$%&'*+-.^_`|~";
    if (!*t)
        return false;
    for (; *t; t++) {
        bool letter = (*t >= 'a' && *t <= 'z') || (*t >= 'A' && *t <= 'Z') || (*t >= '0' && *t <= '9');
        if (!letter && !strchr(others, *t))
            return false;
    }
    return true;
}

static bool is_line(const char *t)
{
    for (; *t; t++)
        if ((unsigned char)*t < ' ' && *t != '\t')
            return false;
    return true;
}

static bool frames_the_body(const char *name)
{
    return strcasecmp(name, "content-length") == 0 || strcasecmp(name, "transfer-encoding") == 0;
}

static int check(const rn_http_client_request *r)
{
    if (!r->url)
        return RN_EURL;
    if (r->method && !is_token(r->method))
        return RN_EINVAL;
    if ((r->content_type && !is_line(r->content_type)) || (r->body_len && !r->body && !r->body_read) ||
        r->body_size < 0)
        return RN_EINVAL;
    for (size_t i = 0; i < r->headers_len; i++) {
        const rn_http_header *h = &r->headers[i];
        if (!h->name || !h->value || !is_token(h->name) || !is_line(h->value) || frames_the_body(h->name))
            return RN_EINVAL;
    }
    return 0;
}

/* ---- making ---------------------------------------------------------------------------------------- */

static size_t or_no_limit(size_t limit)
{
    return limit ? limit : SIZE_MAX;
}

static void set_limits(struct rn_http_exchange *ex, const rn_http_client_options *o)
{
    const rn_http_client_request *r = &ex->request;
    rn_duration timeout = r->timeout ? r->timeout : o->timeout;
    ex->deadline = timeout ? rn_time_add(rn__now(), timeout) : INT64_MAX;
    ex->max_redirects = r->max_redirects ? r->max_redirects : o->max_redirects ? o->max_redirects : 10;
    ex->max_body = or_no_limit(r->max_body ? r->max_body : o->max_body);
    ex->max_headers = o->max_headers ? o->max_headers : 256 << 10;
}

static const char *default_method(const rn_http_client_request *r)
{
    return r->body || r->body_read ? "POST" : "GET";
}

static char *copy(const char *text)
{
    size_t n = strlen(text) + 1;
    char *to = rn__malloc(n);
    if (to)
        memcpy(to, text, n);
    return to;
}

static void drop_body(struct rn_http_exchange *ex)
{
    ex->request.body = NULL;
    ex->request.body_len = 0;
    ex->sends = false;
}

static struct rn_http_exchange *make(const rn_http_client_request *r, rn_context *ctx, bool streams,
                                     struct rn_http_client *c)
{
    struct rn_http_exchange *ex = rn__calloc(1, sizeof *ex);
    if (!ex)
        return NULL;
    ex->client = c;
    ex->request = *r;
    ex->ctx = ctx;
    ex->by_thread = !rn__is_goroutine(rn__self());
    ex->streams = streams;
    ex->method = r->method ? r->method : default_method(r);
    ex->sends = r->body_read != NULL;
    if (strcmp(ex->method, "HEAD") == 0)
        drop_body(ex); /* libcurl would wait for one to come back */
    set_limits(ex, &c->options);
    ex->url = copy(r->url);
    ex->easy = rn__http_easy_get(c);
    ex->upload = ex->sends ? rn__malloc(RN_HTTP_UPLOAD) : NULL;
    rn_lock_take(&c->lock, RN_RANK_HTTP);
    rn_list_push(&c->exchanges, &ex->node);
    rn_lock_release(&c->lock);
    if (ex->url && ex->easy && (ex->upload || !ex->sends))
        return ex;
    rn__http_exchange_free(ex);
    return NULL;
}

struct rn_http_exchange *rn__http_exchange_make(const rn_http_client_request *r, rn_context *ctx, bool streams,
                                                int *err)
{
    if ((*err = check(r)) != 0 || (*err = rn_ctx_err(ctx)) != 0)
        return NULL;
    struct rn_http_client *c = rn__http_client_enter(r->client, err);
    if (!c)
        return NULL;
    struct rn_http_exchange *ex = make(r, ctx, streams, c);
    rn__http_client_leave();
    *err = ex ? 0 : RN_ENOMEM;
    return ex;
}

static void drop_lists(struct rn_http_exchange *ex)
{
    curl_slist_free_all(ex->headers);
    curl_slist_free_all(ex->resolve);
    ex->headers = ex->resolve = NULL;
}

void rn__http_exchange_free(struct rn_http_exchange *ex)
{
    struct rn_http_client *c = ex->client;
    if (ex->easy)
        rn__http_easy_put(c, ex->easy);
    rn_lock_take(&c->lock, RN_RANK_HTTP);
    rn_list_remove(&c->exchanges, &ex->node);
    rn_lock_release(&c->lock);
    drop_lists(ex);
    rn__http_chunks_drop(ex);
    rn__http_unpacker_free(ex->unpacker);
    rn__free(ex->url);
    rn__free(ex->upload);
    rn__free(ex->head.at);
    rn__free(ex->body.at);
    rn__free(ex);
}

/* ---- what libcurl is told ---------------------------------------------------------------------------- */

static bool add_raw(struct rn_http_exchange *ex, const char *line)
{
    struct curl_slist *more = curl_slist_append(ex->headers, line);
    if (more)
        ex->headers = more;
    return more != NULL;
}

static bool add_line(struct rn_http_exchange *ex, const char *name, const char *value)
{
    struct rn__http_bytes line = {0};
    /* "name;" is how libcurl is told of a header without a value. */
    bool good = rn__http_bytes_add(&line, name, strlen(name)) &&
                rn__http_bytes_add(&line, *value ? ": " : ";", *value ? 2 : 1) &&
                rn__http_bytes_add(&line, value, strlen(value)) && add_raw(ex, line.at);
    rn__free(line.at);
    return good;
}

/* What is meant for one host alone: credentials, and its own name. */
static bool is_for_one_host(const char *name)
{
    static const char *const names[] = {
        "authorization", "cookie", "cookie2", "www-authenticate", "proxy-authorization", "proxy-authenticate", "host"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcasecmp(name, names[i]) == 0)
            return true;
    return false;
}

/* Whether a header of the caller's goes out: all do, but after redirects. */
static bool goes_along(const struct rn_http_exchange *ex, const char *name)
{
    if (ex->elsewhere && is_for_one_host(name))
        return false;
    return !ex->body_dropped || strncasecmp(name, "content-", 8) != 0;
}

/* Whether a header is the one with the caller's cookies, which libcurl puts into one line with those that it keeps (RFC
 * 6265, 5.4: there is but one). */
static bool joins_cookies(const struct rn_http_exchange *ex, const rn_http_header *h, bool others)
{
    return ex->client->cookies && !others && *h->value && strcasecmp(h->name, "cookie") == 0;
}

static bool has_body(const struct rn_http_exchange *ex)
{
    return ex->request.body || ex->sends;
}

/* What libcurl would add by itself is switched off: Expect (servers that don't know it cost a second), and
 * the type of a form. */
static bool set_headers(struct rn_http_exchange *ex)
{
    const rn_http_client_request *r = &ex->request;
    bool typed = false, expects = false, has_cookies = false, good = true;
    bool encodes = ex->client->options.keep_encoding || rn__http_asks_for_part(r);
    for (size_t i = 0; good && i < r->headers_len; i++) {
        const rn_http_header *h = &r->headers[i];
        typed |= strcasecmp(h->name, "content-type") == 0;
        expects |= strcasecmp(h->name, "expect") == 0;
        encodes |= strcasecmp(h->name, "accept-encoding") == 0;
        if (!goes_along(ex, h->name))
            continue;
        bool joins = joins_cookies(ex, h, has_cookies);
        has_cookies |= joins;
        good =
            joins ? curl_easy_setopt(ex->easy, CURLOPT_COOKIE, h->value) == CURLE_OK : add_line(ex, h->name, h->value);
    }
    if (good && has_body(ex) && r->content_type)
        good = add_line(ex, "Content-Type", r->content_type);
    if (good && !typed && !(has_body(ex) && r->content_type))
        good = add_raw(ex, "Content-Type:");
    if (good && !expects)
        good = add_raw(ex, "Expect:");
    if (good && !encodes)
        good = add_raw(ex, "Accept-Encoding: gzip, deflate");
    curl_easy_setopt(ex->easy, CURLOPT_HTTPHEADER, ex->headers);
    return good;
}

static bool may_have_length_0(const char *method)
{
    return strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0 || strcmp(method, "PATCH") == 0;
}

static void set_method(struct rn_http_exchange *ex)
{
    const rn_http_client_request *r = &ex->request;
    CURL *e = ex->easy;
    if (ex->sends) {
        curl_easy_setopt(e, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(e, CURLOPT_INFILESIZE_LARGE, r->body_size ? (curl_off_t)r->body_size : (curl_off_t)-1);
    } else if (r->body || may_have_length_0(ex->method)) {
        curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body_len);
        curl_easy_setopt(e, CURLOPT_POSTFIELDS, r->body ? r->body : "");
    } else if (strcmp(ex->method, "HEAD") == 0) {
        curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
        return;
    }
    if (strcmp(ex->method, ex->sends ? "PUT" : has_body(ex) ? "POST" : "GET") != 0)
        curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, ex->method); /* not what libcurl would say by itself */
}

static void set_tls(struct rn_http_exchange *ex, const rn_http_client_options *o)
{
    const char *ca = ex->request.ca_file ? ex->request.ca_file : o->ca_file;
    if (ca) {
        curl_easy_setopt(ex->easy, CURLOPT_CAINFO, ca);
        curl_easy_setopt(ex->easy, CURLOPT_CAPATH, NULL);
    }
    if (ex->request.insecure || o->insecure) {
        curl_easy_setopt(ex->easy, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(ex->easy, CURLOPT_SSL_VERIFYHOST, 0L);
    }
}

/* libcurl 7.88 begins HTTP/2 anew with each request on a connection without TLS (its issue 10634, mended in 8.0): there each
 * has a connection of its own. */
static bool keeps_h2c(void)
{
    unsigned v = curl_version_info(CURLVERSION_NOW)->version_num;
    return v < 0x075800 || v >= 0x080000;
}

static void set_version(struct rn_http_exchange *ex, const rn_http_client_options *o)
{
    int version = ex->request.version ? ex->request.version : o->version;
    long v = version == 11 ? CURL_HTTP_VERSION_1_1 : CURL_HTTP_VERSION_2TLS;
    if (version == 20 && !ex->tls)
        v = CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE;
    curl_easy_setopt(ex->easy, CURLOPT_HTTP_VERSION, v);
    if (v == CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE && !keeps_h2c()) {
        curl_easy_setopt(ex->easy, CURLOPT_FRESH_CONNECT, 1L);
        curl_easy_setopt(ex->easy, CURLOPT_FORBID_REUSE, 1L);
        return;
    }
    /* Rather wait for a connection that is being made, and may carry many exchanges, than make another. */
    if (version == 20 || (ex->tls && version != 11))
        curl_easy_setopt(ex->easy, CURLOPT_PIPEWAIT, 1L);
}

/* The proxy that this exchange would go through; "": none.  libcurl knows the exceptions. */
static const char *proxy_of(const struct rn_http_exchange *ex)
{
    const struct rn_http_client *c = ex->client;
    if (ex->request.proxy)
        return ex->request.proxy;
    if (c->options.proxy)
        return c->options.proxy;
    const char *own = c->environment[ex->tls], *any = c->environment[2];
    return own ? own : any ? any : "";
}

static void set_connection(struct rn_http_exchange *ex, const rn_http_client_options *o)
{
    CURL *e = ex->easy;
    rn_duration connect = o->connect_timeout ? o->connect_timeout : 30 * RN_SECOND;
    curl_easy_setopt(e, CURLOPT_PROXY, proxy_of(ex));
    curl_easy_setopt(e, CURLOPT_NOPROXY, o->no_proxy ? o->no_proxy : ""); /* NULL: it would ask the environment */
    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)rn__in_units(connect, RN_MILLISECOND)); /* it keeps 32 bits */
    curl_easy_setopt(e, CURLOPT_MAXAGE_CONN, (long)(rn__http_idle_timeout(ex->client) / RN_SECOND + 1));
    curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
    set_tls(ex, o);
    set_version(ex, o);
}

static void set_all(struct rn_http_exchange *ex)
{
    const rn_http_client_options *o = &ex->client->options;
    CURL *e = ex->easy;
    if (ex->client->cookies)
        curl_easy_setopt(e, CURLOPT_COOKIEFILE, NULL); /* the reset of libcurl 7.88 forgets to free it */
    curl_easy_reset(e);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    if (ex->streams)
        curl_easy_setopt(e, CURLOPT_BUFFERSIZE, (long)RN_HTTP_RECEIVES);
    curl_easy_setopt(e, CURLOPT_PRIVATE, ex);
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, ex->error);
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    if (!o->user_agent || *o->user_agent)
        curl_easy_setopt(e, CURLOPT_USERAGENT, o->user_agent ? o->user_agent : "runnel/" RN_VERSION);
    if (ex->client->cookies) {
        curl_easy_setopt(e, CURLOPT_SHARE, ex->client->cookies);
        curl_easy_setopt(e, CURLOPT_COOKIEFILE, ""); /* takes part, and reads no file */
    }
    set_connection(ex, o);
    set_method(ex);
    rn__http_callbacks_set(ex);
    rn__http_sockets_set(ex);
}

/* What an earlier hop has left. */
static void begin_again(struct rn_http_exchange *ex)
{
    drop_lists(ex);
    rn__http_chunks_drop(ex);
    rn__http_unpacker_free(ex->unpacker);
    ex->unpacker = NULL;
    ex->packing = RN__HTTP_PLAIN;
    ex->news = 0;
    ex->result = ex->why = ex->status = 0;
    ex->why_said = NULL;
    ex->head_over = ex->discards = ex->stopped = ex->asked = ex->stands = ex->again = ex->wants_goodbye = false;
    ex->head.used = ex->body.used = 0;
    ex->head_n = ex->heads_bytes = ex->discarded = 0;
    ex->error[0] = 0;
}

static uint64_t hash(const char *text)
{
    uint64_t h = 0xcbf29ce484222325u; /* FNV-1a */
    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * 0x100000001b3u;
    return h ^ h >> 32;
}

/* Names that are not ASCII as libcurl will look them up. */
#ifdef CURLU_PUNYCODE
#define AS_ASCII CURLU_PUNYCODE
#else
#define AS_ASCII 0
#endif

/* The parts of the URL that decide where it goes. */
struct rn__http_place {
    char *scheme, *host, *port;
};

static int place_of(const char *url, struct rn__http_place *p)
{
    CURLU *u = curl_url();
    if (!u)
        return RN_ENOMEM;
    bool good = curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
                curl_url_get(u, CURLUPART_SCHEME, &p->scheme, 0) == CURLUE_OK &&
                curl_url_get(u, CURLUPART_HOST, &p->host, AS_ASCII) == CURLUE_OK &&
                curl_url_get(u, CURLUPART_PORT, &p->port, CURLU_DEFAULT_PORT) == CURLUE_OK;
    curl_url_cleanup(u);
    return good && (strcmp(p->scheme, "http") == 0 || strcmp(p->scheme, "https") == 0) ? 0 : RN_EURL;
}

static void place_drop(struct rn__http_place *p)
{
    curl_free(p->scheme);
    curl_free(p->host);
    curl_free(p->port);
}

int rn__http_exchange_aim(struct rn_http_exchange *ex)
{
    struct rn__http_place p = {0};
    int err = place_of(ex->url, &p);
    begin_again(ex);
    if (!err) {
        ex->shard = &ex->client->shards[hash(p.host) % ex->client->shards_n];
        ex->tls = strcmp(p.scheme, "https") == 0;
        set_all(ex);
        if (curl_easy_setopt(ex->easy, CURLOPT_URL, ex->url) != CURLE_OK || !set_headers(ex))
            err = RN_ENOMEM;
    }
    if (!err)
        err = rn__http_name(ex, proxy_of(ex), p.host, p.port);
    ex->secures = ex->tls || strncasecmp(proxy_of(ex), "https:", 6) == 0;
    place_drop(&p);
    return err;
}

/* ---- redirects --------------------------------------------------------------------------------------- */

static bool same_place(const char *a, const char *b)
{
    struct rn__http_place p = {0}, q = {0};
    bool same = place_of(a, &p) == 0 && place_of(b, &q) == 0 && strcmp(p.scheme, q.scheme) == 0 &&
                strcasecmp(p.host, q.host) == 0 && strcmp(p.port, q.port) == 0;
    place_drop(&p);
    place_drop(&q);
    return same;
}

/* Where the answer leads, in memory of ours.  (libcurl knows it only of an answer that was read to its end.)  What makes no URL stays as
 * it is, for the next hop to refuse.  NULL: no memory. */
static char *next_url(const struct rn_http_exchange *ex)
{
    const char *to = rn__http_head_find(ex, "location");
    char *whole = NULL;
    CURLU *u = curl_url();
    if (!u)
        return NULL;
    if (curl_url_set(u, CURLUPART_URL, ex->url, 0) == CURLUE_OK &&
        curl_url_set(u, CURLUPART_URL, to, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK)
        curl_url_get(u, CURLUPART_URL, &whole, 0);
    char *url = copy(whole ? whole : to);
    curl_free(whole);
    curl_url_cleanup(u);
    return url;
}

int rn__http_exchange_redirect(struct rn_http_exchange *ex)
{
    if (ex->redirects >= ex->max_redirects)
        return RN_EREDIRECTS;
    char *url = next_url(ex);
    if (!url)
        return RN_ENOMEM;
    if (!same_place(ex->url, url))
        ex->elsewhere = true;
    rn__free(ex->url);
    ex->url = url;
    ex->redirects++;
    bool to_get = ex->status == 303 ? strcmp(ex->method, "HEAD") != 0 : strcmp(ex->method, "POST") == 0;
    if (ex->status <= 303 && to_get) {
        ex->method = "GET";
        ex->body_dropped = true;
        drop_body(ex);
    }
    return 0;
}
