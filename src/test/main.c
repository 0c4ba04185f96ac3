/* The runner of a test program: the list of its tests, the command line, and TAP on stdout.
 *
 * Output is TAP 13: a plan, then "ok 3 - name # time=0.2ms" or "not ok …" with a block of what
 * failed ("file:line: message") and what the test wrote. */
#define _GNU_SOURCE 1
#include "internal.h"
#include "sched/rt.h"
#include <errno.h>
#include <inttypes.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct rn_test *first, **last = &first; /* in the order of the file: constructors run in it */

void rn_test_add(struct rn_test *t)
{
    *last = t;
    last = &t->next;
}

struct options {
    bool list;
    const char *pattern; /* of tests, or with `bench` of benchmarks */
    bool bench;
    uint64_t count; /* how often each benchmark runs */
    const char *profile;
    regex_t regex;
    bool is_regex;
    bool fork;
    rn_duration limit;
    struct rn_explore_options explore;
};

static int usage(const char *program, const char *what, const char *arg)
{
    fprintf(stderr,
            "%s: %s%s; usage: %s [--list] [--run PATTERN] [--bench PATTERN [--count N] [--cpuprofile FILE]] "
            "[--explore N [--strategy mixed|random|pct|dfs] [--seed S] [--depth D] [--steps N] [--faults LIST]] "
            "[--replay TOKEN]\n",
            program, what, arg, program);
    return 2;
}

/* "--name VALUE" or "--name=VALUE" at argv[*i]: the value; *i is then its last word. */
static const char *value_of(int argc, char **argv, int *i, const char *name)
{
    size_t n = strlen(name);
    if (strncmp(argv[*i], name, n) != 0)
        return NULL;
    if (argv[*i][n] == '=')
        return argv[*i] + n + 1;
    return argv[*i][n] == 0 && *i + 1 < argc ? argv[++*i] : NULL;
}

static bool number(const char *text, uint64_t least, uint64_t most, uint64_t *to)
{
    char *end;
    errno = 0;
    *to = strtoull(text, &end, 0);
    return end != text && *end == 0 && *text != '-' && errno == 0 && *to >= least && *to <= most;
}

static bool strategy(const char *text, enum rn_explore_strategy *to)
{
    static const char *const names[] = {"mixed", "random", "pct", "dfs"};
    for (int i = 0; i < 4; i++)
        if (strcmp(text, names[i]) == 0) {
            *to = (enum rn_explore_strategy)i;
            return true;
        }
    return false;
}

/* "delay,reset,partition", or some of them. */
static bool faults(const char *text, uint32_t *to)
{
    static const char *const names[] = {"delay", "reset", "partition"};
    for (*to = 0; *text; text += *text == ',') {
        size_t n = strcspn(text, ",");
        int i = 0;
        while (i < 3 && (strlen(names[i]) != n || memcmp(names[i], text, n) != 0))
            i++;
        if (i == 3)
            return false;
        *to |= 1u << i;
        text += n;
    }
    return *to != 0;
}

/* One of the options about exploring at argv[*i]: 1; 0: none of them; -1: its value makes no sense. */
static int parse_explore(int argc, char **argv, int *i, struct rn_explore_options *e)
{
    const char *value;
    uint64_t n;
    if ((value = value_of(argc, argv, i, "--explore"))) {
        bool ok = number(value, 1, 10000000, &n);
        e->schedules = (uint32_t)n;
        return ok ? 1 : -1;
    }
    if ((value = value_of(argc, argv, i, "--strategy")))
        return strategy(value, &e->strategy) ? 1 : -1;
    if ((value = value_of(argc, argv, i, "--seed")))
        return number(value, 0, UINT64_MAX, &e->seed) ? 1 : -1;
    if ((value = value_of(argc, argv, i, "--depth"))) {
        bool ok = number(value, 1, 16, &n);
        e->depth = (uint32_t)n;
        return ok ? 1 : -1;
    }
    if ((value = value_of(argc, argv, i, "--steps"))) {
        bool ok = number(value, 1, UINT32_MAX, &n);
        e->max_events = (uint32_t)n;
        return ok ? 1 : -1;
    }
    if ((value = value_of(argc, argv, i, "--faults")))
        return faults(value, &e->faults) ? 1 : -1;
    if ((value = value_of(argc, argv, i, "--replay"))) {
        e->token = value;
        return 1;
    }
    return 0;
}

