/* TLS from clients that break off at every byte, talk nonsense, or are slow: each connection ends, the server goes on.  And which suite is
 * agreed on, and answers longer than a record. */
#include "../http/peer.h"
#include <dirent.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <runnel/websocket.h>
#include <sys/socket.h>
#include <unistd.h>

static char directory[] = "/tmp/runnel-tls-XXXXXX", cert_file[64], key_file[64];

/* A certificate of its own for the key, for a day. */
static void make_certificate(EVP_PKEY *key)
{
    REQUIRE(mkdtemp(directory) != NULL);
    snprintf(cert_file, sizeof cert_file, "%s/cert.pem", directory);
    snprintf(key_file, sizeof key_file, "%s/key.pem", directory);
    X509 *x = X509_new();
    REQUIRE(key && x);
    X509_gmtime_adj(X509_getm_notBefore(x), 0);
    X509_gmtime_adj(X509_getm_notAfter(x), 86400);
    X509_set_pubkey(x, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)"h", -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(x));
    REQUIRE(X509_sign(x, key, EVP_sha256()) > 0);
    FILE *f = fopen(cert_file, "we");
    REQUIRE(f && PEM_write_X509(f, x));
    fclose(f);
    f = fopen(key_file, "we");
    REQUIRE(f && PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL));
    fclose(f);
    X509_free(x);
    EVP_PKEY_free(key);
}

static rn_atomic_int writing;
static chan(int) heard;

static void write_much(websocket *ws)
{
    enum { MUCH = 16 << 20 }; /* more than fits between us */
    char *data = calloc(1, MUCH);
    rn_atomic_store(&writing, 1);
    CHECK(websocket_write(ws, WEBSOCKET_BINARY, data, MUCH) < 0);
    free(data);
}

/* Writes to one who does not read, and reads. */
static void talk(http_writer *w, const http_request *r)
{
    websocket_message m;
    rn_waitgroup wg = {0};
    websocket *ws = websocket_accept(w, r, NULL);
    REQUIRE(ws != NULL);
    wg_go(&wg, write_much, ws);
    while (websocket_read(ws, &m) == 0)
        chan_send(heard, m.data[0]);
    wg_wait(&wg);
    websocket_free(ws);
}

static char letter(size_t i)
{
    return (char)('a' + i % 23);
}

/* So many letters, in pieces of so many. */
static void letters(http_writer *w, const http_request *r)
{
    size_t n = (size_t)http_query_long(r, "n", 0), piece = (size_t)http_query_long(r, "piece", 1);
    char *text = http_alloc(r, n + 1);
    for (size_t i = 0; i < n; i++)
        text[i] = letter(i);
    for (size_t i = 0; i < n; i += piece)
        http_write(w, text + i, piece < n - i ? piece : n - i);
}

static void hello(http_writer *w, const http_request *r)
{
    if (strcmp(r->path, "/talk") == 0) {
        talk(w, r);
        return;
    }
    if (strcmp(r->path, "/letters") == 0) {
        letters(w, r);
        return;
    }
    http_printf(w, "tls %d", r->tls);
    if (strcmp(r->path, "/broken") == 0) {
        http_flush(w);
        rn_panic("in the middle of the response");
    }
}

static void begin_with(struct peer_server *s, rn_duration header_timeout, EVP_PKEY *key)
{
    http_options o = {.handler = hello, .header_timeout = header_timeout};
    make_certificate(key);
    o.cert_file = cert_file;
    o.key_file = key_file;
    peer_serve(s, &o);
}

static void begin(struct peer_server *s, rn_duration header_timeout)
{
    begin_with(s, header_timeout, EVP_EC_gen("P-256"));
}

