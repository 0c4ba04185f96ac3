/* The client with a server of our own: bodies that are compressed, wrongly too, and HTTP/2 without TLS, by turns and at once. */
#include "../http/peer.h"
#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

enum { BOMB = 16 << 20, MOST = 1 << 20 };

/* What /body answers with. */
static struct {
    const char *coding;
    unsigned char bytes[256 << 10];
    size_t n;
} packed;

/* Orders what the test writes there and what the handler reads. */
static rn_mutex turn;

static void change_turns(void)
{
    rn_mutex_lock(&turn);
    rn_mutex_unlock(&turn);
}

static void body(http_writer *w, const http_request *r)
{
    (void)r;
    rn_mutex_lock(&turn);
    if (packed.coding)
        http_set_header(w, "Content-Encoding", packed.coding);
    http_write(w, packed.bytes, packed.n);
    rn_mutex_unlock(&turn);
}

static void accepts(http_writer *w, const http_request *r)
{
    const char *asked = http_header(r, "Accept-Encoding");
    http_set_header(w, "Content-Encoding", http_header(r, "Range") ? "gzip" : "identity");
    if (http_header(r, "Range"))
        http_status(w, 206);
    http_puts(w, asked ? asked : "nothing");
}

static void hello(http_writer *w, const http_request *r)
{
    (void)r;
    http_puts(w, "hello");
}

/* Reads the body when the test says so: as much as the window allows is on its way then, and nothing more can be sent. */
static void waits(http_writer *w, const http_request *r)
{
    char piece[4096];
    chan_recv((chan(int))http_arg(r));
    long sum = 0;
    for (ptrdiff_t n; (n = http_read(r, piece, sizeof piece)) > 0;)
        sum += n;
    http_printf(w, "%ld", sum);
}

static char url[256];

static http_mux *mux;

static void begin(struct peer_server *s)
{
    mux = http_mux_make();
    http_mux_handle(mux, "/body", body);
    http_mux_handle(mux, "/accepts", accepts);
    http_mux_handle(mux, "/hello", hello);
    peer_serve(s, &(http_options){.mux = mux});
}

static void finish(struct peer_server *s)
{
    peer_stop(s);
    http_mux_free(mux);
}

static const char *at(const struct peer_server *s, const char *path)
{
    snprintf(url, sizeof url, "http://%s%s", s->at, path);
    return url;
}

