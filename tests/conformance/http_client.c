/* The HTTP client against a peer of plain sockets, well behaved and not (tests/http/bad_server.h). */
#include "../http/bad_server.h"
#include <locale.h>
#include <runnel.h>
#include <runnel/http_client.h>
#include <runnel/test.h>
#include <dirent.h>
#include <errno.h>

static int descriptors(void)
{
    int n = 0;
    DIR *d = opendir("/proc/self/fd");
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

/* How many connections the peer has had, and has open; its own for this question not counted. */
static void count(int *ever, int *open)
{
    http_response res = {0};
    http_client *c = http_client_make(NULL); /* another pool */
    http_client_request r = {.url = peer_url("/count"), .client = c};
    CHECK_EQ(http_do(NULL, &r, &res), 0);
    sscanf(res.body, "%d %d", ever, open);
    http_response_free(&res);
    http_client_free(c);
}

static void expect(const char *path, int status, const char *body)
{
    http_response res = {0};
    CHECK_EQ(http_get(NULL, peer_url(path), &res), 0);
    CHECK_EQ(res.status, status);
    CHECK_STR(res.body, body);
    CHECK_EQ(res.body_len, strlen(body));
    CHECK(!res.error);
    http_response_free(&res);
}

static int number_at(const char *path)
{
    http_response res = {0};
    CHECK_EQ(http_get(NULL, peer_url(path), &res), 0);
    int n = atoi(res.body);
    http_response_free(&res);
    return n;
}

static void expect_error(rn_context *ctx, const char *path, int err)
{
    http_response res = {0};
    CHECK_EQ(http_get(ctx, peer_url(path), &res), err);
    CHECK_EQ(res.status, 0);
    if (!ctx)
        CHECK(res.error && strstr(res.error, path));
    http_response_free(&res);
}

/* ---- answers ---------------------------------------------------------------------------------- */

TEST(a_get)
{
    http_response res = {0};
    CHECK_EQ(http_get(ctx_background(), peer_url("/hello"), &res), 0);
    CHECK_EQ(res.status, 200);
    CHECK_EQ(res.version, 11);
    CHECK_STR(res.body, "hello");
    CHECK_STR(http_response_header(&res, "x-NAME"), "value");
    CHECK(!http_response_header(&res, "x-other"));
    CHECK_EQ(res.headers_len, 2);
    CHECK_STR(res.headers[1].name, "X-Name");
    CHECK_STR(res.url, peer_url("/hello"));
    http_response_free(&res);
    CHECK(!res.body && !res.headers && !res.url);
    http_response_free(&res);
}

TEST(a_status_is_no_error)
{
    expect("/status/404", 404, "status");
    expect("/status/500", 500, "status");
    expect("/status/204", 204, "");
}

static void check_bytes(const char *path, size_t n)
{
    http_response res = {0};
    CHECK_EQ(http_get(NULL, peer_url(path), &res), 0);
    REQUIRE(res.body_len == n);
    for (size_t i = 0; i < n; i++)
        if (res.body[i] != peer_byte(i)) {
            FAIL("byte %zu is wrong", i);
            break;
        }
    http_response_free(&res);
}

TEST(bodies_of_all_sizes)
{
    check_bytes("/bytes/0", 0);
    check_bytes("/bytes/1", 1);
    check_bytes("/bytes/16384", 16384);
    check_bytes("/bytes/5000000", 5000000);
    check_bytes("/chunks/0", 0);
    check_bytes("/chunks/5000000", 5000000);
}

TEST(packed_bodies_arrive_unpacked)
{
    expect("/gzip", 200, "hello");
    http_client_options o = {.keep_encoding = true};
    http_client *c = http_client_make(&o);
    http_client_request r = {.url = peer_url("/gzip"), .client = c};
    http_response res = {0};
    CHECK_EQ(http_do(NULL, &r, &res), 0);
    CHECK_EQ((unsigned char)res.body[0], 0x1f);
    http_response_free(&res);
    http_client_free(c);
}

static void ask_head(http_client_request r)
{
    http_response res = {0};
    r.url = peer_url("/hello");
    r.method = "HEAD";
    r.timeout = 5 * RN_SECOND;
    CHECK_EQ(http_do(NULL, &r, &res), 0);
    CHECK_EQ(res.status, 200);
    CHECK_EQ(res.body_len, 0);
    CHECK_STR(http_response_header(&res, "content-length"), "5");
    http_response_free(&res);
}

static ssize_t never_asked(void *arg, void *buf, size_t n)
{
    (void)arg, (void)buf, (void)n;
    FAIL("a HEAD asks for a body");
    return 0;
}

/* Also with a body, as a proxy that passes on what it has got would give it one: nothing but a head comes back. */
TEST(a_head)
{
    ask_head((http_client_request){0});
    ask_head((http_client_request){.body = ""});
    ask_head((http_client_request){.body = "text", .body_len = 4, .content_type = "text/plain"});
    ask_head((http_client_request){.body_read = never_asked});
}

/* ---- requests --------------------------------------------------------------------------------- */

/* What the peer saw; the caller frees it. */
static http_response echo(http_client_request *r)
{
    http_response res = {0};
    if (!r->url)
        r->url = peer_url("/echo");
    CHECK_EQ(http_do(NULL, r, &res), 0);
    REQUIRE(res.body);
    return res;
}

TEST(what_is_sent)
{
    http_header own[] = {{"X-One", "1"}, {"X-Empty", ""}, {"Accept", "text/plain"}};
    http_client_request r = {.headers = own, .headers_len = 3};
    http_response res = echo(&r);
    CHECK(strncmp(res.body, "GET /echo HTTP/1.1\r\n", 20) == 0);
    CHECK(strstr(res.body, "X-One: 1\r\n") && strstr(res.body, "X-Empty:\r\n") &&
          strstr(res.body, "Accept: text/plain\r\n"));
    CHECK(strstr(res.body, "User-Agent: runnel/") && strstr(res.body, "Accept-Encoding: "));
    CHECK(!strstr(res.body, "Content-Type") && !strstr(res.body, "Expect"));
    http_response_free(&res);
}

TEST(a_post)
{
    http_response res = {0};
    CHECK_EQ(http_post(NULL, peer_url("/echo"), "text/plain", "some text", 9, &res), 0);
    CHECK(strncmp(res.body, "POST /echo", 10) == 0);
    CHECK(strstr(res.body, "Content-Type: text/plain\r\n") && strstr(res.body, "Content-Length: 9\r\n"));
    CHECK_STR(strstr(res.body, "\r\n\r\n") + 4, "some text");
    http_response_free(&res);
    CHECK_EQ(http_post(NULL, peer_url("/echo"), NULL, NULL, 0, &res), 0);
    CHECK(strstr(res.body, "Content-Length: 0\r\n") && !strstr(res.body, "Content-Type"));
    http_response_free(&res);
}

TEST(other_methods)
{
    static const char *const methods[] = {"PUT", "PATCH", "DELETE", "OPTIONS", "BREW"};
    for (size_t i = 0; i < 5; i++)
        for (int with_body = 0; with_body < 2; with_body++) {
            http_client_request r = {
                .method = methods[i], .body = with_body ? "body" : NULL, .body_len = with_body ? 4 : 0};
            http_response res = echo(&r);
            CHECK(strncmp(res.body, methods[i], strlen(methods[i])) == 0);
            CHECK_STR(strstr(res.body, "\r\n\r\n") + 4, with_body ? "body" : "");
            http_response_free(&res);
        }
}

TEST(what_makes_no_sense_is_refused)
{
    static const http_header bad[] = {
        {"X-One\r\nX-Two", "1"}, {"X-One", "1\r\nX-Two: 2"},       {"", "1"},  {"X One", "1"},
        {"Content-Length", "3"}, {"Transfer-Encoding", "chunked"}, {NULL, "1"}};
    http_response res = {0};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        http_client_request r = {.url = peer_url("/echo"), .headers = &bad[i], .headers_len = 1};
        CHECK_EQ(http_do(NULL, &r, &res), RN_EINVAL);
    }
    http_client_request r = {.url = peer_url("/echo"), .method = "GET / HTTP/1.1\r\nX:"};
    CHECK_EQ(http_do(NULL, &r, &res), RN_EINVAL);
    static const char *const urls[] = {"",
                                       "foo",
                                       "foo://bar/",
                                       "file:///etc/passwd",
                                       "ftp://localhost/",
                                       "http://",
                                       "http://a b/",
                                       "http://localhost:99999/",
                                       "http://localhost/\r\nX: y"};
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        int err = http_get(NULL, urls[i], &res);
        if (err != RN_EURL)
            FAIL("%s: %s", urls[i], rn_strerror(err));
        http_response_free(&res);
    }
}

