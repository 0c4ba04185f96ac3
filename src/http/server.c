/* Servers: options, listeners, the set of connections, and how it all ends.
 *
 * What always holds: a connection is in the set from before its goroutine starts until it gives its socket back, and counts
 * until that was closed, so that who waits for the count to be 0 waits for every handler.  `draining` is set before the set is searched for idle
 * connections, and a connection looks at it after it went idle: one of the two sees the other.
 */
#define _GNU_SOURCE 1
#include "base/alloc.h"
#include "http/conn.h"
#include "net/fd.h"
#include <errno.h>
#include <runnel/semaphore.h>
#include <runnel/signal.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

struct listening {
    struct rn_node node;
    rn_listener *l;
    rn_http_server *s;
    rn_time quiet_until; /* its goroutine's: when it may be said again that nobody can be accepted */
};

struct rn_http_server {
    rn_http_options o;
    struct rn__tls_context *tls;
    rn_context *ctx;      /* done when the server is closed */
    rn_context *drain;    /* below it; done when the server is shut down */
    rn_semaphore *places; /* for connections; NULL: as many as there are */
    rn_mutex lock;
    struct rn_list connections, listeners; /* guarded by lock */
    size_t n;                              /* connections; guarded by lock */
    rn_cond empty;                         /* n, or the listeners, went to 0 */
    rn_atomic(bool) draining;
    rn_time draining_since; /* written before draining is set */
    /* Who uses the server: its connections and rn_http_serve.  Letting go is their last act with it: an unlock would not do,
     * since another may free the server before it has returned. */
    rn_waitgroup users;
};

/* How many servers there are: the pools of buffers are everybody's, and go with the last one. */
static struct {
    rn_lock lock; /* RN_RANK_HTTP */
    size_t n;
} servers;

static void count_in(void)
{
    rn_lock_take(&servers.lock, RN_RANK_HTTP);
    servers.n++;
    rn_lock_release(&servers.lock);
}

/* The server has no connection any more.  With the lock, lest another one begins. */
static void count_out(void)
{
    rn_lock_take(&servers.lock, RN_RANK_HTTP);
    if (--servers.n == 0) {
        rn__http_conn_drain_pool();
        rn__http2_drain_pool();
        rn__websocket_drain_pool();
    }
    rn_lock_release(&servers.lock);
}

const rn_http_options *rn__http_server_options(const rn_http_server *s)
{
    return &s->o;
}

rn_duration rn__http_grace(const rn_http_server *s, rn_duration grace, int64_t n)
{
    rn_duration earned;
    if (__builtin_mul_overflow(n / s->o.min_rate, RN_SECOND, &earned))
        return INT64_MAX;
    return rn_time_add(grace, earned);
}

rn_context *rn__http_server_context(rn_http_server *s)
{
    return s->ctx;
}

rn_context *rn__http_server_drain(rn_http_server *s)
{
    return s->drain;
}

bool rn__http_server_draining(rn_http_server *s)
{
    /* seq_cst: see the head of the file; with the store in stop_accepting. */
    return rn_load_seq_cst(&s->draining);
}

bool rn__http_server_parted(rn_http_server *s)
{
    return rn__http_server_draining(s) && rn_now() >= rn_time_add(s->draining_since, RN__HTTP_PARTING * RN_SECOND);
}

struct rn__tls_context *rn__http_server_tls(rn_http_server *s)
{
    return s->tls;
}

/* ---- making one ---- */

static void fill_in(rn_http_options *o)
{
#define OTHERWISE(field, value) o->field = o->field ? o->field : (value)
    OTHERWISE(max_header_bytes, 64 << 10);
    OTHERWISE(max_headers, RN__HTTP_FIELDS);
    OTHERWISE(max_body, 32 << 20);
    OTHERWISE(header_timeout, 10 * RN_SECOND);
    OTHERWISE(idle_timeout, 60 * RN_SECOND);
    OTHERWISE(body_timeout, 20 * RN_SECOND);
    OTHERWISE(write_timeout, 30 * RN_SECOND);
    OTHERWISE(min_rate, 240);
    OTHERWISE(shutdown_timeout, 10 * RN_SECOND);
    OTHERWISE(max_streams, 100);
#undef OTHERWISE
}

