/* TLS by OpenSSL, over BIOs in memory: OpenSSL never touches the socket, the goroutine does the reading and writing, and
 * waits without holding anything.
 *
 *   reading:  [reading]  lock: SSL_read from what has come; if it wants more: unlock, read the socket, lock, feed it
 *   writing:  [writing]  lock: SSL_write into `out`, take what is there; unlock, write it to the socket
 *
 * `lock` guards the SSL object, its BIOs and `out`, and is held for computing only.  `writing` is held from taking ciphertext out of
 * `out` until it was written, so that records leave in the order in which they were made; whoever reads may have something to write too
 * (key updates, alerts, the handshake).  Lock order: reading, writing, lock.
 *
 * `out` is behind a BIO of our own, so that what is much is handed on without a copy, and no idle connection keeps a buffer that
 * OpenSSL's own has let grow.
 *
 * OpenSSL's error queue is thread-local: it is cleared before and read directly after a call, with no wait between.
 *
 * Rejected: SSL_set_fd with waits on WANT_READ: it reads the socket behind the back of the connection's record, which knows
 * from the last read whether anything can be there.  And a BIO of our own for what comes, too, over the buffer that was read into, 32 KiB at a
 * time: without OpenSSL's copy, and without the small read before each large one, uploads took 4 % less processor time on two processors, but 6 %
 * more on one (three of 768 MiB by turns, EPYC 7003; Go's take as much as ours on one, 12 % less on two). */
#define _GNU_SOURCE 1
#include "base/alloc.h"
#include "http/stream.h"
#include "sched/sched.h"
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <runnel/mutex.h>
#include <stdio.h>

enum {
    SMALL = 4096,       /* bytes: on the stack; more is taken for as long as it is needed */
    LARGE = 32 << 10,   /* read at a time */
    RECORD = 16384,     /* of plain text, at most (RFC 8446, 5.1) */
    BATCH = 4 * RECORD, /* of records, before they are written */
};

struct rn__tls_context {
    SSL_CTX *ctx;
    BIO_METHOD *to_peer;
};

struct rn__tls {
    SSL *ssl;
    BIO *in; /* ciphertext from the peer */
    struct {
        char *data;
        size_t n, room;
    } out;      /* ciphertext to the peer */
    bool plain; /* what came was no handshake but a request of HTTP */
    rn_mutex reading, writing, lock;
};

/* ---- the BIO of `out` ---- */

static bool reserve(struct rn__tls *t, size_t room)
{
    if (room <= t->out.room)
        return true;
    char *data = rn__realloc(t->out.data, room);
    if (!data)
        return false;
    t->out.data = data;
    t->out.room = room;
    return true;
}

static int put(BIO *b, const char *data, int n)
{
    struct rn__tls *t = BIO_get_data(b);
    size_t need = t->out.n + (size_t)n, twice = 2 * t->out.room;
    if (need > t->out.room && !reserve(t, need > twice ? need : twice))
        return -1;
    memcpy(t->out.data + t->out.n, data, (size_t)n);
    t->out.n = need;
    return n;
}

static long control(BIO *b, int what, long n, void *p)
{
    (void)b, (void)n, (void)p;
    return what == BIO_CTRL_FLUSH;
}

static BIO_METHOD *make_to_peer(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "to the peer");
    if (m && BIO_meth_set_write(m, put) && BIO_meth_set_ctrl(m, control))
        return m;
    BIO_meth_free(m);
    return NULL;
}

static BIO *to_peer(const BIO_METHOD *method, struct rn__tls *t)
{
    BIO *b = BIO_new(method);
    if (b) {
        BIO_set_data(b, t);
        BIO_set_init(b, 1);
    }
    return b;
}

/* ---- a server's settings ---- */

static const unsigned char with_h2[] = "\x02h2\x08http/1.1\x08http/1.0", without[] = "\x08http/1.1\x08http/1.0";

static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_n, const unsigned char *in,
                           unsigned in_n, void *h2)
{
    const unsigned char *ours = h2 ? with_h2 : without;
    unsigned n = h2 ? sizeof with_h2 - 1 : sizeof without - 1;
    (void)ssl;
    if (SSL_select_next_proto((unsigned char **)out, out_n, ours, n, in, in_n) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    return SSL_TLSEXT_ERR_OK;
}

/* Of the errors that OpenSSL has noted the first tells most. */
static int complain(const char *what, const char *file)
{
    unsigned long code = ERR_peek_error();
    int system = ERR_SYSTEM_ERROR(code) ? ERR_GET_REASON(code) : 0;
    const char *reason = system ? rn_strerror(-system) : ERR_reason_error_string(code);
    fprintf(stderr, "http: %s %s: %s\n", what, file, reason ? reason : "unknown error");
    return system ? -system : RN_EINVAL;
}

static int load(SSL_CTX *ctx, const char *cert, const char *key)
{
    ERR_clear_error();
    rn__hib_hold(cert, strlen(cert) + 1); /* libcrypto opens them */
    rn__hib_hold(key, strlen(key) + 1);
    if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1)
        return complain("certificate", cert);
    if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
        return complain("private key", key);
    if (SSL_CTX_check_private_key(ctx) != 1)
        return complain("the private key does not fit the certificate:", key);
    return 0;
}

