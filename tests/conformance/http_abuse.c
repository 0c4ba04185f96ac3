/* Clients that break off at every point, are slow on purpose, come in thousands, or when no descriptor is left: the server goes
 * on, other connections don't notice, and nothing stays behind: no connection, no descriptor, no goroutine. */
#include "../http/errors.h"
#include "../http/h2_peer.h"
#include "../quiet.h"
#include <fcntl.h>
#include <netinet/in.h>
#include <runnel/websocket.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- counting ---- */

struct before {
    int descriptors;
    size_t goroutines;
};

/* Without one of /proc that the runtime may have open for a moment: the least of several looks. */
static int lasting_descriptors(void)
{
    int least = open_descriptors();
    for (int i = 0; i < 4; i++) {
        rn_sleep(RN_MILLISECOND);
        int now = open_descriptors();
        least = now < least ? now : least;
    }
    return least;
}

static struct before count(void)
{
    return (struct before){lasting_descriptors(), rn_num_goroutines()};
}

/* ---- clients of plain sockets ---- */

static int begin_socket(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(fd >= 0);
    return fd;
}

static void join(const struct peer_server *s, int fd)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(strrchr(s->at, ':') + 1))};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
}

static int dial(const struct peer_server *s)
{
    int fd = begin_socket();
    join(s, fd);
    return fd;
}

/* The end, by a reset. */
static void reset(int fd)
{
    struct linger now = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(fd);
}

/* ---- ends at every point ---- */

enum { BIG = 300000 };

static void handle(http_writer *w, const http_request *r)
{
    char piece[1000];
    memset(piece, 'x', sizeof piece);
    if (strcmp(r->path, "/socket") == 0) {
        websocket *ws = websocket_accept(w, r, NULL);
        websocket_message m;
        while (ws && websocket_read(ws, &m) == 0)
            websocket_write(ws, m.kind, m.data, m.n);
        websocket_free(ws);
        return;
    }
    if (strcmp(r->path, "/form") == 0) {
        http_puts(w, http_form_value(r, "a") ? "good" : "none");
        return;
    }
    for (int sum = 0; strcmp(r->path, "/big") == 0 && sum < BIG; sum += (int)sizeof piece)
        if (http_write(w, piece, sizeof piece) < 0)
            return;
    rn_context *ctx = strcmp(r->path, "/context") == 0 ? http_context(r) : NULL;
    for (ptrdiff_t n; (n = http_read(r, piece, sizeof piece)) > 0;)
        if (http_write(w, piece, (size_t)n) < 0)
            return;
    if (ctx)
        rn_ctx_wait(ctx);
}

static const char *const scripts[] = {
    "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\nhello worldGET / HTTP/1.1\r\nHost: h\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n6\r\n world\r\n0\r\nX: y\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello",
    ("POST /form HTTP/1.1\r\nHost: h\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 68\r\n\r\n"
     "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nvalue of a\r\n--b--\r\n"),
    "POST /context HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello",
    "GET /big HTTP/1.1\r\nHost: h\r\n\r\n",
};

static void cut(const struct peer_server *s, const void *bytes, size_t n, bool by_reset)
{
    for (size_t k = 0; k <= n; k++) {
        int fd = dial(s);
        if (k)
            send(fd, bytes, k, MSG_NOSIGNAL);
        if (k % 3 == 0)
            rn_yield();
        if (by_reset)
            reset(fd);
        else
            close(fd);
    }
}

/* One who keeps a connection all the while. */
static void check_bystander(rn_conn *c)
{
    static const char ask[] = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nhey";
    char text[300];
    size_t n = 0;
    net_write(c, ask, sizeof ask - 1);
    do {
        ssize_t got = net_read(c, text + n, sizeof text - 1 - n);
        REQUIRE(got > 0);
        text[n += (size_t)got] = 0;
    } while (!strstr(text, "\r\n\r\nhey"));
}

