/* Asking for leaks, and reporting them.
 *
 * One question at a time.  The caller gets a large stack for the length of it (libdw wants one), stops the world,
 * copies the process, lets the world go on, and waits for the copy's answer.  Who is leaked stays as it is, so its
 * stack can be read and its frames be named here, afterwards, while the others run.
 *
 * A request by signal is answered by the monitor thread, which needs no processor: it works also when every worker is
 * stuck in the program's code. */
#define _GNU_SOURCE 1
#include "debug/leaks.h"
#include "arch/unwind.h"
#include "base/hooks.h"
#include "base/sanitizers.h"
#include "chan/chan.h"
#include "chan/done.h"
#include "debug/debug.h"
#include "debug/lock_order.h"
#include "debug/lock_order_told.h"
#include "debug/out.h"
#include "debug/symbol.h"
#include "sched/rt.h"
#include <errno.h>
#include <link.h>
#include <runnel/debug.h>
#include <runnel/time.h>
#include <string.h>

enum { STACK = 1 << 20, THREADS = RN_WORKERS_MAX + 4096, STATUS = 3 };
#define LIMIT (20 * RN_SECOND)
/* AddressSanitizer's heap has no blocks that could be told apart, and it puts frames elsewhere. */
#ifdef RN_ASAN
enum { BLIND = 1 };
#else
enum { BLIND = 0 };
#endif
/* ThreadSanitizer's shadow takes up terabytes: mappings that are not looked at. */
#if defined(RN_TSAN) || defined(RN_RACE)
#define LARGEST ((size_t)1 << 32)
#define SHADOW 0x008000000000, 0x550000000000
#else
#define LARGEST SIZE_MAX
#define SHADOW 0, 0
#endif

pthread_mutex_t rn__debug_one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

struct question {
    struct rn_leaks_job job;
    struct rn_os_stopped *threads;
    uintptr_t sp;
    bool report;
    rn_leak *leaks;
    int max;
    int result;
    bool stuck, strangers, begins;
};

/* ---- the question --------------------------------------------------------------------------------- */

static int add_tls(struct dl_phdr_info *object, size_t size, void *bytes)
{
    (void)size;
    for (int i = 0; i < object->dlpi_phnum; i++)
        if (object->dlpi_phdr[i].p_type == PT_TLS)
            *(size_t *)bytes += object->dlpi_phdr[i].p_memsz + object->dlpi_phdr[i].p_align;
    return 0;
}

static void count_one(struct rn_g *g, void *arg)
{
    (void)g;
    ++*(size_t *)arg;
}

static size_t answer_bytes(size_t room)
{
    return sizeof(struct rn_leaks_answer) + room * sizeof(struct rn_g *);
}

/* This thread among the others: it runs, in its own frame below the caller's. */
static void add_self(struct question *q, int n)
{
    struct rn_os_stopped *self = &q->threads[n];
    self->tid = rn_os_thread_id();
    self->sp = q->sp;
    self->tp = (uintptr_t)__builtin_thread_pointer();
    self->altstack = rn_os_altstack();
    self->n = 0;
    q->job.threads = q->threads;
    q->job.threads_n = n + 1;
}

/* In the copy: a goroutine's stack was put away. */
static bool bring_back(void *addr)
{
    return rn__hib_fault(addr);
}

/* Whoever is stopped has done all that it did before this thread goes on, and the copy has one thread.  The detector is told of
 * neither (a thread may stand in the middle of its runtime), so it would report the parts of the runtime's that look through the
 * copy, and wait there for locks of its own which a stopped thread holds. */
#ifdef RN_TSAN
void __tsan_ignore_thread_begin(void);
void __tsan_ignore_thread_end(void);
void AnnotateIgnoreSyncBegin(const char *file, int line);
void AnnotateIgnoreSyncEnd(const char *file, int line);
static void detector_ignores_this(void)
{
    __tsan_ignore_thread_begin();
    AnnotateIgnoreSyncBegin(__FILE__, __LINE__);
}

