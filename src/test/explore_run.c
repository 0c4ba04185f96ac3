/* One schedule of a test, in a process of its own: so that what a schedule leaves in static variables, or
 * breaks, is not seen by the next.
 *
 * Faster than a run in child.c: what the test writes goes to three memory files, which are only looked at
 * when the process is gone; the time limit is a timer of the child's own, SIGQUIT first, for the listing,
 * and SIGKILL when that does not help. */
#define _GNU_SOURCE 1
#include "test/explore.h"

#ifdef RN_EXPLORE
#include "base/hooks.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { REPORTS, OUT, ERR, FILES };
enum { GRACE = 3 }; /* seconds between SIGQUIT and SIGKILL */

struct rn_explore_shared *rn__plan;
static int files[FILES];

int rn__explore_open(void)
{
    if (rn__plan)
        return 0;
    for (int i = 0; i < FILES; i++)
        if ((files[i] = memfd_create("runnel-test", MFD_CLOEXEC)) < 0 || fcntl(files[i], F_SETFL, O_APPEND) < 0)
            return -errno;
    void *p = mmap(NULL, sizeof *rn__plan, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return -errno;
    rn__plan = p;
    return 0;
}

static void signal_in(int signo, rn_duration after)
{
    struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = signo};
    struct itimerspec at = {.it_value = {after / RN_SECOND, after % RN_SECOND}};
    timer_t timer;
    if (timer_create(CLOCK_MONOTONIC, &ev, &timer) == 0)
        timer_settime(timer, 0, &at, NULL);
}

_Noreturn static void be_child(const struct rn_test *t, rn_duration limit)
{
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    dup2(files[OUT], STDOUT_FILENO);
    dup2(files[ERR], STDERR_FILENO);
    int null = open("/dev/null", O_RDONLY);
    if (null >= 0)
        dup2(null, STDIN_FILENO);
    rn__test_report_to(files[REPORTS], NULL);
    signal_in(SIGQUIT, limit);
    signal_in(SIGKILL, limit + GRACE * RN_SECOND);
    if (t->status < 0 && !rn__plan->tell) /* nobody reads the listing, which takes time */
        rn__hooks.dump = NULL;
    if (rn__plan->tell && rn__hooks.watch_locks)
        rn__hooks.watch_locks();
    rn__explore_begin(rn__plan);
    t->run();
    rn__test_report(RN_REPORT_END, "");
    exit(0);
}

static void take_text(int fd, struct rn_text *to)
{
    char bytes[4096];
    ssize_t n;
    off_t at = 0;
    while ((n = pread(fd, bytes, sizeof bytes, at)) > 0) {
        rn__text_add(to, bytes, (size_t)n);
        at += n;
    }
    if (at && ftruncate(fd, 0) < 0)
        abort();
}

/* ---- what became of it ----------------------------------------------------------------------------- */

static const char *find_text(const struct rn_text *t, const char *what)
{
    return t->len ? memmem(t->at, t->len, what, strlen(what)) : NULL;
}

/* The line that `at` begins, without numbers that differ from run to run. */
static void take_key(struct rn_outcome *o, const struct rn_text *t, const char *at)
{
    size_t n = 0;
    for (; at && at < t->at + t->len && *at != '\n' && n < sizeof o->key - 1; at++)
        if (*at < '0' || *at > '9')
            o->key[n++] = *at;
}

/* "file:line" of the first failed check. */
static void take_check(struct rn_outcome *o, const struct rn_text *reports)
{
    size_t n = 0;
    int colons = 0;
    for (const char *at = reports->at + 1; at < reports->at + reports->len && n < sizeof o->key - 1; at++) {
        colons += *at == ':';
        if (*at == '\n' || colons == 2)
            break;
        o->key[n++] = *at;
    }
}

/* Somebody was late, so that the test's own patience may be over, or its sleeps don't fit; and it is the test that says something is
 * wrong. */
static bool is_excused(const struct rn_outcome *o, bool check)
{
    char where[2], function[2];
    if (rn__plan->late == 0 || (rn__plan->late < RN_EXPLORE_PATIENCE && !rn__plan->moved))
        return false;
    if (o->kind == RN_FAILED_PANIC)
        return rn__hooks.place && rn__hooks.place(rn__plan->panic_at - 1, where, function, sizeof where);
    return check || (o->kind == RN_FAILED_OTHERWISE && !o->key[0]);
}

