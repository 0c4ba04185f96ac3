/* The HTTP client's parts, among themselves.
 *
 *     client.c           the public functions: one exchange after the other, redirects
 *     client_exchange.c  an exchange: what libcurl is told of it, and what libcurl's callbacks bring
 *     client_drive.c     the driver: a shard's exchanges, sockets and timer, and who wakes whom
 *     client_socket.c    a shard's sockets, and the poller
 *     client_pool.c      clients, their options and shards; the end of a run
 *     client_name.c      names of hosts, looked up without libcurl's threads
 *     client_unpack.c    compressed bodies
 *     client_error.c     libcurl's results as ours
 *
 * A client has some shards; a shard has one libcurl multi handle with its pool of connections, and
 * while exchanges are under way a goroutine, the driver, the only one that calls into libcurl for the
 * multi handle and what is in it.  All requests to one host go to one shard, so that its
 * connections are shared and counted together.
 *
 * Who touches what:
 *  - an exchange's fields marked "order" and "news": under the shard's lock;
 *  - its easy handle, and the fields marked "driver": its goroutine until it is ordered to START, then the
 *    driver until it is DONE, then its goroutine again;
 *  - a chunk of body: the driver until it is in the list, then the reader.
 *
 * libcurl's callbacks never enter the runtime (they lock, link and count): a run may end at
 * whatever point a goroutine enters it, and libcurl must not be in the middle of something then.
 *
 * Lock order: a socket record's (POLL), a shard's (HTTP).  docs/design/http_client.md has the reasons.
 */
#ifndef RN_HTTP_CLIENT_H
#define RN_HTTP_CLIENT_H

#include "base/alloc.h"
#include "base/list.h"
#include "chan/wait.h"
#include "os/lock.h"
#include "sched/sched.h"
#include <curl/curl.h>
#include <runnel/context.h>
#include <runnel/http_client.h>
#include <runnel/mutex.h>
#include <runnel/time.h>

enum {
    RN_HTTP_SHARDS = 8,               /* at most */
    RN_HTTP_DRIVER_STACK = 256 << 10, /* what libcurl and OpenSSL were seen to use, several times over */
    RN_HTTP_RECEIVES = 64 << 10, /* bytes that libcurl takes from the socket at once, for a body that is streamed */
    RN_HTTP_SPARES = 32,         /* chunks that a shard keeps; libcurl brings at most 16 KiB at a time */
    RN_HTTP_WINDOW = 256 << 10,  /* bytes of an unread body from which on its sender has to wait */
    RN_HTTP_UPLOAD = 64 << 10,   /* bytes asked of body_read at a time */
    RN_HTTP_KEPT_HANDLES = 256,  /* easy handles that a client keeps */
};

/* What the driver is to do with an exchange. */
enum { RN_HTTP_START = 1, RN_HTTP_STOP = 2, RN_HTTP_GO_ON = 4 };
/* What the driver says of one. */
enum {
    RN_HTTP_DONE = 1,  /* it is out of multi handle and inbox; result is set, and the driver will not touch it again */
    RN_HTTP_HEAD = 2,  /* the head of the answer is complete */
    RN_HTTP_DATA = 4,  /* there are chunks */
    RN_HTTP_WANTS = 8, /* more of the body to be sent is wanted */
};

/* A piece of a streamed body. */
struct rn__http_chunk {
    struct rn__http_chunk *next;
    size_t room, bytes, read;
    char data[];
};

/* How a body is compressed. */
enum rn__http_packing { RN__HTTP_PLAIN, RN__HTTP_GZIP, RN__HTTP_DEFLATE };

/* Bytes that grow. */
struct rn__http_bytes {
    char *at;
    size_t used, room;
};

struct rn_http_exchange {
    struct rn_node node;            /* in the client's list; under the client's lock */
    struct rn_node in_inbox;        /* order */
    uint32_t orders;                /* order; 0: not in the inbox */
    uint32_t news;                  /* news */
    uint32_t wanted;                /* news: w waits for any of these */
    struct rn__http_socket *socket; /* news: what was opened for it last; it may have become another's */
    struct rn_waiter *w;            /* news: its goroutine, when it waits */
    struct rn__http_shard *shard;
    struct rn_http_client *client;
    CURL *easy;

