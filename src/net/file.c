/* Files: see runnel/file.h.
 *
 * A file is the record of its descriptor (fd.h), which the last user closes.  A regular file's calls hold it and
 * go to the kernel; those of a FIFO or device are a connection's.
 *
 * A read first asks for what the page cache has (RWF_NOWAIT), which costs what a read costs, and is known
 * not to wait for the disk; only what is not there is read by a call that is handed off.  A write goes into the
 * page cache, and is made on the spot; where it does block after all the monitor takes the processor away.
 * docs/design/net.md has the figures.
 */
#define _GNU_SOURCE 1
#include "base/alloc.h"
#include "base/race.h"
#include "net/file_op.h"
#include <errno.h>
#include <runnel/context.h>
#include <runnel/file.h>
#include <string.h>
#include <unistd.h>

struct rn_file {
    struct rn__fd fd;
};

static bool is_file(const struct rn_file *f)
{
    return f->fd.flags & RN_FD_FILE;
}

/* A FIFO or device as a connection. */
static rn_conn *conn(rn_file *f)
{
    return (rn_conn *)(void *)&f->fd;
}

/* ---- life -------------------------------------------------------------------------------------------- */

int rn_file_of_fd(int fd, rn_file **out)
{
    struct stat s;
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fstat(fd, &s) != 0)
        return -errno;
    unsigned kind = flags & (O_SYNC | O_DSYNC | O_DIRECT) ? RN_FD_FILE | RN_FD_SYNCED : RN_FD_FILE;
    if (!S_ISREG(s.st_mode) && !S_ISDIR(s.st_mode) && !S_ISBLK(s.st_mode)) {
        kind = RN_FD_FOREIGN | (S_ISSOCK(s.st_mode) ? RN_FD_SOCKET : 0);
        if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)
            return -errno;
    }
    struct rn__fd *f = rn__fd_make(fd, kind);
    if (!f)
        return RN_ENOMEM;
    *out = (rn_file *)(void *)f;
    return 0;
}

int rn_file_open_ctx(rn_context *ctx, const char *path, int flags, mode_t mode, rn_file **out)
{
    struct rn__file_op op = {.call = RN_FILE_OPEN, .path = path, .flags = flags, .mode = mode};
    int64_t fd = rn__file_do(ctx, &op, NULL);
    if (fd < 0)
        return (int)fd;
    int err = rn_file_of_fd((int)fd, out);
    if (err)
        close((int)fd);
    return err;
}

int rn_file_close(rn_file *f)
{
    return rn__fd_close(&f->fd);
}

void rn_file_free(rn_file *f)
{
    if (f)
        rn__fd_free(&f->fd);
}

int rn_file_fd(rn_file *f)
{
    return rn_net_fd(conn(f));
}

int rn_file_set_deadline(rn_file *f, rn_time when)
{
    if (is_file(f))
        return -EPERM;
    rn_net_set_deadline(conn(f), when);
    return 0;
}

/* ---- reading and writing ----------------------------------------------------------------------------- */

/* What the page cache has of it; how many bytes, and in *end whether that is all there is. */
static size_t read_now(int fd, const struct rn__file_op *op, bool *end, int *err)
{
    size_t done = 0;
    *end = op->n == 0;
    *err = 0;
    rn__hib_hold(op->buf, op->n);
    while (done < op->n && !*end) {
        int64_t at = op->call == RN_FILE_READ ? -1 : op->offset + (int64_t)done;
        ssize_t now = rn_os_read_now(fd, (char *)op->buf + done, op->n - done, at);
        if (now < 0) {
            *err = now == -EAGAIN ? 0 : (int)now;
            break;
        }
        done += (size_t)now;
        *end = now == 0;
    }
    return done;
}

/* With the file held. */
static ssize_t read_held(rn_context *ctx, struct rn__file_op *op)
{
    bool end;
    int err = rn_ctx_err(ctx);
    size_t done = err ? 0 : read_now(op->fd, op, &end, &err);
    if (err || end || done == op->n)
        return done || !err ? (ssize_t)done : err;
    struct rn__file_op rest = *op;
    rest.buf = (char *)op->buf + done;
    rest.n -= done;
    rest.offset += (int64_t)done;
    rest.slow = true;
    int64_t more = rn__file_do(ctx, &rest, NULL);
    return more < 0 && !done ? (ssize_t)more : (ssize_t)done + (more > 0 ? (ssize_t)more : 0);
}

