/* See parse.h.  The order: rn__http_head_end sees that lines end in CRLF and nothing else does; llhttp cuts the head into
 * its parts and checks their characters; check_… refuses what it lets pass, and what makes no sense as a
 * whole. */
#define _GNU_SOURCE 1
#include "llhttp_names.h"
#include <llhttp.h>
#include "http/parse.h"
#include <string.h>

/* ---- characters ---- */

static const uint8_t kinds[256] = {
#define T 1 /* token */
#define H 2 /* host */
#define V 4 /* header value */
#define N 8 /* name of a host, without its port */
    ['\t'] = V,
    [' '] = V,
    ['"'] = V,
    ['('] = V,
    [')'] = V,
    [','] = V,
    ['/'] = V,
    [':'] = V | H,
    [';'] = V,
    ['<'] = V,
    ['='] = V,
    ['>'] = V,
    ['?'] = V,
    ['@'] = V,
    ['['] = V | H,
    ['\\'] = V,
    [']'] = V | H,
    ['{'] = V,
    ['}'] = V,
    ['!'] = T | V,
    ['#' ... '$'] = T | V,
    ['&' ... '\''] = T | V,
    ['*'] = T | V,
    ['+'] = T | V,
    ['-' ... '.'] = T | V | H | N,
    ['0' ... '9'] = T | V | H | N,
    ['A' ... 'Z'] = T | V | H | N,
    ['^'] = T | V,
    ['_'] = T | V | H | N,
    ['`'] = T | V,
    ['a' ... 'z'] = T | V | H | N,
    ['|'] = T | V,
    ['~'] = T | V | H | N,
    ['%'] = T | V | H | N,
    [0x80 ... 0xff] = V,
};

static bool all_of(const char *s, size_t n, uint8_t kind)
{
    uint8_t all = kind;
    for (size_t i = 0; i < n; i++)
        all &= kinds[(uint8_t)s[i]];
    return all & kind;
}

bool rn__http_is_token(const char *s, size_t n)
{
    return n > 0 && all_of(s, n, T);
}

bool rn__http_is_value(const char *s, size_t n)
{
    return all_of(s, n, V);
}

bool rn__http_is_host(const char *s, size_t n)
{
    enum { PORT = 6 }; /* with its colon */
    const char *end = s + n, *at = s;
    if (n && *s == '[') { /* an IPv6 address */
        const char *close = memchr(s, ']', n);
        if (!close || close == s + 1 || !all_of(s, (size_t)(close - s), H))
            return false;
        at = close + 1;
    } else {
        while (at < end && kinds[(uint8_t)*at] & N)
            at++;
    }
    if (at == end)
        return true;
    if (*at != ':' || at == s || end - at > PORT) /* a port alone is no host */
        return false;
    for (at++; at < end; at++)
        if (*at < '0' || *at > '9')
            return false;
    return true;
}
#undef T
#undef H
#undef V
#undef N

bool rn__http_list_has(const char *list, const char *item)
{
    size_t n = strlen(item);
    while (*list) {
        list += strspn(list, " \t,");
        size_t length = strcspn(list, " \t,");
        if (length == n && strncasecmp(list, item, n) == 0)
            return true;
        list += length;
    }
    return false;
}

/* ---- lines ---- */

ptrdiff_t rn__http_head_end(const char *buf, size_t n, size_t *seen)
{
    while (*seen < n) { /* *seen is the beginning of a line */
        const char *line = buf + *seen, *end = memchr(line, '\n', n - *seen);
        const char *cr = memchr(line, '\r', end ? (size_t)(end - line) : n - *seen);
        if (!end)
            return cr && cr + 1 < buf + n ? -400 : 0; /* a CR that no LF follows */
        if (!cr || cr + 1 != end)
            return -400;
        *seen = (size_t)(end + 1 - buf);
        if (cr == line)
            return (ptrdiff_t)*seen;
        if ((*line == ' ' || *line == '\t') && line > buf)
            return -400; /* a folded line */
    }
    return 0;
}

/* ---- llhttp ---- */

struct parsing {
    llhttp_t parser;
    struct rn__http_head *h;
    size_t target_n;
    bool too_many;
};

static struct parsing *of(llhttp_t *parser)
{
    return (struct parsing *)(void *)parser;
}

static int on_url(llhttp_t *parser, const char *at, size_t n)
{
    struct parsing *p = of(parser);
    if (!p->target_n)
        p->h->target = at;
    p->target_n += n;
    return 0;
}

static int on_field(llhttp_t *parser, const char *at, size_t n)
{
    struct parsing *p = of(parser);
    struct rn__http_head *h = p->h;
    if (h->n_fields == h->room) {
        p->too_many = true;
        return HPE_USER;
    }
    h->fields[h->n_fields] = (struct rn__http_field){.name = at, .name_n = (uint32_t)n};
    return 0;
}

static int on_value(llhttp_t *parser, const char *at, size_t n)
{
    struct rn__http_field *f = &of(parser)->h->fields[of(parser)->h->n_fields];
    if (!f->value)
        f->value = at;
    f->value_n += (uint32_t)n;
    return 0;
}

