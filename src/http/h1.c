/* How HTTP/1 carries an exchange: heads are written, bodies framed.
 *
 * A response leaves in one write where it can: its head is put into `out`, and the body after it.
 *
 * Rejected: letting complete responses wait there while more requests of the same client have arrived (pipelining); the
 * next handler may block, and the client sees nothing of what is done meanwhile. */
#define _GNU_SOURCE 1
#include "http/conn.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { DRAIN_MOST = 256 << 10 }; /* bytes of an unread body that a connection is kept for */

static struct rn__http_work *work_of(struct rn_http_writer *x)
{
    return (struct rn__http_work *)(void *)x;
}

/* ---- input ---- */

ptrdiff_t rn__http1_fill(struct rn__http_work *w)
{
    if (w->len == w->in_size)
        return RN_ENOMEM;
    int err = rn__http1_flush(w);
    if (err)
        return err;
    ptrdiff_t got = rn__stream_read(NULL, &w->conn->stream, w->in + w->len, w->in_size - w->len);
    if (got > 0)
        w->len += (size_t)got;
    if (got == 0)
        w->ended = true;
    return got;
}

/* More of a body: behind the head, over what was used. */
static ptrdiff_t fill_body(struct rn__http_work *w)
{
    if (w->pos == w->len) {
        w->pos = w->len = w->head_n;
    } else if (w->len == w->in_size && w->pos > w->head_n) {
        memmove(w->in + w->head_n, w->in + w->pos, w->len - w->pos);
        w->len -= w->pos - w->head_n;
        w->pos = w->head_n;
    }
    ptrdiff_t got = rn__http1_fill(w);
    return got == 0 ? -ECONNRESET : got == RN_ENOMEM ? RN_EINVAL : got; /* no room: a line that is too long */
}

/* Up to n of `left` bytes of data. */
static ptrdiff_t read_data(struct rn__http_work *w, void *buffer, size_t n, uint64_t left)
{
    size_t have = w->len - w->pos, most = n < left ? n : (size_t)left;
    if (!have && most >= 2048) { /* straight to where it goes */
        int err = rn__http1_flush(w);
        ptrdiff_t got = err ? err : rn__stream_read(NULL, &w->conn->stream, buffer, most);
        return got == 0 ? -ECONNRESET : got;
    }
    if (!have) {
        ptrdiff_t got = fill_body(w);
        if (got < 0)
            return got;
        have = w->len - w->pos;
    }
    most = most < have ? most : have;
    memcpy(buffer, w->in + w->pos, most);
    w->pos += most;
    return (ptrdiff_t)most;
}

/* The trailers, up to their empty line. */
static ptrdiff_t read_trailers(struct rn__http_work *w)
{
    enum { MOST = 32 };
    struct rn_http_writer *x = &w->x;
    size_t seen = 0;
    ptrdiff_t n;
    while ((n = rn__http_head_end(w->in + w->pos, w->len - w->pos, &seen)) == 0) {
        ptrdiff_t got = fill_body(w); /* what was seen stays seen: it moves as a whole */
        if (got < 0)
            return got;
    }
    char *text = n > 0 ? rn__http_arena_copy(&x->arena, w->in + w->pos, (size_t)n) : NULL;
    struct rn__http_head h = {.room = MOST};
    h.fields = text ? rn__http_arena_get(&x->arena, MOST * sizeof *h.fields) : NULL;
    h.length = -1;
    if (n < 0 || !h.fields)
        return n < 0 ? RN_EINVAL : RN_ENOMEM;
    if (n > 2 && rn__http_parse_trailers(text, (size_t)n, &h) != 0)
        return RN_EINVAL;
    w->pos += (size_t)n;
    x->trailers = h.fields;
    x->n_trailers = h.n_fields;
    w->chunked.state = RN__CHUNK_DONE;
    return 0;
}

/* A line of the framing: what `parse` makes of what has come, until it has enough. */
static ptrdiff_t read_size(struct rn__http_work *w)
{
    ptrdiff_t n;
    while ((n = rn__http_chunk_size(&w->chunked, w->in + w->pos, w->len - w->pos)) == 0) {
        ptrdiff_t got = fill_body(w);
        if (got < 0)
            return got;
    }
    if (n < 0)
        return RN_EINVAL;
    w->pos += (size_t)n;
    return 0;
}