/* ---- streams ---------------------------------------------------------------------------------- */

TEST(a_streamed_answer)
{
    http_client_request r = {.url = peer_url("/chunks/3000000")};
    http_response res = {0};
    CHECK_EQ(http_open(NULL, &r, &res), 0);
    CHECK_EQ(res.status, 200);
    CHECK(!res.body);
    CHECK_STR(http_response_header(&res, "transfer-encoding"), "chunked");
    size_t at = 0;
    char buf[7777];
    for (ssize_t n; (n = http_body_read(&res, buf, sizeof buf)) > 0;)
        for (ssize_t i = 0; i < n; i++)
            if (buf[i] != peer_byte(at++))
                FAIL("byte %zu is wrong", at - 1);
    CHECK_EQ(at, 3000000);
    CHECK_EQ(http_body_read(&res, buf, sizeof buf), 0);
    http_response_free(&res);
}

TEST(a_stream_tells_of_its_head_at_once)
{
    http_client_request r = {.url = peer_url("/hang/body")};
    http_response res = {0};
    rn_context *ctx = ctx_with_cancel(NULL);
    char buf[100];
    CHECK_EQ(http_open(ctx, &r, &res), 0);
    CHECK_EQ(http_body_read(&res, buf, sizeof buf), 10);
    ctx_cancel(ctx);
    CHECK_EQ(http_body_read(&res, buf, sizeof buf), RN_ECANCELED);
    CHECK_EQ(http_body_read(&res, buf, sizeof buf), RN_ECANCELED);
    http_response_close(&res);
    CHECK_EQ(res.status, 200);
    http_response_free(&res);
}

static long resident(void)
{
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    CHECK_EQ(fscanf(f, "%*d %ld", &pages), 1);
    fclose(f);
    return pages * sysconf(_SC_PAGESIZE);
}

TEST(a_slow_reader_slows_the_sender)
{
    http_client_request r = {.url = peer_url("/bytes/200000000")};
    http_response res = {0};
    char buf[64];
    CHECK_EQ(http_open(NULL, &r, &res), 0);
    long before = resident();
    for (int i = 0; i < 200; i++) {
        CHECK(http_body_read(&res, buf, sizeof buf) > 0);
        rn_sleep(RN_MILLISECOND); /* all that would come, comes */
    }
    CHECK(resident() - before < 8 << 20);
    http_response_free(&res);
}

