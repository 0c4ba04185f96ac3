/* runnel test: the tests of a project, or, in runnel's own source tree, those of runnel. */
#define _GNU_SOURCE 1
#include "tool.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct options {
    bool race, full, explore, replay, bench, json;
    const char *pattern;
    const char *profile;       /* the file for -cpuprofile, absolute */
    struct list passed_on;     /* to the test programs */
    struct list bench_options; /* and these, when there are benchmarks to run */
    struct list files;         /* that were named */
    struct flags flags;
};

/* Takes "-name VALUE" and "-name=VALUE" at argv[*i]; NULL: it is something else. */
static const char *take_value(int argc, char **argv, int *i, const char *name)
{
    const char *option = argv[*i] + (strncmp(argv[*i], "--", 2) == 0);
    size_t n = strlen(name);
    if (strncmp(option, name, n) != 0 || (option[n] && option[n] != '='))
        return NULL;
    if (option[n] == '=')
        return option + n + 1;
    if (*i + 1 == argc)
        die(STATUS_USAGE, "test: %s needs a value (see: runnel help test)", name);
    return argv[++*i];
}

static void must_be_number(const char *name, const char *value)
{
    bool any = strcmp(name, "-seed") == 0, zero = strspn(value, "0") == strlen(value);
    if (!*value || (zero && !any) || strspn(value, "0123456789") != strlen(value) || strlen(value) > 19)
        die(STATUS_USAGE, "test: %s %s: want a whole number%s (see: runnel help test)", name, value,
            any ? "" : " of 1 or more");
}

static void must_be_strategy(const char *value)
{
    static const char *const names[] = {"mixed", "random", "pct", "dfs"};
    for (int i = 0; i < 4; i++)
        if (strcmp(value, names[i]) == 0)
            return;
    die(STATUS_USAGE, "test: -strategy %s: want mixed, random, pct or dfs", value);
}

static void must_be_faults(const char *value)
{
    static const char *const names[] = {"delay", "reset", "partition"};
    for (const char *at = value; *at; at += *at == ',') {
        size_t n = strcspn(at, ","), i = 0;
        while (i < 3 && (strlen(names[i]) != n || memcmp(names[i], at, n) != 0))
            i++;
        if (i == 3)
            die(STATUS_USAGE, "test: -faults %s: want some of delay,reset,partition", value);
        at += n;
    }
}

/* The options about schedules; they go on to the test programs, with two dashes. */
static bool take_explore(int argc, char **argv, int *i, struct options *o)
{
    static const char *const names[] = {"-explore", "-seed", "-depth", "-steps", "-strategy", "-replay", "-faults"};
    enum { NUMBERS = 4, STRATEGY = 4, REPLAY = 5, FAULTS = 6 };
    for (int k = 0; k <= FAULTS; k++) {
        const char *value = take_value(argc, argv, i, names[k]);
        if (!value)
            continue;
        if (k < NUMBERS)
            must_be_number(names[k], value);
        else if (k == STRATEGY)
            must_be_strategy(value);
        else if (k == FAULTS)
            must_be_faults(value);
        o->explore |= k == 0 || k == REPLAY;
        o->replay |= k == REPLAY;
        list_add(&o->passed_on, text("-%s", names[k]));
        list_add(&o->passed_on, value);
        return true;
    }
    return false;
}

/* The options about benchmarks, which go on likewise. */
static bool take_bench(int argc, char **argv, int *i, struct options *o)
{
    const char *value;
    if ((value = take_value(argc, argv, i, "-bench"))) {
        o->bench = true;
        list_add(&o->bench_options, "--bench");
    } else if ((value = take_value(argc, argv, i, "-count"))) {
        must_be_number("-count", value);
        if (strtoull(value, NULL, 10) > 1000000)
            die(STATUS_USAGE, "test: -count %s: 1000000 is the most", value);
        list_add(&o->bench_options, "--count");
    } else if ((value = take_value(argc, argv, i, "-cpuprofile"))) {
        o->profile = value = absolute(value);
        list_add(&o->bench_options, "--cpuprofile");
    } else {
        return false;
    }
    list_add(&o->bench_options, value);
    return true;
}

static void take_options(int argc, char **argv, struct options *o)
{
    for (int i = 1; i < argc; i++) {
        const char *option = argv[i] + (strncmp(argv[i], "--", 2) == 0), *value;
        if (take_explore(argc, argv, &i, o) || take_bench(argc, argv, &i, o))
            continue;
        if (strcmp(option, "-race") == 0)
            o->race = true;
        else if (strcmp(option, "-full") == 0)
            o->full = true;
        else if (strcmp(option, "-json") == 0)
            o->json = true;
        else if ((value = take_value(argc, argv, &i, "-run")))
            o->pattern = value;
        else if (take_compiler_flag(argc, argv, &i, "test", &o->flags))
            continue;
        else if (ends_with(argv[i], ".c"))
            i += take_sources(argc - i, argv + i, "test", &o->files) - 1;
        else
            die(STATUS_USAGE, "test: unknown %s %s (see: runnel help test)", argv[i][0] == '-' ? "option" : "argument",
                argv[i]);
    }
    if (o->passed_on.n && !o->explore)
        die(STATUS_USAGE, "test: %.*s goes with -explore N (see: runnel help test)", 40, o->passed_on.at[0] + 1);
    if (o->bench_options.n && !o->bench)
        die(STATUS_USAGE, "test: %.*s goes with -bench PATTERN (see: runnel help test)", 40,
            o->bench_options.at[0] + 1);
    if (o->bench && (o->explore || o->pattern || o->json))
        die(STATUS_USAGE, "test: -bench runs benchmarks and no tests: it goes without -run, -explore and -json");
}

