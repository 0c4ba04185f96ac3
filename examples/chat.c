/* A chat for thousands: over TCP, a line is a message; over WebSocket, with a page of its own.
 *
 *   ./runnel run examples/chat.c [:8080 [:7000]]      then open http://localhost:8080/ or: nc localhost 7000
 *   ./runnel run examples/chat.c demo [N]             N (500) clients, half of them over WebSocket, talk to each other
 *
 * Each client has two goroutines: one reads what it says, one writes what the others say.  Between them stands a channel;
 * a client that does not take its messages finds it full, and is thrown out, so that nobody waits for the slowest.
 */
#include <errno.h>
#include <runnel.h>
#include <runnel/http.h>
#include <runnel/net.h>
#include <runnel/reader.h>
#include <runnel/websocket.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { LINE = 512, OUTBOX = 256 };

/* A message, shared by all who have yet to write it. */
struct message {
    rn_atomic_int holders;
    size_t n;
    char text[LINE];
};

struct client {
    struct client *next, *prev;
    chan(struct message *) outbox;
    rn_conn *conn; /* over TCP, */
    websocket *ws; /* or over WebSocket */
    bool out;      /* of the room: its outbox is closed; guarded by room.lock */
};

static struct {
    rn_mutex lock;
    struct client *clients; /* guarded by lock */
} room;

/* ---- messages ---- */

/* How many bytes the character at `s` has; 0 when it is none of UTF-8's. */
static size_t character(const char *s, size_t n)
{
    const unsigned char *c = (const unsigned char *)s;
    static const unsigned long least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t bytes = *c < 0x80 ? 1 : *c >> 5 == 6 ? 2 : *c >> 4 == 14 ? 3 : *c >> 3 == 30 ? 4 : 0;
    unsigned long code = *c & (0x7f >> (bytes > 1 ? bytes : 0));
    if (!bytes || bytes > n)
        return 0;
    for (size_t i = 1; i < bytes; i++) {
        if (c[i] >> 6 != 2)
            return 0;
        code = code << 6 | (c[i] & 0x3f);
    }
    return code < least[bytes] || code > 0x10ffff || code >> 11 == 0x1b ? 0 : bytes;
}

/* A line of TCP may hold any bytes, and a WebSocket's text may not: a browser that were sent one would hang up. */
static struct message *message_make(const char *text, size_t n)
{
    struct message *m = malloc(sizeof *m);
    if (!m)
        rn_panic("out of memory");
    m->holders.rn_value = 1;
    m->n = 0;
    while (n) {
        size_t bytes = character(text, n), length = bytes ? bytes : 1;
        if (m->n + length >= LINE)
            break;
        memcpy(m->text + m->n, bytes ? text : "?", length);
        m->n += length;
        text += length;
        n -= length;
    }
    m->text[m->n] = 0;
    return m;
}

static void message_drop(struct message *m)
{
    if (rn_atomic_add(&m->holders, -1) == 0)
        free(m);
}

/* ---- the room ---- */

/* With the lock. */
static void throw_out(struct client *c)
{
    if (c->out)
        return;
    c->out = true;
    *(c->prev ? &c->prev->next : &room.clients) = c->next;
    if (c->next)
        c->next->prev = c->prev;
    chan_close(c->outbox);
}

static void enter(struct client *c)
{
    c->outbox = chan_make(struct message *, OUTBOX);
    mutex_lock(&room.lock);
    c->next = room.clients;
    if (c->next)
        c->next->prev = c;
    room.clients = c;
    mutex_unlock(&room.lock);
}

static void leave(struct client *c)
{
    mutex_lock(&room.lock);
    throw_out(c);
    mutex_unlock(&room.lock);
}

static void say(const char *text, size_t n)
{
    struct message *m = message_make(text, n);
    mutex_lock(&room.lock);
    for (struct client *c = room.clients, *next; c; c = next) {
        next = c->next;
        rn_atomic_add(&m->holders, 1);
        if (chan_try_send(c->outbox, m) != 0) { /* full */
            message_drop(m);
            throw_out(c);
            if (c->conn) /* wakes who writes to it, and who reads; the server sees to those over WebSocket */
                net_close(c->conn);
        }
    }
    mutex_unlock(&room.lock);
    message_drop(m);
}

/* ---- a client ---- */

static int deliver(struct client *c, const struct message *m)
{
    if (c->ws)
        return websocket_write(c->ws, WEBSOCKET_TEXT, m->text, m->n);
    const struct iovec line[] = {{(void *)m->text, m->n}, {"\n", 1}};
    return net_writev(c->conn, line, 2) < 0 ? -1 : 0;
}