struct source {
    size_t left;
    int err;
    bool panics;
};

static ssize_t from_source(void *arg, void *buf, size_t n)
{
    struct source *s = arg;
    rn_sleep(RN_MICROSECOND); /* it may block */
    if (s->left == 0 && s->panics)
        rn_panic("the source is dry");
    if (s->left == 0 && s->err)
        return s->err;
    n = n < s->left ? n : s->left;
    memset(buf, 'x', n);
    s->left -= n;
    return (ssize_t)n;
}

TEST(a_streamed_request)
{
    for (int known = 0; known < 2; known++)
        for (size_t n = 1; n <= 1000000; n *= 1000) {
            struct source s = {.left = n};
            http_client_request r = {.url = peer_url("/sink"),
                                     .body_read = from_source,
                                     .body_arg = &s,
                                     .body_size = known ? (int64_t)n : 0};
            http_response res = echo(&r);
            CHECK_EQ(atoi(res.body), n);
            http_response_free(&res);
        }
}

TEST(a_streamed_request_that_fails)
{
    http_response res = {0};
    struct source s = {.left = 100000, .err = -EIO};
    http_client_request r = {.url = peer_url("/sink"), .body_read = from_source, .body_arg = &s};
    CHECK_EQ(http_do(NULL, &r, &res), -EIO);
    http_response_free(&res);
    expect("/hello", 200, "hello");
}

TEST(a_streamed_request_that_panics)
{
    http_response res = {0};
    struct source s = {.left = 100000, .panics = true};
    http_client_request r = {.url = peer_url("/sink"), .body_read = from_source, .body_arg = &s};
    EXPECT_PANIC("the source is dry", (void)http_do(NULL, &r, &res));
    s.left = 100000;
    EXPECT_PANIC("the source is dry", (void)http_open(NULL, &r, &res));
    expect("/hello", 200, "hello");
}

/* The peer has reset the connection when the second piece is there. */
static ssize_t late(void *arg, void *buf, size_t n)
{
    bool *again = arg;
    rn_sleep(*again ? 20 * RN_MILLISECOND : 0);
    *again = true;
    memset(buf, 'x', n);
    return (ssize_t)n;
}

static void send_in_vain(bool streams)
{
    bool again = false;
    http_response res = {0};
    http_client_request r = {.url = peer_url("/reset"), .body_read = late, .body_arg = &again};
    int err = streams ? http_open(NULL, &r, &res) : http_do(NULL, &r, &res);
    CHECK(err == -ECONNRESET || err == -EPIPE);
    http_response_free(&res);
}

/* What came late was an order for an exchange that was over, and freed before the driver had seen it. */
TEST(a_streamed_request_whose_connection_breaks_meanwhile)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    int procs = rn_set_procs(1);
    send_in_vain(false);
    send_in_vain(true);
    rn_set_procs(procs);
    for (int i = 0; i < 20; i++)
        wg_go(&wg, send_in_vain, i % 2);
    wg_wait(&wg);
    expect("/hello", 200, "hello");
}

/* ThreadSanitizer makes the moment before a write long. */
#if defined(__SANITIZE_THREAD__)
#define SLOW 1
#elif defined(__has_feature)
#define SLOW __has_feature(thread_sanitizer)
#else
#define SLOW 0
#endif

/* It is lost only if it comes, and the reset, in the moment before a write.  (Before the client looked for an answer before each
 * write: 20 to 30 of 80.) */
TEST(an_answer_that_comes_before_the_request_was_sent)
{
    enum { TRIES = 80, BODY = 4 << 20 };
    int lost = 0;
    char *body = calloc(1, BODY);
    for (int i = 0; i < TRIES; i++) {
        struct source s = {.left = BODY};
        http_client_request r = {.url = peer_url("/early"), .method = "POST"};
        http_response res = {0};
        if (i % 2)
            r.body_read = from_source, r.body_arg = &s;
        else
            r.body = body, r.body_len = BODY;
        int err = http_do(NULL, &r, &res);
        CHECK(err == 0 || err == -ECONNRESET || err == -EPIPE);
        CHECK_EQ(res.status, err ? 0 : 413);
        lost += err != 0;
        http_response_free(&res);
    }
    free(body);
    CHECK(lost <= (SLOW ? TRIES / 2 : TRIES / 8));
}

/* ---- redirects ---------------------------------------------------------------------------------- */

TEST(redirects_are_followed)
{
    http_response res = {0};
    CHECK_EQ(http_get(NULL, peer_url("/redirect/5"), &res), 0);
    CHECK_EQ(res.redirects, 5);
    CHECK_STR(res.url, peer_url("/hello"));
    CHECK_STR(res.body, "hello");
    http_response_free(&res);
    CHECK_EQ(http_get(NULL, peer_url("/redirect/11"), &res), RN_EREDIRECTS);
    http_response_free(&res);
    http_client_request r = {.url = peer_url("/redirect/3"), .max_redirects = -1};
    CHECK_EQ(http_do(NULL, &r, &res), 0);
    CHECK_EQ(res.status, 302);
    CHECK_STR(res.body, "moved");
    CHECK_STR(http_response_header(&res, "location"), "/redirect/2");
    http_response_free(&res);
    CHECK_EQ(http_open(NULL, &(http_client_request){.url = peer_url("/redirect/2")}, &res), 0);
    char buf[10];
    CHECK_EQ(http_body_read(&res, buf, sizeof buf), 5);
    http_response_free(&res);
}

