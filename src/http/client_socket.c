/* The sockets of libcurl and the runtime's poller.
 *
 * libcurl says which sockets it waits for and expects to be told as long as one is ready ("level
 * triggered").  The poller tells once, when something happens ("edge triggered"), and every socket is
 * registered once, for both directions, when it is opened.  So an exchange costs no call of epoll_ctl, but
 * what libcurl leaves in a socket brings no further event.  The bridge:
 *
 *  - `ready` collects what the poller says; it is cleared before libcurl is told.
 *  - What libcurl was told, and still waits for afterwards, is asked of the kernel once (rn_os_poll_now), and
 *    libcurl told again if it is still so.  A small answer needs no such call: libcurl has finished.
 *  - A server of HTTP/2 may keep its window shut.  libcurl goes on to wait for a socket to which it could write and won't, and
 *    would be told for ever.  A socket that it was told of in vain is `held`: libcurl is told with the next news
 *    of it, as the window's opening is, or after a while.
 *  - What comes on a kept connection of HTTP/1 before a request is no answer to it.  Whoever wrote it would have the next answer
 *    taken for the one after that; libcurl 7.88 does (8.0 looks).  Such a socket is `stray`: no request is sent on it.
 *  - `unsure` are the directions of which an event may have been used up while libcurl did not wait for them.
 *    When it begins to, it is told at once that they are ready; at worst it tries in vain.
 *
 * Rejected: an epoll instance of the shard's own inside of the poller's (level triggered, as libcurl
 * wants it, but three calls of epoll_ctl and one of epoll_wait for each exchange); a goroutine for each
 * socket (two switches more for each event).
 */
#include "http/client.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- records ----------------------------------------------------------------------------------------- */

enum { CHUNK = 64, CHUNKS = 4096 };

/* Record i is chunk_of[i / CHUNK][i % CHUNK]; a chunk is never given back. */
static rn_atomic(struct rn__http_socket *) chunk_of[CHUNKS];
static struct {
    rn_lock lock; /* RN_RANK_STACKS: a leaf */
    struct rn__http_socket *spare;
    uint32_t chunks;
} records;

static void records_grow_locked(void)
{
    rn_lock_assert_held(&records.lock);
    struct rn__http_socket *chunk = records.chunks < CHUNKS ? rn__calloc(CHUNK, sizeof *chunk) : NULL;
    if (!chunk)
        return;
    for (uint32_t i = 0; i < CHUNK; i++) {
        chunk[i].index = records.chunks * CHUNK + i;
        chunk[i].spare = records.spare;
        records.spare = &chunk[i];
    }
    /* release: pairs with the acquire in on_event; publishes the zeroed records. */
    rn_store_release(&chunk_of[records.chunks], chunk);
    records.chunks++;
}

static struct rn__http_socket *record_get(struct rn__http_shard *s, int fd)
{
    rn_lock_take(&records.lock, RN_RANK_STACKS);
    if (!records.spare)
        records_grow_locked();
    struct rn__http_socket *k = records.spare;
    if (k)
        records.spare = k->spare;
    rn_lock_release(&records.lock);
    if (!k)
        return NULL;
    rn_lock_take(&k->lock, RN_RANK_POLL);
    k->shard = s;
    k->fd = fd;
    k->want = k->unsure = k->ready = k->writable = 0;
    k->queued = k->foreign = k->held = k->idle = false;
    k->rest = 0;
    k->user = NULL;
    rn_lock_release(&k->lock);
    return k;
}

static void set_stray_locked(struct rn__http_shard *s, struct rn__http_socket *k, bool stray)
{
    rn_lock_assert_held(&s->lock);
    s->strays_n = s->strays_n - k->stray + stray;
    k->stray = stray;
}

static void record_put(struct rn__http_socket *k)
{
    struct rn__http_shard *s = k->shard;
    rn_lock_take(&k->lock, RN_RANK_POLL);
    rn__http_lock(s);
    if (k->queued)
        rn_list_remove(&s->sockets, &k->node);
    k->queued = false;
    if (s->told == k)
        s->told = NULL;
    k->opener = NULL;
    set_stray_locked(s, k, false);
    rn__http_unlock(s);
    k->shard = NULL;
    rn_lock_release(&k->lock);
    rn_lock_take(&records.lock, RN_RANK_STACKS);
    k->spare = records.spare;
    records.spare = k;
    rn_lock_release(&records.lock);
}

/* ---- the shard's table by descriptor ------------------------------------------------------------------- */

static struct rn__http_socket *find(struct rn__http_shard *s, int fd)
{
    return fd >= 0 && fd < s->by_fd_n ? s->by_fd[fd] : NULL;
}