/* Once every connection has ended there must be no more of anything than before. */
static void check_count(const struct peer_server *s, struct before before)
{
    rn_conn *last = peer_connect(s);
    check_bystander(last); /* those before it, which may have ended in the listener's queue, are accepted */
    net_free(last);
    for (int i = 0; i < 20000 && http_connections(s->s) > 0; i++)
        rn_sleep(RN_MILLISECOND);
    CHECK_EQ(http_connections(s->s), 0);
    for (int i = 0; i < 20000 && rn_num_goroutines() > before.goroutines; i++)
        rn_sleep(RN_MILLISECOND);
    CHECK_EQ(rn_num_goroutines(), before.goroutines);
    CHECK_EQ(lasting_descriptors(), before.descriptors);
}

TEST(clients_that_end_at_every_point)
{
    static struct h2_bytes h2;
    static const char socket[] = "GET /socket HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                                 "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
                                 "\x81\x85\0\0\0\0hello\x88\x80\0\0\0\0";
    static const char upgrade[] = "GET /big HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\n"
                                  "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n" H2_PREFACE "\0\0\0\4\0\0\0\0\0";
    struct peer_server s;
    h2_begin(&h2);
    h2_request(&h2, 1, H2_END_STREAM, ":method\0GET\0:scheme\0http\0:path\0/big\0:authority\0h\0");
    h2_request(&h2, 3, 0, ":method\0POST\0:scheme\0http\0:path\0/context\0:authority\0h\0");
    h2_frame(&h2, H2_DATA, H2_END_STREAM, 3, "hello", 5);
    peer_serve(&s, &(http_options){.handler = handle});
    check_bystander(peer_connect(&s)); /* what is made once is there */
    peer_stop(&s);
    peer_serve(&s, &(http_options){.handler = handle});
    struct before before = count();
    rn_conn *bystander = peer_connect(&s);
    for (int by_reset = 0; by_reset < 2; by_reset++) {
        for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++)
            cut(&s, scripts[i], strlen(scripts[i]), by_reset);
        cut(&s, socket, sizeof socket - 1, by_reset);
        cut(&s, upgrade, sizeof upgrade - 1, by_reset);
        cut(&s, h2.at, h2.n, by_reset);
        check_bystander(bystander);
    }
    net_free(bystander);
    check_count(&s, before);
    peer_stop(&s);
}

/* Ends while the response is on its way, after so many bytes of it. */
TEST(clients_that_end_within_the_response)
{
    static const char ask[] = "GET /big HTTP/1.1\r\nHost: h\r\n\r\n";
    static char got[BIG];
    struct peer_server s;
    peer_serve(&s, &(http_options){.handler = handle});
    struct before before = count();
    for (int i = 0; i < 100; i++) {
        rn_conn *c = peer_connect(&s);
        net_write(c, ask, sizeof ask - 1);
        CHECK_EQ(net_read_full(c, got, (size_t)(i * BIG / 100)), 0);
        if (i % 2)
            reset(dup(rn_net_fd(c)));
        net_free(c);
    }
    check_count(&s, before);
    peer_stop(&s);
}

/* ---- slow on purpose ---- */

static void trickle(const struct peer_server *s, const char *begin)
{
    char text[1000];
    rn_conn *c = peer_connect(s);
    net_write(c, begin, strlen(begin));
    while (net_write(c, "x", 1) == 1) { /* goes on for as long as it is let */
        net_set_read_deadline(c, rn_now() + 5 * RN_MILLISECOND);
        if (net_read(c, text, sizeof text) != RN_ETIMEOUT)
            break;
    }
    net_free(c);
}