/* Names of suites as OpenSSL takes them, between colons. */
struct suites {
    char names[8192];
    size_t n;
    bool too_many;
};

static void add_suite(struct suites *s, const SSL_CIPHER *c)
{
    int n = snprintf(s->names + s->n, sizeof s->names - s->n, "%s%s", s->n ? ":" : "", SSL_CIPHER_get_name(c));
    s->too_many |= n < 0 || (size_t)n >= sizeof s->names - s->n;
    s->n += s->too_many ? 0 : (size_t)n;
}

static bool is_tls13(const SSL_CIPHER *c)
{
    return strcmp(SSL_CIPHER_get_version(c), "TLSv1.3") == 0;
}

/* Of the suites of TLS 1.3 those of AES-128 come first, as with Go's server, and the others as OpenSSL, or who has configured
 * it, has them: AES-256 takes 14 rounds where AES-128 takes 10. */
static void prefer_aes_128(SSL_CTX *ctx)
{
    struct suites suites = {0};
    STACK_OF(SSL_CIPHER) *all = SSL_CTX_get_ciphers(ctx);
    for (int others = 0; others < 2; others++)
        for (int i = 0; i < sk_SSL_CIPHER_num(all); i++) {
            const SSL_CIPHER *c = sk_SSL_CIPHER_value(all, i);
            if (is_tls13(c) && (SSL_CIPHER_get_bits(c, NULL) != 128) == others)
                add_suite(&suites, c);
        }
    if (suites.n && !suites.too_many)
        SSL_CTX_set_ciphersuites(ctx, suites.names);
}

/* Of the suites of TLS 1.2 those whose keys are sent encrypted with the certificate's are taken away, as by Go since 1.22: who
 * gets that key later reads all that was recorded, and how it is decrypted has leaked again and again.  The others stay as they
 * are configured. */
static void drop_rsa_exchange(SSL_CTX *ctx)
{
    struct suites suites = {0};
    STACK_OF(SSL_CIPHER) *all = SSL_CTX_get_ciphers(ctx);
    for (int i = 0; i < sk_SSL_CIPHER_num(all); i++) {
        const SSL_CIPHER *c = sk_SSL_CIPHER_value(all, i);
        if (!is_tls13(c) && SSL_CIPHER_get_kx_nid(c) != NID_kx_rsa)
            add_suite(&suites, c);
    }
    if (suites.n && !suites.too_many)
        SSL_CTX_set_cipher_list(ctx, suites.names);
}