    /* Its goroutine's; the driver reads some. */
    rn_http_client_request request; /* a copy; what it points to is the caller's, but for url */
    rn_context *ctx;
    rn_time deadline;             /* INT64_MAX: none */
    bool by_thread;               /* a plain thread's, which outlives the run */
    bool streams;                 /* rn_http_open */
    bool sends;                   /* a body, from body_read */
    bool tls;                     /* https */
    bool secures;                 /* OpenSSL takes part */
    bool started;                 /* START was ordered, and DONE not seen */
    bool elsewhere;               /* a redirect has led to another host: credentials stay behind */
    bool body_dropped;            /* one has made a GET of it */
    int redirects, max_redirects; /* -1: none is followed */
    size_t max_body, max_headers; /* SIZE_MAX: no limit */
    const char *method;
    char *url;                            /* the one that is asked now */
    struct curl_slist *headers, *resolve; /* what libcurl was given */

    /* The driver's while it is active. */
    struct rn_node in_active;
    bool active, head_over, discards;
    bool wants_goodbye;           /* TLS's, which tells that the body is whole, and which has not come */
    bool asked;                   /* libcurl has sent the request, or begun to */
    bool stands;                  /* the answer does, though libcurl would ask again */
    bool again;                   /* it was not sent: something had come on the kept connection, which is closed now */
    bool counted;                 /* in active_n; under the shard's lock */
    struct rn__http_socket *uses; /* the one that libcurl waited for last, unless another took it over; or NULL */
    int result;                   /* 0, or a negative error */
    int why;                      /* what our own callbacks found wrong, or 0 */
    const char *why_said;         /* … in words, or NULL */
    int status;
    struct rn__http_bytes head; /* "name\0value\0name\0value\0" */
    size_t head_n, heads_bytes;
    size_t discarded; /* bytes of a redirect's body */
    struct rn__http_bytes body;
    enum rn__http_packing packing; /* of the answer; settled when its head is over */
    char error[CURL_ERROR_SIZE];

    struct rn__http_unpacker *unpacker; /* its goroutine's; NULL before it is needed */

    /* news: the body on its way from the driver to the reader */
    struct rn__http_chunk *first, *last;
    size_t unread;
    bool stopped; /* libcurl has been told to pause it */

    /* news: the body on its way from body_read to the driver */
    char *upload; /* RN_HTTP_UPLOAD bytes */
    size_t upload_at, upload_len;
    bool upload_over;
};

/* A descriptor of libcurl's.  Its memory is never given back: the poller may hold an event for it a
 * little longer than the descriptor lives, and a readiness too many does no harm. */
struct rn__http_socket {
    rn_lock lock;                 /* RN_RANK_POLL: guards shard */
    uint32_t index;               /* of the record; never changes */
    struct rn__http_shard *shard; /* NULL: not in use */
    struct rn__http_socket *spare;
    /* Under the shard's lock. */
    struct rn_node node;             /* in shard->sockets */
    struct rn_http_exchange *opener; /* for whom it was opened; only to be compared */
    bool queued;
    uint32_t ready; /* RN_POLL_… that the poller has said and libcurl has not been told */
    uint32_t want;  /* RN_POLL_… that libcurl waits for; written by the driver alone */
    bool idle;      /* its connection is kept, of HTTP/1: nothing may come before the next request */
    bool stray;     /* … but something has, or seems to have; counted in strays_n */
    /* The driver's. */
    uint32_t unsure;          /* of these no new event may come, although they are ready */
    uint32_t writable;        /* how often in a row libcurl was told that it can write, and could afterwards */
    curl_off_t uploaded_then; /* what the shard's exchanges had sent when that was last looked at */
    bool held;                /* libcurl is not told at once that it can write … */
    rn_duration rest;         /* … but so much later, or with other news */
    int fd;
    bool foreign;                  /* libcurl opened it without asking us */
    struct rn_http_exchange *user; /* whose `uses` it is */
};

struct rn__http_shard {
    rn_lock lock;                 /* RN_RANK_HTTP; guards the following */
    struct rn_list inbox;         /* exchanges with orders */
    struct rn_list sockets;       /* sockets with news from the poller */
    struct rn_g *asleep;          /* the driver, when it waits; who clears this wakes it */
    struct rn__http_socket *told; /* the socket of which libcurl is being told; NULL: of none, or the time */
    uint64_t call;                /* which call to it that is */
    bool in_call;
    bool driven; /* there is a driver */
    bool timer_fired;
    bool drop_idle;    /* order: close the connections when nothing is active */
    rn_time used_at;   /* when the last driver ended */
    uint32_t strays_n; /* of the sockets */
    uint32_t paused_n; /* active exchanges whose reader is slow: nothing comes from outside for them */
    struct rn__http_chunk
        *spare; /* that were read, for what comes next: at most RN_HTTP_SPARES; they go when its connections do */
    uint32_t spare_n;

