/* Frames of HTTP/2 that break the rules (RFC 9113), bear too much, or come too often.
 *
 * A malformed request ends its stream, or is answered with 400; the next request on that connection is answered.  A broken
 * connection is given up with GOAWAY, or just ends; other connections never notice. */
#include "../http/h2_peer.h"
#include <malloc.h>
#include <unistd.h>

#define METHOD(m) ":method\0" m "\0"
#define SCHEME ":scheme\0http\0"
#define PATH(p) ":path\0" p "\0"
#define AUTHORITY ":authority\0h\0"
#define GET METHOD("GET") SCHEME PATH("/") AUTHORITY
#define POST METHOD("POST") SCHEME PATH("/") AUTHORITY

static struct h2_bytes out;

/* Trailers, announced in two lines. */
static void answer_with_trailers(http_writer *w, bool early)
{
    http_set_header(w, "Trailer", "X-Sum");
    http_add_header(w, "Trailer", "X-Last");
    http_puts(w, "body");
    CHECK(!early || http_flush(w) == 0);
    CHECK(http_set_header(w, "X-Sum", "1") && http_set_header(w, "X-Last", "2"));
    CHECK(http_set_header(w, "X-None", "3") == !early);
}

static void answer(http_writer *w, const http_request *r)
{
    char piece[4096];
    ptrdiff_t n, sum = 0;
    const char *cookies = http_header(r, "Cookie"), *last = http_header(r, "last");
    if (cookies) /* one header, and what stands beside it is there */
        http_status(w, strcmp(cookies, "a=1; b=2; c=3") == 0 && last && strcmp(last, "x") == 0 ? 200 : 500);
    while ((n = http_read(r, piece, sizeof piece)) > 0)
        sum += n;
    if (strcmp(r->path, "/short") == 0)
        http_set_header(w, "Content-Length", "100");
    if (strcmp(r->path, "/abort") == 0) {
        http_puts(w, "some");
        CHECK_EQ(http_flush(w), 0);
        http_abort(w);
    }
    if (strcmp(r->path, "/trailers") == 0)
        answer_with_trailers(w, *r->query);
    else if (n == 0)
        http_printf(w, "%s %td\n", r->path, sum);
}

static void begin(struct peer_server *s)
{
    peer_serve(s, &(http_options){.handler = answer, .max_header_bytes = 16384});
}

/* One that waits for long between requests, but not for a head. */
static void begin_hasty(struct peer_server *s, rn_duration header_timeout)
{
    peer_serve(s, &(http_options){.handler = answer, .header_timeout = header_timeout, .idle_timeout = RN_HOUR});
}

static rn_conn *send_out(const struct peer_server *s)
{
    rn_conn *c = peer_connect(s);
    net_write(c, out.at, out.n);
    return c;
}

/* The server still answers, on a connection of its own; and lets go of the others. */
static void finish(struct peer_server *s)
{
    h2_begin(&out);
    h2_request(&out, 1, H2_END_STREAM, GET);
    rn_conn *c = send_out(s);
    CHECK_EQ(h2_await(c, 1, false).status, 200);
    net_free(c);
    for (int i = 0; i < 10000 && http_connections(s->s) > 0; i++)
        rn_sleep(RN_MILLISECOND);
    CHECK_EQ(http_connections(s->s), 0);
    peer_stop(s);
}

/* ---- requests ---- */