static bool is_build_dir(const char *name)
{
    return strcmp(name, "build") == 0 || strncmp(name, "build-", 6) == 0;
}

/* Adds the .c files in and below dir that are tests, or with `beside` those in dir that are not. */
static void find_files(const char *dir, bool beside, struct list *found)
{
    struct dirent **entries;
    int n = scandir(dir, &entries, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        const char *name = entries[i]->d_name;
        struct stat st;
        char *path = strcmp(dir, ".") == 0 ? text("%s", name) : text("%s/%s", dir, name);
        if (name[0] == '.' || lstat(path, &st) < 0)
            continue;
        if (S_ISDIR(st.st_mode) && !beside && !is_build_dir(name))
            find_files(path, false, found);
        else if (!S_ISDIR(st.st_mode) && ends_with(name, ".c") && ends_with(name, "_test.c") != beside)
            list_add(found, path);
    }
}

static bool includes_test_header(const char *source)
{
    const char *code = read_file(source, NULL);
    return code && strstr(code, "runnel/test.h");
}

/* A program with rn_main as a test: the file of a test that includes it.  What surrounds rn_main is not listed in
 * reports, as nothing of the library is whose name begins with rn__.  One that includes runnel/test.h may do without
 * rn_main: it has TESTs, or BENCHes. */
static char *as_test(const char *source)
{
    char id[HASH_TEXT], *path = absolute(source), *name = text("%.*s", (int)strlen(source) - 2, source);
    struct hash h;
    hash_init(&h);
    hash_text(&h, path);
    hash_show(&h, id);
    char *dir = text("%s/programs/%s", cache_dir(), id), *file = text("%s/%s_test.c", dir, base_name(name));
    const char *may_lack = includes_test_header(source) ? "#pragma weak rn_main\n" : "";
    char *code = text("#include \"%s\"\n#include <runnel/test.h>\n#line 1 \"%s\"\n"
                      "%sstatic int (*const volatile rn__program_main)(int, char **) = rn_main;\n"
                      "static void rn__program_body(void)\n{\n    int status = rn_main(1, (char *[]){\"%s\", NULL});\n"
                      "    if (status)\n        rn_test_fail(\"%s\", 1, \"rn_main returned %%d\", status);\n}\n"
                      "RN__TEST_ROOM(rn__program_)\n"
                      "static void rn__program_test(void)\n{\n    rn_run(RN__TEST_MAIN(rn__program_));\n}\n"
                      "#define rn_test_add(t) (rn__program_main ? rn_test_add(t) : (void)0)\n"
                      "RN__TEST_ADD_AS(rn__program_, \"rn_main\", RN_TEST_PROGRAM, NULL)\n",
                      path, path, may_lack, base_name(name), source);
    if (make_dirs(dir) < 0 || write_file(file, code, strlen(code), 0666) < 0)
        die(STATUS_FAILED, "can't write %s: %s", file, strerror(errno));
    return file;
}

/* What happens before main has no test to be blamed for, and would wait for ever: some time more than a test has. */
static unsigned start_most(void)
{
    const char *limit = getenv("RUNNEL_TEST_TIMEOUT");
    long seconds = limit ? strtol(limit, NULL, 10) : 60;
    return 4 + 2 * (unsigned)(seconds > 0 && seconds < 1000000 ? seconds : 60);
}

static bool build_test(const struct toolchain *t, const char *source, struct tap_program *made)
{
    struct program p = {0};
    char *dir = dir_name(source);
    if (ends_with(source, "_test.c")) {
        list_add(&p.sources, source);
        find_files(dir, true, &p.library);
    } else {
        list_add(&p.sources, as_test(source));
    }
    p.name = text("%.*s", (int)strlen(base_name(source)) - 2, base_name(source));
    char *path = cached(t, &p);
    if (!path)
        return false;
    *made = (struct tap_program){
        .label = text("%.*s", (int)strlen(source) - 2, source), .dir = dir, .start_most = start_most()};
    list_add(&made->argv, path);
    return true;
}

/* Unless somebody has said something else; what is empty counts as not set. */
static void set_unless_said(const char *name, const char *value)
{
    const char *said = getenv(name);
    if (!said || !*said)
        setenv(name, value, 1);
}

