/* See stream.h. */
#include "http/stream.h"
#include <string.h>

ptrdiff_t rn__stream_read(rn_context *ctx, struct rn__http_stream *s, void *buffer, size_t n)
{
    return s->tls ? rn__tls_read(ctx, s, buffer, n) : rn_net_read_ctx(ctx, s->c, buffer, n);
}

int rn__stream_wait(rn_context *ctx, struct rn__http_stream *s)
{
    return s->tls && rn__tls_pending(s->tls) ? 0 : rn_net_wait_read_ctx(ctx, s->c);
}

ptrdiff_t rn__stream_write(struct rn__http_stream *s, const void *data, size_t n)
{
    return s->tls ? rn__tls_write(s, data, n, false) : rn_net_write(s->c, data, n);
}

/* TLS makes records of what it is given: small pieces are put together. */
ptrdiff_t rn__stream_writev(struct rn__http_stream *s, const struct iovec *iov, int n)
{
    enum { TOGETHER = 4096 };
    char together[TOGETHER];
    size_t have = 0;
    if (!s->tls)
        return rn_net_writev(s->c, iov, n);
    for (int i = 0; i < n; i++) {
        ptrdiff_t sent = 0;
        if (have + iov[i].iov_len > TOGETHER && have) {
            sent = rn__tls_write(s, together, have, true);
            have = 0;
        }
        if (iov[i].iov_len > TOGETHER) {
            sent = sent < 0 ? sent : rn__tls_write(s, iov[i].iov_base, iov[i].iov_len, true);
        } else if (iov[i].iov_len) {
            memcpy(together + have, iov[i].iov_base, iov[i].iov_len);
            have += iov[i].iov_len;
        }
        if (sent < 0)
            return sent;
    }
    return rn__tls_write(s, together, have, false); /* with what waits from before, also where nothing is left */
}

void rn__stream_close_write(struct rn__http_stream *s)
{
    if (s->tls)
        rn__tls_close_write(s);
    rn_net_close_write(s->c);
}

void rn__stream_end(struct rn__http_stream *s, bool goodbye)
{
    if (s->tls && goodbye)
        rn__tls_close_write(s);
    if (s->tls)
        rn__tls_free(s->tls);
    s->tls = NULL;
}