static const struct {
    const char *what;
    int status; /* 0: the stream is reset, or 400 */
    const char *lines;
    int body; /* bytes of DATA; -1: the head is all */
} requests[] = {
    {"a good one", 200, GET, -1},
    {"with a body", 200, POST, 5},
    {"with a body and its length", 200,
     POST "content-length\0"
          "5\0",
     5},
    {"te: trailers", 200, GET "te\0trailers\0", -1},
    {"host like the authority", 200, GET "host\0h\0", -1},
    {"host alone", 200, METHOD("GET") SCHEME PATH("/") "host\0h\0", -1},
    {"a star for OPTIONS", 200, METHOD("OPTIONS") SCHEME PATH("*") AUTHORITY, -1},
    {"no method", 0, SCHEME PATH("/") AUTHORITY, -1},
    {"no scheme", 0, METHOD("GET") PATH("/") AUTHORITY, -1},
    {"no path", 0, METHOD("GET") SCHEME AUTHORITY, -1},
    {"an empty path", 0, METHOD("GET") SCHEME PATH("") AUTHORITY, -1},
    {"a path without a slash", 0, METHOD("GET") SCHEME PATH("index.html") AUTHORITY, -1},
    {"a path with a blank", 0, METHOD("GET") SCHEME PATH("/a b") AUTHORITY, -1},
    {"a path with a fragment", 0, METHOD("GET") SCHEME PATH("/a#b") AUTHORITY, -1},
    {"a path with a line break", 0, METHOD("GET") SCHEME PATH("/a\r\nb") AUTHORITY, -1},
    {"a bad escape", 0, METHOD("GET") SCHEME PATH("/%zz") AUTHORITY, -1},
    {"a star for GET", 0, METHOD("GET") SCHEME PATH("*") AUTHORITY, -1},
    {"no authority", 0, METHOD("GET") SCHEME PATH("/"), -1},
    {"an authority with a user", 0, METHOD("GET") SCHEME PATH("/") ":authority\0u@h\0", -1},
    {"another host than the authority", 0, GET "host\0other\0", -1},
    {"two methods", 0, METHOD("GET") METHOD("POST") SCHEME PATH("/") AUTHORITY, -1},
    {"two paths", 0, METHOD("GET") SCHEME PATH("/") PATH("/x") AUTHORITY, -1},
    {"two authorities", 0, GET AUTHORITY, -1},
    {"two hosts", 0, GET "host\0h\0host\0h\0", -1},
    {"an unknown pseudo-header", 0, GET ":what\0x\0", -1},
    {"a response's pseudo-header", 0,
     GET ":status\0"
         "200\0",
     -1},
    {"a pseudo-header behind a header", 0, METHOD("GET") SCHEME "x\0y\0" PATH("/") AUTHORITY, -1},
    {"a method that is no token", 0, METHOD("G T") SCHEME PATH("/") AUTHORITY, -1},
    {"an upper-case name", 0, GET "X-Test\0y\0", -1},
    {"a name with a blank", 0, GET "x y\0z\0", -1},
    {"a name with a colon", 0, GET "x:y\0z\0", -1},
    {"an empty name", 0, GET "()\0y\0", -1},
    {"a value with a line break", 0, GET "x\0a\r\nb\0", -1},
    {"a value with a bare CR", 0, GET "x\0a\rb\0", -1},
    {"a value with a control byte", 0,
     GET "x\0a\x01"
         "b\0",
     -1},
    {"connection", 0, GET "connection\0close\0", -1},
    {"keep-alive", 0, GET "keep-alive\0x\0", -1},
    {"proxy-connection", 0, GET "proxy-connection\0x\0", -1},
    {"upgrade", 0, GET "upgrade\0websocket\0", -1},
    {"transfer-encoding", 0, POST "transfer-encoding\0chunked\0", 5},
    {"te: gzip", 0, GET "te\0gzip\0", -1},
    {"more body than its length", 0,
     POST "content-length\0"
          "4\0",
     5},
    {"less body than its length", 0,
     POST "content-length\0"
          "6\0",
     5},
    {"a length and no body", 0,
     POST "content-length\0"
          "6\0",
     -1},
    {"two lengths", 0,
     POST "content-length\0"
          "5\0content-length\0"
          "6\0",
     5},
    {"a signed length", 0, POST "content-length\0+5\0", 5},
    {"an empty length", 0, POST "content-length\0\0", 5},
    {"a length that is none", 0,
     POST "content-length\0"
          "5,5\0",
     5},
    {"cookies in pieces, of one header", 200, GET "cookie\0a=1\0first\0x\0cookie\0b=2\0cookie\0c=3\0last\0x\0", -1},
    {"cookies in one piece", 200, GET "cookie\0a=1; b=2; c=3\0last\0x\0", -1},
    {"CONNECT", 501, METHOD("CONNECT") ":authority\0h:80\0", -1},
    {"CONNECT with a path", 0, METHOD("CONNECT") SCHEME PATH("/") AUTHORITY, -1},
};

static void send_request(uint32_t id, const char *lines, int body)
{
    uint8_t block[2048];
    size_t n = h2_block(block, sizeof block, lines);
    h2_frame(&out, H2_HEADERS, H2_END_HEADERS | (body < 0 ? H2_END_STREAM : 0), id, block, n);
    if (body >= 0)
        h2_frame(&out, H2_DATA, H2_END_STREAM, id, "hello world", (size_t)body);
}

TEST(malformed_requests_end_their_stream_only)
{
    struct peer_server s;
    begin(&s);
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        h2_begin(&out);
        send_request(1, requests[i].lines, requests[i].body);
        rn_conn *c = send_out(&s);
        struct h2_outcome o = h2_await(c, 1, false);
        bool fine = requests[i].status ? o.status == requests[i].status
                                       : o.status == 400 || (o.status == 0 && (o.reset > 0 || o.goaway > 0));
        if (!fine)
            FAIL("%s: status %d, reset %d, goaway %d", requests[i].what, o.status, o.reset, o.goaway);
        if (o.goaway < 0 && !o.closed) {
            out.n = 0;
            h2_request(&out, 3, H2_END_STREAM, GET);
            net_write(c, out.at, out.n);
            o = h2_await(c, 3, false);
            if (o.status != 200 || !o.whole)
                FAIL("%s: the next request gets %d, reset %d, goaway %d", requests[i].what, o.status, o.reset,
                     o.goaway);
        }
        net_free(c);
    }
    CHECK(sizeof requests / sizeof *requests >= 50);
    finish(&s);
}