static void detector_goes_on(void)
{
    AnnotateIgnoreSyncEnd(__FILE__, __LINE__);
    __tsan_ignore_thread_end();
}
#else
static void detector_ignores_this(void)
{
}

static void detector_goes_on(void)
{
}
#endif

static int stop_and_look(struct question *q)
{
    rn__hib_hold_putter(true); /* what it is at would never be finished in the copy */
    detector_ignores_this();
    int n = rn_os_world_stop(q->threads, THREADS - 1);
    if (n >= 0) {
        add_self(q, n);
        n = rn_os_snapshot(rn__leaks_mark, &q->job, bring_back, LIMIT);
    }
    detector_goes_on();
    rn__hib_hold_putter(false);
    return n;
}

static bool main_has_ended, no_patience; /* for good */

static void look(struct question *q)
{
    size_t room = 1024;
    struct rn_g *self = rn__self_or_null();
    rn__goroutines_each(count_one, &room);
    dl_iterate_phdr(add_tls, &q->job.tls_bytes);
    q->job.tls_bytes += 512;
    q->job.asker = self && rn__is_goroutine(self) ? self : NULL;
    q->job.asker_sp = q->sp;
    q->job.ended = main_has_ended;
    q->job.hasty = no_patience;
    q->job.now = rn__now();
    q->job.handlers = rn_os_signal_handlers(rn_os_quit_signal | rn_os_request_signal());
    q->job.largest = LARGEST;
    memcpy(q->job.hidden, (const uintptr_t[]){SHADOW}, sizeof q->job.hidden);
    q->job.room = room;
    q->job.answer = rn_os_map_shared(answer_bytes(room));
    q->threads = rn_os_map(THREADS * sizeof *q->threads, rn_os_page);
    q->result = q->job.answer && q->threads ? stop_and_look(q) : -ENOMEM;
    if (q->threads)
        rn_os_unmap(q->threads, THREADS * sizeof *q->threads);
}

/* ---- the report -------------------------------------------------------------------------------------- */

/* Those that wait with the same frames and were started at the same place. */
struct group {
    struct rn_g *g;
    uint64_t key;
    size_t n;
};

static uint64_t place_of(const struct rn_g *g)
{
    enum { FRAMES = 40 };
    struct rn_cursor c;
    uint64_t key = (uintptr_t)g->started_at * 0x9e3779b97f4a7c15u;
    if (rn_cursor_from_saved(&c, g->sp, g->stack_lo, g->stack_hi))
        for (int i = 0; i < FRAMES; i++) {
            key = (key ^ rn_cursor_where(&c)) * 0x100000001b3u;
            if (rn_cursor_step(&c) <= 0)
                break;
        }
    return key;
}

static size_t make_groups(const struct rn_leaks_answer *a, struct group *groups)
{
    size_t n = 0;
    for (size_t i = 0; i < a->n; i++) {
        uint64_t key = place_of(a->leaked[i]);
        size_t at = 0;
        while (at < n && groups[at].key != key)
            at++;
        if (at == n)
            groups[n++] = (struct group){a->leaked[i], key, 0};
        groups[at].n++;
    }
    return n;
}

