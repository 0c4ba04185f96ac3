/* HTTP/2: a session of nghttp2 for the connection, an exchange and a goroutine for each stream.
 *
 *   h2.c         the session: reading, writing, the connection's life      h2_stream.c   how a stream carries an exchange
 *
 * `lock` guards the session and all that is in the structures here, but for what a handler has to itself (x).  `writing` is
 * held from taking frames out of the session until they were written, so that they leave in order; it is taken before
 * `lock`.  Callbacks of nghttp2 run with the lock. */
#ifndef RN_HTTP_H2_H
#define RN_HTTP_H2_H

#include "http/conn.h"
#include <nghttp2/nghttp2.h>

enum {
    RN__HTTP2_WINDOW = 65535, /* bytes of a request's body that wait to be read */
    RN__HTTP2_GAPS = 16,
};

/* Which streams the client has passed over; see on_begin_frame. */
struct rn__http2_order {
    uint32_t next; /* the lowest that it may open now */
    struct {
        uint32_t from, to;
    } gaps[RN__HTTP2_GAPS]; /* a ring: the last that it left */
    uint32_t n_gaps;        /* ever */
};

/* Where in the client's frames its last byte was.  (nghttp2 tells when a head begins, but of one that it ignores not
 * when it ends.) */
struct rn__http2_place {
    uint32_t left;    /* bytes of the frame, at first of the preface, that are to come */
    uint32_t heads;   /* that have begun, or may have: what frame begins its first byte does not tell */
    uint8_t frame[9]; /* how the next one begins, */
    uint8_t frame_n;  /* as far as it has come */
    bool is_head;     /* the frame is part of a head, */
    bool goes_on;     /* which another one continues */
};

struct rn__http2 {
    struct rn__http_conn *c;
    nghttp2_session *session;
    rn_mutex lock, writing;
    struct rn_list streams;
    uint32_t running;   /* handlers */
    uint32_t abandoned; /* … whose stream the client has broken off */
    uint32_t resets;    /* streams that ended by an error, lately */
    rn_time resets_since;
    struct rn__http2_order order;
    struct rn__http2_place place;
    rn_time until, head_until; /* when frames are no longer waited for; the same if a head is held then; 0: never */
    rn_waitgroup handlers;
    bool dead;    /* nothing can be sent or will come */
    bool going;   /* GOAWAY was sent: no further stream is taken */
    bool lingers; /* the client may still be sending; its goroutine's */
};

struct rn__http2_stream {
    struct rn_http_writer x; /* first */
    struct rn__http2 *h;
    struct rn_node node;
    int32_t id;
    rn_cond changed; /* in_n, in_end, left, closed */

    /* the request */
    size_t head_bytes, fields_room;
    int refuse; /* the status to answer with, no handler being asked; settled when the handler starts */
    bool started, in_trailers, bad_trailers;
    struct rn__http_arena trailer_arena; /* trailers come while the handler uses the exchange's */
    char *in;
    size_t in_from, in_n, in_size;
    bool in_end;

    /* the response: what is to be sent, which the handler waits for */
    struct {
        const char *at;
        size_t n;
    } left[2];
    bool last;

    bool closed;    /* nghttp2 is through with it */
    bool handled;   /* the handler is */
    bool abandoned; /* closed before its response was whole; the handler is not */
    _Alignas(16) char arena[RN__HTTP_ARENA];
    char body[RN__HTTP_BODY];
};

extern const struct rn__http_carrier rn__http2;

/* Says that no further stream is taken.  With the lock. */
void rn__http2_go_away(struct rn__http2 *h);
/* Sets when the connection's goroutine stops waiting for frames (0: never), or sooner while the client holds a head in the middle;
 * unless the server drains: then at once, so that it says GOAWAY.  With the lock. */
void rn__http2_read_until(struct rn__http2 *h, rn_time when);
/* Writes what the session has to say.  Without the lock.  0, or an error: the connection is dead then. */
int rn__http2_pump(struct rn__http2 *h);
/* A stream of the session, in its list; NULL when there is no memory.  With the lock. */
struct rn__http2_stream *rn__http2_stream_make(struct rn__http2 *h, int32_t id);
/* Takes it out of the list and frees it.  With the lock. */
void rn__http2_stream_free(struct rn__http2_stream *st);
/* Adds a header of the request, or a trailer; may set st->refuse or st->bad_trailers.  False when they are so far beyond what
 * is allowed that not even a refusal is worth looking at the rest.  With the lock. */
bool rn__http2_stream_field(struct rn__http2_stream *st, const uint8_t *name, size_t name_n, const uint8_t *value,
                            size_t value_n);
/* n bytes of body have come; false when there is no room for them. */
bool rn__http2_stream_data(struct rn__http2_stream *st, const uint8_t *data, size_t n);
/* The head is there: starts the handler.  With the lock. */
void rn__http2_stream_start(struct rn__http2_stream *st);

#endif
