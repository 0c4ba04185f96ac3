/* Buffered reading; see runnel/reader.h.
 *
 * What always holds: rn_at <= rn_end <= rn_size, and what lies between the first two was read and not handed out.  It is moved
 * to the buffer's front before more is read, and every error leaves it there, so that the next call goes on.
 */
#include "base/race.h"
#include "chan/done.h"
#include "net/fd.h"
#include <errno.h>
#include <runnel/reader.h>
#include <string.h>

static ssize_t read_conn(rn_context *ctx, void *from, void *buf, size_t n)
{
    return rn_net_read_ctx(ctx, from, buf, n);
}

static ssize_t read_file(rn_context *ctx, void *from, void *buf, size_t n)
{
    return rn_file_read_ctx(ctx, from, buf, n);
}

void rn_reader_init(rn_reader *r, rn_conn *c, void *buf, size_t size)
{
    rn_reader_init_with(r, read_conn, c, buf, size);
}

void rn_reader_init_file(rn_reader *r, rn_file *f, void *buf, size_t size)
{
    rn_reader_init_with(r, read_file, f, buf, size);
}

void rn_reader_init_with(rn_reader *r, rn_read_function *read, void *from, void *buf, size_t size)
{
    *r = (rn_reader){.rn_read = read, .rn_from = from, .rn_buf = buf, .rn_size = size};
}

size_t rn_reader_buffered(const rn_reader *r)
{
    return r->rn_end - r->rn_at;
}

size_t rn_reader_drop(rn_reader *r, size_t n)
{
    size_t have = rn_reader_buffered(r);
    n = n < have ? n : have;
    r->rn_at += n;
    return n;
}

/* The next n bytes, which are there. */
static char *take(rn_reader *r, size_t n)
{
    char *data = r->rn_buf + r->rn_at;
    r->rn_at += n;
    return data;
}

/* Reads behind what is there: 0; RN_EEOF or -EPIPE at the end, RN_ETOOBIG when there is no room, or another error. */
static int fill(rn_context *ctx, rn_reader *r)
{
    size_t have = rn_reader_buffered(r);
    if (have == r->rn_size)
        return RN_ETOOBIG;
    memmove(r->rn_buf, r->rn_buf + r->rn_at, have);
    r->rn_at = 0;
    r->rn_end = have;
    ssize_t got = r->rn_read(ctx, r->rn_from, r->rn_buf + r->rn_end, r->rn_size - r->rn_end);
    if (got <= 0)
        return got < 0 ? (int)got : have ? -EPIPE : RN_EEOF;
    r->rn_end += (size_t)got;
    return 0;
}

/* ---- in the buffer ---------------------------------------------------------------------------------- */

int rn_reader_peek_ctx(rn_context *ctx, rn_reader *r, size_t n, char **data)
{
    RN_RACE_CALLED();
    int err = n > r->rn_size ? RN_ETOOBIG : 0;
    while (!err && rn_reader_buffered(r) < n)
        err = fill(ctx, r);
    *data = r->rn_buf + r->rn_at;
    return err;
}

int rn_reader_until_ctx(rn_context *ctx, rn_reader *r, char end, char **data, size_t *n)
{
    RN_RACE_CALLED();
    const char *found;
    int err = 0;
    for (size_t seen = 0; !(found = memchr(r->rn_buf + r->rn_at + seen, end, rn_reader_buffered(r) - seen));) {
        seen = rn_reader_buffered(r);
        if ((err = fill(ctx, r)) != 0)
            break;
    }
    if (err && err != -EPIPE)
        return err;
    *n = found ? (size_t)(found - (r->rn_buf + r->rn_at)) + 1 : rn_reader_buffered(r);
    *data = take(r, *n);
    return err;
}

int rn_reader_line_ctx(rn_context *ctx, rn_reader *r, char **line, size_t *n)
{
    RN_RACE_CALLED();
    size_t length;
    int err = rn_reader_until_ctx(ctx, r, '\n', line, &length);
    if (err && err != -EPIPE)
        return err;
    if (!err && --length && (*line)[length - 1] == '\r')
        length--;
    (*line)[length] = 0; /* in place of its end; what was cut off has not filled the buffer */
    if (n)
        *n = length;
    return err;
}

/* ---- out of it -------------------------------------------------------------------------------------- */