static int descriptors(void)
{
    int n = 0;
    DIR *d = opendir("/proc/self/fd");
    REQUIRE(d != NULL);
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

/* ---- a client over memory ---- */

struct client {
    SSL_CTX *ctx;
    SSL *ssl;
    BIO *in, *out;
    rn_conn *c;
};

static void client_make(struct client *k, const struct peer_server *s, int version)
{
    k->ctx = SSL_CTX_new(TLS_client_method());
    REQUIRE(k->ctx != NULL);
    SSL_CTX_set_max_proto_version(k->ctx, version);
    k->ssl = SSL_new(k->ctx);
    k->in = BIO_new(BIO_s_mem());
    k->out = BIO_new(BIO_s_mem());
    SSL_set_bio(k->ssl, k->in, k->out);
    SSL_set_connect_state(k->ssl);
    k->c = peer_connect(s);
}

static void client_free(struct client *k)
{
    SSL_free(k->ssl);
    SSL_CTX_free(k->ctx);
    net_free(k->c);
}

/* What OpenSSL has to say goes out, what comes goes in; false at the end. */
static bool turn(struct client *k)
{
    char bytes[4096];
    for (int n; (n = BIO_read(k->out, bytes, sizeof bytes)) > 0;)
        if (net_write(k->c, bytes, (size_t)n) < 0)
            return false;
    ssize_t n = net_read(k->c, bytes, sizeof bytes);
    return n > 0 && BIO_write(k->in, bytes, (int)n) == n;
}

static bool shake(struct client *k)
{
    while (SSL_do_handshake(k->ssl) != 1)
        if (!turn(k))
            return false;
    return true;
}

static const char request[] = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

static bool ask(struct client *k)
{
    char text[1000];
    int n;
    if (SSL_write(k->ssl, request, sizeof request - 1) <= 0)
        return false;
    while ((n = SSL_read(k->ssl, text, sizeof text - 1)) <= 0)
        if (!turn(k))
            return false;
    text[n] = 0;
    return peer_status(text) == 200 && strstr(text, "tls 1");
}

static void finish(struct peer_server *s, int before)
{
    bool answered = false;
    for (int tries = 0; tries < 30 && !answered; tries++) { /* the time for a head may be short */
        struct client k;
        client_make(&k, s, 0);
        answered = shake(&k) && ask(&k) && ask(&k);
        client_free(&k);
    }
    CHECK(answered);
    for (int i = 0; i < 20000 && http_connections(s->s) > 0; i++)
        rn_sleep(RN_MILLISECOND);
    CHECK_EQ(http_connections(s->s), 0);
    CHECK_EQ(descriptors(), before);
    peer_stop(s);
    unlink(cert_file);
    unlink(key_file);
    rmdir(directory);
}

static void end(rn_conn *c, bool by_reset)
{
    struct linger now = {.l_onoff = by_reset};
    setsockopt(rn_net_fd(c), SOL_SOCKET, SO_LINGER, &now, sizeof now);
    net_free(c);
}

TEST(handshakes_that_end_at_every_byte)
{
    struct peer_server s;
    struct client k;
    static char bytes[4096];
    begin(&s, 0);
    int before = descriptors();
    client_make(&k, &s, 0);
    SSL_do_handshake(k.ssl);
    int n = BIO_read(k.out, bytes, sizeof bytes);
    CHECK(n > 100);
    for (int i = 0; i <= n; i++) {
        rn_conn *c = peer_connect(&s);
        net_write(c, bytes, (size_t)i);
        end(c, i % 2);
    }
    for (int i = 0; i < n; i += 5) { /* and with a byte that is another */
        rn_conn *c = peer_connect(&s);
        bytes[i] ^= 0x41;
        net_write(c, bytes, (size_t)n);
        bytes[i] ^= 0x41;
        net_close_write(c);
        static char answer[8192];
        CHECK(peer_read_all(c, answer, sizeof answer) != RN_ETIMEOUT);
        net_free(c);
    }
    client_free(&k);
    finish(&s, before);
}

TEST(records_that_end_at_every_byte)
{
    struct peer_server s;
    static char bytes[4096];
    begin(&s, 0);
    int before = descriptors();
    for (int i = 0, n = 1; i < n; i++) {
        struct client k;
        client_make(&k, &s, 0);
        REQUIRE(shake(&k));
        CHECK(SSL_write(k.ssl, request, sizeof request - 1) > 0);
        n = BIO_read(k.out, bytes, sizeof bytes);
        net_write(k.c, bytes, (size_t)i);
        if (i % 3 == 0) {
            bytes[i] ^= 0x11; /* a record that is not what was sealed */
            net_write(k.c, bytes + i, (size_t)(n - i));
        }
        rn_conn *c = k.c;
        k.c = NULL;
        end(c, i % 2);
        client_free(&k);
    }
    finish(&s, before);
}

TEST(what_is_no_tls)
{
    static const struct {
        const char *bytes;
        size_t n;
    } list[] = {
        {request, sizeof request - 1},     {"\x16\x03\x01\xff\xff\x01", 6},          {"\x16\x03\x01\x00\x00", 5},
        {"\x17\x03\x03\x00\x05hello", 10}, {"\x15\x03\x03\x00\x02\x02\x28", 7},      {"\x80\x2e\x01\x00\x02", 5},
        {"\0\0\0\0\0\0\0\0", 8},           {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24},
    };
    static char answer[8192];
    struct peer_server s;
    begin(&s, 300 * RN_MILLISECOND);
    int before = descriptors();
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        rn_conn *c = peer_connect(&s);
        net_write(c, list[i].bytes, list[i].n);
        if (peer_read_all(c, answer, sizeof answer) ==
            RN_ETIMEOUT) /* also without an end of ours: it is given up in time */
            FAIL("%zu: there is no end", i);
        CHECK_EQ(strncmp(answer, "HTTP/1.0 400 Bad Request\r\n", 26) == 0, list[i].bytes == request);
        net_free(c);
    }
    struct client k;
    client_make(&k, &s, TLS1_1_VERSION);
    CHECK(!shake(&k));
    client_free(&k);
    finish(&s, before);
}

