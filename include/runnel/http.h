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
 * The handler of a request runs in a goroutine: its connection's, or under HTTP/2 one of its
 * own.  A handler may block, start goroutines and wait for them; when it returns, the response is
 * complete.  The writer, the request and every string that these functions return belong to the
 * server and live until the handler has returned.  One goroutine at a time may use a writer or a
 * request.
 *
 * A panic in a handler is recovered: it is reported on stderr, with the goroutine's trace as an unrecovered one; the
 * client sees 500 if nothing was sent yet, and the connection is closed.  Other requests are not affected.
 *
 * Errors are 0 or positive, or a negative code (RN_E… of base.h, or a negative errno).  All of these
 * are for goroutines; http_shutdown and http_close also for plain threads.
 *
 * Programs that include this are linked with -lrunnel_http (pkg-config runnel-http; the command
 * `runnel` does it by itself).  Modelled on Go's net/http.
 */
#ifndef RUNNEL_HTTP_H
#define RUNNEL_HTTP_H

#include <runnel/base.h>
#include <runnel/context.h>
#include <runnel/go.h>
#include <runnel/net.h>
#if __has_include(<runnel/http_client.h>)
#include <runnel/http_client.h>
#endif

RN_EXTERN_C_BEGIN

/* ---- request --------------------------------------------------------------------------------- */

/* A request as a handler sees it: read only.  Strings are never NULL unless said otherwise. */
typedef struct rn_http_request {
    const char *method; /* "GET"; as the client wrote it */
    const char *target; /* the request target as it was sent: "/a%20b?x=1" */
    const char *path;   /* decoded: "/a b"; begins with '/' ("*" for OPTIONS *); "." and ".." segments are gone */
    const char *query;  /* what follows '?', undecoded; "" when there is none */
    const char *host;   /* the Host header, with its port if it has one */
    int version;        /* 10, 11 or 20 */
    bool tls;
    int64_t content_length; /* bytes of body; -1 when only its end will tell (chunked, HTTP/2) */
} rn_http_request;

/* The header's value, the first if there are several; NULL when there is none.  Names are matched without regard to
 * case. */
RN_PUBLIC const char *rn_http_request_header(const rn_http_request *r, const char *name);
/* The i-th header (from 0), in the order sent; false when there is no i-th.  A name that came several times is there
 * several times. */
RN_PUBLIC bool rn_http_header_at(const rn_http_request *r, size_t i, const char **name, const char **value);
/* The value of the cookie, NULL when there is none. */
RN_PUBLIC const char *rn_http_cookie(const rn_http_request *r, const char *name);

/* The query parameter, decoded; the first if there are several, NULL when there is none. */
RN_PUBLIC const char *rn_http_query_value(const rn_http_request *r, const char *name);
/* The query parameter as a number; `otherwise` if there is none, or if it is not a decimal number that fits. */
RN_PUBLIC long rn_http_query_long(const rn_http_request *r, const char *name, long otherwise);
/* What {name} of the pattern has matched, decoded; "" if the pattern has no such wildcard. */
RN_PUBLIC const char *rn_http_path_value(const rn_http_request *r, const char *name);
/* The field of a form: from a body of application/x-www-form-urlencoded or multipart/form-data, else from the query;
 * NULL if there is none.  The first call reads the body (at most 1 MiB; more is treated as by http_read_all) and may
 * block.  A file that was sent is a field whose value is its contents (rn_http_form_file tells more). */
RN_PUBLIC const char *rn_http_form_value(const rn_http_request *r, const char *name);
/* A file sent in a multipart form: its contents and its length, and its name as the client gave it (any may be
 * NULL); false when there is none. */
RN_PUBLIC bool rn_http_form_file(const rn_http_request *r, const char *name, const void **data, size_t *n,
                                 const char **filename);
