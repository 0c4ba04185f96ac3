/* runnel/http_client.h: HTTP requests in blocking style; only the goroutine waits.
 *
 *     http_response res = {0};
 *     int err = http_get(ctx, "https://example.org/", &res);      // 0, or a negative error
 *     if (!err)
 *         printf("%d, %zu bytes\n", res.status, res.body_len);
 *     http_response_free(&res);                                   // always, also after an error
 *
 * Thousands may be under way at once: a request costs a goroutine's wait, never a thread.  Connections are kept and
 * reused, HTTP/2 is spoken with https servers that know it, certificates are verified, compressed bodies (gzip,
 * deflate) are unpacked (RN_EPROTO if one is damaged or ends early), redirects are followed, and http_proxy and its
 * like in the environment are respected.  A status such as 404 is not an error: err tells whether there is an answer,
 * res.status what it says.
 *
 * A connection that was kept may end while a request is on its way: then GET, HEAD, OPTIONS, TRACE, PUT and DELETE are
 * sent again on another one, anything else is -ECONNRESET, since the server may have done it.
 *
 * http_open returns when the head of the answer is there; http_body_read then reads the body piece by piece, and a
 * reader that is slow slows the sender.
 *
 * Contexts.  When ctx is done the exchange ends at once, whatever stage it is in, with RN_ECANCELED or RN_ETIMEOUT.
 * NULL is the background.
 *
 * Who may call: goroutines, and plain threads while rn_run is under way (RN_EAGAIN otherwise; they wait as threads).
 * The end of the run ends all requests: a plain thread gets RN_ECLOSED, and frees its response as usual.  A response
 * and an exchange belong to one goroutine at a time.  Not from signal handlers.
 *
 * Ownership.  What the response points to is freed by http_response_free.  Strings and bodies that go into a request
 * stay the caller's, and must live until the call returns; with http_open and a body, until the response is closed.  A
 * goroutine that may panic or exit in the middle of reading a response says `defer(http_response_free, &res)` before it
 * opens it: nothing else need be undone.
 *
 * Errors beside those of every call (RN_ENOMEM, RN_ECANCELED, RN_ETIMEOUT …) and of the system (-ECONNREFUSED …):
 * RN_EURL, RN_EDNS, RN_ETLS, RN_EPROTO, RN_ETOOBIG, RN_EREDIRECTS, RN_EPROXY.  res.error has a sentence with more,
 * where more is known.  A line of more than 100 KiB in the head of an answer, or 4 KiB in its trailers, is RN_ETOOBIG
 * whatever max_headers is.
 *
 * Link with -lrunnel_http (docs/guide/http_client.md).  Built on libcurl.  (Go's net/http, Client.)
 */
#ifndef RUNNEL_HTTP_CLIENT_H
#define RUNNEL_HTTP_CLIENT_H

#include <runnel/context_type.h>
#include <runnel/go.h>
#include <sys/types.h>

RN_EXTERN_C_BEGIN

/* A header: its name as sent or received (case does not matter in comparisons), and its value. */
typedef struct rn_http_header {
    const char *name, *value;
} rn_http_header;

/* An answer.  All-zero before the call; valid until rn_http_response_free. */
typedef struct rn_http_response {
    int status;                    /* 200, 404 …; 0 when there was no answer */
    int version;                   /* 10, 11 or 20: HTTP/1.0, 1.1, 2 */
    int redirects;                 /* how many were followed */
    size_t body_len;               /* bytes in body */
    char *body;                    /* with a zero byte behind it; NULL from rn_http_open, and for no bytes "" */
    const rn_http_header *headers; /* in the order received */
    size_t headers_len;
    const char *url;                      /* where the answer came from, after redirects */
    const char *error;                    /* after an error: a sentence for people, or NULL */
    struct rn_http_exchange *rn_exchange; /* private: what is under way */
    char *rn_head;                        /* private: the text of headers */
} rn_http_response;

/* What a client does alike for all its requests.  All-zero: the defaults. */
typedef struct rn_http_client_options {
    rn_duration timeout;         /* for a whole exchange, redirects and body included; 0: none */
    rn_duration connect_timeout; /* for name, connection and TLS; 0: 30 s */
    rn_duration idle_timeout;    /* unused connections are closed after it; 0: 90 s; less: at once */
    int max_idle;                /* unused connections that are kept; 0: 256 */
    int max_per_host;            /* connections to one host at a time; the rest queue; 0: no limit */
    int max_redirects;           /* 0: 10; -1: none are followed, the 3xx is the answer */
    size_t max_body;             /* bytes of body that rn_http_do takes, unpacked; more: RN_ETOOBIG; 0: no limit */
    size_t max_headers;          /* bytes of head, interim answers and trailers too; more: RN_ETOOBIG; 0: 256 KiB */
    const char *proxy;           /* "http://host:port", "socks5h://…"; "": none; NULL: by the environment */
    const char *no_proxy;        /* hosts that go past it, by commas; NULL: by the environment */
    const char *ca_file;         /* PEM file of the authorities to trust, instead of the system's */
    const char *user_agent;      /* NULL: "runnel/<version>"; "": none */
    bool insecure;               /* don't verify the certificate: anybody may pose as the server */
    bool cookies;                /* send back the cookies that servers have set; kept as long as the client */
    bool keep_encoding;          /* don't ask for compression, as with a Range, and don't unpack */
    int version;                 /* 0: HTTP/2 with https, else 1.1; 11: never 2; 20: 2 also without TLS, at once */
} rn_http_client_options;

