/* What a handler does with its response: status, headers, body. */
#define _GNU_SOURCE 1
#include "base/race.h"
#include "http/conn.h"
#include "http/exchange.h"
#include "http/path.h"
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- status and headers ---- */

bool rn_http_status(rn_http_writer *w, int status)
{
    if (w->head_sent || status < 200 || status > 999)
        return false;
    w->status = status;
    w->body_status = 0; /* it is the handler that answers, be it with the same number */
    return true;
}

int rn_http_get_status(const rn_http_writer *w)
{
    return w->status;
}

static struct rn__http_out *find_out(const struct rn_http_writer *x, const char *name, size_t n)
{
    for (size_t i = 0; i < x->n_out; i++)
        if (x->out[i].name_n == n && strncasecmp(x->out[i].name, name, n) == 0)
            return &x->out[i];
    return NULL;
}

bool rn__http_lists(const struct rn_http_writer *x, const char *header, const char *item)
{
    size_t n = strlen(header);
    for (size_t i = 0; i < x->n_out; i++) {
        const struct rn__http_out *o = &x->out[i];
        if (o->name_n == n && strncasecmp(o->name, header, n) == 0 && rn__http_list_has(o->value, item))
            return true;
    }
    return false;
}

static struct rn__http_out *new_out(struct rn_http_writer *x)
{
    if (x->n_out == x->out_room) {
        struct rn__http_out *more = rn__http_arena_get(&x->arena, 2 * x->out_room * sizeof *more);
        if (!more)
            return NULL;
        memcpy(more, x->out, x->n_out * sizeof *more);
        x->out = more;
        x->out_room *= 2;
    }
    return &x->out[x->n_out++];
}

static int64_t length_of(const char *value)
{
    char *end;
    errno = 0;
    long long n = strtoll(value, &end, 10);
    return *end || errno || n < 0 || end == value ? -1 : n;
}

static bool put_header(struct rn_http_writer *x, const char *name, const char *value, bool replace)
{
    size_t name_n = strlen(name), value_n = value ? strlen(value) : 0;
    if (x->finished || !rn__http_is_token(name, name_n) || !rn__http_is_value(value ? value : "", value_n))
        return false;
    struct rn__http_out *o = replace ? find_out(x, name, name_n) : NULL;
    for (struct rn__http_out *other; o && (other = find_out(x, name, name_n)) != NULL;)
        *other = (struct rn__http_out){0}; /* also those that were added beside it */
    if (name_n == 14 && strcasecmp(name, "content-length") == 0) {
        x->declared = value ? length_of(value) : -1;
        return !value || x->declared >= 0; /* the carrier writes it */
    }
    if (!value)
        return true;
    if (name_n == 17 && strcasecmp(name, "transfer-encoding") == 0)
        return false; /* how the body is framed is for the carrier to say */
    char *copy = rn__http_arena_get(&x->arena, name_n + value_n + 2);
    if (!copy || !(o = o ? o : new_out(x)))
        return false;
    memcpy(copy, name, name_n + 1);
    memcpy(copy + name_n + 1, value, value_n + 1);
    *o = (struct rn__http_out){copy, copy + name_n + 1, (uint32_t)name_n, (uint32_t)value_n};
    return true;
}

bool rn_http_set_header(rn_http_writer *w, const char *name, const char *value)
{
    rn__race_read_text(value, RN_RACE_PC);
    if (w->head_sent && !rn__http_lists(w, "Trailer", name)) /* a trailer that was announced is in time yet */
        return false;
    return put_header(w, name, value, true);
}

bool rn_http_add_header(rn_http_writer *w, const char *name, const char *value)
{
    rn__race_read_text(value, RN_RACE_PC);
    return value && !w->head_sent && put_header(w, name, value, false);
}

const char *rn_http_get_header(const rn_http_writer *w, const char *name)
{
    struct rn_http_writer *x = (struct rn_http_writer *)(uintptr_t)w;
    struct rn__http_out *o = find_out(w, name, strlen(name));
    if (o || w->declared < 0 || strcasecmp(name, "content-length") != 0)
        return o ? o->value : NULL;
    char *text = rn__http_arena_get(&x->arena, 24);
    if (text)
        snprintf(text, 24, "%lld", (long long)w->declared);
    return text;
}

int rn_http_interim(rn_http_writer *w, int status)
{
    if (status < 100 || status > 199 || status == 101 || w->head_sent)
        return RN_EINVAL;
    if (status == 100) /* the client has been told to go on */
        w->expects_continue = false;
    return w->r.version == 10 ? 0 : w->carrier->interim(w, status);
}

/* Of a body with a length nothing can follow (HTTP/1). */
static bool has_trailers(const struct rn_http_writer *x)
{
    return x->r.version >= 11 && find_out(x, "Trailer", 7);
}

/* What only the head's sender can tell: called once, when the head is about to leave. */
void rn__http_complete_head(struct rn_http_writer *x, size_t n, bool last)
{
    bool bodyless = x->status == 204 || x->status == 304 || x->status < 200;
    x->no_body = bodyless || strcmp(x->r.method, "HEAD") == 0;
    if (bodyless && x->status != 304)
        x->declared = -1;
    else if (last && !bodyless && x->declared < 0 && (x->written > 0 || !x->no_body) && !has_trailers(x))
        x->declared = x->written;
    if (!bodyless && (n > 0 || x->written > 0) && !find_out(x, "Content-Type", 12))
        put_header(x, "Content-Type", "text/plain; charset=utf-8", false);
    x->head_sent = true;
}

/* ---- body ---- */

