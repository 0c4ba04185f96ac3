/* The tests of runnel itself: each tier is a CMake preset, built in build/<preset>.  Its file
 * tests.list names the programs (see cmake/RunnelTests.cmake). */
#define _GNU_SOURCE 1
#include "tool.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Models and scripts do not depend on how the library is built: they run in the release tiers alone. */
struct tier {
    const char *preset;
    const char *kinds[6]; /* of the programs that are built and run in it, up to a NULL; none: all, and the scripts */
    bool slow;            /* and those that take longer (see is_slow) */
};
static const struct tier quick = {.preset = "release"};
static const struct tier race = {.preset = "race", .kinds = {"unit", "conformance", "stress", "cxx", "race"}};
static const struct tier full[] = {
    {.preset = "release", .slow = true},
    {.preset = "debug", .kinds = {"unit", "conformance", "stress", "cxx", "choice"}},
    {.preset = "asan", .kinds = {"unit", "conformance", "stress", "cxx", "choice"}},
    {.preset = "race", .kinds = {"unit", "conformance", "stress", "cxx", "race"}},
    {.preset = "fault", .kinds = {"fault"}},
};

/* Runs cmake; what it says is shown only when it fails. */
static bool cmake(const char *root, const char *arguments)
{
    struct list argv = {0};
    int status;
    list_add_words(&argv, text("env -u CC -u CFLAGS -u CPPFLAGS -u LDFLAGS -C '%s' cmake %s", root, arguments));
    char *said = output_of(argv.at, &status);
    if (status != 0)
        fputs(said, stderr);
    return status == 0;
}

static bool build(const char *root, const struct tier *tier)
{
    if (access(text("%s/build/%s/build.ninja", root, tier->preset), R_OK) < 0 &&
        !cmake(root, text("--preset %s", tier->preset)))
        return false;
    char *targets = text("%s", *tier->kinds ? "" : "tests");
    for (const char *const *kind = tier->kinds; *kind; kind++)
        targets = text("%s tests-%s", targets, *kind);
    return cmake(root, text("--build build/%s --target %s", tier->preset, targets));
}

/* What takes longest, each about a tenth of all others: installs, fuzzing, a look for leaks in every example, played
 * processors, each header compiled alone six times, the largest models, the bugs that are seeded for them. */
static bool is_slow(const char *name)
{
    static const char *const slow[] = {"package/",      "fuzz/",         "examples/live",     "check/sharing",
                                       "check/headers", "model/rwmutex", "model/ctx_rwmutex", "model/readers",
                                       "model/seeded",  "model/idle",    "model/mutex"};
    for (size_t i = 0; i < sizeof slow / sizeof *slow; i++)
        if (strncmp(name, slow[i], strlen(slow[i])) == 0)
            return true;
    return false;
}

/* name: "kind/…" */
static bool has_kind(const struct tier *tier, const char *name)
{
    for (const char *const *kind = tier->kinds; *kind; kind++)
        if (strncmp(name, *kind, strlen(*kind)) == 0 && name[strlen(*kind)] == '/')
            return true;
    return false;
}

/* One line of tests.list, "kind/name path"; false when the tier or the pattern leaves it out. */
static bool choose(char *line, const struct tier *tier, const char *pattern, struct tap_program *p)
{
    char *path = strchr(line, ' ');
    if (!path)
        return false;
    *path++ = 0;
    bool script = ends_with(path, ".sh"), named = pattern && strstr(line, pattern);
    if (*tier->kinds && (script || !has_kind(tier, line)))
        return false;
    if (!named && ((script && pattern) || (is_slow(line) && !tier->slow)))
        return false;
    *p = (struct tap_program){.label = text("%s %s", tier->preset, line)};
    if (script)
        list_add(&p->argv, "sh");
    list_add(&p->argv, path);
    if (pattern && !named) {
        list_add(&p->argv, "--run");
        list_add(&p->argv, pattern);
    }
    return true;
}

static void run_tier(const char *root, const struct tier *tier, const char *pattern, struct tap_totals *totals)
{
    if (!build(root, tier)) {
        tap_point(totals, false, text("build of %s", tier->preset), "see the messages above");
        return;
    }
    char *list = read_file(text("%s/build/%s/tests.list", root, tier->preset), NULL);
    struct tap_program *programs = NULL;
    int n = 0;
    if (*tier->kinds)
        setenv("RUNNEL_TEST_TIMEOUT", "180", 0); /* sanitizers slow things down */
    for (char *line; list && (line = strsep(&list, "\n"));) {
        programs = realloc(programs, (size_t)(n + 1) * sizeof *programs);
        if (!programs)
            die(STATUS_FAILED, "out of memory");
        n += choose(line, tier, pattern, &programs[n]);
        if (n > 0)
            programs[n - 1].dir = root;
    }
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    /* Half as many again as there are processors: some tests wait, for patience that ends or a child process. */
    tap_run(programs, n, processors > 0 && processors < 64 ? (int)(processors + (processors + 1) / 2) : 1, totals);
}

int test_project(const char *root, bool all, bool with_race, const char *pattern)
{
    struct tap_totals totals = {0};
    setenv("RUNNEL_ROOT", root, 1);
    setenv("RUNNEL", text("%s/runnel", root), 1);
    tap_begin(&totals);
    if (all)
        for (size_t i = 0; i < sizeof full / sizeof *full; i++)
            run_tier(root, &full[i], pattern, &totals);
    else
        run_tier(root, with_race ? &race : &quick, pattern, &totals);
    if (pattern && totals.number == 0)
        say("test: no test here has a name that -run %s means", pattern);
    tap_end(&totals);
    return totals.failed ? STATUS_FAILED : STATUS_OK;
}
