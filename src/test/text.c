/* Text that a test wrote: bounded, so that a test in a loop can't fill the memory. */
#define _GNU_SOURCE 1
#include "internal.h"
#include <stdlib.h>
#include <string.h>

void rn__text_add(struct rn_text *t, const char *bytes, size_t n)
{
    enum { MOST = RN_TEXT_HEAD + RN_TEXT_TAIL };
    if (!t->at && !(t->at = malloc(MOST)))
        return;
    if (n > RN_TEXT_TAIL) {
        t->lost += n - RN_TEXT_TAIL;
        bytes += n - RN_TEXT_TAIL;
        n = RN_TEXT_TAIL;
    }
    if (t->len + n > MOST) {
        /* The tail keeps the newest: drop what is oldest behind the head. */
        size_t drop = t->len + n - MOST;
        memmove(t->at + RN_TEXT_HEAD, t->at + RN_TEXT_HEAD + drop, t->len - RN_TEXT_HEAD - drop);
        t->len -= drop;
        t->lost += drop;
    }
    memcpy(t->at + t->len, bytes, n);
    t->len += n;
}

static void print_lines(const char *at, size_t len, const char *indent, FILE *to)
{
    while (len > 0) {
        const char *end = memchr(at, '\n', len);
        size_t line = end ? (size_t)(end - at) : len;
        fprintf(to, "%s%.*s\n", indent, (int)line, at);
        size_t step = end ? line + 1 : line;
        at += step;
        len -= step;
    }
}

void rn__text_print(const struct rn_text *t, const char *indent, FILE *to)
{
    if (!t->lost) {
        print_lines(t->at, t->len, indent, to);
        return;
    }
    print_lines(t->at, RN_TEXT_HEAD, indent, to);
    fprintf(to, "%s... %zu bytes left out ...\n", indent, t->lost);
    print_lines(t->at + RN_TEXT_HEAD, t->len - RN_TEXT_HEAD, indent, to);
}

void rn__text_free(struct rn_text *t)
{
    free(t->at);
    *t = (struct rn_text){0};
}
