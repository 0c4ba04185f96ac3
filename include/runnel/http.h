/* runnel/http.h: HTTP/1.1 and HTTP/2 servers whose handlers read as if they blocked.  (Clients:
 * runnel/http_client.h, which this includes; WebSocket: runnel/websocket.h.)
 *
 *     static void hello(http_writer *w, const http_request *r)
 *     {
 *         http_printf(w, "Hello, item %s\n", http_path_value(r, "id"));
 *     }
 *
 *     int rn_main(int argc, char **argv)
 *     {
 *         http_handle("GET /items/{id}", hello);
 *         return http_listen_and_serve(":8080", NULL);      // drains and stops on SIGTERM or SIGINT
 *     }
 *
 * Every request runs its handler in a goroutine: that of its connection, or under HTTP/2 one of its
 * own.  A handler may block, start goroutines and wait for them; when it returns the response is
 * complete.  The writer, the request and every string that these functions return belong to the
 * server and live until the handler has returned.  One goroutine at a time may use a writer or a
 * request.
 *
 * A panic in a handler is recovered: it is reported on stderr, the client sees 500 if nothing was sent yet,
 * and the connection is closed.  Other requests are not touched.
 *
 * Errors are 0 or positive, or a negative code (RN_E… of base.h, or a negative errno).  All of these
 * are for goroutines; http_shutdown and http_close also for plain threads.
 *
 * Programs that include this are linked with -lrunnel_http (pkg-config runnel-http; the command
 * `runnel` sees to it).  Modelled on Go's net/http.
 */
#ifndef RUNNEL_HTTP_H
#define RUNNEL_HTTP_H

#include <runnel/base.h>
#include <runnel/context.h>
#include <runnel/go.h>
#if __has_include(<runnel/http_client.h>)
#include <runnel/http_client.h>
#endif

RN_EXTERN_C_BEGIN

struct rn_listener;

typedef struct rn_http_request rn_http_request;
typedef struct rn_http_writer rn_http_writer;

/* ---- routes ---------------------------------------------------------------------------------- */

typedef void (*rn_http_handler)(rn_http_writer *w, const rn_http_request *r);

/* Which handler is for which requests.  A pattern is "[METHOD ][HOST]/PATH", as in Go 1.22:
 *   - a path that ends in '/' is for everything below it; any other for itself alone;
 *   - {name} stands for one segment, {name...} at the end for all that follow, {$} for nothing;
 *   - GET is also for HEAD.  Without a method: for all.
 * When several match, the most specific wins; two of which neither is more specific are a conflict,
 * and registering the second panics, as does a malformed pattern.  A path with ".", ".." or "//" is redirected to the
 * clean one, "/dir" to "/dir/" where only that is known.  No route: 404; none for this method: 405 with Allow.
 *
 * Register before serving: while a server uses a mux it may not be changed. */
typedef struct rn_http_mux rn_http_mux;
/* Makes one; panics when there is no memory. */
RN_PUBLIC rn_http_mux *rn_http_mux_make(void);
/* Frees it; no server may use it any more.  The default mux can't be freed. */
RN_PUBLIC void rn_http_mux_free(rn_http_mux *m);
/* Adds a route; mux NULL: the default mux.  `arg` is for http_arg. */
RN_PUBLIC void rn_http_mux_handle(rn_http_mux *m, const char *pattern, rn_http_handler h);
RN_PUBLIC void rn_http_mux_handle_with(rn_http_mux *m, const char *pattern, rn_http_handler h, void *arg);
/* Adds a route to the default mux. */
RN_PUBLIC void rn_http_handle(const char *pattern, rn_http_handler h);
RN_EXTERN_C_END

#ifndef RN_NO_SHORT_NAMES
#define http_request rn_http_request
#define http_writer rn_http_writer
#define http_handler rn_http_handler
#define http_mux rn_http_mux
#define http_mux_make() rn_http_mux_make()
#define http_mux_free rn_http_mux_free
#define http_mux_handle(m, pattern, h) rn_http_mux_handle(m, pattern, h)
#define http_mux_handle_with(m, pattern, h, arg) rn_http_mux_handle_with(m, pattern, h, arg)
#define http_handle(pattern, h) rn_http_handle(pattern, h)
#endif

#endif