/* Writes until the client is out of the room; then nobody is to wait for what it says. */
static void write_all(struct client *c)
{
    bool fine = true;
    for (struct message *m; chan_next(c->outbox, &m);) {
        fine = fine && deliver(c, m) == 0;
        message_drop(m);
    }
    if (c->conn)
        net_close(c->conn);
    else
        websocket_close(c->ws, 1001, NULL);
}

/* The next line, or the next LINE bytes of one that is longer. */
static int next_line(rn_reader *in, char **line, size_t *n)
{
    int err = reader_line(in, line, n);
    if (err != RN_ETOOBIG)
        return err;
    *n = LINE;
    err = reader_peek(in, LINE, line);
    reader_drop(in, LINE);
    return err;
}

static void talk_lines(rn_conn *conn)
{
    char buffer[LINE], *line;
    rn_reader in;
    size_t n;
    reader_init(&in, conn, buffer, sizeof buffer);
    while (next_line(&in, &line, &n) == 0)
        if (n)
            say(line, n);
}

static void serve_tcp(rn_conn *conn)
{
    struct client c = {.conn = conn};
    rn_waitgroup writer = RN_WAITGROUP_INIT;
    enter(&c);
    wg_go(&writer, write_all, &c);
    talk_lines(conn);
    leave(&c);
    wg_wait(&writer);
    chan_free(c.outbox);
    net_free(conn);
}

static void serve_websocket(http_writer *w, const http_request *r)
{
    websocket *ws = websocket_accept(w, r, &(websocket_options){.max_message = LINE});
    if (!ws)
        return;
    struct client c = {.ws = ws};
    rn_waitgroup writer = RN_WAITGROUP_INIT;
    enter(&c);
    wg_go(&writer, write_all, &c);
    for (websocket_message m; websocket_read(ws, &m) == 0;)
        if (m.n)
            say(m.data, m.n);
    leave(&c);
    wg_wait(&writer);
    chan_free(c.outbox);
    websocket_free(ws);
}

/* The page: says what is behind # in its address as soon as it is connected, for those who try it without hands. */
static void page(http_writer *w, const http_request *r)
{
    (void)r;
    http_set_header(w, "Content-Type", "text/html; charset=utf-8");
    http_puts(w, "<!doctype html><title>chat</title><meta name=viewport content='width=device-width'>"
                 "<style>body{font:16px sans-serif;max-width:40em;margin:2em auto}input{width:100%}</style>"
                 "<h1>chat</h1><ul id=said></ul><form id=say><input autofocus placeholder='say something'></form>"
                 "<script>\n"
                 "const ws = new WebSocket(location.origin.replace('http', 'ws') + '/ws');\n"
                 "const first = decodeURIComponent(location.hash.slice(1)), input = document.querySelector('input');\n"
                 "ws.onopen = () => { if (first) ws.send(first); };\n"
                 "ws.onclose = () => { input.disabled = true; input.placeholder = 'the connection is gone'; };\n"
                 "ws.onmessage = m => {\n"
                 "  const li = document.createElement('li');\n"
                 "  li.textContent = m.data;\n"
                 "  document.getElementById('said').append(li);\n"
                 "  if (first && m.data == 'what do you see?')\n"
                 "    ws.send('I see ' + document.querySelectorAll('li').length + ' lines');\n"
                 "};\n"
                 "document.getElementById('say').onsubmit = e => {\n"
                 "  e.preventDefault();\n"
                 "  if (input.value) ws.send(input.value);\n"
                 "  input.value = '';\n"
                 "};\n"
                 "</script>\n");
}

static void accept_tcp(rn_listener *l)
{
    for (rn_conn *c; net_accept(l, &c) == 0;)
        go(serve_tcp, c);
}

/* ---- the demonstration: everybody says one line, and everybody hears all of them ---- */

enum { CLIENTS = 500, TALKERS = 20 };

/* What a client of the demonstration has heard so far. */
struct ear {
    bool ws, in_head;
    unsigned left; /* of the frame */
    int heard;
};

/* A line over TCP, a short frame over WebSocket: two bytes of head, the second is its length. */
static void hear(struct ear *e, const char *data, size_t n)
{
    for (; n > 0; data++, n--) {
        if (!e->ws) {
            e->heard += *data == '\n';
        } else if (e->left) {
            e->heard += --e->left == 0;
        } else {
            e->left = e->in_head ? (unsigned char)*data : 0;
            e->in_head = !e->in_head;
        }
    }
}

static int upgrade(rn_conn *c, rn_reader *in)
{
    static const char request[] = "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    char *line;
    bool good = net_write(c, request, sizeof request - 1) > 0 && reader_line(in, &line, NULL) == 0 &&
                strncmp(line, "HTTP/1.1 101", 12) == 0;
    while (good && *line)
        good = reader_line(in, &line, NULL) == 0;
    return good ? 0 : -EPROTO;
}

