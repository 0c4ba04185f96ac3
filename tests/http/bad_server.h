/* A server for the client's tests, which behaves badly when asked to.
 *
 * It is a process of its own, started before main and ended with the test program, so that its threads
 * are not the program's; one thread for each connection, plain sockets.  peer_port is where it listens on
 * 127.0.0.1.  What it does is decided by the path:
 *
 *     /hello            "hello"                       /status/N       that status, "status"
 *     /bytes/N          N bytes of a pattern          /chunks/N       the same in chunks
 *     /slow/MS          "hello" after MS ms           /hang           never answers
 *     /hang/head        the status line, no more      /hang/body      10 bytes of 1000, no more
 *     /cut              10 bytes of 1000, and closes  /reset          closes by a reset
 *     /garbage          not HTTP                      /headers/N      N headers more
 *     /endless/WHAT     for ever: body, trailers, interim (answers)   /empty    closes without a word
 *     /stray            "hello", and a little later an answer that nobody asked for
 *     /strays           how many of these were sent
 *     /control/N        a control byte in the head, here or there
 *     /chunk            what is no chunk              /lengths/A/B    both as Content-Length, and "hello"
 *     /redirect/N       302 to /redirect/(N-1) … /hello
 *     /to/STATUS/PATH   STATUS, with Location /PATH   /away/PATH      302 to the same server by the name localhost
 *     /to/STATUS        STATUS, with an empty Location
 *     /early            reads 200 kB of the request, answers 413 "big", and closes, which is a reset
 *     /unmet            417 "no", before the body
 *     /moved/WHAT       302 to /hello, and a body that is endless, long (and never comes), cut, or of broken chunks
 *     /echo             the request as it came        /sink           how many bytes of body came
 *     /line/N           a header of N bytes           /trailer/N      a trailer of N bytes
 *     /cookie/A=B       sets a cookie                 /cut/head       the head's first bytes, and closes
 *     /folded           headers over several lines    /empties        how often /empty was asked
 *     /folded/first     … with none before them
 *     /gzip             "hello" packed                /count          connections ever, and open now
 *     by HTTP/2, at once: an answer's head, and for ever frames of data without any
 *     http://…          "proxied " and the request line (it plays a proxy); CONNECT: a tunnel
 */
#ifndef RN_TESTS_BAD_SERVER_H
#define RN_TESTS_BAD_SERVER_H

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int peer_port;
static atomic_int peer_ever, peer_open, peer_mute, peer_strays;

struct peer_request {
    int fd;
    char head[70000], method[16], path[4096];
    size_t head_len; /* with the blank line */
    char *rest;      /* of what was read beyond it */
    size_t rest_len;
};

static inline bool peer_send(int fd, const char *text, size_t n)
{
    while (n) {
        ssize_t did = send(fd, text, n, MSG_NOSIGNAL);
        if (did <= 0)
            return false;
        text += did;
        n -= (size_t)did;
    }
    return true;
}

static inline bool peer_answer(int fd, int status, const char *headers, const char *body, size_t n)
{
    char head[1024];
    int len = snprintf(head, sizeof head, "HTTP/1.1 %d Status\r\nContent-Length: %zu\r\n%s\r\n", status, n, headers);
    return peer_send(fd, head, (size_t)len) && peer_send(fd, body, n);
}

static inline char peer_byte(size_t i)
{
    return (char)('a' + (i * 7 + i / 1000) % 26);
}

static inline bool peer_bytes(int fd, size_t n, bool chunked)
{
    static _Thread_local char block[16384];
    char head[128];
    int len = snprintf(head, sizeof head,
                       chunked ? "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                               : "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n",
                       n);
    bool good = peer_send(fd, head, (size_t)len);
    for (size_t at = 0; good && at < n;) {
        size_t part = n - at < sizeof block ? n - at : sizeof block;
        for (size_t i = 0; i < part; i++)
            block[i] = peer_byte(at + i);
        if (chunked) {
            len = snprintf(head, sizeof head, "%zx\r\n", part);
            good = peer_send(fd, head, (size_t)len);
        }
        good = good && peer_send(fd, block, part) && (!chunked || peer_send(fd, "\r\n", 2));
        at += part;
    }
    return good && (!chunked || peer_send(fd, "0\r\n\r\n", 5));
}

/* Waits until the client closes. */
static inline bool peer_hang(int fd)
{
    char c;
    while (recv(fd, &c, 1, 0) > 0)
        continue;
    return false;
}

