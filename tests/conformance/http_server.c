/* What the server does with requests that are as they should be. */
#include "../http/errors.h"
#include "../http/peer.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#define CLOSE "Connection: close\r\n"

static void show(http_writer *w, const http_request *r)
{
    http_printf(w, "%s %s q=%s id=%s n=%ld host=%s", r->method, r->path, r->query, http_path_value(r, "id"),
                http_query_long(r, "n", -1), r->host);
}

static void echo(http_writer *w, const http_request *r)
{
    char piece[1000];
    ptrdiff_t n;
    while ((n = http_read(r, piece, sizeof piece)) > 0)
        if (http_write(w, piece, (size_t)n) < 0)
            return;
    const char *trailer = n == 0 ? http_trailer(r, "X-Sum") : NULL;
    if (trailer)
        http_printf(w, " trailer=%s", trailer);
}

static void header_of(http_writer *w, const http_request *r)
{
    const char *name, *value, *cookie = http_cookie(r, "b");
    for (size_t i = 0; http_header_at(r, i, &name, &value); i++)
        if (strcasecmp(name, "X-Many") == 0)
            http_printf(w, "%s;", value);
    http_printf(w, " cookie=%s first=%s", cookie ? cookie : "-", http_header(r, "x-MANY"));
}

static void many_lines(http_writer *w, const http_request *r)
{
    for (long i = 0; i < http_query_long(r, "n", 10); i++)
        http_printf(w, "line %ld\n", i);
}

static void sets_length(http_writer *w, const http_request *r)
{
    http_set_header(w, "Content-Length", http_query_value(r, "n"));
    http_set_header(w, "X-Gone", "x");
    http_set_header(w, "X-Gone", NULL);
    http_set_header(w, "Set-Cookie", "a=1");
    http_add_header(w, "Set-Cookie", "b=2");
    CHECK(!http_set_header(w, "X-Bad", "a\r\nSet-Cookie: c=3"));
    CHECK(!http_set_header(w, "X Bad", "a"));
    http_puts(w, "12345");
}

static void frames(http_writer *w, const http_request *r)
{
    (void)r;
    CHECK(!http_set_header(w, "Transfer-Encoding", "chunked"));
    CHECK(!http_add_header(w, "transfer-encoding", "chunked"));
    CHECK(http_set_header(w, "Content-Length", "7"));
    CHECK_STR(http_get_header(w, "content-length"), "7");
    CHECK(http_set_header(w, "Content-Length", NULL));
    CHECK(http_get_header(w, "Content-Length") == NULL);
    CHECK(http_set_header(w, "Date", "Thu, 01 Jan 1970 00:00:00 GMT"));
    http_puts(w, "12345");
}

static void no_content(http_writer *w, const http_request *r)
{
    (void)r;
    http_status(w, 204);
    http_puts(w, "never seen");
}

static void streams(http_writer *w, const http_request *r)
{
    (void)r;
    http_set_header(w, "Trailer", "X-Sum");
    http_puts(w, "one,");
    CHECK_EQ(http_flush(w), 0);
    CHECK(!http_status(w, 500));
    http_puts(w, "two");
    CHECK(http_set_header(w, "X-Sum", "2"));
    CHECK(!http_set_header(w, "X-Other", "2"));
}

/* A response that is sent as a whole. */
static void trails(http_writer *w, const http_request *r)
{
    CHECK(http_set_header(w, "Trailer", "X-Sum"));
    http_puts(w, r->query);
    CHECK(http_set_header(w, "X-Sum", "1"));
}

static void not_modified(http_writer *w, const http_request *r)
{
    if (*r->query)
        http_set_header(w, "Content-Length", r->query);
    http_status(w, 304);
    http_puts(w, "no body");
}

/* Tells the client itself that it may go on. */
static void goes_on(http_writer *w, const http_request *r)
{
    char *body;
    size_t n;
    CHECK_EQ(http_interim(w, 100), 0);
    CHECK_EQ(http_read_all(r, 100, &body, &n), 0);
    http_puts(w, body);
}

/* Headers that are lists, in several lines. */
static void streams_in_lines(http_writer *w, const http_request *r)
{
    (void)r;
    CHECK(http_set_header(w, "Trailer", "X-Other, X-Sum"));
    CHECK(http_add_header(w, "Trailer", "X-Last"));
    CHECK(http_set_header(w, "Connection", "x-hop"));
    CHECK(http_add_header(w, "Connection", "close"));
    http_puts(w, "one");
    CHECK_EQ(http_flush(w), 0);
    CHECK(http_set_header(w, "X-Sum", "1"));
    CHECK(http_set_header(w, "X-Last", "2"));
    CHECK(!http_set_header(w, "X-None", "3"));
}

static void form(http_writer *w, const http_request *r)
{
    const char *a = http_form_value(r, "a"), *filename = "-";
    const void *data = "";
    size_t n = 0;
    http_form_file(r, "f", &data, &n, &filename);
    http_printf(w, "a=%s f=%s:%.*s", a ? a : "-", filename, (int)n, (const char *)data);
}

static void panics(http_writer *w, const http_request *r)
{
    if (strcmp(r->query, "late") == 0) {
        http_puts(w, "some");
        http_flush(w);
    }
    rn_panic("oh");
}
enum { panics_at = __LINE__ - 2 };

static void aborts(http_writer *w, const http_request *r)
{
    if (strcmp(r->query, "length") == 0)
        http_set_header(w, "Content-Length", "4");
    http_puts(w, "some");
    if (*r->query)
        CHECK_EQ(http_flush(w), 0);
    http_puts(w, r->query[0] == 'l' ? "" : "more");
    http_abort(w);
    CHECK_EQ(http_puts(w, "more"), RN_ECLOSED);
    CHECK_EQ(http_flush(w), RN_ECLOSED);
    http_error(w, 500, NULL);
}

static void hints(http_writer *w, const http_request *r)
{
    (void)r;
    http_set_header(w, "Link", "</x.css>");
    CHECK_EQ(http_interim(w, 103), 0);
    http_puts(w, "done");
}

static void leaves(http_writer *w, const http_request *r)
{
    if (strcmp(r->query, "late") == 0) {
        http_puts(w, "some");
        http_flush(w);
    }
    rn_exit_goroutine();
}

static void redirects(http_writer *w, const http_request *r)
{
    const char *to = http_query_value(r, "to");
    if (http_query_value(r, "typed"))
        http_set_header(w, "Content-Type", "application/json");
    http_redirect(w, r, to ? to : "other?x=1", 302);
}

static void keeps_alive(http_writer *w, const http_request *r)
{
    (void)r;
    http_set_header(w, "Connection", "keep-alive");
    http_puts(w, "data: 1\n\n");
}

static http_mux *mux(void)
{
    http_mux *m = http_mux_make();
    http_mux_handle(m, "GET /show/{id}", show);
    http_mux_handle(m, "/tree/", show);
    http_mux_handle(m, "POST /echo", echo);
    http_mux_handle(m, "/header", header_of);
    http_mux_handle(m, "/many", many_lines);
    http_mux_handle(m, "/length", sets_length);
    http_mux_handle(m, "/frames", frames);
    http_mux_handle(m, "/none", no_content);
    http_mux_handle(m, "/streams", streams);
    http_mux_handle(m, "/trails", trails);
    http_mux_handle(m, "/unchanged", not_modified);
    http_mux_handle(m, "/goes-on", goes_on);
    http_mux_handle(m, "/lines", streams_in_lines);
    http_mux_handle(m, "/form", form);
    http_mux_handle(m, "/panics", panics);
    http_mux_handle(m, "/aborts", aborts);
    http_mux_handle(m, "/hints", hints);
    http_mux_handle(m, "/leaves", leaves);
    http_mux_handle(m, "/keeps-alive", keeps_alive);
    http_mux_handle(m, "/here/redirects", redirects);
    http_mux_handle(m, "/in/{where}/redirects", redirects);
    return m;
}

