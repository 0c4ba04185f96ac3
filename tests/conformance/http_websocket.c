/* WebSocket: the handshake, messages, control frames, and clients that break the rules. */
#include "../http/peer.h"
#include <runnel/websocket.h>

#define SHAKE                                                                                \
    "GET / HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n" \
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

static struct {
    int ended, code;
    chan(int) done;
} last;

/* Of the next connection.  Where pings are not what is tested there are none, however long the machine takes. */
static rn_atomic_int64 ping_interval;

/* When the handler asks for the request's context, if at all. */
enum { NEVER, BEFORE, AFTER };
static rn_atomic_int asks;

static void ask(const http_request *r, int now)
{
    enum { SOON = 20 }; /* ms: a message has come by then, or one who would wait for it does */
    if (rn_atomic_load(&asks) != now)
        return;
    CHECK_EQ(ctx_err(http_context(r)), 0);
    rn_sleep(SOON * RN_MILLISECOND);
}

static void talk(http_writer *w, const http_request *r)
{
    ask(r, BEFORE);
    const websocket_options o = {
        .max_message = 1000, .protocols = "echo, other", .ping_interval = rn_atomic_load(&ping_interval)};
    websocket *ws = websocket_accept(w, r, &o);
    if (!ws)
        return;
    ask(r, AFTER);
    websocket_message m;
    int err;
    while ((err = websocket_read(ws, &m)) == 0) {
        if (strcmp(m.data, "close") == 0)
            websocket_close(ws, 1000, "bye");
        else
            websocket_write(ws, m.kind, m.data, m.n);
    }
    last.ended = err;
    last.code = websocket_close_code(ws);
    websocket_free(ws);
    chan_send(last.done, 1);
}

/* A client's frame: masked.  Its length. */
static size_t frame(uint8_t *to, int first, const void *data, size_t n)
{
    static const uint8_t mask[4] = {1, 2, 3, 4};
    size_t at = 2;
    to[0] = (uint8_t)first;
    to[1] = (uint8_t)(0x80 | (n < 126 ? n : 126));
    if (n >= 126) {
        to[at++] = (uint8_t)(n >> 8);
        to[at++] = (uint8_t)n;
    }
    memcpy(to + at, mask, 4);
    at += 4;
    for (size_t i = 0; i < n; i++)
        to[at + i] = (uint8_t)(((const uint8_t *)data)[i] ^ mask[i % 4]);
    return at + n;
}

static void send_frame(rn_conn *c, int first, const char *data, size_t n)
{
    uint8_t bytes[5000];
    net_write(c, bytes, frame(bytes, first, data, n));
}

/* The next frame of the server's: its first byte, with its payload. */
static int read_frame(rn_conn *c, char *to, size_t *n)
{
    uint8_t head[2], more[2];
    if (net_read_full(c, head, 2) < 0)
        return -1;
    *n = head[1];
    if (*n == 126) {
        REQUIRE(net_read_full(c, more, 2) == 0);
        *n = (size_t)more[0] << 8 | more[1];
    }
    if (*n && net_read_full(c, to, *n) < 0)
        return -1;
    to[*n] = 0;
    return head[0];
}

static rn_conn *offer(const struct peer_server *s)
{
    rn_conn *c = peer_connect(s);
    net_write(c, SHAKE "\r\n", sizeof SHAKE + 1);
    return c;
}