static const char *const hints[RN_WAIT_COUNT] = {
    [RN_WAIT_NONE] = "it asks the semaphore for more units than there are: that never comes",
    [RN_WAIT_CHAN_RECV] = "nobody who can still run has this channel, to send on it or close it: look for the sender "
                          "that returned early, or the chan_close that is missing",
    [RN_WAIT_CHAN_SEND] = "nobody who can still run has this channel, to receive from it: look at why the receiver "
                          "left (a timeout, an error?); room for one value, or a select with a context, lets the "
                          "sender go",
    [RN_WAIT_CHAN_RECV_NIL] = "the channel is NULL: look where it should have been made",
    [RN_WAIT_CHAN_SEND_NIL] = "the channel is NULL: look where it should have been made",
    [RN_WAIT_SELECT] = "nobody who can still run has any of these channels: give the select a case that ends it, such "
                       "as on_done(ctx)",
    [RN_WAIT_SELECT_NONE] = "a select without live cases waits for ever: all its channels are NULL",
    [RN_WAIT_MUTEX] = "look at the holder: it does not let go because it waits itself, has ended, or is this goroutine",
    [RN_WAIT_RWMUTEX_R] = "look at the holder, or at the writer that waits before it: a second read lock behind a "
                          "waiting writer never comes",
    [RN_WAIT_RWMUTEX_W] = "look at the holders: one of them waits itself, has ended, or is this goroutine",
    [RN_WAIT_WAITGROUP] = "the counter does not come to 0: look for a wg_done that is skipped by an early return, a "
                          "wg_add too many, or a goroutine above that is stuck",
    [RN_WAIT_ONCE] = "the call in progress never ends: look whether it calls the same once again",
    [RN_WAIT_COND] = "nobody who can still run can signal: look for a signal that came before the wait, or a signal "
                     "where a broadcast was needed",
    [RN_WAIT_SEMAPHORE] = "nobody who can still run can release: look for a sem_release that an early return skips",
    [RN_WAIT_GROUP] = "the goroutines of the group do not end: they are in this list",
    [RN_WAIT_SCOPE] = "the goroutines of the scope do not end: they are in this list",
    [RN_WAIT_CONTEXT] = "nobody can cancel this context any more: look for the ctx_cancel that was dropped",
};

/* Whose hint fits, where there was no queue to stand in. */
static enum rn_wait without_queue(enum rn_wait why)
{
    switch (why) {
    case RN_WAIT_CHAN_RECV:
        return RN_WAIT_CHAN_RECV_NIL;
    case RN_WAIT_CHAN_SEND:
        return RN_WAIT_CHAN_SEND_NIL;
    case RN_WAIT_SELECT:
        return RN_WAIT_SELECT_NONE;
    default:
        return RN_WAIT_NONE;
    }
}

static void print_channel(const struct rn_chan *c)
{
    /* relaxed: nobody who runs has it. */
    rn__out("channel %p (capacity %zu, %zu in it, %u to send and %u to receive wait)", (const void *)c, c->cap,
            rn_load_relaxed(&c->count), rn_load_relaxed(&c->senders), rn_load_relaxed(&c->receivers));
}

struct note {
    const struct rn_g *g;
    enum rn_wait why;
    int n;
};

static void print_wait(const struct rn_waiter *w, void *arg)
{
    struct note *note = arg;
    enum rn_wait why = note->why;
    rn__out(note->n++ ? "\tand for " : "\twaits for ");
    if ((uintptr_t)w->of & 1)
        rn__out("the end of context %p", w->of);
    else if (why == RN_WAIT_CHAN_RECV || why == RN_WAIT_CHAN_SEND || why == RN_WAIT_SELECT)
        print_channel(w->of);
    else if (rn__waits_for_lock(why))
        rn__lock_print_wait(note->g, w, why);
    else
        rn__out("%s %p", why == RN_WAIT_WAITGROUP ? "waitgroup" : why == RN_WAIT_COND ? "cond" : "object", w->of);
    rn__out("\n");
}

static void print_note(const struct rn_g *g, void *arg)
{
    const struct group *group = arg;
    struct note note = {.g = g, .why = (enum rn_wait)rn_load_relaxed(&g->waiting)}; /* relaxed: it is parked for good */
    rn__leaks_waits(g, print_wait, &note);
    const char *hint = hints[rn__leaks_in_no_queue(g) ? without_queue(note.why) : note.why];
    if (hint)
        rn__out("\tlook first: %s\n", hint);
    if (group->n > 1)
        rn__out("\t(and %zu more goroutines that wait at the same place)\n", group->n - 1);
}

static void print_report(const struct rn_leaks_answer *a)
{
    enum { MOST = 50 };
    struct group *groups = rn_os_map(a->n * sizeof *groups, rn_os_page);
    if (!groups)
        return;
    size_t n = make_groups(a, groups);
    rn_time now = rn__now();
    rn__out("runnel: leak: %zu goroutine%s can never be woken\n\n", a->n, a->n == 1 ? "" : "s");
    for (size_t i = 0; i < n && i < MOST; i++)
        rn__print_goroutine(groups[i].g, now, print_note, &groups[i]);
    if (n > MOST)
        rn__out("(%zu more places)\n", n - MOST);
    rn__out_flush();
    rn_os_unmap(groups, a->n * sizeof *groups);
}