/* Decodes %XX in place, and '+' to a blank when `plus`; returns the new length, -1 when s is malformed. */
RN_PUBLIC ptrdiff_t rn_http_unescape(char *s, bool plus);
/* Encodes text for a URL, as a value of its query or a segment of its path: letters, digits and "-._~" stay, everything
 * else becomes %XX.  Returns the length of the result; `to` gets as much of it as fits into n bytes with the NUL (n may
 * be 0), but never a part of an %XX. */
RN_PUBLIC size_t rn_http_escape(char *to, size_t n, const char *text);

/* Reads up to n bytes of the body: > 0, 0 at its end, or an error: RN_ETIMEOUT (the client was too slow), RN_EINVAL
 * (malformed), -EFBIG (more than the server's limit; the response is then 413), or that of the connection.
 * Blocks.  A client that sent "Expect: 100-continue" is told to go on by the first call. */
RN_PUBLIC ptrdiff_t rn_http_read(const rn_http_request *r, void *buffer, size_t n);
/* The whole rest of the body, NUL-terminated, at most `limit` bytes: 0, or an error as above; -EFBIG also if the body
 * is longer than the limit, in which case the response is 413 unless the handler then sets a status.  The memory
 * belongs to the server. */
RN_PUBLIC int rn_http_read_all(const rn_http_request *r, size_t limit, char **body, size_t *n);
/* A trailer of a chunked body, or of HTTP/2; NULL if there is none, and before the body was read to its end. */
RN_PUBLIC const char *rn_http_trailer(const rn_http_request *r, const char *name);

/* A context of the request: done when the handler has returned, the client has gone away or the server is closed.
 * Made at the first call; not to be ended. */
RN_PUBLIC rn_context *rn_http_context(const rn_http_request *r);
/* The client's address, "127.0.0.1:40312". */
RN_PUBLIC const char *rn_http_remote(const rn_http_request *r);
/* The argument that http_mux_handle_with was given for this route. */
RN_PUBLIC void *rn_http_arg(const rn_http_request *r);
/* The pattern that matched. */
RN_PUBLIC const char *rn_http_pattern(const rn_http_request *r);
/* n bytes of memory, zeroed and aligned like malloc's, which live until the handler has returned; NULL if there is
 * none. */
RN_PUBLIC void *rn_http_alloc(const rn_http_request *r, size_t n);

/* ---- response -------------------------------------------------------------------------------- */

typedef struct rn_http_writer rn_http_writer;

/* Sets the status, 200 to 599; it is 200 if nobody does.  False if it is too late, because something was sent. */
RN_PUBLIC bool rn_http_status(rn_http_writer *w, int status);
/* The status as it is now, 200 if nobody has set one, and how many bytes of body were written: for logs and counts, in
 * a handler that has called another one. */
RN_PUBLIC int rn_http_get_status(const rn_http_writer *w);
RN_PUBLIC int64_t rn_http_written(const rn_http_writer *w);
/* Sends an interim response (100 to 199, except 101); a 103 has the headers that were set so far. */
RN_PUBLIC int rn_http_interim(rn_http_writer *w, int status);
/* Sets a header, replacing those of the same name; value NULL removes it.  Name and value are copied.  False if it
 * is too late, there is no memory, or it would not be a valid header (a line break in the value, say); then it is
 * not sent.  Content-Length, if given, must be the number of bytes that are then written: if fewer are, the client
 * gets those and a broken connection; more are refused.  Transfer-Encoding is up to the server (false).  A header
 * that is named in "Trailer" is a trailer, and may be set until the handler returns: it follows the body, except for
 * HTTP/1.0. */
RN_PUBLIC bool rn_http_set_header(rn_http_writer *w, const char *name, const char *value);
/* Adds one, beside others of the same name. */
RN_PUBLIC bool rn_http_add_header(rn_http_writer *w, const char *name, const char *value);
/* The value of a header that was set; NULL if there is none. */
RN_PUBLIC const char *rn_http_get_header(const rn_http_writer *w, const char *name);