/* As without a Location: it is the answer. */
TEST(an_empty_location_leads_nowhere)
{
    http_response res = {0};
    CHECK_EQ(http_get(NULL, peer_url("/to/302"), &res), 0);
    CHECK_EQ(res.status, 302);
    CHECK_EQ(res.redirects, 0);
    CHECK_STR(res.body, "moved");
    http_response_free(&res);
}

/* No more than 2 KiB of its body are read, and it need not be whole. */
TEST(a_redirect_is_followed_whatever_its_body)
{
    static const char *const paths[] = {"/moved/endless", "/moved/long", "/moved/cut", "/moved/chunk"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        rn_context *ctx = ctx_with_timeout(ctx_background(), 20 * RN_SECOND);
        http_response res = {0};
        CHECK_EQ(http_get(ctx, peer_url(paths[i]), &res), 0);
        CHECK_EQ(res.redirects, 1);
        CHECK_STR(res.url, peer_url("/hello"));
        CHECK(res.body && strcmp(res.body, "hello") == 0);
        http_response_free(&res);
        CHECK_EQ(http_open(ctx, &(http_client_request){.url = peer_url(paths[i])}, &res), 0);
        CHECK_EQ(res.status, 200);
        http_response_free(&res);
        ctx_cancel(ctx);
    }
    http_response res = {0};
    http_client_request as_answer = {.url = peer_url("/moved/cut"), .max_redirects = -1};
    CHECK_EQ(http_do(NULL, &as_answer, &res), RN_EPROTO);
    http_response_free(&res);
}

static void check_redirect(int status, const char *method, const char *then, bool with_body)
{
    char path[32];
    snprintf(path, sizeof path, "/to/%d/echo", status);
    http_client_request r = {.url = peer_url(path), .method = method, .body = "body", .body_len = 4};
    http_response res = echo(&r);
    CHECK(strncmp(res.body, then, strlen(then)) == 0);
    CHECK_STR(strstr(res.body, "\r\n\r\n") + 4, with_body ? "body" : "");
    http_response_free(&res);
}

TEST(what_a_redirect_does_to_the_method)
{
    check_redirect(301, "POST", "GET", false);
    check_redirect(302, "POST", "GET", false);
    check_redirect(303, "PUT", "GET", false);
    check_redirect(301, "PUT", "PUT", true);
    check_redirect(307, "POST", "POST", true);
    check_redirect(308, "PUT", "PUT", true);
    struct source s = {.left = 10};
    http_client_request r = {.url = peer_url("/to/307/echo"), .body_read = from_source, .body_arg = &s};
    http_response res = echo(&r);
    CHECK_EQ(res.status, 307); /* the body is gone */
    http_response_free(&res);
}

/* libcurl would ask again, without the expectation, which is the caller's to drop: for ever. */
TEST(an_expectation_that_is_not_met)
{
    http_header expects = {"Expect", "100-continue"};
    http_client_request r = {
        .url = peer_url("/unmet"), .headers = &expects, .headers_len = 1, .body = "hello", .body_len = 5};
    http_response res = {0};
    CHECK_EQ(http_do(NULL, &r, &res), 0);
    CHECK_EQ(res.status, 417);
    http_response_free(&res);
    REQUIRE(http_open(NULL, &r, &res) == 0);
    CHECK_EQ(res.status, 417);
    char text[8];
    CHECK(http_body_read(&res, text, sizeof text) >= 0);
    http_response_free(&res);
    expect("/hello", 200, "hello");
}

TEST(credentials_stay_with_their_host)
{
    http_header own[] = {{"Authorization", "secret"},
                         {"Cookie", "secret"},
                         {"X-Other", "public"},
                         {"Proxy-Authorization", "secret"},
                         {"Host", "secret.example"}};
    http_client_request same = {.url = peer_url("/to/302/echo"), .headers = own, .headers_len = 5};
    http_response res = echo(&same);
    CHECK(strstr(res.body, "Authorization: secret") && strstr(res.body, "Cookie: secret"));
    CHECK(strstr(res.body, "Host: secret.example"));
    http_response_free(&res);
    http_client_request away = {.url = peer_url("/away/echo"), .headers = own, .headers_len = 5};
    res = echo(&away);
    CHECK(!strstr(res.body, "secret"));
    CHECK(strstr(res.body, "X-Other: public"));
    CHECK(strstr(res.url, "http://localhost:"));
    http_response_free(&res);
    http_header typed[] = {{"Content-Type", "text/x"}, {"Content-Language", "en"}};
    http_client_request post = {
        .url = peer_url("/to/303/echo"), .headers = typed, .headers_len = 2, .body = "hello", .body_len = 5};
    res = echo(&post);
    CHECK(strstr(res.body, "GET /echo ") && !strstr(res.body, "Content-"));
    http_response_free(&res);
}

TEST(a_redirect_leads_to_http_only)
{
    http_response res = {0};
    CHECK_EQ(http_get(NULL, peer_url("/to/302/../../../file:"), &res), 0);
    http_response_free(&res);
}

/* ---- failures ----------------------------------------------------------------------------------- */

TEST(peers_that_fail)
{
    expect_error(NULL, "/reset", -ECONNRESET);
    expect_error(NULL, "/cut", RN_EPROTO);
    expect_error(NULL, "/cut/head", RN_EPROTO);
    expect_error(NULL, "/garbage", RN_EPROTO);
    expect_error(NULL, "/chunk", RN_EPROTO); /* not the reset before it */
    expect_error(NULL, "/empty", -ECONNRESET);
    expect("/hello", 200, "hello");
}

