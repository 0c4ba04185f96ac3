/* A chat for thousands: over TCP, a line is a message; over WebSocket, with a page of its own.
 *
 *   ./runnel run examples/chat.c [:8080 [:7000]]      then open http://localhost:8080/ or: nc localhost 7000
 *   ./runnel run examples/chat.c demo                 five hundred clients talk to each other
 *
 * Each client has two goroutines: one reads what it says, one writes what the others say.  Between them stands a channel;
 * a client that does not take its messages finds it full, and is thrown out, so that nobody waits for the slowest.
 */
#include <runnel.h>
#include <runnel/http.h>
#include <runnel/net.h>
#include <runnel/websocket.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static struct message *message_make(const char *text, size_t n)
{
    struct message *m = malloc(sizeof *m);
    if (!m)
        rn_panic("out of memory");
    m->holders.rn_value = 1;
    m->n = n < LINE - 1 ? n : LINE - 1;
    memcpy(m->text, text, m->n);
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

static void talk_lines(rn_conn *conn)
{
    char buffer[LINE];
    size_t have = 0;
    for (ssize_t n; (n = net_read(conn, buffer + have, sizeof buffer - have)) > 0;) {
        char *from = buffer, *end;
        have += (size_t)n;
        while ((end = memchr(from, '\n', have)) != NULL || have == sizeof buffer) {
            size_t length = end ? (size_t)(end - from) : have, cut = length;
            if (cut && from[cut - 1] == '\r')
                cut--;
            if (cut)
                say(from, cut);
            have -= end ? length + 1 : length;
            from += end ? length + 1 : length;
        }
        memmove(buffer, from, have);
    }
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

static int talk(const char *address, int number, rn_waitgroup *in, rn_waitgroup *all_in)
{
    char buffer[4096], line[64];
    int heard = 0;
    rn_conn *c;
    if (net_dial("tcp", address, &c) < 0)
        return RN_ECLOSED;
    net_write(c, "\n", 1);
    wg_done(in);
    wg_wait(all_in);
    if (number < TALKERS)
        net_write(c, line, (size_t)snprintf(line, sizeof line, "client %d says hello\n", number));
    for (ssize_t n; heard < TALKERS && (n = net_read(c, buffer, sizeof buffer)) > 0;)
        for (ssize_t i = 0; i < n; i++)
            heard += buffer[i] == '\n';
    net_free(c);
    return heard == TALKERS ? 0 : RN_EEOF;
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

static int demo(rn_listener *l)
{
    rn_addr at;
    char address[RN_ADDR_TEXT];
    rn_waitgroup in = RN_WAITGROUP_INIT, all_in = RN_WAITGROUP_INIT;
    net_listener_addr(l, &at);
    rn_addr_format(&at, address);
    wg_add(&in, CLIENTS);
    wg_add(&all_in, 1);
    rn_scope s;
    scope_begin(&s, ctx_background());
    for (int i = 0; i < CLIENTS; i++)
        scope_go(&s, talk, address, i, &in, &all_in);
    wg_wait(&in);
    while (present() < CLIENTS)
        rn_sleep(RN_MILLISECOND);
    wg_done(&all_in);
    int err = scope_end(&s);
    printf("%d clients heard %d lines each: %s\n", CLIENTS, TALKERS, rn_strerror(err));
    return err ? 1 : 0;
}

int rn_main(int argc, char **argv)
{
    bool demonstrate = argc > 1 && strcmp(argv[1], "demo") == 0;
    rn_listener *l;
    int err = net_listen("tcp", demonstrate ? "127.0.0.1:0" : argc > 2 ? argv[2] : ":7000", &l);
    if (err) {
        fprintf(stderr, "chat: %s\n", rn_strerror(err));
        return 1;
    }
    go(accept_tcp, l);
    if (demonstrate)
        return demo(l);
    http_handle("GET /{$}", page);
    http_handle("GET /ws", serve_websocket);
    return http_listen_and_serve(argc > 1 ? argv[1] : ":8080", NULL) ? 1 : 0;
}