static bool makes_sense(const rn_http_options *o)
{
    return o->header_timeout >= 0 && o->idle_timeout >= 0 && o->body_timeout >= 0 && o->write_timeout >= 0 &&
           o->min_rate >= 0 && o->shutdown_timeout >= 0 && !o->cert_file == !o->key_file &&
           o->max_header_bytes <= (64 << 20) && o->max_headers <= 100000;
}

static int make_parts(rn_http_server *s)
{
    if (s->o.max_connections && !(s->places = rn__malloc(sizeof *s->places)))
        return RN_ENOMEM;
    if (s->places)
        *s->places = (rn_semaphore)RN_SEMAPHORE_INIT((int64_t)s->o.max_connections);
    s->ctx = rn__http_make_context(NULL, 0);
    s->drain = s->ctx ? rn__http_make_context(s->ctx, 0) : NULL;
    return s->drain ? 0 : RN_ENOMEM;
}

static void free_parts(rn_http_server *s)
{
    if (s->drain)
        rn_ctx_cancel(s->drain);
    if (s->ctx)
        rn_ctx_cancel(s->ctx);
    rn__tls_context_free(s->tls);
    if (s->places)
        rn_sem_destroy(s->places);
    rn__free(s->places);
    rn__free(s);
}

int rn_http_server_make(const rn_http_options *options, rn_http_server **out)
{
    static const rn_http_options defaults;
    *out = NULL;
    if (!options)
        options = &defaults;
    if (!makes_sense(options))
        return RN_EINVAL;
    rn_http_server *s = rn__calloc(1, sizeof *s);
    if (!s)
        return RN_ENOMEM;
    s->o = *options;
    fill_in(&s->o);
    int err = s->o.cert_file ? rn__tls_context_make(s->o.cert_file, s->o.key_file, !s->o.no_http2, &s->tls) : 0;
    if (!err)
        err = make_parts(s);
    if (err) {
        free_parts(s);
        return err;
    }
    s->o.cert_file = s->o.key_file = NULL; /* the caller's; not needed any more */
    count_in();
    *out = s;
    return 0;
}

size_t rn_http_connections(const rn_http_server *s)
{
    rn_http_server *mine = (rn_http_server *)s;
    rn_mutex_lock(&mine->lock);
    size_t n = mine->n;
    rn_mutex_unlock(&mine->lock);
    return n;
}

/* ---- connections ---- */

void rn__http_server_forget(struct rn__http_conn *c)
{
    rn_http_server *s = c->server;
    rn_mutex_lock(&s->lock);
    rn_list_remove(&s->connections, &c->node); /* before the socket's record may be another's */
    rn_mutex_unlock(&s->lock);
    rn_net_free(c->stream.c);
    if (s->places)
        rn_sem_release(s->places, 1);
    rn_mutex_lock(&s->lock);
    if (--s->n == 0)
        rn_cond_broadcast(&s->empty);
    rn_mutex_unlock(&s->lock);
    rn__free(c);
    rn_wg_done(&s->users);
}

/* Takes the socket over; false when there is no memory. */
static bool begin_connection(rn_http_server *s, rn_conn *socket)
{
    struct rn__http_conn *c = rn__calloc(1, sizeof *c);
    if (!c)
        return false;
    c->server = s;
    c->stream.c = socket;
    rn_mutex_lock(&s->lock);
    rn_list_push(&s->connections, &c->node);
    s->n++;
    rn_wg_add(&s->users, 1); /* rn_http_serve, which runs this, is one: it is not 0 */
    rn_mutex_unlock(&s->lock);
    if (rn_go_try(rn__http_conn_main, c) == 0)
        return true;
    rn__http_server_forget(c); /* with the socket */
    return true;
}

/* ---- serving ---- */

/* Nobody can be accepted for want of descriptors or memory, until some connection has ended: the operator is to know, but need
 * not be told each time. */