/* RFC 9112, 5.2: a line that begins with a blank belongs to the one before it. */
TEST(headers_over_several_lines)
{
    http_response res = {0};
    CHECK_EQ(http_get(NULL, peer_url("/folded"), &res), 0);
    CHECK_STR(http_response_header(&res, "X-A"), "one two: 2 three");
    CHECK_STR(http_response_header(&res, "X-B"), "late");
    CHECK_EQ(res.headers_len, 3);
    CHECK_STR(res.body, "hello");
    http_response_free(&res);
}

/* With none before it, it belongs to nothing; above all not to the last answer, which is freed. */
TEST(an_answer_that_begins_with_a_blank)
{
    for (int i = 0; i < 4; i++) {
        http_response res = {0};
        expect("/hello", 200, "hello");
        int err = http_get(NULL, peer_url("/folded/first"), &res);
        CHECK(err == 0 || err == RN_EPROTO);
        http_response_free(&res);
    }
}

/* RFC 9112, 2.2: a CR within a line would begin another one for those who read so. */
TEST(control_bytes_in_a_head)
{
    char path[32];
    for (int i = 0; i < 7; i++) {
        http_response res = {0};
        snprintf(path, sizeof path, "/control/%d", i);
        CHECK_EQ(http_get(NULL, peer_url(path), &res), RN_EPROTO);
        CHECK(res.error && strstr(res.error, "control byte"));
        http_response_free(&res);
    }
}

/* RFC 9112, 6.3: what can't be a length, or is two, is no answer. */
TEST(lengths_that_make_no_sense)
{
    expect("/lengths/5/5", 200, "hello");
    expect_error(NULL, "/lengths/5/4", RN_EPROTO);
    expect_error(NULL, "/lengths/4/5", RN_EPROTO);
    expect_error(NULL, "/lengths/+5/+5", RN_EPROTO);
    expect_error(NULL, "/lengths/99999999999999999999/99999999999999999999", RN_EPROTO);
}

static void read_endless(rn_waitgroup *done, int i)
{
    static const char *const paths[] = {"/endless/body", "/endless/trailers", "/endless/interim", "/hello"};
    rn_context *ctx = ctx_with_timeout(ctx_background(), 200 * RN_MILLISECOND);
    http_response res = {0};
    rn_time begun = rn_now();
    int err = http_get(ctx, peer_url(paths[i % 4]), &res);
    CHECK(i % 4 == 3 ? err == 0 || err == RN_ETIMEOUT : err == RN_ETIMEOUT || (i % 4 > 0 && err == RN_ETOOBIG));
    CHECK(rn_since(begun) < 15 * RN_SECOND); /* it had been a minute */
    http_response_free(&res);
    ctx_cancel(ctx);
    wg_done(done);
}

/* A peer that sends without end, faster than we read, neither fills memory nor keeps contexts from ending. */
TEST(answers_without_end)
{
    rn_waitgroup done = RN_WAITGROUP_INIT;
    expect_error(NULL, "/endless/trailers", RN_ETOOBIG);
    expect_error(NULL, "/endless/interim", RN_ETOOBIG);
    for (int i = 0; i < 40; i++) {
        wg_add(&done, 1);
        go(read_endless, &done, i);
    }
    wg_wait(&done);
    expect("/hello", 200, "hello");
}

static void read_empty_frames(rn_waitgroup *done)
{
    rn_context *ctx = ctx_with_timeout(ctx_background(), 200 * RN_MILLISECOND);
    http_response res = {0};
    CHECK_EQ(http_do(ctx, &(http_client_request){.url = peer_url("/"), .version = 20}, &res), RN_ETIMEOUT);
    http_response_free(&res);
    ctx_cancel(ctx);
    wg_done(done);
}

/* libcurl 7.88 reads them in one call, for as long as they come; it was up to a minute. */
TEST(frames_without_end_that_mean_nothing)
{
    rn_waitgroup done = RN_WAITGROUP_INIT;
    rn_time begun = rn_now();
    for (int i = 0; i < 10; i++) {
        wg_add(&done, 1);
        go(read_empty_frames, &done);
    }
    wg_wait(&done);
    CHECK(rn_since(begun) < 5 * RN_SECOND);
    expect("/hello", 200, "hello");
}

TEST(nobody_there)
{
    http_response res = {0};
    CHECK_EQ(http_get(NULL, "http://127.0.0.1:1/", &res), -ECONNREFUSED);
    CHECK(res.error && strstr(res.error, "127.0.0.1"));
    http_response_free(&res);
    CHECK_EQ(http_get(NULL, "http://does-not-exist.invalid/", &res), RN_ENOHOST);
    http_response_free(&res);
}

TEST(limits)
{
    http_response res = {0};
    http_client_request r = {.url = peer_url("/bytes/100000"), .max_body = 99999};
    CHECK_EQ(http_do(NULL, &r, &res), RN_ETOOBIG);
    http_response_free(&res);
    r.max_body = 100000;
    CHECK_EQ(http_do(NULL, &r, &res), 0);
    http_response_free(&res);
    CHECK_EQ(http_get(NULL, peer_url("/headers/1000"), &res), 0);
    CHECK_EQ(res.headers_len, 1001);
    http_response_free(&res);
    CHECK_EQ(http_get(NULL, peer_url("/headers/5000"), &res), RN_ETOOBIG);
    http_response_free(&res);
    CHECK_EQ(http_get(NULL, peer_url("/line/102000"), &res), 0);
    CHECK_EQ(res.headers_len, 2);
    http_response_free(&res);
    expect_error(NULL, "/line/103000", RN_ETOOBIG);
    expect("/trailer/4000", 200, "");
    expect_error(NULL, "/trailer/4200", RN_ETOOBIG);
}