/* ---- connections ---- */

#define FRAME(n, type, flags, id) "\0\0" n type flags "\0\0\0" id
#define ONES4 "\xff\xff\xff\xff"

static const struct {
    const char *what;
    int code; /* of GOAWAY; 0: any, or none */
    const char *bytes;
    size_t n;
} connections[] = {
#define BYTES(s) (s), sizeof(s) - 1
    {"DATA for the connection", 1, BYTES(FRAME("\1", "\0", "\1", "\0") "x")},
    {"HEADERS for the connection", 1, BYTES(FRAME("\1", "\1", "\5", "\0") "\x82")},
    {"HEADERS of an even stream", 1, BYTES(FRAME("\1", "\1", "\5", "\2") "\x82")},
    {"DATA of an idle stream", 1, BYTES(FRAME("\1", "\0", "\1", "\1") "x")},
    {"RST_STREAM of an idle stream", 1, BYTES(FRAME("\4", "\3", "\0", "\1") "\0\0\0\1")},
    {"RST_STREAM of a bad length", 6, BYTES(FRAME("\3", "\3", "\0", "\1") "\0\0\0")},
    {"RST_STREAM for the connection", 1, BYTES(FRAME("\4", "\3", "\0", "\0") "\0\0\0\1")},
    {"WINDOW_UPDATE of an idle stream", 1, BYTES(FRAME("\4", "\x8", "\0", "\1") "\0\0\0\1")},
    {"WINDOW_UPDATE by 0", 1, BYTES(FRAME("\4", "\x8", "\0", "\0") "\0\0\0\0")},
    {"WINDOW_UPDATE beyond 2^31", 3, BYTES(FRAME("\4", "\x8", "\0", "\0") "\x7f\xff\xff\xff")},
    {"WINDOW_UPDATE of a bad length", 6, BYTES(FRAME("\3", "\x8", "\0", "\0") "\0\0\1")},
    {"SETTINGS of a stream", 1, BYTES(FRAME("\0", "\4", "\0", "\1"))},
    {"SETTINGS of a bad length", 6, BYTES(FRAME("\5", "\4", "\0", "\0") "\0\1\0\0\0")},
    {"an ACK with settings", 6, BYTES(FRAME("\6", "\4", "\1", "\0") "\0\3\0\0\0\1")},
    {"ENABLE_PUSH of 2", 1, BYTES(FRAME("\6", "\4", "\0", "\0") "\0\2\0\0\0\2")},
    {"a window beyond 2^31", 3, BYTES(FRAME("\6", "\4", "\0", "\0") "\0\4\x80\0\0\0")},
    {"a frame size of 1", 1, BYTES(FRAME("\6", "\4", "\0", "\0") "\0\5\0\0\0\1")},
    {"a frame size of 2^24", 1, BYTES(FRAME("\6", "\4", "\0", "\0") "\0\5\1\0\0\0")},
    {"PING of a bad length", 6, BYTES(FRAME("\7", "\6", "\0", "\0") "1234567")},
    {"PING of a stream", 1, BYTES(FRAME("\x8", "\6", "\0", "\1") "12345678")},
    {"GOAWAY of a stream", 1, BYTES(FRAME("\x8", "\7", "\0", "\1") "\0\0\0\0\0\0\0\0")},
    {"PUSH_PROMISE of a client", 1, BYTES(FRAME("\5", "\5", "\4", "\1") "\0\0\0\2\x82")},
    {"CONTINUATION of nothing", 1, BYTES(FRAME("\1", "\x9", "\4", "\1") "\x82")},
    {"PING within a head", 1, BYTES(FRAME("\1", "\1", "\1", "\1") "\x82" FRAME("\x8", "\6", "\0", "\0") "12345678")},
    {"CONTINUATION of another stream", 1,
     BYTES(FRAME("\1", "\1", "\1", "\1") "\x82" FRAME("\1", "\x9", "\4", "\3") "\x84")},
    {"an index that is none", 9, BYTES(FRAME("\1", "\1", "\5", "\1") "\x80")},
    {"an index beyond the table", 9, BYTES(FRAME("\2", "\1", "\5", "\1") "\xff\x0")},
    {"an endless number", 9, BYTES(FRAME("\6", "\1", "\5", "\1") "\xff" ONES4 "\xff")},
    {"a string beyond the block", 9,
     BYTES(FRAME("\4", "\1", "\5", "\1") "\0\x1f"
                                         "ab")},
    {"a bad Huffman code", 9, BYTES(FRAME("\6", "\1", "\5", "\1") "\0\x84" ONES4)},
    {"a table beyond what is allowed", 9, BYTES(FRAME("\4", "\1", "\5", "\1") "\x3f\xff\xff\x1")},
    {"padding beyond the frame", 1, BYTES(FRAME("\2", "\1", "\xd", "\1") "\xff\x82")},
    {"a frame that is too long", 6, BYTES("\1\0\0\0\0\0\0\0\1")},
    {"HEADERS of a stream that was passed over", 1,
     BYTES(FRAME("\1", "\1", "\5", "\5") "\x82" FRAME("\1", "\1", "\5", "\3") "\x82")},
    {"HEADERS of one passed over before others", 1,
     BYTES(FRAME("\1", "\1", "\5", "\3") "\x82" FRAME("\1", "\1", "\5", "\7") "\x82" FRAME("\1", "\1", "\5",
                                                                                           "\1") "\x82")},
    {"a head that is too long", 6, BYTES("\0\x40\1\1\5\0\0\0\1")},
};