static ptrdiff_t read_data_end(struct rn__http_work *w)
{
    while (w->len - w->pos < 2) {
        ptrdiff_t got = fill_body(w);
        if (got < 0)
            return got;
    }
    if (memcmp(w->in + w->pos, "\r\n", 2) != 0)
        return RN_EINVAL;
    w->pos += 2;
    w->chunked.state = RN__CHUNK_SIZE;
    return 0;
}

static ptrdiff_t read_chunked(struct rn__http_work *w, void *buffer, size_t n)
{
    struct rn__http_chunked *c = &w->chunked;
    for (ptrdiff_t got = 0;;) {
        switch (c->state) {
        case RN__CHUNK_SIZE:
            got = read_size(w);
            break;
        case RN__CHUNK_DATA:
            got = read_data(w, buffer, n, c->left);
            if (got > 0 && (c->left -= (uint64_t)got) == 0)
                c->state = RN__CHUNK_DATA_END;
            return got;
        case RN__CHUNK_DATA_END:
            got = read_data_end(w);
            break;
        case RN__CHUNK_TRAILERS:
            got = read_trailers(w);
            break;
        case RN__CHUNK_DONE:
            return 0;
        }
        if (got < 0)
            return got;
    }
}

static ptrdiff_t h1_read(struct rn_http_writer *x, void *buffer, size_t n, rn_time deadline)
{
    struct rn__http_work *w = work_of(x);
    rn__http_conn_read_deadline(w->conn, deadline);
    if (x->body_left < 0)
        return read_chunked(w, buffer, n);
    if (x->body_left == 0)
        return 0;
    ptrdiff_t got = read_data(w, buffer, n, (uint64_t)x->body_left);
    if (got > 0)
        x->body_left -= got;
    return got;
}

/* ---- output ---- */

int rn__http1_flush(struct rn__http_work *w)
{
    if (!w->out_n)
        return 0;
    size_t n = w->out_n;
    w->out_n = 0;
    ptrdiff_t sent = rn__http_conn_write(w->conn, w->buffers->out, n);
    return sent < 0 ? (int)sent : 0;
}

static inline char *put(char *to, const char *s, size_t n)
{
    memcpy(to, s, n);
    return to + n;
}
#define PUT(to, literal) put((to), (literal), sizeof(literal) - 1)

static char *put_number(char *to, uint64_t v)
{
    char digits[20];
    int n = 0;
    do
        digits[n++] = (char)('0' + v % 10);
    while ((v /= 10) != 0);
    while (n)
        *to++ = digits[--n];
    return to;
}

static char *put_status(char *to, int status)
{
    if (__builtin_expect(status == 200, 1))
        return PUT(to, "HTTP/1.1 200 OK\r\n");
    const char *words = rn_http_status_text(status);
    to = PUT(to, "HTTP/1.1 ");
    to = put_number(to, (uint64_t)status);
    *to++ = ' ';
    to = put(to, words, strlen(words));
    return PUT(to, "\r\n");
}

/* The Date header; its text is made once a second. */
static char *put_date(struct rn__http_work *w, char *to)
{
    rn_time now = w->x.began;
    if (now >= w->date_until) {
        w->date_until = now + RN_SECOND / 4;
        int64_t second = rn__http_wall();
        if (second != w->date_second)
            rn__http_date(w->date, second);
        w->date_second = second;
    }
    to = PUT(to, "Date: ");
    to = put(to, w->date, RN__HTTP_DATE - 1);
    return PUT(to, "\r\n");
}

/* Whether the connection ends behind the response. */
static bool ends(const struct rn_http_writer *x)
{
    return x->close || x->leaves_body;
}

/* Whether the connection ends although the handler has said, with this header, that it stays. */
static bool is_mistaken(const struct rn_http_writer *x, const struct rn__http_out *o)
{
    return ends(x) && o->name_n == 10 && strcasecmp(o->name, "connection") == 0 &&
           rn__http_list_has(o->value, "keep-alive");
}

static char *put_fields(const struct rn_http_writer *x, char *to)
{
    for (size_t i = 0; i < x->n_out; i++) {
        const struct rn__http_out *o = &x->out[i];
        if (!o->name_n || (x->chunked && rn__http_lists(x, "Trailer", o->name))) /* that follows the body */
            continue;
        if (is_mistaken(x, o))
            continue;
        to = put(to, o->name, o->name_n);
        to = PUT(to, ": ");
        to = put(to, o->value, o->value_n);
        to = PUT(to, "\r\n");
    }
    return to;
}

static size_t head_size(const struct rn_http_writer *x)
{
    size_t n = 256; /* status line, Date, Content-Length, Connection … */
    for (size_t i = 0; i < x->n_out; i++)
        n += x->out[i].name_n + x->out[i].value_n + 4;
    return n;
}