    /* The driver's. */
    CURLM *multi;
    struct rn_list active; /* exchanges in the multi handle */
    uint32_t active_n;
    rn_time due;   /* libcurl's timer; 0: none */
    rn_time retry; /* when to tell it of the sockets that are held; 0: there are none */
    rn_time armed; /* what timer was last set to; 0: not set */
    bool idle_armed;
    bool uses_tls;
    struct rn__http_socket **by_fd;
    int by_fd_n;
    struct rn_ready_list wake; /* whom it wakes when it is out of libcurl */
    struct rn_timer_entry timer, idle_timer;
    struct rn_http_client *client;
};

struct rn_http_client {
    struct rn_node node; /* in the list of clients */
    rn_http_client_options options;
    rn_lock lock;             /* RN_RANK_HTTP; guards the next three */
    struct rn_list exchanges; /* all that are not freed */
    CURL *easy[RN_HTTP_KEPT_HANDLES];
    uint32_t easy_n;
    struct rn__http_names *names;
    const char *environment[3];       /* the proxies for http, https and both; NULL: none */
    CURLSH *cookies;                  /* NULL: none are kept */
    rn_lock cookies_lock, share_lock; /* RN_RANK_HTTP; libcurl's, for what is in `cookies` and for itself */
    uint32_t shards_n;
    struct rn__http_shard shards[];
};

/* ---- client_pool.c --------------------------------------------------------------------------- */

/* The client to use, the default one for NULL; a run that ends waits for a plain thread until rn__http_client_leave, when its exchange is in
 * the client's list.  NULL: *err says why, and there is nothing to leave. */
struct rn_http_client *rn__http_client_enter(struct rn_http_client *c, int *err);
void rn__http_client_leave(void);
CURL *rn__http_easy_get(struct rn_http_client *c);
void rn__http_easy_put(struct rn_http_client *c, CURL *easy);

/* ---- client_exchange.c ------------------------------------------------------------------------ */

/* An exchange for the request; *err says why there is none. */
struct rn_http_exchange *rn__http_exchange_make(const rn_http_client_request *r, rn_context *ctx, bool streams,
                                                int *err);
/* Tells libcurl what to ask, of ex->url; 0, or a negative error. */
int rn__http_exchange_aim(struct rn_http_exchange *ex);
/* Follows the redirect that the last answer was: ex->url and the method are the new ones. */
int rn__http_exchange_redirect(struct rn_http_exchange *ex);
void rn__http_exchange_free(struct rn_http_exchange *ex);

/* ---- client_body.c ----------------------------------------------------------------------------- */

/* Sets the callbacks by which libcurl hands over head and body, and asks for the body to send. */
void rn__http_callbacks_set(struct rn_http_exchange *ex);
bool rn__http_bytes_add(struct rn__http_bytes *b, const char *text, size_t n);
void rn__http_chunks_free(struct rn__http_chunk *c);
/* Keeps c for what comes next, if there is to be more; otherwise puts it on the list of those to be freed.  The shard is locked. */
void rn__http_chunk_spare_locked(struct rn__http_shard *s, struct rn__http_chunk *c, struct rn__http_chunk **unwanted);
void rn__http_chunks_drop(struct rn_http_exchange *ex);
/* Frees the shard's spare chunks. */
void rn__http_spares_free(struct rn__http_shard *s);
bool rn__http_is_redirect(int status);
/* The value of the first header called `name` in the answer so far; NULL: none. */
const char *rn__http_head_find(const struct rn_http_exchange *ex, const char *name);

/* ---- client_unpack.c ---------------------------------------------------------------------------- */

