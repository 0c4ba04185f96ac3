/* Tests, mutants, traces, main.
 *
 *     model_x                     runs all tests and mutants; output is TAP
 *     model_x NAME…               only those tests
 *     model_x --replay NAME 'C'   one execution, with the choices C that a failure printed, traced
 *     model_x --all [NAME…]       no reduction: every interleaving, also those that equal others (slow)
 *     model_x --survey [NAME…]    weakens every order of every site in turn, and prints which
 *                                 weakenings no test catches
 */
#include "engine.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { OUTCOMES = 64, LINE = 200, NOTES = 256 };

bool model_sees_plain;
int model_program;
static struct model_test *tests, **tests_end = &tests;
static struct model_mutant *mutants, **mutants_end = &mutants;

static char outcomes[OUTCOMES][LINE]; /* sorted */
static int outcome_n;
static char outcome_now[LINE];
static struct {
    int event, thread;
    char text[LINE];
} notes[NOTES];
static int note_n;

void model_register(struct model_test *t)
{
    *tests_end = t;
    tests_end = &t->next;
}

void model_register_mutant(struct model_mutant *m)
{
    *mutants_end = m;
    mutants_end = &m->next;
}

const char *model_base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* ---- outcomes and notes --------------------------------------------------------------------- */

void outcomes_clear(void)
{
    outcome_now[0] = 0;
    note_n = 0;
}

void model_outcome(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(outcome_now, sizeof outcome_now, format, args);
    va_end(args);
}

void outcomes_add(void)
{
    int i = 0;
    if (!outcome_now[0])
        return;
    while (i < outcome_n && strcmp(outcomes[i], outcome_now) < 0)
        i++;
    if ((i < outcome_n && strcmp(outcomes[i], outcome_now) == 0) || outcome_n == OUTCOMES)
        return;
    memmove(outcomes[i + 1], outcomes[i], (size_t)(outcome_n - i) * LINE);
    outcome_n++;
    memcpy(outcomes[i], outcome_now, LINE);
}

static void outcomes_join(char *to, size_t n)
{
    size_t used = 0;
    to[0] = 0;
    for (int i = 0; i < outcome_n && used < n; i++)
        used += (size_t)snprintf(to + used, n - used, "%s%s", i ? "|" : "", outcomes[i]);
}

void model_note(const char *format, ...)
{
    va_list args;
    if (note_n == NOTES)
        return;
    notes[note_n].event = event_n;
    notes[note_n].thread = running;
    va_start(args, format);
    vsnprintf(notes[note_n++].text, LINE, format, args);
    va_end(args);
}

/* ---- traces --------------------------------------------------------------------------------- */

/* A letter for each address, so that two locations with the same expression can be told apart. */
static int letter(const volatile void *addr, const volatile void **known, int *n)
{
    for (int i = 0; i < *n; i++)
        if (known[i] == addr)
            return i;
    if (*n < 64)
        known[(*n)++] = addr;
    return *n - 1;
}

static void print_value(const struct op *e)
{
    long long v = (long long)e->value, w = (long long)e->wrote;
    if (e->kind == OP_STORE)
        printf(" := %lld", w);
    else if (e->kind == OP_RMW)
        printf(" %lld -> %lld", v, w);
    else if (e->kind == OP_LOAD || e->kind == OP_CHOOSE)
        printf(" = %lld", v);
    if (e->kind == OP_RMW || e->kind == OP_LOAD) {
        if (e->from < 0)
            printf(" (initial)");
        else
            printf(" (from %d)", e->from);
    }
    if (e->stale)
        printf(" OLD");
    if (e->failed)
        printf(" FAILED");
}

static void print_event(int i, const volatile void **known, int *n)
{
    const struct op *e = &events[i];
    printf("#   %3d  T%d  ", i, e->kind == OP_VISIT ? e->by : e->thread);
    if (e->kind == OP_VISIT)
        printf("visit of T%d by ", e->target);
    printf("%s", e->site ? e->site->op : e->text);
    if (e->addr) {
        int k = letter(e->addr, known, n);
        printf(" %s {%c%.0d}", e->site ? e->site->expr : "", 'a' + k % 26, k / 26);
    }
    print_value(e);
    if (e->site)
        printf("    %s:%d %s", model_base(e->site->file), e->site->line, e->site->func);
    printf("\n");
}

void trace_print(void)
{
    const volatile void *known[64];
    int n = 0, note = 0;
    for (int i = 0; i < event_n && i < 300; i++) {
        for (; note < note_n && notes[note].event <= i; note++)
            printf("#             T%d: %s\n", notes[note].thread, notes[note].text);
        print_event(i, known, &n);
    }
    for (; note < note_n; note++)
        printf("#             T%d: %s\n", notes[note].thread, notes[note].text);
    for (int t = 0; t < THREADS; t++)
        if (threads[t].started && !threads[t].finished)
            printf("#        T%d is at %s %s\n", t, actors[t].next.site ? actors[t].next.site->op : actors[t].next.text,
                   actors[t].next.site ? actors[t].next.site->expr : "");
}

