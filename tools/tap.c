/* Running test programs, several at a time, and making one TAP document of what they print, or events (json.c).
 *
 * A program prints TAP itself; its results are numbered anew and get its label.  A program that ends
 * with a failure that it did not report, or before its plan was done, is one more failed result. */
#define _GNU_SOURCE 1
#include "tool.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct running {
    pid_t pid; /* 0: it has ended, with status */
    int status;
    int out; /* a memory file with its stdout and stderr */
};

/* What one program's output has amounted to. */
struct tally {
    int planned, seen, failed; /* planned: -1 before the plan */
    char *test;                /* JSON: the last result's, whose block may follow; NULL: none */
    const char *action;        /* how it ended */
    double seconds;
};

void tap_begin(const struct tap_totals *totals)
{
    if (!totals->json)
        puts("TAP version 13"); /* 14 has nothing that is used here, and Perl's prove refuses it */
}

static void count(struct tap_totals *totals, bool ok, const char *name)
{
    const char *skip = strstr(name, "# SKIP");
    totals->number++;
    totals->failed += !ok;
    totals->passed += ok && !skip;
    totals->skipped += ok && skip;
}

void tap_point(struct tap_totals *totals, bool ok, const char *name, const char *why)
{
    count(totals, ok, name);
    if (totals->json) {
        json_event("output", name, NULL, why ? why : "", -1);
        json_event(ok ? "pass" : "fail", name, NULL, NULL, -1);
        return;
    }
    printf("%s %d - %s\n", ok ? "ok" : "not ok", totals->number, name);
    if (why)
        printf("  ---\n  failures: |\n    %s\n  ...\n", why);
    fflush(stdout);
}

/* "ok 3 - name" or "not ok 3 - name": where the name begins; NULL for any other line. */
static const char *result_name(const char *line, bool *ok)
{
    *ok = strncmp(line, "ok ", 3) == 0;
    if (!*ok && strncmp(line, "not ok ", 7) != 0)
        return NULL;
    line += *ok ? 3 : 7;
    line += strspn(line, "0123456789");
    line += strspn(line, " ");
    return strncmp(line, "- ", 2) == 0 ? line + 2 : line;
}

/* Nothing more of the last result's block comes. */
static void end_test(const char *label, struct tally *tally)
{
    if (tally->test)
        json_event(tally->action, label, tally->test, NULL, tally->seconds);
    free(tally->test);
    tally->test = NULL;
}

/* A result, "name # time=1.5ms", or "name # SKIP why". */
static void begin_test(const char *line, const char *name, bool ok, const char *label, struct tally *tally)
{
    const char *remark = strstr(name, " # ");
    double ms = -1;
    end_test(label, tally);
    tally->test = text("%.*s", remark ? (int)(remark - name) : (int)strlen(name), name);
    tally->action = !ok ? "fail" : remark && strstr(remark, "# SKIP") ? "skip" : "pass";
    tally->seconds = remark && sscanf(remark, " # time=%lf", &ms) == 1 ? ms / 1000 : 0;
    json_event("run", label, tally->test, NULL, -1);
    json_event("output", label, tally->test, line, -1);
}

static void pass_on(const char *line, const char *label, struct tally *tally, struct tap_totals *totals)
{
    bool ok;
    int planned;
    const char *name = result_name(line, &ok);
    if (name) {
        tally->seen++;
        tally->failed += !ok;
        if (totals->json) {
            count(totals, ok, name);
            begin_test(line, name, ok, label, tally);
            return;
        }
        char *full = text("%s: %s", label, name);
        tap_point(totals, ok, full, NULL);
        free(full);
    } else if (sscanf(line, "1..%d", &planned) == 1) {
        tally->planned = planned;
    } else if (strncmp(line, "TAP version", 11) != 0 && *line) {
        if (totals->json)
            json_event("output", label, tally->test, line, -1);
        else /* A block that belongs to a result stays as it is; anything else is a comment. */
            printf("%s%s\n", *line == ' ' || *line == '#' ? "" : "# ", line);
    }
}

static void finish(const struct tap_program *p, struct running *r, struct tap_totals *totals)
{
    struct tally tally = {.planned = -1};
    int status = r->status;
    if (totals->json)
        json_event("start", p->label, NULL, NULL, -1);
    char *path = text("/proc/self/fd/%d", r->out), *all = read_file(path, NULL), *at = all;
    for (char *line; at && (line = strsep(&at, "\n"));)
        pass_on(line, p->label, &tally, totals);
    end_test(p->label, &tally);
    char *name = totals->json ? text("%s", p->label) : text("%s: the program", p->label), *why = NULL;
    if (status == 128 + SIGALRM && p->start_most && tally.planned < 0)
        why = text("%s was ended after %u s in which its main did not begin: what waits in a constructor?",
                   p->argv.at[0], p->start_most);
    else if (status != 0 && !(status == 1 && tally.failed))
        why = text("%s ended with status %d", p->argv.at[0], status);
    else if (tally.planned != tally.seen)
        why = text("%s printed %d results, planned were %d", p->argv.at[0], tally.seen, tally.planned);
    if (why)
        tap_point(totals, false, name, why);
    else if (totals->json)
        json_event(tally.failed ? "fail" : "pass", p->label, NULL, NULL, -1);
    free(why);
    free(name);
    free(all);
    free(path);
    close(r->out);
}

static void begin(const struct tap_program *p, struct running *r)
{
    r->out = memfd_create("tap", MFD_CLOEXEC);
    if (r->out < 0)
        die(STATUS_FAILED, "memfd_create: %s", strerror(errno));
    r->pid = start_within(p->start_most, p->argv.at, p->dir, r->out, r->out);
}

static void one_has_ended(struct running *running, int n)
{
    pid_t pid = -1;
    int status = wait_for_any(&pid);
    for (int i = 0; i < n; i++)
        if (running[i].pid == pid) {
            running[i].pid = 0;
            running[i].status = status;
        }
}

void tap_run(const struct tap_program *programs, int n, int at_once, struct tap_totals *totals)
{
    struct running *running = calloc((size_t)n + 1, sizeof *running);
    if (!running)
        die(STATUS_FAILED, "out of memory");
    int started = 0, finished = 0;
    for (int live = 0; finished < n; live--) {
        for (; started < n && live < at_once; started++, live++)
            begin(&programs[started], &running[started]);
        one_has_ended(running, started);
        for (; finished < started && !running[finished].pid; finished++)
            finish(&programs[finished], &running[finished], totals);
    }
    free(running);
}

void tap_end(const struct tap_totals *totals)
{
    if (totals->json)
        return;
    printf("1..%d\n# %d passed, %d failed", totals->number, totals->passed, totals->failed);
    if (totals->skipped)
        printf(", %d skipped", totals->skipped);
    putchar('\n');
    fflush(stdout);
}
