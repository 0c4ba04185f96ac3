/* A server and its connections, for the files that make them up.
 *
 *   conn.c    a connection's life, and requests of HTTP/1 on it       h1.c   how HTTP/1 carries an exchange
 *   server.c  listeners, the set of connections, shutting down        h2*.c  HTTP/2
 *
 * Lock order: the server's lock is taken with no other held, and nothing blocks under it. */
#ifndef RN_HTTP_CONN_H
#define RN_HTTP_CONN_H

#include "base/list.h"
#include "http/exchange.h"
#include "http/stream.h"
#include <runnel/sync.h>

/* Who may close a connection.  IDLE -> ACTIVE and back: its own goroutine.  IDLE -> CLOSING: whoever drains the server; the
 * goroutine, which waits in a read, then finds it closed. */
enum { RN__HTTP_IDLE, RN__HTTP_ACTIVE, RN__HTTP_CLOSING };

struct rn__http_conn {
    struct rn_node node; /* in the server's set; guarded by its lock */
    rn_http_server *server;
    struct rn__http_stream stream;
    struct rn__http_work *work; /* NULL while no request is under way */
    rn_atomic(uint32_t) state;  /* RN__HTTP_IDLE … */
    rn_time idle_until;         /* for its next request; 0: not set */
    rn_atomic(bool) is_h2;      /* HTTP/2; stays ACTIVE then, and ends by itself when the server drains */
    rn_atomic(bool) served;     /* a request was: what begins like HTTP/2 is not; its goroutine writes */
    bool broken;                /* the last response is not whole: no goodbye is to make it look so */
};

enum { RN__HTTP_IN = 8192, RN__HTTP_HEAD_OUT = 4096, RN__HTTP_ARENA = 4096, RN__HTTP_FIELDS = 100 };

struct rn__http_buffers {
    struct rn__http_field fields[RN__HTTP_FIELDS];
    char out[RN__HTTP_HEAD_OUT];
    char body[RN__HTTP_BODY];
    char in[RN__HTTP_IN];
};

/* What a connection has that has a request under way, under HTTP/1.  From a pool: an idle connection has none. */
struct rn__http_work {
    struct rn_http_writer x;
    struct rn__http_conn *conn;
    struct rn__http_buffers *buffers; /* NULL: they were given back */
    bool portable;                    /* nothing that the handler can see lies in them */
    char *in;                         /* theirs, or from the heap where a head was longer */
    size_t in_size, pos, len;         /* read from in: [0, len); used: [0, pos) */
    size_t head_n;                    /* the head, whose text the request's strings are */
    struct rn__http_chunked chunked;
    bool upgrade; /* the request asks for HTTP/2 */
    bool ended;   /* the peer sends nothing more */
    size_t out_n;
    int64_t date_second;
    rn_time date_until;
    char date[RN__HTTP_DATE + 2];
    _Alignas(16) char arena[RN__HTTP_ARENA];
};

/* ---- server.c ---- */

const rn_http_options *rn__http_server_options(const rn_http_server *s);
/* How long n bytes may take, by min_rate and beside it a grace that the options say; INT64_MAX: for ever. */
rn_duration rn__http_grace(const rn_http_server *s, rn_duration grace, int64_t n);
rn_context *rn__http_server_context(rn_http_server *s);
rn_context *rn__http_server_drain(rn_http_server *s); /* done when it is shut down */
bool rn__http_server_draining(rn_http_server *s);
bool rn__http_server_parted(rn_http_server *s); /* it has been draining for RN__HTTP_PARTING */
struct rn__tls_context *rn__http_server_tls(rn_http_server *s);
/* The connection's goroutine is about to end: takes it out of the set and frees it. */
void rn__http_server_forget(struct rn__http_conn *c);

/* ---- conn.c ---- */

/* What a connection's goroutine runs. */
void rn__http_conn_main(struct rn__http_conn *c);
void rn__http_conn_read_deadline(struct rn__http_conn *c, rn_time when);
enum { RN__HTTP_NOW = 1 };     /* a deadline that has passed */
enum { RN__HTTP_PARTING = 2 }; /* seconds: what a client is given to part once nothing new will come from it */
/* The server drains, and no request has come yet on this connection: it may be on its way, and is waited for for a moment. */
void rn__http_conn_first_chance(struct rn__http_conn *c);
/* Tells the client that nothing follows, and throws away what it still sends, for a while. */
void rn__http_conn_linger(struct rn__http_conn *c);
/* Sets the deadline for writing n bytes, by the server's options. */
void rn__http_conn_write_deadline(struct rn__http_conn *c, size_t n);
/* What is read with goes back to the pool, where that was not done; no handler may be running. */
void rn__http_conn_give_work(struct rn__http_conn *c);
/* The handler goes on without buffers, where it can: nothing more will be read or written with them. */
void rn__http_conn_give_buffers(struct rn__http_work *w);
/* … and writes them. */
ptrdiff_t rn__http_conn_write(struct rn__http_conn *c, const void *data, size_t n);
char *rn__http_conn_remote(struct rn__http_conn *c, struct rn__http_arena *a);
/* Give up the memory that the pools of buffers keep; for leak checks, when no server runs. */
void rn__http_conn_drain_pool(void);
void rn__http2_drain_pool(void);
void rn__websocket_drain_pool(void);

/* ---- h1.c ---- */

extern const struct rn__http_carrier rn__http1;
/* Sends what waits in the buffers' `out`. */
int rn__http1_flush(struct rn__http_work *w);
/* Reads more behind w->len: > 0, 0 at the end, or an error; RN_ENOMEM when there is no room.  Flushes first. */
ptrdiff_t rn__http1_fill(struct rn__http_work *w);
/* Sends a response by itself, for what is no request. */
void rn__http1_refuse(struct rn__http_work *w, int status);

/* Moves the state on; false when it is another: somebody closes the connection. */
bool rn__http_conn_become(struct rn__http_conn *c, uint32_t from, uint32_t to);

/* ---- h2.c ---- */

/* Whether an HTTP/1.1 request has one HTTP2-Settings, which makes sense; else its wish for HTTP/2 is not heard. */
bool rn__http2_can_upgrade(const struct rn_http_writer *x);
/* Serves HTTP/2 until the connection ends.  `first`: n bytes that were read already (the client's preface, or part of it).
 * x: the request that asked for the upgrade from HTTP/1.1, with its HTTP2-Settings; or NULL.  Both lie in the connection's work, which
 * is given back, x ended, when they have been taken; where it comes to that. */
void rn__http2_serve(struct rn__http_conn *c, const char *first, size_t n, struct rn_http_writer *x);

#endif
