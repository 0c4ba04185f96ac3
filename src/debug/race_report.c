/* What is printed about a race: ThreadSanitizer's text with goroutines in place of its threads, without the library's
 * own frames, and with what to look at first.
 *
 *     WARNING: ThreadSanitizer: data race (pid=9358)
 *       Write of size 4 at 0x55d1 by goroutine 3:
 *         #0 handle server.c:20:9
 *       …
 *       Look first at …
 *     SUMMARY: ThreadSanitizer: data race server.c:20:9 in handle
 *
 * ThreadSanitizer asks OnReport before it prints a report, and calls __tsan_on_report after it.  In between
 * its text is sent to a descriptor that does not exist, so that all else (counting, halt_on_error, the exit status, deadly
 * signals' reports) stays its own.  Reports of other kinds, and all of them when TSAN_OPTIONS has a log_path, are left
 * as they are; so they are where a later runtime has no such function.
 *
 * Its lock for reports is held from one to the other: one thread at a time is here.  What it needs is asked from
 * the detector's interface for debuggers; libdw, which the other reports use, would be loaded in the middle of one here.
 *
 * Rejected: changing the text on its way through a pipe (it has no place for what is not in it); no frames
 * by stack_trace_format (it can't leave frames out); printing behind it (the reader would have two reports to compare).
 */
#include "base/race.h"
#include "debug/debug.h"

#ifdef RN_RACE
#include "os/os.h"
#include "sched/fiber.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int __tsan_get_report_data(void *report, const char **description, int *count, int *stacks, int *mops, int *locs,
                           int *mutexes, int *threads, int *tids, void **sleep_trace, uintptr_t trace_size);
int __tsan_get_report_mop(void *report, uintptr_t i, int *tid, void **addr, int *size, int *write, int *atomic,
                          void **trace, uintptr_t trace_size);
int __tsan_get_report_loc(void *report, uintptr_t i, const char **type, void **addr, uintptr_t *start, uintptr_t *size,
                          int *tid, int *fd, int *suppressable, void **trace, uintptr_t trace_size);
int __tsan_get_report_thread(void *report, uintptr_t i, int *tid, uint64_t *os_id, int *running, const char **name,
                             int *parent, void **trace, uintptr_t trace_size);
void __sanitizer_symbolize_pc(void *pc, const char *format, char *out, uintptr_t size);
void __sanitizer_symbolize_global(void *addr, const char *format, char *out, uintptr_t size);
void __sanitizer_set_report_fd(void *fd);
void __tsan_on_report(void *report);
/* __tsan::OnReport(__tsan::ReportDesc const *, bool) */
bool rn__race_on_report(void *report, bool suppressed) __asm__("_ZN6__tsan8OnReportEPKNS_10ReportDescEb");

enum { FRAMES = 48, NAME = 96, PLACE = 512, THREADS = 16, STDERR = 2, NO_FD = INT32_MAX };

/* ---- text ---------------------------------------------------------------------------------------- */

static char text[32 << 10];
static size_t used;

RN_PRINTF(1, 2) static void say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text + used, sizeof text - used, format, args);
    va_end(args);
    if (n > 0)
        used += (size_t)n < sizeof text - used ? (size_t)n : sizeof text - used - 1;
}

/* ---- places in the source ------------------------------------------------------------------------ */

struct frame {
    char function[PLACE], file[PLACE];
    int line, column;
};

struct trace {
    void *pc[FRAMES];
    struct frame first;    /* of the program */
    char outermost[PLACE]; /* function of the library that the program called, or of libc: "" for none */
    bool known;            /* first is */
};

static bool begins(const char *s, const char *with)
{
    return strncmp(s, with, strlen(with)) == 0;
}

static void take(struct frame *f, const char *line)
{
    f->function[0] = f->file[0] = '\0';
    f->line = f->column = 0;
    (void)sscanf(line, "%511[^\t]\t%511[^\t]\t%d\t%d", f->function, f->file, &f->line, &f->column);
    if (begins(f->function, "__interceptor_"))
        memmove(f->function, f->function + 14, strlen(f->function + 14) + 1);
}

