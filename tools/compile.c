/* Compiling and linking one program in a directory of its own. */
#define _GNU_SOURCE 1
#include "tool.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ASAN "-fsanitize=address,undefined -fno-sanitize-recover=all"

struct job {
    const char *source;
    char *object, *deps, *messages;
    pid_t pid;
};

static bool is_clang(const struct toolchain *t)
{
    struct list argv = {0};
    int status;
    list_add_all(&argv, &t->cc);
    list_add(&argv, "--version");
    return strstr(output_of(argv.at, &status), "clang") != NULL;
}

/* Whether the compiler takes these options. */
static bool knows(const struct toolchain *t, const char *options)
{
    struct list argv = {0};
    int status;
    list_add_all(&argv, &t->cc);
    list_add_words(&argv, options);
    list_add_words(&argv, "-x c -fsyntax-only /dev/null");
    (void)output_of(argv.at, &status);
    return status == 0;
}

#ifdef __x86_64__
enum { CLANG_PROBES_STACK = 1 };
#else
enum { CLANG_PROBES_STACK = 0 };
#endif

/* What makes clang tell of every access to memory.  A local variable's member or element it leaves out otherwise:
 * it asks whether anybody else can have the member's address, not the variable's (docs/design/race.md). */
static const char clang_race[] = "-mllvm -capture-tracking-max-uses-to-explore=0";
/* And gcc: it makes stores of these, which it then forgets to tell of. */
static const char gcc_race[] = "-fno-builtin-memcpy -fno-builtin-memmove -fno-builtin-memset -fno-builtin-bzero "
                               "-fno-builtin-strcpy -fno-builtin-strncpy -fno-builtin-stpcpy -fno-builtin-strcat "
                               "-fno-builtin-strncat -fno-builtin-mempcpy";

/* -Werror of the user's: what is not said to be none by name is an error then, wherever that stands. */
static bool all_are_errors(const struct toolchain *t)
{
    for (int i = 0; i < t->cflags.n; i++)
        if (strcmp(t->cflags.at[i], "-Werror") == 0)
            return true;
    return false;
}

static void add_flags(struct list *l, const struct toolchain *t, bool clang)
{
    list_add_words(l, "-std=gnu11 -g -Wall -Wextra -pthread -fasynchronous-unwind-tables");
    /* The optimiser drops reads whose value nobody needs, and writes before others: the race detector would never
     * see them.  The detector's own work outweighs what the optimiser saves. */
    list_add(l, t->race ? "-O0" : "-O2");
    /* What newer compilers refuse by themselves: these are never meant. */
    list_add_words(l, "-Werror=implicit-function-declaration -Werror=incompatible-pointer-types "
                      "-Werror=int-conversion");
    /* clang counts a const that is dropped among the second; for gcc, and for newer ones, it is a warning. */
    if (clang && !all_are_errors(t))
        list_add(l, "-Wno-error=incompatible-pointer-types-discards-qualifiers");
    /* A frame larger than the guard below a stack can't step over it.  (clang has this for x86-64 alone, and warns elsewhere.) */
    if (!clang || CLANG_PROBES_STACK)
        list_add(l, "-fstack-clash-protection");
    /* The place of an error in a macro is where the user wrote its name. */
    list_add_words(l, clang ? "-fmacro-backtrace-limit=1" : "-ftrack-macro-expansion=0");
    /* A function that ends in a call would be gone from the stack during that call, and its line from traces. */
    list_add(l, "-fno-optimize-sibling-calls");
    /* gcc makes one function of two that do the same; a trace would name the other. */
    if (!clang)
        list_add(l, "-fno-ipa-icf");
    /* For -explore alone the library answers the calls that this makes the compiler insert. */
    if (t->race || t->explore)
        list_add(l, "-fsanitize=thread");
    if (t->race && !(clang && !knows(t, clang_race)))
        list_add_words(l, clang ? clang_race : gcc_race);
    if (t->asan)
        list_add_words(l, ASAN " -fno-omit-frame-pointer");
    if (t->explore)
        list_add_words(l, clang ? "-DRN_EXPLORE=1" : "-DRN_EXPLORE=1 -Wno-tsan");
    list_add(l, text("-I%s", t->include));
}

