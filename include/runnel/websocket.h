/* runnel/websocket.h: WebSocket (RFC 6455) on the HTTP server.
 *
 *     static void talk(http_writer *w, const http_request *r)
 *     {
 *         websocket *ws = websocket_accept(w, r, NULL);
 *         if (!ws)
 *             return;                                   // no WebSocket: it was answered already
 *         defer(websocket_free, ws);
 *         for (websocket_message m; websocket_read(ws, &m) == 0;)
 *             websocket_write(ws, WEBSOCKET_TEXT, m.data, m.n);
 *     }
 *
 * The connection lasts until the handler returns.  One goroutine reads; any number may write, and each message is sent
 * whole.  While somebody is in websocket_read, pings are answered, and sent to a client that has been silent; a client
 * that does not answer them is given up.
 *
 * When the server is shut down, websocket_read sends a close (1001) and returns RN_ECLOSED, or RN_ETIMEOUT if the
 * client has not answered within two seconds.  A handler that only writes learns of it from websocket_write, two
 * seconds after the shutdown began; one that has read a message and not asked for the next may still answer that
 * message.
 *
 * When the client has gone, websocket_read and websocket_write return an error.  http_context does not tell: it ends
 * with the handler or the server.
 *
 * Errors are 0 or negative codes.  For goroutines.
 */
#ifndef RUNNEL_WEBSOCKET_H
#define RUNNEL_WEBSOCKET_H

#include <runnel/http.h>

RN_EXTERN_C_BEGIN

typedef struct rn_websocket rn_websocket;

enum rn_websocket_kind { RN_WEBSOCKET_TEXT = 1, RN_WEBSOCKET_BINARY = 2 };

/* All-zero means the defaults. */
typedef struct rn_websocket_options {
    size_t max_message;        /* bytes of a message that a client may send; 0: 1 MiB.  Beyond: closed with 1009 */
    rn_duration ping_interval; /* silence after which a client is pinged, and given up after as much again; 0: 30 s */
    bool any_origin;           /* pages of other sites may connect; otherwise a browser's Origin must be this host */
    const char *protocols;     /* "chat, superchat": the first that the client offers is chosen; NULL: none */
} rn_websocket_options;

/* A message that has come.  The data belongs to the connection and lives until the next read; a NUL follows it. */
typedef struct rn_websocket_message {
    enum rn_websocket_kind kind;
    const char *data; /* text is valid UTF-8 */
    size_t n;
} rn_websocket_message;

/* Turns the request into a WebSocket.  NULL if it does not ask for one (400, 426), comes from another site (403), is
 * HTTP/2, or there is no memory (503); it has been answered then.  w can't be used afterwards. */
RN_PUBLIC rn_websocket *rn_websocket_accept(rn_http_writer *w, const rn_http_request *r, const rn_websocket_options *o);
/* Waits for a message: 0; RN_EEOF if the client has closed; RN_ECLOSED if this side has, or the server ends;
 * RN_ETIMEOUT if the client does not answer pings; -EPROTO if it breaks the protocol (it was told so); or the
 * connection's error.  Blocks. */
RN_PUBLIC int rn_websocket_read(rn_websocket *ws, rn_websocket_message *m);
/* Sends a message: 0 or an error; RN_ECLOSED after websocket_close or when the server ends.  Blocks while the client is
 * slow, at most as the server's write_timeout says. */
RN_PUBLIC int rn_websocket_write(rn_websocket *ws, enum rn_websocket_kind kind, const void *data, size_t n);
/* Sends a close with a code (1000: done, 1001: going away, 1008: policy …) and a reason (at most 123 bytes; may be
 * NULL).  Nothing can be written after it.  The reader gets the messages that the client sent before its answer, and
 * then RN_ECLOSED, or RN_ETIMEOUT if the answer has not come within five seconds (or ping_interval, if that is less).
 * May be called by any goroutine; a second call does nothing. */
RN_PUBLIC int rn_websocket_close(rn_websocket *ws, int code, const char *reason);
/* The code with which the client has closed; 0 while it has not, 1005 when it gave none, 1006 when it
 * went without a goodbye. */
RN_PUBLIC int rn_websocket_close_code(const rn_websocket *ws);
/* The protocol that was chosen; "" when none was. */
RN_PUBLIC const char *rn_websocket_protocol(const rn_websocket *ws);
/* Sends a close (1001) if nobody has, and frees ws.  No other goroutine may use it any more. */
RN_PUBLIC void rn_websocket_free(rn_websocket *ws);

RN_EXTERN_C_END

#ifndef RN_NO_SHORT_NAMES
#define websocket rn_websocket
#define websocket_options rn_websocket_options
#define websocket_message rn_websocket_message
#define WEBSOCKET_TEXT RN_WEBSOCKET_TEXT
#define WEBSOCKET_BINARY RN_WEBSOCKET_BINARY
#define websocket_accept(...) rn_websocket_accept(__VA_ARGS__)
#define websocket_read(ws, m) rn_websocket_read(ws, m)
#define websocket_write(ws, kind, data, n) rn_websocket_write(ws, kind, data, n)
#define websocket_close(ws, code, reason) rn_websocket_close(ws, code, reason)
#define websocket_close_code(ws) rn_websocket_close_code(ws)
#define websocket_protocol(ws) rn_websocket_protocol(ws)
#define websocket_free rn_websocket_free
#endif

#endif