static http_mux *routes;
static struct peer_server server;

static void begin(void)
{
    routes = mux();
    peer_serve(&server, &(http_options){.mux = routes});
}

static void finish(void)
{
    peer_stop(&server);
    http_mux_free(routes);
}

#define ASK(line, rest) peer_ask(&server, line " HTTP/1.1\r\nHost: h\r\n" CLOSE rest)

#define HAS(answer, text) has(__LINE__, answer, text)
static void has(int line, const char *answer, const char *text)
{
    if (!strstr(answer, text))
        FAIL("line %d: no \"%s\" in:\n%s", line, text, answer);
}

TEST(routes_queries_and_headers)
{
    begin();
    CHECK_STR(peer_body(ASK("GET /show/a%20b%2Fc?n=42&q=%zz", "\r\n")),
              "GET /show/a b/c q=n=42&q=%zz id=a b/c n=42 host=h");
    CHECK_STR(peer_body(ASK("GET http://other:81/show/1", "\r\n")), "GET /show/1 q= id=1 n=-1 host=other:81");
    CHECK_STR(peer_body(ASK("GET /header", "X-Many: 1\r\nx-many: 2\r\nCookie: a=1; b=2 ; c=3\r\n\r\n")),
              "1;2; cookie=2 first=1");
    HAS(ASK("DELETE /show/1", "\r\n"), "\r\nAllow: GET, HEAD\r\n");
    CHECK_EQ(peer_status(ASK("DELETE /show/1", "\r\n")), 405);
    CHECK_EQ(peer_status(ASK("GET /nowhere", "\r\n")), 404);
    HAS(ASK("OPTIONS *", "\r\n"), "\r\nContent-Length: 0\r\n");
    CHECK_EQ(peer_status(ASK("OPTIONS *", "\r\n")), 200);
    HAS(ASK("GET /tree?x=1", "\r\n"), "\r\nLocation: /tree/?x=1\r\n");
    HAS(ASK("GET /tree//a/./b/../c", "\r\n"), "\r\nLocation: /tree/a/c\r\n");
    HAS(ASK("GET /../../etc/passwd", "\r\n"), "\r\nLocation: /etc/passwd\r\n");
    HAS(ASK("GET /here/redirects", "\r\n"), "\r\nLocation: /here/other?x=1\r\n");
    finish();
}

TEST(responses_are_framed)
{
    begin();
    HAS(ASK("GET /many?n=2", "\r\n"), "\r\nContent-Length: 14\r\nConnection: close\r\n\r\nline 0\nline 1\n");
    const char *long_one = ASK("GET /many?n=2000", "\r\n");
    HAS(long_one, "\r\nTransfer-Encoding: chunked\r\n");
    HAS(long_one, "line 1999\n\r\n0\r\n\r\n");
    long_one = peer_ask(&server, "GET /many?n=2000 HTTP/1.0\r\n\r\n");
    CHECK(!strstr(long_one, "chunked"));
    CHECK(strlen(peer_body(long_one)) == 10 * 7 + 90 * 8 + 900 * 9 + 1000 * 10);
    const char *head = ASK("HEAD /many?n=2", "\r\n");
    HAS(head, "\r\nContent-Length: 14\r\n");
    CHECK_STR(peer_body(head), "");
    const char *none = ASK("GET /none", "\r\n");
    CHECK_EQ(peer_status(none), 204);
    CHECK(!strstr(none, "Content-Length") && !strstr(none, "never"));
    const char *length = ASK("GET /length?n=5", "\r\n");
    HAS(length, "\r\nContent-Length: 5\r\n");
    HAS(length, "\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n");
    CHECK(!strstr(length, "X-Gone") && !strstr(length, "Bad") && !strstr(length, "c=3"));
    CHECK_STR(peer_body(ASK("GET /length?n=4", "\r\n")), ""); /* more than it said: nothing of it */
    const char *streamed = ASK("GET /streams", "\r\n");
    HAS(streamed, "\r\n4\r\none,\r\n3\r\ntwo\r\n0\r\nX-Sum: 2\r\n\r\n");
    const char *trailed = ASK("GET /trails?abc", "\r\n");
    HAS(trailed, "\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n");
    CHECK(!strstr(trailed, "Content-Length") && strstr(trailed, "X-Sum: ") > strstr(trailed, "\r\n\r\n"));
    CHECK_STR(peer_body(ASK("GET /trails", "\r\n")), "0\r\nX-Sum: 1\r\n\r\n");
    const char *untrailed = peer_ask(&server, "GET /trails?abc HTTP/1.0\r\n\r\n");
    HAS(untrailed, "\r\nX-Sum: 1\r\n");
    HAS(untrailed, "\r\nContent-Length: 3\r\n");
    CHECK(!strstr(ASK("GET /unchanged", "\r\n"), "Content-Length"));
    HAS(ASK("GET /unchanged?12", "\r\n"), "\r\nContent-Length: 12\r\n");
    const char *lines =
        peer_ask(&server, "GET /lines HTTP/1.1\r\nHost: h\r\n\r\nGET /none HTTP/1.1\r\nHost: h\r\n\r\n");
    HAS(lines, "\r\n3\r\none\r\n0\r\nX-Sum: 1\r\nX-Last: 2\r\n\r\n");
    CHECK_EQ(peer_responses(lines), 1);
    HAS(ASK("GET /hints", "\r\n"), "HTTP/1.1 103 Early Hints\r\nLink: </x.css>\r\n\r\nHTTP/1.1 200 OK\r\n");
    finish();
}

/* A relay whose source broke off must not look as if it had been all. */
TEST(a_response_that_falls_short_is_broken_off)
{
    begin();
    const char *cut =
        peer_ask(&server, "GET /length?n=9 HTTP/1.1\r\nHost: h\r\n\r\nGET /none HTTP/1.1\r\nHost: h\r\n\r\n");
    HAS(cut, "\r\nContent-Length: 9\r\n");
    CHECK_STR(peer_body(cut), "12345");
    const char *refused =
        peer_ask(&server, "GET /length?n=4 HTTP/1.1\r\nHost: h\r\n\r\nGET /none HTTP/1.1\r\nHost: h\r\n\r\n");
    HAS(refused, "\r\nContent-Length: 4\r\n");
    CHECK_EQ(peer_responses(refused), 1);
    HAS(ASK("HEAD /length?n=9", "\r\n"), "\r\nContent-Length: 9\r\n");
    finish();
}

TEST(a_handler_does_not_say_how_its_body_is_framed)
{
    begin();
    const char *answer = ASK("GET /frames", "\r\n");
    HAS(answer, "\r\nContent-Length: 5\r\n");
    CHECK(!strstr(answer, "ransfer-"));
    CHECK_STR(peer_body(answer), "12345");
    const char *date = strstr(answer, "Date: ");
    REQUIRE(date);
    CHECK(strncmp(date, "Date: Thu, 01 Jan 1970", 22) == 0);
    CHECK(!strstr(date + 1, "Date: "));
    finish();
}

