/* The HTTP client against nginx: TLS and its certificates, HTTP/2, many at once. */
#include "../http/bad_server.h"
#include <runnel.h>
#include <runnel/http_client.h>
#include <runnel/test.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { PLAIN, TLS, H2C, PORTS };
static int port[PORTS];
static char dir[] = "/tmp/runnel-nginx-XXXXXX", ca[64];
static const char *lacking; /* why there is no nginx */

static int free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    bind(fd, (struct sockaddr *)&a, n);
    getsockname(fd, (struct sockaddr *)&a, &n);
    close(fd);
    return ntohs(a.sin_port);
}

static void write_configuration(void)
{
    char path[64];
    snprintf(path, sizeof path, "%s/conf", dir);
    FILE *f = fopen(path, "w");
    fprintf(
        f,
        "daemon off; master_process off; pid %s/pid; error_log %s/errors;\n"
        "events { worker_connections 4096; }\n"
        "http { access_log off; root %s; keepalive_requests 100000; client_max_body_size 1k;\n"
        "client_body_temp_path %s/1; proxy_temp_path %s/2; fastcgi_temp_path %s/3; uwsgi_temp_path %s/4; scgi_temp_path "
        "%s/5;\n"
        "gzip on; gzip_types *; gzip_min_length 100;\n",
        dir, dir, dir, dir, dir, dir, dir, dir);
    fprintf(f, "ssl_certificate %s/ca.pem; ssl_certificate_key %s/key.pem;\n", dir, dir);
    static const char *const kinds[] = {"", "ssl http2", "http2"};
    for (int i = 0; i < PORTS; i++)
        fprintf(
            f,
            "server { listen 127.0.0.1:%d %s backlog=4096; location /moved { return 301 /small; } location /drop { return 444; } "
            "location /big { gzip off; } }\n",
            port[i], kinds[i]);
    static const char *const names[] = {"self", "signed", "expired"};
    for (int i = 0; i < 3; i++)
        fprintf(f,
                "server { listen 127.0.0.1:%d ssl http2; server_name %s.localhost; ssl_certificate %s/%s.pem; "
                "ssl_certificate_key %s/%s.key; }\n",
                port[TLS], names[i], dir, names[i], dir, names[i]);
    fprintf(f, "}\n");
    fclose(f);
}

static void write_files(void)
{
    char path[64], command[1024];
    snprintf(path, sizeof path, "%s/small", dir);
    FILE *f = fopen(path, "w");
    for (int i = 0; i < 100; i++)
        fputs("some text ", f);
    fclose(f);
    snprintf(path, sizeof path, "%s/big", dir);
    f = fopen(path, "w");
    for (size_t i = 0; i < 8 << 20; i++)
        putc(peer_byte(i), f);
    fclose(f);
    snprintf(ca, sizeof ca, "%s/ca.pem", dir);
    snprintf(command, sizeof command,
             "cd %s && new='req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes' && { "
             "openssl $new -x509 -keyout key.pem -out ca.pem -days 2 -subj /CN=localhost "
             "-addext subjectAltName=DNS:localhost;"
             "openssl $new -x509 -keyout self.key -out self.pem -days 2 -subj /CN=self.localhost "
             "-addext subjectAltName=DNS:self.localhost;"
             "for name in signed expired; do openssl $new -keyout $name.key -out csr -subj /CN=$name.localhost "
             "-addext subjectAltName=DNS:$name.localhost &&"
             "openssl x509 -req -in csr -CA ca.pem -CAkey key.pem -copy_extensions copy -out $name.pem "
             "-days $([ $name = signed ] && echo 2 || echo -1); done; } >openssl.log 2>&1",
             dir);
    if (system(command) != 0)
        lacking = "openssl can't make certificates";
}

static void run_nginx(void)
{
    char path[64];
    snprintf(path, sizeof path, "%s/conf", dir);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!freopen("/dev/null", "w", stderr))
        _exit(1);
    execlp("nginx", "nginx", "-c", path, (char *)NULL);
    execl("/usr/sbin/nginx", "nginx", "-c", path, (char *)NULL);
    _exit(127);
}