TEST(broken_connections_are_given_up)
{
    struct peer_server s;
    begin(&s);
    h2_begin(&out);
    rn_conn *bystander = send_out(&s);
    for (size_t i = 0; i < sizeof connections / sizeof *connections; i++) {
        h2_begin(&out);
        h2_put(&out, connections[i].bytes, connections[i].n);
        rn_conn *c = send_out(&s);
        struct h2_outcome o = h2_await(c, 1, true);
        if (!o.closed || o.goaway <= 0 || (connections[i].code && o.goaway != connections[i].code))
            FAIL("%s: goaway %d, expected %d", connections[i].what, o.goaway, connections[i].code);
        net_free(c);
    }
    out.n = 0;
    h2_request(&out, 1, H2_END_STREAM, GET);
    net_write(bystander, out.at, out.n);
    CHECK_EQ(h2_await(bystander, 1, false).status, 200);
    net_free(bystander);
    finish(&s);
}

TEST(bad_prefaces)
{
    static const char *const list[] = {
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\r",
        "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f", /* no SETTINGS first */
        "PRI * HTTP/2.1\r\n\r\nSM\r\n\r\n",
        "PRI /x HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "PRI * HTTP/2.0\r\nX: y\r\n\r\nSM\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\n\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", /* too late */
    };
    struct peer_server s;
    static char text[4096];
    begin(&s);
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        rn_conn *c = peer_connect(&s);
        net_write(c, list[i], strlen(list[i]));
        ssize_t n = peer_read_all(c, text, sizeof text);
        if (n == RN_ETIMEOUT)
            FAIL("preface %zu: the connection stays", i);
        net_free(c);
    }
    finish(&s);
}

/* ---- too much ---- */

/* Whether the connection has been ended, within the patience; what comes is read. */
static bool ends(rn_conn *c)
{
    return h2_await(c, 1, true).closed;
}

/* Writes `times` times what is in out, reading nothing; false when the server ended it. */
static bool pour(rn_conn *c, int times)
{
    for (int i = 0; i < times; i++)
        if (net_write(c, out.at, out.n) < 0)
            return false;
    return true;
}

TEST(rapid_resets_end_the_connection)
{
    struct peer_server s;
    begin(&s);
    for (int error = 0; error <= 8; error += 8) { /* whatever the client says is the reason */
        const uint8_t code[4] = {0, 0, 0, (uint8_t)error};
        h2_begin(&out);
        rn_conn *c = send_out(&s);
        uint32_t id = 1;
        for (int i = 0; i < 100; i++) {
            out.n = 0;
            for (int k = 0; k < 20; k++, id += 2) {
                h2_request(&out, id, 0, POST);
                h2_frame(&out, H2_RST, 0, id, code, 4);
            }
            if (net_write(c, out.at, out.n) < 0)
                break;
        }
        CHECK(ends(c));
        net_free(c);
    }
    finish(&s);
}