static inline const char *peer_header(struct peer_request *r, const char *name)
{
    for (char *line = strstr(r->head, "\r\n"); line && line[2] != '\r'; line = strstr(line + 2, "\r\n"))
        if (strncasecmp(line + 2, name, strlen(name)) == 0 && line[2 + strlen(name)] == ':')
            return line + 2 + strlen(name) + 1 + strspn(line + 3 + strlen(name), " ");
    return NULL;
}

/* Until the client closes. */
static inline bool peer_endless(int fd, const char *what)
{
    static const struct {
        const char *what, *begin, *again;
    } known[] = {
        {"body", "HTTP/1.1 200 OK\r\n\r\n", "all work and no play makes jack a dull boy; "},
        {"trailers", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "X: all work and no play\r\n"},
        {"interim", "", "HTTP/1.1 100 Continue\r\nX: y\r\n\r\n"},
    };
    enum { BLOCK = 65536 };
    char *block = malloc(BLOCK); /* a thread's stack, and what is local to it, is small */
    for (size_t i = 0; block && i < sizeof known / sizeof *known; i++) {
        size_t n = strlen(known[i].again), filled = 0;
        if (strcmp(what, known[i].what) != 0)
            continue;
        for (; filled + n <= BLOCK; filled += n)
            memcpy(block + filled, known[i].again, n);
        for (bool good = peer_send(fd, known[i].begin, strlen(known[i].begin)); good;)
            good = peer_send(fd, block, filled);
    }
    free(block);
    return false;
}

/* `before`, and a line of n bytes, the last one. */
static inline bool peer_line(int fd, const char *before, int n)
{
    bool good = peer_send(fd, before, strlen(before)) && peer_send(fd, "X-Long: ", 8);
    for (int i = 10; good && i < n; i++)
        good = peer_send(fd, "x", 1);
    return good && peer_send(fd, "\r\n\r\n", 4);
}

