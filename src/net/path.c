/* Files and directories by name: see runnel/file.h. */
#define _GNU_SOURCE 1
#include "base/alloc.h"
#include "net/file_op.h"
#include <dirent.h>
#include <errno.h>
#include <runnel/file.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int one(rn_context *ctx, enum rn__file_call call, const char *path)
{
    struct rn__file_op op = {.call = call, .path = path};
    return (int)rn__file_do(ctx, &op, NULL);
}

static int two(rn_context *ctx, enum rn__file_call call, const char *path, const char *path2)
{
    struct rn__file_op op = {.call = call, .path = path, .path2 = path2};
    return (int)rn__file_do(ctx, &op, NULL);
}

static int look(rn_context *ctx, enum rn__file_call call, const char *path, struct stat *out)
{
    struct rn__file_op op = {.call = call, .path = path, .buf = out, .n = sizeof *out};
    return (int)rn__file_do(ctx, &op, NULL);
}

int rn_path_stat_ctx(rn_context *ctx, const char *path, struct stat *out)
{
    return look(ctx, RN_FILE_STAT, path, out);
}

int rn_path_lstat_ctx(rn_context *ctx, const char *path, struct stat *out)
{
    return look(ctx, RN_FILE_LSTAT, path, out);
}

int rn_path_rename_ctx(rn_context *ctx, const char *from, const char *to)
{
    return two(ctx, RN_FILE_RENAME, from, to);
}

int rn_path_link_ctx(rn_context *ctx, const char *from, const char *to)
{
    return two(ctx, RN_FILE_LINK, from, to);
}

int rn_path_symlink_ctx(rn_context *ctx, const char *to, const char *at)
{
    return two(ctx, RN_FILE_SYMLINK, to, at);
}

ssize_t rn_path_readlink_ctx(rn_context *ctx, const char *path, char *buf, size_t n)
{
    if (n == 0)
        return RN_EINVAL;
    struct rn__file_op op = {.call = RN_FILE_READLINK, .path = path, .buf = buf, .n = n - 1};
    ssize_t got = (ssize_t)rn__file_do(ctx, &op, NULL);
    if (got >= 0)
        buf[got] = 0;
    return got;
}

int rn_path_chmod_ctx(rn_context *ctx, const char *path, mode_t mode)
{
    struct rn__file_op op = {.call = RN_FILE_CHMOD, .path = path, .mode = mode};
    return (int)rn__file_do(ctx, &op, NULL);
}

int rn_path_mkdir_ctx(rn_context *ctx, const char *path, mode_t mode)
{
    struct rn__file_op op = {.call = RN_FILE_MKDIR, .path = path, .mode = mode};
    return (int)rn__file_do(ctx, &op, NULL);
}

/* Makes one of the directories above, or the last; one that exists is no error. */
static int mkdir_if_missing(rn_context *ctx, const char *path, mode_t mode)
{
    struct stat s;
    int err = rn_path_mkdir_ctx(ctx, path, mode);
    if (err != -EEXIST)
        return err;
    err = rn_path_stat_ctx(ctx, path, &s);
    return err ? err : S_ISDIR(s.st_mode) ? 0 : -ENOTDIR;
}

int rn_path_mkdir_all_ctx(rn_context *ctx, const char *path, mode_t mode)
{
    size_t n = strlen(path) + 1;
    char *copy = rn__malloc(n);
    if (!copy)
        return RN_ENOMEM;
    memcpy(copy, path, n);
    int err = 0;
    for (char *slash = copy; !err && (slash = strchr(slash + 1, '/')) != NULL;) {
        *slash = 0;
        err = mkdir_if_missing(ctx, copy, mode);
        *slash = '/';
    }
    if (!err)
        err = mkdir_if_missing(ctx, copy, mode);
    rn__free(copy);
    return err;
}

/* ---- removing ---------------------------------------------------------------------------------------- */

int rn_path_remove_ctx(rn_context *ctx, const char *path)
{
    int err = one(ctx, RN_FILE_UNLINK, path);
    if (err != -EISDIR && err != -EPERM)
        return err;
    int dir = one(ctx, RN_FILE_RMDIR, path);
    return dir == -ENOTDIR ? err : dir;
}

static int remove_entries(rn_context *ctx, const char *path)
{
    rn_dir *d;
    int err = rn_dir_open_ctx(ctx, path, &d);
    if (err)
        return err;
    for (rn_dirent e; !err && rn_dir_next(d, &e);) {
        size_t n = strlen(path) + strlen(e.name) + 2;
        char *below = rn__malloc(n);
        if (below) {
            snprintf(below, n, "%s/%s", path, e.name);
            err = rn_path_remove_all_ctx(ctx, below);
            rn__free(below);
        } else {
            err = RN_ENOMEM;
        }
    }
    rn_dir_free(d);
    return err;
}

int rn_path_remove_all_ctx(rn_context *ctx, const char *path)
{
    int err = rn_path_remove_ctx(ctx, path);
    if (err == -ENOTEMPTY || err == -EEXIST) {
        err = remove_entries(ctx, path);
        if (!err)
            err = rn_path_remove_ctx(ctx, path);
    }
    return err == -ENOENT ? 0 : err;
}

/* ---- directories ------------------------------------------------------------------------------------- */

/* All entries: names one behind the other, and where each begins. */
struct rn_dir {
    struct entry {
        char *name;
        unsigned char type;
    } * entries;
    size_t n, room, next;
};

void rn_dir_free(rn_dir *d)
{
    if (!d)
        return;
    for (size_t i = 0; i < d->n; i++)
        rn__free(d->entries[i].name);
    rn__free(d->entries);
    rn__free(d);
}

static int add_entry(struct rn_dir *d, const struct dirent *e)
{
    if (d->n == d->room) {
        size_t room = d->room ? 2 * d->room : 32;
        struct entry *entries = rn__realloc(d->entries, room * sizeof *entries);
        if (!entries)
            return RN_ENOMEM;
        d->entries = entries;
        d->room = room;
    }
    size_t n = strlen(e->d_name) + 1;
    char *name = rn__malloc(n);
    if (!name)
        return RN_ENOMEM;
    memcpy(name, e->d_name, n);
    d->entries[d->n++] = (struct entry){name, e->d_type};
    return 0;
}

static int read_entries(DIR *from, struct rn_dir *d)
{
    int err = 0;
    for (;;) {
        errno = 0;
        struct dirent *e = readdir(from);
        if (!e)
            return -errno;
        bool self = strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0;
        if (!self && (err = add_entry(d, e)) != 0)
            return err;
    }
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

int rn__dir_list(const char *path, struct rn_dir **out)
{
    DIR *from = opendir(path);
    if (!from)
        return -errno;
    struct rn_dir *d = rn__calloc(1, sizeof *d);
    int err = d ? read_entries(from, d) : RN_ENOMEM;
    closedir(from);
    if (err) {
        rn_dir_free(d);
        return err;
    }
    if (d->n)
        qsort(d->entries, d->n, sizeof *d->entries, by_name);
    *out = d;
    return 0;
}

int rn_dir_open_ctx(rn_context *ctx, const char *path, rn_dir **out)
{
    struct rn__file_op op = {.call = RN_FILE_LIST, .path = path};
    return (int)rn__file_do(ctx, &op, out);
}

bool rn_dir_next(rn_dir *d, rn_dirent *e)
{
    if (d->next == d->n)
        return false;
    *e = (rn_dirent){d->entries[d->next].name, d->entries[d->next].type};
    d->next++;
    return true;
}

size_t rn_dir_count(const rn_dir *d)
{
    return d->n;
}