/* libcurl 7.88 says of each long answer that its stream is closed. */
TEST(resets_of_streams_that_have_ended_do_no_harm)
{
    enum { TIMES = 3000, CLOSED = 5 };
    const uint8_t code[4] = {0, 0, 0, CLOSED};
    struct peer_server s;
    begin(&s);
    h2_begin(&out);
    h2_request(&out, 1, H2_END_STREAM, GET);
    rn_conn *c = send_out(&s);
    CHECK_EQ(h2_await(c, 1, false).status, 200);
    out.n = 0;
    h2_frame(&out, H2_RST, 0, 1, code, 4);
    CHECK(pour(c, TIMES));
    out.n = 0;
    h2_request(&out, 3, H2_END_STREAM, GET);
    net_write(c, out.at, out.n);
    struct h2_outcome o = h2_await(c, 3, false);
    CHECK(o.whole && o.status == 200 && o.goaway == -1);
    net_free(c);
    finish(&s);
}

TEST(a_head_without_end)
{
    struct peer_server s;
    uint8_t block[8192];
    begin(&s);
    h2_begin(&out);
    size_t n = h2_block(block, sizeof block, GET);
    h2_frame(&out, H2_HEADERS, H2_END_STREAM, 1, block, n);
    rn_conn *c = send_out(&s);
    out.n = 0;
    n = h2_block(block, sizeof block, "x\0yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\0");
    for (int i = 0; i < 10; i++)
        h2_frame(&out, H2_CONTINUATION, 0, 1, block, n);
    pour(c, 1000);
    CHECK(ends(c));
    net_free(c);
    h2_begin(&out); /* and of empty frames */
    h2_frame(&out, H2_HEADERS, H2_END_STREAM, 1, block, 0);
    c = send_out(&s);
    out.n = 0;
    for (int i = 0; i < 100; i++)
        h2_frame(&out, H2_CONTINUATION, 0, 1, block, 0);
    pour(c, 1000);
    CHECK(ends(c));
    net_free(c);
    finish(&s);
}

/* The bytes of one request, its head in two frames; how many there are before them. */
static size_t begin_divided(uint32_t id)
{
    uint8_t block[256];
    size_t n = h2_block(block, sizeof block, GET), before;
    h2_begin(&out);
    before = out.n;
    h2_frame(&out, H2_HEADERS, H2_END_STREAM, id, block, n / 2);
    h2_frame(&out, H2_CONTINUATION, H2_END_HEADERS, id, block + n / 2, n - n / 2);
    return before;
}

/* Wherever it is held, also in what may become one; not where none has begun. */
TEST(a_head_that_is_held)
{
    enum { HELD = 10 * RN_MILLISECOND };
    struct peer_server s;
    begin_hasty(&s, HELD);
    h2_begin(&out);
    rn_conn *idle = send_out(&s);
    size_t before = begin_divided(1), whole = out.n;
    for (out.n = before + 1; out.n < whole; out.n++) {
        rn_conn *c = send_out(&s);
        CHECK(ends(c));
        net_free(c);
    }
    out.n = 0;
    h2_request(&out, 1, H2_END_STREAM, GET);
    CHECK_EQ(net_write(idle, out.at, out.n), out.n);
    CHECK_EQ(h2_await(idle, 1, false).status, 200);
    net_free(idle);
    finish(&s);
}

/* What others of its connection ask for is not broken off by it. */
TEST(a_head_that_is_held_beside_a_request)
{
    struct peer_server s;
    begin_hasty(&s, RN_MILLISECOND);
    h2_begin(&out);
    h2_request(&out, 1, 0, POST);
    rn_conn *c = send_out(&s);
    size_t before = begin_divided(3), half = before + 12;
    rn_sleep(10 * RN_MILLISECOND);
    CHECK_EQ(net_write(c, out.at + before, half - before), half - before);
    rn_sleep(50 * RN_MILLISECOND);
    CHECK_EQ(net_write(c, out.at + half, out.n - half), out.n - half);
    CHECK_EQ(h2_await(c, 3, false).status, 200);
    net_free(c);
    finish(&s);
}

/* However the frames are cut. */
TEST(heads_byte_by_byte)
{
    struct peer_server s;
    begin_hasty(&s, RN_MINUTE);
    (void)begin_divided(1);
    rn_conn *c = peer_connect(&s);
    for (size_t i = 0; i < out.n; i++) {
        CHECK_EQ(net_write(c, out.at + i, 1), 1);
        rn_yield();
    }
    CHECK_EQ(h2_await(c, 1, false).status, 200);
    net_free(c);
    finish(&s);
}

