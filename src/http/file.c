/* Files as responses: conditions, ranges, and the bytes.
 *
 * A directory is served below a descriptor of it: a path is walked one name at a time with O_NOFOLLOW, so that neither ".."
 * nor a link, nor a rename at the wrong moment, leads out of it. */
#define _GNU_SOURCE 1
#include "base/alloc.h"
#include "http/exchange.h"
#include "sched/sched.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- types ---- */

static const char *type_of(const char *path)
{
    static const char *const types[][2] = {
        {"html", "text/html; charset=utf-8"},
        {"htm", "text/html; charset=utf-8"},
        {"css", "text/css; charset=utf-8"},
        {"js", "text/javascript; charset=utf-8"},
        {"mjs", "text/javascript; charset=utf-8"},
        {"json", "application/json"},
        {"txt", "text/plain; charset=utf-8"},
        {"md", "text/markdown; charset=utf-8"},
        {"csv", "text/csv; charset=utf-8"},
        {"xml", "text/xml; charset=utf-8"},
        {"svg", "image/svg+xml"},
        {"png", "image/png"},
        {"jpg", "image/jpeg"},
        {"jpeg", "image/jpeg"},
        {"gif", "image/gif"},
        {"webp", "image/webp"},
        {"avif", "image/avif"},
        {"ico", "image/vnd.microsoft.icon"},
        {"woff2", "font/woff2"},
        {"woff", "font/woff"},
        {"ttf", "font/ttf"},
        {"pdf", "application/pdf"},
        {"wasm", "application/wasm"},
        {"zip", "application/zip"},
        {"gz", "application/gzip"},
        {"mp3", "audio/mpeg"},
        {"ogg", "audio/ogg"},
        {"wav", "audio/wav"},
        {"mp4", "video/mp4"},
        {"webm", "video/webm"},
    };
    const char *slash = strrchr(path, '/'), *dot = strrchr(slash ? slash : path, '.');
    for (size_t i = 0; dot && i < sizeof types / sizeof *types; i++)
        if (strcasecmp(dot + 1, types[i][0]) == 0)
            return types[i][1];
    return "application/octet-stream";
}

/* ---- conditions ---- */

struct file {
    int fd;
    int64_t size, mtime; /* mtime: seconds */
    char made[64], modified[RN__HTTP_DATE];
    const char *etag, *type; /* made, or the handler's own */
};

/* Whether the list of If-Match or If-None-Match holds the tag.  A weak one, on either side, counts only when `weak`. */
static bool lists_tag(const char *list, const char *etag, bool weak)
{
    bool etag_is_weak = strncmp(etag, "W/", 2) == 0;
    etag += etag_is_weak ? 2 : 0;
    size_t n = strlen(etag);
    while (*list) {
        list += strspn(list, " \t,");
        if (*list == '*')
            return true;
        bool is_weak = strncmp(list, "W/", 2) == 0;
        list += is_weak ? 2 : 0;
        if (*list != '"')
            return false;
        size_t length = strcspn(list + 1, "\"") + 2;
        if (strnlen(list, length) < length)
            return false;
        if (length == n && memcmp(list, etag, n) == 0 && (weak || !(is_weak || etag_is_weak)))
            return true;
        list += length;
    }
    return false;
}

/* The same of a header, which may come several times. */
static bool header_lists_tag(const rn_http_request *r, const char *header, const char *etag, bool weak)
{
    const char *name, *value;
    for (size_t i = 0; rn_http_header_at(r, i, &name, &value); i++)
        if (strcasecmp(name, header) == 0 && lists_tag(value, etag, weak))
            return true;
    return false;
}

/* 0 to go on, 304 or 412, in the order of RFC 9110, 13.2.2. */
static int check_conditions(const rn_http_request *r, const struct file *f)
{
    const char *match = rn_http_request_header(r, "If-Match"), *none = rn_http_request_header(r, "If-None-Match");
    const char *unmodified = rn_http_request_header(r, "If-Unmodified-Since");
    const char *modified = rn_http_request_header(r, "If-Modified-Since");
    int64_t when;
    if (match && !header_lists_tag(r, "If-Match", f->etag, false))
        return 412;
    if (!match && unmodified && (when = rn__http_parse_date(unmodified)) >= 0 && f->mtime > when)
        return 412;
    if (none)
        return header_lists_tag(r, "If-None-Match", f->etag, true) ? 304 : 0;
    if (modified && (when = rn__http_parse_date(modified)) >= 0 && f->mtime <= when)
        return 304;
    return 0;
}

