/* HTTP: what its functions read and write of the program's memory counts, at the line that called them. */
#include "pairs.h"
#include <runnel/http.h>
#include <runnel/http_client.h>
#include <runnel/net.h>
#include <runnel/websocket.h>

enum { SMALL = 100, BIG = 100000 };
static char text[BIG + 1];
static char url[RN_ADDR_TEXT + 8], address[RN_ADDR_TEXT];
static http_server *server;
static rn_waitgroup serving;

/* Before the goroutines, for which nothing else writes it. */
__attribute__((constructor)) static void fill(void)
{
    memset(text, 'a', BIG);
}

static void serve(http_handler h)
{
    rn_listener *l;
    rn_addr at;
    REQUIRE(net_listen("tcp", "127.0.0.1:0", &l) == 0);
    net_listener_addr(l, &at);
    addr_format(&at, address);
    snprintf(url, sizeof url, "http://%s", address);
    REQUIRE(http_server_make(&(http_options){.handler = h}, &server) == 0);
    wg_go(&serving, rn_http_serve, server, l);
}

static void end(void)
{
    http_client_close_idle(NULL);
    http_close(server);
    wg_wait(&serving);
    http_server_free(server);
}

/* What the other goroutine does when the call is behind us. */
static void change(void)
{
    text[2] = 'b';
}

static void behind(void)
{
    STEP(1);
    chan_send(c1, 1);
}

static void get(void)
{
    http_response res;
    CHECK_EQ(http_get(NULL, url, &res), 0);
    http_response_free(&res);
}

static void post(void)
{
    char body[] = "body";
    http_response res;
    CHECK_EQ(http_post(NULL, url, "text/plain", body, 4, &res), 0);
    http_response_free(&res);
}

static void talk(void)
{
    static const char hello[] = "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    rn_conn *c;
    char answer[512];
    REQUIRE(net_dial("tcp", address, &c) == 0);
    CHECK_EQ(net_write(c, hello, sizeof hello - 1), (ssize_t)sizeof hello - 1);
    while (net_read(c, answer, sizeof answer) > 0)
        continue;
    net_free(c);
}

/* `caller` stands in the report. */
#define SEEN(name, caller, first)                             \
    CLEAN(name##_clean, first, (void)chan_recv(c1); change()) \
    PAIR_SIDES(name##_racy, first, AWAIT(1); change())        \
    TEST_DIES(name##_racy, 66, " " #caller " ")               \
    {                                                         \
        pair(name##_racy_first, name##_racy_second);          \
    }

/* `call` in a handler, which `asks` brings to be called. */
#define IN_HANDLER(name, asks, call)                                  \
    static void name##_handler(http_writer *w, const http_request *r) \
    {                                                                 \
        (void)w, (void)r;                                             \
        call;                                                         \
        behind();                                                     \
    }                                                                 \
    SEEN(name, name##_handler, serve(name##_handler); asks(); end())

static void end_of_text(size_t n)
{
    text[n] = '\0';
}

IN_HANDLER(http_write_small, get, CHECK_EQ(http_write(w, text, SMALL), SMALL))
IN_HANDLER(http_write_big, get, CHECK_EQ(http_write(w, text, BIG), BIG))
IN_HANDLER(http_puts_seen, get, end_of_text(SMALL); CHECK_EQ(http_puts(w, text), SMALL))
IN_HANDLER(http_printf_seen, get, end_of_text(SMALL); CHECK_EQ(http_printf(w, "%s", text), SMALL))
IN_HANDLER(http_header_seen, get, end_of_text(SMALL); CHECK(http_set_header(w, "X-Text", text)))
IN_HANDLER(http_added_seen, get, end_of_text(SMALL); CHECK(http_add_header(w, "X-Text", text)))
IN_HANDLER(http_error_seen, get, end_of_text(SMALL); http_error(w, 500, text))
IN_HANDLER(http_redirect_seen, get, end_of_text(SMALL); http_redirect(w, r, text, 200))
IN_HANDLER(http_read_seen, post, CHECK_EQ(http_read(r, text, BIG), 4))

#define SAID(n)                                                  \
    websocket *ws = websocket_accept(w, r, NULL);                \
    REQUIRE(ws != NULL);                                         \
    CHECK_EQ(websocket_write(ws, WEBSOCKET_BINARY, text, n), 0); \
    websocket_free(ws)
IN_HANDLER(websocket_write_small, talk, SAID(SMALL))
IN_HANDLER(websocket_write_big, talk, SAID(BIG))

/* What a client sends and takes. */
static void answer(http_writer *w, const http_request *r)
{
    (void)r;
    (void)http_puts(w, "answer");
}

#define AS_CLIENT(name, open, call) \
    static void name##_call(void)   \
    {                               \
        http_response res;          \
        serve(answer);              \
        CHECK_EQ(open, 0);          \
        call;                       \
        behind();                   \
        http_response_free(&res);   \
        end();                      \
    }                               \
    SEEN(name, name##_call, name##_call())

AS_CLIENT(http_post_seen, http_post(NULL, url, NULL, text, BIG, &res), (void)0)
static http_client_request sends = {.url = url, .body = text, .body_len = SMALL}, asks = {.url = url};
AS_CLIENT(http_do_seen, http_do(NULL, &sends, &res), (void)0)
AS_CLIENT(http_open_seen, http_open(NULL, &sends, &res), (void)0)
AS_CLIENT(http_body_read_seen, http_open(NULL, &asks, &res), CHECK_EQ(http_body_read(&res, text, BIG), 6))