/* To the race detector a read of any file comes after every write before it, to whichever, as in Go: nobody knows by
 * what ways two names lead to the same bytes. */
static uint64_t all_files;

static void tell_write(const struct rn__file_op *op)
{
    if (op->call == RN_FILE_WRITE || op->call == RN_FILE_PWRITE)
        rn__race_release(RN_RACE_NAME(&all_files, 0));
}

static void tell_read(const struct rn__file_op *op, int64_t result)
{
    if (result >= 0 && (op->call == RN_FILE_READ || op->call == RN_FILE_PREAD))
        rn__race_acquire(RN_RACE_NAME(&all_files, 0));
}

/* Makes the call on the file that op->f is, which is held meanwhile. */
static int64_t on_file(rn_context *ctx, rn_file *f, struct rn__file_op *op)
{
    int err = rn__fd_hold(&f->fd);
    if (err)
        return err;
    op->f = &f->fd;
    op->fd = f->fd.fd;
    tell_write(op);
    int64_t result =
        op->call == RN_FILE_READ || op->call == RN_FILE_PREAD ? read_held(ctx, op) : rn__file_do(ctx, op, NULL);
    tell_read(op, result);
    rn__fd_drop(&f->fd);
    return result;
}

ssize_t rn_file_read_ctx(rn_context *ctx, rn_file *f, void *buf, size_t n)
{
    RN_RACE_CALLED();
    struct rn__file_op op = {.call = RN_FILE_READ, .buf = buf, .n = n};
    return is_file(f) ? (ssize_t)on_file(ctx, f, &op) : rn_net_read_ctx(ctx, conn(f), buf, n);
}

ssize_t rn_file_pread_ctx(rn_context *ctx, rn_file *f, void *buf, size_t n, int64_t offset)
{
    RN_RACE_CALLED();
    struct rn__file_op op = {.call = RN_FILE_PREAD, .buf = buf, .n = n, .offset = offset};
    if (offset < 0)
        return RN_EINVAL;
    return is_file(f) ? (ssize_t)on_file(ctx, f, &op) : -ESPIPE;
}

static bool is_synced(const rn_file *f)
{
    return f->fd.flags & RN_FD_SYNCED;
}

ssize_t rn_file_write_ctx(rn_context *ctx, rn_file *f, const void *buf, size_t n)
{
    RN_RACE_CALLED();
    struct rn__file_op op = {.call = RN_FILE_WRITE, .data = buf, .n = n, .slow = is_synced(f)};
    return is_file(f) ? (ssize_t)on_file(ctx, f, &op) : rn_net_write_ctx(ctx, conn(f), buf, n);
}

ssize_t rn_file_pwrite_ctx(rn_context *ctx, rn_file *f, const void *buf, size_t n, int64_t offset)
{
    RN_RACE_CALLED();
    struct rn__file_op op = {.call = RN_FILE_PWRITE, .data = buf, .n = n, .offset = offset, .slow = is_synced(f)};
    if (offset < 0)
        return RN_EINVAL;
    return is_file(f) ? (ssize_t)on_file(ctx, f, &op) : -ESPIPE;
}

ssize_t rn_file_readv_ctx(rn_context *ctx, rn_file *f, const struct iovec *iov, int n)
{
    RN_RACE_CALLED();
    ssize_t sum = 0;
    if (!is_file(f))
        return rn_net_readv_ctx(ctx, conn(f), iov, n);
    for (int i = 0; i < n; i++) {
        ssize_t got = rn_file_read_ctx(ctx, f, iov[i].iov_base, iov[i].iov_len);
        if (got < 0)
            return sum ? sum : got;
        sum += got;
        if ((size_t)got < iov[i].iov_len)
            break;
    }
    return sum;
}

