/* The access log: one line for each request, when it is done. */
#define _GNU_SOURCE 1
#include "http/exchange.h"
#include "http/conn.h"
#include <stdio.h>
#include <string.h>

enum { LINE = 2048 };

/* A line under way; what does not fit is cut off. */
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

/* A client's text, so that it can't end the line or its quotes: "\x0a". */
static void add_escaped(struct line *l, const char *s)
{
    static const char digits[] = "0123456789abcdef";
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c >= ' ' && c < 0x7f && c != '"' && c != '\\')
            add(l, s, 1);
        else
            add(l, (char[]){'\\', 'x', digits[c >> 4], digits[c & 15]}, 4);
    }
}

/* The same within JSON. */
static void add_json(struct line *l, const char *s)
{
    static const char digits[] = "0123456789abcdef";
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c < ' ' || c >= 0x7f || c == '"' || c == '\\')
            add(l, (char[]){'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15]}, 6);
        else
            add(l, s, 1);
    }
}

static void add_number(struct line *l, const char *format, long long v)
{
    char text[64];
    add(l, text, (size_t)snprintf(text, sizeof text, format, v));
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

static void add_quoted(struct line *l, const char *s)
{
    add(l, " \"", 2);
    add_escaped(l, s ? s : "-");
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
    add_escaped(l, x->r.method);
    add(l, " ", 1);
    add_escaped(l, x->r.target);
    add(l, " ", 1);
    add(l, protocol(x), 8);
    add_number(l, "\" %lld", x->status);
    add_number(l, " %lld", (long long)(x->no_body ? 0 : x->written));
    if (combined) {
        add_quoted(l, rn_http_request_header(&x->r, "Referer"));
        add_quoted(l, rn_http_request_header(&x->r, "User-Agent"));
    }
}

static void add_member(struct line *l, const char *name, const char *value)
{
    add(l, ",\"", 2);
    add(l, name, strlen(name));
    add(l, "\":\"", 3);
    add_json(l, value ? value : "");
    add(l, "\"", 1);
}

static void json(struct line *l, struct rn_http_writer *x)
{
    add_number(l, "{\"time\":%lld", (long long)rn__http_wall());
    add_member(l, "remote", rn_http_remote(&x->r));
    add_member(l, "method", x->r.method);
    add_member(l, "host", x->r.host);
    add_member(l, "target", x->r.target);
    add_member(l, "protocol", protocol(x));
    add_number(l, ",\"status\":%lld", x->status);
    add_number(l, ",\"bytes\":%lld", (long long)(x->no_body ? 0 : x->written));
    add_number(l, ",\"microseconds\":%lld", (long long)(rn_since(x->began) / RN_MICROSECOND));
    add_member(l, "user_agent", rn_http_request_header(&x->r, "User-Agent"));
    if (l->n > LINE - 1)
        l->n = LINE - 1; /* cut off within a text: the line is not whole, but is one line */
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
    if (l.n == LINE)
        l.n--;
    l.text[l.n++] = '\n';
    fwrite(l.text, 1, l.n, stdout); /* one call: lines are not mixed */
}
