/* runnel/file.h: files and directories in blocking style: only the goroutine waits.
 *
 *     rn_file *f;
 *     int err = file_open("data", O_RDONLY, 0, &f);
 *     if (err) return err;                                     // -ENOENT …; rn_strerror has the words
 *     defer(file_free, f);
 *     ssize_t n = file_pread(f, buf, sizeof buf, 4096);
 *
 *     char *text; size_t size;
 *     err = file_read_all("/etc/hosts", &text, &size);         // the whole of it
 *     err = file_write_all_ctx(ctx, "out", text, size, 0644);
 *
 *     rn_dir *d;
 *     err = dir_open(".", &d);
 *     for (rn_dirent e; dir_next(d, &e);) puts(e.name);
 *     dir_free(d);
 *
 * What is in the page cache is read and written by the call itself, at the cost of a system call.  A read that must
 * wait for the disk, and every sync, is handed to another thread, so that no other goroutine waits with it.  FIFOs,
 * terminals and other devices wait as connections do, without a thread.  O_CLOEXEC is always set.
 *
 * Contexts.  Each _ctx form returns as soon as its context is done.  A system call on a file can't be interrupted, so
 * it continues without the caller, on memory of the library.  A read that was given up never writes into the caller's
 * buffer afterwards; a write, rename … that was given up may take effect, in part, or not at all.  Therefore such a
 * call (unless its context can never be done, or the data is at hand) costs a copy and a goroutine.  The position of a
 * file after a read or write that was given up is unknown.  On FIFOs and terminals nothing was read if a call was given
 * up.  On a plain thread a call on a file is waited for, whatever happens to its context.
 *
 * Life.  As connections: file_close makes later calls return RN_ECLOSED and wakes those who wait for a FIFO or
 * terminal; the descriptor is given back when the last call under way has returned.  file_free closes if that was not
 * done; nobody may use f afterwards.  An error that the system keeps until the close (NFS, quotas) is told by
 * file_sync.
 *
 * Errors are negative: RN_E…, or the negative of an errno value.  From goroutines and plain threads.  Several may read
 * and write at once; pread and pwrite do not touch the position.  (Go's package os.)
 */
#ifndef RUNNEL_FILE_H
#define RUNNEL_FILE_H

#include <fcntl.h>
#include <runnel/base.h>
#include <runnel/context_type.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

RN_EXTERN_C_BEGIN

typedef struct rn_file rn_file;

/* ---- one file ------------------------------------------------------------------------------- */

/* Opens; flags are open(2)'s, mode counts with O_CREAT.  *out is the caller's to free.  A FIFO is opened
 * when its other end is (give it O_RDWR, or O_NONBLOCK, not to wait). */
RN_PUBLIC int rn_file_open_ctx(rn_context *ctx, const char *path, int flags, mode_t mode, rn_file **out) RN_MUST_USE;
/* An open descriptor as a file, which takes it over.  A FIFO or device is made non-blocking. */
RN_PUBLIC int rn_file_of_fd(int fd, rn_file **out) RN_MUST_USE;
/* 0; RN_ECLOSED when it was.  Does not block. */
RN_PUBLIC int rn_file_close(rn_file *f);
/* Closes if need be, and gives the memory back.  NULL is nothing. */
RN_PUBLIC void rn_file_free(rn_file *f);
/* The descriptor, which stays f's; -1 once closed. */
RN_PUBLIC int rn_file_fd(rn_file *f);

/* Up to n bytes: how many (> 0), 0 at the end.  Fewer than n only at the end, or from a FIFO or device. */
RN_PUBLIC ssize_t rn_file_read_ctx(rn_context *ctx, rn_file *f, void *buf, size_t n);
RN_PUBLIC ssize_t rn_file_pread_ctx(rn_context *ctx, rn_file *f, void *buf, size_t n, int64_t offset);
RN_PUBLIC ssize_t rn_file_readv_ctx(rn_context *ctx, rn_file *f, const struct iovec *iov, int n);
/* All n bytes: n, or an error (-ENOSPC …), after which some may have been written. */
RN_PUBLIC ssize_t rn_file_write_ctx(rn_context *ctx, rn_file *f, const void *buf, size_t n);
RN_PUBLIC ssize_t rn_file_pwrite_ctx(rn_context *ctx, rn_file *f, const void *buf, size_t n, int64_t offset);
RN_PUBLIC ssize_t rn_file_writev_ctx(rn_context *ctx, rn_file *f, const struct iovec *iov, int n);
/* Waits until what was written is on the disk: all of it, or its data and size alone. */
RN_PUBLIC int rn_file_sync_ctx(rn_context *ctx, rn_file *f);
RN_PUBLIC int rn_file_datasync_ctx(rn_context *ctx, rn_file *f);
/* Cuts or extends (with zeros) to `size` bytes. */
RN_PUBLIC int rn_file_truncate_ctx(rn_context *ctx, rn_file *f, int64_t size);
/* Its size, kind, times …: fstat(2). */
RN_PUBLIC int rn_file_stat_ctx(rn_context *ctx, rn_file *f, struct stat *out);
/* The new position (whence: SEEK_SET, SEEK_CUR, SEEK_END), or an error.  Does not block. */
RN_PUBLIC int64_t rn_file_seek(rn_file *f, int64_t offset, int whence);
/* FIFOs, terminals, devices: every wait ends at `when` with RN_ETIMEOUT; 0: none.  -EPERM for others. */
RN_PUBLIC int rn_file_set_deadline(rn_file *f, rn_time when);

