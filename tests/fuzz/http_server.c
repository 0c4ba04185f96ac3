/* libFuzzer's way into a whole server: what it makes up is sent over a socket, and read to the end.
 *
 * The first byte chooses how the connection begins: as it is, after the preface of HTTP/2, or after the handshake of a
 * WebSocket; the rest is sent as it is.  Beside crashes it looks for connections that never end and for
 * answers that are none. */
#include <errno.h>
#include <pthread.h>
#include <runnel.h>
#include <runnel/http.h>
#include <runnel/net.h>
#include <runnel/websocket.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

static struct sockaddr_un at = {.sun_family = AF_UNIX};
static pthread_t thread;

/* ---- the server ---- */

static void echo(http_writer *w, const http_request *r)
{
    char piece[512];
    const char *name, *value;
    for (size_t i = 0; http_header_at(r, i, &name, &value); i++)
        http_add_header(w, "X-Echo", value);
    if ((value = http_query_value(r, "a")) != NULL)
        http_set_header(w, "X-Query", value);
    if ((value = http_cookie(r, "a")) != NULL)
        http_set_header(w, "X-Cookie", value);
    for (ptrdiff_t n; (n = http_read(r, piece, sizeof piece)) > 0;)
        http_write(w, piece, (size_t)n);
    if ((value = http_trailer(r, "a")) != NULL)
        http_puts(w, value);
}

static void form(http_writer *w, const http_request *r)
{
    const void *data;
    const char *filename, *value = http_form_value(r, "a");
    size_t n;
    if (http_form_file(r, "f", &data, &n, &filename))
        http_write(w, data, n);
    http_puts(w, value ? value : http_path_value(r, "rest"));
}

static void socket_echo(http_writer *w, const http_request *r)
{
    websocket *ws = websocket_accept(w, r, NULL);
    websocket_message m;
    while (ws && websocket_read(ws, &m) == 0)
        websocket_write(ws, m.kind, m.data, m.n);
    websocket_free(ws);
}

static void ignore_line(void *arg, const char *line, size_t n)
{
    (void)arg, (void)line, (void)n;
}

static int serve(void *unused)
{
    http_server *s;
    rn_listener *l;
    (void)unused;
    http_handle("/", echo);
    http_handle("POST /form/{rest...}", form);
    http_handle("GET /socket", socket_echo);
    http_mux_files(NULL, "/files/", "examples");
    if (http_server_make(&(http_options){.max_header_bytes = 4096,
                                         .max_body = 8192,
                                         .max_streams = 20,
                                         .access_log = RN_HTTP_LOG_JSON,
                                         .log = ignore_line},
                         &s) < 0 ||
        net_listen("unix", at.sun_path, &l) < 0)
        abort();
    return http_serve(s, l);
}

static void *run(void *unused)
{
    (void)unused;
    rn_run(serve, NULL);
    return NULL;
}

static int dial(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval patience = {.tv_sec = 30};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(fd, (struct sockaddr *)&at, sizeof at) == 0)
        return fd;
    close(fd);
    return -1;
}

static void remove_socket(void)
{
    unlink(at.sun_path);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    snprintf(at.sun_path, sizeof at.sun_path, "/tmp/runnel-fuzz-%d", (int)getpid());
    atexit(remove_socket);
    if (pthread_create(&thread, NULL, run, NULL) != 0)
        abort();
    int fd;
    while ((fd = dial()) < 0)
        usleep(1000);
    close(fd);
    return 0;
}

/* ---- one input ---- */

static void say(int fd, const void *bytes, size_t n)
{
    for (size_t done = 0; done < n;) {
        ssize_t sent = send(fd, (const char *)bytes + done, n - done, MSG_NOSIGNAL);
        if (sent < 0)
            return; /* it has closed */
        done += (size_t)sent;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
    static const char handshake[] = "GET /socket HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                                    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    static char answer[1 << 16];
    if (n == 0)
        return 0;
    int fd = dial(), kind = data[0] % 3;
    if (fd < 0)
        abort();
    if (kind == 1)
        say(fd, preface, sizeof preface - 1);
    if (kind == 2)
        say(fd, handshake, sizeof handshake - 1);
    say(fd, data + 1, n - 1);
    shutdown(fd, SHUT_WR);
    ssize_t got = recv(fd, answer, sizeof answer, MSG_WAITALL);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        abort(); /* no end */
    if (got > 0 && kind != 1 && strncmp(answer, "HTTP/1.1 ", got < 9 ? (size_t)got : 9) != 0 && answer[0] != 0)
        abort(); /* (a frame of HTTP/2 begins with 0) */
    while (got > 0)
        got = recv(fd, answer, sizeof answer, 0);
    close(fd);
    return 0;
}