/* ---- ranges ---- */

enum { RANGES = 16 };
struct range {
    int64_t from, n;
};

/* What is beyond all files stays there. */
static bool read_number(const char **at, int64_t *v)
{
    const char *from = *at;
    for (*v = 0; **at >= '0' && **at <= '9'; ++*at)
        *v = *v > INT64_MAX / 10 - 1 ? INT64_MAX - 9 : *v * 10 + (**at - '0');
    return *at > from;
}

/* One "a-b", "a-" or "-n"; false when it is none.  r->n 0: it can't be satisfied. */
static bool read_range(const char **at, int64_t size, struct range *r)
{
    int64_t first = -1, last = size - 1;
    *r = (struct range){0};
    if (**at != '-' && !read_number(at, &first))
        return false;
    if (**at != '-')
        return false;
    ++*at;
    if (**at >= '0' && **at <= '9') {
        if (!read_number(at, &last) || (first >= 0 && last < first))
            return false;
    } else if (first < 0) {
        return false;
    }
    if (first < 0) { /* the last so many */
        first = last < size ? size - last : 0;
        last = size - 1;
    }
    if (last > size - 1)
        last = size - 1;
    *r = (struct range){first, first <= last ? last - first + 1 : 0};
    return true;
}

/* How many ranges are to be sent; 0: all of it; -1: none can be satisfied. */
static int read_ranges(const rn_http_request *r, const struct file *f, struct range *ranges)
{
    const char *at = rn_http_request_header(r, "Range"), *condition = rn_http_request_header(r, "If-Range");
    int n = 0;
    int64_t sum = 0;
    if (!at || strcmp(r->method, "GET") != 0 || strncasecmp(at, "bytes=", 6) != 0)
        return 0;
    if (!f->size) /* no part of it could be had: who reads every file in parts would take that for a failure (as Go and nginx) */
        return 0;
    if (condition && (*condition == '"' ? strcmp(condition, f->etag) != 0 : strcmp(condition, f->modified) != 0))
        return 0;
    for (at += 6;; at++) {
        struct range one;
        at += strspn(at, " \t");
        if (!read_range(&at, f->size, &one))
            return 0;
        at += strspn(at, " \t");
        if (one.n) {
            if (n == RANGES)
                return 0;
            ranges[n++] = one;
            sum += one.n;
        }
        if (*at != ',')
            break;
    }
    if (*at || sum > f->size) /* more than the whole: that is cheaper */
        return 0;
    return n ? n : -1;
}

/* ---- bytes ---- */

static int copy_bytes(struct rn_http_writer *x, int fd, int64_t from, int64_t n)
{
    enum { PIECE = 32 << 10 };
    size_t room = n < PIECE ? (size_t)n : PIECE;
    char *buffer = rn__http_arena_get(&x->arena, room + 1);
    if (!buffer)
        return x->error = RN_ENOMEM;
    while (n > 0) {
        ssize_t got = pread(fd, buffer, n < (int64_t)room ? (size_t)n : room, from);
        if (got <= 0)
            return x->error = RN_EEOF; /* shorter than it was */
        ptrdiff_t sent = rn_http_write(x, buffer, (size_t)got);
        if (sent < 0)
            return (int)sent;
        from += got;
        n -= got;
    }
    return 0;
}

static int send_bytes(struct rn_http_writer *x, int fd, int64_t from, int64_t n)
{
    enum { WORTH_IT = 16 << 10 }; /* below, one write with the head is cheaper */
    if (n < WORTH_IT || !x->carrier->send_file)
        return copy_bytes(x, fd, from, n);
    int err = rn_http_flush(x);
    if (!err && !x->no_body)
        err = x->carrier->send_file(x, fd, from, n);
    if (err == -ENOSYS)
        return copy_bytes(x, fd, from, n);
    if (!err)
        x->written += n;
    return err;
}

static void send_range(struct rn_http_writer *x, const struct file *f, const struct range *r)
{
    char text[96];
    snprintf(text, sizeof text, "bytes %lld-%lld/%lld", (long long)r->from, (long long)(r->from + r->n - 1),
             (long long)f->size);
    rn_http_status(x, 206);
    rn_http_set_header(x, "Content-Range", text);
    x->declared = r->n;
    send_bytes(x, f->fd, r->from, r->n);
}