static void store(const struct question *q)
{
    const struct rn_leaks_answer *a = q->job.answer;
    rn_time now = rn__now();
    for (size_t i = 0; i < a->n && (int)i < q->max; i++) {
        const struct rn_g *g = a->leaked[i];
        /* relaxed, all: it is parked for good. */
        q->leaks[i] = (rn_leak){.goroutine = g->id,
                                .state = rn__wait_text((enum rn_wait)rn_load_relaxed(&g->waiting)),
                                .object = rn_load_relaxed(&g->waiting_for),
                                .started_at = rn_load_relaxed(&g->started_by) ? g->started_at : NULL,
                                .waited = now - rn_load_relaxed(&g->waiting_since)};
    }
}

/* ---- asking ------------------------------------------------------------------------------------------- */

static void answer(void *arg)
{
    struct question *q = arg;
    look(q);
    if (q->result == 0) {
        const struct rn_leaks_answer *a = q->job.answer;
        q->result = a->n > INT32_MAX ? INT32_MAX : (int)a->n;
        q->stuck = a->asker_stuck;
        q->strangers = a->strangers;
        q->begins = a->begins;
        if (q->leaks)
            store(q);
        if (q->report && a->n > 0)
            print_report(a);
    } else {
        q->result = RN_EAGAIN;
    }
    if (q->job.answer)
        rn_os_unmap(q->job.answer, answer_bytes(q->job.room));
}

/* Where this thread's stack ends. */
static inline uintptr_t stack_pointer(void)
{
    uintptr_t sp;
#if defined(__x86_64__)
    __asm__ volatile("movq %%rsp, %0" : "=r"(sp));
#else
    __asm__ volatile("mov %0, sp" : "=r"(sp));
#endif
    return sp;
}

/* Not inlined: the caller's registers are in this frame, and the stack is looked through from here.  (setjmp is no
 * way to store registers: glibc's scrambles some.)  The question lies at the far end of the stack that it runs on: what the
 * copy's own variables know of it is no way to the asker's stack. */
static __attribute__((noinline)) int ask(struct question *asked)
{
    asked->result = RN_EAGAIN;
    if (BLIND)
        return RN_EAGAIN;
    rn_os_init();
    char *stack = rn_os_map(STACK, rn_os_page);
    if (!stack)
        return RN_EAGAIN;
    __builtin_unwind_init();
    struct question *q = (struct question *)stack;
    *q = *asked;
    q->job.stack = (uintptr_t)stack;
    q->job.stack_end = q->job.stack + STACK;
    q->sp = stack_pointer();
    pthread_mutex_lock(&rn__debug_one_at_a_time);
    rn__arch_call_on(stack + STACK, answer, q);
    pthread_mutex_unlock(&rn__debug_one_at_a_time);
    *asked = *q;
    rn_os_unmap(stack, STACK);
    return asked->result;
}

int rn_debug_leaks(void)
{
    struct question q = {.report = true};
    return ask(&q);
}

int rn_debug_find_leaks(rn_leak *leaks, int max)
{
    struct question q = {.leaks = leaks, .max = max};
    return ask(&q);
}

/* Threads that have only begun, as at the program's beginning, are soon known. */
bool rn__leaks_nobody_frees(const void *lock)
{
    enum { TRIES = 5 };
    struct rn_g *self = rn__self_or_null();
    if (!self || !rn__is_goroutine(self))
        return false;
    struct question q = {0};
    rn_time start = rn__now();
    for (int i = 0; i < TRIES || (q.begins && rn__now() - start < RN_SECOND); i++) {
        if (i > 0)
            rn_sleep(RN_MILLISECOND << (i < TRIES ? i : TRIES));
        q = (struct question){.job = {.wants = lock}};
        if (ask(&q) >= 0 && !q.strangers)
            return q.stuck;
    }
    return false;
}

