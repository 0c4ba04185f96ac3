/* Calls on files: made here, or apart when a context may end the wait.
 *
 * Apart means: on memory of the library.  What is written is copied first, what is read is copied to the caller
 * once it is known that the caller still waits; paths are copied; the record of the file is held until
 * the call has returned.  So what is given up can touch nothing of the caller's.
 *
 * Tried and rejected: io_uring; docs/design/net.md says what was measured.
 */
#define _GNU_SOURCE 1
#include "net/file_op.h"
#include "base/alloc.h"
#include "net/job.h"
#include <errno.h>
#include <runnel/context.h>
#include <runnel/file.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- the calls -------------------------------------------------------------------------------------- */

static int64_t read_some(const struct rn__file_op *op, size_t done)
{
    char *to = (char *)op->buf + done;
    if (op->call == RN_FILE_READ)
        return read(op->fd, to, op->n - done);
    return pread(op->fd, to, op->n - done, (off_t)(op->offset + (int64_t)done));
}

static int64_t write_some(const struct rn__file_op *op, size_t done)
{
    const char *from = (const char *)op->data + done;
    if (op->call == RN_FILE_WRITE)
        return write(op->fd, from, op->n - done);
    return pwrite(op->fd, from, op->n - done, (off_t)(op->offset + (int64_t)done));
}

/* All n bytes, or those up to the end; an error only when nothing was read or written before (for a write: always). */
static int64_t transfer(const struct rn__file_op *op, int64_t (*some)(const struct rn__file_op *, size_t), bool writes)
{
    size_t done = 0;
    while (done < op->n) {
        int64_t now = some(op, done);
        if (now < 0 && errno == EINTR)
            continue;
        if (now < 0)
            return done && !writes ? (int64_t)done : -errno;
        if (now == 0)
            break;
        done += (size_t)now;
    }
    return (int64_t)done;
}

static int64_t again_if_interrupted(const struct rn__file_op *op, int (*call)(const struct rn__file_op *))
{
    int r;
    do
        r = call(op);
    while (r < 0 && errno == EINTR);
    return r < 0 ? -errno : r;
}

static int do_path(const struct rn__file_op *op)
{
    switch (op->call) {
    case RN_FILE_OPEN:
        return open(op->path, op->flags | O_CLOEXEC, op->mode);
    case RN_FILE_STAT:
        return stat(op->path, op->buf);
    case RN_FILE_LSTAT:
        return lstat(op->path, op->buf);
    case RN_FILE_RENAME:
        return rename(op->path, op->path2);
    case RN_FILE_UNLINK:
        return unlink(op->path);
    case RN_FILE_RMDIR:
        return rmdir(op->path);
    case RN_FILE_MKDIR:
        return mkdir(op->path, op->mode);
    case RN_FILE_LINK:
        return link(op->path, op->path2);
    case RN_FILE_SYMLINK:
        return symlink(op->path, op->path2);
    case RN_FILE_READLINK:
        return (int)readlink(op->path, op->buf, op->n);
    default:
        return chmod(op->path, op->mode);
    }
}

static int do_file(const struct rn__file_op *op)
{
    switch (op->call) {
    case RN_FILE_SYNC:
        return fsync(op->fd);
    case RN_FILE_DATASYNC:
        return fdatasync(op->fd);
    case RN_FILE_TRUNCATE:
        return ftruncate(op->fd, (off_t)op->offset);
    default:
        return fstat(op->fd, op->buf);
    }
}

/* What the kernel is about to use may be on the stack of a goroutine that is put away. */
static void hold(const struct rn__file_op *op)
{
    if (op->buf)
        rn__hib_hold(op->buf, op->n);
    if (op->data)
        rn__hib_hold(op->data, op->n);
    if (op->path)
        rn__hib_hold(op->path, strlen(op->path) + 1);
    if (op->path2)
        rn__hib_hold(op->path2, strlen(op->path2) + 1);
}

