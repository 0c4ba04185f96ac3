/* An HTTP server for which one request for memory after the other fails: it goes on, and keeps nothing.
 *
 * The client is made of bare sockets, so that what fails is the server's.  While the nth request fails, what it
 * asked for may come, or not, or break off; but it comes to an end, and what is asked next is answered. */
#include "../http/h2_peer.h"
#include "base/fault.h"
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <runnel/websocket.h>
#include <sys/socket.h>
#include <unistd.h>

static char directory[] = "/tmp/runnel-fault-XXXXXX";

static void handle(http_writer *w, const http_request *r)
{
    char piece[1000];
    const char *value;
    rn_context *ctx = http_context(r);
    if (strcmp(r->path, "/form") == 0 && (value = http_form_value(r, "a")) != NULL)
        http_printf(w, "%s %s\n", value, http_remote(r));
    for (ptrdiff_t n; (n = http_read(r, piece, sizeof piece)) > 0;)
        http_write(w, piece, (size_t)n);
    http_set_header(w, "Trailer", "X");
    for (int i = 0; i < 30; i++) {
        char name[16];
        snprintf(name, sizeof name, "X-%d", i);
        http_set_header(w, name,
                        "some value that takes room, and more than one block has, all told, so that more is needed");
    }
    memset(piece, 'x', sizeof piece);
    for (int i = 0; i < 20; i++)
        http_write(w, piece, sizeof piece);
    http_set_header(w, "X", ctx ? "yes" : "no");
}

static void talk(http_writer *w, const http_request *r)
{
    websocket *ws = websocket_accept(w, r, NULL);
    websocket_message m;
    while (ws && websocket_read(ws, &m) == 0)
        websocket_write(ws, m.kind, m.data, m.n);
    websocket_free(ws);
}

/* ---- the client ---- */

/* Sends all and reads to the end, without waiting in the kernel; false when no end comes. */
static bool converse(int fd, const char *bytes, size_t n)
{
    static char got[65536];
    rn_time until = rn_now() + 60 * RN_SECOND;
    for (size_t sent = 0; sent < n && rn_now() < until; rn_yield()) {
        ssize_t now = send(fd, bytes + sent, n - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (now < 0 && errno != EAGAIN)
            break;
        sent += now > 0 ? (size_t)now : 0;
    }
    shutdown(fd, SHUT_WR);
    for (; rn_now() < until; rn_yield()) {
        ssize_t now = recv(fd, got, sizeof got, MSG_DONTWAIT);
        if (now == 0 || (now < 0 && errno != EAGAIN))
            return true;
    }
    return false;
}

static bool ask(const struct peer_server *s, const char *bytes, size_t n)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(strrchr(s->at, ':') + 1))};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
    bool ended = converse(fd, bytes, n);
    close(fd);
    return ended;
}