/* ---- asked from outside ---------------------------------------------------------------------------------- */

static rn_atomic(uint32_t) requested;

static void on_request(void)
{
    rn_store_release(&requested, 1);              /* pairs with the exchange in answer_request */
    rn_store_release(&rn__sched.monitor_word, 0); /* pairs with the acquire in the monitor's sleep */
    rn_os_futex_wake(&rn__sched.monitor_word, 1);
}

/* By the monitor. */
static rn_time answer_request(void)
{
    static const char none[] = "runnel: no goroutine is leaked\n", unknown[] = "runnel: can't tell what is leaked\n";
    rn_time again = rn__lock_order_look();
    if (!rn_load_relaxed(&requested) || !rn_xchg_acquire(&requested, 0)) /* pairs with the release in on_request */
        return again;
    int n = rn_debug_leaks();
    if (n <= 0)
        rn_os_write_stderr(n ? unknown : none, n ? sizeof unknown - 1 : sizeof none - 1);
    return again;
}

/* Those whom main leaves come to their end or to what they wait for: they get a second, if they only sleep
 * a tenth of it.  How many wait. */
static int settle(void)
{
    rn_time start = rn__now();
    struct rn_others others;
    do {
        rn_sleep(RN_MILLISECOND / 4);
        others = rn__others();
    } while (rn__now() - start < (others.running ? RN_SECOND : others.sleeping ? RN_SECOND / 10 : 0));
    return others.waiting;
}

/* Whether to ask once more.  A thread that begins or ends just then, and has no number yet, might be one that wakes somebody; or
 * it blocks all signals for that, and there is no answer.  One of ours that only begins gets as long as goroutines do; one that
 * nobody knows is perhaps the program's own, and stays. */
static bool may_change(const struct question *q, int asked, rn_time start)
{
    enum { TRIES = 4 };
    rn_duration patience = q->begins || q->result < 0 ? RN_SECOND : q->strangers ? RN_SECOND / 20 : 0;
    return q->result <= 0 && !BLIND && (asked < TRIES || rn__now() - start < patience);
}

static int ask_at_the_end(void)
{
    struct question q = {0};
    rn_time start = rn__now();
    int asked = 0;
    do {
        bool some = rn__exploring() || BLIND || settle() > 0 || asked == 0 || q.result < 0;
        q = (struct question){.report = true};
        if (some)
            ask(&q);
    } while (may_change(&q, ++asked, start));
    return q.result;
}

/* Who waits for a lock that it holds itself, less than a second by now, and will for ever. */
static void look_at_locks(void)
{
    enum { SOME = 64 };
    rn_leak found[SOME];
    struct question q = {0};
    rn_time start = rn__now();
    int asked = 0;
    while (may_change(&q, asked++, start) && rn__lock_order_waits()) {
        settle();
        q = (struct question){.leaks = found, .max = SOME};
        ask(&q);
    }
    for (int i = 0; i < q.result && i < SOME; i++)
        rn__lock_order_stays(found[i].goroutine);
}

static int main_returned(int status)
{
    bool leaks = rn__setting_is_on("RUNNEL_LEAKS", false);
    main_has_ended = rn__main_is_ours;
    if (rn__hooks.lock_reports && !leaks)
        look_at_locks();
    if (rn__hooks.lock_reports)
        rn__hooks.lock_reports(); /* the one in progress ends first */
    if (!leaks)
        return status;
    no_patience = rn__main_is_ours;
    int n = ask_at_the_end();
    if (n < 0)
        rn_os_write_stderr("runnel: can't tell what is leaked\n", 34);
    return status == 0 && n > 0 ? STATUS : status;
}

void rn__leaks_start(void)
{
    rn__hooks.answer_request = answer_request;
    if (!rn__hooks.main_returned) /* the test runner has its own */
        rn__hooks.main_returned = main_returned;
    rn_os_request_install(on_request);
}

void rn__leaks_stop(void)
{
    rn_os_request_uninstall();
}
