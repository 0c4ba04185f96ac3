/* runnel/reader.h: lines, and parts of a known length, of what comes in pieces of any size.
 *
 *     static void serve(rn_conn *c)
 *     {
 *         char buf[4096], *line;                        // also the longest line
 *         rn_reader in;
 *         defer(net_free, c);
 *         reader_init(&in, c, buf, sizeof buf);
 *         while (reader_line(&in, &line, NULL) == 0)    // a string: without its end of line
 *             answer(c, line);
 *     }
 *
 * A reader takes as much as has come into a buffer of the caller's and hands it out from there: many short lines are
 * one system call.  It reads from a connection (TCP, a Unix socket, a pipe of runnel/process.h or runnel/fd.h), a file,
 * or whatever a function of the caller's reads: the body of a request, say.  Between two calls the buffer may hold what
 * comes next, so nothing else may read from the same connection.  Writing is not affected.
 *
 * What reader_line, reader_until and reader_peek hand out lies in the buffer: it may be changed, and is good until the
 * next call for this reader other than reader_buffered and reader_drop.
 *
 * Errors are those of what is read from: for a connection RN_ETIMEOUT at its deadline, RN_ECLOSED after net_close, and
 * RN_ECANCELED or RN_ETIMEOUT of the context in the _ctx forms.  What has come is kept: with a new deadline the next
 * call continues where this one was.  RN_EEOF is the end.  RN_ETOOBIG: what is asked for does not fit into the buffer;
 * nothing was taken, and reader_read still gets it in pieces.
 *
 * Life.  A reader owns nothing: there is nothing to free.  It may be moved, with the buffer where it was.
 * Callers: as
 * of what is read from; of a connection goroutines and plain threads.  One at a time uses a reader.  (Go's bufio.Reader
 * and bufio.Scanner.)
 */
#ifndef RUNNEL_READER_H
#define RUNNEL_READER_H

#include <runnel/base.h>
#include <runnel/context_type.h>
#include <runnel/file.h>
#include <runnel/net.h>
#include <sys/types.h>

RN_EXTERN_C_BEGIN

/* Reads some bytes, n at most, into buf, waiting for the first: how many (> 0), 0 at the end, or an error (< 0). */
typedef ssize_t rn_read_function(rn_context *ctx, void *from, void *buf, size_t n);

typedef struct rn_reader {
    rn_read_function *rn_read;
    void *rn_from;
    char *rn_buf; /* what has come and was not handed out: rn_at up to rn_end */
    size_t rn_size, rn_at, rn_end;
} rn_reader;

/* A reader of c, which stays the caller's, and a buffer of `size` bytes (> 0), which the reader uses until its last
 * call.  What it can hold is the longest part that can be had in one piece. */
RN_PUBLIC void rn_reader_init(rn_reader *r, rn_conn *c, void *buf, size_t size);
RN_PUBLIC void rn_reader_init_file(rn_reader *r, rn_file *f, void *buf, size_t size);
/* The same of anything: read(ctx, from, …) is called, by the caller of the reader's function, with the context that
 * that was given (NULL: none).  Of the body of an answer, for example:
 *
 *     static ssize_t body(rn_context *ctx, void *from, void *buf, size_t n)
 *     {
 *         (void)ctx;                                    // http_open had it
 *         return http_body_read(from, buf, n);
 *     }
 *     …
 *     reader_init_with(&in, body, &res, buf, sizeof buf); */
RN_PUBLIC void rn_reader_init_with(rn_reader *r, rn_read_function *read, void *from, void *buf, size_t size);

/* Reads a line: *line is the text without its end ("\n" or "\r\n"), followed by a 0, and *n (may be NULL) its length,
 * in case it contains zeros.  0, or an error as above; RN_ETOOBIG when a line and its end are longer than the buffer.
 * -EPIPE: the stream has ended within a line; *line and *n are what there was of it, and RN_EEOF comes next.  In a
 * protocol that is a request which was cut off; in a text file it is the last line. */
