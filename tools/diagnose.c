/* A compiler's messages, made readable.
 *
 * runnel's operations are macros, and compilers tell about each macro that an error passed through,
 * and once per expansion.  What is left here: each message once, at the user's line, with the text
 * of a static assertion and not its condition.
 *
 * A message is a line "file:line:column: error: …" (or warning, note, fatal error) and what follows
 * up to the next such line: the source line and carets. */
#define _GNU_SOURCE 1
#include "tool.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_head(const char *line, size_t n)
{
    static const char *const kinds[] = {": error: ", ": warning: ", ": note: ", ": fatal error: "};
    if (n > 6 && memcmp(line, "note: ", 6) == 0) /* clang's "(skipping 3 expansions …)" */
        return true;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (memmem(line, n, kinds[i], strlen(kinds[i])))
            return true;
    /* "file.c: In function ‘f’:" is the beginning of something new as well. */
    return n > 0 && line[0] != ' ' && line[n - 1] == ':' && memmem(line, n, ": In function ", 14);
}

static bool is_noise(const char *message, size_t n)
{
    const char *end = memchr(message, '\n', n);
    size_t line = end ? (size_t)(end - message) : n;
    return memmem(message, line, "note: expanded from macro", 25) || memmem(message, line, "note: (skipping ", 16) ||
           memmem(message, line, "note: (near initialization for", 30);
}

/* clang: error: static_assert failed due to requirement '…' "text"; gcc: static assertion failed: "text" */
static bool print_assertion(const char *message, size_t n)
{
    const char *end = memchr(message, '\n', n);
    size_t line = end ? (size_t)(end - message) : n;
    const char *error = memmem(message, line, ": error: static", 15);
    if (!error || message[line - 1] != '"')
        return false;
    const char *quote = message + line - 1;
    while (quote > error && quote[-1] != '"')
        quote--;
    fprintf(stderr, "%.*s: error: %.*s\n", (int)(error - message), message, (int)(message + line - 1 - quote), quote);
    if (end)
        fwrite(end + 1, 1, n - line - 1, stderr);
    return true;
}

/* "file:line:" of a message's first line; 0 when it has none. */
static size_t place_length(const char *head)
{
    const char *colon = strchr(head, ':');
    colon = colon ? strchr(colon + 1, ':') : NULL;
    return colon ? (size_t)(colon - head) : 0;
}

/* Was this very message printed before?  A call that `go` captures is checked against f and again
 * against rn_entry_, which stands for it: one of the two is enough. */
static bool is_repeated(const char *message, size_t n, struct list *seen)
{
    const char *end = memchr(message, '\n', n);
    char *head = text("%.*s", (int)(end ? (size_t)(end - message) : n), message);
    size_t place = strstr(head, "rn_entry_") ? place_length(head) : 0;
    for (int i = 0; i < seen->n; i++)
        if (strcmp(seen->at[i], head) == 0 || (place && strncmp(seen->at[i], head, place) == 0))
            return true;
    list_add(seen, head);
    return false;
}

void diagnose(const char *messages)
{
    struct list seen = {0};
    bool dropped = false; /* notes go with the message that they belong to */
    for (const char *at = messages; *at;) {
        const char *end = at;
        do {
            end = strchrnul(end, '\n');
            end += *end == '\n';
        } while (*end && !is_head(end, (size_t)(strchrnul(end, '\n') - end)));
        size_t n = (size_t)(end - at), line = (size_t)(strchrnul(at, '\n') - at);
        bool note = memmem(at, line, ": note: ", 8);
        if (note && dropped) {
            at = end;
            continue;
        }
        bool noise = is_noise(at, n);
        bool repeated = !noise && is_repeated(at, n, &seen);
        if (!note && !noise)
            dropped = repeated;
        if (!noise && !repeated && !print_assertion(at, n))
            fwrite(at, 1, n, stderr);
        at = end;
    }
}