/* The folder of the library's sources, as debug information names it. */
static const char *own_folder(void)
{
    static char folder[PLACE];
    static const char tail[] = "debug/race_report.c";
    if (folder[0])
        return folder;
    __sanitizer_symbolize_pc((char *)(uintptr_t)own_folder + 1, "%s", folder, sizeof folder);
    size_t n = strlen(folder);
    if (n > sizeof tail && strcmp(folder + n - (sizeof tail - 1), tail) == 0)
        folder[n - (sizeof tail - 1)] = '\0';
    else
        strcpy(folder, "?");
    return folder;
}

static bool is_internal(const struct frame *f)
{
    return (begins(f->function, "rn_") && strcmp(f->function, "rn_main") != 0) || begins(f->file, own_folder());
}

/* The innermost frame is that of the library's function which was called, or of libc's. */
static void say_callee(struct trace *t, const struct frame *f, int *n)
{
    bool internal = is_internal(f);
    if (internal && (begins(f->function, "rn__") || !begins(f->function, "rn_")))
        return;
    snprintf(t->outermost, sizeof t->outermost, "%s", f->function);
    say("    #%d %s\n", (*n)++, f->function);
}

static void say_frame(struct trace *t, const struct frame *f, bool callee, int *n)
{
    bool has_file = f->file[0] && f->file[0] != '<';
    if (!t->known && *n == 0 && (is_internal(f) || !has_file)) {
        if (callee)
            say_callee(t, f, n);
        return;
    }
    if (is_internal(f) || (!has_file && t->known && begins(f->function, "__")))
        return;
    if (has_file)
        say("    #%d %s %s:%d:%d\n", (*n)++, f->function, f->file, f->line, f->column);
    else
        say("    #%d %s\n", (*n)++, f->function[0] ? f->function : "?");
    if (!t->known && has_file) {
        t->first = *f;
        t->known = true;
    }
}

/* Prints the frames that are the program's; with `callee` also what it called. */
static void say_trace(struct trace *t, bool callee)
{
    static char lines[8 * PLACE];
    int n = 0;
    t->known = false;
    t->outermost[0] = '\0';
    for (int i = 0; i < FRAMES && t->pc[i]; i++) {
        if (i > 0 && t->pc[i] == t->pc[i - 1]) /* inlined in it; comes with it */
            continue;
        __sanitizer_symbolize_pc(t->pc[i], "%f\t%s\t%l\t%c", lines, sizeof lines);
        for (const char *line = lines; *line; line += strlen(line) + 1) {
            struct frame f;
            take(&f, line);
            say_frame(t, &f, callee, &n);
        }
    }
    if (n == 0)
        say("    (not known any more)\n");
}

/* ---- goroutines ---------------------------------------------------------------------------------- */

/* Who took part.  The name that the detector keeps of a goroutine says who started it (sched/race.c). */
struct who {
    int tid;
    bool running, goroutine;
    char name[NAME], starter[NAME];
    struct trace started;
};

static struct who whos[THREADS];
static int whos_n;

static void take_threads(void *report, int n)
{
    whos_n = n < THREADS ? n : THREADS;
    for (int i = 0; i < whos_n; i++) {
        struct who *w = &whos[i];
        const char *name = NULL;
        int running = 0, parent = 0;
        uint64_t os_id = 0;
        memset(w, 0, sizeof *w);
        __tsan_get_report_thread(report, (uintptr_t)i, &w->tid, &os_id, &running, &name, &parent, w->started.pc,
                                 FRAMES);
        w->running = running;
        w->goroutine = name && begins(name, "goroutine ");
        const char *by = w->goroutine ? strstr(name, RN_FIBER_STARTED_BY) : NULL;
        if (w->goroutine)
            snprintf(w->name, sizeof w->name, "%.*s", by ? (int)(by - name) : (int)sizeof w->name - 1, name);
        else if (w->tid == 0)
            snprintf(w->name, sizeof w->name, "the main thread");
        else
            snprintf(w->name, sizeof w->name, "thread %llu%s%s", (unsigned long long)(uint32_t)os_id,
                     name && *name ? " " : "", name ? name : "");
        snprintf(w->starter, sizeof w->starter, "%s", by ? by + sizeof RN_FIBER_STARTED_BY - 1 : "");
    }
}