enum { PART = 256 };
static int part_head(char *to, const struct file *f, const struct range *r, const char *boundary)
{
    return snprintf(to, PART, "\r\n--%s\r\nContent-Type: %s\r\nContent-Range: bytes %lld-%lld/%lld\r\n\r\n", boundary,
                    f->type, (long long)r->from, (long long)(r->from + r->n - 1), (long long)f->size);
}

/* Several ranges: multipart/byteranges. */
static void send_ranges(struct rn_http_writer *x, const struct file *f, const struct range *r, int n)
{
    static const char boundary[] = "runnel-7f3c9a1e5b2d48"; /* a part's length is told by its range */
    char head[PART], end[64];
    int64_t sum = snprintf(end, sizeof end, "\r\n--%s--\r\n", boundary);
    for (int i = 0; i < n; i++)
        sum += part_head(head, f, &r[i], boundary) + r[i].n;
    rn_http_status(x, 206);
    rn_http_set_header(x, "Content-Type", "multipart/byteranges; boundary=runnel-7f3c9a1e5b2d48");
    x->declared = sum;
    for (int i = 0; i < n; i++) {
        rn_http_write(x, head, (size_t)part_head(head, f, &r[i], boundary));
        if (send_bytes(x, f->fd, r[i].from, r[i].n) < 0)
            return;
    }
    rn_http_puts(x, end);
}

/* ---- one file ---- */

static void describe(struct file *f, const struct stat *st, const char *name)
{
    f->size = st->st_size;
    f->mtime = st->st_mtim.tv_sec;
    f->type = type_of(name);
    f->etag = f->made;
    snprintf(f->made, sizeof f->made, "\"%llx.%lx-%llx\"", (long long)st->st_mtim.tv_sec,
             (unsigned long)st->st_mtim.tv_nsec, (long long)st->st_size);
    rn__http_date(f->modified, f->mtime);
}

/* An error instead of the file, of which no longer holds what the handler may have said. */
static void refuse(struct rn_http_writer *x, int status)
{
    static const char *const of_file[] = {"Cache-Control", "Content-Encoding", "ETag", "Last-Modified"};
    for (size_t i = 0; i < sizeof of_file / sizeof *of_file; i++)
        rn_http_set_header(x, of_file[i], NULL);
    rn_http_error(x, status, NULL);
}

static void refuse_range(struct rn_http_writer *x, const struct file *f)
{
    char size[40];
    snprintf(size, sizeof size, "bytes */%lld", (long long)f->size);
    rn_http_set_header(x, "Content-Range", size);
    refuse(x, 416);
}

static void send_whole(struct rn_http_writer *x, const struct file *f)
{
    x->declared = f->size;
    if (strcmp(x->r.method, "HEAD") != 0)
        send_bytes(x, f->fd, 0, f->size);
}

/* What lets a client ask for less the next time. */
static void set_validators(struct rn_http_writer *x, struct file *f)
{
    const char *own = rn_http_get_header(x, "ETag");
    if (own)
        f->etag = own;
    else
        rn_http_set_header(x, "ETag", f->etag);
    rn_http_set_header(x, "Last-Modified", f->modified);
    rn_http_set_header(x, "Accept-Ranges", "bytes");
}

static void respond(struct rn_http_writer *x, struct file *f)
{
    struct range ranges[RANGES];
    bool found = x->status == 200; /* otherwise it is the page of an error, which nobody has a part of, nor a copy */
    if (found)
        set_validators(x, f);
    int status = found ? check_conditions(&x->r, f) : 0;
    if (status) {
        rn_http_status(x, status);
        return;
    }
    if (!rn_http_get_header(x, "Content-Type"))
        rn_http_set_header(x, "Content-Type", f->type);
    int n = found ? read_ranges(&x->r, f, ranges) : 0;
    if (n < 0)
        refuse_range(x, f);
    else if (n == 1)
        send_range(x, f, ranges);
    else if (n > 1)
        send_ranges(x, f, ranges, n);
    else
        send_whole(x, f);
}