static void await_agreement(rn_conn *c)
{
    char text[600];
    size_t n = 0;
    do
        REQUIRE(net_read_full(c, text + n, 1) == 0);
    while (++n < 4 || memcmp(text + n - 4, "\r\n\r\n", 4) != 0);
    text[n] = 0;
    CHECK_EQ(peer_status(text), 101);
    CHECK(strstr(text, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n") != NULL);
}

static rn_conn *shake(const struct peer_server *s)
{
    rn_conn *c = offer(s);
    await_agreement(c);
    return c;
}

static void begin(struct peer_server *s)
{
    last.done = chan_make(int, 1);
    rn_atomic_store(&asks, NEVER);
    rn_atomic_store(&ping_interval, RN_HOUR);
    peer_serve(s, &(http_options){.handler = talk});
}

static void finish(struct peer_server *s)
{
    peer_stop(s);
    chan_free(last.done);
}

TEST(the_handshake_is_checked)
{
    struct peer_server s;
    begin(&s);
    CHECK_EQ(peer_status(peer_ask(&s, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")), 426);
    CHECK_EQ(
        peer_status(peer_ask(&s, "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                                 "Sec-WebSocket-Version: 8\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")),
        426);
    CHECK_EQ(peer_status(peer_ask(&s, "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                                      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n\r\n")),
             400);
    CHECK_EQ(peer_status(peer_ask(&s, "GET / HTTP/1.1\r\nHost: h\r\nConnection: keep-alive\r\nConnection: upgrade\r\n"
                                      "Upgrade: other\r\nUpgrade: WebSocket\r\nSec-WebSocket-Version: 13\r\n"
                                      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")),
             101);
    chan_recv(last.done);
    CHECK_EQ(peer_status(peer_ask(&s, SHAKE "Origin: http://evil\r\n\r\n")), 403);
    CHECK_EQ(peer_status(peer_ask(&s, SHAKE "Origin: http://h.evil\r\n\r\n")), 403);
    CHECK_EQ(peer_status(peer_ask(&s, SHAKE "Origin: http://h\r\n\r\n")), 101);
    chan_recv(last.done);
    const char *answer = peer_ask(&s, SHAKE "Sec-WebSocket-Protocol: x, other\r\n\r\n");
    CHECK(strstr(answer, "\r\nSec-WebSocket-Protocol: other\r\n") != NULL);
    chan_recv(last.done);
    CHECK_EQ(last.ended, RN_EEOF);
    CHECK_EQ(last.code, 1006);
    finish(&s);
}

TEST(messages_come_back)
{
    struct peer_server s;
    static char text[4096], long_one[900];
    size_t n;
    begin(&s);
    rn_conn *c = shake(&s);
    send_frame(c, 0x81, "hello", 5);
    CHECK_EQ(read_frame(c, text, &n), 0x81);
    CHECK_STR(text, "hello");
    memset(long_one, 'x', sizeof long_one);
    send_frame(c, 0x82, long_one, sizeof long_one);
    CHECK_EQ(read_frame(c, text, &n), 0x82);
    CHECK(n == sizeof long_one && memcmp(text, long_one, n) == 0);
    send_frame(c, 0x01, "frag", 4); /* in pieces, with a ping between them */
    send_frame(c, 0x89, "?", 1);
    send_frame(c, 0x80, "ment", 4);
    CHECK_EQ(read_frame(c, text, &n), 0x8a);
    CHECK_STR(text, "?");
    CHECK_EQ(read_frame(c, text, &n), 0x81);
    CHECK_STR(text, "fragment");
    send_frame(c, 0x88, "\x03\xe8", 2);
    CHECK_EQ(read_frame(c, text, &n), 0x88);
    CHECK(n == 2 && memcmp(text, "\x03\xe8", 2) == 0);
    CHECK_EQ(net_read(c, text, 1), 0);
    chan_recv(last.done);
    CHECK_EQ(last.ended, RN_EEOF);
    CHECK_EQ(last.code, 1000);
    net_free(c);
    finish(&s);
}

static void is_echoed(rn_conn *c, const char *message)
{
    char text[100];
    size_t n;
    CHECK_EQ(read_frame(c, text, &n), 0x81);
    CHECK_STR(text, message);
}

TEST(empty_messages_and_fragments)
{
    struct peer_server s;
    begin(&s);
    rn_conn *c = shake(&s);
    for (int i = 0; i < 2; i++) { /* the second time there is memory from the first */
        send_frame(c, 0x81, "", 0);
        is_echoed(c, "");
        send_frame(c, 0x01, "", 0);
        send_frame(c, 0x00, "a", 1);
        send_frame(c, 0x80, "", 0);
        is_echoed(c, "a");
        send_frame(c, 0x01, "", 0);
        send_frame(c, 0x80, "", 0);
        is_echoed(c, "");
    }
    net_free(c);
    chan_recv(last.done);
    finish(&s);
}

/* The mask goes on where the payload was cut, wherever that is. */
TEST(frames_cut_anywhere)
{
    static const char text[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    enum { HEAD = 6 };
    struct peer_server s;
    begin(&s);
    rn_conn *c = shake(&s);
    for (size_t n = 0; n < sizeof text; n += 5) {
        uint8_t bytes[HEAD + sizeof text];
        size_t size = frame(bytes, 0x81, text, n);
        for (size_t cut = 1; cut < size; cut += cut < HEAD + 8 ? 1 : 5) {
            net_write(c, bytes, cut);
            rn_sleep(RN_MILLISECOND); /* it is read by itself; if not, less is tested */
            net_write(c, bytes + cut, size - cut);
            char message[sizeof text];
            snprintf(message, sizeof message, "%.*s", (int)n, text);
            is_echoed(c, message);
        }
    }
    net_free(c);
    chan_recv(last.done);
    finish(&s);
}

/* The request's context, which ends with the client, takes nothing from the reader; nor from who does not wait for the
 * server's answer. */
TEST(a_context_beside_the_reader)
{
    struct peer_server s;
    begin(&s);
    for (int i = 0; i < 4; i++) {
        rn_atomic_store(&asks, i % 2 ? AFTER : BEFORE);
        rn_conn *c = offer(&s);
        if (i < 2)
            await_agreement(c);
        else
            rn_sleep(5 * RN_MILLISECOND);
        send_frame(c, 0x81, "first", 5);
        if (i >= 2)
            await_agreement(c);
        is_echoed(c, "first");
        send_frame(c, 0x81, "second", 6);
        is_echoed(c, "second");
        net_free(c);
        chan_recv(last.done);
    }
    finish(&s);
}

/* Messages, and in the same packet what ends the connection: they are answered first. */
TEST(what_came_before_the_end_is_answered)
{
    static const struct {
        uint8_t bytes[20];
        size_t n;
        int code, ended;
    } list[] = {
        {{0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8}, 8, 1000, RN_EEOF},
        {{0x83, 0x80, 1, 2, 3, 4}, 6, 1002, -EPROTO},
        {{0x81, 0x81, 0, 0, 0, 0, 0xff}, 7, 1007, -EPROTO},
    };
    struct peer_server s;
    begin(&s);
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        uint8_t bytes[100];
        char text[200];
        size_t n = frame(bytes, 0x81, "one", 3);
        rn_conn *c = shake(&s);
        n += frame(bytes + n, 0x82, "two", 3);
        memcpy(bytes + n, list[i].bytes, list[i].n);
        net_write(c, bytes, n + list[i].n);
        CHECK_EQ(read_frame(c, text, &n), 0x81);
        CHECK_STR(text, "one");
        CHECK_EQ(read_frame(c, text, &n), 0x82);
        CHECK_STR(text, "two");
        CHECK_EQ(read_frame(c, text, &n), 0x88);
        CHECK_EQ((uint8_t)text[0] << 8 | (uint8_t)text[1], list[i].code);
        CHECK_EQ(net_read(c, text, 1), 0);
        chan_recv(last.done);
        CHECK_EQ(last.ended, list[i].ended);
        net_free(c);
    }
    finish(&s);
}

/* Pings with a close behind them in the same packet: each has its pong (RFC 6455, 5.5.2), and the message its answer. */
TEST(pings_before_the_end_are_answered)
{
    static const char close[] = "\x03\xe8";
    struct peer_server s;
    begin(&s);
    for (int with_message = 0; with_message < 2; with_message++) {
        uint8_t bytes[100];
        char text[200];
        size_t n = frame(bytes, 0x89, "one", 3);
        rn_conn *c = shake(&s);
        n += frame(bytes + n, 0x89, "two", 3);
        if (with_message)
            n += frame(bytes + n, 0x81, "text", 4);
        n += frame(bytes + n, 0x88, close, 2);
        net_write(c, bytes, n);
        CHECK_EQ(read_frame(c, text, &n), 0x8a);
        CHECK_STR(text, "one");
        CHECK_EQ(read_frame(c, text, &n), 0x8a);
        CHECK_STR(text, "two");
        if (with_message)
            is_echoed(c, "text");
        CHECK_EQ(read_frame(c, text, &n), 0x88);
        CHECK_STR(text, close);
        CHECK_EQ(net_read(c, text, 1), 0);
        chan_recv(last.done);
        CHECK_EQ(last.ended, RN_EEOF);
        net_free(c);
    }
    finish(&s);
}

/* The codes that IANA has given since RFC 6455 end a connection as its own do, also where the frame comes in pieces. */
TEST(newer_codes_of_a_close)
{
    struct peer_server s;
    begin(&s);
    for (int code = 1011; code <= 1015; code++) {
        uint8_t bytes[100], of[] = {(uint8_t)(code >> 8), (uint8_t)code, 'w', 'h', 'y'};
        char text[200];
        size_t n = frame(bytes, 0x88, of, sizeof of), piece = code == 1013 ? 1 : n;
        rn_conn *c = shake(&s);
        for (size_t i = 0; i < n; i += piece) {
            net_write(c, bytes + i, piece);
            rn_sleep(RN_MILLISECOND);
        }
        CHECK_EQ(read_frame(c, text, &n), 0x88);
        CHECK_EQ((uint8_t)text[0] << 8 | (uint8_t)text[1], code < 1015 ? code : 1002);
        CHECK_EQ(net_read(c, text, 1), 0);
        chan_recv(last.done);
        CHECK_EQ(last.ended, code < 1015 ? RN_EEOF : -EPROTO);
        if (code < 1015)
            CHECK_EQ(last.code, code);
        net_free(c);
    }
    finish(&s);
}

/* Sends bytes one by one, each in a packet of its own. */
static void trickle(rn_conn *c, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        net_write(c, bytes + i, 1);
        rn_sleep(RN_MILLISECOND);
    }
}

/* The reason of a close is looked at as a whole, however it comes. */
TEST(a_reason_in_pieces)
{
    static const struct {
        const char *payload;
        int code;
    } list[] = {
        {"\x03\xe8"
         "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80",
         1000},
        {"\x03\xe8"
         "no\xff",
         1007},
        {"\x03\xe8"
         "half \xe2\x82",
         1007},
    };
    struct peer_server s;
    begin(&s);
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        uint8_t bytes[100];
        char text[200];
        rn_conn *c = shake(&s);
        size_t n;
        trickle(c, bytes, frame(bytes, 0x88, list[i].payload, strlen(list[i].payload)));
        CHECK_EQ(read_frame(c, text, &n), 0x88);
        CHECK_EQ((uint8_t)text[0] << 8 | (uint8_t)text[1], list[i].code);
        if (list[i].code == 1000)
            CHECK_STR(text, list[i].payload);
        chan_recv(last.done);
        CHECK_EQ(last.ended, list[i].code == 1000 ? RN_EEOF : -EPROTO);
        net_free(c);
    }
    finish(&s);
}

static void close_at_length(http_writer *w, const http_request *r)
{
    enum { TIMES = 100 };
    char reason[2 * TIMES + 1];
    for (size_t i = 0; i < TIMES; i++)
        memcpy(reason + 2 * i, "\xc3\xa9", 3);
    websocket *ws = websocket_accept(w, r, NULL);
    websocket_message m;
    CHECK_EQ(websocket_close(ws, 1000, reason), 0);
    last.ended = websocket_read(ws, &m);
    websocket_free(ws);
    chan_send(last.done, 1);
}

TEST(a_reason_that_is_too_long_ends_with_a_character)
{
    struct peer_server s;
    char text[200];
    size_t n;
    last.done = chan_make(int, 1);
    peer_serve(&s, &(http_options){.handler = close_at_length});
    rn_conn *c = shake(&s);
    CHECK_EQ(read_frame(c, text, &n), 0x88);
    CHECK_EQ(n, 2 + 2 * 61); /* of 123 bytes */
    send_frame(c, 0x88, text, n);
    chan_recv(last.done);
    CHECK_EQ(last.ended, RN_ECLOSED);
    net_free(c);
    finish(&s);
}

static void read_headers(http_writer *w, const http_request *r)
{
    websocket *ws = websocket_accept(w, r, NULL);
    CHECK_STR(http_header(r, "X-Empty"), "");
    CHECK_STR(http_header(r, "X-Blank"), "");
    CHECK_STR(http_header(r, "X-Full"), "text");
    CHECK_STR(r->host, "h");
    CHECK_STR(r->target, "/a?b");
    websocket_free(ws);
    chan_send(last.done, 1);
}

/* The buffers that it came in are another's when the handshake is over. */
TEST(the_request_stays)
{
    struct peer_server s;
    last.done = chan_make(int, 1);
    peer_serve(&s, &(http_options){.handler = read_headers});
    CHECK_EQ(peer_status(peer_ask(&s, "GET /a?b HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                                      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                                      "X-Empty:\r\nX-Blank:  \t \r\nX-Full: text \r\n\r\n")),
             101);
    chan_recv(last.done);
    finish(&s);
}

/* A message in single bytes, up to the limit (1000) and beyond it. */
TEST(fragments_add_up)
{
    struct peer_server s;
    static uint8_t bytes[1002 * 7];
    static char text[2000];
    begin(&s);
    for (int pieces = 1000; pieces <= 1001; pieces++) {
        rn_conn *c = shake(&s);
        size_t n = 0;
        for (int i = 0; i < pieces; i++)
            n += frame(bytes + n, (i == 0) | (i == pieces - 1 ? 0x80 : 0), "x", 1);
        net_write(c, bytes, n);
        CHECK_EQ(read_frame(c, text, &n), pieces == 1000 ? 0x81 : 0x88);
        CHECK_EQ(n, pieces == 1000 ? 1000 : 2);
        CHECK(pieces == 1000 || memcmp(text, "\x03\xf1", 2) == 0);
        net_free(c);
        chan_recv(last.done);
    }
    finish(&s);
}

TEST(the_server_closes_and_pings)
{
    struct peer_server s;
    char text[200];
    size_t n;
    begin(&s);
    rn_atomic_store(&ping_interval, RN_SECOND); /* also the time for the answer */
    rn_conn *c = shake(&s);
    CHECK_EQ(read_frame(c, text, &n), 0x89); /* silence */
    send_frame(c, 0x8a, "", 0);
    send_frame(c, 0x81, "close", 5);
    int kind;
    while ((kind = read_frame(c, text, &n)) == 0x89)
        ;
    CHECK_EQ(kind, 0x88);
    CHECK(n == 5 && memcmp(text,
                           "\x03\xe8"
                           "bye",
                           5) == 0);
    send_frame(c, 0x88, "\x03\xe8", 2);
    chan_recv(last.done);
    CHECK_EQ(last.ended, RN_ECLOSED);
    net_free(c);
    rn_atomic_store(&ping_interval, 50 * RN_MILLISECOND);
    c = shake(&s); /* one that answers no ping */
    chan_recv(last.done);
    CHECK_EQ(last.ended, RN_ETIMEOUT);
    net_free(c);
    rn_atomic_store(&ping_interval, RN_SECOND); /* also the time for the answer to its close */
    c = shake(&s);                              /* and the end of the server */
    rn_context *ctx = ctx_with_timeout(ctx_background(), 30 * RN_SECOND);
    send_frame(c, 0x81, "x", 1);
    while ((kind = read_frame(c, text, &n)) == 0x89)
        ;
    CHECK_EQ(kind, 0x81);
    CHECK_EQ(http_shutdown(s.s, ctx), 0);
    ctx_cancel(ctx);
    while ((kind = read_frame(c, text, &n)) == 0x89)
        ;
    CHECK_EQ(kind, 0x88);
    CHECK(n == 2 && memcmp(text, "\x03\xe9", 2) == 0); /* 1001 */
    chan_recv(last.done);
    net_free(c);
    finish(&s);
}

/* Until the handler has ended as well. */
static void shut_down(http_server *s)
{
    rn_context *ctx = ctx_with_timeout(ctx_background(), 30 * RN_SECOND);
    CHECK_EQ(http_shutdown(s, ctx), 0);
    ctx_cancel(ctx);
    chan_recv(last.done);
}

/* Says something all the time, and never what it is asked for. */
static void chatter(rn_conn *c)
{
    uint8_t bytes[16];
    size_t n = frame(bytes, 0x81, "x", 1);
    net_set_deadline(c, 0);
    while (net_write(c, bytes, n) > 0)
        rn_sleep(5 * RN_MILLISECOND);
}

TEST(who_does_not_answer_a_close_is_given_up)
{
    struct peer_server s;
    begin(&s);
    rn_atomic_store(&ping_interval, 2 * RN_SECOND); /* also the time for the answer */
    rn_conn *c = shake(&s);
    send_frame(c, 0x81, "close", 5);
    chatter(c);
    chan_recv(last.done);
    CHECK_EQ(last.ended, RN_ETIMEOUT);
    net_free(c);
    c = shake(&s);
    rn_waitgroup chatting = RN_WAITGROUP_INIT;
    wg_go(&chatting, chatter, c);
    shut_down(s.s);
    CHECK_EQ(last.ended, RN_ETIMEOUT);
    net_close(c);
    wg_wait(&chatting);
    net_free(c);
    finish(&s);
}

static void answer_late(http_writer *w, const http_request *r)
{
    websocket *ws = websocket_accept(w, r, NULL);
    websocket_message m;
    CHECK_EQ(websocket_read(ws, &m), 0);
    chan_send(last.done, 0);
    rn_sleep(2500 * RN_MILLISECOND); /* longer than a shutdown waits for who has nothing to do */
    CHECK_EQ(websocket_write(ws, m.kind, m.data, m.n), 0);
    last.ended = websocket_read(ws, &m);
    websocket_free(ws);
    chan_send(last.done, 1);
}

static void answer_goodbye(rn_conn *c)
{
    char text[200];
    size_t n;
    CHECK_EQ(read_frame(c, text, &n), 0x81);
    CHECK_STR(text, "x");
    CHECK_EQ(read_frame(c, text, &n), 0x88);
    send_frame(c, 0x88, "\x03\xe9", 2);
}

TEST(a_message_that_was_read_may_be_answered_in_a_shutdown)
{
    struct peer_server s;
    rn_waitgroup client = RN_WAITGROUP_INIT;
    last.done = chan_make(int, 1);
    peer_serve(&s, &(http_options){.handler = answer_late});
    rn_conn *c = shake(&s);
    send_frame(c, 0x81, "x", 1);
    chan_recv(last.done);
    wg_go(&client, answer_goodbye, c);
    shut_down(s.s);
    CHECK_EQ(last.ended, RN_ECLOSED);
    wg_wait(&client);
    net_free(c);
    finish(&s);
}

enum { LONG_SILENCE = 1300 }; /* ms: the reader has given up what it reads with by then, if nothing has begun */

struct pause {
    const struct peer_server *s;
    size_t at;
    rn_waitgroup *all;
};

/* Two messages with a ping in the first, and a long silence behind `at` bytes of them. */
static void pause_within(struct pause *p)
{
    uint8_t bytes[100];
    char text[200];
    size_t n = frame(bytes, 0x01, "\xc3", 1), len;
    rn_conn *c = shake(p->s);
    n += frame(bytes + n, 0x89, "?", 1);
    n += frame(bytes + n, 0x80, "\xa9", 1);
    n += frame(bytes + n, 0x81, "two", 3);
    size_t at = p->at < n ? p->at : n;
    if (at)
        net_write(c, bytes, at);
    rn_sleep(LONG_SILENCE * RN_MILLISECOND);
    if (n - at)
        net_write(c, bytes + at, n - at);
    CHECK_EQ(read_frame(c, text, &len), 0x8a);
    CHECK_STR(text, "?");
    is_echoed(c, "\xc3\xa9");
    is_echoed(c, "two");
    send_frame(c, 0x88, "\x03\xe8", 2);
    CHECK_EQ(read_frame(c, text, &len), 0x88);
    net_free(c);
    wg_done(p->all);
}

static void echo(http_writer *w, const http_request *r)
{
    websocket *ws = websocket_accept(w, r, NULL);
    websocket_message m;
    int err;
    while ((err = websocket_read(ws, &m)) == 0)
        websocket_write(ws, m.kind, m.data, m.n);
    CHECK_EQ(err, RN_EEOF);
    websocket_free(ws);
}

TEST(a_silence_takes_nothing_away)
{
    enum { PLACES = 34 };
    struct peer_server s;
    struct pause pauses[PLACES];
    rn_waitgroup all = RN_WAITGROUP_INIT;
    peer_serve(&s, &(http_options){.handler = echo});
    wg_add(&all, PLACES);
    for (size_t i = 0; i < PLACES; i++) {
        pauses[i] = (struct pause){&s, i, &all};
        go(pause_within, &pauses[i]);
    }
    wg_wait(&all);
    peer_stop(&s);
}

/* Writes just when the reader gives up what it reads with, or takes it again, and after it has closed. */
static void write_all_along(websocket *ws)
{
    int err = 0;
    for (int i = 0; !err; i++) {
        rn_sleep((i % 8 ? 5 : 400) * RN_MILLISECOND);
        err = websocket_write(ws, WEBSOCKET_TEXT, "x", 1);
        if (i == 50)
            websocket_close(ws, 1000, NULL);
    }
    CHECK_EQ(err, RN_ECLOSED);
}

static void read_beside_a_writer(http_writer *w, const http_request *r)
{
    websocket *ws = websocket_accept(w, r, NULL);
    rn_waitgroup other = RN_WAITGROUP_INIT;
    websocket_message m;
    wg_go(&other, write_all_along, ws);
    while ((last.ended = websocket_read(ws, &m)) == 0)
        CHECK_STR(m.data, "y");
    wg_wait(&other);
    websocket_free(ws);
    chan_send(last.done, 1);
}

TEST(others_write_while_the_reader_rests)
{
    struct peer_server s;
    char text[200];
    size_t n;
    int kind, said = 0;
    last.done = chan_make(int, 1);
    peer_serve(&s, &(http_options){.handler = read_beside_a_writer});
    rn_conn *c = shake(&s);
    while ((kind = read_frame(c, text, &n)) == 0x81)
        if (++said % 24 == 0) /* every 1.2 seconds */
            send_frame(c, 0x81, "y", 1);
    CHECK_EQ(kind, 0x88);
    CHECK_EQ(said, 51);
    send_frame(c, 0x88, "\x03\xe8", 2);
    chan_recv(last.done);
    CHECK_EQ(last.ended, RN_ECLOSED);
    net_free(c);
    finish(&s);
}

static void end_soon(websocket *ws)
{
    rn_sleep(20 * RN_MILLISECOND); /* the handler waits by then, or is told before it does */
    websocket_close(ws, 1000, NULL);
}

static void wait_for_the_end(http_writer *w, const http_request *r)
{
    const websocket_options o = {.ping_interval = RN_HOUR};
    websocket *ws = websocket_accept(w, r, &o);
    rn_waitgroup other = RN_WAITGROUP_INIT;
    websocket_message m;
    wg_go(&other, end_soon, ws);
    last.ended = websocket_read(ws, &m);
    wg_wait(&other);
    websocket_free(ws);
    chan_send(last.done, 1);
}

TEST(another_goroutine_closes_and_the_client_says_nothing)
{
    struct peer_server s;
    last.done = chan_make(int, 1);
    peer_serve(&s, &(http_options){.handler = wait_for_the_end});
    rn_conn *c = shake(&s);
    chan_recv(last.done);
    CHECK_EQ(last.ended, RN_ETIMEOUT); /* after five seconds, not an hour */
    net_free(c);
    finish(&s);
}

static void write_only(http_writer *w, const http_request *r)
{
    websocket *ws = websocket_accept(w, r, NULL);
    while ((last.ended = websocket_write(ws, WEBSOCKET_TEXT, "x", 1)) == 0)
        rn_sleep(10 * RN_MILLISECOND);
    websocket_free(ws);
    chan_send(last.done, 1);
}

TEST(a_handler_that_only_writes_is_told_of_a_shutdown)
{
    struct peer_server s;
    char text[200];
    size_t n;
    int kind;
    last.done = chan_make(int, 1);
    peer_serve(&s, &(http_options){.handler = write_only});
    rn_conn *c = shake(&s);
    shut_down(s.s);
    CHECK_EQ(last.ended, RN_ECLOSED);
    while ((kind = read_frame(c, text, &n)) == 0x81)
        ;
    CHECK_EQ(kind, 0x88);
    CHECK(n == 2 && memcmp(text, "\x03\xe9", 2) == 0); /* 1001 */
    net_free(c);
    finish(&s);
}

TEST(broken_frames_end_it)
{
    static const struct {
        const char *what;
        int code;
        uint8_t bytes[24];
        size_t n;
    } list[] = {
        {"not masked", 1002, {0x81, 0x01, 'x'}, 3},
        {"a reserved bit", 1002, {0xc1, 0x80, 1, 2, 3, 4}, 6},
        {"an unknown kind", 1002, {0x83, 0x80, 1, 2, 3, 4}, 6},
        {"a continuation of nothing", 1002, {0x80, 0x80, 1, 2, 3, 4}, 6},
        {"a ping in pieces", 1002, {0x09, 0x80, 1, 2, 3, 4}, 6},
        {"a ping that says in two bytes that it has none", 1002, {0x89, 0xfe, 0, 0, 1, 2, 3, 4}, 8},
        {"a long ping", 1002, {0x89, 0xfe, 0, 126, 1, 2, 3, 4}, 8},
        {"text that is no UTF-8", 1007, {0x81, 0x82, 0, 0, 0, 0, 0xc3, 0x28}, 8},
        {"text that is no UTF-8, in pieces", 1007, {0x01, 0x81, 0, 0, 0, 0, 0xc3, 0x80, 0x81, 0, 0, 0, 0, 0x28}, 14},
        {"text that ends within a character", 1007, {0x81, 0x81, 0, 0, 0, 0, 0xc3}, 7},
        {"a surrogate in text", 1007, {0x81, 0x83, 0, 0, 0, 0, 0xed, 0xa0, 0x80}, 9},
        {"a second reserved bit", 1002, {0xa1, 0x80, 1, 2, 3, 4}, 6},
        {"a third reserved bit", 1002, {0x91, 0x80, 1, 2, 3, 4}, 6},
        {"an unknown control frame", 1002, {0x8b, 0x80, 1, 2, 3, 4}, 6},
        {"a text within another", 1002, {0x01, 0x81, 0, 0, 0, 0, 'x', 0x81, 0x81, 0, 0, 0, 0, 'y'}, 14},
        {"a length with its highest bit", 1002, {0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4}, 14},
        {"a length that a shorter form could say", 1002, {0x82, 0xfe, 0, 5, 1, 2, 3, 4, 5, 6, 7, 8, 9}, 13},
        {"a length of 64 bits", 1009, {0x82, 0xff, 0, 0, 1, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5}, 15},
        {"a close with a reason that is no UTF-8", 1007, {0x88, 0x83, 0, 0, 0, 0, 0x03, 0xe8, 0xff}, 9},
        {"a close in pieces", 1002, {0x08, 0x82, 0, 0, 0, 0, 0x03, 0xe8}, 8},
        {"too long a message", 1009, {0x82, 0xfe, 0x40, 0, 1, 2, 3, 4, 5}, 9},
        {"a close of one byte", 1002, {0x88, 0x81, 0, 0, 0, 0, 3}, 7},
        {"a close with a code that may not be sent", 1002, {0x88, 0x82, 0, 0, 0, 0, 0x03, 0xed}, 8},
    };
    struct peer_server s;
    char text[2000];
    size_t n;
    begin(&s);
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        rn_conn *c = shake(&s);
        net_write(c, list[i].bytes, list[i].n);
        int kind;
        while ((kind = read_frame(c, text, &n)) == 0x89)
            ;
        int code = kind == 0x88 && n >= 2 ? (uint8_t)text[0] << 8 | (uint8_t)text[1] : 0;
        if (kind != 0x88 || code != list[i].code)
            FAIL("%s: closed with %d, expected %d", list[i].what, code, list[i].code);
        net_free(c);
        chan_recv(last.done);
        if (last.ended != -EPROTO && last.ended != RN_EEOF)
            FAIL("%s: the reader got %s", list[i].what, rn_strerror(last.ended));
        c = shake(&s); /* what is left of it meets nobody else */
        send_frame(c, 0x81, "hello", 5);
        is_echoed(c, "hello");
        net_free(c);
        chan_recv(last.done);
    }
    finish(&s);
}
