/* libFuzzer's way into the request path: the head (end, parser, target), chunk sizes, trailers, forms' decoding.
 *
 * Beside crashes it looks for contradictions: a head that is found in one piece must be found byte by byte, a path that
 * was cleaned must be clean, and what is taken must not hold what is forbidden. */
#include "http/parse.h"
#include "http/path.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { FIELDS = 64 };

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void try_target(const char *target, size_t n)
{
    char *path = malloc(n + 2), *escaped = malloc(3 * (n + 2) + 1), *again = malloc(3 * (n + 2) + 2);
    bool clean, still;
    ptrdiff_t length = *target == '/' ? rn__http_path_decode(path, target, n, &clean) : -1;
    if (length > 0) {
        must(length <= (ptrdiff_t)n + 1 && path[0] == '/' && !path[length]);
        size_t written = rn__http_path_encode(escaped, path, (size_t)length);
        must(written <= 3 * (size_t)length);
        ptrdiff_t back = rn__http_path_decode(again, escaped, written, &still);
        must(back == length && still && memcmp(again, path, (size_t)length) == 0);
    }
    free(path), free(escaped), free(again);
}

static void try_chunks(const char *s, size_t n)
{
    struct rn__http_chunked c = {0};
    while (n > 0) {
        struct rn__http_chunked before = c;
        ptrdiff_t used = rn__http_chunk_size(&c, s, n);
        if (used <= 0)
            return;
        must((size_t)used <= n && s[used - 1] == '\n' && s[used - 2] == '\r');
        for (ptrdiff_t less = 1; less < used; less += 7) { /* no decision on a part of the line */
            struct rn__http_chunked part = before;
            must(rn__http_chunk_size(&part, s, (size_t)less) == 0);
        }
        s += used;
        n -= (size_t)used;
        if (c.state == RN__CHUNK_TRAILERS) {
            struct rn__http_field fields[FIELDS];
            struct rn__http_head h = {.fields = fields, .room = FIELDS};
            size_t seen = 0;
            ptrdiff_t end = rn__http_head_end(s, n, &seen);
            char *copy = end > 2 ? malloc((size_t)end) : NULL;
            if (copy)
                rn__http_parse_trailers(memcpy(copy, s, (size_t)end), (size_t)end, &h);
            free(copy);
            return;
        }
        size_t skip = c.left < n ? (size_t)c.left : n;
        s += skip;
        n -= skip;
        c.state = RN__CHUNK_SIZE;
    }
}

static void try_head(const char *data, size_t n)
{
    size_t seen = 0, slowly = 0;
    ptrdiff_t end = rn__http_head_end(data, n, &seen), other = 0;
    for (size_t i = 1; i <= n && other == 0; i++)
        other = rn__http_head_end(data, i, &slowly);
    must(end == other);
    if (end <= 2)
        return;
    char *copy = malloc((size_t)end);
    struct rn__http_field fields[FIELDS];
    struct rn__http_head h = {.fields = fields, .room = FIELDS};
    if (rn__http_parse_head(memcpy(copy, data, (size_t)end), (size_t)end, &h) == 0) {
        must(!(h.flags & RN__HTTP_CHUNKED && h.flags & RN__HTTP_LENGTH) && h.length >= -1);
        must(h.version == 10 || (h.version == 11 && h.host && *h.host));
        must(strlen(h.target) == h.target_n && rn__http_is_token(h.method, strlen(h.method)));
        for (size_t i = 0; i < h.n_fields; i++)
            must(strlen(h.fields[i].name) == h.fields[i].name_n && strlen(h.fields[i].value) == h.fields[i].value_n &&
                 rn__http_is_token(h.fields[i].name, h.fields[i].name_n));
        try_target(h.target, h.target_n);
        if (h.flags & RN__HTTP_CHUNKED)
            try_chunks(data + end, n - (size_t)end);
    }
    free(copy);
}

static void try_pairs(const char *data, size_t n)
{
    char *text = malloc(n + 1);
    const char *value;
    size_t length;
    memcpy(text, data, n);
    text[n] = 0;
    if (rn__http_find_pair(text, "a", &value, &length))
        must(value >= text && value + length <= text + n);
    rn__http_list_has(text, "chunked");
    must(rn__http_decode(text, strlen(text), true) <= (ptrdiff_t)n);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const char *text = (const char *)data;
    if (n == 0)
        return 0;
    try_head(text, n);
    try_chunks(text, n);
    try_pairs(text, n);
    return 0;
}