int rn__tls_context_make(const char *cert, const char *key, bool h2, struct rn__tls_context **out)
{
    static const unsigned char id[] = "runnel";
    struct rn__tls_context *t = rn__calloc(1, sizeof *t);
    if (!t || !(t->ctx = SSL_CTX_new(TLS_server_method())) || !(t->to_peer = make_to_peer())) {
        rn__tls_context_free(t);
        return RN_ENOMEM;
    }
    SSL_CTX_set_min_proto_version(t->ctx, TLS1_2_VERSION);
    SSL_CTX_set_options(t->ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                    SSL_OP_PRIORITIZE_CHACHA); /* of a client whose own first choice it is */
    prefer_aes_128(t->ctx);
    drop_rsa_exchange(t->ctx);
    SSL_CTX_set_mode(t->ctx,
                     SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    /* Who comes again brings a ticket, one for each connection as of Go's server: nothing is kept here.  OpenSSL would
     * make two, and keep 20,480 sessions behind a lock: some 5 % of a handshake. */
    SSL_CTX_set_session_cache_mode(t->ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(t->ctx, 1);
    SSL_CTX_set_session_id_context(t->ctx, id, sizeof id - 1);
    SSL_CTX_set_alpn_select_cb(t->ctx, choose_protocol, h2 ? t : NULL);
    int err = load(t->ctx, cert, key);
    if (err) {
        rn__tls_context_free(t);
        return err;
    }
    *out = t;
    return 0;
}

void rn__tls_context_free(struct rn__tls_context *t)
{
    if (t) {
        SSL_CTX_free(t->ctx);
        BIO_meth_free(t->to_peer);
    }
    rn__free(t);
}

/* ---- a connection ---- */

static struct rn__tls *make(const struct rn__tls_context *context)
{
    struct rn__tls *t = rn__calloc(1, sizeof *t);
    if (!t)
        return NULL;
    BIO *out = to_peer(context->to_peer, t);
    t->ssl = SSL_new(context->ctx);
    t->in = BIO_new(BIO_s_mem());
    if (!t->ssl || !t->in || !out) {
        SSL_free(t->ssl);
        BIO_free(t->in);
        BIO_free(out);
        rn__free(t);
        return NULL;
    }
    BIO_set_mem_eof_return(t->in, -1); /* empty is "not yet", not the end */
    SSL_set_bio(t->ssl, t->in, out);
    SSL_set_accept_state(t->ssl);
    return t;
}

void rn__tls_free(struct rn__tls *t)
{
    SSL_free(t->ssl); /* with the BIOs */
    rn__free(t->out.data);
    rn__free(t);
}

bool rn__tls_pending(struct rn__tls *t)
{
    rn_mutex_lock(&t->lock);
    bool some = SSL_has_pending(t->ssl) || BIO_ctrl_pending(t->in) > 0;
    rn_mutex_unlock(&t->lock);
    return some;
}

/* Takes what OpenSSL has for the peer: *n bytes in what is returned, which is `small`, or the caller's to free. */
static char *take_output(struct rn__tls *t, char *small, size_t *n)
{
    char *data = small;
    rn_mutex_lock(&t->lock);
    *n = t->out.n;
    if (*n && t->out.room > SMALL) {
        data = t->out.data;
        t->out.data = NULL;
        t->out.room = 0;
    } else if (*n) {
        memcpy(small, t->out.data, *n);
    }
    t->out.n = 0;
    rn_mutex_unlock(&t->lock);
    return data;
}

/* Writes what OpenSSL has for the peer.  With `writing`. */
static int flush(struct rn__http_stream *s)
{
    char small[SMALL];
    ptrdiff_t sent = 0;
    size_t n;
    for (char *data; sent >= 0 && (data = take_output(s->tls, small, &n), n > 0);) {
        sent = rn_net_write(s->c, data, n);
        if (data != small)
            rn__free(data);
    }
    return sent < 0 ? (int)sent : 0;
}

/* The turn to write what OpenSSL has for the peer, where that is anything.  Who reads does not wait for a writer, who may wait for
 * the peer to read, and the peer for us: the writer looks again when it is through.  Unless it is more than a writer has there, and
 * so much that it were a way to fill our memory. */
static bool begin_flush(struct rn__tls *t)
{
    rn_mutex_lock(&t->lock);
    size_t pending = t->out.n;
    rn_mutex_unlock(&t->lock);
    if (pending >= 2 * BATCH)
        rn_mutex_lock(&t->writing);
    return pending >= 2 * BATCH || (pending && rn_mutex_try_lock(&t->writing));
}

static int flush_if_any(struct rn__http_stream *s)
{
    int err = 0;
    while (!err && begin_flush(s->tls)) {
        err = flush(s);
        rn_mutex_unlock(&s->tls->writing);
    }
    return err;
}

/* Gives OpenSSL what was read; returns got, or an error. */
static ptrdiff_t give_input(struct rn__tls *t, const char *data, ptrdiff_t got)
{
    rn_mutex_lock(&t->lock);
    if (got > 0 && BIO_write(t->in, data, (int)got) != got)
        got = RN_ENOMEM;
    rn_mutex_unlock(&t->lock);
    return got;
}

/* Reads ciphertext: > 0, 0 at the end, or an error. */
static ptrdiff_t feed(rn_context *ctx, struct rn__http_stream *s)
{
    char small[SMALL];
    ptrdiff_t got = give_input(s->tls, small, rn_net_read_ctx(ctx, s->c, small, SMALL));
    char *large = got == SMALL ? rn__malloc(LARGE) : NULL; /* more is there: an upload */
    if (large && give_input(s->tls, large, rn_net_try_read(s->c, large, LARGE)) == RN_ENOMEM)
        got = RN_ENOMEM;
    rn__free(large);
    return got;
}

/* One step of OpenSSL, under the lock: > 0, 0 at a clean end, RN_EAGAIN for "more input", or an error. */
static ptrdiff_t step(struct rn__tls *t, int (*f)(struct rn__tls *t, void *buffer, size_t n), void *buffer, size_t n)
{
    rn_mutex_lock(&t->lock);
    ERR_clear_error();
    int got = f(t, buffer, n);
    int why = got > 0 ? SSL_ERROR_NONE : SSL_get_error(t->ssl, got);
    t->plain |= ERR_GET_REASON(ERR_peek_error()) == SSL_R_HTTP_REQUEST;
    ERR_clear_error();
    rn_mutex_unlock(&t->lock);
    switch (why) {
    case SSL_ERROR_NONE:
        return got;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return RN_EAGAIN;
    default:
        return -EPROTO;
    }
}

static int do_read(struct rn__tls *t, void *buffer, size_t n)
{
    return SSL_read(t->ssl, buffer, n < 1 << 20 ? (int)n : 1 << 20);
}

/* Makes records until all is in them, or there is a batch. */
static int do_write(struct rn__tls *t, void *buffer, size_t n)
{
    enum { OVERHEAD = 64 }; /* of a record, at most */
    size_t done = 0;
    int got;
    if (n > SMALL) /* without that it takes longer */
        (void)reserve(t, t->out.n + (n < BATCH ? n : BATCH) + (BATCH / RECORD + 1) * OVERHEAD);
    do {
        got = SSL_write(t->ssl, (char *)buffer + done, n - done < RECORD ? (int)(n - done) : RECORD);
        done += got > 0 ? (size_t)got : 0;
    } while (got > 0 && done < n && t->out.n < BATCH);
    return done ? (int)done : got;
}

static int do_accept(struct rn__tls *t, void *buffer, size_t n)
{
    (void)buffer, (void)n;
    return SSL_do_handshake(t->ssl);
}

ptrdiff_t rn__tls_read(rn_context *ctx, struct rn__http_stream *s, void *buffer, size_t n)
{
    struct rn__tls *t = s->tls;
    ptrdiff_t got;
    rn_mutex_lock(&t->reading);
    while ((got = step(t, do_read, buffer, n)) == RN_EAGAIN) {
        int err = flush_if_any(s);
        ptrdiff_t fed = err ? err : feed(ctx, s);
        if (fed <= 0) {
            got = fed; /* an end without a goodbye counts as one: HTTP knows its own */
            break;
        }
    }
    rn_mutex_unlock(&t->reading);
    return got;
}

ptrdiff_t rn__tls_write(struct rn__http_stream *s, const void *data, size_t n, bool more)
{
    struct rn__tls *t = s->tls;
    size_t done = 0;
    int err = 0;
    rn_mutex_lock(&t->writing);
    while (!err && done < n) {
        ptrdiff_t sent = step(t, do_write, (char *)data + done, n - done);
        if (sent > 0)
            done += (size_t)sent;
        if (sent <= 0)
            err = sent == 0 ? RN_ECLOSED : sent == RN_EAGAIN ? -EPROTO : (int)sent;
        else if (done < n || !more)
            err = flush(s);
    }
    rn_mutex_unlock(&t->writing);
    if (!err && !more)
        err = flush_if_any(s); /* what one who reads has left to us */
    return err ? err : (ptrdiff_t)n;
}

int rn__tls_accept(struct rn__http_stream *s, struct rn__tls_context *context, bool *h2)
{
    const unsigned char *name = NULL;
    unsigned n = 0;
    s->tls = make(context);
    if (!s->tls)
        return RN_ENOMEM;
    ptrdiff_t did;
    while ((did = step(s->tls, do_accept, NULL, 0)) == RN_EAGAIN) {
        int err = flush_if_any(s);
        ptrdiff_t fed = err ? err : feed(NULL, s);
        if (fed <= 0)
            return fed ? (int)fed : RN_EEOF;
    }
    int err = flush_if_any(s); /* also the alert of one that failed */
    if (did <= 0 || err)
        return err ? err : s->tls->plain ? RN_EINVAL : -EPROTO;
    SSL_get0_alpn_selected(s->tls->ssl, &name, &n);
    *h2 = n == 2 && name[0] == 'h' && name[1] == '2';
    return 0;
}

/* One write that does not wait: a goodbye is not worth more. */
static void send_goodbye(struct rn__http_stream *s)
{
    char small[SMALL];
    size_t n;
    rn_mutex_lock(&s->tls->lock);
    ERR_clear_error();
    SSL_shutdown(s->tls->ssl);
    ERR_clear_error();
    rn_mutex_unlock(&s->tls->lock);
    char *data = take_output(s->tls, small, &n);
    rn_net_set_write_deadline(s->c, 0); /* that of what was written before may be over */
    if (n > 0)
        (void)rn_net_try_write(s->c, data, n);
    if (data != small)
        rn__free(data);
}

void rn__tls_close_write(struct rn__http_stream *s)
{
    rn_mutex_lock(&s->tls->writing);
    send_goodbye(s);
    rn_mutex_unlock(&s->tls->writing);
}