static struct who *who_is(int tid)
{
    for (int i = 0; i < whos_n; i++)
        if (whos[i].tid == tid)
            return &whos[i];
    return NULL;
}

static const char *name_of(int tid)
{
    struct who *w = who_is(tid);
    return w ? w->name : tid == 0 ? "the main thread" : "another thread";
}

static bool is_main(const struct who *w)
{
    return w->tid == 0 || strcmp(w->name, "goroutine 1") == 0;
}

static void say_threads(void)
{
    for (int i = 0; i < whos_n; i++) {
        struct who *w = &whos[i];
        const char *state = w->running ? "running" : "finished";
        if (is_main(w))
            continue;
        size_t before = used;
        say("  %c%s (%s) started%s%s at:\n", w->name[0] - 32, w->name + 1, state,
            w->starter[0] ? RN_FIBER_STARTED_BY : "", w->starter);
        say_trace(&w->started, false);
        if (w->goroutine && (!w->starter[0] || !w->started.known)) { /* by the library itself */
            used = before;
            say("  %c%s (%s) started by the library: for a connection, a timer, a context's end or the like\n",
                w->name[0] - 32, w->name + 1, state);
        }
        say("\n");
    }
}

/* ---- accesses and what they are to --------------------------------------------------------------- */

struct access {
    int tid, size, write, atomic;
    void *addr;
    struct trace trace;
};

static void say_access(struct access *a, bool previous)
{
    const char *what = a->write ? "write" : "read";
    say("  %s%s%s of size %d at %p by %s%s:\n", previous ? "Previous " : "",
        a->atomic ? previous ? "atomic " : "Atomic " : "",
        a->atomic || previous ? what
        : a->write            ? "Write"
                              : "Read",
        a->size, a->addr, name_of(a->tid), who_is(a->tid) && is_main(who_is(a->tid)) ? " (main)" : "");
    say_trace(&a->trace, true);
    say("\n");
}

struct location {
    enum { ELSEWHERE, A_GLOBAL, THE_HEAP, A_CHANNEL, A_STACK } kind;
    char name[PLACE]; /* of a global; whose stack */
};

/* Whether the library made it: then its own frames name what it is. */
static bool is_channel(const struct trace *t)
{
    static char functions[8 * PLACE];
    for (int i = 0; i < FRAMES && t->pc[i]; i++) {
        __sanitizer_symbolize_pc(t->pc[i], "%f", functions, sizeof functions);
        for (const char *f = functions; *f; f += strlen(f) + 1)
            if (strcmp(f, "rn__chan_make") == 0)
                return true;
    }
    return false;
}

static void say_heap(struct location *l, const struct access *a, uintptr_t start, uintptr_t size, int tid,
                     struct trace *t)
{
    l->kind = is_channel(t) ? A_CHANNEL : THE_HEAP;
    if (l->kind == A_CHANNEL)
        say("  Location is a channel at %p made by %s at:\n", (void *)start, name_of(tid));
    else
        say("  Location is byte %zu of a heap block of size %zu at %p allocated by %s at:\n",
            (size_t)((uintptr_t)a->addr - start), (size_t)size, (void *)start, name_of(tid));
    say_trace(t, l->kind == THE_HEAP);
    say("\n");
}

struct search {
    const char *at;
    uint64_t id; /* found; 0: none */
};

static void look_at_stack(struct rn_g *g, void *arg)
{
    struct search *s = arg;
    if (g->id && s->at >= g->stack_lo && s->at < g->stack_hi)
        s->id = g->id;
}