/* A header of 4 KiB goes into the table, and is then named `times` times. */
static struct h2_outcome swell(struct peer_server *s, int type, size_t times)
{
    static uint8_t block[16384];
    size_t n = 0;
    h2_begin(&out);
    if (type == H2_DATA) /* in trailers */
        h2_request(&out, 1, 0, METHOD("POST") SCHEME PATH("/x") AUTHORITY);
    else
        n = h2_block(block, sizeof block, GET);
    memcpy(block + n, "\x40\x01x\x7f\x81\x1e", 6); /* indexed; a value of 127 + 1 + 30 × 128 = 3968 */
    memset(block + n + 6, 'a', 3968);
    n += 6 + 3968;
    REQUIRE(n + times <= sizeof block);
    memset(block + n, 0xbe, times); /* the newest entry */
    h2_frame(&out, H2_HEADERS, H2_END_STREAM | H2_END_HEADERS, 1, block, n + times);
    rn_conn *c = send_out(s);
    struct h2_outcome o = h2_await(c, 1, false);
    n = h2_block(block, sizeof block, GET);
    block[n] = 0xbe; /* both sides still know it */
    out.n = 0;
    h2_frame(&out, H2_HEADERS, H2_END_STREAM | H2_END_HEADERS, 3, block, n + 1);
    CHECK_EQ(net_write(c, out.at, out.n), out.n);
    CHECK_EQ(h2_await(c, 3, false).status, 200);
    net_free(c);
    return o;
}

/* 16 KiB that mean 48 MiB are not looked at to their end, and not answered either. */
TEST(a_head_that_swells)
{
    struct peer_server s;
    begin(&s);
    CHECK_EQ(swell(&s, H2_HEADERS, 5).status, 431);
    CHECK(swell(&s, H2_HEADERS, 12000).reset > 0);
    CHECK(swell(&s, H2_DATA, 12000).reset > 0);
    finish(&s);
}

/* Frames that ask for an answer, from a client that reads none. */
TEST(floods_end_the_connection_or_nothing)
{
    struct peer_server s;
    begin(&s);
    for (int kind = 0; kind < 4; kind++) {
        h2_begin(&out);
        rn_conn *c = send_out(&s);
        out.n = 0;
        for (int i = 0; i < 1000; i++) {
            if (kind == 0)
                h2_frame(&out, H2_PING, 0, 0, "12345678", 8);
            if (kind == 1)
                h2_frame(&out, H2_SETTINGS, 0, 0, "\0\3\0\0\0\1", 6);
            if (kind == 2)
                h2_frame(&out, H2_PRIORITY, 0, (uint32_t)(2 * i + 1), "\0\0\0\0\1", 5);
            if (kind == 3)
                h2_frame(&out, H2_WINDOW, 0, 0, "\0\0\0\1", 4);
        }
        pour(c, 100);
        net_free(c);
    }
    finish(&s);
}

/* The server's own: fewer bytes than it has promised. */
TEST(a_response_that_falls_short_is_reset)
{
    struct peer_server s;
    begin(&s);
    h2_begin(&out);
    h2_request(&out, 1, H2_END_STREAM, METHOD("GET") SCHEME PATH("/short") AUTHORITY);
    rn_conn *c = send_out(&s);
    struct h2_outcome o = h2_await(c, 1, false);
    CHECK_EQ(o.status, 200);
    CHECK_EQ(o.bytes, 9);
    CHECK(!o.whole && o.reset > 0);
    net_free(c);
    finish(&s);
}

TEST(a_response_that_is_broken_off_is_reset)
{
    struct peer_server s;
    begin(&s);
    h2_begin(&out);
    h2_request(&out, 1, H2_END_STREAM, METHOD("GET") SCHEME PATH("/abort") AUTHORITY);
    rn_conn *c = send_out(&s);
    struct h2_outcome o = h2_await(c, 1, false);
    CHECK_EQ(o.status, 200);
    CHECK_EQ(o.bytes, 4);
    CHECK(!o.whole && o.reset == NGHTTP2_INTERNAL_ERROR);
    out.n = 0;
    h2_request(&out, 5, H2_END_STREAM, GET); /* the connection goes on */
    CHECK_EQ(net_write(c, out.at, out.n), out.n);
    CHECK(h2_await(c, 5, false).whole);
    net_free(c);
    finish(&s);
}

static void check_trailers(struct peer_server *s, const char *request)
{
    h2_begin(&out);
    h2_request(&out, 1, H2_END_STREAM, request);
    rn_conn *c = send_out(s);
    struct h2_outcome o = h2_await(c, 1, false);
    CHECK(o.whole && o.bytes == 4);
    CHECK_STR(o.trailers, "x-sum: 1\nx-last: 2\n");
    net_free(c);
}

TEST(trailers_of_a_response)
{
    struct peer_server s;
    begin(&s);
    check_trailers(&s, METHOD("GET") SCHEME PATH("/trailers") AUTHORITY);
    check_trailers(&s, METHOD("GET") SCHEME PATH("/trailers?early") AUTHORITY);
    finish(&s);
}

