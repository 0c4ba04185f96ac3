/* What runnel adds to compilers' messages about programs that use it: types as the user wrote them, what to do, and
 * which header declares a name. */
#define _GNU_SOURCE 1
#include "tool.h"
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where a type begins that ends at `at`: behind a quote, or the bar under which gcc writes types. */
static char *type_begin(char *from, char *at)
{
    while (at > from && at[-1] != '\'' && at[-1] != '|' && at[-1] != '\n' && (unsigned char)at[-1] != 0x98)
        at--;
    return at + strspn(at, " ");
}

/* Every "T <stars>(struct rn_chan_of *)" of the message as "<name>(T)"; returns new memory. */
static char *name_channels(char *message, const char *stars, const char *name)
{
    char *pattern = text("%s(struct rn_chan_of *)", stars);
    for (char *at = message; (at = strstr(at, pattern));) {
        char *type = type_begin(message, at);
        size_t n = (size_t)(at - type);
        if (memchr(type, '(', n)) { /* a channel of channels */
            at++;
            continue;
        }
        while (n > 0 && type[n - 1] == ' ')
            n--;
        char *changed =
            text("%.*s%s(%.*s)%s", (int)(type - message), message, name, (int)n, type, at + strlen(pattern));
        at = changed + (type - message);
        message = changed;
    }
    return message;
}

/* clang's 'typeof(…)' (aka 'int') as 'int'. */
static char *drop_typeofs(char *message)
{
    for (char *at = message, *aka, *end; (at = strstr(at, "'typeof"));) {
        end = strchr(at, '\n');
        aka = strstr(at, "' (aka '");
        char *close = aka ? strstr(aka + 8, "')") : NULL;
        if (!close || (end && close > end)) {
            at++;
            continue;
        }
        char *changed = text("%.*s%.*s%s", (int)(at - message), message, (int)(close - aka - 7), aka + 7, close);
        size_t rest = (size_t)(at - message) + (size_t)(close - aka - 7);
        memmove(changed + rest + 1, changed + rest + 2, strlen(changed + rest + 2) + 1); /* the ")" */
        at = changed + (at - message) + 1;
        message = changed;
    }
    return message;
}

char *readable_types(const char *message, size_t n)
{
    char *m = drop_typeofs(text("%.*s", (int)n, message));
    m = name_channels(m, "(**)", "chan");
    m = name_channels(m, "(* const*)", "chan_recv_only");
    m = name_channels(m, "(*const *)", "chan_recv_only");
    m = name_channels(m, "(* volatile*)", "chan_send_only");
    return name_channels(m, "(*volatile *)", "chan_send_only");
}

/* ---- what to do ------------------------------------------------------------------------------------- */

#define ATOMIC                                                                                                                   \
    "rn_atomic_add and its like take the address of an rn_atomic_int, rn_atomic_int64, rn_atomic_bool …; a variable of C11's " \
    "_Atomic needs none of them: v++"

static const struct {
    const char *says, *beside; /* in the message; beside: as well, NULL: nothing */
    const char *hint;
} hints[] = {
    {"is not a function or function pointer", "go(", "go takes a function and its arguments apart: go(f, a, b)"},
    {"is not a function or function pointer", "defer(",
     "defer takes a function and its argument apart: defer(free, p)"},
    {"invalid use of void expression", "defer(", "defer takes a function and its argument apart: defer(free, p)"},
    {"operand of type 'void'", "defer(", "defer takes a function and its argument apart: defer(free, p)"},
    {"expected expression", "defer(",
     "defer is no statement: it belongs to a block, at whose end it runs, and can't be the body of an if or loop; free "
     "and its like take NULL, and need no if"},
    {"returning 'int' from a function with incompatible", "defer(",
     "in a function that returns a struct: defer_in(struct s, f, argument)"},
    {"macro \"chan_recv\"", NULL, "v = chan_recv(c), or chan_next(c, &v), which is false once c is closed and drained"},
    {"too many arguments provided", "chan_recv(",
     "v = chan_recv(c), or chan_next(c, &v), which is false once c is closed and drained"},
    {"macro \"on_recv\"", NULL, "on_recv(c, &v); on_recv(c, NULL) when nobody needs the value"},
    {"too few arguments provided", "on_recv(", "on_recv(c, &v); on_recv(c, NULL) when nobody needs the value"},
    {"macro \"rn_map_load\"", NULL, "map_load(&m, key, &value): whether the key is there"},
    {"too few arguments provided", "map_load(", "map_load(&m, key, &value): whether the key is there"},
    {"excess elements", "rn_unit", "the one value of rn_unit is RN_UNIT"},
    {"rn_case_kind", NULL,
     "chan_select takes cases: on_recv(c, &v), on_send(c, v), on_done(ctx), on_timeout(d), on_default()"},
    {"function returning an array", "chan", "a channel can't carry an array: put it into a struct"},
    {"cannot return array type", "chan", "a channel can't carry an array: put it into a struct"},
    {"invalid type argument of unary", "chan_", "what stands in the place of the channel is none"},
    {"indirection requires pointer operand", "chan_", "what stands in the place of the channel is none"},
    {"in something not a structure", "rn_value", ATOMIC},
    {"invalid type argument of ", "rn_atomic_", ATOMIC},
    {"member reference ", "rn_atomic_", ATOMIC},
    {"conflicting types for", "rn_main", "it is int rn_main(int argc, char **argv)"},
};