ssize_t rn_file_writev_ctx(rn_context *ctx, rn_file *f, const struct iovec *iov, int n)
{
    RN_RACE_CALLED();
    ssize_t sum = 0;
    if (!is_file(f))
        return rn_net_writev_ctx(ctx, conn(f), iov, n);
    for (int i = 0; i < n; i++) {
        ssize_t sent = rn_file_write_ctx(ctx, f, iov[i].iov_base, iov[i].iov_len);
        if (sent < 0)
            return sent;
        sum += sent;
    }
    return sum;
}

/* ---- the rest ---------------------------------------------------------------------------------------- */

int rn_file_sync_ctx(rn_context *ctx, rn_file *f)
{
    struct rn__file_op op = {.call = RN_FILE_SYNC, .slow = true};
    return (int)on_file(ctx, f, &op);
}

int rn_file_datasync_ctx(rn_context *ctx, rn_file *f)
{
    struct rn__file_op op = {.call = RN_FILE_DATASYNC, .slow = true};
    return (int)on_file(ctx, f, &op);
}

int rn_file_truncate_ctx(rn_context *ctx, rn_file *f, int64_t size)
{
    struct rn__file_op op = {.call = RN_FILE_TRUNCATE, .offset = size};
    return (int)on_file(ctx, f, &op);
}

int rn_file_stat_ctx(rn_context *ctx, rn_file *f, struct stat *out)
{
    RN_RACE_CALLED();
    struct rn__file_op op = {.call = RN_FILE_FSTAT, .buf = out, .n = sizeof *out};
    return (int)on_file(ctx, f, &op);
}

/* Not inlined: errno is read on the thread that set it. */
static __attribute__((noinline)) int64_t seek(int fd, int64_t offset, int whence)
{
    off_t at = lseek(fd, (off_t)offset, whence);
    return at < 0 ? -errno : at;
}

int64_t rn_file_seek(rn_file *f, int64_t offset, int whence)
{
    int err = rn__fd_hold(&f->fd);
    if (err)
        return err;
    int64_t at = seek(f->fd.fd, offset, whence);
    rn__fd_drop(&f->fd);
    return at;
}

/* ---- whole files ------------------------------------------------------------------------------------- */

/* Reads to the end, into a block that grows; `first` is a guess of how much it will be. */
static int read_to_end(rn_context *ctx, rn_file *f, size_t first, char **data, size_t *size)
{
    size_t room = first, done = 0;
    char *p = NULL;
    for (ssize_t got = 1; got != 0; done += (size_t)got) {
        if (!p || room - done < 2) {
            room = p ? 2 * room : room;
            char *larger = rn__realloc(p, room);
            if (!larger) {
                rn__free(p);
                return RN_ENOMEM;
            }
            p = larger;
        }
        got = rn_file_read_ctx(ctx, f, p + done, room - done - 1);
        if (got < 0) {
            rn__free(p);
            return (int)got;
        }
    }
    p[done] = 0;
    *data = p;
    *size = done;
    return 0;
}

int rn_file_read_all_ctx(rn_context *ctx, const char *path, char **data, size_t *size)
{
    enum { LEAST = 512 };
    rn_file *f;
    struct stat s;
    int err = rn_file_open_ctx(ctx, path, O_RDONLY, 0, &f);
    if (err)
        return err;
    err = rn_file_stat_ctx(ctx, f, &s);
    /* Some files have more than they say, as those of /proc. */
    size_t first = err || s.st_size < LEAST ? LEAST : (size_t)s.st_size + 2;
    if (!err)
        err = read_to_end(ctx, f, first, data, size);
    rn_file_free(f);
    return err;
}

int rn_file_write_all_ctx(rn_context *ctx, const char *path, const void *data, size_t size, mode_t mode)
{
    RN_RACE_CALLED();
    rn_file *f;
    int err = rn_file_open_ctx(ctx, path, O_WRONLY | O_CREAT | O_TRUNC, mode, &f);
    if (err)
        return err;
    ssize_t sent = rn_file_write_ctx(ctx, f, data, size);
    rn_file_free(f);
    return sent < 0 ? (int)sent : 0;
}