/* Whether a header of the response ends the connection. */
static bool says_close(const struct rn_http_writer *x)
{
    return rn__http_lists(x, "Connection", "close");
}

/* Takes what has come of a body that the handler did not read; whether that was all of it. */
static bool take_rest(struct rn__http_work *w)
{
    char rest[2048];
    while (!w->x.body_done && w->pos < w->len)
        if (rn__http_read_body(&w->x, rest, sizeof rest) < 0)
            break;
    return w->x.body_done;
}

/* A body in chunks may be longer than what is drained behind the response, and then the connection ends.  Who was not
 * told would lose the next request.  (Go drains first; but the response of one who refuses a body should not wait for
 * that.) */
static void decide_close(struct rn_http_writer *x, bool last)
{
    x->leaves_body =
        last && x->body_left < 0 && !x->body_done && !x->body_error && !x->expects_continue && !take_rest(work_of(x));
    if (!x->body_done && (x->expects_continue || x->body_left > DRAIN_MOST))
        x->close = true;
    if (rn__http_server_draining(x->server) || says_close(x))
        x->close = true;
}

/* Writes the head at `to`; the end. */
static char *put_head(struct rn__http_work *w, char *to)
{
    struct rn_http_writer *x = &w->x;
    to = put_status(to, x->status);
    if (!rn_http_get_header(x, "Date"))
        to = put_date(w, to);
    to = put_fields(x, to);
    if (x->chunked) {
        to = PUT(to, "Transfer-Encoding: chunked\r\n");
    } else if (x->declared >= 0) {
        to = PUT(to, "Content-Length: ");
        to = put_number(to, (uint64_t)x->declared);
        to = PUT(to, "\r\n");
    }
    if (ends(x) && !says_close(x))
        to = PUT(to, "Connection: close\r\n");
    else if (!ends(x) && x->r.version == 10 && !rn__http_lists(x, "Connection", "keep-alive"))
        to = PUT(to, "Connection: keep-alive\r\n");
    return PUT(to, "\r\n");
}

/* The head into `out`, or, where it is too long for that, by itself.  0 or an error. */
static int add_head(struct rn__http_work *w, size_t n, bool last)
{
    struct rn_http_writer *x = &w->x;
    rn__http_complete_head(x, n, last);
    decide_close(x, last);
    x->chunked = x->declared < 0 && !x->no_body && x->r.version >= 11;
    if (x->declared < 0 && !x->no_body && !x->chunked)
        x->close = true; /* its end is the body's */
    size_t size = head_size(x);
    if (size > sizeof w->buffers->out - w->out_n) {
        int err = rn__http1_flush(w);
        if (err)
            return err;
    }
    if (size <= sizeof w->buffers->out) {
        w->out_n = (size_t)(put_head(w, w->buffers->out + w->out_n) - w->buffers->out);
        return 0;
    }
    char *long_one = rn__http_arena_get(&x->arena, size);
    if (!long_one)
        return RN_ENOMEM;
    ptrdiff_t sent = rn__http_conn_write(w->conn, long_one, (size_t)(put_head(w, long_one) - long_one));
    return sent < 0 ? (int)sent : 0;
}

/* Sends the pieces from iov[1] on after what waits in `out`; iov[0] is for that. */
static int send_pieces(struct rn__http_work *w, struct iovec *iov, int n)
{
    size_t sum = 0;
    for (int i = 1; i < n; i++)
        sum += iov[i].iov_len;
    if (sum <= sizeof w->buffers->out - w->out_n) {
        for (int i = 1; i < n; i++) {
            memcpy(w->buffers->out + w->out_n, iov[i].iov_base, iov[i].iov_len);
            w->out_n += iov[i].iov_len;
        }
        return rn__http1_flush(w);
    }
    iov[0] = (struct iovec){w->buffers->out, w->out_n};
    rn__http_conn_write_deadline(w->conn, sum + w->out_n);
    w->out_n = 0;
    ptrdiff_t sent = rn__stream_writev(&w->conn->stream, iov, n);
    return sent < 0 ? (int)sent : 0;
}