/* Adds n bytes as a member; window: 31 gzip, 15 zlib, -15 bare. */
static void pack(const char *data, size_t n, int window)
{
    z_stream z = {.next_in = (unsigned char *)(uintptr_t)data,
                  .avail_in = (unsigned)n,
                  .next_out = packed.bytes + packed.n,
                  .avail_out = (unsigned)(sizeof packed.bytes - packed.n)};
    REQUIRE(deflateInit2(&z, 9, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    REQUIRE(deflate(&z, Z_FINISH) == Z_STREAM_END);
    packed.n += z.total_out;
    deflateEnd(&z);
}

static void prepare(const char *coding, const char *text, int window)
{
    packed.coding = coding;
    packed.n = 0;
    if (text)
        pack(text, strlen(text), window);
}

/* Asks for the body in one, and piece by piece: both have the same result. */
static void expect(const struct peer_server *s, const char *what, int err, const char *text)
{
    http_response res = {0};
    http_client_request r = {.url = at(s, "/body")};
    change_turns();
    int got = http_do(NULL, &r, &res);
    if (got != err)
        FAIL("%s, %zu bytes: %d instead of %d (%s)", what, packed.n, got, err, res.error ? res.error : "");
    if (!err)
        CHECK_STR(res.body, text);
    http_response_free(&res);
    char piece[8], all[256];
    size_t sum = 0;
    ssize_t n;
    REQUIRE(http_open(NULL, &r, &res) == 0);
    while ((n = http_body_read(&res, piece, 1 + sum % sizeof piece)) > 0 && sum + (size_t)n < sizeof all) {
        memcpy(all + sum, piece, (size_t)n);
        sum += (size_t)n;
    }
    all[sum] = 0;
    if (n != err)
        FAIL("%s, %zu bytes, streamed: %zd instead of %d (%s)", what, packed.n, n, err, res.error ? res.error : "");
    if (n < 0)
        CHECK_EQ(http_body_read(&res, piece, sizeof piece), n); /* it stays so */
    if (!err)
        CHECK_STR(all, text);
    http_response_free(&res);
    change_turns();
}

TEST(compressed_bodies)
{
    struct peer_server s;
    begin(&s);
    prepare("gzip", "hello world", 31);
    expect(&s, "gzip", 0, "hello world");
    pack(" and others", 11, 31);
    expect(&s, "two members", 0, "hello world and others");
    prepare("X-GZip", "", 31);
    expect(&s, "nothing, packed", 0, "");
    prepare("gzip", NULL, 0);
    expect(&s, "nothing at all", 0, "");
    prepare("deflate", "hello world", 15);
    expect(&s, "deflate", 0, "hello world");
    prepare("deflate", "hello world", -15);
    expect(&s, "deflate without a head", 0, "hello world");
    prepare("identity", NULL, 0);
    packed.n = (size_t)sprintf((char *)packed.bytes, "as it is");
    expect(&s, "identity", 0, "as it is");
    packed.coding = "gzip, gzip";
    expect(&s, "what is not known", 0, "as it is");
    finish(&s);
}

/* libcurl by itself takes what ends early for whole. */
TEST(compressed_bodies_that_are_damaged)
{
    static const char *const codings[] = {"gzip", "deflate", "deflate"};
    static const int windows[] = {31, 15, -15};
    struct peer_server s;
    begin(&s);
    for (int i = 0; i < 3; i++) {
        prepare(codings[i], "hello world", windows[i]);
        while (--packed.n > 0)
            expect(&s, "cut off", RN_EPROTO, "");
        prepare(codings[i], "hello world", windows[i]);
        packed.bytes[packed.n++] = 'x';
        expect(&s, "something behind it", RN_EPROTO, "");
    }
    prepare("gzip", "hello world", 31);
    size_t whole = packed.n;
    pack("hello", 5, 31);
    while (--packed.n > whole)
        expect(&s, "a second member that is cut off", RN_EPROTO, "");
    for (size_t i = 1; i <= 8; i++) { /* the checksum, the length */
        prepare("gzip", "hello world", 31);
        packed.bytes[packed.n - i] ^= 1;
        expect(&s, "another tail", RN_EPROTO, "");
    }
    prepare("gzip", NULL, 0);
    packed.n = (size_t)sprintf((char *)packed.bytes, "this is not compressed");
    expect(&s, "text", RN_EPROTO, "");
    finish(&s);
}

/* 16 KiB that mean 16 MiB. */
TEST(a_little_that_means_much)
{
    struct peer_server s;
    char *zeros = calloc(1, BOMB), *piece = malloc(MOST);
    REQUIRE(zeros && piece);
    begin(&s);
    prepare("gzip", NULL, 0);
    pack(zeros, BOMB, 31);
    free(zeros);
    change_turns();
    http_client_request r = {.url = at(&s, "/body"), .max_body = MOST};
    http_response res = {0};
    CHECK_EQ(http_do(NULL, &r, &res), RN_ETOOBIG);
    http_response_free(&res);
    r.max_body = BOMB - 1;
    CHECK_EQ(http_do(NULL, &r, &res), RN_ETOOBIG);
    http_response_free(&res);
    r.max_body = BOMB;
    CHECK_EQ(http_do(NULL, &r, &res), 0);
    CHECK_EQ(res.body_len, BOMB);
    http_response_free(&res);
    r.max_body = 0;
    REQUIRE(http_open(NULL, &r, &res) == 0);
    size_t sum = 0;
    for (ssize_t n; (n = http_body_read(&res, piece, MOST)) > 0;)
        sum += (size_t)n;
    CHECK_EQ(sum, BOMB);
    http_response_free(&res);
    free(piece);
    finish(&s);
}

/* A part of what is compressed can't be unpacked: it is not asked for, and stays as it is. */
TEST(parts_are_not_compressed)
{
    struct peer_server s;
    http_response res = {0};
    http_header range = {"Range", "bytes=0-9"};
    http_client_request r = {.headers = &range};
    begin(&s);
    r.url = at(&s, "/accepts");
    CHECK_EQ(http_do(NULL, &r, &res), 0);
    CHECK_STR(res.body, "gzip, deflate");
    http_response_free(&res);
    r.headers_len = 1;
    CHECK_EQ(http_do(NULL, &r, &res), 0);
    CHECK_STR(res.body, "nothing");
    http_response_free(&res);
    finish(&s);
}

/* ---- HTTP/2 without TLS ---- */

static void ask(const char *from, http_client *c, rn_waitgroup *done)
{
    http_client_request r = {.url = from, .client = c};
    http_response res = {0};
    int err = http_do(NULL, &r, &res);
    if (err)
        FAIL("%s (%s)", rn_strerror(err), res.error);
    CHECK_EQ(res.version, 20);
    CHECK_STR(res.body, "hello");
    http_response_free(&res);
    if (done)
        wg_done(done);
}

/* libcurl 7.88 breaks the second request on a connection. */
TEST(http2_without_tls_by_turns_and_at_once)
{
    enum { N = 20 };
    struct peer_server s;
    rn_waitgroup done = RN_WAITGROUP_INIT;
    begin(&s);
    http_client *c = http_client_make(&(http_client_options){.version = 20});
    const char *from = at(&s, "/hello");
    for (int i = 0; i < 3; i++)
        ask(from, c, NULL);
    wg_add(&done, N);
    for (int i = 0; i < N; i++)
        go(ask, from, c, &done);
    wg_wait(&done);
    http_client_free(c);
    finish(&s);
}

static ssize_t some_zeroes(void *left, void *buf, size_t n)
{
    size_t *more = left;
    n = n < *more ? n : *more;
    memset(buf, 0, n);
    *more -= n;
    return (ssize_t)n;
}

static void send_much(const char *to, rn_waitgroup *done)
{
    size_t left = 1000000;
    http_response res = {0};
    int err = http_do(
        NULL, &(http_client_request){.url = to, .body_read = some_zeroes, .body_arg = &left, .version = 20}, &res);
    CHECK_EQ(err, 0);
    CHECK_STR(res.body, "1000000");
    http_response_free(&res);
    wg_done(done);
}

static rn_duration processor_time(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec * RN_SECOND + t.tv_nsec;
}

/* libcurl 7.88 asks for the socket, which is writable, all the same. */
TEST(an_upload_that_waits_for_http2s_window_does_nothing)
{
    struct peer_server s;
    rn_waitgroup done = RN_WAITGROUP_INIT;
    chan(int) read_it = chan_make(int, 0);
    peer_serve(&s, &(http_options){.handler = waits, .arg = read_it});
    wg_add(&done, 1);
    go(send_much, at(&s, "/"), &done);
    rn_sleep(500 * RN_MILLISECOND); /* more than it takes until the window is shut */
    rn_duration before = processor_time();
    rn_sleep(RN_SECOND);
    rn_duration used = processor_time() - before;
    if (used > 75 * RN_MILLISECOND)
        FAIL("%lld us of processor time", (long long)used / 1000);
    chan_send(read_it, 1);
    wg_wait(&done);
    peer_stop(&s);
    chan_free(read_it);
}

/* ---- the end of TLS ---------------------------------------------------------------------------- */

static const struct {
    const char *answer;
    bool goodbye;
    int err;
} ends[] = {
    {"HTTP/1.1 200 OK\r\n\r\nhello", true, 0},
    {"HTTP/1.1 200 OK\r\n\r\nhello", false, RN_EPROTO},
    {"HTTP/1.0 200 OK\r\n\r\nhello", false, RN_EPROTO},
    {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", false, 0},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", false, 0},
    {"HTTP/1.1 204 No Content\r\n\r\n", false, 0},
};
enum { ENDS = sizeof ends / sizeof *ends };

/* With a certificate of its own, for a day. */
static SSL_CTX *tls_context(void)
{
    SSL_CTX *c = SSL_CTX_new(TLS_server_method());
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    X509_gmtime_adj(X509_getm_notBefore(x), 0);
    X509_gmtime_adj(X509_getm_notAfter(x), 86400);
    X509_set_pubkey(x, key);
    REQUIRE(X509_sign(x, key, EVP_sha256()) > 0);
    REQUIRE(SSL_CTX_use_certificate(c, x) == 1 && SSL_CTX_use_PrivateKey(c, key) == 1);
    X509_free(x);
    EVP_PKEY_free(key);
    return c;
}

/* A thread: gives each of the answers to a connection of its own. */
static void *give_answers(void *listener)
{
    SSL_CTX *context = tls_context();
    char request[4096];
    for (size_t i = 0; i < ENDS; i++) {
        int fd = accept(*(int *)listener, NULL, NULL);
        SSL *tls = SSL_new(context);
        SSL_set_fd(tls, fd);
        if (SSL_accept(tls) == 1 && SSL_read(tls, request, sizeof request) > 0)
            SSL_write(tls, ends[i].answer, (int)strlen(ends[i].answer));
        if (ends[i].goodbye)
            SSL_shutdown(tls);
        SSL_free(tls);
        close(fd);
    }
    SSL_CTX_free(context);
    return NULL;
}

static void ask_for_end(const char *at, size_t i)
{
    http_response res = {0};
    http_client *c = http_client_make(NULL);
    http_client_request r = {.url = at, .client = c, .insecure = true, .version = 11};
    CHECK_EQ(http_do(NULL, &r, &res), ends[i].err);
    CHECK(ends[i].err ? res.error && strstr(res.error, "goodbye") : res.body_len == (res.status == 204 ? 0 : 5));
    http_response_free(&res);
    http_client_free(c);
}

/* Listens on a port of its own, and says at which address. */
static int listen_somewhere(const char *scheme, char at[64])
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(bind(listener, (struct sockaddr *)&a, n) == 0 && listen(listener, 16) == 0);
    REQUIRE(getsockname(listener, (struct sockaddr *)&a, &n) == 0);
    snprintf(at, 64, "%s://127.0.0.1:%d/", scheme, ntohs(a.sin_port));
    return listener;
}

static void join_thread(pthread_t t)
{
    rn_blocking_enter();
    pthread_join(t, NULL);
    rn_blocking_leave();
}

TEST(a_body_that_ends_without_tlss_goodbye)
{
    pthread_t server;
    char at[64];
    int listener = listen_somewhere("https", at);
    REQUIRE(pthread_create(&server, NULL, give_answers, &listener) == 0);
    for (size_t i = 0; i < ENDS; i++)
        ask_for_end(at, i);
    join_thread(server);
    close(listener);
}

/* ---- HTTP_1_1_REQUIRED ------------------------------------------------------------------------------ */

static bool receive(int fd, void *to, size_t n)
{
    return recv(fd, to, n, MSG_WAITALL) == (ssize_t)n;
}

/* Reads the preface, and frames until the request's head has come. */
static bool receive_request(int fd)
{
    unsigned char preface[24], frame[9], rest[4096];
    size_t n;
    if (!receive(fd, preface, sizeof preface))
        return false;
    do {
        if (!receive(fd, frame, sizeof frame))
            return false;
        n = (size_t)frame[1] << 8 | frame[2];
        if (n && (n > sizeof rest || !receive(fd, rest, n)))
            return false;
    } while (frame[3] != 1);
    return true;
}

/* A thread: by HTTP/2 the beginning of an answer and then that HTTP/1 is to be spoken, by which it answers the next connection;
 * twice. */
static void *break_off(void *listener)
{
    static const char begin[] = "\0\0\0\4\0\0\0\0\0"
                                "\0\0\1\1\4\0\0\0\1\x88"
                                "\0\0\5\0\0\0\0\0\1hello"; /* SETTINGS; HEADERS: status 200; DATA */
    static const char end[] = "\0\0\4\3\0\0\0\0\1\0\0\0\x0d";
    static const char again[] = "HTTP/1.1 203 Fine\r\nContent-Length: 5\r\n\r\nworld";
    char request[4096];
    for (int i = 0; i < 2; i++) {
        int fd = accept(*(int *)listener, NULL, NULL);
        if (receive_request(fd) && send(fd, begin, sizeof begin - 1, MSG_NOSIGNAL) > 0 && usleep(100000) == 0)
            send(fd, end, sizeof end - 1, MSG_NOSIGNAL);
        int second = accept(*(int *)listener, NULL, NULL);
        if (recv(second, request, sizeof request, 0) > 0)
            send(second, again, sizeof again - 1, MSG_NOSIGNAL);
        close(second);
        close(fd);
    }
    return NULL;
}

/* libcurl asks again, and goes on with the new answer where the old one was broken off. */
TEST(two_answers_are_not_made_one)
{
    pthread_t server;
    char at[64], some[16];
    int listener = listen_somewhere("http", at);
    REQUIRE(pthread_create(&server, NULL, break_off, &listener) == 0);
    http_client *c = http_client_make(&(http_client_options){.version = 20});
    http_client_request r = {.url = at, .client = c};
    http_response res = {0};
    CHECK_EQ(http_do(NULL, &r, &res), 0);
    CHECK_EQ(res.status, 203);
    CHECK_STR(res.body, "world");
    http_response_free(&res);
    CHECK_EQ(http_open(NULL, &r, &res), 0);
    CHECK_EQ(res.status, 200);
    CHECK_EQ(http_body_read(&res, some, sizeof some), 5);
    CHECK(memcmp(some, "hello", 5) == 0);
    CHECK_EQ(http_body_read(&res, some, sizeof some), RN_EPROTO);
    http_response_free(&res);
    http_client_free(c);
    join_thread(server);
    close(listener);
}