static bool all_gone(const struct peer_server *s)
{
    rn_time until = rn_now() + 60 * RN_SECOND;
    while (http_connections(s->s) > 0 && rn_now() < until)
        rn_yield();
    return http_connections(s->s) == 0;
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

/* What is asked for while the nth request fails; or, `onwards`, it and all after it.  How many were made. */
static uint64_t one_fails(const struct peer_server *s, uint64_t nth, bool onwards, const void *bytes, size_t n)
{
    rn__fault_arm(nth, onwards);
    bool ended = ask(s, bytes, n);
    ended &= all_gone(s);
    uint64_t made = rn__fault_count();
    rn__fault_arm(0, false);
    if (!ended)
        FAIL("request %llu%s failing: there is no end", (unsigned long long)nth, onwards ? " and later" : "");
    if (!ask(s, bytes, n) || !all_gone(s))
        FAIL("after request %llu%s has failed: there is no end", (unsigned long long)nth, onwards ? " and later" : "");
    return made;
}

/* Lets one request after the other fail, until there are no more. */
static void each_fails(const http_options *o, const void *bytes, size_t n)
{
    enum { MOST = 2000 };
    struct peer_server s;
    uint64_t nth = 1, most;
    peer_serve(&s, o);
    REQUIRE(ask(&s, bytes, n) && all_gone(&s));
    int before = descriptors();
    while (one_fails(&s, nth, false, bytes, n) >= nth && nth < MOST)
        nth++;
    CHECK(nth > 1 && nth < MOST);
    most = nth;
    for (nth = 1; nth < most; nth += 3)
        one_fails(&s, nth, true, bytes, n);
    CHECK_EQ(descriptors(), before);
    CHECK_EQ(peer_status(peer_ask(&s, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")),
             o->handler == talk ? 426 : 200);
    peer_stop(&s);
}

TEST(requests_of_http1)
{
    static const char two[] =
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n"
        "POST /form HTTP/1.1\r\nHost: h\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 68\r\n\r\n"
        "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nvalue of a\r\n--b--\r\n";
    static char large[20000];
    each_fails(&(http_options){.handler = handle, .max_headers = 200}, two, sizeof two - 1);
    int n = snprintf(large, sizeof large, "GET /a/../b HTTP/1.1\r\nHost: h\r\n");
    for (int i = 0; i < 150; i++)
        n += snprintf(large + n, sizeof large - (size_t)n, "X-Header-%d: %0100d\r\n", i, i);
    n += snprintf(large + n, sizeof large - (size_t)n, "\r\n");
    each_fails(&(http_options){.handler = handle, .max_headers = 200}, large, (size_t)n);
}

TEST(requests_of_http2)
{
    static struct h2_bytes b;
    h2_begin(&b);
    h2_frame(&b, H2_SETTINGS, 0, 0, "\0\4\0\1\0\0", 6);
    h2_request(&b, 1, H2_END_STREAM, ":method\0GET\0:scheme\0http\0:path\0/\0:authority\0h\0x\0y\0");
    h2_request(&b, 3, 0, ":method\0POST\0:scheme\0http\0:path\0/\0:authority\0h\0");
    h2_frame(&b, H2_DATA, 0, 3, "hello", 5);
    h2_request(&b, 3, H2_END_STREAM, "x\0trailer\0");
    each_fails(&(http_options){.handler = handle}, b.at, b.n);
    static const char upgrade[] = "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\n"
                                  "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n" H2_PREFACE "\0\0\0\4\0\0\0\0\0";
    each_fails(&(http_options){.handler = handle}, upgrade, sizeof upgrade - 1);
}

TEST(web_sockets)
{
    static const char bytes[] = "GET /socket HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                                "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
                                "\x01\x83\0\0\0\0hel\x89\x80\0\0\0\0\x80\x82\0\0\0\0lo\x88\x80\0\0\0\0";
    each_fails(&(http_options){.handler = talk}, bytes, sizeof bytes - 1);
}

TEST(files)
{
    static const char two[] = "GET /f/a.txt HTTP/1.1\r\nHost: h\r\nRange: bytes=0-9,20-29\r\n\r\n"
                              "GET /f/d HTTP/1.1\r\nHost: h\r\nIf-None-Match: \"x\"\r\n\r\n";
    char path[64];
    static char text[50000];
    REQUIRE(mkdtemp(directory) != NULL);
    snprintf(path, sizeof path, "%s/a.txt", directory);
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    REQUIRE(fd >= 0 && write(fd, text, sizeof text) == sizeof text);
    close(fd);
    http_mux *m = http_mux_make();
    http_mux_handle(m, "/", handle);
    http_mux_files(m, "/f/", directory);
    each_fails(&(http_options){.mux = m, .access_log = RN_HTTP_LOG_NONE}, two, sizeof two - 1);
    http_mux_free(m);
    unlink(path);
    rmdir(directory);
}

/* A server that can't be made says so, and leaves nothing. */
TEST(making_a_server)
{
    int err = -1;
    for (uint64_t nth = 1; err && nth < 100; nth++) {
        rn_http_server *s = NULL;
        rn__fault_arm(nth, false);
        err = http_server_make(&(http_options){.handler = handle, .max_connections = 5}, &s);
        rn__fault_arm(0, false);
        CHECK(err == 0 || (err == RN_ENOMEM && !s));
        http_server_free(s);
    }
    CHECK_EQ(err, 0);
}
