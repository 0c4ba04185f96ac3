/* What a handler asks of its request. */
#define _GNU_SOURCE 1
#include "http/exchange.h"
#include "base/race.h"
#include "http/conn.h"
#include "http/path.h"
#include <errno.h>
#include <runnel/net.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *find(const struct rn__http_field *f, size_t n, const char *name)
{
    size_t length = strlen(name);
    for (size_t i = 0; i < n; i++)
        if (f[i].name_n == length && strncasecmp(f[i].name, name, length) == 0)
            return f[i].value;
    return NULL;
}

const char *rn_http_request_header(const rn_http_request *r, const char *name)
{
    struct rn_http_writer *x = rn__http_of(r);
    return find(x->fields, x->n_fields, name);
}

bool rn_http_header_at(const rn_http_request *r, size_t i, const char **name, const char **value)
{
    struct rn_http_writer *x = rn__http_of(r);
    if (i >= x->n_fields)
        return false;
    *name = x->fields[i].name;
    *value = x->fields[i].value;
    return true;
}

const char *rn_http_trailer(const rn_http_request *r, const char *name)
{
    struct rn_http_writer *x = rn__http_of(r);
    return x->body_done ? find(x->trailers, x->n_trailers, name) : NULL;
}

const char *rn_http_cookie(const rn_http_request *r, const char *name)
{
    struct rn_http_writer *x = rn__http_of(r);
    size_t n = strlen(name);
    for (size_t i = 0; i < x->n_fields; i++) {
        if (x->fields[i].name_n != 6 || strncasecmp(x->fields[i].name, "cookie", 6) != 0)
            continue;
        for (const char *at = x->fields[i].value; *at; at += *at == ';') {
            at += strspn(at, " \t");
            size_t length = strcspn(at, ";");
            if (length > n && at[n] == '=' && memcmp(at, name, n) == 0) {
                size_t end = length;
                while (end > n + 1 && (at[end - 1] == ' ' || at[end - 1] == '\t'))
                    end--;
                return rn__http_arena_copy(&x->arena, at + n + 1, end - n - 1);
            }
            at += length;
        }
    }
    return NULL;
}

const char *rn_http_query_value(const rn_http_request *r, const char *name)
{
    const char *value;
    size_t n;
    if (!rn__http_find_pair(r->query, name, &value, &n))
        return NULL;
    char *copy = rn__http_arena_copy(&rn__http_of(r)->arena, value, n);
    ptrdiff_t length = copy ? rn__http_decode(copy, n, true) : -1;
    if (length < 0)
        return NULL;
    copy[length] = 0;
    return copy;
}

long rn_http_query_long(const rn_http_request *r, const char *name, long otherwise)
{
    const char *value;
    size_t n;
    char digits[24];
    if (!rn__http_find_pair(r->query, name, &value, &n) || n == 0 || n >= sizeof digits)
        return otherwise;
    memcpy(digits, value, n);
    digits[n] = 0;
    if (digits[strspn(digits, "0123456789-")])
        return otherwise;
    char *end;
    errno = 0;
    long v = strtol(digits, &end, 10);
    return *end || errno ? otherwise : v;
}

const char *rn_http_path_value(const rn_http_request *r, const char *name)
{
    struct rn_http_writer *x = rn__http_of(r);
    for (int i = 0; x->match.route && i < x->match.n; i++) {
        if (!*x->match.route->names[i] || strcmp(x->match.route->names[i], name) != 0)
            continue;
        struct rn__http_span s = x->match.values[i];
        char *copy = rn__http_arena_copy(&x->arena, x->match_path + s.at, s.n);
        for (uint32_t k = 0; copy && k < s.n; k++)
            if (!copy[k])
                copy[k] = '/';
        return copy ? copy : "";
    }
    return "";
}

void *rn_http_arg(const rn_http_request *r)
{
    return rn__http_of(r)->arg;
}

const char *rn_http_pattern(const rn_http_request *r)
{
    const struct rn__http_route *route = rn__http_of(r)->match.route;
    return route ? route->pattern : "";
}

void *rn_http_alloc(const rn_http_request *r, size_t n)
{
    void *p = rn__http_arena_get(&rn__http_of(r)->arena, n);
    return p ? memset(p, 0, n) : NULL;
}

const char *rn_http_remote(const rn_http_request *r)
{
    struct rn_http_writer *x = rn__http_of(r);
    if (!x->remote)
        x->remote = rn__http_conn_remote(x->conn, &x->arena);
    return x->remote ? x->remote : "";
}

/* ---- target ---- */

/* The part of an absolute target "http://host/path" from its path on; NULL when it is none. */
static const char *skip_authority(struct rn_http_writer *x, const char *target, const char *end)
{
    size_t scheme = strncasecmp(target, "http://", 7) == 0 ? 7 : strncasecmp(target, "https://", 8) == 0 ? 8 : 0;
    const char *host = target + scheme, *at = host;
    if (!scheme)
        return NULL;
    while (at < end && *at != '/' && *at != '?')
        at++;
    if (at == host || !rn__http_is_host(host, (size_t)(at - host)))
        return NULL;
    x->r.host = rn__http_arena_copy(&x->arena, host, (size_t)(at - host));
    return x->r.host ? at : NULL;
}