/* ---- by name -------------------------------------------------------------------------------- */

/* The whole file; *data, with a 0 behind it, is the caller's to free(). */
RN_PUBLIC int rn_file_read_all_ctx(rn_context *ctx, const char *path, char **data, size_t *size) RN_MUST_USE;
/* Makes or empties the file and writes it.  mode: of one that is new. */
RN_PUBLIC int rn_file_write_all_ctx(rn_context *ctx, const char *path, const void *data, size_t size, mode_t mode);
/* stat(2), and lstat(2), which looks at a symbolic link itself. */
RN_PUBLIC int rn_path_stat_ctx(rn_context *ctx, const char *path, struct stat *out);
RN_PUBLIC int rn_path_lstat_ctx(rn_context *ctx, const char *path, struct stat *out);
/* Replaces `to` if it exists, at one moment. */
RN_PUBLIC int rn_path_rename_ctx(rn_context *ctx, const char *from, const char *to);
/* A file, link or empty directory; and everything below as well, where what does not exist is no error. */
RN_PUBLIC int rn_path_remove_ctx(rn_context *ctx, const char *path);
RN_PUBLIC int rn_path_remove_all_ctx(rn_context *ctx, const char *path);
/* A directory; and those above it that are missing, where one that exists is no error. */
RN_PUBLIC int rn_path_mkdir_ctx(rn_context *ctx, const char *path, mode_t mode);
RN_PUBLIC int rn_path_mkdir_all_ctx(rn_context *ctx, const char *path, mode_t mode);
/* Another name for a file; a symbolic link at `at` that says `to`; what a symbolic link says (its length, at most
 * n - 1, with a 0 behind it). */
RN_PUBLIC int rn_path_link_ctx(rn_context *ctx, const char *from, const char *to);
RN_PUBLIC int rn_path_symlink_ctx(rn_context *ctx, const char *to, const char *at);
RN_PUBLIC ssize_t rn_path_readlink_ctx(rn_context *ctx, const char *path, char *buf, size_t n);
RN_PUBLIC int rn_path_chmod_ctx(rn_context *ctx, const char *path, mode_t mode);

/* ---- directories ---------------------------------------------------------------------------- */

typedef struct rn_dir rn_dir;
typedef struct rn_dirent {
    const char *name;   /* lives as long as its rn_dir */
    unsigned char type; /* DT_REG, DT_DIR, DT_LNK … of <dirent.h>; DT_UNKNOWN where the file system does not say */
} rn_dirent;
/* Reads all entries but "." and "..", in the order of their names; *out is the caller's to free. */
RN_PUBLIC int rn_dir_open_ctx(rn_context *ctx, const char *path, rn_dir **out) RN_MUST_USE;
/* The next entry; false after the last.  One user at a time. */
RN_PUBLIC bool rn_dir_next(rn_dir *d, rn_dirent *e);
/* How many entries it has. */
RN_PUBLIC size_t rn_dir_count(const rn_dir *d);
RN_PUBLIC void rn_dir_free(rn_dir *d);

/* ---- any blocking call ---------------------------------------------------------------------- */

/* Runs f(arg), a function that blocks and can't be interrupted (a database's, libc's), on a goroutine of its own that
 * gives up its processor at once, and waits for it at most until ctx is done.  0: f has returned.  RN_ECANCELED or
 * RN_ETIMEOUT: f was given up, and continues, or was not begun; arg is no longer the caller's, and drop(arg) is called
 * (unless drop is NULL) when f has returned.  RN_ENOMEM: f was not called.  A run that ends waits for f, too, and then
 * calls drop.  f may not call anything of runnel.  A plain thread calls f itself, and waits for it. */
RN_PUBLIC int rn_blocking_ctx(rn_context *ctx, void (*f)(void *), void *arg, void (*drop)(void *));

/* ---- without a context: nothing ends the wait ------------------------------------------------ */