/* Writes n bytes of the body: n, or an error (the client is gone, or too slow).  Small responses are kept and sent as a
 * whole with their Content-Length when the handler returns; longer ones are sent in chunks as they are written, which
 * blocks while the client is slow.  Nothing is sent for HEAD, 204 and 304.  Content-Type is text/plain; charset=utf-8
 * unless it was set: nothing is guessed from the contents. */
RN_PUBLIC ptrdiff_t rn_http_write(rn_http_writer *w, const void *data, size_t n);
/* The same for text; and in printf's manner. */
RN_PUBLIC ptrdiff_t rn_http_puts(rn_http_writer *w, const char *text);
RN_PUBLIC ptrdiff_t rn_http_printf(rn_http_writer *w, const char *format, ...) RN_PRINTF(2, 3);
/* Sends what was written so far.  Blocks. */
RN_PUBLIC int rn_http_flush(rn_http_writer *w);

/* Breaks the response off, so that the client does not take the part that it has got for the whole.  Nothing more is
 * sent, and when the handler returns the connection ends (HTTP/2: the stream, by a reset).  Nothing is reported on
 * stderr.  Later writes fail with RN_ECLOSED.  (Go's panic(http.ErrAbortHandler), except that the handler
 * continues.) */
RN_PUBLIC void rn_http_abort(rn_http_writer *w);
/* Answers with this status and the text (NULL: that of http_status_text) as text/plain.  Does not end the handler. */
RN_PUBLIC void rn_http_error(rn_http_writer *w, int status, const char *text);
/* Answers with a redirect (301, 302, 303, 307, 308) to the URL, which may be a path. */
RN_PUBLIC void rn_http_redirect(rn_http_writer *w, const rn_http_request *r, const char *url, int status);
/* Sends a file, with its type by its name, Last-Modified and ETag; answers conditional and range requests.  404, 403
 * or 500 when it can't be read or is no regular file.  A Content-Type and an ETag that the handler has set stay; if it has
 * set another status than 200, the whole file is sent with that.  The path is the program's: it is followed wherever it
 * leads. */
RN_PUBLIC void rn_http_serve_file(rn_http_writer *w, const rn_http_request *r, const char *path);
/* The words for a status: "Not Found"; "" for one that has none. */
RN_PUBLIC const char *rn_http_status_text(int status);

/* ---- routes ---------------------------------------------------------------------------------- */

typedef void (*rn_http_handler)(rn_http_writer *w, const rn_http_request *r);

/* A mux says which handler is for which requests.  A pattern is "[METHOD ][HOST]/PATH", as in Go 1.22:
 *   - a path that ends in '/' matches everything below it; any other matches only itself;
 *   - {name} matches one segment, {name...} at the end all that follow, {$} the end of the path;
 *   - GET also matches HEAD.  A pattern without a method matches all methods.
 * If several patterns match, the most specific wins.  If neither of two is more specific, they conflict,
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
/* Serves the files below the directory `dir` at `pattern`, which ends in '/' and has no other wildcard: GET and
 * HEAD, index.html for directories (which are not listed otherwise).  Nothing outside of dir can be reached: symbolic
 * links below it are not followed, and names that begin with '.' are not served (dir itself may be a link).  Panics
 * when dir can't be opened. */
RN_PUBLIC void rn_http_mux_files(rn_http_mux *m, const char *pattern, const char *dir);
/* Does with a request what a server with this mux (NULL: the default mux) would do, 404, 405 and redirects included.
 * For a handler that does something before and after: logging, counting, authorisation (Go's "middleware").  During the
 * call http_arg is the route's argument, and afterwards the caller's again; http_pattern and http_path_value remain
 * those of the route. */
RN_PUBLIC void rn_http_mux_serve(rn_http_mux *m, rn_http_writer *w, const rn_http_request *r);
/* The same, with ctx as the http_context of the handlers that it calls, to give them a value or a deadline.  Make it
 * below http_context(r), so that it is done when the client has gone.  It stays the caller's. */
