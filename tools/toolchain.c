/* Where the compiler and the library are.
 *
 * The command finds its surroundings from its own place: in a build tree (the file `source-tree`
 * lies beside it) it uses the headers of the sources and the library next to it; installed as
 * <prefix>/bin/runnel it uses <prefix>/include and <prefix>/lib. */
#define _GNU_SOURCE 1
#include "tool.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char *own_dir(void)
{
    char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    if (n < 0)
        die(STATUS_FAILED, "can't find myself: /proc is not mounted");
    path[n] = 0;
    return dir_name(path);
}

char *source_tree(void)
{
    char *mark = text("%s/source-tree", own_dir());
    char *root = read_file(mark, NULL);
    free(mark);
    return root;
}

static char *need(char *path, const char *what)
{
    if (access(path, R_OK) < 0)
        die(STATUS_FAILED, "%s is missing: %s", what, path);
    return path;
}

/* Each kind is built, and installed, by itself. */
static _Noreturn void library_missing(const struct toolchain *t, const char *kind)
{
    const char *flag = t->explore ? "explore" : kind;
    if (t->root)
        die(STATUS_FAILED, "there is no library for -%s here; ./runnel builds it", flag);
    die(STATUS_FAILED,
        "there is no library for -%s here; in runnel's source tree: cmake --preset %s && cmake --build build/%s && "
        "cmake --install build/%s --prefix %s --component %s",
        flag, kind, kind, kind, dir_name(own_dir()), kind);
}

static void find_library(struct toolchain *t)
{
    char *dir = own_dir();
    t->root = source_tree();
    const char *kind = t->explore ? t->race ? "explore-race" : "explore" : t->race ? "race" : t->asan ? "asan" : NULL;
    if (t->root) {
        t->include = text("%s/include", t->root);
        t->library = kind ? text("%s/../%s/librunnel.a", dir, kind) : text("%s/librunnel.a", dir);
    } else {
        t->include = text("%s/../%s", dir, RN_INCLUDEDIR);
        t->library = kind ? text("%s/../%s/runnel/%s/librunnel.a", dir, RN_LIBDIR, kind)
                          : text("%s/../%s/librunnel.a", dir, RN_LIBDIR);
    }
    t->http = text("%s/librunnel_http.a", dir_name(t->library));
    if (kind && access(t->library, R_OK) < 0)
        library_missing(t, kind);
    char *header = text("%s/runnel.h", t->include);
    free(need(header, "runnel's header"));
    need(t->library, "the library");
}

static void find_usual(struct list *cc)
{
    static const char *const usual[] = {"cc", "gcc", "clang"};
    char *path = NULL;
    for (int i = 0; i < 3 && !path; i++)
        path = find_program(usual[i]);
    if (path)
        list_add(cc, path);
}

static bool names_clang(const struct list *cc)
{
    bool clang = false;
    for (int i = 0; i < cc->n; i++)
        clang |= strstr(cc->at[i], "clang") != NULL;
    return clang;
}

/* The race detector's runtime is clang's: gcc 12's dies at 8128 goroutines.  What is compiled by gcc runs with it as
 * well; but gcc overlooks structs that are passed and returned by value, so that it comes second
 * (docs/design/race.md). */
static void find_for_race(struct toolchain *t, bool chosen)
{
    char *clang = t->cc.n && names_clang(&t->cc) ? t->cc.at[0] : find_program("clang");
    if (!clang)
        die(STATUS_NO_COMPILER, "-race needs clang, which is not installed (apt-get install clang)");
    if (t->cc.n == 0 || clang != t->cc.at[0])
        t->linker = clang;
    if (!chosen) {
        if (t->cc.n && !names_clang(&t->cc))
            t->second = t->cc;
        t->cc = (struct list){0};
        list_add(&t->cc, clang);
    }
}

static void find_compiler(struct toolchain *t)
{
    const char *cc = getenv("CC");
    bool chosen = cc && *cc;
    if (chosen)
        list_add_words(&t->cc, cc);
    else
        find_usual(&t->cc);
    char *path = t->cc.n ? find_program(t->cc.at[0]) : NULL;
    if (!path && chosen)
        die(STATUS_NO_COMPILER, "the compiler that CC names is not installed: %s", cc);
    if (!path && !t->race)
        die(STATUS_NO_COMPILER, "no C compiler is installed (apt-get install gcc libc6-dev)");
    if (path)
        t->cc.at[0] = path;
    if (t->race)
        find_for_race(t, chosen);
}

static void add_environment(struct list *l, const char *name)
{
    const char *value = getenv(name);
    if (value)
        list_add_words(l, value);
}

bool take_compiler_flag(int argc, char **argv, int *i, const char *command, struct flags *f)
{
    const char *option = argv[*i];
    if (strcmp(option, "-asan") == 0 || strcmp(option, "--asan") == 0)
        return f->asan = true;
    if (option[0] != '-' || !option[1] || !strchr("IDULl", option[1]))
        return false;
    if (!option[2] && *i + 1 == argc)
        die(STATUS_USAGE, "%s: %s needs a value (see: runnel help %s)", command, option, command);
    char *whole = option[2] ? text("%s", option) : text("%s%s", option, argv[++*i]);
    list_add(option[1] == 'l' ? &f->libraries : option[1] == 'L' ? &f->link : &f->compile, whole);
    return true;
}

void toolchain_find(struct toolchain *t, bool race, bool explore, const struct flags *f)
{
    if (f->asan && (race || explore))
        die(STATUS_USAGE, "-asan goes neither with -race nor with -explore: one after the other");
    *t = (struct toolchain){.race = race, .explore = explore, .asan = f->asan};
    find_library(t);
    find_compiler(t);
    add_environment(&t->cflags, "CPPFLAGS");
    add_environment(&t->cflags, "CFLAGS");
    add_environment(&t->ldflags, "LDFLAGS");
    add_environment(&t->ldlibs, "LDLIBS");
    list_add_all(&t->cflags, &f->compile);
    list_add_all(&t->ldflags, &f->link);
    list_add_all(&t->ldlibs, &f->libraries);
}