ssize_t rn_reader_read_ctx(rn_context *ctx, rn_reader *r, void *buf, size_t n)
{
    RN_RACE_CALLED();
    if (!n)
        return 0;
    if (!rn_reader_buffered(r)) {
        if (n >= r->rn_size)
            return r->rn_read(ctx, r->rn_from, buf, n);
        int err = fill(ctx, r);
        if (err)
            return err == RN_EEOF ? 0 : err;
    }
    size_t have = rn_reader_buffered(r);
    n = n < have ? n : have;
    memcpy(buf, take(r, n), n);
    return (ssize_t)n;
}

/* More than the buffer holds. */
static int read_much(rn_context *ctx, rn_reader *r, char *to, size_t n)
{
    for (size_t done = 0; done < n;) {
        ssize_t got = rn_reader_read_ctx(ctx, r, to + done, n - done);
        if (got <= 0)
            return got < 0 ? (int)got : done ? -EPIPE : RN_EEOF;
        done += (size_t)got;
    }
    return 0;
}

int rn_reader_read_full_ctx(rn_context *ctx, rn_reader *r, void *buf, size_t n)
{
    RN_RACE_CALLED();
    char *data;
    if (n > r->rn_size)
        return read_much(ctx, r, buf, n);
    int err = rn_reader_peek_ctx(ctx, r, n, &data);
    if (!err)
        memcpy(buf, take(r, n), n);
    return err;
}

/* ---- passing on ---------------------------------------------------------------------------------------- */

/* Writes n bytes: 0 or an error, and how many were written by then. */
typedef int write_function(rn_context *ctx, void *to, const void *buf, size_t n, size_t *done);

static int write_conn(rn_context *ctx, void *to, const void *buf, size_t n, size_t *done)
{
    return rn__net_write_counted(ctx, to, buf, n, done);
}

static int write_file(rn_context *ctx, void *to, const void *buf, size_t n, size_t *done)
{
    ssize_t sent = rn_file_write_ctx(ctx, to, buf, n);
    *done = sent < 0 ? 0 : (size_t)sent;
    return sent < 0 ? (int)sent : 0;
}

/* What could not be written stays in the buffer. */
static int pass_on(rn_context *ctx, rn_reader *r, write_function *write, void *to, uint64_t *bytes)
{
    uint64_t sum = 0;
    int err = 0;
    do {
        size_t done = 0, have = rn_reader_buffered(r);
        if (have)
            err = write(ctx, to, r->rn_buf + r->rn_at, have, &done);
        r->rn_at += done;
        sum += done;
        if (!err) /* where neither side has to wait nobody else asks */
            err = rn__done_seen(ctx);
    } while (!err && (err = fill(ctx, r)) == 0);
    if (bytes)
        *bytes = sum;
    return err == RN_EEOF ? 0 : err;
}

int rn_reader_copy_ctx(rn_context *ctx, rn_reader *r, rn_conn *to, uint64_t *bytes)
{
    RN_RACE_CALLED();
    return pass_on(ctx, r, write_conn, to, bytes);
}

int rn_reader_copy_to_file_ctx(rn_context *ctx, rn_reader *r, rn_file *to, uint64_t *bytes)
{
    RN_RACE_CALLED();
    return pass_on(ctx, r, write_file, to, bytes);
}

/* ---- without a context -------------------------------------------------------------------------------- */

int rn_reader_line(rn_reader *r, char **line, size_t *n)
{
    RN_RACE_CALLED();
    return rn_reader_line_ctx(NULL, r, line, n);
}

int rn_reader_until(rn_reader *r, char end, char **data, size_t *n)
{
    RN_RACE_CALLED();
    return rn_reader_until_ctx(NULL, r, end, data, n);
}

int rn_reader_peek(rn_reader *r, size_t n, char **data)
{
    RN_RACE_CALLED();
    return rn_reader_peek_ctx(NULL, r, n, data);
}

ssize_t rn_reader_read(rn_reader *r, void *buf, size_t n)
{
    RN_RACE_CALLED();
    return rn_reader_read_ctx(NULL, r, buf, n);
}

int rn_reader_read_full(rn_reader *r, void *buf, size_t n)
{
    RN_RACE_CALLED();
    return rn_reader_read_full_ctx(NULL, r, buf, n);
}

int rn_reader_copy(rn_reader *r, rn_conn *to, uint64_t *bytes)
{
    RN_RACE_CALLED();
    return rn_reader_copy_ctx(NULL, r, to, bytes);
}

int rn_reader_copy_to_file(rn_reader *r, rn_file *to, uint64_t *bytes)
{
    RN_RACE_CALLED();
    return rn_reader_copy_to_file_ctx(NULL, r, to, bytes);
}