RN_PUBLIC void rn_http_mux_serve_ctx(rn_context *ctx, rn_http_mux *m, rn_http_writer *w, const rn_http_request *r);

/* ---- server ---------------------------------------------------------------------------------- */

enum rn_http_log { RN_HTTP_LOG_NONE, RN_HTTP_LOG_COMMON, RN_HTTP_LOG_COMBINED, RN_HTTP_LOG_JSON };

/* All-zero means the defaults.  The strings are copied. */
typedef struct rn_http_options {
    rn_http_mux *mux;        /* NULL: the default mux */
    rn_http_handler handler; /* instead of a mux: gets every request; arg for http_arg */
    void *arg;
    size_t max_header_bytes;      /* request line and headers; 0: 64 KiB.  Beyond: 431 */
    size_t max_headers;           /* 0: 100 */
    int64_t max_body;             /* bytes of a request body; 0: 32 MiB, < 0: no limit.  Beyond: 413 */
    rn_duration header_timeout;   /* to receive a head, from its first byte, and for a TLS handshake; 0: 10 s */
    rn_duration idle_timeout;     /* between requests; 0: 60 s */
    rn_duration body_timeout;     /* grace for a body, beside what min_rate allows; 0: 20 s */
    rn_duration write_timeout;    /* grace for a write, beside what min_rate allows; 0: 30 s */
    int64_t min_rate;             /* bytes a second that a client must send or take; 0: 240 */
    rn_duration shutdown_timeout; /* http_listen_and_serve: to drain, after SIGTERM; 0: 10 s */
    size_t max_connections;       /* at a time; further ones wait to be accepted; 0: no limit */
    uint32_t max_streams;         /* HTTP/2: requests at a time on one connection; 0: 100 */
    const char *cert_file;        /* PEM, with the chain: serves TLS (1.2 and newer) … */
    const char *key_file;         /* … with this private key, PEM */
    bool no_http2;                /* neither h2 nor h2c */
    enum rn_http_log access_log;  /* a line for each request, with long targets and headers cut … */
    void (*log)(void *arg, const char *line, size_t n); /* … to this (the line has no newline); NULL: to stdout */
    void *log_arg;
    void (*listening)(void *arg, const char *address); /* http_listen_and_serve: called with the address in use */
    void *listening_arg;
} rn_http_options;

typedef struct rn_http_server rn_http_server;

/* Makes a server with these options, which are copied (NULL: the defaults).  0, RN_ENOMEM, RN_EINVAL, or, if the
 * certificate or key can't be read, a negative errno, or RN_EINVAL if they don't match; the reason is on stderr
 * then. */
RN_PUBLIC int rn_http_server_make(const rn_http_options *options, rn_http_server **out) RN_MUST_USE;
/* Accepts and serves connections until the server is shut down or closed (0) or the listener fails (its error).  A
 * server may serve several listeners, each in a goroutine of its own.  The listener stays the caller's; it is closed
 * when this returns.  While descriptors or memory are short it waits and tries again, as rn_net_accept does, and says
 * so on stderr, at most every ten seconds. */
RN_PUBLIC int rn_http_serve(rn_http_server *s, rn_listener *l);
/* Stops accepting, closes idle connections, and waits until the others have finished their requests (0), or until ctx
 * is done (RN_ECANCELED or RN_ETIMEOUT; http_close ends the rest).  GOAWAY tells HTTP/2 clients which requests were
 * taken; if a client does not close its connection then, it is closed after two seconds; a connection on which nothing
 * has come yet, after half a second. */
RN_PUBLIC int rn_http_shutdown(rn_http_server *s, rn_context *ctx);
/* Stops accepting and closes every connection at once; waits until their handlers have returned. */
RN_PUBLIC void rn_http_close(rn_http_server *s);
/* Closes it if that was not done, and frees it. */
RN_PUBLIC void rn_http_server_free(rn_http_server *s);
/* Connections that are open now. */
RN_PUBLIC size_t rn_http_connections(const rn_http_server *s);