static void tell_shortage(void *arg, int err)
{
    struct listening *own = arg;
    rn_addr at;
    char text[RN_ADDR_TEXT];
    if (rn_now() < own->quiet_until)
        return;
    own->quiet_until = rn_time_add(rn_now(), 10 * RN_SECOND);
    rn_net_listener_addr(own->l, &at);
    fprintf(stderr, "http: can't accept at %s, with %zu connections open: %s; trying again\n",
            rn_addr_format(&at, text), rn_http_connections(own->s), rn_strerror(err));
}

static int accept_all(struct listening *own)
{
    rn_http_server *s = own->s;
    const struct rn__accept_news news = {tell_shortage, own};
    for (;;) {
        rn_conn *socket;
        int err = s->places ? rn_sem_acquire(s->ctx, s->places, 1) : 0;
        if (!err && (err = rn__net_accept_telling(own->l, &news, &socket)) < 0 && s->places)
            rn_sem_release(s->places, 1);
        if (err == RN_ENOMEM) { /* some connection will end */
            tell_shortage(own, err);
            rn_sleep(5 * RN_MILLISECOND);
            continue;
        }
        if (err)
            return err;
        if (!begin_connection(s, socket)) {
            tell_shortage(own, RN_ENOMEM);
            rn_net_free(socket);
            if (s->places)
                rn_sem_release(s->places, 1);
        }
    }
}

/* The server drains: who has connected before is served; closing the listener would reset them. */
static void accept_rest(rn_http_server *s, rn_listener *l)
{
    rn_conn *socket;
    int most = 65536; /* as many as can wait; who comes later need not be heard */
    while (!s->places && most-- > 0 && rn__net_accept_now(l, &socket) == 0)
        if (!begin_connection(s, socket))
            rn_net_free(socket);
}

static void end_listening(rn_http_server *s, struct listening *own)
{
    rn_net_listener_close(own->l);
    rn_mutex_lock(&s->lock);
    rn_list_remove(&s->listeners, &own->node);
    rn_cond_broadcast(&s->empty);
    rn_mutex_unlock(&s->lock);
}

int rn_http_serve(rn_http_server *s, struct rn_listener *l)
{
    struct listening own = {.l = l, .s = s};
    rn_mutex_lock(&s->lock);
    bool over = rn__http_server_draining(s);
    if (!over) {
        rn_list_push(&s->listeners, &own.node);
        rn_wg_add(&s->users, 1);
    }
    rn_mutex_unlock(&s->lock);
    if (over) {
        rn_net_listener_close(l);
        return RN_ECLOSED;
    }
    int err = accept_all(&own);
    bool asked = rn__http_server_draining(s);
    if (asked)
        accept_rest(s, l);
    end_listening(s, &own);
    rn_wg_done(&s->users);
    return asked ? 0 : err;
}

/* ---- the end ---- */

/* With the lock. */
static void stop_accepting(rn_http_server *s)
{
    if (!rn_load_relaxed(&s->draining)) /* relaxed: under the lock */
        s->draining_since = rn_now();
    /* seq_cst: with the load in rn__http_server_draining. */
    rn_store_seq_cst(&s->draining, true);
    rn_ctx_cancel_cause(s->drain, RN_ECLOSED);
    for (struct rn_node *n = s->listeners.first; n; n = n->next) {
        rn_listener *l = rn_container(n, struct listening, node)->l;
        if (s->places) /* its goroutine may be waiting for one */
            rn_net_listener_close(l);
        else
            rn_net_listener_set_deadline(l, RN__HTTP_NOW);
    }
}

/* Tells a connection that the server drains.  One of HTTP/2 says GOAWAY and ends when its requests have; one that is idle is
 * closed, unless something has come on it, or it is new, and a request may be on its way.  With the lock. */
static void tell_connection(struct rn__http_conn *c)
{
    uint32_t idle = RN__HTTP_IDLE;
    /* seq_cst: behind the store in stop_accepting; against that of rn__http2_serve, which then looks whether the server drains. */
    if (rn_load_seq_cst(&c->is_h2)) {
        rn__http_conn_read_deadline(c, RN__HTTP_NOW);
    } else if (!rn_load_relaxed(&c->served)) { /* relaxed: as good as a little earlier */
        /* seq_cst: behind the store in stop_accepting; against `become` of conn.c. */
        if (rn_load_seq_cst(&c->state) == RN__HTTP_IDLE)
            rn__http_conn_first_chance(c);
    } else if (!rn__net_has_come(c->stream.c) && rn_cas_seq_cst(&c->state, &idle, RN__HTTP_CLOSING)) {
        rn_net_close(c->stream.c); /* the swap: against `become` of conn.c */
    }
}

