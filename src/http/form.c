/* Forms: application/x-www-form-urlencoded and multipart/form-data (RFC 7578), from a body that is read as a whole. */
#define _GNU_SOURCE 1
#include "http/exchange.h"
#include "http/path.h"
#include <string.h>

enum { FORM_MOST = 1 << 20, PARTS_MOST = 1000 };

struct part {
    const char *name, *filename; /* filename NULL: no file */
    const char *data;
    size_t n;
};

/* Lies in the request's arena. */
struct rn__http_form {
    const char *pairs; /* of an urlencoded one; "" */
    struct part *parts;
    int n;
};

/* Behind a parameter's value: "text" with its quotes, or text. */
static const char *skip_value(const char *at)
{
    if (*at != '"')
        return at + strcspn(at, "; \t");
    for (at++; *at && *at != '"'; at++)
        if (*at == '\\' && at[1])
            at++;
    return *at ? at + 1 : at;
}

/* A copy of the value in the arena, without quotes; NULL: no memory. */
static char *copy_value(struct rn__http_arena *a, const char *at, const char *end)
{
    char *copy = rn__http_arena_get(a, (size_t)(end - at) + 1), *to = copy;
    if (!copy)
        return NULL;
    bool quoted = *at == '"';
    for (at += quoted; at < end && !(quoted && *at == '"'); at++) {
        if (quoted && *at == '\\' && at + 1 < end)
            at++;
        *to++ = *at;
    }
    *to = 0;
    return copy;
}

/* The parameter of a header's value: name="text" or name=text.  A copy in the arena, or NULL. */
static char *parameter(struct rn__http_arena *a, const char *value, const char *name)
{
    size_t n = strlen(name);
    for (const char *at = strchr(value, ';'); at; at = strchr(at, ';')) {
        at += 1 + strspn(at + 1, " \t");
        bool found = strncasecmp(at, name, n) == 0 && at[n] == '=';
        at += strcspn(at, "=;");
        if (*at != '=')
            continue;
        const char *end = skip_value(++at);
        if (found)
            return copy_value(a, at, end);
        at = end;
    }
    return NULL;
}

/* The head of a part, `from` to its empty line; its Content-Disposition decides. */
static bool take_part_head(struct rn__http_arena *a, char *from, size_t n, struct part *p)
{
    for (char *line = from, *end = from + n; line < end;) {
        char *stop = memchr(line, '\r', (size_t)(end - line));
        size_t length = stop ? (size_t)(stop - line) : (size_t)(end - line);
        static const char name[] = "content-disposition:";
        if (length > sizeof name - 1 && strncasecmp(line, name, sizeof name - 1) == 0) {
            char *value = rn__http_arena_copy(a, line + sizeof name - 1, length - sizeof name + 1);
            if (value && (p->name = parameter(a, value, "name")) != NULL)
                p->filename = parameter(a, value, "filename");
        }
        line += length + 2;
    }
    return p->name != NULL;
}

/* Room for as many parts as there can be. */
static struct part *make_parts(struct rn__http_arena *a, const char *body, size_t n, const char *mark, size_t length)
{
    size_t parts = 1;
    const char *end = body + n;
    for (const char *at = body; parts < PARTS_MOST && (at = memmem(at, (size_t)(end - at), mark, length)) != NULL; at++)
        parts++;
    return rn__http_arena_get(a, parts * sizeof(struct part));
}

/* Behind a boundary: the beginning of its line's end, after what may have been put there on the way (RFC 2046, 5.1.1). */
static char *skip_padding(char *at)
{
    return at + strspn(at, " \t");
}

/* Cuts the body, which ends in a 0, at its boundary lines; what is malformed ends it. */
static void take_parts(struct rn__http_arena *a, struct rn__http_form *f, char *body, size_t n, const char *boundary)
{
    size_t length = strlen(boundary);
    char *mark = rn__http_arena_get(a, length + 5), *end = body + n;
    if (!mark || length == 0 || length > 70)
        return;
    memcpy(mark, "\r\n--", 4);
    memcpy(mark + 4, boundary, length + 1);
    f->parts = make_parts(a, body, n, mark, length + 4);
    if (!f->parts)
        return;
    char *at = n >= length + 2 && memcmp(body, mark + 2, length + 2) == 0 ? body + length + 2
                                                                          : memmem(body, n, mark, length + 4);
    if (at && at != body + length + 2)
        at += length + 4;
    while (at && f->n < PARTS_MOST && strncmp(at = skip_padding(at), "\r\n", 2) == 0) {
        char *head = at + 2, *head_end = memmem(at, (size_t)(end - at), "\r\n\r\n", 4);
        if (!head_end)
            break;
        char *data = head_end + 4, *stop = memmem(data - 2, (size_t)(end - data + 2), mark, length + 4);
        if (!stop)
            break;
        struct part p = {.data = data, .n = stop > data ? (size_t)(stop - data) : 0};
        if (head < head_end && take_part_head(a, head, (size_t)(head_end - head), &p))
            f->parts[f->n++] = p;
        at = stop + length + 4;
    }
    for (int i = 0; i < f->n; i++) /* the byte behind is the boundary's, which is not needed any more */
        ((char *)f->parts[i].data)[f->parts[i].n] = 0;
}

static struct rn__http_form *form_of(struct rn_http_writer *x)
{
    if (x->form)
        return x->form;
    struct rn__http_form *f = rn_http_alloc(&x->r, sizeof *f);
    if (!f)
        return NULL;
    x->form = f;
    f->pairs = "";
    const char *type = rn_http_request_header(&x->r, "Content-Type");
    bool encoded = type && strncasecmp(type, "application/x-www-form-urlencoded", 33) == 0;
    bool multipart = type && strncasecmp(type, "multipart/form-data", 19) == 0;
    char *body, *boundary;
    size_t n;
    if ((!encoded && !multipart) || rn_http_read_all(&x->r, FORM_MOST, &body, &n) < 0)
        return f;
    if (encoded)
        f->pairs = body;
    else if ((boundary = parameter(&x->arena, type, "boundary")) != NULL)
        take_parts(&x->arena, f, body, n, boundary);
    return f;
}

const char *rn_http_form_value(const rn_http_request *r, const char *name)
{
    struct rn_http_writer *x = rn__http_of(r);
    struct rn__http_form *f = form_of(x);
    const char *value;
    size_t n;
    for (int i = 0; f && i < f->n; i++)
        if (strcmp(f->parts[i].name, name) == 0)
            return f->parts[i].data;
    if (!f || !rn__http_find_pair(f->pairs, name, &value, &n))
        return rn_http_query_value(r, name);
    char *copy = rn__http_arena_copy(&x->arena, value, n);
    ptrdiff_t length = copy ? rn__http_decode(copy, n, true) : -1;
    if (length < 0)
        return NULL;
    copy[length] = 0;
    return copy;
}

bool rn_http_form_file(const rn_http_request *r, const char *name, const void **data, size_t *n, const char **filename)
{
    struct rn__http_form *f = form_of(rn__http_of(r));
    for (int i = 0; f && i < f->n; i++) {
        const struct part *p = &f->parts[i];
        if (!p->filename || strcmp(p->name, name) != 0)
            continue;
        if (data)
            *data = p->data;
        if (n)
            *n = p->n;
        if (filename)
            *filename = p->filename;
        return true;
    }
    return false;
}