/* A byte now and then does not keep a connection: not in the head, not in a length, not in chunks, not in a form. */
TEST(slow_senders_are_given_up_though_they_go_on)
{
    static const char *const begin[] = {
        "GET / HTTP/1.1\r\nHost: h\r\nX: ",
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1;",
        "POST /form HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 99999\r\n\r\n",
    };
    enum { EACH = 20 };
    struct peer_server s;
    rn_waitgroup all = {0};
    peer_serve(&s, &(http_options){.handler = handle,
                                   .header_timeout = 300 * RN_MILLISECOND,
                                   .body_timeout = 300 * RN_MILLISECOND,
                                   .min_rate = 1 << 20});
    struct before before = count();
    rn_conn *bystander = peer_connect(&s);
    for (int i = 0; i < EACH; i++)
        for (size_t k = 0; k < sizeof begin / sizeof *begin; k++)
            wg_go(&all, trickle, &s, begin[k]);
    check_bystander(bystander);
    wg_wait(&all);
    check_bystander(bystander);
    net_free(bystander);
    check_count(&s, before);
    peer_stop(&s);
}

/* ---- much for little ---- */

static long most_kib(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return u.ru_maxrss;
}

static size_t fill(char *to, size_t n, const char *with)
{
    size_t length = strlen(with);
    for (size_t i = 0; i < n; i += length)
        memcpy(to + i, with, length);
    return (n + length - 1) / length * length;
}

/* Parameters without number, in the type of a form and in one of its parts: each is looked at, none is kept. */
TEST(parameters_without_number)
{
    enum { TYPE = 60000, PART = 1000000, GROWTH = 200 << 10 };
    static char request[2 * PART];
    struct peer_server s;
    peer_serve(&s, &(http_options){.handler = handle});
    long before = most_kib();
    size_t n = (size_t)sprintf(request, "POST /form HTTP/1.1\r\nHost: h\r\nContent-Type: multipart/form-data");
    n += fill(request + n, TYPE, ";c=d");
    size_t head = (size_t)sprintf(request + n, ";boundary=b\r\nConnection: close\r\nContent-Length: 1000060\r\n\r\n");
    char *body = request + n + head;
    size_t m = (size_t)sprintf(body, "--b\r\nContent-Disposition: form-data");
    m += fill(body + m, PART, ";c=d");
    m += (size_t)sprintf(body + m, ";name=a\r\n\r\nvalue\r\n--b--\r\n");
    CHECK_EQ(m, 1000060);
    const char *answer = peer_ask_bytes(&s, request, n + head + m);
    CHECK_EQ(peer_status(answer), 200);
    CHECK_STR(peer_body(answer), "good");
    CHECK(most_kib() - before < GROWTH);
    peer_stop(&s);
}

/* ---- thousands ---- */

/* Room for n descriptors, or as many as there may be. */
static long make_room(long n)
{
    struct rlimit r;
    REQUIRE(getrlimit(RLIMIT_NOFILE, &r) == 0);
    struct rlimit wanted = {(rlim_t)n, r.rlim_max > (rlim_t)n ? r.rlim_max : (rlim_t)n};
    if (setrlimit(RLIMIT_NOFILE, &wanted) == 0)
        return n;
    wanted = (struct rlimit){r.rlim_max < (rlim_t)n ? r.rlim_max : (rlim_t)n, r.rlim_max};
    return setrlimit(RLIMIT_NOFILE, &wanted) == 0 ? (long)wanted.rlim_cur : (long)r.rlim_cur;
}

static void ask_one(int fd)
{
    static const char ask[] = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nhey";
    char text[300];
    CHECK_EQ(send(fd, ask, sizeof ask - 1, MSG_NOSIGNAL), sizeof ask - 1);
    rn_conn *c;
    REQUIRE(net_from_fd(dup(fd), &c) == 0);
    net_set_deadline(c, rn_now() + 60 * RN_SECOND);
    ssize_t n = net_read(c, text, sizeof text - 1);
    text[n > 0 ? n : 0] = 0;
    CHECK(peer_status(text) == 200);
    net_free(c);
}