/* The same for benchmarks. */
static int parse_bench(int argc, char **argv, int *i, struct options *o)
{
    const char *value;
    if ((value = value_of(argc, argv, i, "--bench"))) {
        o->bench = true;
        o->pattern = strcmp(value, ".") == 0 ? NULL : value;
        return 1;
    }
    if ((value = value_of(argc, argv, i, "--count")))
        return number(value, 1, 1000000, &o->count) ? 1 : -1;
    if ((value = value_of(argc, argv, i, "--cpuprofile"))) {
        o->profile = value;
        return 1;
    }
    return 0;
}

static int parse(int argc, char **argv, struct options *o)
{
    o->count = 1;
    o->explore = (struct rn_explore_options){.seed = 1, .depth = 3, .max_events = 10000000};
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];
        int taken = parse_explore(argc, argv, &i, &o->explore);
        if (taken == 0)
            taken = parse_bench(argc, argv, &i, o);
        if (taken > 0)
            continue;
        if (taken < 0)
            return usage(argv[0], "this makes no sense: ", argv[i]);
        if (strcmp(arg, "--list") == 0)
            o->list = true;
        else if (strcmp(arg, "--run") == 0 && i + 1 < argc)
            o->pattern = argv[++i];
        else if (strncmp(arg, "--run=", 6) == 0)
            o->pattern = arg + 6;
        else
            return usage(argv[0], "unknown option ", argv[i]);
    }
#ifndef RN_EXPLORE
    if (o->explore.schedules || o->explore.token)
        return usage(argv[0], "this program was not built for exploring: ", "use runnel test -explore");
#endif
    /* What is no regular expression is still a part of a name. */
    o->is_regex = o->pattern && regcomp(&o->regex, o->pattern, REG_EXTENDED | REG_NOSUB) == 0;
    return 0;
}

static bool is_seed(const char *text)
{
    char *end;
    (void)strtoull(text, &end, 0);
    return end != text && !*end;
}

static rn_duration limit_from_environment(void)
{
    const char *limit = rn__setting("RUNNEL_TEST_TIMEOUT");
    char *end = NULL;
    if (!limit)
        return 60 * RN_SECOND;
    long seconds = strtol(limit, &end, 10);
    if (end == limit || *end || seconds < 1 || seconds > 1000000)
        rn__bad_setting("RUNNEL_TEST_TIMEOUT", limit, "a whole number of seconds");
    return seconds * RN_SECOND;
}

/* All of it now: what is wrong is told once, not by each test. */
static void environment(struct options *o)
{
    const char *seed_ = rn__setting("RUNNEL_SEED");
    if (o->bench)
        (void)rn__bench_time();
    (void)rn__setting_is_on("RUNNEL_TEST_LEAKS", false);
    if (seed_ && !is_seed(seed_))
        rn__bad_setting("RUNNEL_SEED", seed_, "a whole number");
    o->fork = rn__setting_is_on("RUNNEL_TEST_FORK", true);
    o->limit = limit_from_environment();
    if (!seed_) {
        uint64_t seed;
        char text[32];
        rn_os_entropy(&seed, sizeof seed);
        snprintf(text, sizeof text, "%" PRIu64, seed);
        setenv("RUNNEL_SEED", text, 1);
    }
}

static bool chosen(const struct options *o, const struct rn_test *t)
{
#ifdef RN_EXPLORE
    if (o->explore.token)
        return rn__test_is_replayed(o->explore.token, t);
#endif
    if (o->bench != (t->bench != NULL))
        return false;
    if (!o->pattern || strstr(t->name, o->pattern))
        return true;
    return o->is_regex && regexec(&o->regex, t->name, 0, NULL, 0) == 0;
}

void rn__test_blame(const struct rn_test *t, struct rn_result *r, const char *what)
{
    struct rn_text *reports = &r->reports;
    rn__test_report_to(-1, reports);
    rn_test_fail(t->file, t->line, "%s", what);
    rn__test_report_to(-1, NULL);
}

