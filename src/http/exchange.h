/* One request and its response, as the handler's functions see it, whichever protocol carries it.
 *
 * A handler's http_request and http_writer are the same object.  What differs between HTTP/1 and HTTP/2 is behind
 * `struct rn__http_carrier`.  One goroutine at a time uses an exchange; only `gone` and the context may
 * be touched by others.
 *
 * Life: rn__http_begin, then the carrier fills in the request, rn__http_run calls the handler and completes the response,
 * rn__http_end gives back what belongs to the request. */
#ifndef RN_HTTP_EXCHANGE_H
#define RN_HTTP_EXCHANGE_H

#include "base/atomic.h"
#include "http/arena.h"
#include "http/mux.h"
#include "http/parse.h"
#include <runnel/http.h>
#include <runnel/time.h>
#include <runnel/waitgroup.h>

struct rn__http_conn;

/* What carries an exchange. */
struct rn__http_carrier {
    /* Reads of the body: > 0, 0 at its end (x->body_done is set by the caller), or an error: RN_ETIMEOUT at the deadline. */
    ptrdiff_t (*read)(struct rn_http_writer *x, void *buffer, size_t n, rn_time deadline);
    /* Sends the head, if it was not sent, and n bytes of body at `data`; `last`: nothing follows.  Blocks.  0 or an error. */
    int (*send)(struct rn_http_writer *x, const void *data, size_t n, bool last);
    /* Sends an interim response. */
    int (*interim)(struct rn_http_writer *x, int status);
    /* Sends n bytes of a file from offset, after the head; -ENOSYS: it can't, the caller copies. */
    int (*send_file)(struct rn_http_writer *x, int fd, int64_t offset, int64_t n);
    /* Waits until the client has gone (true) or that can't be told any more, or `stop` is done (false). */
    bool (*watch)(struct rn_http_writer *x, rn_context *stop);
    bool watch_early; /* also before the body was read */
};

/* A header of the response. */
struct rn__http_out {
    const char *name, *value;
    uint32_t name_n, value_n; /* name_n 0: taken away */
};

enum { RN__HTTP_BODY = 4096, RN__HTTP_OUT_INLINE = 16 };

struct rn_http_writer {
    rn_http_request r; /* first: a request is its exchange */
    const struct rn__http_carrier *carrier;
    struct rn__http_conn *conn;
    rn_http_server *server;
    struct rn__http_arena arena;
    rn_time began; /* by the tick where no log asks for more */

    struct rn__http_field *fields;
    size_t n_fields;
    struct rn__http_field *trailers;
    size_t n_trailers;
    const char *match_path; /* decoded, a byte 0 for an encoded '/' */
    size_t match_path_n;
    bool clean_path; /* it came as it is */
    struct rn__http_match match;
    void *arg;
    char *remote;
    struct rn__http_form *form;

    /* the body of the request */
    int64_t body_left;  /* of Content-Length; -1: chunked, or by frames */
    int64_t body_total; /* bytes read so far */
    rn_time body_began; /* 0 before the first read */
    bool body_done, expects_continue;
    bool leaves_body; /* HTTP/1: the end of what the handler left unread was not in sight, and the head says close */
    int body_error;
    int body_status; /* what the response is because of it, unless the handler sets one after it; 0 */

    /* the context, made when asked for */
    rn_context *ctx;
    rn_context *watch_stop;
    rn_context *given; /* by rn_http_mux_serve_ctx, in its place; else NULL */
    rn_waitgroup watching;

    /* the response */
    int status;
    bool head_sent, no_body, finished, chunked, close, hijacked;
    int error;        /* of the connection: nothing more can be sent */
    int64_t declared; /* Content-Length that was set; -1 */
    int64_t written;  /* bytes of body that the handler has written */
    struct rn__http_out out_inline[RN__HTTP_OUT_INLINE], *out;
    size_t n_out, out_room;
    size_t body_n; /* in body, not sent yet */
    char *body;    /* RN__HTTP_BODY bytes */
};

static inline struct rn_http_writer *rn__http_of(const rn_http_request *r)
{
    return (struct rn_http_writer *)(void *)r;
}

/* Clears x for a new request, all but carrier, conn, server, arena and body. */
void rn__http_begin(struct rn_http_writer *x);
/* Splits the target into path and query.  0 or the status to refuse it with. */
int rn__http_take_target(struct rn_http_writer *x, const char *target, size_t n);
/* A context below parent (NULL: none) with this deadline (0: none); NULL when there is no memory. */
rn_context *rn__http_make_context(rn_context *parent, rn_time deadline);
/* Finds the handler, runs it, completes the response, writes the log.  True when a panic was recovered: the connection is to
 * be closed. */
bool rn__http_run(struct rn_http_writer *x);
/* Answers with a redirect to the path, cleaned or with a slash behind it, and the query. */
void rn__http_redirect_path(struct rn_http_writer *x, bool slash);
/* Nobody looks out for the client's end any more. */
void rn__http_end_watch(struct rn_http_writer *x);
/* Gives back what the request holds. */
void rn__http_end(struct rn_http_writer *x);
/* Completes the response: what is left is sent. */
void rn__http_finish(struct rn_http_writer *x);

/* The headers of the response that the library adds: Content-Length, Content-Type and so on; called by the carrier, once, before
 * it sends the head.  `last`: the body_n bytes are all of the body. */
void rn__http_complete_head(struct rn_http_writer *x, size_t n, bool last);
/* Whether a header of the response, which is a list and may be there several times, has the item. */
bool rn__http_lists(const struct rn_http_writer *x, const char *header, const char *item);
/* Sends what waits in x->body. */
int rn__http_send_body(struct rn_http_writer *x, const void *data, size_t n, bool last);
/* Reads of the body with the server's limit, as rn_http_read. */
ptrdiff_t rn__http_read_body(struct rn_http_writer *x, void *buffer, size_t n);
/* "Mon, 02 Jan 2006 15:04:05 GMT" for seconds since 1970; 29 bytes and a NUL. */
enum { RN__HTTP_DATE = 30 };
void rn__http_date(char to[RN__HTTP_DATE], int64_t seconds);
/* The other way; -1 when it is none. */
int64_t rn__http_parse_date(const char *text);
/* The wall clock, in seconds since 1970. */
int64_t rn__http_wall(void);
/* Writes the access log's line. */
void rn__http_log(struct rn_http_writer *x);

#endif
