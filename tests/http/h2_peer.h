/* For tests of HTTP/2: a client that sends exactly the frames that it is told to, and sees what comes of it. */
#ifndef RN_TESTS_HTTP_H2_PEER_H
#define RN_TESTS_HTTP_H2_PEER_H

#include "peer.h"
#include <nghttp2/nghttp2.h>

enum { H2_DATA, H2_HEADERS, H2_PRIORITY, H2_RST, H2_SETTINGS, H2_PUSH, H2_PING, H2_GOAWAY, H2_WINDOW, H2_CONTINUATION };
enum { H2_END_STREAM = 1, H2_ACK = 1, H2_END_HEADERS = 4, H2_PADDED = 8, H2_PRIORITIZED = 32 };

#define H2_PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

/* Bytes under way. */
struct h2_bytes {
    size_t n;
    uint8_t at[1 << 17];
};

__attribute__((unused)) static void h2_put(struct h2_bytes *b, const void *data, size_t n)
{
    REQUIRE(b->n + n <= sizeof b->at);
    memcpy(b->at + b->n, data, n);
    b->n += n;
}

__attribute__((unused)) static void h2_frame(struct h2_bytes *b, int type, int flags, uint32_t id, const void *data,
                                             size_t n)
{
    const uint8_t head[9] = {(uint8_t)(n >> 16),  (uint8_t)(n >> 8),  (uint8_t)n,
                             (uint8_t)type,       (uint8_t)flags,     (uint8_t)(id >> 24),
                             (uint8_t)(id >> 16), (uint8_t)(id >> 8), (uint8_t)id};
    h2_put(b, head, 9);
    h2_put(b, data, n);
}

/* Lines "name\0value\0", as literals without indexing; the last is empty; a name of "()" stands for the empty
 * one.  Their length as HPACK. */
__attribute__((unused)) static size_t h2_block(uint8_t *to, size_t room, const char *lines)
{
    size_t at = 0;
    while (*lines) {
        size_t name = strlen(lines), value = strlen(lines + name + 1);
        REQUIRE(name < 127 && value < 127 && at + name + value + 3 <= room);
        to[at++] = 0;
        to[at] = strcmp(lines, "()") == 0 ? 0 : (uint8_t)name;
        memcpy(to + at + 1, lines, to[at]);
        at += 1 + to[at];
        to[at] = (uint8_t)value;
        memcpy(to + ++at, lines + name + 1, value);
        at += value;
        lines += name + value + 2;
    }
    return at;
}

__attribute__((unused)) static void h2_request(struct h2_bytes *b, uint32_t id, int flags, const char *lines)
{
    uint8_t block[4096];
    h2_frame(b, H2_HEADERS, flags | H2_END_HEADERS, id, block, h2_block(block, sizeof block, lines));
}

__attribute__((unused)) static void h2_begin(struct h2_bytes *b)
{
    b->n = 0;
    h2_put(b, H2_PREFACE, sizeof H2_PREFACE - 1);
    h2_frame(b, H2_SETTINGS, 0, 0, "", 0);
}

/* What came of a stream, and of the connection. */
struct h2_outcome {
    int status;         /* of the stream; 0 */
    int reset;          /* the stream's error; -1 */
    int goaway;         /* the connection's; -1 */
    uint32_t last;      /* the last stream of GOAWAY */
    bool closed;        /* the connection ended */
    bool whole;         /* the stream's response has ended */
    size_t bytes;       /* of its body */
    size_t window;      /* what the connection's has grown by */
    char trailers[200]; /* "name: value\n" each */
};

/* The status of a block of headers; where it has none its fields go to trailers. */
__attribute__((unused)) static int h2_status(nghttp2_hd_inflater *inflater, uint8_t *block, size_t n,
                                             char trailers[200])
{
    int status = 0, flags = 0;
    size_t at = 0;
    nghttp2_nv nv;
    for (ssize_t used; (used = nghttp2_hd_inflate_hd2(inflater, &nv, &flags, block, n, 1)) >= 0;) {
        if (flags & NGHTTP2_HD_INFLATE_EMIT && nv.namelen == 7 && memcmp(nv.name, ":status", 7) == 0)
            status = atoi((const char *)nv.value);
        else if (flags & NGHTTP2_HD_INFLATE_EMIT && !status && at < 200)
            at += (size_t)snprintf(trailers + at, 200 - at, "%s: %s\n", nv.name, nv.value);
        block += used;
        n -= (size_t)used;
        if (flags & NGHTTP2_HD_INFLATE_FINAL || (used == 0 && n == 0))
            break;
    }
    nghttp2_hd_inflate_end_headers(inflater);
    return status;
}

/* Reads until the stream has ended (id 0: GOAWAY has come), the connection is given up, or its end. */
__attribute__((unused)) static struct h2_outcome h2_await(rn_conn *c, uint32_t id, bool to_the_end)
{
    struct h2_outcome o = {.reset = -1, .goaway = -1};
    nghttp2_hd_inflater *inflater;
    static uint8_t data[1 << 16];
    uint8_t head[9];
    REQUIRE(nghttp2_hd_inflate_new(&inflater) == 0);
    while (to_the_end || !(o.whole || o.reset >= 0)) {
        ssize_t err = net_read_full(c, head, 9);
        if (err < 0) {
            o.closed = err != RN_ETIMEOUT;
            break;
        }
        size_t n = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];
        uint32_t of = (uint32_t)head[5] << 24 | (uint32_t)head[6] << 16 | (uint32_t)head[7] << 8 | head[8];
        REQUIRE(n <= sizeof data);
        err = n ? net_read_full(c, data, n) : 0;
        if (err < 0) {
            o.closed = err != RN_ETIMEOUT;
            break;
        }
        if (head[3] == H2_GOAWAY && n >= 8) {
            o.goaway = data[7];
            o.last = (uint32_t)data[0] << 24 | (uint32_t)data[1] << 16 | (uint32_t)data[2] << 8 | data[3];
            if (id == 0)
                break;
        }
        if (head[3] == H2_WINDOW && of == 0 && n == 4)
            o.window += (size_t)data[0] << 24 | (size_t)data[1] << 16 | (size_t)data[2] << 8 | data[3];
        if (head[3] == H2_HEADERS) {
            char trailers[200] = "";
            int status = h2_status(inflater, data, n, trailers);
            if (of == id && *trailers)
                memcpy(o.trailers, trailers, sizeof trailers);
            o.status = of == id && status ? status : o.status;
        }
        if (of != id)
            continue;
        if (head[3] == H2_RST && n == 4)
            o.reset = data[3];
        if (head[3] == H2_DATA)
            o.bytes += n;
        if ((head[3] == H2_DATA || head[3] == H2_HEADERS) && head[4] & H2_END_STREAM)
            o.whole = true;
    }
    nghttp2_hd_inflate_del(inflater);
    return o;
}

#endif
