/* The access log: one line for each request, when it is done. */
#define _GNU_SOURCE 1
#include "http/exchange.h"
#include "http/conn.h"
#include <stdio.h>
#include <string.h>

enum {
    LINE = 2048,
    TEXT = 256, /* of each text of the client's there is room for so much at least, */
    REST = 160, /* and for all that is not the client's, */
    END = 8,    /* of which this may follow the last one */
};

/* A line under way.  Clients' texts are cut where they would not leave room for what follows, so that none hides its
 * status, or makes of the line what a program can't read. */
struct line {
    char text[LINE];
    size_t n;
};

static void add(struct line *l, const char *s, size_t n)
{
    n = n < LINE - l->n ? n : LINE - l->n;
    memcpy(l->text + l->n, s, n);
    l->n += n;
}

/* Adds what stands for a character, if `keep` bytes of the line are left then. */
static bool add_character(struct line *l, const char *s, size_t n, size_t keep)
{
    if (l->n + n + keep > LINE)
        return false;
    add(l, s, n);
    return true;
}

/* A client's text, so that it can't end the line or its quotes: "\x0a". */
static void add_escaped(struct line *l, const char *s, size_t keep)
{
    static const char digits[] = "0123456789abcdef";
    for (bool room = true; *s && room; s++) {
        unsigned char c = (unsigned char)*s;
        if (c >= ' ' && c < 0x7f && c != '"' && c != '\\')
            room = add_character(l, s, 1, keep);
        else
            room = add_character(l, (char[]){'\\', 'x', digits[c >> 4], digits[c & 15]}, 4, keep);
    }
}

/* The same within JSON. */
static void add_json(struct line *l, const char *s, size_t keep)
{
    static const char digits[] = "0123456789abcdef";
    for (bool room = true; *s && room; s++) {
        unsigned char c = (unsigned char)*s;
        if (c < ' ' || c >= 0x7f || c == '"' || c == '\\')
            room = add_character(l, (char[]){'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15]}, 6, keep);
        else
            room = add_character(l, s, 1, keep);
    }
}

static void add_number(struct line *l, const char *format, long long v)
{
    char text[64];
    add(l, text, (size_t)snprintf(text, sizeof text, format, v));
}

/* Whether the client was told any of it: not of a response that was broken off before its head, or whose client had gone. */
static bool was_answered(const struct rn_http_writer *x)
{
    return x->head_sent || x->hijacked;
}

static long long body_bytes(const struct rn_http_writer *x)
{
    return was_answered(x) && !x->no_body ? (long long)x->written : 0;
}

static const char *protocol(const struct rn_http_writer *x)
{
    return x->r.version == 20 ? "HTTP/2.0" : x->r.version == 10 ? "HTTP/1.0" : "HTTP/1.1";
}

static void add_host(struct line *l, struct rn_http_writer *x)
{
    const char *remote = rn_http_remote(&x->r), *colon = strrchr(remote, ':');
    add(l, remote, colon ? (size_t)(colon - remote) : strlen(remote));
    if (!*remote)
        add(l, "-", 1);
}

static void add_quoted(struct line *l, const char *s, size_t keep)
{
    add(l, " \"", 2);
    add_escaped(l, s ? s : "-", keep);
    add(l, "\"", 1);
}

/* As Apache's "common" and "combined". */
static void common(struct line *l, struct rn_http_writer *x, bool combined)
{
    char date[RN__HTTP_DATE], stamp[64];
    rn__http_date(date, rn__http_wall()); /* "Mon, 02 Jan 2006 15:04:05 GMT" */
    snprintf(stamp, sizeof stamp, " - - [%.2s/%.3s/%.4s:%.8s +0000] \"", date + 5, date + 8, date + 12, date + 17);
    add_host(l, x);
    add(l, stamp, strlen(stamp));
    add_escaped(l, x->r.method, REST + 3 * TEXT);
    add(l, " ", 1);
    add_escaped(l, x->r.target, REST + (combined ? 2 * TEXT : 0));
    add(l, " ", 1);
    add(l, protocol(x), 8);
    if (was_answered(x))
        add_number(l, "\" %lld", x->status);
    else
        add(l, "\" -", 3); /* as Apache's */
    add_number(l, " %lld", body_bytes(x));
    if (combined) {
        add_quoted(l, rn_http_request_header(&x->r, "Referer"), TEXT + END);
        add_quoted(l, rn_http_request_header(&x->r, "User-Agent"), END);
    }
}

static void add_member(struct line *l, const char *name, const char *value, size_t keep)
{
    add(l, ",\"", 2);
    add(l, name, strlen(name));
    add(l, "\":\"", 3);
    add_json(l, value ? value : "", keep);
    add(l, "\"", 1);
}

static void json(struct line *l, struct rn_http_writer *x)
{
    add_number(l, "{\"time\":%lld", (long long)rn__http_wall());
    add_member(l, "remote", rn_http_remote(&x->r), 0);
    add_member(l, "method", x->r.method, REST + 3 * TEXT);
    add_member(l, "host", x->r.host, REST + 2 * TEXT);
    add_member(l, "target", x->r.target, REST + TEXT);
    add_member(l, "protocol", protocol(x), 0);
    add_number(l, ",\"status\":%lld", was_answered(x) ? x->status : 0);
    add_number(l, ",\"bytes\":%lld", body_bytes(x));
    add_number(l, ",\"microseconds\":%lld", (long long)(rn_since(x->began) / RN_MICROSECOND));
    add_member(l, "user_agent", rn_http_request_header(&x->r, "User-Agent"), END);
    add(l, "}", 1);
}

void rn__http_log(struct rn_http_writer *x)
{
    const rn_http_options *o = rn__http_server_options(x->server);
    struct line l;
    l.n = 0;
    if (o->access_log == RN_HTTP_LOG_JSON)
        json(&l, x);
    else
        common(&l, x, o->access_log == RN_HTTP_LOG_COMBINED);
    if (o->log) {
        o->log(o->log_arg, l.text, l.n);
        return;
    }
    l.text[l.n++] = '\n';
    fwrite(l.text, 1, l.n, stdout); /* one call: lines are not mixed */
}
