/* A compiler's messages, made readable.
 *
 * runnel's operations are macros, and compilers tell about each macro that an error passed through,
 * and once per expansion.  What is left here: each message once, at the user's line, with the text
 * of a static assertion and not its condition, and types as they are written (chan(int)).  Behind them comes what
 * hints.c knows about them.
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
        fputs(readable_types(end + 1, n - line - 1), stderr);
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

/* What a compiler says about the rest of a macro, once something in it made no sense. */
static bool is_follow_up(const char *message, size_t n, const struct list *seen)
{
    static const char *const follow_ups[] = {"__builtin_call_with_static_chain",
                                             "__builtin_choose_expr",
                                             "expression in static assertion is not",
                                             "-Wint-to-pointer-cast",
                                             "-Wint-to-void-pointer-cast",
                                             "void value not ignored",
                                             "invalid use of void expression"};
    size_t place = place_length(message), kinds = sizeof follow_ups / sizeof *follow_ups, k = 0;
    while (k < kinds && !memmem(message, n, follow_ups[k], strlen(follow_ups[k])))
        k++;
    for (int i = 0; k < kinds && place && i < seen->n; i++)
        if (strncmp(seen->at[i], message, place) == 0 && strstr(seen->at[i], ": error: "))
            return true;
    return false;
}

static bool has(const struct list *l, const char *line)
{
    for (int i = 0; i < l->n; i++)
        if (strcmp(l->at[i], line) == 0)
            return true;
    return false;
}

/* What is said about the messages behind all of them, each thing once. */
struct advice {
    struct list lines, headers;
    bool macro; /* one was called wrongly: that its name is not known means nothing then */
};

static void advise(const char *message, const char *include, struct advice *a)
{
    const char *hint = hint_for(message);
    char *name, *header = header_of(message, include, &name);
    if (hint && !has(&a->lines, hint))
        list_add(&a->lines, hint);
    a->macro |= strstr(message, "error: macro \"") || strstr(message, "function-like macro invocation");
    if (header && !a->macro && !has(&a->headers, header)) {
        list_add(&a->headers, header);
        list_add(&a->lines, text("%s is declared in %s", name, header));
    }
}

/* Where the next message begins, "" behind the last. */
static const char *next_message(const char *at)
{
    do {
        at = strchrnul(at, '\n');
        at += *at == '\n';
    } while (*at && !is_head(at, (size_t)(strchrnul(at, '\n') - at)));
    return at;
}

void diagnose(const char *messages, const char *include)
{
    struct list seen = {0};
    struct advice advice = {0};
    bool dropped = false; /* notes go with the message that they belong to */
    for (const char *at = messages, *end; *at; at = end) {
        end = next_message(at);
        size_t n = (size_t)(end - at), line = (size_t)(strchrnul(at, '\n') - at);
        bool note = memmem(at, line, ": note: ", 8);
        if (is_noise(at, n) || (note && dropped))
            continue;
        bool drop = is_follow_up(at, n, &seen) || is_repeated(at, n, &seen);
        dropped = note ? dropped : drop;
        if (drop)
            continue;
        if (!print_assertion(at, n))
            fputs(readable_types(at, n), stderr);
        advise(text("%.*s", (int)n, at), include, &advice);
    }
    for (int i = 0; i < advice.lines.n; i++)
        say("%s", advice.lines.at[i]);
}