static void start_job(struct job *job, const struct toolchain *t, const char *dir, int number, const struct list *flags)
{
    struct list argv = {0};
    job->object = text("%s/%d.o", dir, number);
    job->deps = text("%s/%d.d", dir, number);
    job->messages = text("%s/%d.messages", dir, number);
    list_add_all(&argv, &t->cc);
    list_add_all(&argv, flags);
    list_add_all(&argv, &t->cflags);
    list_add_words(&argv, "-c -MD -MF");
    list_add(&argv, job->deps);
    list_add(&argv, "-o");
    list_add(&argv, job->object);
    list_add(&argv, job->source);
    int fd = open(job->messages, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        die(STATUS_FAILED, "%s: %s", job->messages, strerror(errno));
    job->pid = start(argv.at, NULL, -1, fd);
    close(fd);
}

/* Adds the files that a file's first rule "target: file file \" names, for make. */
static void read_deps(const char *path, struct list *deps)
{
    char *at = read_file(path, NULL);
    at = at ? strstr(at, ": ") : NULL;
    for (at = at ? at + 2 : NULL; at && *at;) {
        char name[4096];
        size_t n = 0;
        while (*at == ' ' || *at == '\t' || (*at == '\\' && at[1] == '\n'))
            at += *at == '\\' ? 2 : 1;
        if (*at == '\n')
            break;
        for (; *at && !isspace((unsigned char)*at) && n < sizeof name - 1; at++) {
            if ((*at == '\\' && (at[1] == ' ' || at[1] == '#' || at[1] == '\\')) || (*at == '$' && at[1] == '$'))
                at++;
            else if (*at == '\\' && at[1] == '\n')
                break;
            name[n++] = *at;
        }
        name[n] = 0;
        if (n)
            list_add(deps, absolute(name));
    }
}

/* Shows what the compiler has said, unless it has failed and another is to try. */
static bool finish_job(struct job *job, const struct toolchain *t, struct list *deps)
{
    int status = wait_for(job->pid);
    bool ok = status == 0;
    char *messages = read_file(job->messages, NULL);
    if (ok || !t->second.n) {
        diagnose(messages ? messages : "", t->include);
        if (!ok && (!messages || !*messages))
            say("%s: the compiler ended with status %d and said nothing; is there room in %s?", job->source, status,
                dir_name(dir_name(job->messages)));
    }
    read_deps(job->deps, deps);
    return ok;
}

static bool compile_all(struct job *jobs, int n, const struct toolchain *t, const char *dir, struct list *deps)
{
    bool ok = true;
    struct list flags = {0};
    add_flags(&flags, t, is_clang(t));
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    int at_once = processors > 0 && processors < 64 ? (int)processors : 1, started = 0;
    for (int i = 0; i < n; i++) {
        while (started < n && started < i + at_once) {
            start_job(&jobs[started], t, dir, started, &flags);
            started++;
        }
        ok &= finish_job(&jobs[i], t, deps);
    }
    return ok;
}

/* The same with the second compiler. */
static bool compile_again(struct job *jobs, int n, const struct toolchain *t, const char *dir, struct list *deps)
{
    struct toolchain other = *t;
    other.cc = t->second;
    other.second = (struct list){0};
    bool ok = compile_all(jobs, n, &other, dir, deps);
    if (ok)
        say("clang can't compile this, %s can: the race detector overlooks structs that are passed or returned by value",
            base_name(other.cc.at[0]));
    return ok;
}

/* The objects of the second kind become an archive: the linker takes what is missing. */
static bool make_archive(struct job *jobs, int n, const char *archive)
{
    struct list argv = {0};
    list_add_words(&argv, "ar rcs");
    list_add(&argv, archive);
    for (int i = 0; i < n; i++)
        list_add(&argv, jobs[i].object);
    return n == 0 || call(argv.at, NULL) == 0;
}

/* Whether the program includes a header of the HTTP library. */
static bool uses_http(const struct list *deps)
{
    static const char *const headers[] = {"/runnel/http.h", "/runnel/http_client.h", "/runnel/websocket.h"};
    for (int i = 0; i < deps->n; i++)
        for (size_t k = 0; k < sizeof headers / sizeof *headers; k++)
            if (ends_with(deps->at[i], headers[k]))
                return true;
    return false;
}

static void add_http(struct list *argv, const struct toolchain *t)
{
    if (access(t->http, R_OK) < 0)
        die(STATUS_FAILED,
            "the program includes <runnel/http.h>, and the HTTP library is not built here; "
            "install libssl-dev libnghttp2-dev libcurl4-openssl-dev libwslay-dev zlib1g-dev node-llhttp, "
            "and build runnel again");
    list_add(argv, t->http);
}

/* Where the linker says which files it has read, if there are libraries of the user's among them. */
static char *link_deps(const struct toolchain *t, const char *dir)
{
    const struct list *lists[] = {&t->ldflags, &t->ldlibs};
    bool gold = false;
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < lists[i]->n; k++)
            gold |= strstr(lists[i]->at[k], "gold") != NULL; /* which can't say it */
    return (t->ldflags.n || t->ldlibs.n) && !gold ? text("%s/link.d", dir) : NULL;
}