/* A redirect whose body is not to be waited for. */
static inline bool peer_moved(int fd, const char *how)
{
    static const char head[] = "HTTP/1.1 302 Found\r\nLocation: /hello\r\n";
    static const struct {
        const char *how, *rest;
    } known[] = {
        {"endless", "\r\n"},
        {"long", "Content-Length: 3000\r\n\r\n"},
        {"cut", "Content-Length: 30\r\n\r\ncut"},
        {"chunk", "Transfer-Encoding: chunked\r\n\r\nno chunk\r\n"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(how, known[i].how) == 0 &&
            (!peer_send(fd, head, sizeof head - 1) || !peer_send(fd, known[i].rest, strlen(known[i].rest))))
            return false;
    while (strcmp(how, "endless") == 0 && peer_send(fd, head, sizeof head - 1))
        continue;
    return strcmp(how, "cut") != 0 && peer_hang(fd);
}

static inline int peer_get(struct peer_request *r)
{
    char c;
    if (r->rest_len) {
        r->rest_len--;
        return (unsigned char)*r->rest++;
    }
    return recv(r->fd, &c, 1, 0) == 1 ? (unsigned char)c : -1;
}

/* HTTP/2: waits for the request, and answers with frames of data that are empty, until the client closes. */
static inline bool peer_empty_frames(struct peer_request *r)
{
    static const char begin[] = "\0\0\0\4\0\0\0\0\0"
                                "\0\0\1\1\4\0\0\0\1\x88"; /* SETTINGS; HEADERS: status 200 */
    static const char empty[] = "\0\0\0\0\0\0\0\0\1";
    enum { FRAMES = 10000, FRAME = sizeof empty - 1 };
    unsigned char head[FRAME] = {0};
    for (int i = 0; i < 6; i++) /* "SM", what remains of the preface */
        peer_get(r);
    for (int c = 0; head[3] != 1;) {
        for (int i = 0; i < FRAME && c >= 0; i++)
            head[i] = (unsigned char)(c = peer_get(r));
        for (int n = head[0] << 16 | head[1] << 8 | head[2]; n > 0 && c >= 0; n--)
            c = peer_get(r);
        if (c < 0)
            return false;
    }
    char *block = malloc((size_t)FRAMES * FRAME);
    for (size_t i = 0; block && i < FRAMES; i++)
        memcpy(block + i * FRAME, empty, FRAME);
    for (bool good = block && peer_send(r->fd, begin, sizeof begin - 1); good;)
        good = peer_send(r->fd, block, (size_t)FRAMES * FRAME);
    free(block);
    return false;
}

struct peer_bytes {
    char *at;
    size_t n, room;
};

/* Appends n bytes of the connection to b. */
static inline bool peer_take(struct peer_request *r, struct peer_bytes *b, size_t n)
{
    while (b->n + n > b->room)
        b->at = realloc(b->at, b->room = b->room * 2 + 4096);
    while (n && r->rest_len) {
        b->at[b->n++] = *r->rest++;
        r->rest_len--;
        n--;
    }
    while (n) {
        ssize_t got = recv(r->fd, b->at + b->n, n, 0);
        if (got <= 0)
            return false;
        b->n += (size_t)got;
        n -= (size_t)got;
    }
    return true;
}

static inline bool peer_take_chunks(struct peer_request *r, struct peer_bytes *b)
{
    for (;;) {
        char line[32];
        size_t at = 0;
        for (int c; at < sizeof line - 1 && (c = peer_get(r)) != '\n';) {
            if (c < 0)
                return false;
            line[at++] = (char)c;
        }
        line[at] = 0;
        size_t n = strtoul(line, NULL, 16);
        if (!peer_take(r, b, n) || peer_get(r) != '\r' || peer_get(r) != '\n')
            return false;
        if (n == 0)
            return true;
    }
}

/* The body, all of it; NULL when the connection broke. */
static inline char *peer_body(struct peer_request *r, size_t *n)
{
    const char *length = peer_header(r, "content-length");
    struct peer_bytes b = {.at = malloc(4096), .room = 4096};
    bool good = peer_header(r, "transfer-encoding") ? peer_take_chunks(r, &b)
                                                    : peer_take(r, &b, length ? strtoul(length, NULL, 10) : 0);
    *n = b.n;
    if (good)
        return b.at;
    free(b.at);
    return NULL;
}

static inline bool peer_echo(struct peer_request *r, bool count)
{
    size_t n;
    char *body = peer_body(r, &n), number[32];
    if (!body)
        return false;
    size_t len = (size_t)snprintf(number, sizeof number, "%zu", n);
    bool good;
    if (count) {
        good = peer_answer(r->fd, 200, "", number, len);
    } else {
        char *all = malloc(r->head_len + n);
        memcpy(all, r->head, r->head_len);
        memcpy(all + r->head_len, body, n);
        good = peer_answer(r->fd, 200, "", all, r->head_len + n);
        free(all);
    }
    free(body);
    return good;
}

static inline bool peer_tunnel(struct peer_request *r)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char *colon = strrchr(r->path, ':'), buffer[16384];
    a.sin_port = htons((uint16_t)atoi(colon ? colon + 1 : "0"));
    int to = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(to, (struct sockaddr *)&a, sizeof a) != 0) {
        close(to);
        return peer_answer(r->fd, 502, "", "", 0);
    }
    peer_send(r->fd, "HTTP/1.1 200 Connected\r\n\r\n", 26);
    peer_send(to, r->rest, r->rest_len);
    for (;;) {
        struct pollfd p[2] = {{.fd = r->fd, .events = POLLIN}, {.fd = to, .events = POLLIN}};
        poll(p, 2, -1);
        int from = p[0].revents ? r->fd : to;
        ssize_t n = recv(from, buffer, sizeof buffer, 0);
        if (n <= 0 || !peer_send(from == to ? r->fd : to, buffer, (size_t)n))
            break;
    }
    close(to);
    return false;
}

static inline bool peer_redirect(struct peer_request *r, int status, const char *to)
{
    char header[8400];
    snprintf(header, sizeof header, "Location: %s\r\n", to);
    size_t n;
    free(peer_body(r, &n));
    return peer_answer(r->fd, status, header, "moved", 5);
}