TEST(twenty_thousand_idle_connections)
{
    enum { WANTED = 20000, OTHERS = 200 };
    struct peer_server s;
    static int clients[WANTED];
    long room = make_room(2 * WANTED + OTHERS);
    int n = room >= 2 * WANTED + OTHERS ? WANTED : (int)(room - OTHERS) / 2;
    peer_serve(&s, &(http_options){.handler = handle, .idle_timeout = RN_HOUR});
    struct before before = count();
    for (int i = 0; i < n; i++) {
        clients[i] = dial(&s);
        for (int turns = 0; i % 100 == 99 && http_connections(s.s) + 100 < (size_t)i && turns < 20000; turns++)
            rn_sleep(RN_MILLISECOND); /* the queue of the listener is no longer than that */
    }
    for (int i = 0; i < 20000 && http_connections(s.s) < (size_t)n; i++)
        rn_sleep(RN_MILLISECOND);
    CHECK_EQ(http_connections(s.s), n);
    if (n < WANTED)
        printf("# only %d connections: no more descriptors may be had\n", n);
    for (int i = 0; i < n; i += n / 100)
        ask_one(clients[i]);
    for (int i = 0; i < n; i++)
        close(clients[i]);
    check_count(&s, before);
    peer_stop(&s);
}

/* ---- no descriptors ---- */

TEST(no_descriptor_is_left)
{
    enum { CLIENTS = 50, LEFT = 10 };
    struct peer_server s;
    struct errors errors;
    struct rlimit old, tight;
    int clients[CLIENTS], highest = 0;
    peer_serve(&s, &(http_options){.handler = handle, .idle_timeout = RN_HOUR});
    rn_conn *bystander = peer_connect(&s);
    check_bystander(bystander);
    struct before before = count();
    rn_time began = rn_now();
    errors_keep(&errors);
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = begin_socket();
        highest = clients[i] > highest ? clients[i] : highest;
    }
    REQUIRE(getrlimit(RLIMIT_NOFILE, &old) == 0);
    tight = (struct rlimit){(rlim_t)highest + 1 + LEFT, old.rlim_max};
    REQUIRE(setrlimit(RLIMIT_NOFILE, &tight) == 0);
    for (int i = 0; i < CLIENTS; i++)
        join(&s, clients[i]); /* the kernel takes them; who accepts has no descriptor for most */
    for (int i = 0; i < 20000 && http_connections(s.s) < LEFT; i++)
        rn_sleep(RN_MILLISECOND);
    for (int i = 0; i < 20000 && !errors_any(&errors); i++) /* who accepts may be a step behind */
        rn_sleep(RN_MILLISECOND);
    check_bystander(bystander);
    CHECK(http_connections(s.s) <= LEFT + 1);
    for (int i = 0; i < CLIENTS / 2; i++)
        close(clients[i]); /* some go: others come in */
    for (int i = CLIENTS / 2; i < CLIENTS; i++) {
        char text[300];
        static const char ask[] = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
        struct timeval patience = {.tv_sec = 60};
        setsockopt(clients[i], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        CHECK_EQ(send(clients[i], ask, sizeof ask - 1, MSG_NOSIGNAL), sizeof ask - 1);
        ssize_t n = recv(clients[i], text, sizeof text - 1, 0);
        text[n > 0 ? n : 0] = 0;
        CHECK_EQ(peer_status(text), 200);
        close(clients[i]);
    }
    REQUIRE(setrlimit(RLIMIT_NOFILE, &old) == 0);
    errors_give_back(&errors);
    int told = errors_with(&errors, "Too many open files; trying again\n"); /* at once, then each ten seconds */
    CHECK(told >= 1 && told <= 1 + rn_since(began) / (10 * RN_SECOND));
    CHECK(strstr(errors.text, s.at) != NULL);
    check_bystander(bystander);
    net_free(bystander);
    before.goroutines--; /* the bystander's, and two descriptors */
    before.descriptors -= 2;
    check_count(&s, before);
    peer_stop(&s);
}