static bool contains(const struct rn_text *t, const char *what)
{
    return *what == 0 || (t->len && memmem(t->at, t->len, what, strlen(what)));
}

/* The line with which the runtime says what the test died of. */
static bool last_words(const struct rn_text *err, char *words, size_t n)
{
    static const char *const begins[] = {"panic: ", "fatal error: "};
    const char *end = err->at + err->len;
    for (const char *at = err->at; err->len && at < end;) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t length = (size_t)((newline ? newline : end) - at);
        for (int i = 0; i < 2; i++)
            if (length >= strlen(begins[i]) && memcmp(at, begins[i], strlen(begins[i])) == 0) {
                snprintf(words, n, "%.*s", (int)length, at);
                return true;
            }
        at += length + 1;
    }
    return false;
}

/* The reports are lines whose first byte is their kind. */
static const char *find_report(const struct rn_text *reports, char kind, size_t *len)
{
    const char *at = reports->at, *end = at ? at + reports->len : at;
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        if (!newline)
            newline = end;
        if (*at == kind) {
            *len = (size_t)(newline - at - 1);
            return at + 1;
        }
        at = newline + 1;
    }
    return NULL;
}

static bool has_report(const struct rn_result *r, char kind)
{
    return find_report(&r->reports, kind, &(size_t){0}) != NULL;
}

bool rn__test_failed(const struct rn_result *r)
{
    return has_report(r, RN_REPORT_FAIL);
}

void rn__test_judge(const struct rn_test *t, rn_duration limit, struct rn_result *r)
{
    char what[400], words[200] = "";
    int expected = t->status >= 0 ? t->status : 0;
    if (!r->timed_out && r->status == 0 && has_report(r, RN_REPORT_SKIP))
        return; /* rn_test_skip, of whatever kind the test is */
    if (r->timed_out) {
        snprintf(what, sizeof what, "%s took longer than %d s", t->name, (int)(limit / RN_SECOND));
        rn__test_blame(t, r, what);
    } else if (r->status != expected && !(r->status == 1 && rn__test_failed(r))) {
        if (r->status > 128)
            snprintf(what, sizeof what, "%s: ended by signal %d (%s), expected status %d", t->name, r->status - 128,
                     strsignal(r->status - 128), expected);
        else
            snprintf(what, sizeof what, "%s: ended with status %d, expected %d%s%.200s", t->name, r->status, expected,
                     last_words(&r->err, words, sizeof words) ? ": " : "", words);
        rn__test_blame(t, r, what);
    } else if (t->status == -1 && r->status == 0 && !has_report(r, RN_REPORT_END)) {
        snprintf(what, sizeof what, "%s: exit(0) was called before the test's end", t->name);
        rn__test_blame(t, r, what);
    }
    if (t->says && !contains(&r->err, t->says)) {
        snprintf(what, sizeof what, "%s: stderr does not contain \"%.300s\"", t->name, t->says);
        rn__test_blame(t, r, what);
    }
}

/* The first of them: a check in a loop fails very often. */
static void print_failures(const struct rn_text *reports)
{
    enum { SHOWN = 50 };
    size_t len, n = 0;
    struct rn_text rest = *reports;
    const char *line;
    puts("  failures: |");
    while ((line = find_report(&rest, RN_REPORT_FAIL, &len))) {
        if (n++ < SHOWN)
            printf("    %.*s\n", (int)len, line);
        const char *next = line + len + 1, *end = rest.at + rest.len;
        rest.len = next < end ? (size_t)(end - next) : 0;
        rest.at = rest.at + (next - rest.at);
    }
    if (n > SHOWN)
        printf("    and %zu more\n", n - SHOWN);
}

void rn__result_free(struct rn_result *r)
{
    rn__text_free(&r->reports);
    rn__text_free(&r->out);
    rn__text_free(&r->err);
}