static int test_here(const struct options *o, const struct list *sources)
{
    struct tap_program *programs = calloc((size_t)sources->n, sizeof *programs);
    struct tap_totals totals = {.json = o->json};
    struct toolchain t;
    int n = 0;
    toolchain_find(&t, o->race, o->explore, &o->flags);
    if (!o->explore) {
        set_unless_said("RUNNEL_TEST_LEAKS", "1");
        set_unless_said("RUNNEL_LOCKORDER", "1");
    }
    tap_begin(&totals);
    for (int i = 0; i < sources->n; i++) {
        if (!build_test(&t, sources->at[i], &programs[n])) {
            const char *source = sources->at[i];
            char *label = o->json ? text("%.*s", (int)strlen(source) - 2, source) : text("%s", source);
            tap_point(&totals, false, label, text("%s:1: does not compile", source));
            continue;
        }
        if (o->pattern) {
            list_add(&programs[n].argv, "--run");
            list_add(&programs[n].argv, o->pattern);
        }
        list_add_all(&programs[n].argv, &o->passed_on);
        n++;
    }
    tap_run(programs, n, 1, &totals);
    if (o->replay && totals.number == 0)
        tap_point(&totals, false, "replay", "no test here has the name that the token begins with");
    if (o->pattern && totals.number == 0)
        say("test: no test here has a name that -run %s means", o->pattern);
    tap_end(&totals);
    free(programs);
    return totals.failed ? STATUS_FAILED : STATUS_OK;
}

/* Whether the program has a benchmark that was asked for. */
static bool has_bench(const char *program, const struct options *o)
{
    struct list argv = {0};
    int status;
    list_add(&argv, program);
    list_add(&argv, "--list");
    list_add_all(&argv, &o->bench_options);
    return *output_of(argv.at, &status);
}

static void must_be_writable(const char *profile)
{
    int fd = open(profile, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0)
        die(STATUS_USAGE, "test: -cpuprofile: %s can't be written: %s", profile, strerror(errno));
    close(fd);
}

/* Builds the programs with BENCHes and runs them one after the other. */
static int bench_here(const struct options *o, const struct list *sources)
{
    struct tap_program *programs = calloc((size_t)sources->n, sizeof *programs);
    struct toolchain t;
    int n = 0, failed = 0;
    toolchain_find(&t, o->race, false, &o->flags);
    if (!o->race)
        list_add(&t.cflags, "-DRN_BENCH_ALLOC=1");
    for (int i = 0; i < sources->n; i++) {
        if (!build_test(&t, sources->at[i], &programs[n])) {
            say("test: %s does not compile", sources->at[i]);
            failed = 1;
            continue;
        }
        n += has_bench(programs[n].argv.at[0], o);
    }
    if (n == 0 && !failed)
        die(STATUS_FAILED, "test: no benchmark here has such a name (BENCH(name)%s)",
            o->files.n ? "" : " in a *_test.c");
    if (n > 1 && o->profile)
        die(STATUS_USAGE, "test: -cpuprofile is for one test program, and %d have such benchmarks: %s, %s", n,
            programs[0].label, programs[1].label);
    if (o->profile && n)
        must_be_writable(o->profile);
    for (int i = 0; i < n; i++) {
        list_add_all(&programs[i].argv, &o->bench_options);
        failed |= call(programs[i].argv.at, programs[i].dir) != 0;
    }
    if (o->profile && n)
        say("test: to see the profile: go tool pprof -http=: %s %s", programs[0].argv.at[0], o->profile);
    free(programs);
    return failed ? STATUS_FAILED : STATUS_OK;
}

/* Is the working directory in the source tree that this command was built from? */
static bool in_tree(const char *root)
{
    char cwd[PATH_MAX], real[PATH_MAX];
    if (!root || !realpath(root, real) || !getcwd(cwd, sizeof cwd))
        return false;
    size_t n = strlen(real);
    return strncmp(cwd, real, n) == 0 && (cwd[n] == 0 || cwd[n] == '/');
}

int command_test(int argc, char **argv)
{
    struct options o = {0};
    struct list sources = {0};
    char *root = source_tree();
    take_options(argc, argv, &o);
    if (o.files.n)
        list_add_all(&sources, &o.files);
    else
        find_files(".", false, &sources);
    if (in_tree(root) && sources.n == 0 && (o.explore || o.json))
        die(STATUS_USAGE, "test: -%s is for tests of programs: go where the *_test.c are", o.json ? "json" : "explore");
    if (in_tree(root) && sources.n == 0 && o.bench)
        die(STATUS_USAGE, "test: no *_test.c here; runnel's own workloads: runnel bench");
    if (in_tree(root) && sources.n == 0)
        return test_project(root, o.full, o.race, o.pattern);
    if (o.full)
        die(STATUS_USAGE, "test: -full is for runnel's own source tree");
    if (sources.n == 0)
        die(STATUS_FAILED, "test: no *_test.c in or below this directory");
    return (o.bench ? bench_here : test_here)(&o, &sources);
}