static int on_value_complete(llhttp_t *parser)
{
    of(parser)->h->n_fields++;
    return 0;
}

static int on_headers(llhttp_t *parser)
{
    (void)parser;
    return 2; /* whatever follows is not llhttp's */
}

static const llhttp_settings_t settings = {
    .on_url = on_url,
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_header_value_complete = on_value_complete,
    .on_headers_complete = on_headers,
};

/* ---- what is wrong with it ---- */

/* The version that the request line ends in, where it is HTTP/ with one digit on each side of its dot; or NULL. */
static char *version_of(char *buf, size_t n)
{
    char *end = memchr(buf, '\r', n), *v = end - 8;
    bool is = v > buf && v[-1] == ' ' && memcmp(v, "HTTP/", 5) == 0 && v[5] >= '0' && v[5] <= '9' && v[6] == '.' &&
              v[7] >= '0' && v[7] <= '9';
    return is ? v : NULL;
}

/* Whether it is one that could be meant, but is not ours. */
static bool other_version(char *buf, size_t n)
{
    const char *v = version_of(buf, n);
    return v && v[5] != '1';
}

/* A minor version above ours means that the request may be read as one of ours (RFC 9110, 2.5); llhttp would refuse it. */
static void lower_version(char *buf, size_t n)
{
    char *v = version_of(buf, n);
    if (v && v[5] == '1' && v[7] > '1')
        v[7] = '1';
}

/* The status for a head that llhttp refuses. */
static int refuse(char *buf, size_t n, llhttp_errno_t err)
{
    const char *blank = memchr(buf, ' ', n);
    if (err == HPE_INVALID_METHOD && blank && rn__http_is_token(buf, (size_t)(blank - buf)))
        return 501;
    return err == HPE_INVALID_VERSION && other_version(buf, n) ? 505 : 400;
}

/* The request line by itself: METHOD, one blank, target, one blank, HTTP/1.x. */
static int check_line(char *buf, size_t n, struct rn__http_head *h, const llhttp_t *parser, size_t target_n)
{
    char *blank = strpbrk(buf, " \r"), *end = (char *)h->target + target_n;
    if (other_version(buf, n))
        return 505;
    if (!h->target || *blank != ' ' || blank + 1 != h->target || *end != ' ' || memcmp(end + 1, "HTTP/1.", 7) != 0 ||
        end[9] != '\r')
        return 400;
    for (const char *s = h->target; s < end; s++)
        if (*s <= ' ' || *s == '#' || *s >= 0x7f || (*s & 0x80))
            return 400;
    h->version = 10 + llhttp_get_http_minor((llhttp_t *)parser);
    h->method = buf;
    *blank = *end = 0;
    h->target_n = target_n;
    return 0;
}

static bool is(const struct rn__http_field *f, const char *name)
{
    return strncasecmp(f->name, name, f->name_n) == 0;
}

static int take_length(struct rn__http_head *h, const struct rn__http_field *f)
{
    int64_t length = 0;
    if (h->flags & RN__HTTP_LENGTH || f->value_n == 0 || f->value_n > 18)
        return 400;
    for (uint32_t i = 0; i < f->value_n; i++) {
        if (f->value[i] < '0' || f->value[i] > '9')
            return 400;
        length = length * 10 + f->value[i] - '0';
    }
    h->flags |= RN__HTTP_LENGTH;
    h->length = length;
    return 0;
}

/* Only "chunked" is known, once and last; the fields of this name are one list.  What follows it, or lacks it, leaves no end
 * that could be told: 400 (RFC 9112, 6.3).  What came before it is not understood: 501. */
static int take_encoding(struct rn__http_head *h, const struct rn__http_field *f)
{
    const char *at = f->value + strspn(f->value, " \t,");
    if (h->version < 11 || !*at)
        return 400;
    for (; *at; at += strspn(at, " \t,")) {
        size_t n = strcspn(at, ",");
        const char *next = at + n;
        while (n && (at[n - 1] == ' ' || at[n - 1] == '\t'))
            n--;
        if (h->flags & RN__HTTP_CHUNKED)
            return 400;
        h->flags |= n == 7 && strncasecmp(at, "chunked", 7) == 0 ? RN__HTTP_CHUNKED : RN__HTTP_CODED;
        at = next;
    }
    return 0;
}

static void take_connection(struct rn__http_head *h, const struct rn__http_field *f)
{
    if (rn__http_list_has(f->value, "close"))
        h->flags |= RN__HTTP_CLOSE;
    if (rn__http_list_has(f->value, "keep-alive"))
        h->flags |= RN__HTTP_KEEP_ALIVE;
    if (rn__http_list_has(f->value, "upgrade"))
        h->flags |= RN__HTTP_UPGRADE;
}

