/* The bytes of a connection: as they are, or through TLS.
 *
 * Any number may call; each direction serves one at a time.  Deadlines are those of the connection
 * (rn_net_set_…_deadline). */
#ifndef RN_HTTP_STREAM_H
#define RN_HTTP_STREAM_H

#include <runnel/net.h>
#include <stdbool.h>

struct rn__tls;         /* one connection's state */
struct rn__tls_context; /* a server's certificate and settings */

struct rn__http_stream {
    rn_conn *c;
    struct rn__tls *tls; /* NULL: plain */
};

/* > 0, 0 at the end, or an error.  ctx NULL: nothing but the connection's end and deadline ends the wait. */
ptrdiff_t rn__stream_read(rn_context *ctx, struct rn__http_stream *s, void *buffer, size_t n);
/* Waits until a read may have something to read, and reads nothing: 0, or an error. */
int rn__stream_wait(rn_context *ctx, struct rn__http_stream *s);
/* Everything, or an error (then 0 > it). */
ptrdiff_t rn__stream_writev(struct rn__http_stream *s, const struct iovec *iov, int n);
ptrdiff_t rn__stream_write(struct rn__http_stream *s, const void *data, size_t n);
/* Tells the peer that nothing follows. */
void rn__stream_close_write(struct rn__http_stream *s);
/* Frees the state, not the connection.  goodbye: tells the peer that all has been said (TLS's close_notify; without it a
 * response that only its end delimits counts as cut off), without waiting. */
void rn__stream_end(struct rn__http_stream *s, bool goodbye);

/* ---- tls.c ---- */

/* 0, or an error, whose reason it says on stderr.  h2: offered by ALPN. */
int rn__tls_context_make(const char *cert, const char *key, bool h2, struct rn__tls_context **out);
void rn__tls_context_free(struct rn__tls_context *t);
/* Shakes hands as a server; within the connection's deadlines.  *h2: what was agreed on.  RN_EINVAL: the peer speaks
 * HTTP, and not TLS. */
int rn__tls_accept(struct rn__http_stream *s, struct rn__tls_context *t, bool *h2);
ptrdiff_t rn__tls_read(rn_context *ctx, struct rn__http_stream *s, void *buffer, size_t n);
/* more: the next such write follows at once, and what is less than a batch of records may wait for it. */
ptrdiff_t rn__tls_write(struct rn__http_stream *s, const void *data, size_t n, bool more);
/* Bytes that can be read without waiting are here already. */
bool rn__tls_pending(struct rn__tls *t);
/* Says goodbye, without waiting for the peer to take it. */
void rn__tls_close_write(struct rn__http_stream *s);
void rn__tls_free(struct rn__tls *t);

#endif