#define rn_file_open(path, flags, mode, out) rn_file_open_ctx(NULL, path, flags, mode, out)
#define rn_file_read(f, buf, n) rn_file_read_ctx(NULL, f, buf, n)
#define rn_file_pread(f, buf, n, offset) rn_file_pread_ctx(NULL, f, buf, n, offset)
#define rn_file_readv(f, iov, n) rn_file_readv_ctx(NULL, f, iov, n)
#define rn_file_write(f, buf, n) rn_file_write_ctx(NULL, f, buf, n)
#define rn_file_pwrite(f, buf, n, offset) rn_file_pwrite_ctx(NULL, f, buf, n, offset)
#define rn_file_writev(f, iov, n) rn_file_writev_ctx(NULL, f, iov, n)
#define rn_file_sync(f) rn_file_sync_ctx(NULL, f)
#define rn_file_datasync(f) rn_file_datasync_ctx(NULL, f)
#define rn_file_truncate(f, size) rn_file_truncate_ctx(NULL, f, size)
#define rn_file_stat(f, out) rn_file_stat_ctx(NULL, f, out)
#define rn_file_read_all(path, data, size) rn_file_read_all_ctx(NULL, path, data, size)
#define rn_file_write_all(path, data, size, mode) rn_file_write_all_ctx(NULL, path, data, size, mode)
#define rn_path_stat(path, out) rn_path_stat_ctx(NULL, path, out)
#define rn_path_lstat(path, out) rn_path_lstat_ctx(NULL, path, out)
#define rn_path_rename(from, to) rn_path_rename_ctx(NULL, from, to)
#define rn_path_remove(path) rn_path_remove_ctx(NULL, path)
#define rn_path_remove_all(path) rn_path_remove_all_ctx(NULL, path)
#define rn_path_mkdir(path, mode) rn_path_mkdir_ctx(NULL, path, mode)
#define rn_path_mkdir_all(path, mode) rn_path_mkdir_all_ctx(NULL, path, mode)
#define rn_path_link(from, to) rn_path_link_ctx(NULL, from, to)
#define rn_path_symlink(to, at) rn_path_symlink_ctx(NULL, to, at)
#define rn_path_readlink(path, buf, n) rn_path_readlink_ctx(NULL, path, buf, n)
#define rn_path_chmod(path, mode) rn_path_chmod_ctx(NULL, path, mode)
#define rn_dir_open(path, out) rn_dir_open_ctx(NULL, path, out)

RN_EXTERN_C_END

#ifndef RN_NO_SHORT_NAMES
#define file_open rn_file_open
#define file_open_ctx rn_file_open_ctx
#define file_of_fd rn_file_of_fd
#define file_close rn_file_close
#define file_free rn_file_free
#define file_fd rn_file_fd
#define file_read rn_file_read
#define file_read_ctx rn_file_read_ctx
#define file_pread rn_file_pread
#define file_pread_ctx rn_file_pread_ctx
#define file_readv rn_file_readv
#define file_readv_ctx rn_file_readv_ctx
#define file_write rn_file_write
#define file_write_ctx rn_file_write_ctx
#define file_pwrite rn_file_pwrite
#define file_pwrite_ctx rn_file_pwrite_ctx
#define file_writev rn_file_writev
#define file_writev_ctx rn_file_writev_ctx
#define file_sync rn_file_sync
#define file_sync_ctx rn_file_sync_ctx
#define file_datasync rn_file_datasync
#define file_datasync_ctx rn_file_datasync_ctx
#define file_truncate rn_file_truncate
#define file_truncate_ctx rn_file_truncate_ctx
#define file_stat rn_file_stat
#define file_stat_ctx rn_file_stat_ctx
#define file_seek rn_file_seek
#define file_set_deadline rn_file_set_deadline
#define file_read_all rn_file_read_all
#define file_read_all_ctx rn_file_read_all_ctx
#define file_write_all rn_file_write_all
#define file_write_all_ctx rn_file_write_all_ctx
#define path_stat rn_path_stat
#define path_stat_ctx rn_path_stat_ctx
#define path_lstat rn_path_lstat
#define path_lstat_ctx rn_path_lstat_ctx
#define path_rename rn_path_rename
#define path_rename_ctx rn_path_rename_ctx
#define path_remove rn_path_remove
#define path_remove_ctx rn_path_remove_ctx
#define path_remove_all rn_path_remove_all
#define path_remove_all_ctx rn_path_remove_all_ctx
#define path_mkdir rn_path_mkdir
#define path_mkdir_ctx rn_path_mkdir_ctx
#define path_mkdir_all rn_path_mkdir_all
#define path_mkdir_all_ctx rn_path_mkdir_all_ctx
#define path_link rn_path_link
#define path_link_ctx rn_path_link_ctx
#define path_symlink rn_path_symlink
#define path_symlink_ctx rn_path_symlink_ctx
#define path_readlink rn_path_readlink
#define path_readlink_ctx rn_path_readlink_ctx
#define path_chmod rn_path_chmod
#define path_chmod_ctx rn_path_chmod_ctx
#define dir_open rn_dir_open
#define dir_open_ctx rn_dir_open_ctx
#define dir_next rn_dir_next
#define dir_count rn_dir_count
#define dir_free rn_dir_free
#endif

#endif