static bool enter(struct rn__http_shard *s, struct rn__http_socket *k)
{
    if (k->fd >= s->by_fd_n) {
        int n = k->fd + k->fd / 2 + 64;
        struct rn__http_socket **table = rn__realloc(s->by_fd, (size_t)n * sizeof *table);
        if (!table)
            return false;
        memset(table + s->by_fd_n, 0, (size_t)(n - s->by_fd_n) * sizeof *table);
        s->by_fd = table;
        s->by_fd_n = n;
    }
    s->by_fd[k->fd] = k;
    return true;
}

/* Registers fd with the poller; 0 or a negative error. */
static int watch(struct rn__http_shard *s, int fd, struct rn__http_socket **out)
{
    struct rn__http_socket *k = record_get(s, fd);
    if (!k)
        return RN_ENOMEM;
    int err = enter(s, k) ? rn_os_poll_add(fd, RN_POLL_HTTP_TAG | k->index | (uint64_t)1 << 32) : RN_ENOMEM;
    if (!err) {
        *out = k;
        return 0;
    }
    if (find(s, fd) == k)
        s->by_fd[fd] = NULL;
    record_put(k);
    return err;
}

static void forget(struct rn__http_shard *s, struct rn__http_socket *k)
{
    rn_os_poll_del(k->fd);
    s->by_fd[k->fd] = NULL;
    if (k->user)
        k->user->uses = NULL;
    record_put(k);
}

/* ---- the poller's events --------------------------------------------------------------------------------- */

/* With the shard's lock: the driver has something to do with k. */
static void queue_locked(struct rn__http_shard *s, struct rn__http_socket *k)
{
    rn_lock_assert_held(&s->lock);
    if (k->queued)
        return;
    k->queued = true;
    rn_list_push(&s->sockets, &k->node);
}

static void on_event(uint64_t tag, uint32_t ready, struct rn_ready_list *wake)
{
    uint32_t index = (uint32_t)tag & ~(uint32_t)RN_POLL_HTTP_TAG;
    /* acquire: pairs with the release in records_grow_locked. */
    struct rn__http_socket *k = &rn_load_acquire(&chunk_of[index / CHUNK])[index % CHUNK];
    rn_lock_take(&k->lock, RN_RANK_POLL);
    struct rn__http_shard *s = k->shard;
    if (s) {
        rn__http_lock(s);
        k->ready |= ready;
        if (k->idle && ready & RN_POLL_READ)
            set_stray_locked(s, k, true);
        if (k->ready & k->want) {
            queue_locked(s, k);
            rn__http_wake_locked(s, wake);
        }
        rn__http_unlock(s);
    }
    rn_lock_release(&k->lock);
}

/* ---- what libcurl asks for --------------------------------------------------------------------------------- */

static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *a)
{
    struct rn_http_exchange *ex = arg;
    (void)purpose;
    int fd = socket(a->family, a->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, a->protocol);
    struct rn__http_socket *k = NULL;
    int err = fd < 0 ? -errno : watch(ex->shard, fd, &k);
    if (!err) {
        rn__http_lock(ex->shard);
        k->opener = ex;
        ex->socket = k;
        rn__http_unlock(ex->shard);
        return fd;
    }
    if (fd >= 0)
        close(fd);
    if (err == -EMFILE || err == -ENFILE || err == RN_ENOMEM)
        ex->why = err; /* not that of a peer, so there is no use in trying another address */
    return CURL_SOCKET_BAD;
}

static int close_socket(void *arg, curl_socket_t fd)
{
    struct rn__http_shard *s = arg;
    struct rn__http_socket *k = find(s, fd);
    if (k)
        forget(s, k);
    rn__race_own_begin();
    int r = close(fd);
    rn__race_own_end();
    return r;
}

/* libcurl waits for something else than before.  When it is through with an answer there is nothing left
 * in the socket that it would want, but it may only pause. */
static void want(struct rn__http_shard *s, struct rn__http_socket *k, uint32_t now)
{
    rn__http_lock(s);
    if (now == 0 && s->paused_n == 0)
        k->unsure = 0;
    k->ready |= now & ~k->want & k->unsure;
    k->want = now;
    if (now) {
        k->idle = false;
        set_stray_locked(s, k, false);
    }
    if (k->ready & now)
        queue_locked(s, k);
    rn__http_unlock(s);
}

/* ---- kept connections --------------------------------------------------------------------------------------- */

static void use(struct rn_http_exchange *ex, struct rn__http_socket *k)
{
    if (k->user == ex)
        return;
    if (k->user)
        k->user->uses = NULL;
    if (ex->uses)
        ex->uses->user = NULL;
    k->user = ex;
    ex->uses = k;
}