TEST(bodies_come_in_both_ways)
{
    begin();
    CHECK_STR(peer_body(ASK("POST /echo", "Content-Length: 5\r\n\r\nhello")), "hello");
    CHECK_STR(peer_body(ASK("POST /echo",
                            "Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nX-Sum: 9\r\n\r\n")),
              "hello trailer=9");
    CHECK_STR(
        peer_body(ASK("POST /form",
                      "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 11\r\n\r\nb=1&a=x+%2B")),
        "a=x + f=-:");
    CHECK_STR(peer_body(ASK("GET /form?a=query", "\r\n")), "a=query f=-:");
    static const char parts[] = "--B d\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nv\r\n"
                                "--B d\r\nContent-Disposition: form-data; name=f; filename=\"x.t\"\r\n\r\ndata\r\n"
                                "--B d--\r\n";
    char request[600];
    snprintf(request, sizeof request,
             "POST /form HTTP/1.1\r\nHost: h\r\n" CLOSE
             "Content-Type: multipart/form-data; boundary=\"B d\"\r\nContent-Length: %zu\r\n\r\n%s",
             sizeof parts - 1, parts);
    CHECK_STR(peer_body(peer_ask(&server, request)), "a=v f=x.t:data");
    finish();
}

/* Handlers of event streams say so, whoever asks. */
TEST(a_handler_that_says_keep_alive)
{
    begin();
    const char *answer = ASK("GET /keeps-alive", "\r\n");
    HAS(answer, "\r\nConnection: close\r\n");
    CHECK(!strstr(answer, "keep-alive"));
    answer = peer_ask(&server, "GET /keeps-alive HTTP/1.0\r\n\r\n");
    HAS(answer, "\r\nConnection: close\r\n");
    CHECK(!strstr(answer, "keep-alive"));
    answer = peer_ask(&server, "GET /keeps-alive HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    const char *said = strstr(answer, "keep-alive");
    CHECK(said && !strstr(said + 1, "keep-alive") && !strstr(answer, "close"));
    HAS(peer_ask(&server, "GET /keeps-alive HTTP/1.1\r\nHost: h\r\n\r\n"), "\r\nConnection: keep-alive\r\n");
    finish();
}

TEST(where_a_redirect_leads)
{
    begin();
    HAS(ASK("GET /here/redirects", "\r\n"), "\r\nLocation: /here/other?x=1\r\n");
    HAS(ASK("GET /in/a%2Fb/redirects", "\r\n"), "\r\nLocation: /in/a%2Fb/other?x=1\r\n");
    HAS(ASK("GET /here/redirects?to=x?to=http://h/", "\r\n"), "\r\nLocation: /here/x?to=http://h/\r\n");
    HAS(ASK("GET /here/redirects?to=//h/x", "\r\n"), "\r\nLocation: //h/x\r\n");
    HAS(ASK("GET /here/redirects?to=mailto:a@h", "\r\n"), "\r\nLocation: mailto:a@h\r\n");
    HAS(ASK("GET /here/redirects?to=com.example.app:/in", "\r\n"), "\r\nLocation: com.example.app:/in\r\n");
    HAS(ASK("GET /here/redirects?to=a/b:c", "\r\n"), "\r\nLocation: /here/a/b:c\r\n");
    HAS(ASK("GET /here/redirects?to=/%C3%A9", "\r\n"), "\r\nLocation: /%C3%A9\r\n");
    const char *answer = ASK("GET /here/redirects?typed", "\r\n");
    HAS(answer, "\r\nContent-Type: application/json\r\n");
    CHECK_STR(peer_body(answer), "");
    finish();
}

/* What a form's handler makes of a multipart body with the boundary B. */
static const char *parts_of(const char *body)
{
    static char request[64 << 10];
    snprintf(request, sizeof request,
             "POST /form HTTP/1.1\r\nHost: h\r\n" CLOSE
             "Content-Type: multipart/form-data; boundary=B\r\nContent-Length: %zu\r\n\r\n%s",
             strlen(body), body);
    return peer_body(peer_ask(&server, request));
}

TEST(a_form_in_parts)
{
#define PART_A "--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nv\r\n"
    enum { FIELDS = 900 };
    static char many[FIELDS * 60];
    size_t n = 0;
    begin();
    CHECK_STR(parts_of(PART_A "--B\r\nno empty line\r\n--B--\r\n"),
              "a=v f=-:"); /* the value ends where its part does */
    CHECK_STR(parts_of(PART_A "--B\r\nContent-Disposition: form-data; name=\"b\"\r\n\r\nno end"), "a=v f=-:");
    CHECK_STR(parts_of("--B \t \r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nv\r\n--B-- \r\n"), "a=v f=-:");
    for (int i = 0; i < FIELDS; i++)
        n += (size_t)sprintf(many + n, "--B\r\nContent-Disposition: form-data; name=b\r\n\r\n\r\n");
    strcpy(many + n, PART_A "--B--\r\n");
    CHECK_STR(parts_of(many), "a=v f=-:");
    finish();
#undef PART_A
}

/* Reads until the text has come, at most `room` bytes. */
static bool read_until(rn_conn *c, const char *text, char *to, size_t room)
{
    size_t n = 0;
    to[0] = 0;
    while (!strstr(to, text) && n + 1 < room) {
        ssize_t got = net_read(c, to + n, room - 1 - n);
        if (got <= 0)
            return false;
        to[n += (size_t)got] = 0;
    }
    return strstr(to, text) != NULL;
}

TEST(expect_continue_waits_for_the_first_read)
{
    char text[1024];
    begin();
    rn_conn *c = peer_connect(&server);
    static const char head[] = "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
    net_write(c, head, sizeof head - 1);
    CHECK(read_until(c, "HTTP/1.1 100 Continue\r\n\r\n", text, sizeof text));
    net_write(c, "hello", 5);
    CHECK(read_until(c, "hello", text, sizeof text));
    net_free(c);
    const char *once = ASK("POST /goes-on", "Content-Length: 2\r\nExpect: 100-continue\r\n\r\nhi");
    CHECK(strncmp(once, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n", 42) == 0);
    /* a handler that does not want the body: no 100, and the connection ends */
    const char *answer =
        peer_ask(&server, "POST /many?n=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    CHECK_EQ(peer_status(answer), 200);
    HAS(answer, "Connection: close");
    finish();
}

TEST(pipelined_requests_are_answered_in_order)
{
    begin();
    const char *answer = peer_ask(&server, "GET /show/1 HTTP/1.1\r\nHost: h\r\n\r\n"
                                           "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\ntwo"
                                           "POST /many?n=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 7\r\n\r\nignored"
                                           "GET /show/4 HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK_EQ(peer_responses(answer), 4);
    const char *one = strstr(answer, "id=1"), *two = strstr(answer, "two"), *three = strstr(answer, "line 0"),
               *four = strstr(answer, "id=4");
    CHECK(one && two && three && four && one < two && two < three && three < four);
    answer = peer_ask(&server, "GET /show/1 HTTP/1.0\r\n\r\nGET /show/2 HTTP/1.0\r\n\r\n");
    CHECK_EQ(peer_responses(answer), 1);
    answer = peer_ask(&server, "GET /show/1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /show/2 HTTP/1.0\r\n\r\n");
    CHECK_EQ(peer_responses(answer), 2);
    finish();
}

/* A report names who was served, and begins with the program's own function and line. */
static void check_told(const char *report, const char *function, int line)
{
    char place[64];
    CHECK(strncmp(report, "http: panic serving 127.0.0.1:", 30) == 0);
    HAS(report, ": oh (GET /panics");
    const char *trace = strstr(report, " [running]:\n");
    REQUIRE(trace);
    trace += strlen(" [running]:\n");
    CHECK(strncmp(trace, function, strlen(function)) == 0 && trace[strlen(function)] == '\n');
    snprintf(place, sizeof place, "http_server.c:%d\n", line);
    const char *second = strchr(trace, '\n') + 1;
    const char *end = strchr(second, '\n') + 1;
    CHECK((size_t)(end - second) > strlen(place) && strncmp(end - strlen(place), place, strlen(place)) == 0);
    HAS(end, "created by ");
}

TEST(a_panic_is_a_500_and_the_server_goes_on)
{
    struct errors errors;
    begin();
    errors_keep(&errors);
    const char *answer =
        peer_ask(&server, "GET /panics HTTP/1.1\r\nHost: h\r\n\r\nGET /show/1 HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK_EQ(peer_status(answer), 500);
    CHECK_EQ(peer_responses(answer), 1);
    errors_give_back(&errors);
    check_told(errors.text, "panics", panics_at);
    answer = ASK("GET /panics?late", "\r\n");
    CHECK_EQ(peer_status(answer), 200);
    CHECK(!strstr(answer, "0\r\n\r\n")); /* not ended as if it were whole */
    CHECK_STR(ASK("GET /leaves", "\r\n"), "");
    CHECK_EQ(peer_status(ASK("GET /show/1", "\r\n")), 200);
    finish();
}

/* How a request of HTTP/1.0 ends whose response only the connection's end delimits. */
static ssize_t ends(const char *target)
{
    char text[1024];
    rn_conn *c = peer_connect(&server);
    int n = snprintf(text, sizeof text, "GET %s HTTP/1.0\r\n\r\n", target);
    CHECK_EQ(net_write(c, text, (size_t)n), n);
    ssize_t got = peer_read_all(c, text, sizeof text);
    net_free(c);
    return got;
}

TEST(a_response_that_is_broken_off_does_not_look_whole)
{
    struct errors errors;
    begin();
    errors_keep(&errors);
    CHECK_STR(peer_ask(&server, "GET /aborts HTTP/1.1\r\nHost: h\r\n\r\nGET /none HTTP/1.1\r\nHost: h\r\n\r\n"), "");
    const char *chunked =
        peer_ask(&server, "GET /aborts?chunks HTTP/1.1\r\nHost: h\r\n\r\nGET /none HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK_STR(peer_body(chunked), "4\r\nsome\r\n");
    CHECK_STR(peer_body(peer_ask(&server, "GET /aborts?length HTTP/1.1\r\nHost: h\r\n\r\n")), "some");
    CHECK_EQ(ends("/aborts?chunks"), -ECONNRESET);
    errors_give_back(&errors);
    CHECK_STR(errors.text, "");
    CHECK_EQ(ends("/panics?late"), -ECONNRESET);
    CHECK_EQ(ends("/leaves?late"), -ECONNRESET);
    CHECK(ends("/many?n=2000") > 0); /* for comparison */
    finish();
}

TEST(a_body_beyond_the_limit_is_413)
{
    struct peer_server s;
    http_mux *m = mux();
    peer_serve(&s, &(http_options){.mux = m, .max_body = 10});
    CHECK_EQ(peer_status(peer_ask(&s, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\nhello world")), 413);
    CHECK_EQ(
        peer_status(peer_ask(&s, "POST /form HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded\r\n"
                                 "Transfer-Encoding: chunked\r\n\r\nb\r\nhello world\r\n0\r\n\r\n")),
        413);
    CHECK_EQ(peer_status(peer_ask(&s, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhello worl")), 200);
    peer_stop(&s);
    http_mux_free(m);
}

/* Who sends a whole body before looking for the answer gets it, though nobody wants the body: not a write that fails. */
TEST(a_refused_body_may_be_sent_to_its_end)
{
    enum { BODY = 16 << 20, PIECE = 64 << 10 };
    static char piece[PIECE], answer[4096], head[100];
    begin();
    snprintf(head, sizeof head, "POST /nowhere HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n", BODY);
    rn_conn *c = peer_connect(&server);
    CHECK_EQ(net_write(c, head, strlen(head)), (ssize_t)strlen(head));
    for (int sent = 0; sent < BODY; sent += PIECE)
        REQUIRE(net_write(c, piece, PIECE) == PIECE);
    net_close_write(c);
    CHECK(peer_read_all(c, answer, sizeof answer) > 0);
    CHECK_EQ(peer_status(answer), 404);
    net_free(c);
    finish();
}

/* ---- time ---- */

/* Whether a client that sends n bytes in chunks to a handler which reads none is told that the connection ends. */
static bool is_told_of_the_end(size_t n)
{
    char answer[1000], *request = malloc(n + 200);
    size_t head =
        (size_t)sprintf(request, "POST /tree/x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n%zx\r\n", n);
    memset(request + head, 'x', n);
    size_t all = head + n + (size_t)sprintf(request + head + n, "\r\n0\r\n\r\n");
    rn_conn *c = peer_connect(&server);
    CHECK_EQ(net_write(c, request, all), (ssize_t)all);
    REQUIRE(read_until(c, "\r\n\r\n", answer, sizeof answer));
    CHECK_EQ(peer_status(answer), 200);
    bool told = strstr(answer, "\r\nConnection: close\r\n") != NULL;
    if (!told) { /* then the next request is answered */
        static const char next[] = "GET /none HTTP/1.1\r\nHost: h\r\n\r\n";
        net_write(c, next, sizeof next - 1);
        CHECK(read_until(c, "HTTP/1.1 204", answer, sizeof answer));
    }
    net_free(c);
    free(request);
    return told;
}

TEST(an_unread_body_in_chunks)
{
    begin();
    CHECK(!is_told_of_the_end(10));
    CHECK(is_told_of_the_end(300000)); /* more than is drained */
    finish();
}

TEST(slow_clients_are_given_up)
{
    struct peer_server s;
    char text[1024];
    http_mux *m = mux();
    peer_serve(&s, &(http_options){.mux = m,
                                   .header_timeout = 100 * RN_MILLISECOND,
                                   .idle_timeout = 100 * RN_MILLISECOND,
                                   .body_timeout = 100 * RN_MILLISECOND});
    rn_conn *head = peer_connect(&s), *idle = peer_connect(&s), *body = peer_connect(&s);
    net_write(head, "GET / HTTP/1.1\r\nHos", 19);
    static const char post[] = "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nhel";
    net_write(body, post, sizeof post - 1);
    CHECK(peer_read_all(head, text, sizeof text) > 0);
    CHECK_EQ(peer_status(text), 408);
    CHECK_EQ(peer_read_all(idle, text, sizeof text), 0);
    CHECK(peer_read_all(body, text, sizeof text) > 0);
    CHECK_EQ(peer_status(text), 408);
    net_free(head), net_free(idle), net_free(body);
    for (int i = 0; i < 2000 && http_connections(s.s) > 0; i++)
        rn_sleep(RN_MILLISECOND);
    CHECK_EQ(http_connections(s.s), 0);
    peer_stop(&s);
    http_mux_free(m);
}

static void pour(http_writer *w, const http_request *r)
{
    static char block[65536];
    ptrdiff_t n;
    while ((n = http_write(w, block, sizeof block)) > 0)
        ;
    *(int *)http_arg(r) = (int)n;
}

TEST(a_client_that_does_not_read_is_given_up)
{
    struct peer_server s;
    int error = 0;
    peer_serve(
        &s, &(http_options){.handler = pour, .arg = &error, .write_timeout = 50 * RN_MILLISECOND, .min_rate = 1 << 24});
    rn_conn *c = peer_connect(&s);
    net_write(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", 27);
    for (int i = 0; i < 10000 && http_connections(s.s) != 1; i++)
        rn_sleep(RN_MILLISECOND);
    for (int i = 0; i < 10000 && http_connections(s.s) > 0; i++)
        rn_sleep(RN_MILLISECOND);
    CHECK_EQ(error, RN_ETIMEOUT);
    net_free(c);
    peer_stop(&s);
}

/* ---- contexts, and the end ---- */

struct meeting {
    chan(int) began, ended;
};

static void waits(http_writer *w, const http_request *r)
{
    struct meeting *m = http_arg(r);
    rn_context *ctx = http_context(r);
    chan_send(m->began, 1);
    chan_send(m->ended, rn_ctx_wait(ctx));
    http_puts(w, "woken");
}

TEST(the_context_ends_when_the_client_goes)
{
    struct peer_server s;
    struct meeting m = {chan_make(int, 1), chan_make(int, 1)};
    peer_serve(&s, &(http_options){.handler = waits, .arg = &m});
    rn_conn *c = peer_connect(&s);
    net_write(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", 27);
    CHECK_EQ(chan_recv(m.began), 1);
    net_free(c);
    CHECK_EQ(chan_recv(m.ended), RN_ECANCELED);
    /* and when the server is closed */
    c = peer_connect(&s);
    net_write(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", 27);
    CHECK_EQ(chan_recv(m.began), 1);
    peer_stop(&s);
    CHECK_EQ(chan_recv(m.ended), RN_ECANCELED);
    net_free(c);
    chan_free(m.began);
    chan_free(m.ended);
}

static void waits_for_go(http_writer *w, const http_request *r)
{
    struct meeting *m = http_arg(r);
    chan_send(m->began, 1);
    chan_recv(m->ended);
    http_puts(w, "finished");
}

static void shut_down(http_server *s, chan(int) result)
{
    rn_context *ctx = ctx_with_timeout(ctx_background(), 20 * RN_SECOND);
    chan_send(result, http_shutdown(s, ctx));
    ctx_cancel(ctx);
}

TEST(shutdown_lets_requests_finish)
{
    struct peer_server s;
    struct meeting m = {chan_make(int, 1), chan_make(int, 1)};
    chan(int) result = chan_make(int, 1);
    static char text[1024];
    peer_serve(&s, &(http_options){.handler = waits_for_go, .arg = &m});
    rn_conn *idle = peer_connect(&s), *busy = peer_connect(&s), *refused; /* idle first: it has been accepted, too */
    net_write(busy, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", 27);
    chan_recv(m.began);
    go(shut_down, s.s, result);
    CHECK_EQ(net_read(idle, text, sizeof text), 0); /* closed at once */
    int err = net_dial("tcp", s.at, &refused);
    CHECK(err == -ECONNREFUSED);
    if (!err)
        net_free(refused);
    CHECK_EQ(chan_len(result), 0);
    chan_send(m.ended, 1);
    CHECK(peer_read_all(busy, text, sizeof text) > 0);
    HAS(text, "Connection: close\r\n");
    CHECK_STR(peer_body(text), "finished");
    CHECK_EQ(chan_recv(result), 0);
    net_free(busy), net_free(idle);
    peer_stop(&s);
    chan_free(result), chan_free(m.began), chan_free(m.ended);
}

/* A request that is there when the server is shut down was not refused, though nobody has read it yet. */
TEST(shutdown_answers_what_has_come)
{
    enum { N = 50 };
    struct peer_server s;
    rn_conn *c[N];
    chan(int) result = chan_make(int, 1);
    static char text[1024];
    http_mux *m = mux();
    peer_serve(&s, &(http_options){.mux = m});
    for (int i = 0; i < N; i++) {
        c[i] = peer_connect(&s);
        net_write(c[i], "GET /show/1 HTTP/1.1\r\nHost: h\r\n\r\n", 33);
        CHECK(net_read(c[i], text, sizeof text) > 0);
    }
    for (int i = 0; i < N; i++)
        net_write(c[i], "GET /show/1 HTTP/1.1\r\nHost: h\r\n\r\n", 33);
    shut_down(s.s, result);
    for (int i = 0; i < N; i++) {
        CHECK(peer_read_all(c[i], text, sizeof text) > 0);
        CHECK_EQ(peer_status(text), 200);
        net_free(c[i]);
    }
    CHECK_EQ(chan_recv(result), 0);
    peer_stop(&s);
    http_mux_free(m);
    chan_free(result);
}

/* Who has sent an empty line has not begun a request: a server that is shut down does not wait for the rest. */
TEST(an_empty_line_is_no_request)
{
    struct peer_server s;
    chan(int) result = chan_make(int, 1);
    static char text[1024];
    http_mux *m = mux();
    peer_serve(&s, &(http_options){.mux = m, .idle_timeout = 3600 * RN_SECOND, .header_timeout = 3600 * RN_SECOND});
    rn_conn *c = peer_connect(&s);
    net_write(c, "GET /show/1 HTTP/1.1\r\nHost: h\r\n\r\n\r\n", 35);
    CHECK(net_read(c, text, sizeof text) > 0);
    shut_down(s.s, result);
    CHECK_EQ(chan_recv(result), 0);
    CHECK_EQ(net_read(c, text, sizeof text), 0);
    net_free(c);
    peer_stop(&s);
    http_mux_free(m);
    chan_free(result);
}

static void say_hello(http_writer *w, const http_request *r)
{
    (void)r;
    http_puts(w, "hello");
}

TEST(empty_lines_keep_nothing_alive)
{
    peer_serve(&server, &(http_options){.handler = say_hello, .idle_timeout = 300 * RN_MILLISECOND});
    rn_conn *c = peer_connect(&server);
    rn_time begun = rn_now();
    while (net_write(c, "\r\n", 2) == 2 && rn_since(begun) < 20 * RN_SECOND)
        rn_sleep(10 * RN_MILLISECOND);
    CHECK(rn_since(begun) < 20 * RN_SECOND);
    net_free(c);
    peer_stop(&server);
}

TEST(at_most_so_many_connections)
{
    struct peer_server s;
    struct meeting m = {chan_make(int, 4), chan_make(int, 4)};
    peer_serve(&s, &(http_options){.handler = waits_for_go, .arg = &m, .max_connections = 2});
    rn_conn *c[3];
    for (int i = 0; i < 3; i++) {
        c[i] = peer_connect(&s);
        net_write(c[i], "GET / HTTP/1.1\r\nHost: h\r\n" CLOSE "\r\n", 46);
    }
    (void)chan_recv(m.began), (void)chan_recv(m.began);
    CHECK_EQ(chan_len(m.began), 0);
    CHECK_EQ(http_connections(s.s), 2);
    chan_send(m.ended, 1), chan_send(m.ended, 1);
    (void)chan_recv(m.began);
    chan_send(m.ended, 1);
    for (int i = 0; i < 3; i++)
        net_free(c[i]);
    peer_stop(&s);
    chan_free(m.began), chan_free(m.ended);
}

/* ---- files ---- */

/* Ends at the first signal. */
static void serve_for_a_while(const http_options *o)
{
    CHECK_EQ(http_listen_and_serve("127.0.0.1:0", o), 0);
}

static void has_begun(void *begun, const char *address)
{
    (void)address;
    chan_send((chan(int))begun, 1);
}

static void ask_until(rn_context *end)
{
    static const char request[] = "GET /many?n=3 HTTP/1.1\r\nHost: h\r\n\r\n";
    char answer[1000];
    rn_conn *c = peer_connect(&server);
    while (!ctx_err(end)) {
        net_set_deadline(c, rn_now() + PEER_PATIENCE * RN_SECOND); /* for each answer, however long it all takes */
        net_write(c, request, sizeof request - 1);
        REQUIRE(read_until(c, "line 2", answer, sizeof answer));
    }
    net_free(c);
}

/* Their buffers come from the same pools.  (And a signal may come before a server has begun to accept.) */
TEST(a_server_that_ends_leaves_the_others_alone)
{
    chan(int) begun = chan_make(int, 1);
    rn_context *end = ctx_with_cancel(NULL);
    rn_waitgroup asking = {0};
    begin();
    for (int i = 0; i < 4; i++)
        wg_go(&asking, ask_until, end);
    for (int i = 0; i < 500; i++) {
        http_options o = {.mux = routes, .listening = has_begun, .listening_arg = begun};
        rn_waitgroup serving = {0};
        wg_go(&serving, serve_for_a_while, &o);
        chan_recv(begun);
        kill(getpid(), SIGTERM);
        wg_wait(&serving);
    }
    ctx_cancel(end);
    wg_wait(&asking);
    finish();
    chan_free(begun);
}

static void write_text(const char *path, const char *text, size_t n)
{
    FILE *f = fopen(path, "w");
    REQUIRE(f && fwrite(text, 1, n, f) == n && fclose(f) == 0);
}

TEST(files_ranges_and_conditions)
{
    char dir[] = "/tmp/runnel-http-XXXXXX", path[64], name[128], *big = malloc(300000);
    REQUIRE(mkdtemp(dir) && big);
    for (int i = 0; i < 300000; i++)
        big[i] = (char)('a' + i % 26);
    snprintf(path, sizeof path, "%s/a.txt", dir), write_text(path, "0123456789", 10);
    snprintf(path, sizeof path, "%s/big.bin", dir), write_text(path, big, 300000);
    snprintf(path, sizeof path, "%s/empty.txt", dir), write_text(path, "", 0);
    snprintf(path, sizeof path, "%s/.hidden", dir), write_text(path, "secret", 6);
    snprintf(path, sizeof path, "%s/link", dir);
    REQUIRE(symlink("/etc/passwd", path) == 0);
    snprintf(path, sizeof path, "%s/sub", dir);
    REQUIRE(mkdir(path, 0755) == 0);
    snprintf(path, sizeof path, "%s/sub/index.html", dir), write_text(path, "<p>index", 8);
    http_mux *m = http_mux_make();
    http_mux_files(m, "/f/", dir);
    peer_serve(&server, &(http_options){.mux = m});
    const char *answer = ASK("GET /f/a.txt", "\r\n");
    HAS(answer, "\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 10\r\n");
    CHECK_STR(peer_body(answer), "0123456789");
    char tag[80] = "";
    const char *etag = strstr(answer, "ETag: ");
    REQUIRE(etag && sscanf(etag, "ETag: %79[^\r]", tag) == 1);
    snprintf(name, sizeof name, "If-None-Match: \"x\", %s", tag);
    char request[1024];
#define WITH(headers, ...)                                                                              \
    (snprintf(request, sizeof request, "GET /f/a.txt HTTP/1.1\r\nHost: h\r\n" CLOSE headers "\r\n\r\n", \
              ##__VA_ARGS__),                                                                           \
     peer_ask(&server, request))
    CHECK_EQ(peer_status(WITH("%s", name)), 304);
    CHECK_EQ(peer_status(WITH("If-Match: \"x\"")), 412);
    CHECK_EQ(peer_status(WITH("If-None-Match: \"x\"\r\nIf-None-Match: W/%s", tag)), 304); /* lines of one list */
    CHECK_EQ(peer_status(WITH("If-None-Match: \"x\"\r\nIf-None-Match: \"y\"")), 200);
    CHECK_EQ(peer_status(WITH("If-Match: \"x\"\r\nIf-Match: \"y\", %s", tag)), 200);
    CHECK_EQ(peer_status(WITH("If-Match: \"x\"\r\nIf-Match: W/%s", tag)), 412);
    CHECK_EQ(peer_status(WITH("If-Modified-Since: Fri, 31 Dec 2100 23:59:59 GMT")), 304);
    CHECK_EQ(peer_status(WITH("If-Modified-Since: Mon, 02 Jan 2006 15:04:05 GMT")), 200);
    CHECK_EQ(peer_status(WITH("If-Unmodified-Since: Mon, 02 Jan 2006 15:04:05 GMT")), 412);
    CHECK_EQ(peer_status(WITH("If-Modified-Since: Wednesday, 31-Dec-68 23:59:59 GMT")), 304); /* of 2068 */
    CHECK_EQ(peer_status(WITH("If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT")), 200);
    CHECK_EQ(peer_status(WITH("If-Unmodified-Since: Sunday, 06-Nov-94 08:49:37 GMT")), 412);
    CHECK_EQ(peer_status(WITH("If-Modified-Since: Fri Dec 31 23:59:59 2100")), 304);
    CHECK_EQ(peer_status(WITH("If-Unmodified-Since: Sun Nov  6 08:49:37 1994")), 412);
    CHECK_EQ(peer_status(WITH("If-Unmodified-Since: Sun Non  6 08:49:37 1994")), 200);
    answer = WITH("Range: bytes=2-4");
    CHECK_EQ(peer_status(answer), 206);
    HAS(answer, "\r\nContent-Range: bytes 2-4/10\r\n");
    CHECK_STR(peer_body(answer), "234");
    CHECK_STR(peer_body(WITH("Range: bytes=-3")), "789");
    CHECK_STR(peer_body(WITH("Range: bytes=8-100")), "89");
    CHECK_STR(peer_body(WITH("Range: bytes=4-2")), "0123456789");
    CHECK_STR(peer_body(WITH("Range: bytes=1-2\r\nIf-Range: \"x\"")), "0123456789");
    CHECK_STR(peer_body(WITH("Range: bytes=1-2\r\nIf-Range: %s", tag)), "12");
    answer = WITH("Range: bytes=10-");
    CHECK_EQ(peer_status(answer), 416);
    HAS(answer, "\r\nContent-Range: bytes */10\r\n");
    answer = WITH("Range: bytes=0-1, 5-6");
    HAS(answer, "multipart/byteranges");
    HAS(answer, "Content-Range: bytes 5-6/10\r\n\r\n56\r\n--");
    CHECK_EQ(peer_status(ASK("GET /f/empty.txt", "Range: bytes=0-99\r\n\r\n")), 200);
    CHECK_EQ(peer_status(ASK("GET /f/empty.txt", "Range: bytes=-1\r\n\r\n")), 200);
    answer = ASK("GET /f/big.bin", "\r\n");
    CHECK(memcmp(peer_body(answer), big, 300000) == 0);
    CHECK_EQ(peer_status(ASK("GET /f/.hidden", "\r\n")), 404);
    CHECK_EQ(peer_status(ASK("GET /f/link", "\r\n")), 404);
    CHECK_EQ(peer_status(ASK("GET /f/..%2f..%2fetc/passwd", "\r\n")), 404);
    CHECK_EQ(peer_status(ASK("GET /f/%2e%2e/%2e%2e/etc/passwd", "\r\n")), 307);
    CHECK_EQ(peer_status(ASK("GET /f/", "\r\n")), 404);
    CHECK_EQ(peer_status(ASK("POST /f/a.txt", "\r\n")), 405);
    HAS(ASK("GET /f/sub", "\r\n"), "\r\nLocation: /f/sub/\r\n");
    HAS(ASK("GET /f/sub?v=/1", "\r\n"), "\r\nLocation: /f/sub/?v=/1\r\n");
    HAS(ASK("GET /f/sub/", "\r\n"), "\r\nContent-Type: text/html; charset=utf-8\r\n");
    peer_stop(&server);
    http_mux_free(m);
    snprintf(name, sizeof name, "rm -r %s", dir);
    CHECK_EQ(system(name), 0);
    free(big);
}

static const char *served_path;

/* A file with headers of the handler's: ?tag, ?packed, ?status=404. */
static void serves(http_writer *w, const http_request *r)
{
    const char *tag = http_query_value(r, "tag");
    long status = http_query_long(r, "status", 0);
    if (status)
        http_status(w, (int)status);
    if (tag)
        http_set_header(w, "ETag", tag);
    if (http_query_value(r, "packed")) {
        http_set_header(w, "Content-Encoding", "gzip");
        http_set_header(w, "Cache-Control", "max-age=9");
    }
    http_serve_file(w, r, served_path);
}

TEST(a_file_with_headers_of_the_handlers)
{
    char path[] = "/tmp/runnel-http-XXXXXX";
    int fd = mkstemp(path);
    REQUIRE(fd >= 0 && write(fd, "0123456789", 10) == 10 && close(fd) == 0);
    served_path = path;
    peer_serve(&server, &(http_options){.handler = serves});
    HAS(ASK("GET /?tag=%22mine%22", "\r\n"), "\r\nETag: \"mine\"\r\n");
    CHECK_EQ(peer_status(ASK("GET /?tag=%22mine%22", "If-None-Match: \"mine\"\r\n\r\n")), 304);
    CHECK_EQ(peer_status(ASK("GET /?tag=%22mine%22", "If-Match: \"mine\"\r\n\r\n")), 200);
    CHECK_EQ(peer_status(ASK("GET /?tag=%22mine%22", "If-Range: \"mine\"\r\nRange: bytes=0-1\r\n\r\n")), 206);
    CHECK_EQ(peer_status(ASK("GET /?tag=W/%22mine%22", "If-None-Match: \"mine\"\r\n\r\n")), 304);
    CHECK_EQ(peer_status(ASK("GET /?tag=W/%22mine%22", "If-Match: W/\"mine\"\r\n\r\n")), 412);
    CHECK_EQ(peer_status(ASK("GET /?tag=W/%22mine%22", "If-Range: W/\"mine\"\r\nRange: bytes=0-1\r\n\r\n")), 200);
    HAS(ASK("GET /?packed", "\r\n"), "\r\nContent-Encoding: gzip\r\n");
    const char *answer = ASK("GET /?packed", "Range: bytes=10-\r\n\r\n");
    CHECK_EQ(peer_status(answer), 416);
    CHECK(!strstr(answer, "gzip") && !strstr(answer, "max-age") && !strstr(answer, "ETag"));
    answer = ASK("GET /?status=404", "Range: bytes=0-1\r\nIf-Modified-Since: Fri, 31 Dec 2100 23:59:59 GMT\r\n\r\n");
    CHECK_EQ(peer_status(answer), 404);
    CHECK_STR(peer_body(answer), "0123456789");
    unlink(path);
    answer = ASK("GET /?packed", "\r\n");
    CHECK_EQ(peer_status(answer), 404);
    CHECK(!strstr(answer, "gzip") && !strstr(answer, "max-age"));
    peer_stop(&server);
}

/* ---- the log ---- */

static void keep_line(void *arg, const char *line, size_t n)
{
    memcpy(arg, line, n);
    ((char *)arg)[n] = 0;
}

static void serve_logged(http_mux *m, int format, char *line)
{
    peer_serve(&server,
               &(http_options){.mux = m, .access_log = (enum rn_http_log)format, .log = keep_line, .log_arg = line});
}

TEST(the_access_log_tells_what_happened)
{
    static char line[4096];
    http_mux *m = mux();
    for (int format = RN_HTTP_LOG_COMMON; format <= RN_HTTP_LOG_JSON; format++) {
        serve_logged(m, format, line);
        ASK("GET /show/%22a", "User-Agent: \"me\"\r\nReferer: x\r\n\r\n");
        peer_stop(&server);
        HAS(line, format == RN_HTTP_LOG_JSON ? "\"target\":\"/show/%22a\",\"protocol\":\"HTTP/1.1\",\"status\":200"
                                             : "\"GET /show/%22a HTTP/1.1\" 200 ");
        if (format == RN_HTTP_LOG_COMBINED)
            HAS(line, " \"x\" \"\\x22me\\x22\"");
    }
    http_mux_free(m);
}

/* A client that got nothing got no status either. */
TEST(the_access_log_tells_what_was_not_answered)
{
    static char line[4096];
    http_mux *m = mux();
    for (int format = RN_HTTP_LOG_COMMON; format <= RN_HTTP_LOG_JSON; format++) {
        serve_logged(m, format, line);
        CHECK_STR(peer_ask(&server, "GET /aborts HTTP/1.1\r\nHost: h\r\n\r\n"), "");
        peer_stop(&server);
        HAS(line, format == RN_HTTP_LOG_JSON ? "\"status\":0,\"bytes\":0," : "\"GET /aborts HTTP/1.1\" - 0");
    }
    http_mux_free(m);
}

/* What a client says at length hides nothing, and leaves the line a line. */
TEST(the_access_log_is_whole_whatever_is_said)
{
    static char line[4096], request[20000];
    for (int format = RN_HTTP_LOG_COMMON; format <= RN_HTTP_LOG_JSON; format++)
        for (size_t n = 1; n < 6000; n += 331) {
            peer_serve(&server, &(http_options){.handler = say_hello,
                                                .access_log = (enum rn_http_log)format,
                                                .log = keep_line,
                                                .log_arg = line});
            char *at = request + sprintf(request, "GET /%0*d HTTP/1.1\r\nHost: h\r\n" CLOSE "User-Agent: ", (int)n, 7);
            memset(at, '"', n);
            sprintf(at + n, "\r\nReferer: %0*d\r\n\r\n", (int)n, 8);
            CHECK_EQ(peer_status(peer_ask(&server, request)), 200);
            peer_stop(&server);
            HAS(line, format == RN_HTTP_LOG_JSON ? "\",\"protocol\":\"HTTP/1.1\",\"status\":200,\"bytes\":5,"
                                                 : " HTTP/1.1\" 200 5");
            HAS(line, format == RN_HTTP_LOG_JSON ? "\\u0022\"}" : format == RN_HTTP_LOG_COMBINED ? "\\x22\"" : "5");
            CHECK(strlen(line) < 2048 && (n > 256 || strlen(line) > n));
        }
}

/* ?status=…: what the handler says of a body that can't be read; otherwise it says nothing. */
static void reads_all(http_writer *w, const http_request *r)
{
    char *body;
    size_t n;
    int err = http_read_all(r, 10, &body, &n);
    if (err && http_query_value(r, "status")) {
        http_status(w, (int)http_query_long(r, "status", 0));
        http_puts(w, "mine");
    } else {
        http_printf(w, "%zu %s", err ? (size_t)0 : n, err ? "nothing" : body);
    }
}

TEST(a_body_beyond_the_limit_of_read_all)
{
    static const char chunked[] = "POST / HTTP/1.1\r\nHost: h\r\n" CLOSE "Transfer-Encoding: chunked\r\n\r\n";
    char text[256];
    struct peer_server s;
    peer_serve(&s, &(http_options){.handler = reads_all});
    CHECK_STR(peer_body(peer_ask(&s, "POST / HTTP/1.1\r\nHost: h\r\n" CLOSE "Content-Length: 10\r\n\r\n0123456789")),
              "10 0123456789");
    snprintf(text, sizeof text, "%s4\r\n0123\r\n6\r\n456789\r\n0\r\n\r\n", chunked);
    CHECK_STR(peer_body(peer_ask(&s, text)), "10 0123456789");
    snprintf(text, sizeof text, "%s5\r\n0123x\r\n6\r\n456789\r\n0\r\n\r\n", chunked);
    CHECK_EQ(peer_status(peer_ask(&s, text)), 413);
    CHECK_EQ(
        peer_status(peer_ask(&s, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\n")),
        413);
    CHECK_EQ(
        peer_status(peer_ask(&s, "POST /?status=507 HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\n0123456789x")),
        507);
    peer_stop(&s);
}

TEST(what_a_handler_says_of_a_body_stands)
{
    static const char large[] = "Content-Length: 11\r\n\r\n0123456789x",
                      bad[] = "Transfer-Encoding: chunked\r\n\r\nxyz\r\n";
    struct peer_server s;
    char text[256];
    peer_serve(&s, &(http_options){.handler = reads_all});
    for (int i = 0; i < 2; i++) {
        snprintf(text, sizeof text, "POST /?status=%d HTTP/1.1\r\nHost: h\r\n%s", i ? 400 : 413, i ? bad : large);
        const char *answer = peer_ask(&s, text);
        CHECK_EQ(peer_status(answer), i ? 400 : 413);
        CHECK_STR(peer_body(answer), "mine");
        snprintf(text, sizeof text, "POST / HTTP/1.1\r\nHost: h\r\n%s", i ? bad : large);
        answer = peer_ask(&s, text);
        CHECK_EQ(peer_status(answer), i ? 400 : 413);
        CHECK_STR(peer_body(answer), i ? "Bad Request\n" : "Content Too Large\n");
    }
    peer_stop(&s);
}

static void wants_field(http_writer *w, const http_request *r)
{
    const char *a = http_form_value(r, "a");
    http_printf(w, "a=%s", a ? a : "-");
}

TEST(a_form_that_is_too_large)
{
    struct peer_server s;
    peer_serve(&s, &(http_options){.handler = wants_field});
    CHECK_EQ(peer_status(peer_ask(&s, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1048577\r\n"
                                      "Content-Type: application/x-www-form-urlencoded\r\n\r\na=1")),
             413);
    peer_stop(&s);
}

TEST(text_for_urls)
{
    char to[64];
    CHECK_EQ(http_escape(to, sizeof to, "a b&c=d/\xc3\xbc-._~Z9%"), 31);
    CHECK_STR(to, "a%20b%26c%3Dd%2F%C3%BC-._~Z9%25");
    CHECK_EQ(http_unescape(to, true), 17);
    CHECK_STR(to, "a b&c=d/\xc3\xbc-._~Z9%");
    CHECK_EQ(http_escape(to, 5, "ab cd"), 7);
    CHECK_STR(to, "ab"); /* %20 does not fit, and what is behind it is no part of what fits */
    CHECK_EQ(http_escape(to, 6, "ab cd"), 7);
    CHECK_STR(to, "ab%20");
    CHECK_EQ(http_escape(NULL, 0, "ab cd"), 7);
    CHECK_EQ(http_escape(to, 1, ""), 0);
    CHECK_STR(to, "");
}

/* ---- a handler around a mux ---- */

static const char told_key; /* only its address counts */
static const char *told;
static int64_t told_bytes;

static void inner(http_writer *w, const http_request *r)
{
    const char *value = ctx_value(http_context(r), &told_key);
    http_printf(w, "arg=%s id=%s value=%s", (const char *)http_arg(r), http_path_value(r, "id"), value ? value : "-");
}

static void outlasts(http_writer *w, const http_request *r)
{
    http_error(w, rn_sleep_ctx(http_context(r), RN_HOUR) == RN_ETIMEOUT ? 503 : 500, "late");
}

/* /with/… has a value in its context, /late a deadline. */
static void around(http_writer *w, const http_request *r)
{
    http_mux *m = http_arg(r);
    rn_context *mine = http_context(r), *ctx = NULL;
    if (strncmp(r->path, "/with", 5) == 0)
        ctx = ctx_with_value(mine, &told_key, "known");
    else if (strcmp(r->path, "/late") == 0)
        ctx = ctx_with_timeout(mine, RN_MILLISECOND);
    CHECK_EQ(http_get_status(w), 200);
    if (ctx)
        http_mux_serve_ctx(ctx, m, w, r);
    else
        http_mux_serve(m, w, r);
    CHECK(http_arg(r) == m);
    CHECK(http_context(r) == mine);
    ctx_cancel(ctx);
    static char line[256];
    snprintf(line, sizeof line, "%d %s", http_get_status(w), http_pattern(r));
    told = line;
    told_bytes = http_written(w);
    http_set_header(w, "X-Around", "yes");
}

static void sub(http_writer *w, const http_request *r)
{
    http_mux_serve(http_arg(r), w, r);
}

TEST(a_handler_around_a_mux)
{
    http_mux *m = http_mux_make(), *api = http_mux_make();
    struct peer_server s;
    http_mux_handle_with(m, "GET /plain/{id}", inner, "one");
    http_mux_handle_with(m, "GET /with/{id}", inner, "two");
    http_mux_handle(m, "GET /late", outlasts);
    http_mux_handle(m, "/dir/", show);
    http_mux_handle_with(m, "/api/", sub, api);
    http_mux_handle_with(api, "GET /api/items/{id}", inner, "api");
    peer_serve(&s, &(http_options){.handler = around, .arg = m});

    const char *a = peer_ask(&s, "GET /plain/7 HTTP/1.1\r\nHost: h\r\n" CLOSE "\r\n");
    CHECK_STR(peer_body(a), "arg=one id=7 value=-");
    CHECK(strstr(a, "X-Around: yes") != NULL);
    CHECK_STR(told, "200 GET /plain/{id}");
    CHECK_EQ(told_bytes, 20);
    CHECK_STR(peer_body(peer_ask(&s, "GET /with/8 HTTP/1.1\r\nHost: h\r\n" CLOSE "\r\n")), "arg=two id=8 value=known");
    rn_conn *c = peer_connect(&s); /* peer_ask says that it is through, which ends the context */
    char late[1024] = "";
    net_write(c, "GET /late HTTP/1.1\r\nHost: h\r\n" CLOSE "\r\n", 50);
    peer_read_all(c, late, sizeof late);
    net_free(c);
    CHECK_EQ(peer_status(late), 503);
    CHECK_STR(told, "503 GET /late");
    CHECK_STR(peer_body(peer_ask(&s, "GET /api/items/9 HTTP/1.1\r\nHost: h\r\n" CLOSE "\r\n")), "arg=api id=9 value=-");
    CHECK_STR(told, "200 GET /api/items/{id}");

    peer_ask(&s, "GET /nowhere HTTP/1.1\r\nHost: h\r\n" CLOSE "\r\n");
    CHECK_STR(told, "404 ");
    a = peer_ask(&s, "POST /late HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n" CLOSE "\r\n");
    CHECK(strstr(a, "Allow: GET, HEAD") != NULL);
    CHECK_STR(told, "405 ");
    a = peer_ask(&s, "GET /dir HTTP/1.1\r\nHost: h\r\n" CLOSE "\r\n");
    CHECK(strstr(a, "Location: /dir/") != NULL);
    a = peer_ask(&s, "GET /x/../dir/ HTTP/1.1\r\nHost: h\r\n" CLOSE "\r\n");
    CHECK(strstr(a, "Location: /dir/") != NULL);
    a = peer_ask(&s, "OPTIONS * HTTP/1.1\r\nHost: h\r\n" CLOSE "\r\n");
    CHECK(strncmp(a, "HTTP/1.1 200", 12) == 0);
    peer_stop(&s);
    http_mux_free(m);
    http_mux_free(api);
}