static void say_goroutine_stack(struct location *l, const struct access *a)
{
    struct search s = {.at = a->addr};
    rn__g_each(look_at_stack, &s);
    if (!s.id)
        return;
    l->kind = A_STACK;
    snprintf(l->name, sizeof l->name, "goroutine %llu", (unsigned long long)s.id);
    say("  Location is a local variable on the stack of %s\n\n", l->name);
}

static void say_location(void *report, int n, struct location *l, const struct access *a)
{
    static struct trace t;
    const char *type = "";
    void *addr;
    uintptr_t start, size;
    int tid, fd, suppressable;
    l->kind = ELSEWHERE;
    memset(&t, 0, sizeof t);
    if (n == 0 ||
        !__tsan_get_report_loc(report, 0, &type, &addr, &start, &size, &tid, &fd, &suppressable, t.pc, FRAMES)) {
        say_goroutine_stack(l, a);
    } else if (strcmp(type, "heap") == 0) {
        say_heap(l, a, start, size, tid, &t);
    } else if (strcmp(type, "global") == 0) {
        l->kind = A_GLOBAL;
        __sanitizer_symbolize_global(a->addr, "%g", l->name, sizeof l->name);
        say("  Location is global '%s' at %p\n\n", l->name, a->addr);
    } else {
        say("  Location is %s of %s\n\n", strcmp(type, "fd") == 0 ? "a descriptor" : type, name_of(tid));
    }
}

/* ---- what to look at first ----------------------------------------------------------------------- */

static void say_at(const struct access *a)
{
    const struct trace *t = &a->trace;
    if (t->known)
        say("%s:%d", t->first.file, t->first.line);
    else
        say("the %s of %s", a->write ? "write" : "read", name_of(a->tid));
}

static bool calls(const struct access *a, const char *function)
{
    return strcmp(a->trace.outermost, function) == 0;
}

static bool frees(const struct access *a)
{
    return calls(a, "free") || calls(a, "realloc");
}

static bool waits_for_group(const struct access *a)
{
    return calls(a, "rn_wg_wait") || calls(a, "rn_wg_wait_ctx");
}

static bool frees_channel(const struct access *a)
{
    return calls(a, "rn_chan_free");
}

/* Of two accesses to a channel's own memory (chan/race.h) one closes it, or frees all of it. */
static void advise_channel(const struct access *one, const struct access *other)
{
    bool frees = frees_channel(one) || frees_channel(other);
    const struct access *ends = (frees ? frees_channel(one) : one->write) ? one : other;
    const struct access *uses = ends == one ? other : one;
    say_at(ends);
    say(frees ? ", which frees the channel: nothing orders it after its use at "
              : ", which closes the channel: nothing orders it after the use at ");
    say_at(uses);
    say(frees
            ? ".\n  Free it when all who use it are done: after a wg_wait, or a receive of what they send last.\n"
            : ".\n  A send that comes later panics. Let the sender close, after its last send; of several, the one who waits "
              "for all of them.\n");
}

static void advise_free(const struct access *ends, const struct access *uses)
{
    say_at(ends);
    say(", which frees the memory: nothing orders it after its use at ");
    say_at(uses);
    say(".\n  Free it when that goroutine is done: after a wg_wait, or a receive of what it sends last.\n");
}

static void advise_wait(const struct access *waits, const struct access *adds)
{
    say_at(adds);
    say(": nothing orders this wg_add before the wg_wait at ");
    say_at(waits);
    say(", which may find zero and return.\n"
        "  Add before `go`, in the goroutine that waits; or start it by wg_go, which does that.\n");
}

/* Whether the variable is local to one of the two, and the other has its address. */
static bool is_lent(const struct location *l, const struct access *a, const struct access *b)
{
    return l->kind == A_STACK && (strcmp(l->name, name_of(a->tid)) == 0 || strcmp(l->name, name_of(b->tid)) == 0);
}

