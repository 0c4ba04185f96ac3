/* A call of the kernel on a file or a path, as a record: so that it can be made by the goroutine itself, or
 * apart, where the caller may give it up. */
#ifndef RN_NET_FILE_OP_H
#define RN_NET_FILE_OP_H

#include "net/fd.h"
#include <fcntl.h>
#include <sys/stat.h>

enum rn__file_call {
    RN_FILE_OPEN,
    RN_FILE_READ,
    RN_FILE_WRITE,
    RN_FILE_PREAD,
    RN_FILE_PWRITE,
    RN_FILE_SYNC,
    RN_FILE_DATASYNC,
    RN_FILE_TRUNCATE,
    RN_FILE_FSTAT,
    RN_FILE_STAT,
    RN_FILE_LSTAT,
    RN_FILE_RENAME,
    RN_FILE_UNLINK,
    RN_FILE_RMDIR,
    RN_FILE_MKDIR,
    RN_FILE_LINK,
    RN_FILE_SYMLINK,
    RN_FILE_READLINK,
    RN_FILE_CHMOD,
    RN_FILE_LIST,
};

struct rn__file_op {
    enum rn__file_call call;
    bool slow;        /* known to block: hand off at once */
    struct rn__fd *f; /* held by the caller; NULL for a path */
    int fd, flags;
    mode_t mode;
    const char *path, *path2;
    void *buf; /* read into */
    const void *data;
    size_t n; /* bytes at buf, or data */
    int64_t offset;
    struct rn_dir *dir; /* LIST: the result */
};

/* Makes the call, all of it; its result or a negative errno. */
int64_t rn__file_do(rn_context *ctx, const struct rn__file_op *op, struct rn_dir **dir);
/* The list of a directory, for RN_FILE_LIST: 0 or an error. */
int rn__dir_list(const char *path, struct rn_dir **out);

#endif
