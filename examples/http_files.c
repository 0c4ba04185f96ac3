/* A place for files: upload them by a form or as they are, list and fetch them, watch one grow.
 *
 *   ./runnel run examples/http_files.c DIRECTORY [ADDRESS [CERTIFICATE KEY]]     :8080; with a certificate: https
 *   ./runnel run examples/http_files.c                                           shows what it does, and ends
 *
 *   GET  /                 the names that are there, and a form
 *   POST /upload           a form with the field "file"
 *   PUT  /files/NAME       the body, of up to 1 GiB, whatever the memory
 *   GET  /files/NAME       the file: also parts of it, and only if it has changed
 *   GET  /size/NAME        its size, once a second, until the client goes
 */
#include <runnel.h>
#include <runnel/file.h>
#include <runnel/http.h>
#include <runnel/net.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PATH = 512 };
static const char *directory;

/* The path of the file of that name; false for a name that may not be: it comes from a stranger. */
static bool path_of(const char *name, const char *end, char to[PATH])
{
    static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    if (!*name || *name == '.' || name[strspn(name, good)])
        return false;
    return snprintf(to, PATH, "%s/%s%s", directory, name, end) < PATH;
}

static void list(http_writer *w, const http_request *r)
{
    rn_dir *d;
    rn_dirent e;
    if (dir_open_ctx(http_context(r), directory, &d) < 0) {
        http_error(w, 500, NULL);
        return;
    }
    defer(dir_free, d);
    http_set_header(w, "Content-Type", "text/html; charset=utf-8");
    http_puts(w, "<!doctype html><title>Files</title><form action=upload method=post enctype=multipart/form-data>"
                 "<input type=file name=file><button>Upload</button></form><ul>");
    char path[PATH];
    while (dir_next(d, &e))
        if (path_of(e.name, "", path)) /* nothing in such a name means anything in HTML */
            http_printf(w, "<li><a href=files/%s>%s</a>", e.name, e.name);
    http_puts(w, "</ul>\n");
}

/* A form is read as a whole, up to 1 MiB. */
static void upload(http_writer *w, const http_request *r)
{
    const void *data;
    const char *name;
    size_t n;
    char path[PATH];
    if (!http_form_file(r, "file", &data, &n, &name) || !path_of(name, "", path))
        http_error(w, 400, "a file with a plain name is wanted");
    else if (file_write_all_ctx(http_context(r), path, data, n, 0644) < 0)
        http_error(w, 500, NULL);
    else
        http_redirect(w, r, "/", 303);
}

/* The body goes to the file piece by piece; it appears when it is whole. */
static int receive(const http_request *r, const char *part)
{
    char piece[16384];
    ptrdiff_t n;
    rn_file *f;
    rn_context *ctx = http_context(r);
    int err = file_open_ctx(ctx, part, O_WRONLY | O_CREAT | O_TRUNC, 0644, &f);
    if (err)
        return err;
    defer(file_free, f);
    while ((n = http_read(r, piece, sizeof piece)) > 0)
        if ((n = file_write_ctx(ctx, f, piece, (size_t)n)) < 0)
            break;
    return (int)n;
}

static void put(http_writer *w, const http_request *r)
{
    static rn_atomic_int uploads; /* two of the same name are two files until they are whole */
    char path[PATH], part[PATH], end[24];
    const char *name = http_path_value(r, "name");
    snprintf(end, sizeof end, "~%d", (int)rn_atomic_add(&uploads, 1));
    if (!path_of(name, "", path) || !path_of(name, end, part)) {
        http_error(w, 400, "a plain name is wanted");
        return;
    }
    int err = receive(r, part);
    if (!err)
        err = path_rename_ctx(http_context(r), part, path);
    if (err) /* a body that is too long, too slow or malformed has its status already */
        path_remove_ctx(ctx_background(), part);
    else
        http_status(w, 201);
}

static void watch(http_writer *w, const http_request *r)
{
    char path[PATH];
    struct stat st;
    rn_context *ctx = http_context(r);
    if (!path_of(http_path_value(r, "name"), "", path)) {
        http_error(w, 404, NULL);
        return;
    }
    do {
        int err = path_stat_ctx(ctx, path, &st);
        http_printf(w, "%lld\n", err ? -1LL : (long long)st.st_size);
    } while (http_flush(w) == 0 && rn_sleep_ctx(ctx, RN_SECOND) == 0);
}

static http_mux *routes(void)
{
    http_mux *m = http_mux_make();
    http_mux_handle(m, "GET /{$}", list);
    http_mux_handle(m, "POST /upload", upload);
    http_mux_handle(m, "PUT /files/{name}", put);
    http_mux_handle(m, "GET /size/{name}", watch);
    http_mux_files(m, "GET /files/", directory);
    return m;
}

/* ---- the demonstration ---- */

static void show(const char *what, const char *url, http_client_request *r)
{
    http_response res = {0};
    defer(http_response_free, &res);
    r->url = url;
    int err = http_do(ctx_background(), r, &res);
    printf("%s: %d %s\n", what, err ? err : res.status, res.body && res.status == 206 ? res.body : "");
}

static void demonstrate(void *arg, const char *address)
{
    char url[128], escape[128];
    (void)arg;
    snprintf(url, sizeof url, "http://%s/files/a.txt", address);
    snprintf(escape, sizeof escape, "http://%s/files/%%2e%%2e%%2fpasswd", address);
    const http_header range[] = {{"Range", "bytes=6-10"}};
    show("put", url, &(http_client_request){.method = "PUT", .body = "Hello there", .body_len = 11});
    show("get the end of it", url, &(http_client_request){.headers = range, .headers_len = 1});
    show("a name that leads out", escape, &(http_client_request){.method = "PUT", .body = "x", .body_len = 1});
    raise(SIGTERM);
}

static void begin(void *arg, const char *address)
{
    static char at[RN_ADDR_TEXT];
    snprintf(at, sizeof at, "%s", address);
    go(demonstrate, arg, at);
}

int rn_main(int argc, char **argv)
{
    static char temporary[] = "/tmp/http_files.XXXXXX";
    bool demo = argc < 2;
    directory = demo ? mkdtemp(temporary) : argv[1];
    struct stat st;
    if (!directory || stat(directory, &st) || !S_ISDIR(st.st_mode)) {
        fprintf(stderr, "http_files: %s is no directory\n", directory ? directory : temporary);
        return 1;
    }
    http_options o = {
        .mux = routes(),
        .max_body = 1 << 30,
        .cert_file = argc > 4 ? argv[3] : NULL,
        .key_file = argc > 4 ? argv[4] : NULL,
        .access_log = demo ? RN_HTTP_LOG_NONE : RN_HTTP_LOG_COMMON,
        .listening = demo ? begin : NULL,
    };
    int err = http_listen_and_serve(demo ? "127.0.0.1:0" : argc > 2 ? argv[2] : ":8080", &o);
    http_mux_free(o.mux);
    if (demo)
        path_remove_all_ctx(ctx_background(), temporary);
    return err ? 1 : 0;
}