/* Of those: what is neither the system's, which does not change by itself, nor in `dir`. */
static void read_link_deps(const char *path, const char *dir, struct list *deps)
{
    struct list all = {0};
    read_deps(path, &all);
    for (int i = 0; i < all.n; i++)
        if (strncmp(all.at[i], "/usr/", 5) != 0 && strncmp(all.at[i], "/lib", 4) != 0 &&
            strncmp(all.at[i], dir, strlen(dir)) != 0)
            list_add(deps, all.at[i]);
}

/* A linker's line about a name that is not defined, or defined twice: "file:line: what" without the linker's own
 * name, and without the object that it was found in; NULL for any other line. */
static char *readable_line(const char *line)
{
    const char *what = strstr(line, "undefined reference to");
    const char *place = strstr(line, ".c:");
    if (!what && !(what = strstr(line, "multiple definition of")))
        return NULL;
    while (place && place > line && place[-1] != ' ' && place[-1] != ':')
        place--;
    return place && place < what ? text("%s", place) : text("%s", what);
}

/* Why the linker has failed: each name once. */
static void explain(char *messages, const char *source)
{
    if (strstr(messages, "undefined reference to `rn_main'")) {
        say("%s: the program defines neither rn_main nor main", source);
        return;
    }
    bool missing = strstr(messages, "undefined reference to"), other_libc = strstr(messages, "_dl_find_object'");
    struct list names = {0};
    for (char *line; (line = strsep(&messages, "\n"));) {
        char *readable = readable_line(line), *name = readable ? strchr(readable, '`') : NULL;
        bool again =
            strstr(line, "in function `") || strstr(line, "ld returned") || strstr(line, "linker command failed");
        for (int i = 0; name && i < names.n; i++)
            again |= strncmp(names.at[i], name, strcspn(name, "'")) == 0;
        if (name)
            list_add(&names, name);
        if (!again && *line)
            fprintf(stderr, "%s\n", readable ? readable : line);
    }
    if (other_libc)
        say("the compiler links with another C library than the one that runnel was built with (musl for glibc?)");
    else if (missing)
        say("a function is missing: name all files of the program, and its libraries before them, as in -lsqlite3");
}

static bool link_all(struct job *jobs, const struct toolchain *t, const struct program *p, const char *dir,
                     struct list *deps)
{
    struct list argv = {0};
    char *archive = text("%s/rest.a", dir), *read = link_deps(t, dir);
    int status;
    if (t->linker)
        list_add(&argv, t->linker);
    else
        list_add_all(&argv, &t->cc);
    list_add_words(&argv, "-pthread -Wl,--eh-frame-hdr");
    list_add_words(&argv, t->race ? "-fsanitize=thread -o" : t->asan ? ASAN " -o" : "-o");
    list_add(&argv, text("%s/out/%s", dir, p->name));
    if (read)
        list_add(&argv, text("-Wl,--dependency-file=%s", read));
    list_add_all(&argv, &t->ldflags);
    for (int i = 0; i < p->sources.n; i++)
        list_add(&argv, jobs[i].object);
    if (!make_archive(jobs + p->sources.n, p->library.n, archive))
        return false;
    if (p->library.n)
        list_add(&argv, archive);
    bool http = uses_http(deps);
    if (http)
        add_http(&argv, t);
    list_add(&argv, t->library);
    if (http)
        list_add_words(&argv, RN_HTTP_LIBS);
    list_add_all(&argv, &t->ldlibs);
    list_add(&argv, "-lm");
    char *messages = output_of(argv.at, &status);
    if (status != 0)
        explain(messages, p->sources.at[0]);
    else
        diagnose(messages, t->include);
    if (read)
        read_link_deps(read, dir, deps);
    return status == 0;
}

bool compile(const struct toolchain *t, const struct program *p, const char *dir, struct list *deps)
{
    int n = p->sources.n + p->library.n;
    struct job *jobs = calloc((size_t)n, sizeof *jobs);
    if (!jobs)
        die(STATUS_FAILED, "out of memory");
    for (int i = 0; i < n; i++)
        jobs[i].source = i < p->sources.n ? p->sources.at[i] : p->library.at[i - p->sources.n];
    if (make_dirs(text("%s/out", dir)) < 0)
        die(STATUS_FAILED, "%s: %s", dir, strerror(errno));
    bool ok = compile_all(jobs, n, t, dir, deps) || (t->second.n && compile_again(jobs, n, t, dir, deps));
    ok = ok && link_all(jobs, t, p, dir, deps);
    free(jobs);
    return ok;
}