int rn__http_take_target(struct rn_http_writer *x, const char *target, size_t n)
{
    const char *end = target + n, *path = target;
    x->r.target = target;
    x->r.query = "";
    x->clean_path = true;
    if (n == 1 && *target == '*' && strcmp(x->r.method, "OPTIONS") == 0) {
        x->r.path = x->match_path = "*";
        x->match_path_n = 1;
        return 0;
    }
    if (*target != '/')
        path = skip_authority(x, target, end);
    if (!path)
        return 400;
    const char *question = memchr(path, '?', (size_t)(end - path));
    size_t path_n = (size_t)((question ? question : end) - path);
    char *to = rn__http_arena_get(&x->arena, path_n + 2);
    ptrdiff_t decoded = to ? rn__http_path_decode(to, path, path_n, &x->clean_path) : 0;
    if (decoded <= 0)
        return to ? 400 : 500;
    x->r.path = x->match_path = to;
    x->match_path_n = (size_t)decoded;
    if (question)
        x->r.query = question + 1;
    if (memchr(to, 0, (size_t)decoded)) { /* with an encoded '/': for the handler one like the others */
        char *copy = rn__http_arena_copy(&x->arena, to, (size_t)decoded);
        for (ptrdiff_t i = 0; copy && i < decoded; i++)
            if (!copy[i])
                copy[i] = '/';
        x->r.path = copy ? copy : "/";
    }
    return 0;
}

/* ---- body ---- */

/* Until when the next bytes must be there: the grace, and what min_rate allows for what has come. */
static rn_time body_deadline(struct rn_http_writer *x)
{
    const rn_http_options *o = rn__http_server_options(x->server);
    if (!x->body_began)
        x->body_began = rn_now();
    return rn_time_add(x->body_began, rn__http_grace(x->server, o->body_timeout, x->body_total));
}

/* The body is at its end, by right or not: now the client's end can be told, if anybody asked for that. */
static void begin_watch(struct rn_http_writer *x)
{
    if (x->ctx && !x->finished)
        rn_http_context(&x->r);
}

static ptrdiff_t fail_body(struct rn_http_writer *x, int error, int status)
{
    x->body_error = error;
    x->close = true;
    if (!x->head_sent && status)
        x->status = x->body_status = status;
    begin_watch(x);
    return error;
}

ptrdiff_t rn__http_read_body(struct rn_http_writer *x, void *buffer, size_t n)
{
    const rn_http_options *o = rn__http_server_options(x->server);
    if (x->body_error)
        return x->body_error;
    if (x->body_done || n == 0)
        return 0;
    if (o->max_body >= 0 && (x->r.content_length > o->max_body || x->body_total > o->max_body))
        return fail_body(x, -EFBIG, 413);
    if (x->expects_continue) {
        x->expects_continue = false;
        int err = x->head_sent ? 0 : x->carrier->interim(x, 100);
        if (err)
            return fail_body(x, err, 0);
    }
    ptrdiff_t got = x->carrier->read(x, buffer, n, body_deadline(x));
    if (got == 0) {
        x->body_done = true;
        begin_watch(x);
    }
    if (got < 0)
        return fail_body(x, (int)got, got == RN_ETIMEOUT ? 408 : got == RN_EINVAL ? 400 : 0);
    x->body_total += got;
    if (o->max_body >= 0 && x->body_total > o->max_body)
        return fail_body(x, -EFBIG, 413);
    return got;
}

ptrdiff_t rn_http_read(const rn_http_request *r, void *buffer, size_t n)
{
    RN_RACE_CALLED();
    ptrdiff_t got = rn__http_read_body(rn__http_of(r), buffer, n);
    rn__race_write(buffer, got > 0 ? (size_t)got : 0, RN_RACE_PC);
    return got;
}

/* Its Content-Length says that more is to come than `limit` bytes: nobody need send it. */
static bool says_more(const struct rn_http_writer *x, size_t limit)
{
    int64_t left = x->r.content_length - x->body_total;
    return !x->body_done && !x->body_error && left > 0 && (uint64_t)left > limit;
}

int rn_http_read_all(const rn_http_request *r, size_t limit, char **body, size_t *n)
{
    struct rn_http_writer *x = rn__http_of(r);
    if (says_more(x, limit))
        return (int)fail_body(x, -EFBIG, 413);
    size_t room = r->content_length >= 0 && (uint64_t)r->content_length < limit ? (size_t)r->content_length : 4096;
    if (room > limit)
        room = limit;
    char *to = rn__http_arena_get(&x->arena, room + 1);
    size_t have = 0;
    for (;;) {
        char over;
        if (!to)
            return RN_ENOMEM;
        ptrdiff_t got = rn__http_read_body(x, have < room ? to + have : &over, have < room ? room - have : 1);
        if (got < 0)
            return (int)got;
        if (got == 0)
            break;
        if (have == limit)
            return (int)fail_body(x, -EFBIG, 413);
        if (have == room) { /* `over` is the first byte of more */
            size_t more = room < limit / 2 ? room * 2 + 64 : limit;
            char *longer = rn__http_arena_get(&x->arena, more + 1);
            if (longer) {
                memcpy(longer, to, have);
                longer[have] = over;
            }
            to = longer;
            room = more;
            have++;
        } else {
            have += (size_t)got;
        }
    }
    to[have] = 0;
    *body = to;
    *n = have;
    return 0;
}