/* ---- the end of waiting ---------------------------------------------------------------------------- */

TEST(a_timeout_at_every_stage)
{
    static const char *const paths[] = {"/hang", "/hang/head", "/hang/body"};
    for (int i = 0; i < 3; i++) {
        http_response res = {0};
        http_client_request r = {.url = peer_url(paths[i]), .timeout = 20 * RN_MILLISECOND};
        CHECK_EQ(http_do(NULL, &r, &res), RN_ETIMEOUT);
        CHECK(res.error && strstr(res.error, ": no whole answer within 0.02 s"));
        http_response_free(&res);
        rn_context *ctx = ctx_with_timeout(NULL, 20 * RN_MILLISECOND);
        expect_error(ctx, paths[i], RN_ETIMEOUT);
        ctx_cancel(ctx);
    }
    expect("/hello", 200, "hello");
}

static void cancel_after(rn_context *ctx, rn_duration d)
{
    rn_sleep(d);
    ctx_cancel(ctx);
}

static void get_until(rn_context *ctx, const char *path, int n)
{
    static const char *const paths[] = {"/hang", "/hang/head", "/hang/body", "/bytes/3000000", "/redirect/9"};
    http_response res = {0};
    int err = http_get(ctx, peer_url(path ? path : paths[n % 5]), &res);
    CHECK(err == 0 || err == RN_ECANCELED);
    http_response_free(&res);
}

TEST(canceled_at_any_moment)
{
    for (int i = 0; i < 60; i++) {
        rn_context *ctx = ctx_with_cancel(NULL);
        rn_waitgroup wg = RN_WAITGROUP_INIT;
        wg_go(&wg, cancel_after, ctx, i * 50 * RN_MICROSECOND);
        for (int j = 0; j < 5; j++)
            wg_go(&wg, get_until, ctx, (const char *)NULL, j);
        wg_wait(&wg);
    }
    expect("/hello", 200, "hello");
}

TEST(canceled_before)
{
    rn_context *ctx = ctx_with_cancel(NULL);
    ctx_cancel_cause(ctx, 0);
    http_response res = {0};
    CHECK_EQ(http_get(ctx, peer_url("/hello"), &res), RN_ECANCELED);
    http_response_free(&res);
    ctx_cancel(ctx);
}

/* ---- cookies ------------------------------------------------------------------------------------------- */

static void get_with(http_client *c, const char *path)
{
    http_client_request r = {.url = peer_url(path), .client = c};
    http_response res = {0};
    CHECK_EQ(http_do(NULL, &r, &res), 0);
    CHECK_EQ(res.status, 200);
    http_response_free(&res);
}

static bool sends_with(http_client *c, const char *cookie, const char *line)
{
    http_header own = {"Cookie", cookie};
    http_client_request r = {.client = c, .headers = &own, .headers_len = cookie != NULL};
    http_response res = echo(&r);
    bool found = strstr(res.body, line) != NULL;
    http_response_free(&res);
    return found;
}

static bool sends(http_client *c, const char *line)
{
    return sends_with(c, NULL, line);
}

TEST(cookies_of_a_client)
{
    http_client *c = http_client_make(&(http_client_options){.cookies = true}), *other = http_client_make(NULL);
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    get_with(c, "/cookie/one=1");
    get_with(other, "/cookie/one=1");
    CHECK(sends(c, "\r\nCookie: one=1\r\n"));
    CHECK(!sends(other, "Cookie:") && !sends(NULL, "Cookie:"));
    CHECK(sends_with(c, "mine=0; m=1", "\r\nCookie: one=1; mine=0; m=1\r\n")); /* one line for all */
    CHECK(sends_with(other, "mine=0", "\r\nCookie: mine=0\r\n"));
    http_header own = {"Cookie", "mine=0"};
    http_client_request away = {.client = c, .url = peer_url("/away/echo"), .headers = &own, .headers_len = 1};
    http_response res = echo(&away);
    CHECK(!strstr(res.body, "mine=0"));
    http_response_free(&res);
    CHECK(sends(c, "\r\nCookie: one=1\r\n"));
    get_with(c, "/cookie/one=2");
    for (int i = 0; i < 50; i++)
        wg_go(&wg, get_with, c, i % 2 ? "/cookie/two=2" : "/echo");
    wg_wait(&wg);
    CHECK(sends(c, "one=2") && sends(c, "two=2") && !sends(c, "one=1"));
    http_client_free(c);
    http_client_free(other);
}

/* How often the peer was asked for /empty by one request on a connection that was used before. */
static int asked_by(const char *method)
{
    http_response res = {0};
    int before = number_at("/empties");
    char *url = strdup(peer_url("/empty"));
    CHECK_EQ(http_do(NULL, &(http_client_request){.url = url, .method = method, .body = "x", .body_len = 1}, &res),
             -ECONNRESET);
    free(url);
    http_response_free(&res);
    return number_at("/empties") - before;
}

/* A server that dies in the middle of a request may have done it. */
TEST(what_is_not_idempotent_is_not_repeated)
{
    CHECK_EQ(asked_by("POST"), 1);
    CHECK_EQ(asked_by("PATCH"), 1);
    CHECK_EQ(asked_by("BREW"), 1);
    CHECK(asked_by("PUT") >= 1);
}

/* ---- connections ------------------------------------------------------------------------------------- */