static void sweep(void)
{
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    if (system(command) != 0)
        perror(dir);
}

static pid_t owner;

static void at_exit(void)
{
    if (getpid() == owner)
        sweep();
}

__attribute__((constructor)) static void nginx_start(void)
{
    if (!mkdtemp(dir)) {
        lacking = "no directory";
        return;
    }
    owner = getpid();
    atexit(at_exit);
    for (int i = 0; i < PORTS; i++)
        port[i] = free_port();
    write_files();
    write_configuration();
    pid_t child = fork();
    if (child == 0)
        run_nginx();
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port[H2C])};
    for (;;) {
        int fd = socket(AF_INET, SOCK_STREAM, 0), up = connect(fd, (struct sockaddr *)&a, sizeof a);
        close(fd);
        if (up == 0)
            return;
        if (waitpid(child, NULL, WNOHANG) == child)
            break;
        usleep(5000);
    }
    lacking = "nginx is not installed, or does not start";
}

static void need_nginx(void)
{
    if (lacking)
        rn_test_skip(lacking);
}

/* In one of some buffers that are used in turn. */
static const char *url(const char *scheme, const char *host, int which, const char *path)
{
    static char text[16][128];
    static unsigned next;
    char *at = text[next++ % 16];
    snprintf(at, sizeof text[0], "%s://%s:%d%s", scheme, host, port[which], path);
    return at;
}

static void expect_small(http_client_request *r, int version)
{
    http_response res = {0};
    int err = http_do(NULL, r, &res);
    if (err)
        FAIL("%s: %s (%s)", r->url, rn_strerror(err), res.error);
    CHECK_EQ(res.status, 200);
    CHECK_EQ(res.version, version);
    CHECK_EQ(res.body_len, 1000);
    CHECK(res.body && strncmp(res.body, "some text some", 14) == 0);
    CHECK_STR(http_response_header(&res, "content-encoding"), "gzip");
    http_response_free(&res);
}

TEST(plain)
{
    need_nginx();
    http_client_request r = {.url = url("http", "127.0.0.1", PLAIN, "/small")};
    expect_small(&r, 11);
    r.url = url("http", "localhost", PLAIN, "/moved");
    expect_small(&r, 11);
}

TEST(http2_over_tls)
{
    need_nginx();
    http_client_request r = {.url = url("https", "localhost", TLS, "/small"), .ca_file = ca};
    for (int i = 0; i < 3; i++)
        expect_small(&r, 20);
    r.version = 11;
    expect_small(&r, 11);
}

TEST(http2_without_tls)
{
    need_nginx();
    http_client_request r = {.url = url("http", "127.0.0.1", H2C, "/small"), .version = 20};
    expect_small(&r, 20);
}

static void expect_refusal(const char *host, const char *ca_file, const char *why)
{
    http_client_request r = {.url = url("https", host, TLS, "/small"), .ca_file = ca_file};
    http_response res = {0};
    CHECK_EQ(http_do(NULL, &r, &res), RN_ETLS);
    CHECK_EQ(res.status, 0);
    if (!res.error || !strstr(res.error, why))
        FAIL("the error says: %s", res.error);
    http_response_free(&res);
    r.insecure = true;
    r.ca_file = NULL;
    expect_small(&r, 20);
    CHECK_EQ(http_do(NULL, &(http_client_request){.url = r.url, .ca_file = ca_file}, &res), RN_ETLS); /* still */
    http_response_free(&res);
}

TEST(certificates_are_verified)
{
    need_nginx();
    expect_refusal("localhost", NULL, "certificate");
    expect_refusal("127.0.0.1", ca, "127.0.0.1"); /* it says localhost */
    expect_refusal("wrong.localhost", ca, "wrong.localhost");
    expect_refusal("self.localhost", ca, "self");
    expect_refusal("expired.localhost", ca, "expired");
    http_client_request r = {.url = url("https", "signed.localhost", TLS, "/small"), .ca_file = ca};
    expect_small(&r, 20);
}