TEST(empty_data_comes_to_nothing)
{
    struct peer_server s;
    begin(&s);
    h2_begin(&out);
    h2_request(&out, 1, 0, POST);
    rn_conn *c = send_out(&s);
    out.n = 0;
    for (int i = 0; i < 1000; i++)
        h2_frame(&out, H2_DATA, 0, 1, "", 0);
    pour(c, 20);
    out.n = 0;
    h2_frame(&out, H2_DATA, H2_END_STREAM, 1, "x", 1);
    net_write(c, out.at, out.n);
    struct h2_outcome o = h2_await(c, 1, false);
    CHECK(o.status == 200 || o.closed);
    net_free(c);
    finish(&s);
}

/* Uploads at the same time do not wait for each other: each has its stream's window. */
TEST(the_connection_has_room_for_many_uploads)
{
    struct peer_server s;
    begin(&s);
    h2_begin(&out);
    h2_request(&out, 1, 0, POST);
    h2_frame(&out, H2_DATA, H2_END_STREAM, 1, "x", 1);
    rn_conn *c = send_out(&s);
    struct h2_outcome o = h2_await(c, 1, false);
    CHECK_EQ(o.status, 200);
    CHECK(o.window >= 8 * 65535);
    net_free(c);
    finish(&s);
}

/* More streams at once than were granted: the surplus is refused, the others are answered. */
TEST(too_many_streams)
{
    struct peer_server s;
    peer_serve(&s, &(http_options){.handler = answer, .max_streams = 5});
    h2_begin(&out);
    for (uint32_t id = 1; id < 41; id += 2)
        h2_request(&out, id, 0, POST);
    h2_frame(&out, H2_DATA, H2_END_STREAM, 1, "x", 1);
    rn_conn *c = send_out(&s);
    struct h2_outcome o = h2_await(c, 1, false);
    CHECK(o.status == 200 || o.closed);
    net_free(c);
    finish(&s);
}

/* A client that always has as many requests under way as it may: nobody's abuse, though its next request may come before the
 * goroutine of an answered one has ended. */
TEST(as_many_streams_as_granted_again_and_again)
{
    enum { AT_ONCE = 100, ALL = 10000 };
    struct peer_server s;
    uint8_t head[9], data[1 << 14];
    uint32_t id = 1;
    int ended = 0;
    begin(&s);
    h2_begin(&out);
    for (int i = 0; i < AT_ONCE; i++, id += 2)
        h2_request(&out, id, H2_END_STREAM, GET);
    h2_frame(&out, H2_WINDOW, 0, 0, "\x10\0\0\0", 4);
    rn_conn *c = send_out(&s);
    while (ended < ALL && net_read_full(c, head, 9) >= 0) {
        size_t n = (size_t)head[1] << 8 | head[2];
        REQUIRE(n <= sizeof data && (n == 0 || net_read_full(c, data, n) >= 0));
        if (head[3] == H2_GOAWAY)
            FAIL("GOAWAY %d after %d requests", data[7], ended);
        if ((head[3] != H2_DATA && head[3] != H2_HEADERS) || !(head[4] & H2_END_STREAM))
            continue;
        out.n = 0;
        h2_request(&out, id, H2_END_STREAM, GET);
        net_write(c, out.at, out.n);
        id += 2;
        ended++;
    }
    CHECK_EQ(ended, ALL);
    net_free(c);
    finish(&s);
}

/* A window that never opens: the handler is given up, and nothing stays. */
TEST(a_client_that_opens_no_window)
{
    struct peer_server s;
    peer_serve(&s, &(http_options){.handler = answer, .write_timeout = 50 * RN_MILLISECOND, .min_rate = 1 << 24});
    h2_begin(&out);
    h2_frame(&out, H2_SETTINGS, 0, 0, "\0\4\0\0\0\0", 6);
    h2_request(&out, 1, H2_END_STREAM, GET);
    rn_conn *c = send_out(&s);
    struct h2_outcome o = h2_await(c, 1, false);
    CHECK(o.status == 200 && !o.whole && (o.reset > 0 || o.closed));
    net_free(c);
    finish(&s);
}

static void answer_at_length(http_writer *w, const http_request *r)
{
    static const char page[40000];
    (void)r;
    CHECK_EQ(http_write(w, page, sizeof page), sizeof page);
}

/* The longest timeout is none.  (With what the bytes may take it overflowed.) */
TEST(the_longest_write_timeout_waits)
{
    struct peer_server s;
    peer_serve(&s, &(http_options){.handler = answer_at_length, .write_timeout = INT64_MAX, .min_rate = 1});
    h2_begin(&out);
    h2_frame(&out, H2_SETTINGS, 0, 0, "\0\4\0\0\0\0", 6);
    h2_request(&out, 1, H2_END_STREAM, GET);
    rn_conn *c = send_out(&s);
    rn_sleep(20 * RN_MILLISECOND);
    out.n = 0;
    h2_frame(&out, H2_WINDOW, 0, 1, "\0\1\0\0", 4);
    net_write(c, out.at, out.n);
    struct h2_outcome o = h2_await(c, 1, false);
    CHECK(o.status == 200 && o.whole);
    net_free(c);
    finish(&s);
}