/* What ends a chunked body. */
static int add_trailers(struct rn_http_writer *x, struct iovec *to)
{
    if (!rn_http_get_header(x, "Trailer")) {
        *to = (struct iovec){"0\r\n\r\n", 5};
        return 1;
    }
    char *text = rn__http_arena_get(&x->arena, head_size(x)), *end = text;
    if (!text)
        return 0;
    end = PUT(end, "0\r\n");
    for (size_t i = 0; i < x->n_out; i++) {
        const struct rn__http_out *o = &x->out[i];
        if (!o->name_n || !rn__http_lists(x, "Trailer", o->name))
            continue;
        end = put(end, o->name, o->name_n);
        end = PUT(end, ": ");
        end = put(end, o->value, o->value_n);
        end = PUT(end, "\r\n");
    }
    end = PUT(end, "\r\n");
    *to = (struct iovec){text, (size_t)(end - text)};
    return 1;
}

static int h1_send(struct rn_http_writer *x, const void *data, size_t n, bool last)
{
    struct rn__http_work *w = work_of(x);
    struct iovec iov[6];
    char size[24];
    int k = 1, err;
    size_t body = x->body_n + n;
    if (!x->head_sent && (err = add_head(w, body, last)) != 0)
        return err;
    if (x->no_body)
        body = 0;
    if (x->chunked && body) {
        iov[k++] = (struct iovec){size, (size_t)snprintf(size, sizeof size, "%zx\r\n", body)};
    }
    if (body && x->body_n)
        iov[k++] = (struct iovec){x->body, x->body_n};
    if (body && n)
        iov[k++] = (struct iovec){(void *)data, n};
    if (x->chunked && body)
        iov[k++] = (struct iovec){"\r\n", 2};
    if (x->chunked && last) {
        int added = add_trailers(x, &iov[k]);
        if (!added)
            return RN_ENOMEM;
        k += added;
    }
    return send_pieces(w, iov, k);
}

static int h1_interim(struct rn_http_writer *x, int status)
{
    struct rn__http_work *w = work_of(x);
    size_t size = head_size(x);
    char *text = rn__http_arena_get(&x->arena, size), *end = text;
    if (!text)
        return RN_ENOMEM;
    end = put_status(end, status);
    if (status == 103)
        end = put_fields(x, end);
    end = PUT(end, "\r\n");
    struct iovec iov[2] = {{0}, {text, (size_t)(end - text)}};
    return send_pieces(w, iov, 2);
}

static int h1_send_file(struct rn_http_writer *x, int fd, int64_t offset, int64_t n)
{
    struct rn__http_work *w = work_of(x);
    int64_t done = 0;
    if (w->conn->stream.tls || x->chunked)
        return -ENOSYS;
    int err = rn__http1_flush(w);
    while (!err && done < n) {
        size_t piece = n - done < (8 << 20) ? (size_t)(n - done) : 8 << 20;
        rn__http_conn_write_deadline(w->conn, piece);
        ptrdiff_t sent = rn_net_sendfile(w->conn->stream.c, fd, offset + done, piece);
        if (sent <= 0)
            err = sent < 0 ? (int)sent : RN_EEOF; /* shorter than it was */
        else
            done += sent;
    }
    if (err)
        x->error = err;
    return err;
}

/* What comes meanwhile is the next request: it is kept.  Behind a broken body no request is seen any more. */
static bool h1_watch(struct rn_http_writer *x, rn_context *stop)
{
    struct rn__http_work *w = work_of(x);
    ptrdiff_t got;
    do {
        if (x->body_error)
            w->pos = w->len = w->head_n;
        if (w->pos < w->len || w->len == w->in_size)
            return false;
        rn__http_conn_read_deadline(w->conn, 0);
        got = rn__stream_read(stop, &w->conn->stream, w->in + w->len, w->in_size - w->len);
        if (got > 0)
            w->len += (size_t)got;
    } while (got > 0 && x->body_error);
    if (got == 0)
        w->ended = true;
    return got == 0 || (got < 0 && !rn_ctx_err(stop));
}

const struct rn__http_carrier rn__http1 = {
    .read = h1_read,
    .send = h1_send,
    .interim = h1_interim,
    .send_file = h1_send_file,
    .watch = h1_watch,
};

void rn__http1_refuse(struct rn__http_work *w, int status)
{
    char text[400], date[RN__HTTP_DATE];
    const char *words = rn_http_status_text(status);
    rn__http_date(date, rn__http_wall());
    int body = (int)strlen(words) + 5;
    int n = snprintf(text, sizeof text,
                     "HTTP/1.1 %d %s\r\nDate: %s\r\nContent-Type: text/plain; charset=utf-8\r\n"
                     "Content-Length: %d\r\nConnection: close\r\n\r\n%d %s\n",
                     status, words, date, body, status, words);
    struct iovec iov[2] = {{0}, {text, (size_t)n}};
    send_pieces(w, iov, 2);
}