void rn__http_socket_left(struct rn_http_exchange *ex)
{
    struct rn__http_shard *s = ex->shard;
    struct rn__http_socket *k = ex->uses;
    long version = 0;
    if (!k)
        return;
    ex->uses = NULL;
    k->user = NULL;
    curl_easy_getinfo(ex->easy, CURLINFO_HTTP_VERSION, &version);
    rn__http_lock(s);
    k->idle = !k->want && (version == CURL_HTTP_VERSION_1_0 || version == CURL_HTTP_VERSION_1_1);
    set_stray_locked(s, k, k->idle && k->ready & RN_POLL_READ);
    rn__http_unlock(s);
}

static bool is_from_port(int fd, int port)
{
    union {
        struct sockaddr any;
        struct sockaddr_in ip4;
        struct sockaddr_in6 ip6;
    } a;
    socklen_t n = sizeof a;
    if (getsockname(fd, &a.any, &n) != 0)
        return false;
    return port == ntohs(a.any.sa_family == AF_INET6 ? a.ip6.sin6_port : a.ip4.sin_port);
}

/* Whether something is there to be read, whatever the poller has said when. */
static bool is_stray(struct rn__http_shard *s, struct rn__http_socket *k)
{
    rn__http_lock(s);
    bool stray = k->stray;
    rn__http_unlock(s);
    return stray && rn_os_poll_now(k->fd, RN_POLL_READ);
}

bool rn__http_socket_strays(struct rn__http_shard *s, int port)
{
    rn__http_lock(s);
    uint32_t n = s->strays_n;
    rn__http_unlock(s);
    for (int fd = 0; n && fd < s->by_fd_n; fd++)
        if (s->by_fd[fd] && is_stray(s, s->by_fd[fd]) && is_from_port(fd, port))
            return true;
    return false;
}

/* ---- what libcurl waits for ---------------------------------------------------------------------------------- */

static uint32_t directions(int what)
{
    if (what == CURL_POLL_REMOVE)
        return 0;
    return (what & CURL_POLL_IN ? RN_POLL_READ : 0) | (what & CURL_POLL_OUT ? RN_POLL_WRITE : 0);
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *unused)
{
    struct rn__http_shard *s = arg;
    struct rn__http_socket *k = find(s, fd);
    struct rn_http_exchange *ex = NULL;
    (void)unused;
    if (!k && what != CURL_POLL_REMOVE && watch(s, fd, &k) == 0) {
        k->foreign = true; /* the resolver's: nobody tells us when it is closed */
        k->unsure = RN_POLL_READ | RN_POLL_WRITE;
    }
    if (!k)
        return 0;
    if (what != CURL_POLL_REMOVE && curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&ex) == CURLE_OK && ex)
        use(ex, k);
    if (what == CURL_POLL_REMOVE && k->foreign)
        forget(s, k);
    else
        want(s, k, directions(what));
    return 0;
}