/* With the lock. */
static void for_connections(rn_http_server *s, void (*f)(struct rn__http_conn *c))
{
    for (struct rn_node *n = s->connections.first; n; n = n->next)
        f(rn_container(n, struct rn__http_conn, node));
}

static void close_connection(struct rn__http_conn *c)
{
    rn_net_close(c->stream.c);
}

int rn_http_shutdown(rn_http_server *s, rn_context *ctx)
{
    int err = 0;
    rn_mutex_lock(&s->lock);
    stop_accepting(s);
    for_connections(s, tell_connection);
    while (!err && (s->n > 0 || s->listeners.first))
        err = rn_cond_wait_ctx(ctx, &s->empty, &s->lock);
    rn_mutex_unlock(&s->lock);
    return err;
}

void rn_http_close(rn_http_server *s)
{
    rn_mutex_lock(&s->lock);
    stop_accepting(s); /* first: who waits for a place (accept_all) learns by s->ctx that it was asked to end */
    rn_ctx_cancel_cause(s->ctx, RN_ECLOSED);
    while (s->n > 0 || s->listeners.first) {
        for_connections(s, close_connection);
        rn_cond_wait(&s->empty, &s->lock);
    }
    rn_mutex_unlock(&s->lock);
    rn_wg_wait(&s->users);
}

void rn_http_server_free(rn_http_server *s)
{
    if (!s)
        return;
    rn_http_close(s);
    rn_cond_destroy(&s->empty);
    free_parts(s);
    count_out();
}

/* ---- the whole, for a main function ---- */

static int complain(const char *what, int err)
{
    fprintf(stderr, "http: %s: %s\n", what, rn_strerror(err));
    return err;
}

/* "unix:/path" or "host:port". */
static int listen_at(const char *address, rn_listener **l)
{
    if (strncmp(address, "unix:", 5) == 0)
        return rn_net_listen("unix", address + 5, l);
    return rn_net_listen("tcp", address, l);
}

struct serving {
    rn_http_server *s;
    rn_listener *l;
    rn_context *ctx; /* done when serving has ended, or a signal came */
    int err;
    rn_waitgroup done;
};

static void serve(struct serving *v)
{
    v->err = rn_http_serve(v->s, v->l);
    rn_ctx_cancel_cause(v->ctx, RN_ECLOSED);
}

static void announce(const rn_http_options *o, rn_listener *l)
{
    rn_addr addr;
    char text[RN_ADDR_TEXT];
    rn_net_listener_addr(l, &addr);
    if (o->listening)
        o->listening(o->listening_arg, rn_addr_format(&addr, text));
}

/* Serves until a signal, or the listener's end. */
static int serve_until_signal(rn_http_server *s, rn_listener *l)
{
    struct serving v = {.s = s, .l = l, .ctx = rn_ctx_with_signals(NULL, SIGTERM, SIGINT)};
    rn_wg_go(&v.done, serve, &v);
    announce(&s->o, l);
    rn_ctx_wait(v.ctx);
    rn_context *limit = rn_ctx_with_timeout(NULL, s->o.shutdown_timeout);
    if (rn_http_shutdown(s, limit) < 0)
        rn_http_close(s);
    rn_wg_wait(&v.done);
    rn_ctx_cancel(limit);
    rn_ctx_cancel(v.ctx);
    return v.err == RN_ECLOSED ? 0 : v.err; /* the signal came before it had begun to serve */
}

int rn_http_listen_and_serve(const char *address, const rn_http_options *options)
{
    rn_http_server *s;
    rn_listener *l;
    int err = rn_http_server_make(options, &s);
    if (err)
        return complain("the server can't be made", err);
    err = listen_at(address, &l);
    if (err) {
        rn_http_server_free(s);
        return complain(address, err);
    }
    err = serve_until_signal(s, l);
    rn_net_listener_free(l);
    rn_http_server_free(s);
    return err ? complain(address, err) : 0;
}