/* What comes before the next request is no answer to it, though it be on its connection. */
TEST(an_answer_that_nobody_asked_for)
{
    static const char *const methods[] = {"GET", "POST", "PUT"};
    http_client *c = http_client_make(NULL);
    http_client_request stray = {.url = peer_url("/stray"), .client = c};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        http_response res = {0};
        http_client_request next = {.url = peer_url("/sink"), .client = c, .method = methods[i]};
        CHECK_EQ(http_do(NULL, &stray, &res), 0);
        CHECK_STR(res.body, "hello");
        http_response_free(&res);
        while (number_at("/strays") <= (int)i)
            rn_sleep(RN_MILLISECOND);
        CHECK_EQ(http_do(NULL, &next, &res), 0);
        CHECK_STR(res.body, "0");
        http_response_free(&res);
    }
    http_client_free(c);
}

TEST(connections_are_used_again)
{
    int ever = 0, open = 0, then = 0;
    expect("/hello", 200, "hello");
    count(&ever, &open);
    for (int i = 0; i < 100; i++)
        expect("/hello", 200, "hello");
    expect(
        "/bytes/7", 200,
        (char[]){peer_byte(0), peer_byte(1), peer_byte(2), peer_byte(3), peer_byte(4), peer_byte(5), peer_byte(6), 0});
    count(&then, &open);
    CHECK_EQ(then - ever, 1); /* that of the count before */
}

static void get(const char *path, const char *body)
{
    expect(path, 200, body);
}

TEST(connections_to_a_host_are_bounded)
{
    http_client_options o = {.max_per_host = 3};
    http_client *c = http_client_make(&o);
    int ever = 0, open = 0, then = 0;
    count(&ever, &open);
    rn_group g = RN_GROUP_INIT;
    struct ask {
        http_client_request r;
        http_response res;
    } asks[30] = {0};
    for (int i = 0; i < 30; i++) {
        asks[i].r = (http_client_request){.url = peer_url("/slow/1"), .client = c};
        group_go(&g, rn_http_do, (rn_context *)NULL, &asks[i].r, &asks[i].res);
    }
    CHECK_EQ(group_wait(&g), 0);
    count(&then, &open);
    CHECK(then - ever <= 4);
    for (int i = 0; i < 30; i++) {
        CHECK_STR(asks[i].res.body, "hello");
        http_response_free(&asks[i].res);
    }
    http_client_free(c);
}

TEST(idle_connections_are_closed_in_time)
{
    http_client_options o = {.idle_timeout = 30 * RN_MILLISECOND};
    http_client *c = http_client_make(&o);
    http_client_request r = {.url = peer_url("/hello"), .client = c};
    http_response res = {0};
    int before = descriptors();
    CHECK_EQ(http_do(NULL, &r, &res), 0);
    http_response_free(&res);
    while (descriptors() > before)
        rn_sleep(5 * RN_MILLISECOND);
    CHECK_EQ(http_do(NULL, &r, &res), 0);
    http_response_free(&res);
    http_client_close_idle(c);
    while (descriptors() > before)
        rn_sleep(RN_MILLISECOND);
    http_client_free(c);
}

/* Two drivers of one shard were started then. */
TEST(no_time_for_idle_connections)
{
    http_client_options o = {.idle_timeout = -1};
    http_client *c = http_client_make(&o);
    rn_group g = RN_GROUP_INIT;
    struct ask {
        http_client_request r;
        http_response res;
    } asks[8] = {0};
    for (int round = 0; round < 100; round++) {
        for (int i = 0; i < 8; i++) {
            asks[i].r = (http_client_request){.url = peer_url("/hello"), .client = c};
            group_go(&g, rn_http_do, (rn_context *)NULL, &asks[i].r, &asks[i].res);
        }
        CHECK_EQ(group_wait(&g), 0);
        for (int i = 0; i < 8; i++)
            http_response_free(&asks[i].res);
    }
    http_client_free(c);
}

TEST(all_the_time_there_is)
{
    http_client_options o = {.connect_timeout = INT64_MAX, .idle_timeout = INT64_MAX};
    http_client *c = http_client_make(&o);
    http_client_request r = {.url = peer_url("/hello"), .client = c};
    http_response res = {0};
    CHECK_EQ(http_do(NULL, &r, &res), 0);
    CHECK_STR(res.body, "hello");
    http_response_free(&res);
    int kept = descriptors();
    rn_sleep(20 * RN_MILLISECOND);
    CHECK_EQ(descriptors(), kept);
    http_client_free(c);
}

TEST_DIES(a_client_in_use_is_not_freed, 2, "http_client_free: requests are under way, or responses open")
{
    http_client *c = http_client_make(NULL);
    http_client_request r = {.url = peer_url("/hang/body"), .client = c};
    http_response res = {0};
    CHECK_EQ(http_open(NULL, &r, &res), 0);
    http_client_free(c);
}

/* ---- proxies -------------------------------------------------------------------------------------------- */

TEST(through_a_proxy)
{
    http_client_options o = {.proxy = peer_url(""), .no_proxy = "127.0.0.1"};
    http_client *c = http_client_make(&o);
    http_client_request r = {.url = "http://far.example/page", .client = c};
    http_response res = {0};
    CHECK_EQ(http_do(NULL, &r, &res), 0);
    CHECK_STR(res.body, "proxied GET http://far.example/page");
    http_response_free(&res);
    r.url = peer_url("/hello");
    CHECK_EQ(http_do(NULL, &r, &res), 0);
    CHECK_STR(res.body, "hello"); /* past it */
    http_response_free(&res);
    http_client_free(c);
}