/* The source lines of the code addresses "(@0x…)" in an error. */
static void print_places(const char *error)
{
    extern char __executable_start[];
    char exe[512], command[800];
    ssize_t len = readlink("/proc/self/exe", exe, sizeof exe - 1);
    if (len <= 0)
        return;
    exe[len] = 0;
    for (const char *p = strstr(error, "(@0x"); p; p = strstr(p + 1, "(@0x")) {
        unsigned long pc = strtoul(p + 2, NULL, 16);
        char line[512];
        unsigned long base = (unsigned long)__executable_start; /* where a program that can't be moved starts: low */
        snprintf(command, sizeof command, "addr2line -e '%s' %#lx 2>&1", exe, pc - 1 - (base >> 32 ? base : 0));
        fflush(stdout);
        FILE *f = popen(command, "r");
        if (!f)
            return;
        if (fgets(line, sizeof line, f)) {
            line[strcspn(line, "\n")] = 0;
            printf("#   @%#lx is %s\n", pc, model_base(line));
        }
        pclose(f);
    }
}

static void print_failure(const struct model_test *t, const struct result *r)
{
    printf("#   error: %s\n", r->error);
    print_places(r->error);
    trace_print();
    printf("#   replay: --replay %s '%s'\n", t->name, r->choices);
}

/* ---- tests ---------------------------------------------------------------------------------- */