void rn__http_sockets_set(struct rn_http_exchange *ex)
{
    curl_easy_setopt(ex->easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(ex->easy, CURLOPT_OPENSOCKETDATA, ex);
    curl_easy_setopt(ex->easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
    curl_easy_setopt(ex->easy, CURLOPT_CLOSESOCKETDATA, ex->shard);
}

void rn__http_sockets_set_multi(struct rn__http_shard *s)
{
    rn_store_release(&rn__poll_http_event, on_event); /* pairs with the acquire in src/sched/poll.c */
    curl_multi_setopt(s->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(s->multi, CURLMOPT_SOCKETDATA, s);
}

/* ---- the driver ----------------------------------------------------------------------------------------------- */

/* Takes the next socket with news that libcurl waits for; `ready` tells which. */
static struct rn__http_socket *next(struct rn__http_shard *s, uint32_t *ready)
{
    struct rn__http_socket *k = NULL;
    rn__http_lock(s);
    for (struct rn_node *n; !k && (n = rn_list_pop(&s->sockets)) != NULL;) {
        k = rn_container(n, struct rn__http_socket, node);
        k->queued = false;
        *ready = (k->ready | (k->held ? RN_POLL_WRITE : 0)) & k->want;
        k->held = false;
        k->ready &= ~*ready; /* what libcurl does not wait for stays noted */
        if (!*ready)
            k = NULL;
    }
    rn__http_unlock(s);
    return k;
}

/* What the exchanges under way have sent of their bodies. */
static curl_off_t uploaded(struct rn__http_shard *s)
{
    curl_off_t sum = 0, one;
    for (struct rn_node *n = s->active.first; n; n = n->next)
        if (curl_easy_getinfo(rn_container(n, struct rn_http_exchange, in_active)->easy, CURLINFO_SIZE_UPLOAD_T,
                              &one) == CURLE_OK)
            sum += one;
    return sum;
}

/* libcurl was told again and again that it can write, sends nothing, and still could. */
static bool told_in_vain(struct rn__http_shard *s, struct rn__http_socket *k, uint32_t told, uint32_t still)
{
    enum { PATIENCE = 16 };
    if (told != RN_POLL_WRITE || !(still & RN_POLL_WRITE))
        k->writable = 0, k->rest = 0;
    else if (k->writable < PATIENCE)
        k->writable++;
    if (k->writable < PATIENCE)
        return false;
    curl_off_t now = uploaded(s);
    bool vain = now == k->uploaded_then;
    k->uploaded_then = now;
    if (!vain)
        k->writable = 0, k->rest = 0;
    return vain;
}

/* Longer each time. */
static void hold(struct rn__http_shard *s, struct rn__http_socket *k)
{
    enum { LONGEST = 64 };
    k->rest = !k->rest ? RN_MILLISECOND : k->rest < LONGEST * RN_MILLISECOND ? 2 * k->rest : k->rest;
    rn_time when = rn_time_add(rn__now(), k->rest);
    k->held = true;
    if (!s->retry || when < s->retry)
        s->retry = when;
}

/* libcurl has done what it could with `told` on this descriptor; is there more? */
static void look_again(struct rn__http_shard *s, int fd, uint32_t told)
{
    struct rn__http_socket *k = find(s, fd);
    if (!k)
        return; /* closed */
    k->unsure |= told;
    uint32_t ask = k->want & told;
    if (!ask)
        return;
    uint32_t still = rn_os_poll_now(fd, ask);
    k->unsure &= ~ask | still;
    if (told_in_vain(s, k, told, still)) {
        hold(s, k);
        still &= ~(uint32_t)RN_POLL_WRITE;
    }
    rn__http_lock(s);
    k->ready |= still;
    if (still)
        queue_locked(s, k);
    rn__http_unlock(s);
}

/* Queues those that are held, when it is time. */
static void retry(struct rn__http_shard *s)
{
    if (!s->retry || rn__now() < s->retry)
        return;
    s->retry = 0;
    rn__http_lock(s);
    for (int fd = 0; fd < s->by_fd_n; fd++)
        if (s->by_fd[fd] && s->by_fd[fd]->held)
            queue_locked(s, s->by_fd[fd]);
    rn__http_unlock(s);
}

/* A peer that sends faster than libcurl reads is never done with: what has been ordered meanwhile goes first. */
static bool has_orders(struct rn__http_shard *s)
{
    rn__http_lock(s);
    bool some = !rn_list_empty(&s->inbox);
    rn__http_unlock(s);
    return some;
}

/* What libcurl is to be told.  Told that it can write it writes, and if a server has answered before it had the whole request, and
 * closed, the write fails and the answer is lost.  Told of both it reads first. */
static int bits_of(const struct rn__http_socket *k, uint32_t ready)
{
    if (k && ready == RN_POLL_WRITE && k->want & RN_POLL_READ)
        ready |= rn_os_poll_now(k->fd, RN_POLL_READ);
    return (ready & RN_POLL_READ ? CURL_CSELECT_IN : 0) | (ready & RN_POLL_WRITE ? CURL_CSELECT_OUT : 0);
}

void rn__http_tell_libcurl(struct rn__http_shard *s, struct rn__http_socket *k, uint32_t ready)
{
    int running;
    rn__http_lock(s);
    s->told = k;
    s->call++;
    s->in_call = true;
    rn__http_unlock(s);
    curl_multi_socket_action(s->multi, k ? k->fd : CURL_SOCKET_TIMEOUT, bits_of(k, ready), &running);
    rn__http_lock(s);
    s->told = NULL;
    s->in_call = false;
    rn__http_unlock(s);
}

uint64_t rn__http_call(struct rn__http_shard *s)
{
    rn__http_lock(s);
    uint64_t call = s->in_call ? s->call : 0;
    rn__http_unlock(s);
    return call;
}

void rn__http_sockets_break(struct rn_http_exchange *ex, uint64_t call)
{
    struct rn__http_shard *s = ex->shard;
    rn__http_lock(s); /* sockets are forgotten before they are closed */
    bool still = s->in_call && s->call == call;
    if (still && ex->socket && ex->socket->opener == ex)
        shutdown(ex->socket->fd, SHUT_RDWR);
    if (still && s->told)
        shutdown(s->told->fd, SHUT_RDWR);
    rn__http_unlock(s);
}

void rn__http_sockets_act(struct rn__http_shard *s)
{
    struct rn__http_socket *k;
    uint32_t told;
    rn_time enough = rn__now() + RN_MILLISECOND;
    retry(s);
    for (int n = 0; n < 256 && (n == 0 || rn__now() < enough || !has_orders(s)) && (k = next(s, &told)) != NULL; n++) {
        int fd = k->fd;
        rn__http_tell_libcurl(s, k, told);
        look_again(s, fd, told);
    }
}