TEST(a_proxy_that_makes_no_tunnel)
{
    http_response res = {0};
    http_client_request r = {.url = "https://far.example:1/", .proxy = peer_url("")}; /* there is nobody at port 1 */
    for (int again = 0; again < 2; again++) {
        CHECK_EQ(http_do(NULL, &r, &res), RN_EPROXY);
        REQUIRE(res.error != NULL);
        CHECK(strstr(res.error, "502") != NULL);
        http_response_free(&res);
    }
}

static int proxied_by_environment(void)
{
    http_response res = {0};
    CHECK_EQ(http_get(NULL, "http://far.example/page", &res), 0);
    CHECK_STR(res.body, "proxied GET http://far.example/page");
    http_response_free(&res);
    return 0;
}

TEST_PLAIN(a_proxy_of_the_environment)
{
    setenv("http_proxy", peer_url(""), 1);
    rn_run(proxied_by_environment);
}

/* ---- names ---------------------------------------------------------------------------------------------- */

/* libcurl would start a thread for it, and say "Could not resolve host". */
static void expect_own_lookup(http_client_request r)
{
    http_response res = {0};
    r.timeout = 5 * RN_SECOND; /* where no name server answers */
    int err = http_do(NULL, &r, &res);
    CHECK(err == RN_ENOHOST || err == RN_EDNS || err == RN_EPROXY || err == RN_ETIMEOUT);
    if (!res.error || strstr(res.error, "Could not resolve"))
        FAIL("the error says: %s", res.error);
    http_response_free(&res);
}

TEST(names_are_never_left_to_libcurl)
{
    setlocale(LC_CTYPE, "C.UTF-8"); /* libcurl takes names that are not ASCII to be in the locale's encoding */
    http_client *c = http_client_make(&(http_client_options){.no_proxy = "other.example, .nowhere.invalid"});
    expect_own_lookup((http_client_request){.url = "http://nowhere.invalid/"});
    expect_own_lookup((http_client_request){.url = "http://b\xc3\xbc"
                                                   "cher.invalid/"});
    expect_own_lookup((http_client_request){.url = "http://127.0.0.2/", .proxy = "http://proxy.invalid:1"});
    expect_own_lookup((http_client_request){.url = "http://nowhere.invalid/", .proxy = "socks5://127.0.0.1:1"});
    expect_own_lookup(
        (http_client_request){.url = "http://nowhere.invalid/", .proxy = "http://127.0.0.1:1", .client = c});
    expect_own_lookup(
        (http_client_request){.url = "http://a.NOWHERE.invalid/", .proxy = "http://127.0.0.1:1", .client = c});
    http_client_free(c);
}

TEST(an_empty_no_proxy_is_none)
{
    setenv("no_proxy", "", 1);
    setenv("NO_PROXY", "nowhere.invalid", 1);
    http_client *c = http_client_make(NULL);
    unsetenv("no_proxy");
    unsetenv("NO_PROXY");
    expect_own_lookup(
        (http_client_request){.url = "http://nowhere.invalid/", .proxy = "http://127.0.0.1:1", .client = c});
    http_client_free(c);
}

/* ---- runs ------------------------------------------------------------------------------------------------ */

static int some_gets(int n, bool leave)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < n; i++)
        wg_go(&wg, get, "/hello", "hello");
    wg_wait(&wg);
    for (int i = 0; leave && i < 5; i++)
        go(get_until, (rn_context *)NULL, (const char *)NULL, i);
    if (leave)
        rn_sleep(RN_MILLISECOND);
    return n;
}

TEST_PLAIN(a_run_closes_all_again_and_again)
{
    CHECK_EQ(rn_run(some_gets, 10, true), 10);
    int before = descriptors();
    for (int i = 0; i < 10; i++)
        CHECK_EQ(rn_run(some_gets, 10, i % 2), 10);
    CHECK_EQ(descriptors(), before);
}

static http_client *kept;

static int with_kept(void)
{
    http_client_request r = {.url = peer_url("/hello"), .client = kept};
    http_response res = {0};
    int err = http_do(NULL, &r, &res);
    CHECK_STR(res.body, "hello");
    http_response_free(&res);
    return err;
}

TEST_PLAIN(a_client_outlives_runs)
{
    kept = http_client_make(NULL);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(rn_run(with_kept), 0);
    http_client_free(kept);
}

static void *from_a_thread(void *arg)
{
    (void)arg;
    for (int i = 0; i < 10; i++)
        expect("/hello", 200, "hello");
    return NULL;
}

TEST(plain_threads_may_ask_too)
{
    pthread_t t[4];
    for (int i = 0; i < 4; i++)
        pthread_create(&t[i], NULL, from_a_thread, NULL);
    for (int i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
}

TEST_DIES(an_idle_client_does_not_hide_a_deadlock, 2, "fatal error: all goroutines are asleep - deadlock!")
{
    expect("/hello", 200, "hello");
    chan(int) c = chan_make(int, 0);
    chan_recv(c);
}

TEST_DIES(nor_does_a_response_that_nobody_reads, 2, "fatal error: all goroutines are asleep - deadlock!")
{
    http_client_request r = {.url = peer_url("/bytes/100000000")};
    http_response res = {0};
    CHECK_EQ(http_open(NULL, &r, &res), 0);
    chan(int) c = chan_make(int, 0);
    chan_recv(c);
}

static void exits(void)
{
    http_response res = {0};
    defer(rn_http_response_free, &res);
    CHECK_EQ(http_open(NULL, &(http_client_request){.url = peer_url("/hang/body")}, &res), 0);
    rn_exit_goroutine();
}

TEST(a_goroutine_that_exits_frees_by_defer)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < 10; i++)
        wg_go(&wg, exits);
    wg_wait(&wg);
    expect("/hello", 200, "hello");
}