const char *hint_for(const char *message)
{
    for (size_t i = 0; i < sizeof hints / sizeof *hints; i++)
        if (strstr(message, hints[i].says) && (!hints[i].beside || strstr(message, hints[i].beside)))
            return hints[i].hint;
    return NULL;
}

/* ---- which header ----------------------------------------------------------------------------------- */

/* The name that a message says is not known; NULL when it says something else. */
static char *unknown_name(const char *message)
{
    static const char *const kinds[] = {"implicit declaration of function ", "unknown type name ",
                                        "use of undeclared identifier ", "call to undeclared function ",
                                        "undeclared (first use"};
    const char *at = NULL, *line = strchrnul(message, '\n');
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds && !at; i++)
        if ((at = strstr(message, kinds[i])) && at < line)
            at = i < 4 ? at + strlen(kinds[i]) : strstr(message, "error: ") + 7;
        else
            at = NULL;
    while (at && at < line && *at != '_' && !isalnum((unsigned char)*at))
        at++;
    size_t n = 0;
    while (at && (at[n] == '_' || isalnum((unsigned char)at[n])))
        n++;
    return n ? text("%.*s", (int)n, at) : NULL;
}

/* Whether the header defines the name as a macro, or declares it as a type. */
static bool declares(const char *header, const char *name)
{
    char *define = text("#define %s", name), *type = text(" %s;", name);
    size_t n = strlen(define);
    for (const char *at = header; (at = strstr(at, define)); at++)
        if (at[n] != '_' && !isalnum((unsigned char)at[n]))
            return true;
    for (const char *at = header, *line; (at = strstr(at, type)); at++) {
        for (line = at; line > header && line[-1] != '\n'; line--)
            ;
        if (*line == '}' || strncmp(line, "typedef ", 8) == 0)
            return true;
    }
    return false;
}

/* As it is included: what is not for itself comes with runnel.h. */
static char *included_as(const char *name)
{
    static const char *const apart[] = {"addr.h",    "fd.h",     "file.h",   "http.h", "http_client.h", "net.h",
                                        "process.h", "reader.h", "signal.h", "test.h", "websocket.h"};
    for (size_t i = 0; i < sizeof apart / sizeof *apart; i++)
        if (strcmp(name, apart[i]) == 0)
            return text("<runnel/%s>", name);
    return text("<runnel.h>");
}

char *header_of(const char *message, const char *include, char **name)
{
    char *found = NULL;
    struct dirent **entries;
    *name = unknown_name(message);
    int n = *name ? scandir(text("%s/runnel", include), &entries, NULL, alphasort) : 0;
    for (int i = 0; i < n && !found; i++) {
        char *header = ends_with(entries[i]->d_name, ".h")
                           ? read_file(text("%s/runnel/%s", include, entries[i]->d_name), NULL)
                           : NULL;
        if (header && declares(header, *name))
            found = included_as(entries[i]->d_name);
        free(header);
    }
    return found;
}