static inline bool peer_misbehave(struct peer_request *r)
{
    const char *p = r->path;
    int fd = r->fd;
    if (strcmp(p, "/hang") == 0)
        return peer_hang(fd);
    if (strcmp(p, "/hang/head") == 0)
        return peer_send(fd, "HTTP/1.1 200 OK\r\n", 17) && peer_hang(fd);
    if (strcmp(p, "/hang/body") == 0 || strcmp(p, "/cut") == 0) {
        peer_send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n0123456789", 51);
        return strcmp(p, "/cut") != 0 && peer_hang(fd);
    }
    if (strcmp(p, "/reset") == 0) {
        struct linger now = {1, 0};
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        return false;
    }
    if (strcmp(p, "/garbage") == 0) {
        peer_send(fd, "this is not HTTP\r\n\r\n", 20);
        return false;
    }
    if (strcmp(p, "/cut/head") == 0) {
        peer_send(fd, "HTTP/1.1 200 OK\r\nContent-Le", 27);
        return false;
    }
    if (strcmp(p, "/folded") == 0) {
        static const char folded[] =
            "HTTP/1.1 200 OK\r\nX-A: one\r\n\t two: 2 \r\n three\r\nX-B:\r\n late\r\nContent-Length: 5\r\n"
            "\r\nhello";
        return peer_send(fd, folded, sizeof folded - 1);
    }
    if (strncmp(p, "/control/", 9) == 0) {
        static const char *const lines[] = {"X: a\rY: b\r\n", "\r\r\n",      "X: a\r\r\n",  "\rX: a\r\n",
                                            "X: \x01\r\n",    "X: \x7f\r\n", "X\x02: a\r\n"};
        char head[160];
        return peer_send(fd, head,
                         (size_t)snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\n%sContent-Length: 5\r\n\r\nhello",
                                          lines[atoi(p + 9) % 7]));
    }
    if (strcmp(p, "/stray") == 0)
        return peer_answer(fd, 200, "", "hello", 5) && usleep(20000) == 0 && peer_answer(fd, 200, "", "stray", 5) &&
               ++peer_strays > 0;
    if (strcmp(p, "/folded/first") == 0)
        return peer_send(fd, "HTTP/1.1 200 OK\r\n X-A: one\r\nContent-Length: 5\r\n\r\nhello", 54);
    if (strncmp(p, "/endless/", 9) == 0)
        return peer_endless(fd, p + 9);
    if (strcmp(p, "/chunk") == 0)
        return peer_send(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 52);
    char a[32], b[32], text[160];
    if (sscanf(p, "/lengths/%31[^/]/%31s", a, b) == 2) {
        int len = snprintf(text, sizeof text,
                           "HTTP/1.1 200 OK\r\nContent-Length: %s\r\nContent-Length: %s\r\n\r\nhello", a, b);
        return peer_send(fd, text, (size_t)len);
    }
    if (strcmp(p, "/empty") == 0)
        return ++peer_mute < 0;
    bool strays = strcmp(p, "/strays") == 0;
    if (strays || strcmp(p, "/empties") == 0)
        return peer_answer(fd, 200, "", text,
                           (size_t)snprintf(text, sizeof text, "%d", strays ? peer_strays : peer_mute));
    return peer_answer(fd, 404, "", "no such thing", 13);
}