static struct rn_outcome judge(const struct rn_test *t, rn_duration limit, struct rn_result *r)
{
    static const struct {
        const char *text;
        enum rn_failure kind;
    } signs[] = {
        {"WARNING: ThreadSanitizer: data race", RN_FAILED_RACE},
        {"fatal error: all goroutines are asleep", RN_FAILED_DEADLOCK},
        {"panic: ", RN_FAILED_PANIC},
        {"fatal error: ", RN_FAILED_OTHERWISE},
    };
    struct rn_outcome o = {.kind = RN_PASSED};
    bool check = r->reports.len && r->reports.at[0] == RN_REPORT_FAIL;
    rn__test_judge(t, limit, r);
    if (!rn__test_failed(r)) {
        o.kind = r->reports.len && r->reports.at[0] == RN_REPORT_SKIP ? RN_SKIPPED : RN_PASSED;
        return o;
    }
    o.kind = RN_FAILED_OTHERWISE;
    if (rn__plan->leaked || rn__plan->endless || r->timed_out) {
        o.kind = rn__plan->leaked ? RN_FAILED_LEAK : r->timed_out ? RN_FAILED_TIMEOUT : RN_FAILED_ENDLESS;
    } else if (check) {
        o.kind = RN_FAILED_CHECK;
        take_check(&o, &r->reports);
    } else {
        for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
            const char *at = find_text(&r->err, signs[i].text);
            if (!at)
                continue;
            o.kind = signs[i].kind;
            if (o.kind != RN_FAILED_RACE)
                take_key(&o, &r->err, at);
            break;
        }
    }
    return is_excused(&o, check) ? (struct rn_outcome){.kind = RN_PASSED} : o;
}

bool rn__same_failure(const struct rn_outcome *a, const struct rn_outcome *b)
{
    return a->kind == b->kind && strcmp(a->key, b->key) == 0;
}

/* ---- a run ------------------------------------------------------------------------------------------- */

/* All that follows `begun`, but for the big tables, of which a part is used. */
static void clear_results(void)
{
    struct rn_explore_shared *s = rn__plan;
    s->begun = s->outside = s->leaked = s->endless = false;
    s->met = s->events = s->goroutines = s->choices = s->taken = s->told_n = s->words_n = 0;
    s->hash = 0;
    s->ended_at = 0;
    s->late = 0;
    s->moved = false;
    s->panic_at = 0;
}

struct rn_outcome rn__explore_run(const struct rn_test *t, rn_duration limit, struct rn_result *r)
{
    int status = 0;
    *r = (struct rn_result){0};
    clear_results();
    fflush(NULL);
    rn_time start = rn_os_now();
    pid_t pid = fork();
    if (pid == 0)
        be_child(t, limit);
    if (pid < 0)
        return (struct rn_outcome){.kind = RN_FAILED_OTHERWISE, .key = "fork"};
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    kill(-pid, SIGKILL); /* what the test left behind */
    r->took = rn_os_now() - start;
    r->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    r->timed_out = r->took >= limit;
    take_text(files[REPORTS], &r->reports);
    take_text(files[OUT], &r->out);
    take_text(files[ERR], &r->err);
    return judge(t, limit, r);
}

void rn__explore_plan(const struct rn_schedule *s)
{
    struct rn_explore_shared *p = rn__plan;
    p->seed = s->seed;
    p->way = RN_EXPLORE_DEFAULT;
    p->log = p->tell = false;
    p->planned = s->n;
    if (s->n)
        memcpy(p->plan, s->steps, s->n * sizeof *s->steps);
}

struct rn_outcome rn__explore_repeat(const struct rn_test *t, rn_duration limit, const struct rn_schedule *s)
{
    struct rn_result r;
    rn__explore_plan(s);
    struct rn_outcome o = rn__explore_run(t, limit, &r);
    rn__result_free(&r);
    return o;
}

uint64_t rn__explore_mix(uint64_t a, uint64_t b)
{
    uint64_t z = a * 0x9e3779b97f4a7c15 + b + 0x632be59bd9b4e019; /* splitmix64 */
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

#endif