static int status_for(int error)
{
    return error == ENOENT || error == ENOTDIR || error == ELOOP || error == ENAMETOOLONG ? 404
           : error == EACCES || error == EPERM                                            ? 403
                                                                                          : 500;
}

static bool readable_method(struct rn_http_writer *x)
{
    if (strcmp(x->r.method, "GET") == 0 || strcmp(x->r.method, "HEAD") == 0)
        return true;
    rn_http_set_header(x, "Allow", "GET, HEAD");
    refuse(x, 405);
    return false;
}

static void close_file(intptr_t fd)
{
    close((int)fd);
}

/* Sends the open file, and closes it. */
static void send_open(struct rn_http_writer *x, int fd, const char *name)
{
    defer(close_file, (intptr_t)fd);
    struct file f = {.fd = fd};
    struct stat st;
    if (fstat(fd, &st) < 0) {
        refuse(x, 500);
    } else if (!S_ISREG(st.st_mode)) {
        refuse(x, 403);
    } else {
        describe(&f, &st, name);
        respond(x, &f);
    }
}

/* A result of open, or the negative errno: apart, so that errno is read on its thread. */
static __attribute__((noinline)) int open_at(int dir, const char *name, int flags)
{
    rn__hib_hold(name, strlen(name) + 1);
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | flags);
    return fd < 0 ? -errno : fd;
}

void rn_http_serve_file(rn_http_writer *w, const rn_http_request *r, const char *path)
{
    (void)r;
    if (!readable_method(w))
        return;
    int fd = open_at(AT_FDCWD, path, 0);
    if (fd < 0)
        refuse(w, status_for(-fd));
    else
        send_open(w, fd, path);
}

/* ---- directories ---- */

struct directory {
    int fd;
};

/* Opens what lies at `path` below dir, one name at a time; the descriptor or a negative errno. */
static int open_below(int dir, const char *path, struct stat *st)
{
    int at = open_at(dir, ".", O_DIRECTORY);
    while (at >= 0 && *path) {
        char name[256];
        size_t n = strcspn(path, "/");
        if (n == 0) {
            path++;
            continue;
        }
        int next = -ENOENT;
        if (n < sizeof name && *path != '.') {
            memcpy(name, path, n);
            name[n] = 0;
            next = open_at(at, name, O_NOFOLLOW | (path[n] == '/' ? O_DIRECTORY : 0));
        }
        close(at);
        at = next;
        path += n;
    }
    if (at >= 0 && fstat(at, st) < 0) {
        close(at);
        return -EIO;
    }
    return at;
}

static void serve_directory(rn_http_writer *w, const rn_http_request *r)
{
    const struct directory *d = rn_http_arg(r);
    struct rn__http_span below = w->match.values[w->match.n - 1];
    const char *path = w->match_path + below.at;
    struct stat st;
    if (!readable_method(w))
        return;
    bool whole = memchr(path, 0, below.n) == NULL; /* no encoded '/' in a name */
    int fd = whole ? open_below(d->fd, path, &st) : -ENOENT;
    if (fd >= 0 && S_ISDIR(st.st_mode)) {
        if (below.n > 0 && path[below.n - 1] != '/') {
            close(fd);
            rn__http_redirect_path(w, true);
            return;
        }
        int index = open_at(fd, "index.html", O_NOFOLLOW);
        close(fd);
        fd = index;
        path = "index.html";
    }
    if (fd < 0)
        refuse(w, status_for(-fd));
    else
        send_open(w, fd, path);
}

/* Ends with the mux. */
void rn__http_directory_free(void *directory)
{
    close(((struct directory *)directory)->fd);
    rn__free(directory);
}

void rn_http_mux_files(rn_http_mux *m, const char *pattern, const char *dir)
{
    size_t n = strlen(pattern);
    if (n == 0 || pattern[n - 1] != '/')
        rn_panic("http: a pattern for files ends in '/': \"%s\"", pattern);
    struct directory *d = rn__malloc(sizeof *d);
    if (!d)
        rn_panic("http: out of memory");
    d->fd = open_at(AT_FDCWD, dir, O_DIRECTORY);
    if (d->fd < 0) {
        int err = d->fd;
        rn__free(d);
        rn_panic("http: %s: %s", dir, rn_strerror(err));
    }
    rn_http_mux_handle_with(m, pattern, serve_directory, d);
    rn__http_mux_own(m, d, rn__http_directory_free);
}
