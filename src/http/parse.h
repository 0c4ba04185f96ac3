/* The head of an HTTP/1 request: from bytes to fields, or to the status that refuses it.
 *
 * Strict on purpose: what two programs in a row may read in two ways is how requests are smuggled.  llhttp
 * reads the head; what it lets pass is refused here, before and after; docs/design/http.md has the list.
 *
 * Nothing here does I/O or allocates: tests/fuzz/http_request.c feeds it as it is. */
#ifndef RN_HTTP_PARSE_H
#define RN_HTTP_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A header; both texts end in NUL, and lie in the buffer that was parsed. */
struct rn__http_field {
    const char *name, *value;
    uint32_t name_n, value_n;
};

enum rn__http_flags {
    RN__HTTP_CHUNKED = 1,  /* Transfer-Encoding: chunked */
    RN__HTTP_LENGTH = 2,   /* Content-Length was given */
    RN__HTTP_CONTINUE = 4, /* Expect: 100-continue */
    RN__HTTP_CLOSE = 8,    /* Connection: close */
    RN__HTTP_KEEP_ALIVE = 16 /* Connection: keep-alive */,
    RN__HTTP_UPGRADE = 32, /* Connection: upgrade, and Upgrade */
    RN__HTTP_H2C = 64,     /* Upgrade: h2c, with HTTP2-Settings */
    RN__HTTP_CODED = 128,  /* Transfer-Encoding names another coding */
};

struct rn__http_head {
    const char *method, *target, *host; /* host NULL: none given */
    size_t target_n;
    int version; /* 10 or 11; HTTP/1.2 and above are read as 11 */
    uint32_t flags;
    int64_t length; /* of Content-Length; -1 */
    struct rn__http_field *fields;
    size_t n_fields, room;
};

/* Looks for the end of the head in buf[0 … n), of which *seen bytes were looked at before (at first 0; kept between calls).
 * Returns the head's length, its empty line included; 0: more is needed; or the negative of a status: the bytes are no
 * head already (-400). */
ptrdiff_t rn__http_head_end(const char *buf, size_t n, size_t *seen);

/* Parses a whole head of n bytes, which it changes (ends of names and values become NUL).  h->fields and h->room are the
 * caller's.  0, or the status to refuse it with: 400, 417, 431 (more fields than room), 501, 505. */
int rn__http_parse_head(char *buf, size_t n, struct rn__http_head *h);

/* Parses the trailers of a chunked body, a block of lines up to its empty line, as fields.  0 or 400, 431. */
int rn__http_parse_trailers(char *buf, size_t n, struct rn__http_head *h);

/* Whether all n bytes may stand in a header's name; in a value; are a host with an optional port, or empty. */
bool rn__http_is_token(const char *s, size_t n);
bool rn__http_is_value(const char *s, size_t n);
bool rn__http_is_host(const char *s, size_t n);
/* Whether a list "a, b" holds this item, without regard to case. */
bool rn__http_list_has(const char *list, const char *item);

/* ---- chunked bodies ---- */

/* Where a reader of a chunked body is.  All-zero is the beginning. */
struct rn__http_chunked {
    enum { RN__CHUNK_SIZE, RN__CHUNK_DATA, RN__CHUNK_DATA_END, RN__CHUNK_TRAILERS, RN__CHUNK_DONE } state;
    uint64_t left;   /* bytes of data that follow */
    uint64_t excess; /* bytes of framing beyond what the data justify */
};
enum { RN__CHUNK_LINE = 4096 }; /* the longest; and as much room as there is for trailers at least */
/* The line "SIZE[;extension]CRLF" at the front of n bytes: its length, with the size in c->left and the state moved on; 0:
 * more is needed; -1: malformed.  Extensions are skipped: within 4 KiB, and, all told, within the size of the data and
 * 16 KiB, so that nobody is made to read much for little. */
ptrdiff_t rn__http_chunk_size(struct rn__http_chunked *c, const char *s, size_t n);

#endif