static void expect_default_ca(void)
{
    http_client_request r = {.url = url("https", "localhost", TLS, "/small")};
    expect_small(&r, 20);
}

TEST_PLAIN(authorities_of_the_environment)
{
    need_nginx();
    setenv("SSL_CERT_FILE", ca, 1);
    rn_run(expect_default_ca);
}

TEST(no_tls_where_there_is_none)
{
    need_nginx();
    http_response res = {0};
    CHECK_EQ(http_get(NULL, url("https", "localhost", PLAIN, "/small"), &res), RN_ETLS);
    http_response_free(&res);
}

TEST(tls_through_a_tunnel)
{
    need_nginx();
    http_client_request r = {.url = url("https", "localhost", TLS, "/small"), .ca_file = ca, .proxy = peer_url("")};
    expect_small(&r, 20);
}

TEST(a_peer_that_drops_the_connection)
{
    need_nginx();
    http_response res = {0};
    CHECK(http_get(NULL, url("http", "127.0.0.1", PLAIN, "/drop"), &res) < 0);
    http_response_free(&res);
    http_client_request r = {.url = url("https", "localhost", TLS, "/drop"), .ca_file = ca};
    CHECK(http_do(NULL, &r, &res) < 0);
    http_response_free(&res);
}

/* nginx answers 413 and closes while we still send: no SIGPIPE may come of it. */
TEST(a_peer_that_does_not_want_our_body)
{
    need_nginx();
    size_t n = 20 << 20;
    char *body = calloc(1, n);
    for (int i = 0; i < 4; i++) {
        http_client_request r = {.url = url(i & 1 ? "https" : "http", "localhost", i & 1 ? TLS : PLAIN, "/small"),
                                 .ca_file = ca,
                                 .version = 11,
                                 .body = body,
                                 .body_len = n};
        http_response res = {0};
        int err = http_do(NULL, &r, &res);
        CHECK(err < 0 || res.status == 413);
        http_response_free(&res);
    }
    free(body);
}

static void check_big(const http_client_request *r)
{
    http_response res = {0};
    CHECK_EQ(http_open(NULL, r, &res), 0);
    char buf[10000];
    size_t at = 0, wrong = 0;
    for (ssize_t n; (n = http_body_read(&res, buf, sizeof buf)) > 0;)
        for (ssize_t i = 0; i < n; i++)
            wrong += buf[i] != peer_byte(at++);
    CHECK_EQ(at, 8 << 20);
    CHECK_EQ(wrong, 0);
    http_response_free(&res);
}

TEST(big_bodies)
{
    need_nginx();
    const char *plain = url("http", "127.0.0.1", PLAIN, "/big"), *tls = url("https", "localhost", TLS, "/big");
    http_client_request h1 = {.url = plain}, h2 = {.url = tls, .ca_file = ca};
    http_client_request tls1 = {.url = tls, .ca_file = ca, .version = 11};
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < 2; i++) {
        wg_go(&wg, check_big, &h1);
        wg_go(&wg, check_big, &h2);
        wg_go(&wg, check_big, &tls1);
    }
    wg_wait(&wg);
}

static void ask(http_client_request *r)
{
    http_response res = {0};
    int err = http_do(NULL, r, &res);
    if (err)
        FAIL("%s: %s", res.url, res.error);
    CHECK_EQ(res.body_len, 1000);
    http_response_free(&res);
}

static void ask_many(http_client_request r, int n)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < n; i++)
        wg_go(&wg, ask, &r);
    wg_wait(&wg);
}

TEST(two_thousand_at_once)
{
    need_nginx();
    /* Two thousand handshakes take two processes some ten seconds: on a busy machine more than the default allows. */
    http_client *c = http_client_make(&(http_client_options){.connect_timeout = 5 * RN_MINUTE});
    ask_many((http_client_request){.url = url("http", "127.0.0.1", PLAIN, "/small"), .client = c}, 2000);
    ask_many((http_client_request){.url = url("https", "localhost", TLS, "/small"), .client = c, .ca_file = ca}, 2000);
    http_client_free(c);
}