RN_PUBLIC int rn_reader_line(rn_reader *r, char **line, size_t *n) RN_MUST_USE;
RN_PUBLIC int rn_reader_line_ctx(rn_context *ctx, rn_reader *r, char **line, size_t *n) RN_MUST_USE;
/* Reads up to the first byte `end`, which is the last of *n bytes at *data (no 0 follows them).  As rn_reader_line. */
RN_PUBLIC int rn_reader_until(rn_reader *r, char end, char **data, size_t *n) RN_MUST_USE;
RN_PUBLIC int rn_reader_until_ctx(rn_context *ctx, rn_reader *r, char end, char **data, size_t *n) RN_MUST_USE;
/* Waits until n bytes have come, and takes none: *data is where they are.  0; RN_EEOF when the stream has ended and
 * nothing is left; -EPIPE when there are fewer than n (reader_buffered tells how many); RN_ETOOBIG for more than the
 * buffer's size; or an error. */
RN_PUBLIC int rn_reader_peek(rn_reader *r, size_t n, char **data) RN_MUST_USE;
RN_PUBLIC int rn_reader_peek_ctx(rn_context *ctx, rn_reader *r, size_t n, char **data) RN_MUST_USE;

/* Reads at most n bytes: what is buffered, or else as rn_net_read does.  Returns how many; 0 at the end (or if n is 0);
 * or an error.  Large reads bypass the buffer. */
RN_PUBLIC ssize_t rn_reader_read(rn_reader *r, void *buf, size_t n);
RN_PUBLIC ssize_t rn_reader_read_ctx(rn_context *ctx, rn_reader *r, void *buf, size_t n);
/* Reads exactly n bytes, of any number: 0; RN_EEOF when the stream ends before the first; -EPIPE when it ends after
 * some; or another error: then what it has read is lost where n is more than the reader's buffer holds, and is kept
 * otherwise. */
RN_PUBLIC int rn_reader_read_full(rn_reader *r, void *buf, size_t n) RN_MUST_USE;
RN_PUBLIC int rn_reader_read_full_ctx(rn_context *ctx, rn_reader *r, void *buf, size_t n) RN_MUST_USE;

/* Passes on what is buffered and all that comes until the end, through the reader's buffer: 0, or an error of either
 * side.  *bytes (may be NULL) is how many bytes have been written, also after an error; to a file, whose own error may come
 * after some more.  What could not be written stays in the buffer.  Closes nothing.  (Go's io.Copy from a bufio.Reader.
 * From one connection straight to another: rn_net_copy.) */
RN_PUBLIC int rn_reader_copy(rn_reader *r, rn_conn *to, uint64_t *bytes);
RN_PUBLIC int rn_reader_copy_ctx(rn_context *ctx, rn_reader *r, rn_conn *to, uint64_t *bytes);
RN_PUBLIC int rn_reader_copy_to_file(rn_reader *r, rn_file *to, uint64_t *bytes);
RN_PUBLIC int rn_reader_copy_to_file_ctx(rn_context *ctx, rn_reader *r, rn_file *to, uint64_t *bytes);

/* How many bytes can be had without waiting.  (A server that gathers its answers sends them when this is 0.)  Does not
 * block. */
RN_PUBLIC size_t rn_reader_buffered(const rn_reader *r);
/* Drops n of the bytes that are buffered, or all of them if n is more; returns how many.  Does not block. */
RN_PUBLIC size_t rn_reader_drop(rn_reader *r, size_t n);

RN_EXTERN_C_END

#ifndef RN_NO_SHORT_NAMES
#define reader_init rn_reader_init
#define reader_init_file rn_reader_init_file
#define reader_init_with rn_reader_init_with
#define reader_line rn_reader_line
#define reader_line_ctx rn_reader_line_ctx
#define reader_until rn_reader_until
#define reader_until_ctx rn_reader_until_ctx
#define reader_peek rn_reader_peek
#define reader_peek_ctx rn_reader_peek_ctx
#define reader_read rn_reader_read
#define reader_read_ctx rn_reader_read_ctx
#define reader_read_full rn_reader_read_full
#define reader_read_full_ctx rn_reader_read_full_ctx
#define reader_copy rn_reader_copy
#define reader_copy_ctx rn_reader_copy_ctx
#define reader_copy_to_file rn_reader_copy_to_file
#define reader_copy_to_file_ctx rn_reader_copy_to_file_ctx
#define reader_buffered rn_reader_buffered
#define reader_drop rn_reader_drop
#endif

#endif