/* Listens at the address (":8080", "127.0.0.1:0", "unix:/path"), serves until SIGTERM or SIGINT, drains, and returns 0;
 * or an error, which is also printed to stderr, since main functions usually just return it. */
RN_PUBLIC int rn_http_listen_and_serve(const char *address, const rn_http_options *options);

RN_EXTERN_C_END

#ifndef RN_NO_SHORT_NAMES
#define http_request rn_http_request
#define http_writer rn_http_writer
#define http_handler rn_http_handler
#define http_mux rn_http_mux
#define http_server rn_http_server
#define http_options rn_http_options
#define http_header(r, name) rn_http_request_header(r, name)
#define http_header_at(r, i, name, value) rn_http_header_at(r, i, name, value)
#define http_cookie(r, name) rn_http_cookie(r, name)
#define http_query_value(r, name) rn_http_query_value(r, name)
#define http_query_long(r, name, otherwise) rn_http_query_long(r, name, otherwise)
#define http_path_value(r, name) rn_http_path_value(r, name)
#define http_form_value(r, name) rn_http_form_value(r, name)
#define http_form_file(r, name, data, n, filename) rn_http_form_file(r, name, data, n, filename)
#define http_unescape(s, plus) rn_http_unescape(s, plus)
#define http_read(r, buffer, n) rn_http_read(r, buffer, n)
#define http_read_all(r, limit, body, n) rn_http_read_all(r, limit, body, n)
#define http_escape(to, n, text) rn_http_escape(to, n, text)
#define http_trailer(r, name) rn_http_trailer(r, name)
#define http_context(r) rn_http_context(r)
#define http_remote(r) rn_http_remote(r)
#define http_arg(r) rn_http_arg(r)
#define http_pattern(r) rn_http_pattern(r)
#define http_alloc(r, n) rn_http_alloc(r, n)
#define http_status(w, status) rn_http_status(w, status)
#define http_get_status(w) rn_http_get_status(w)
#define http_written(w) rn_http_written(w)
#define http_interim(w, status) rn_http_interim(w, status)
#define http_set_header(w, name, value) rn_http_set_header(w, name, value)
#define http_add_header(w, name, value) rn_http_add_header(w, name, value)
#define http_get_header(w, name) rn_http_get_header(w, name)
#define http_write(w, data, n) rn_http_write(w, data, n)
#define http_puts(w, text) rn_http_puts(w, text)
#define http_printf(w, ...) rn_http_printf(w, __VA_ARGS__)
#define http_flush rn_http_flush
#define http_abort(w) rn_http_abort(w)
#define http_error(w, status, text) rn_http_error(w, status, text)
#define http_redirect(w, r, url, status) rn_http_redirect(w, r, url, status)
#define http_serve_file rn_http_serve_file
#define http_status_text(status) rn_http_status_text(status)
#define http_mux_make() rn_http_mux_make()
#define http_mux_free rn_http_mux_free
#define http_mux_handle(m, pattern, h) rn_http_mux_handle(m, pattern, h)
#define http_mux_handle_with(...) rn_http_mux_handle_with(__VA_ARGS__) /* arg may be a compound literal */
#define http_mux_files(m, pattern, dir) rn_http_mux_files(m, pattern, dir)
#define http_mux_serve(m, w, r) rn_http_mux_serve(m, w, r)
#define http_mux_serve_ctx(ctx, m, w, r) rn_http_mux_serve_ctx(ctx, m, w, r)
#define http_handle(pattern, h) rn_http_handle(pattern, h)
#define http_server_make(...) rn_http_server_make(__VA_ARGS__) /* options may be a compound literal */
#define http_serve rn_http_serve
#define http_shutdown rn_http_shutdown
#define http_close rn_http_close
#define http_server_free rn_http_server_free
#define http_connections(s) rn_http_connections(s)
#define http_listen_and_serve(...) rn_http_listen_and_serve(__VA_ARGS__)
#endif

#endif