/* Trailers may be on their way when their stream is reset: nobody's fault. */
TEST(trailers_of_a_reset_stream_are_ignored)
{
    struct peer_server s;
    uint8_t block[256];
    begin(&s);
    h2_begin(&out);
    h2_request(&out, 3, 0, POST "te\0gzip\0"); /* malformed: the server resets it; 1 was passed over */
    size_t n = h2_block(block, sizeof block, "x\0y\0");
    h2_frame(&out, H2_HEADERS, H2_END_STREAM | H2_END_HEADERS, 3, block, n);
    h2_request(&out, 5, H2_END_STREAM, GET);
    rn_conn *c = send_out(&s);
    struct h2_outcome o = h2_await(c, 5, false);
    CHECK_EQ(o.status, 200);
    CHECK_EQ(o.goaway, -1);
    net_free(c);
    finish(&s);
}

/* ---- what waits ---- */

static ssize_t bytes_in_use(void)
{
    return (ssize_t)mallinfo2().uordblks; /* 0 under a sanitizer */
}

/* The answer may be here before the server waits again. */
static bool comes_to_at_most(ssize_t bytes)
{
    for (int i = 0; i < 2000 && bytes_in_use() > bytes; i++)
        rn_sleep(RN_MILLISECOND);
    return bytes_in_use() <= bytes;
}

/* What is read with, by HTTP/1 before the preface and by HTTP/2, takes 40 KB; the session itself 28. */
TEST(a_connection_that_waits_holds_no_buffer)
{
    enum { N = 100 };
    rn_conn *all[N];
    struct peer_server s;
    begin(&s);
    ssize_t before = 0;
    for (int i = 0; i < N; i++) {
        if (i == N / 2) /* from here on the pools are filled */
            before = bytes_in_use();
        h2_begin(&out);
        h2_request(&out, 1, H2_END_STREAM, GET);
        all[i] = send_out(&s);
        CHECK_EQ(h2_await(all[i], 1, false).status, 200);
    }
    CHECK(comes_to_at_most(before + (N - N / 2) * 40000));
    for (int i = 0; i < N; i++)
        net_free(all[i]);
    peer_stop(&s);
}

/* ---- the end ---- */

static void shut(struct peer_server *s, rn_waitgroup *done)
{
    CHECK_EQ(rn_http_shutdown(s->s, NULL), 0);
    wg_done(done);
}

/* Who has asked for nothing, or has its answer, is told; who waits for one gets it. */
TEST(shutting_down_says_goaway_and_answers_what_was_taken)
{
    struct peer_server s;
    rn_waitgroup done = RN_WAITGROUP_INIT;
    begin(&s);
    h2_begin(&out);
    rn_conn *silent = send_out(&s);
    h2_request(&out, 1, H2_END_STREAM, GET);
    rn_conn *idle = send_out(&s);
    CHECK_EQ(h2_await(idle, 1, false).status, 200);
    h2_begin(&out);
    h2_request(&out, 1, 0, POST);
    h2_request(&out, 3, H2_END_STREAM, GET);
    rn_conn *busy = send_out(&s);
    CHECK_EQ(h2_await(busy, 3, false).status, 200); /* so 1 was taken */
    wg_add(&done, 1);
    go(shut, &s, &done);
    rn_conn *two[] = {silent, idle};
    for (uint32_t i = 0; i < 2; i++) {
        struct h2_outcome o = h2_await(two[i], 0, true);
        CHECK_EQ(o.goaway, 0);
        CHECK_EQ(o.last, i);
        CHECK(h2_await(two[i], 1, true).closed);
        net_free(two[i]);
    }
    struct h2_outcome o = h2_await(busy, 0, true);
    CHECK_EQ(o.goaway, 0);
    CHECK_EQ(o.last, 3);
    out.n = 0;
    h2_request(&out, 5, H2_END_STREAM, GET); /* too late: ignored, its sender knows */
    h2_frame(&out, H2_DATA, H2_END_STREAM, 1, "hello", 5);
    net_write(busy, out.at, out.n);
    o = h2_await(busy, 1, false);
    CHECK(o.status == 200 && o.whole);
    o = h2_await(busy, 5, true);
    CHECK(o.closed && o.status == 0);
    net_free(busy);
    wg_wait(&done);
    peer_stop(&s);
}