/* The fields that decide how the message is read. */
static int take_field(struct rn__http_head *h, const struct rn__http_field *f)
{
    switch (f->name_n) {
    case 4:
        if (is(f, "host")) {
            if (h->host || !rn__http_is_host(f->value, f->value_n) || (f->value_n == 0 && h->version > 10))
                return 400;
            h->host = f->value;
        }
        return 0;
    case 6:
        if (is(f, "expect")) {
            if (strcasecmp(f->value, "100-continue") != 0)
                return 417;
            h->flags |= h->version >= 11 ? RN__HTTP_CONTINUE : 0;
        }
        return 0;
    case 7:
        if (is(f, "upgrade") && rn__http_list_has(f->value, "h2c"))
            h->flags |= RN__HTTP_H2C;
        return 0;
    case 10:
        if (is(f, "connection"))
            take_connection(h, f);
        return 0;
    case 14:
        return is(f, "content-length") ? take_length(h, f) : 0;
    case 17:
        return is(f, "transfer-encoding") ? take_encoding(h, f) : 0;
    }
    return 0;
}

/* Cuts a field out of the buffer; false when there is a blank before its colon or a character that may not be there. */
static bool cut_field(struct rn__http_field *f)
{
    char *name_end = (char *)f->name + f->name_n;
    if (*name_end != ':' || !rn__http_is_token(f->name, f->name_n))
        return false;
    *name_end = 0;
    while (f->value_n && (f->value[f->value_n - 1] == ' ' || f->value[f->value_n - 1] == '\t'))
        f->value_n--;
    if (!rn__http_is_value(f->value, f->value_n))
        return false;
    if (f->value_n)
        ((char *)f->value)[f->value_n] = 0;
    else
        f->value = name_end; /* in the head, as all of its text: conn.c moves it */
    return true;
}

static int check_fields(struct rn__http_head *h)
{
    for (size_t i = 0; i < h->n_fields; i++) {
        int status = cut_field(&h->fields[i]) ? take_field(h, &h->fields[i]) : 400;
        if (status)
            return status;
    }
    if (h->flags & (RN__HTTP_CHUNKED | RN__HTTP_CODED) && h->flags & RN__HTTP_LENGTH)
        return 400;
    if (!h->host && h->version > 10)
        return 400;
    if (h->flags & RN__HTTP_CODED)
        return h->flags & RN__HTTP_CHUNKED ? 501 : 400;
    return 0;
}

int rn__http_parse_head(char *buf, size_t n, struct rn__http_head *h)
{
    struct parsing p = {.h = h};
    *h = (struct rn__http_head){.fields = h->fields, .room = h->room, .length = -1};
    if (n < 4 || !rn__http_is_token(buf, 1))
        return 400;
    lower_version(buf, n);
    llhttp_init(&p.parser, HTTP_REQUEST, &settings);
    llhttp_errno_t err = llhttp_execute(&p.parser, buf, n);
    if (p.too_many)
        return 431;
    if (err != HPE_PAUSED_UPGRADE)
        return refuse(buf, n, err);
    if (p.parser.method > HTTP_SOURCE || p.parser.method == HTTP_CONNECT)
        return 501; /* RTSP's, and no proxy is here */
    int status = check_line(buf, n, h, &p.parser, p.target_n);
    return status ? status : check_fields(h);
}

int rn__http_parse_trailers(char *buf, size_t n, struct rn__http_head *h)
{
    for (char *line = buf, *end; line < buf + n; line = end + 2) {
        end = memchr(line, '\r', (size_t)(buf + n - line));
        if (!end || end == line)
            return end ? 0 : 400;
        char *colon = memchr(line, ':', (size_t)(end - line)), *value = colon ? colon + 1 : NULL;
        if (!colon)
            return 400;
        if (h->n_fields == h->room)
            return 431;
        value += strspn(value, " \t");
        struct rn__http_field f = {line, value, (uint32_t)(colon - line), (uint32_t)(end - value)};
        if (!cut_field(&f))
            return 400;
        h->fields[h->n_fields++] = f;
    }
    return 400;
}

/* ---- chunks ---- */

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

ptrdiff_t rn__http_chunk_size(struct rn__http_chunked *c, const char *s, size_t n)
{
    enum { DIGITS = 15, FREE = 16, EXCESS = 16 << 10 };
    const char *end = memchr(s, '\n', n < RN__CHUNK_LINE ? n : RN__CHUNK_LINE);
    size_t i = 0, length = end ? (size_t)(end - s) : n;
    uint64_t size = 0;
    for (; i < length && hex(s[i]) >= 0; i++) {
        if (i == DIGITS)
            return -1;
        size = size << 4 | (unsigned)hex(s[i]);
    }
    if (i == 0 && length > 0)
        return -1;
    if (i < length && s[i] != '\r' && s[i] != ';')
        return -1; /* a blank too: it was the way to smuggle */
    if (!end) {
        const char *cr = memchr(s, '\r', length);
        return n >= RN__CHUNK_LINE || (cr && cr + 1 < s + n) ? -1 : 0;
    }
    if (length == 0 || s[length - 1] != '\r' || !rn__http_is_value(s + i, length - 1 - i))
        return -1;
    uint64_t justified = size < UINT64_MAX - FREE ? size + FREE : size;
    c->excess = c->excess + length > justified ? c->excess + length - justified : 0;
    if (c->excess > EXCESS)
        return -1;
    c->left = size;
    c->state = size ? RN__CHUNK_DATA : RN__CHUNK_TRAILERS;
    return (ptrdiff_t)length + 1;
}