/* Reads to the end; whether that was announced. */
static bool said_goodbye(const struct peer_server *s, const char *text)
{
    struct client k;
    char answer[1000];
    int n;
    client_make(&k, s, 0);
    REQUIRE(shake(&k) && SSL_write(k.ssl, text, (int)strlen(text)) > 0);
    do
        n = SSL_read(k.ssl, answer, sizeof answer);
    while (n > 0 || (SSL_get_error(k.ssl, n) == SSL_ERROR_WANT_READ && turn(&k)));
    bool said = SSL_get_error(k.ssl, n) == SSL_ERROR_ZERO_RETURN;
    client_free(&k);
    return said;
}

/* A response that only its end delimits must not look whole when it is not, nor the other way round. */
TEST(a_goodbye_tells_that_all_was_sent)
{
    struct peer_server s;
    begin(&s, 0);
    int before = descriptors();
    CHECK(said_goodbye(&s, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"));
    CHECK(said_goodbye(&s, "GET / HTTP/1.0\r\n\r\n"));
    CHECK(said_goodbye(&s, "nonsense\r\n\r\n"));
    CHECK(!said_goodbye(&s, "GET /broken HTTP/1.0\r\n\r\n"));
    finish(&s, before);
}

/* ---- what is longer than a record, or than what is written at a time ---- */

/* The whole answer of a server that closes after it; NUL-terminated, the caller's. */
static char *whole_answer(const struct peer_server *s, const char *text, size_t room)
{
    struct client k;
    char *answer = malloc(room + 1);
    size_t have = 0;
    client_make(&k, s, 0);
    REQUIRE(answer && shake(&k) && SSL_write(k.ssl, text, (int)strlen(text)) > 0);
    for (;;) {
        int n = SSL_read(k.ssl, answer + have, (int)(room - have));
        have += n > 0 ? (size_t)n : 0;
        REQUIRE(have < room);
        if (n <= 0 && (SSL_get_error(k.ssl, n) != SSL_ERROR_WANT_READ || !turn(&k)))
            break;
    }
    client_free(&k);
    answer[have] = 0;
    return answer;
}

static void check_letters(const struct peer_server *s, size_t n, size_t piece)
{
    char text[128];
    size_t same = 0;
    snprintf(text, sizeof text, "GET /letters?n=%zu&piece=%zu HTTP/1.0\r\n\r\n", n, piece);
    char *answer = whole_answer(s, text, n + 1000), *body = strstr(answer, "\r\n\r\n");
    REQUIRE(body != NULL);
    for (body += 4; same < n && body[same] == letter(same);)
        same++;
    CHECK_EQ(same, n);
    CHECK_EQ(strlen(body), n);
    free(answer);
}

TEST(answers_of_each_length_arrive)
{
    static const size_t about[] = {1, 4096, 16384, 65536, 81920, 131072, 1000000};
    struct peer_server s;
    begin(&s, 0);
    int before = descriptors();
    for (size_t i = 0; i < sizeof about / sizeof *about; i++) {
        for (size_t n = about[i] - 1; n <= about[i] + 1; n++) {
            check_letters(&s, n, n + 1);
            check_letters(&s, n, 16384 + 1);
        }
    }
    check_letters(&s, 50000, 37);
    check_letters(&s, 300000, 4096);
    finish(&s, before);
}

static const char *suite(const struct peer_server *s, const char *wanted)
{
    struct client k;
    client_make(&k, s, 0);
    SSL_set_ciphersuites(k.ssl, wanted);
    REQUIRE(shake(&k));
    const char *got = SSL_CIPHER_get_name(SSL_get_current_cipher(k.ssl));
    client_free(&k);
    return got;
}

/* AES-128 before AES-256, as with Go's server; ChaCha20 for who wants it most, since it has no AES in its processor. */
TEST(which_suite)
{
    struct peer_server s;
    begin(&s, 0);
    int before = descriptors();
    CHECK_STR(suite(&s, "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256"),
              "TLS_AES_128_GCM_SHA256");
    CHECK_STR(suite(&s, "TLS_AES_256_GCM_SHA384"), "TLS_AES_256_GCM_SHA384");
    CHECK_STR(suite(&s, "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256"), "TLS_CHACHA20_POLY1305_SHA256");
    finish(&s, before);
}

/* ---- one who does not read for a while ---- */

static void say(struct client *k)
{
    char bytes[4096];
    for (int n; (n = BIO_read(k->out, bytes, sizeof bytes)) > 0;)
        CHECK_EQ(net_write(k->c, bytes, (size_t)n), n);
}

/* The server has to answer a change of keys, and can't yet: its socket is full.  It hears what is said meanwhile. */
TEST(a_change_of_keys_by_one_who_does_not_read)
{
    static const char shake_hands[] =
        "GET /talk HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    struct peer_server s;
    struct client k;
    int byte = 0;
    begin(&s, 0);
    heard = chan_make(int, 1);
    int before = descriptors();
    client_make(&k, &s, 0);
    REQUIRE(shake(&k) && SSL_write(k.ssl, shake_hands, sizeof shake_hands - 1) > 0);
    say(&k);
    while (!rn_atomic_load(&writing))
        rn_sleep(RN_MILLISECOND);
    rn_sleep(20 * RN_MILLISECOND);
    for (int i = 'a'; i <= 'c'; i++) {
        const char frame[] = {(char)0x81, (char)0x81, 0, 0, 0, 0, (char)i};
        REQUIRE(SSL_key_update(k.ssl, SSL_KEY_UPDATE_REQUESTED) == 1 && SSL_do_handshake(k.ssl) == 1);
        REQUIRE(SSL_write(k.ssl, frame, sizeof frame) > 0);
        say(&k);
        chan_select(on_recv(heard, &byte), on_timeout(20 * RN_SECOND));
        CHECK_EQ(byte, i);
    }
    client_free(&k);
    finish(&s, before);
    chan_free(heard);
}

/* Whether TLS 1.2 comes about with this suite alone. */
static bool agrees_on(const struct peer_server *s, const char *suite)
{
    struct client k;
    client_make(&k, s, TLS1_2_VERSION);
    REQUIRE(SSL_set_cipher_list(k.ssl, suite) == 1);
    bool agreed = shake(&k);
    client_free(&k);
    return agreed;
}

/* The certificate's key signs, and nothing is encrypted with it. */
TEST(only_suites_with_forward_secrecy)
{
    struct peer_server s;
    begin_with(&s, 0, EVP_RSA_gen(2048));
    int before = descriptors();
    CHECK(agrees_on(&s, "ECDHE-RSA-AES128-GCM-SHA256"));
    CHECK(agrees_on(&s, "ECDHE-RSA-AES256-SHA"));
    CHECK(!agrees_on(&s, "AES128-GCM-SHA256"));
    CHECK(!agrees_on(&s, "AES256-SHA"));
    finish(&s, before);
}