static void advise_variable(const struct location *l, const struct access *a, const struct access *b)
{
    const struct frame *f = &a->trace.first, *g = &b->trace.first;
    say_at(a);
    if (a->trace.known && b->trace.known && strcmp(f->file, g->file) == 0 && f->line == g->line) {
        say(": both goroutines run it, and nothing orders the two.\n");
    } else {
        say(" and ");
        say_at(b);
        say(": nothing orders the two.\n");
    }
    if (a->atomic != b->atomic)
        say("  Only one of them is atomic: make the other so, too (rn_atomic_load, rn_atomic_store), or hold the same mutex.\n");
    else
        say("  Hold the same mutex in both; or let the first send on a channel after it, and the other receive before it%s.\n",
            is_lent(l, a, b) ? ";\n  or pass the value of the variable to the goroutine, not its address" : "");
}

static void advise(const struct location *l, const struct access *a, const struct access *b)
{
    say("  Look first at ");
    if (frees_channel(a) || frees_channel(b) || (l->kind == A_CHANNEL && (a->write || b->write)))
        advise_channel(a, b);
    else if (frees(a) || frees(b))
        advise_free(frees(a) ? a : b, frees(a) ? b : a);
    else if (waits_for_group(a) || waits_for_group(b))
        advise_wait(waits_for_group(a) ? a : b, waits_for_group(a) ? b : a);
    else
        advise_variable(l, a, b);
    say("\n");
}

/* ---- the report ------------------------------------------------------------------------------------ */

static bool is_left_to_tsan(const char *kind, int accesses)
{
    const char *options = getenv("TSAN_OPTIONS");
    return (options && strstr(options, "log_path")) || accesses != 2 ||
           (strcmp(kind, "data-race") != 0 && strcmp(kind, "heap-use-after-free") != 0);
}

static void compose(void *report, const char *kind, int locs, int threads)
{
    static struct access a[2];
    struct location l;
    const char *title = strcmp(kind, "data-race") == 0 ? "data race" : "heap-use-after-free (race)";
    used = 0;
    memset(a, 0, sizeof a);
    take_threads(report, threads);
    say("==================\nWARNING: ThreadSanitizer: %s (pid=%ld)\n", title, (long)getpid());
    for (int i = 0; i < 2; i++) {
        __tsan_get_report_mop(report, (uintptr_t)i, &a[i].tid, &a[i].addr, &a[i].size, &a[i].write, &a[i].atomic,
                              a[i].trace.pc, FRAMES);
        say_access(&a[i], i > 0);
    }
    say_location(report, locs, &l, &a[0]);
    say_threads();
    advise(&l, &a[0], &a[1]);
    const struct trace *t = a[0].trace.known ? &a[0].trace : &a[1].trace;
    if (t->known)
        say("SUMMARY: ThreadSanitizer: %s %s:%d:%d in %s\n", title, t->first.file, t->first.line, t->first.column,
            t->first.function);
    say("==================\n");
}

static bool silenced;

bool rn__race_reported;

RN_PUBLIC bool rn__race_on_report(void *report, bool suppressed)
{
    const char *kind = "";
    int count, stacks, mops = 0, locs = 0, mutexes, threads = 0, tids;
    void *slept[1];
    rn__race_reported = true;
    if (suppressed)
        return true;
    __tsan_get_report_data(report, &kind, &count, &stacks, &mops, &locs, &mutexes, &threads, &tids, slept, 1);
    if (is_left_to_tsan(kind, mops))
        return false;
    compose(report, kind, locs, threads);
    rn_os_write_stderr(text, used);
    __sanitizer_set_report_fd((void *)(intptr_t)NO_FD);
    silenced = true;
    return false;
}

RN_PUBLIC void __tsan_on_report(void *report)
{
    (void)report;
    if (silenced)
        __sanitizer_set_report_fd((void *)(intptr_t)STDERR);
    silenced = false;
}

void rn__race_report_use(void)
{
}

#endif