/* Whether the request has a Range: then what comes must not be compressed on the way. */
bool rn__http_asks_for_part(const rn_http_client_request *r);
/* By the headers of the answer. */
enum rn__http_packing rn__http_packing_of(const struct rn_http_exchange *ex);
/* Replaces ex->body by what it means; 0 or an error. */
int rn__http_unpack_all(struct rn_http_exchange *ex);
/* Up to n bytes of a streamed body, of what `take` brings (as rn_http_body_read's result is). */
typedef ssize_t rn__http_take(struct rn_http_exchange *ex, void *buf, size_t n);
ssize_t rn__http_unpack_some(struct rn_http_exchange *ex, rn__http_take *take, void *buf, size_t n);
void rn__http_unpacker_free(struct rn__http_unpacker *u);

/* ---- client_drive.c ----------------------------------------------------------------------------- */

/* Gives the driver an order, and starts one where there is none; when that fails the exchange is DONE, with
 * RN_ENOMEM.  Of one that is DONE, which nobody but the driver can foresee, it takes none.  waits: the caller waits for news
 * next, so that the driver can run in its place, and needs no other processor. */
void rn__http_order(struct rn_http_exchange *ex, uint32_t orders, bool waits);
/* Waits until the driver has said any of `wanted`; returns which.  When `err` is not NULL the
 * exchange's context and deadline end the wait: 0 is returned and *err set. */
uint32_t rn__http_await(struct rn_http_exchange *ex, uint32_t wanted, int *err);
/* Wakes the driver if it sleeps. */
static inline void rn__http_wake_locked(struct rn__http_shard *s, struct rn_ready_list *wake)
{
    rn_lock_assert_held(&s->lock);
    if (s->asleep && rn__may_wake(s->asleep))
        rn__ready_add(wake, s->asleep);
    s->asleep = NULL;
}
/* Adds news, in the driver, with the shard's lock. */
void rn__http_tell_locked(struct rn_http_exchange *ex, uint32_t news);
/* How long the client keeps an unused connection; more than 0. */
rn_duration rn__http_idle_timeout(const struct rn_http_client *c);
/* Makes the shard close its connections as soon as nothing is active. */
void rn__http_shard_rest(struct rn__http_shard *s);
void rn__http_shard_init(struct rn__http_shard *s, struct rn_http_client *c);
/* Waits until its driver and its timers have ended; nothing is active. */
void rn__http_shard_end(struct rn__http_shard *s);
/* After the run: takes everything out of libcurl and closes it; exchanges of plain threads are DONE. */
void rn__http_shard_reset(struct rn__http_shard *s);

/* ---- client_socket.c ---------------------------------------------------------------------------- */

void rn__http_sockets_set(struct rn_http_exchange *ex);
void rn__http_sockets_set_multi(struct rn__http_shard *s);
/* The driver: libcurl is through with ex, whose connection it may have kept. */
void rn__http_socket_left(struct rn_http_exchange *ex);
/* The driver: has something come on the kept connection from this local port? */
bool rn__http_socket_strays(struct rn__http_shard *s, int port);
/* The driver: tells libcurl what the poller has said. */
void rn__http_sockets_act(struct rn__http_shard *s);
/* Tells libcurl of a socket, or (NULL) of the time. */
void rn__http_tell_libcurl(struct rn__http_shard *s, struct rn__http_socket *k, uint32_t ready);
/* Which call to libcurl the driver is in; 0: none. */
uint64_t rn__http_call(struct rn__http_shard *s);
/* Breaks the exchange's connection and the one that libcurl is told of, if the driver is in that call still. */
void rn__http_sockets_break(struct rn_http_exchange *ex, uint64_t call);

/* ---- client_name.c ------------------------------------------------------------------------------ */

struct rn__http_names *rn__http_names_make(void);
void rn__http_names_free(struct rn__http_names *n);
void rn__http_names_reset(struct rn__http_names *n);
/* Looks up the proxy, or the host where there is none, and tells libcurl; blocks, as ex's context allows. */
int rn__http_name(struct rn_http_exchange *ex, const char *proxy, const char *host, const char *port);

/* ---- client_error.c ----------------------------------------------------------------------------- */

/* What a result of libcurl's means; os_errno is CURLINFO_OS_ERRNO's. */
int rn__http_error(CURLcode code, long os_errno);

static inline void rn__http_lock(struct rn__http_shard *s)
{
    rn_lock_take(&s->lock, RN_RANK_HTTP);
}

static inline void rn__http_unlock(struct rn__http_shard *s)
{
    rn_lock_release(&s->lock);
}

#endif
