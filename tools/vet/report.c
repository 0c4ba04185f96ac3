/* What was found: kept, put in order, silenced where the source says so, printed. */
#define _GNU_SOURCE 1
#include "vet.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct finding {
    struct place at;
    const char *rule;
    char *text;
};
static struct finding *findings;
static int n, room;

static struct source {
    const char *name; /* interned */
    char **line;
    int lines;
} * sources;
static int source_count;

static struct source *source_of(const char *file)
{
    for (int i = 0; i < source_count; i++)
        if (strcmp(sources[i].name, file) == 0)
            return &sources[i];
    sources = realloc(sources, (size_t)(source_count + 1) * sizeof *sources);
    if (!sources)
        die(STATUS_FAILED, "out of memory");
    struct source *s = &sources[source_count++];
    *s = (struct source){.name = file};
    char *at = read_file(file, NULL);
    for (char *line; at && (line = strsep(&at, "\n"));) {
        s->line = realloc(s->line, (size_t)(s->lines + 1) * sizeof *s->line);
        if (!s->line)
            die(STATUS_FAILED, "out of memory");
        s->line[s->lines++] = line;
    }
    return s;
}

static bool is_new(const struct place *at, const char *rule)
{
    for (int i = 0; i < n; i++)
        if (findings[i].at.line == at->line && findings[i].at.column == at->column && findings[i].rule == rule &&
            strcmp(findings[i].at.file, at->file) == 0)
            return false;
    return true;
}

static void add(const struct place *at, const char *rule, char *words)
{
    if (n == room) {
        room = room ? 2 * room : 64;
        findings = realloc(findings, (size_t)room * sizeof *findings);
        if (!findings)
            die(STATUS_FAILED, "out of memory");
    }
    findings[n++] = (struct finding){*at, rule, words};
}

void report(const struct place *at, const char *rule, const char *format, ...)
{
    char *words;
    va_list args;
    rule = intern(rule);
    if (!at->file || !is_new(at, rule))
        return;
    va_start(args, format);
    if (vasprintf(&words, format, args) < 0)
        die(STATUS_FAILED, "out of memory");
    va_end(args);
    add(at, rule, words);
}

/* "vet: ignore RULE because …" in a line, for this rule.  Sets *reason to false when there is none. */
static bool line_ignores(const char *line, const char *rule, bool *reason)
{
    const char *p = strstr(line, "vet: ignore ");
    if (!p)
        return false;
    p += strlen("vet: ignore ");
    size_t len = strcspn(p, " ,\t*");
    if (len != strlen(rule) || strncmp(p, rule, len) != 0)
        return false;
    p += len + strspn(p + len, " \t");
    *reason = strncmp(p, "because ", 8) == 0 && strcspn(p + 8, " */") > 0;
    return true;
}

static bool is_comment_alone(const char *line)
{
    line += strspn(line, " \t");
    return strncmp(line, "//", 2) == 0 || strncmp(line, "/*", 2) == 0;
}

/* On its line, or alone on the line above. */
static bool is_silenced(const struct finding *f, bool *reason)
{
    struct source *s = source_of(f->at.file);
    int line = (int)f->at.line;
    if (line < 1 || line > s->lines)
        return false;
    if (line_ignores(s->line[line - 1], f->rule, reason))
        return true;
    return line > 1 && is_comment_alone(s->line[line - 2]) && line_ignores(s->line[line - 2], f->rule, reason);
}

static int by_place(const void *pa, const void *pb)
{
    const struct finding *a = pa, *b = pb;
    int c = strcmp(a->at.file, b->at.file);
    if (c == 0)
        c = a->at.line < b->at.line ? -1 : a->at.line > b->at.line;
    if (c == 0)
        c = a->at.column < b->at.column ? -1 : a->at.column > b->at.column;
    return c ? c : strcmp(a->rule, b->rule);
}

const char *place_name(const struct place *p)
{
    return text("%s:%u", base_name(p->file), p->line);
}

static void print_json_string(const char *s)
{
    putchar('"');
    for (; *s; s++) {
        if (*s == '"' || *s == '\\')
            printf("\\%c", *s);
        else if ((unsigned char)*s < 32)
            printf("\\u%04x", *s);
        else
            putchar(*s);
    }
    putchar('"');
}

static void print_json(const struct finding *f, bool first)
{
    printf("%s\n  {\"file\": ", first ? "" : ",");
    print_json_string(f->at.file);
    printf(", \"line\": %u, \"column\": %u, \"rule\": \"%s\", \"message\": ", f->at.line, f->at.column, f->rule);
    print_json_string(f->text);
    putchar('}');
}

static void print_text(const struct finding *f)
{
    struct source *s = source_of(f->at.file);
    printf("%s:%u:%u: warning: %s [vet: %s]\n", f->at.file, f->at.line, f->at.column, f->text, f->rule);
    if (f->at.line < 1 || (int)f->at.line > s->lines)
        return;
    const char *line = s->line[f->at.line - 1];
    printf("%5u | %s\n      | ", f->at.line, line);
    for (unsigned i = 1; i < f->at.column && line[i - 1]; i++)
        putchar(line[i - 1] == '\t' ? '\t' : ' ');
    puts("^");
}

int print_reports(bool json)
{
    int shown = 0;
    if (n)
        qsort(findings, (size_t)n, sizeof *findings, by_place);
    if (json)
        putchar('[');
    for (int i = 0; i < n; i++) {
        bool reason = true;
        if (is_silenced(&findings[i], &reason) && reason)
            continue;
        if (!reason) {
            char *more = text("%s (\"vet: ignore %s\" needs a reason: \"vet: ignore %s because …\")", findings[i].text,
                              findings[i].rule, findings[i].rule);
            findings[i].text = more;
        }
        if (json)
            print_json(&findings[i], shown == 0);
        else
            print_text(&findings[i]);
        shown++;
    }
    if (json)
        puts(shown ? "\n]" : "]");
    return shown;
}
