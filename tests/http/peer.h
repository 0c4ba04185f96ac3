/* For tests of the HTTP server: a server in this process, and a client that says exactly what it is told.
 *
 *     struct peer_server s = peer_serve(&(http_options){.mux = mux});
 *     const char *answer = peer_ask(&s, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
 *     peer_stop(&s);
 */
#ifndef RN_TESTS_HTTP_PEER_H
#define RN_TESTS_HTTP_PEER_H

#include <runnel.h>
#include <runnel/http.h>
#include <runnel/net.h>
#include <runnel/test.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PEER_ANSWER = 1 << 20, PEER_PATIENCE = 20 };

struct peer_server {
    rn_http_server *s;
    rn_listener *l;
    rn_addr addr;
    char at[RN_ADDR_TEXT];
    rn_waitgroup done;
};

__attribute__((unused)) static void peer_run(struct peer_server *p)
{
    CHECK_EQ(rn_http_serve(p->s, p->l), 0);
}

/* Serves at a free port.  *p must stay where it is. */
__attribute__((unused)) static void peer_serve(struct peer_server *p, const http_options *o)
{
    *p = (struct peer_server){0};
    REQUIRE(http_server_make(o, &p->s) == 0);
    REQUIRE(net_listen("tcp", "127.0.0.1:0", &p->l) == 0);
    net_listener_addr(p->l, &p->addr);
    rn_addr_format(&p->addr, p->at);
    wg_go(&p->done, peer_run, p);
}

__attribute__((unused)) static void peer_stop(struct peer_server *p)
{
    http_server_free(p->s);
    wg_wait(&p->done);
    net_listener_free(p->l);
}

__attribute__((unused)) static rn_conn *peer_connect(const struct peer_server *p)
{
    rn_conn *c;
    int err = net_dial("tcp", p->at, &c);
    if (err)
        FAIL("dial: %s", rn_strerror(err));
    REQUIRE(err == 0);
    net_set_deadline(c, rn_now() + PEER_PATIENCE * RN_SECOND);
    return c;
}

/* Reads to the end of the stream into `to`, NUL-terminated; the length, or an error. */
__attribute__((unused)) static ssize_t peer_read_all(rn_conn *c, char *to, size_t room)
{
    size_t n = 0;
    for (ssize_t got; n + 1 < room; n += (size_t)got)
        if ((got = net_read(c, to + n, room - 1 - n)) <= 0) {
            to[n] = 0;
            return got < 0 ? got : (ssize_t)n;
        }
    to[n] = 0;
    return (ssize_t)n;
}

/* Sends n bytes, tells that nothing follows, and returns all that comes back; "" when nothing does.  The memory is
 * one for all: use it before the next call. */
__attribute__((unused)) static const char *peer_ask_bytes(const struct peer_server *p, const char *request, size_t n)
{
    static char answer[PEER_ANSWER];
    rn_conn *c = peer_connect(p);
    net_write(c, request, n);
    net_close_write(c);
    ssize_t got = peer_read_all(c, answer, sizeof answer);
    if (got < 0 && got != -ECONNRESET)
        FAIL("reading the answer: %s", rn_strerror((int)got));
    net_free(c);
    return answer;
}
__attribute__((unused)) static const char *peer_ask(const struct peer_server *p, const char *request)
{
    return peer_ask_bytes(p, request, strlen(request));
}

/* The status of the first response in a text; 0 when there is none. */
__attribute__((unused)) static int peer_status(const char *answer)
{
    return strncmp(answer, "HTTP/1.1 ", 9) == 0 ? atoi(answer + 9) : 0;
}

/* How many responses are in it. */
__attribute__((unused)) static int peer_responses(const char *answer)
{
    int n = 0;
    for (const char *at = answer; (at = strstr(at, "HTTP/1.1 ")) != NULL; at++)
        n++;
    return n;
}

/* What follows the first empty line. */
__attribute__((unused)) static const char *peer_body(const char *answer)
{
    const char *end = strstr(answer, "\r\n\r\n");
    return end ? end + 4 : "";
}

#endif