/* A client: options and a pool of connections.  Made by rn_http_client_make. */
typedef struct rn_http_client rn_http_client;

/* A request.  All-zero but for url: a GET. */
typedef struct rn_http_client_request {
    /* http:// or https://; nothing else is fetched, nor redirected to.  A host's name that is not ASCII is taken to be in the
     * locale's encoding, so that it needs a setlocale. */
    const char *url;
    const char *method; /* NULL: "GET", or "POST" with a body */
    const rn_http_header *headers;
    size_t headers_len;
    const char *content_type; /* of the body; NULL: none is sent */
    const void *body;         /* with HEAD none is sent, nor asked for by body_read */
    size_t body_len;
    /* Instead of body: called by the goroutine that makes the request, whenever more can be sent.
     * Returns how many bytes it stored in buf (at most n), 0 at the end, or a negative error, which
     * becomes the result.  It may block, and panic. */
    ssize_t (*body_read)(void *arg, void *buf, size_t n);
    void *body_arg;
    int64_t body_size;      /* of body_read, where known and above 0: Content-Length instead of chunks */
    rn_http_client *client; /* NULL: the default client */
    /* For this request instead of the client's, where not 0 or NULL. */
    rn_duration timeout;
    int max_redirects;
    size_t max_body;
    const char *proxy;
    const char *ca_file;
    bool insecure;
    int version;
} rn_http_client_request;

/* GET url with the default client.  0, or a negative error; res is filled in as far as it goes, and
 * freed by rn_http_response_free in both cases.  Blocks until the whole body is there; ctx ends it. */
RN_PUBLIC int rn_http_get(rn_context *ctx, const char *url, rn_http_response *res);
/* POST body (len bytes, which may be 0) as content_type (NULL: none said). */
RN_PUBLIC int rn_http_post(rn_context *ctx, const char *url, const char *content_type, const void *body, size_t len,
                           rn_http_response *res);
/* Any request, the whole answer. */
RN_PUBLIC int rn_http_do(rn_context *ctx, const rn_http_client_request *request, rn_http_response *res);

/* Any request; returns when the head of the answer is there, with res.body NULL.  The body is read by
 * rn_http_body_read; ctx and the timeout go on to count until then.  What `request` points to must live until
 * the response is closed, `request` itself need not. */
RN_PUBLIC int rn_http_open(rn_context *ctx, const rn_http_client_request *request, rn_http_response *res);
/* Reads up to n bytes of the body that rn_http_open left to read: how many, 0 at its end, or a
 * negative error (a body that ends early is an error, not an end).  Blocks until there is one byte;
 * the context of rn_http_open ends it.
 * Happens before: nothing but the caller's own. */
RN_PUBLIC RN_MUST_USE ssize_t rn_http_body_read(rn_http_response *res, void *buf, size_t n);
/* Ends what rn_http_open began; status and headers stay readable.  A connection whose body was not
 * read to the end is closed, not kept.  Again: does nothing. */
RN_PUBLIC void rn_http_response_close(rn_http_response *res);
/* Closes, frees all that res holds, and makes it all-zero.  Any number of times. */
RN_PUBLIC void rn_http_response_free(rn_http_response *res);
/* The value of the first header called `name`, in any case of letters; NULL when there is none. */
RN_PUBLIC const char *rn_http_response_header(const rn_http_response *res, const char *name);

/* A client with options of its own (NULL: the defaults), whose strings are copied.  NULL when there is no memory.
 * Outlives rn_run; its connections do not. */
RN_PUBLIC RN_MUST_USE rn_http_client *rn_http_client_make(const rn_http_client_options *options);
/* Closes its connections and frees it.  Nobody may use it any more: panics while requests are under way. */
RN_PUBLIC void rn_http_client_free(rn_http_client *client);
/* Closes the connections that are not in use, of `client` or (NULL) of the default client.  Requests under way go
 * on. */
RN_PUBLIC void rn_http_client_close_idle(rn_http_client *client);

RN_EXTERN_C_END

#ifndef RN_NO_SHORT_NAMES
typedef rn_http_header http_header;
typedef rn_http_response http_response;
typedef rn_http_client http_client;
typedef rn_http_client_options http_client_options;
typedef rn_http_client_request http_client_request;
#define http_get rn_http_get
#define http_post rn_http_post
#define http_do rn_http_do
#define http_open rn_http_open
#define http_body_read rn_http_body_read
#define http_response_close rn_http_response_close
#define http_response_free rn_http_response_free
#define http_response_header(res, name) rn_http_response_header(res, name)
#define http_client_make rn_http_client_make
#define http_client_free rn_http_client_free
#define http_client_close_idle rn_http_client_close_idle
#endif

#endif