bool rn__test_print_head(int number, const struct rn_test *t, const struct rn_result *r)
{
    size_t len;
    const char *skip = find_report(&r->reports, RN_REPORT_SKIP, &len);
    double ms = (double)r->took / RN_MILLISECOND;
    if (!rn__test_failed(r)) {
        if (skip)
            printf("ok %d - %s # SKIP %.*s\n", number, t->name, (int)len, skip);
        else
            printf("ok %d - %s # time=%.1fms\n", number, t->name, ms);
        return true;
    }
    printf("not ok %d - %s # time=%.1fms\n  ---\n", number, t->name, ms);
    print_failures(&r->reports);
    return false;
}

static void print_written(const char *name, const struct rn_text *t)
{
    if (t->len == 0)
        return;
    printf("  %s: |\n", name);
    rn__text_print(t, "    ", stdout);
}

void rn__test_print_rest(const struct rn_result *r, bool passed)
{
    if (passed)
        return;
    if (has_report(r, RN_REPORT_SEED))
        printf("  seed: %s\n", getenv("RUNNEL_SEED"));
    print_written("stdout", &r->out);
    print_written("stderr", &r->err);
    puts("  ...");
}

static bool run_one(int number, const struct rn_test *t, const struct options *o)
{
    struct rn_result r = {0};
#ifdef RN_EXPLORE
    if (o->explore.schedules || o->explore.token)
        return rn__test_explore(number, t, &o->explore, o->limit);
#endif
    if (o->fork || t->status >= 0) {
        int err = rn__test_run_child(t, o->limit, &r);
        if (err)
            rn__test_blame(t, &r, strerror(-err));
        else
            rn__test_judge(t, o->limit, &r);
    } else {
        rn_time start = rn_os_now();
        rn__test_report_to(-1, &r.reports);
        t->run();
        rn__test_report_to(-1, NULL);
        r.took = rn_os_now() - start;
    }
    bool passed = rn__test_print_head(number, t, &r);
    rn__test_print_rest(&r, passed);
    fflush(stdout);
    rn__result_free(&r);
    return passed;
}

/* Runs one benchmark, whose process prints its line. */
static bool run_bench(const struct rn_test *t, const struct options *o)
{
    struct rn_result r = {0};
    int err = rn__test_run_child(t, o->limit, &r);
    if (err)
        rn__test_blame(t, &r, strerror(-err));
    else
        rn__test_judge(t, o->limit, &r);
    bool passed = !rn__test_failed(&r);
    if (passed) {
        rn__text_print(&r.out, "", stdout);
    } else {
        printf("--- FAIL: %s\n", t->name);
        print_failures(&r.reports);
        rn__test_print_rest(&r, false);
    }
    fflush(stdout);
    rn__result_free(&r);
    return passed;
}

static int run_benches(const struct options *o)
{
    bool failed = false;
    if (o->profile && !rn__profile_open(o->profile)) {
        fprintf(stderr, "%s: %s\n", o->profile, strerror(errno));
        return 2;
    }
    rn__bench_head();
    for (const struct rn_test *t = first; t; t = t->next)
        for (uint64_t i = 0; chosen(o, t) && i < o->count; i++)
            failed |= !run_bench(t, o);
    if (o->profile && !rn__profile_close()) {
        fprintf(stderr, "%s: %s\n", o->profile, strerror(errno));
        return 2;
    }
    puts(failed ? "FAIL" : "PASS");
    return failed;
}

int rn_test_main(int argc, char **argv)
{
    struct options o = {0};
    alarm(0); /* `runnel test` ends what does not come this far */
    int err = parse(argc, argv, &o);
    if (err)
        return err;
    environment(&o);
    int n = 0, number = 0, failed = 0;
    if (o.bench && !o.list) {
        failed = run_benches(&o);
        if (o.is_regex)
            regfree(&o.regex);
        return failed;
    }
    for (struct rn_test *t = first; t; t = t->next)
        n += chosen(&o, t);
    if (!o.list)
        printf("TAP version 13\n1..%d\n", n);
    for (struct rn_test *t = first; t; t = t->next) {
        if (!chosen(&o, t))
            continue;
        if (o.list)
            puts(t->name);
        else
            failed += !run_one(++number, t, &o);
    }
    if (o.is_regex)
        regfree(&o.regex);
    return failed ? 1 : 0;
}