static inline bool peer_handle(struct peer_request *r)
{
    static const char packed[] =
        "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xcb\x48\xcd\xc9\xc9\x07\x00\x86\xa6\x10\x36\x05\x00\x00\x00";
    const char *p = r->path;
    char text[4200];
    int fd = r->fd;
    if (strcmp(r->method, "CONNECT") == 0)
        return peer_tunnel(r);
    if (strncmp(p, "http://", 7) == 0)
        return peer_answer(fd, 200, "", text, (size_t)snprintf(text, sizeof text, "proxied %s %s", r->method, p));
    if (strcmp(r->method, "HEAD") == 0)
        return peer_send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 38);
    if (strcmp(p, "/hello") == 0)
        return peer_answer(fd, 200, "X-Name: value\r\n", "hello", 5);
    if (strncmp(p, "/bytes/", 7) == 0 || strncmp(p, "/chunks/", 8) == 0)
        return peer_bytes(fd, strtoul(strrchr(p, '/') + 1, NULL, 10), p[1] == 'c');
    if (strncmp(p, "/status/", 8) == 0)
        return peer_answer(fd, atoi(p + 8), "", "status", atoi(p + 8) == 204 ? 0 : 6);
    if (strncmp(p, "/slow/", 6) == 0) {
        usleep((useconds_t)atoi(p + 6) * 1000);
        return peer_answer(fd, 200, "", "hello", 5);
    }
    if (strncmp(p, "/headers/", 9) == 0) {
        peer_send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", 36);
        for (int i = 0; i < atoi(p + 9); i++)
            peer_send(fd, text, (size_t)snprintf(text, sizeof text, "X-Header-%d: %0100d\r\n", i, i));
        return peer_send(fd, "\r\n", 2);
    }
    if (strncmp(p, "/line/", 6) == 0)
        return peer_line(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", atoi(p + 6));
    if (strncmp(p, "/trailer/", 9) == 0)
        return peer_line(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", atoi(p + 9));
    if (strncmp(p, "/redirect/", 10) == 0) {
        int n = atoi(p + 10);
        snprintf(text, sizeof text, n > 1 ? "/redirect/%d" : "/hello", n - 1);
        return peer_redirect(r, 302, text);
    }
    if (strncmp(p, "/to/", 4) == 0) {
        const char *to = strchr(p + 4, '/');
        return peer_redirect(r, atoi(p + 4), to ? to : "");
    }
    if (strncmp(p, "/moved/", 7) == 0)
        return peer_moved(fd, p + 7);
    if (strcmp(p, "/early") == 0) {
        for (ssize_t n = 0, left = 200000; left > 0 && (n = recv(fd, text, sizeof text, 0)) > 0;)
            left -= n;
        return peer_answer(fd, 413, "Connection: close\r\n", "big", 3) && false;
    }
    if (strcmp(p, "/unmet") == 0)
        return peer_answer(fd, 417, "", "no", 2);
    if (strncmp(p, "/away/", 6) == 0) {
        snprintf(text, sizeof text, "http://localhost:%d/%s", peer_port, p + 6);
        return peer_redirect(r, 302, text);
    }
    if (strcmp(p, "/echo") == 0 || strcmp(p, "/sink") == 0)
        return peer_echo(r, p[1] == 's');
    if (strncmp(p, "/cookie/", 8) == 0)
        return snprintf(text, sizeof text, "Set-Cookie: %.99s; Path=/\r\n", p + 8) > 0 &&
               peer_answer(fd, 200, text, "set", 3);
    if (strcmp(p, "/gzip") == 0)
        return peer_answer(fd, 200, "Content-Encoding: gzip\r\n", packed, sizeof packed - 1);
    if (strcmp(p, "/count") == 0)
        return peer_answer(fd, 200, "Connection: close\r\n", text,
                           (size_t)snprintf(text, sizeof text, "%d %d", peer_ever - 1, peer_open - 1)) &&
               false;
    return strcmp(r->method, "PRI") == 0 ? peer_empty_frames(r) : peer_misbehave(r);
}

static inline bool peer_read(struct peer_request *r)
{
    r->head_len = 0;
    while (r->head_len < 4 || memcmp(r->head + r->head_len - 4, "\r\n\r\n", 4) != 0) {
        int c = r->head_len < sizeof r->head - 1 ? peer_get(r) : -1;
        if (c < 0)
            return false;
        r->head[r->head_len++] = (char)c;
    }
    r->head[r->head_len] = 0;
    return sscanf(r->head, "%15s %4095s", r->method, r->path) == 2;
}

static void *peer_connection(void *arg)
{
    int on = 1;
    setsockopt((int)(intptr_t)arg, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* head and body are two writes */
    struct peer_request *r = calloc(1, sizeof *r);
    r->fd = (int)(intptr_t)arg;
    while (peer_read(r) && peer_handle(r))
        continue;
    close(r->fd);
    free(r);
    atomic_fetch_sub(&peer_open, 1);
    return NULL;
}

static inline void peer_serve(int listener)
{
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 128 << 10);
    pthread_attr_setdetachstate(&small, PTHREAD_CREATE_DETACHED);
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0)
            continue;
        atomic_fetch_add(&peer_ever, 1);
        atomic_fetch_add(&peer_open, 1);
        pthread_t t;
        if (pthread_create(&t, &small, peer_connection, (void *)(intptr_t)fd) != 0) {
            atomic_fetch_sub(&peer_open, 1);
            close(fd);
        }
    }
}

__attribute__((constructor)) static void peer_start(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&a, n) != 0 || listen(listener, 4096) != 0 ||
        getsockname(listener, (struct sockaddr *)&a, &n) != 0) {
        perror("peer");
        exit(1);
    }
    peer_port = ntohs(a.sin_port);
    pid_t parent = getpid();
    if (fork() == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(0);
        signal(SIGPIPE, SIG_IGN);
        peer_serve(listener);
    }
    close(listener);
    /* The tests' own processes must not be steered past the peer. */
    unsetenv("http_proxy"), unsetenv("https_proxy"), unsetenv("HTTPS_PROXY"), unsetenv("all_proxy"),
        unsetenv("ALL_PROXY");
}

/* The URL of a path on the peer, in one of some buffers that are used in turn. */
static inline const char *peer_url(const char *path)
{
    static char text[64][512];
    static atomic_uint next;
    char *at = text[atomic_fetch_add(&next, 1) % 64];
    snprintf(at, sizeof text[0], "http://127.0.0.1:%d%s", peer_port, path);
    return at;
}

#endif