/* Not inlined: errno is read on the thread that set it. */
static __attribute__((noinline)) int64_t perform(struct rn__file_op *op)
{
    hold(op);
    switch (op->call) {
    case RN_FILE_READ:
    case RN_FILE_PREAD:
        return transfer(op, read_some, false);
    case RN_FILE_WRITE:
    case RN_FILE_PWRITE:
        return transfer(op, write_some, true);
    case RN_FILE_SYNC:
    case RN_FILE_DATASYNC:
    case RN_FILE_TRUNCATE:
    case RN_FILE_FSTAT:
        return again_if_interrupted(op, do_file);
    case RN_FILE_LIST:
        return rn__dir_list(op->path, &op->dir);
    default:
        return again_if_interrupted(op, do_path);
    }
}

/* ---- apart ------------------------------------------------------------------------------------------ */

/* A call with copies of all that it needs, in one block. */
struct apart {
    struct rn__file_op op;
    int64_t result;
    char bytes[];
};

static bool reads(const struct rn__file_op *op)
{
    return op->buf != NULL;
}

static struct apart *copy_of(const struct rn__file_op *op)
{
    size_t path = op->path ? strlen(op->path) + 1 : 0, path2 = op->path2 ? strlen(op->path2) + 1 : 0;
    /* The buffer first: it is aligned as a struct stat wants it. */
    struct apart *a = rn__malloc(sizeof *a + op->n + path + path2);
    if (!a)
        return NULL;
    a->op = *op;
    a->result = 0;
    if (reads(op))
        a->op.buf = a->bytes;
    else if (op->data)
        a->op.data = memcpy(a->bytes, op->data, op->n);
    if (path)
        a->op.path = memcpy(a->bytes + op->n, op->path, path);
    if (path2)
        a->op.path2 = memcpy(a->bytes + op->n + path, op->path2, path2);
    return a;
}

static void perform_apart(void *arg)
{
    struct apart *a = arg;
    a->result = perform(&a->op);
}

/* Nobody waits for it any more. */
static void drop(void *arg)
{
    struct apart *a = arg;
    if (a->op.call == RN_FILE_OPEN && a->result > 0)
        close((int)a->result - 1);
    rn_dir_free(a->op.dir);
    if (a->op.f && !rn__job_run_over)
        rn__fd_drop(a->op.f);
    rn__free(a);
}

/* What OPEN returns is told apart from "was not done" by one more. */
static void open_apart(void *arg)
{
    struct apart *a = arg;
    int64_t fd = perform(&a->op);
    a->result = fd < 0 ? fd : fd + 1;
}

static int64_t take_result(struct apart *a, const struct rn__file_op *op, struct rn_dir **dir)
{
    int64_t result = a->result;
    size_t got = op->call == RN_FILE_FSTAT || op->call == RN_FILE_STAT || op->call == RN_FILE_LSTAT ? op->n
                 : result > 0                                                                       ? (size_t)result
                                                                                                    : 0;
    if (reads(op) && result >= 0)
        memcpy(op->buf, a->op.buf, got);
    if (op->call == RN_FILE_OPEN && result > 0)
        result--;
    if (op->call == RN_FILE_LIST)
        *dir = a->op.dir;
    rn__free(a);
    return result;
}

int64_t rn__file_do(rn_context *ctx, const struct rn__file_op *op, struct rn_dir **dir)
{
    if (rn__done_never(ctx)) {
        struct rn__file_op here = *op;
        if (op->slow)
            rn_blocking_enter();
        int64_t result = perform(&here);
        if (op->slow)
            rn_blocking_leave();
        if (dir)
            *dir = here.dir;
        return result;
    }
    int err = rn_ctx_err(ctx);
    struct apart *a = err ? NULL : copy_of(op);
    if (!a)
        return err ? err : RN_ENOMEM;
    if (op->f && (err = rn__fd_hold(op->f)) != 0) {
        rn__free(a);
        return err;
    }
    err = rn__job_run(ctx, op->call == RN_FILE_OPEN ? open_apart : perform_apart, a, drop);
    if (err == RN_ENOMEM)
        drop(a);
    if (err)
        return err;
    if (op->f)
        rn__fd_drop(op->f);
    return take_result(a, op, dir);
}