int rn__http_send_body(struct rn_http_writer *x, const void *data, size_t n, bool last)
{
    if (x->error)
        return x->error;
    int err = x->carrier->send(x, data, n, last);
    x->body_n = 0;
    if (err)
        x->error = err;
    return err;
}

static ptrdiff_t put(struct rn_http_writer *w, const void *data, size_t n)
{
    if (w->error)
        return w->error;
    if (w->finished || w->hijacked)
        return RN_ECLOSED;
    if (w->declared >= 0 && w->written + (int64_t)n > w->declared && !w->no_body)
        return -EMSGSIZE; /* more than the Content-Length that was set */
    w->written += (int64_t)n;
    if (w->body_n + n <= RN__HTTP_BODY) {
        memcpy(w->body + w->body_n, data, n);
        w->body_n += n;
        return (ptrdiff_t)n;
    }
    int err = rn__http_send_body(w, data, n, false);
    return err ? err : (ptrdiff_t)n;
}

ptrdiff_t rn_http_write(rn_http_writer *w, const void *data, size_t n)
{
    RN_RACE_CALLED();
    rn__race_read(data, n, RN_RACE_PC);
    return put(w, data, n);
}

int64_t rn_http_written(const rn_http_writer *w)
{
    return w->written;
}

ptrdiff_t rn_http_puts(rn_http_writer *w, const char *text)
{
    RN_RACE_CALLED();
    rn__race_read_text(text, RN_RACE_PC);
    return put(w, text, strlen(text));
}

/* Into the buffer at once, where it fits. */
ptrdiff_t rn_http_printf(rn_http_writer *w, const char *format, ...)
{
    RN_RACE_CALLED();
    va_list args, again;
    size_t room = w->error || w->finished || w->declared >= 0 ? 0 : RN__HTTP_BODY - w->body_n;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(room ? w->body + w->body_n : NULL, room, format, args);
    va_end(args);
    ptrdiff_t result = n;
    if (n >= 0 && (size_t)n < room) {
        w->body_n += (size_t)n;
        w->written += n;
    } else if (n >= 0) {
        char *text = malloc((size_t)n + 1);
        if (text)
            vsnprintf(text, (size_t)n + 1, format, again);
        result = text ? put(w, text, (size_t)n) : RN_ENOMEM;
        free(text);
    }
    va_end(again);
    return n < 0 ? RN_EINVAL : result;
}

int rn_http_flush(rn_http_writer *w)
{
    if (w->finished || w->hijacked)
        return RN_ECLOSED;
    return rn__http_send_body(w, NULL, 0, false);
}

void rn_http_abort(rn_http_writer *w)
{
    if (w->finished || w->hijacked)
        return;
    w->body_n = 0;
    w->error = w->error ? w->error : RN_ECLOSED; /* what is broken off otherwise, too */
}

/* Less than the Content-Length that was set: the handler could not do it all. */
static bool falls_short(const struct rn_http_writer *x)
{
    return x->declared >= 0 && x->written < x->declared && strcmp(x->r.method, "HEAD") != 0 && x->status != 204 &&
           x->status != 304;
}

void rn__http_finish(struct rn_http_writer *x)
{
    if (x->finished || x->hijacked)
        return;
    if (falls_short(x)) { /* only a broken connection can tell, behind the length that was promised */
        if (!x->head_sent)
            rn__http_send_body(x, NULL, 0, false);
        x->error = x->error ? x->error : RN_EINVAL;
    }
    if (x->error)
        x->close = true;
    else
        rn__http_send_body(x, NULL, 0, true);
    x->finished = true;
}

/* ---- ready-made ---- */

void rn_http_error(rn_http_writer *w, int status, const char *text)
{
    RN_RACE_CALLED();
    if (w->head_sent)
        return;
    w->body_n = 0;
    w->written = 0;
    w->declared = -1;
    rn_http_status(w, status);
    rn_http_set_header(w, "Content-Type", "text/plain; charset=utf-8");
    rn_http_set_header(w, "X-Content-Type-Options", "nosniff");
    rn_http_printf(w, "%s\n", text ? text : rn_http_status_text(status));
}

/* "https://…", but also "mailto:…" and "com.example.app:/…". */
static bool has_scheme(const char *url)
{
    size_t n = 0;
    while (isalnum((unsigned char)url[n]) || (n && url[n] && strchr("+-.", url[n])))
        n++;
    return isalpha((unsigned char)*url) && url[n] == ':';
}

/* The URL as it can stand in Location, in the arena: a relative one begins beside the request's path.  NULL: no
 * memory. */
static const char *location(struct rn_http_writer *x, const char *url)
{
    const char *path = x->match_path;
    const char *slash = *url == '/' || has_scheme(url) ? NULL : memrchr(path, '/', x->match_path_n);
    size_t n = slash ? (size_t)(slash - path) + 1 : 0;
    char *to = rn__http_arena_get(&x->arena, 3 * (n + strlen(url)) + 1);
    if (to)
        rn__http_url_encode(to + rn__http_path_encode(to, path, n), url);
    return to;
}

void rn_http_redirect(rn_http_writer *w, const rn_http_request *r, const char *url, int status)
{
    rn__race_read_text(url, RN_RACE_PC);
    if (w->head_sent)
        return;
    const char *to = location(w, url);
    rn_http_status(w, status);
    if (!to || !rn_http_set_header(w, "Location", to)) {
        rn_http_error(w, 500, NULL);
        return;
    }
    if (strcmp(r->method, "GET") == 0 && !rn_http_get_header(w, "Content-Type")) /* else the body is the handler's */
        rn_http_printf(w, "%s\n", rn_http_status_text(status));
}