static bool judge(const struct model_test *t, const struct result *r, char *why, size_t n)
{
    char seen[OUTCOMES * 32];
    why[0] = 0;
    if (t->finds && !r->failed)
        snprintf(why, n, "no execution fails with \"%s\"", t->finds);
    else if (t->finds && !strstr(r->error, t->finds))
        snprintf(why, n, "fails, but not with \"%s\"", t->finds);
    else if (!t->finds && r->failed)
        snprintf(why, n, "an execution fails");
    else if (!t->finds && !r->exhausted)
        snprintf(why, n, "more executions than the bound");
    if (why[0] || !t->outcomes)
        return !why[0];
    outcomes_join(seen, sizeof seen);
    if (strcmp(seen, t->outcomes) != 0)
        snprintf(why, n, "outcomes are \"%s\", not \"%s\"", seen, t->outcomes);
    return !why[0];
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Each of the test's programs with the reduction and without: both must find the same. */
static bool run_programs(const struct model_test *t, int number)
{
    static char all[sizeof outcomes], reduced[OUTCOMES * LINE];
    struct result r;
    uint64_t executions = 0, without = 0;
    double start = seconds();
    for (model_program = 0; model_program < t->programs; model_program++) {
        for (int k = 0; k < 2; k++) {
            outcome_n = 0;
            explore_all = k;
            explore(t, NULL, &r);
            explore_all = false;
            *(k ? &without : &executions) += r.executions;
            outcomes_join(k ? all : reduced, sizeof all);
            if (r.failed || !r.exhausted)
                break;
        }
        if (r.failed || !r.exhausted || strcmp(all, reduced) != 0) {
            printf("not ok %d - %s # program %d%s\n#   with the reduction: %s\n#   without: %s\n", number, t->name,
                   model_program, r.exhausted ? "" : " has more executions than the bound", reduced, all);
            if (r.failed)
                print_failure(t, &r);
            return false;
        }
    }
    printf("ok %d - %s # %d programs, %llu executions instead of %llu, %.2f s\n", number, t->name, t->programs,
           (unsigned long long)executions, (unsigned long long)without, seconds() - start);
    return true;
}

static bool run_test(const struct model_test *t, int number)
{
    struct result r;
    char why[OUTCOMES * 64];
    double start = seconds();
    if (t->finds && !model_sees_plain) {
        printf("ok %d - %s # SKIP plain accesses are not seen beside another sanitizer\n", number, t->name);
        return true;
    }
    if (t->programs)
        return run_programs(t, number);
    outcome_n = 0;
    explore(t, NULL, &r);
    bool ok = judge(t, &r, why, sizeof why);
    printf("%s %d - %s # ", ok ? "ok" : "not ok", number, t->name);
    if (r.failed)
        printf("%s after %llu executions", t->finds ? "found" : "fails", (unsigned long long)r.executions);
    else
        printf("%s %llu executions%s",
               t->sample     ? "by chance"
               : r.exhausted ? "explored all"
                             : "NOT EXHAUSTED after",
               (unsigned long long)r.executions, t->preemptions ? " within the bound on preemptions" : "");
    printf(" (+%llu cut short), %.2f s\n", (unsigned long long)r.pruned, seconds() - start);
    if (!ok) {
        printf("#   %s\n", why);
        if (r.failed)
            print_failure(t, &r);
    }
    fflush(stdout);
    return ok;
}

/* ---- mutants -------------------------------------------------------------------------------- */

static bool site_matches(const struct model_site *s, const struct model_mutant *m)
{
    size_t n = strcspn(m->operation, " ");
    if (strcmp(s->func, m->in) != 0 || strncmp(s->op, m->operation, n) != 0 || s->op[n])
        return false;
    return !m->operation[n] || strstr(s->expr, m->operation + n + 1);
}

static bool run_mutant(const struct model_mutant *m, int number)
{
    int sites = 0, caught = 0;
    char detail[400] = "no such site was reached";
    if (!model_sees_plain) {
        printf("ok %d - mutant of %s: %s in %s # SKIP plain accesses are not seen\n", number, m->test->name,
               m->operation, m->in);
        return true;
    }
    for (struct model_site *s = all_sites; s; s = s->next) {
        struct result r;
        if (!site_matches(s, m))
            continue;
        sites++;
        s->now = MODEL_RELAXED;
        explore(m->test, NULL, &r);
        s->now = s->order;
        caught += r.failed;
        snprintf(detail, sizeof detail, r.failed ? "%.300s (execution %llu)" : "not caught %s%llu executions",
                 r.failed ? r.error : "in ", (unsigned long long)r.executions);
    }
    bool ok = sites && caught == sites;
    printf("%s %d - mutant of %s: %s in %s # %s\n", ok ? "ok" : "not ok", number, m->test->name, m->operation, m->in,
           detail);
    fflush(stdout);
    return ok;
}

static bool selected(const struct model_test *t, char **names)
{
    for (char **n = names; *n; n++)
        if (strcmp(*n, t->name) == 0)
            return true;
    return !*names;
}

/* The next weaker order after `now` of an operation written with `order`; -1 when there is none. */
static int weaker(int order, int now)
{
    static const uint8_t steps[] = {MODEL_ACQ_REL, MODEL_ACQUIRE, MODEL_RELEASE, MODEL_RELAXED};
    bool past = now == order;
    for (size_t i = 0; i < sizeof steps; i++) {
        if (past && steps[i] != order && (steps[i] & order) == steps[i])
            return steps[i];
        past |= steps[i] == now;
    }
    return -1;
}

static const char *order_name(int order)
{
    return order == MODEL_RELAXED   ? "relaxed"
           : order == MODEL_ACQUIRE ? "acquire"
           : order == MODEL_RELEASE ? "release"
           : order == MODEL_ACQ_REL ? "acq_rel"
                                    : "seq_cst";
}

static void survey_site(struct model_site *s, char **names)
{
    for (int o = weaker(s->order, s->order); o >= 0; o = weaker(s->order, o)) {
        const struct model_test *by = NULL;
        struct result r;
        s->now = (uint8_t)o;
        for (const struct model_test *t = tests; t && !by; t = t->next) {
            if (t->finds || !selected(t, names))
                continue;
            explore(t, NULL, &r);
            if (r.failed)
                by = t;
        }
        printf("%-9s %s:%d %s: %s %s -> %s%s%s\n", by ? "caught" : "SURVIVES", model_base(s->file), s->line, s->func,
               s->op, s->expr, order_name(o), by ? " by " : "", by ? by->name : "");
        fflush(stdout);
    }
    s->now = s->order;
}

static int survey(char **names)
{
    struct result r;
    for (const struct model_test *t = tests; t; t = t->next)
        if (!t->finds && selected(t, names))
            explore(t, NULL, &r);
    for (struct model_site *s = all_sites; s; s = s->next)
        survey_site(s, names);
    return 0;
}

static int replay_one(const char *name, const char *choices)
{
    struct result r;
    for (const struct model_test *t = tests; t; t = t->next)
        if (strcmp(t->name, name) == 0) {
            explore(t, choices, &r);
            printf("# %s\n", r.failed ? r.error : "no error");
            print_places(r.error);
            trace_print();
            return r.failed;
        }
    fprintf(stderr, "no test is called %s\n", name);
    return 2;
}

int main(int argc, char **argv)
{
    int n = 0, number = 0, bad = 0;
    if (argc == 4 && strcmp(argv[1], "--replay") == 0)
        return replay_one(argv[2], argv[3]);
    if (argc >= 2 && strcmp(argv[1], "--survey") == 0)
        return survey(argv + 2);
    if (argc >= 2 && strcmp(argv[1], "--all") == 0) {
        explore_all = true;
        mutants = NULL;
        argv++;
    }
    for (const struct model_test *t = tests; t; t = t->next)
        n += selected(t, argv + 1);
    for (const struct model_mutant *m = mutants; m; m = m->next)
        n += selected(m->test, argv + 1);
    printf("1..%d\n", n);
    for (const struct model_test *t = tests; t; t = t->next)
        if (selected(t, argv + 1))
            bad += !run_test(t, ++number);
    for (const struct model_mutant *m = mutants; m; m = m->next)
        if (selected(m->test, argv + 1))
            bad += !run_mutant(m, ++number);
    return bad != 0;
}
