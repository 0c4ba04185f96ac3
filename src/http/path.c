/* See path.h. */
#include "http/path.h"
#include <runnel/http.h>
#include <string.h>

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* The byte that "%XX" stands for; -1. */
static int escaped(const char *s, const char *end)
{
    if (end - s < 3 || hex(s[1]) < 0 || hex(s[2]) < 0)
        return -1;
    return hex(s[1]) << 4 | hex(s[2]);
}

/* Takes the last segment of a path away: "/a/b" -> "/a". */
static char *up(char *from, char *to)
{
    while (to > from && *--to != '/')
        ;
    return to;
}

/* Ends a segment that begins behind the '/' at `slash`; where to go on.  Sets *changed when it was not to stay. */
static char *end_segment(char *begin, char *slash, char *to, bool last, bool *changed)
{
    size_t n = (size_t)(to - slash - 1);
    bool dot = n == 1 && slash[1] == '.', dots = n == 2 && slash[1] == '.' && slash[2] == '.';
    if (!dot && !dots && (n > 0 || last))
        return to;
    *changed = true;
    to = dots ? up(begin, slash) : slash;
    if (last)
        *to++ = '/';
    return to;
}

ptrdiff_t rn__http_path_decode(char *to, const char *path, size_t n, bool *clean)
{
    const char *end = path + n;
    char *begin = to, *slash = to;
    bool changed = false;
    *to++ = '/';
    for (const char *s = path + 1; s < end; s++) {
        if (*s == '/') {
            to = end_segment(begin, slash, to, false, &changed);
            slash = to;
            *to++ = '/';
        } else if (*s == '%') {
            int c = escaped(s, end);
            if (c <= 0)
                return -1;
            *to++ = c == '/' ? 0 : (char)c;
            s += 2;
        } else {
            *to++ = *s;
        }
    }
    to = end_segment(begin, slash, to, true, &changed);
    *to = 0;
    *clean = !changed;
    return to - begin;
}

/* "c" or "%XX"; how many bytes. */
static size_t encode(char to[3], unsigned char c, const char *others)
{
    static const char digits[] = "0123456789ABCDEF";
    bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr(others, c));
    to[0] = plain ? (char)c : '%';
    to[1] = digits[c >> 4];
    to[2] = digits[c & 15];
    return plain ? 1 : 3;
}

size_t rn__http_path_encode(char *to, const char *path, size_t n)
{
    char *begin = to;
    for (size_t i = 0; i < n; i++)
        to += path[i] ? encode(to, (unsigned char)path[i], "-._~/!$&'()*+,;=:@") : encode(to, '/', "");
    *to = 0;
    return (size_t)(to - begin);
}

void rn__http_url_encode(char *to, const char *url)
{
    for (; *url; url++)
        if (*url & 0x80)
            to += encode(to, (unsigned char)*url, "");
        else
            *to++ = *url;
    *to = 0;
}

size_t rn_http_escape(char *to, size_t n, const char *text)
{
    size_t all = 0, used = 0;
    for (; *text; text++) {
        char c[3];
        size_t m = encode(c, (unsigned char)*text, "-._~");
        if (used == all && all + m < n) {
            memcpy(to + used, c, m);
            used += m;
        }
        all += m;
    }
    if (n)
        to[used] = 0;
    return all;
}

ptrdiff_t rn__http_decode(char *s, size_t n, bool plus)
{
    char *to = s;
    for (const char *from = s, *end = s + n; from < end; from++) {
        if (*from == '%') {
            int c = escaped(from, end);
            if (c < 0)
                return -1;
            *to++ = (char)c;
            from += 2;
        } else {
            *to++ = plus && *from == '+' ? ' ' : *from;
        }
    }
    return to - s;
}

ptrdiff_t rn_http_unescape(char *s, bool plus)
{
    ptrdiff_t n = rn__http_decode(s, strlen(s), plus);
    if (n >= 0)
        s[n] = 0;
    return n;
}

/* Whether n undecoded bytes are the name. */
static bool is_name(const char *s, size_t n, const char *name)
{
    const char *end = s + n;
    for (; s < end && *name; s++, name++) {
        int c = *s == '%' ? escaped(s, end) : *s == '+' ? ' ' : (unsigned char)*s;
        if (c != (unsigned char)*name)
            return false;
        if (*s == '%')
            s += 2;
    }
    return s == end && !*name;
}

bool rn__http_find_pair(const char *pairs, const char *name, const char **value, size_t *n)
{
    for (const char *at = pairs; *at; at += *at == '&') {
        size_t length = strcspn(at, "&");
        const char *equals = memchr(at, '=', length);
        size_t name_n = equals ? (size_t)(equals - at) : length;
        if (length && is_name(at, name_n, name)) {
            *value = equals ? equals + 1 : at + length;
            *n = length - name_n - (equals != NULL);
            return true;
        }
        at += length;
    }
    return false;
}