static void send_line(rn_conn *c, bool ws, int number)
{
    char line[64] = {(char)0x81}; /* a text frame, masked with 0 */
    int n = snprintf(line + 6, sizeof line - 6, "client %d says hello%s", number, ws ? "" : "\n");
    line[1] = (char)(0x80 | n);
    net_write(c, ws ? line : line + 6, (size_t)(ws ? n + 6 : n));
}

static int talk(rn_context *ctx, const char *address, bool ws, int number, rn_waitgroup *in, rn_waitgroup *all_in)
{
    char buffer[4096], *heard;
    rn_reader r;
    struct ear ear = {.ws = ws};
    rn_conn *c = NULL;
    int err = net_dial("tcp", address, &c);
    defer(net_free, c);
    reader_init(&r, c, buffer, sizeof buffer);
    if (!err && ws)
        err = upgrade(c, &r);
    wg_done(in);
    if (err)
        return err;
    wg_wait(all_in);
    if (number < TALKERS)
        send_line(c, ws, number);
    while (ear.heard < TALKERS && reader_peek_ctx(ctx, &r, 1, &heard) == 0)
        hear(&ear, heard, reader_drop(&r, sizeof buffer));
    return ear.heard == TALKERS ? 0 : RN_EEOF;
}

static size_t present(void)
{
    size_t n = 0;
    mutex_lock(&room.lock);
    for (struct client *c = room.clients; c; c = c->next)
        n++;
    mutex_unlock(&room.lock);
    return n;
}

static void address_of(rn_listener *l, char *address)
{
    rn_addr at;
    net_listener_addr(l, &at);
    addr_format(&at, address);
}

/* Until all clients are in the room, or the first of them has failed. */
static void wait_for(rn_context *ctx, rn_waitgroup *in, size_t clients)
{
    wg_wait(in);
    while (!ctx_err(ctx) && present() < clients)
        rn_sleep(RN_MILLISECOND);
}

static int talk_all(const char *const address[2], int clients)
{
    rn_waitgroup in = RN_WAITGROUP_INIT, all_in = RN_WAITGROUP_INIT;
    wg_add(&in, clients);
    wg_add(&all_in, 1);
    rn_scope s;
    scope_begin(&s, ctx_background());
    for (int i = 0; i < clients; i++)
        scope_go(&s, talk, scope_context(&s), address[i & 1], i & 1, i, &in, &all_in);
    wait_for(scope_context(&s), &in, (size_t)clients);
    wg_done(&all_in);
    int err = scope_end(&s);
    printf("%d clients heard %d lines each: %s\n", clients, TALKERS, rn_strerror(err));
    return err;
}

static void serve_http(http_server *s, rn_listener *l)
{
    http_serve(s, l);
}

/* More descriptors than a program usually starts with: two for each client. */
static void raise_limit(void)
{
    struct rlimit l;
    if (getrlimit(RLIMIT_NOFILE, &l) == 0) {
        l.rlim_cur = l.rlim_max;
        setrlimit(RLIMIT_NOFILE, &l);
    }
}

static int demo(rn_listener *tcp, int clients)
{
    char address[2][RN_ADDR_TEXT];
    rn_listener *web;
    http_server *s;
    if (clients < TALKERS || http_server_make(NULL, &s) || net_listen("tcp", "127.0.0.1:0", &web))
        return 1;
    address_of(tcp, address[0]);
    address_of(web, address[1]);
    go(serve_http, s, web);
    int err = talk_all((const char *const[]){address[0], address[1]}, clients);
    http_close(s);
    http_server_free(s);
    net_listener_free(web);
    return err ? 1 : 0;
}

int rn_main(int argc, char **argv)
{
    bool demonstrate = argc > 1 && strcmp(argv[1], "demo") == 0;
    rn_listener *l;
    raise_limit();
    const char *at = demonstrate ? "127.0.0.1:0" : argc > 2 ? argv[2] : ":7000";
    int err = net_listen("tcp", at, &l);
    if (err) {
        fprintf(stderr, "chat: can't listen on %s: %s\n", at, rn_strerror(err));
        return 1;
    }
    go(accept_tcp, l);
    http_handle("GET /{$}", page);
    http_handle("GET /ws", serve_websocket);
    if (demonstrate)
        return demo(l, argc > 2 ? atoi(argv[2]) : CLIENTS);
    return http_listen_and_serve(argc > 1 ? argv[1] : ":8080", NULL) ? 1 : 0;
}
