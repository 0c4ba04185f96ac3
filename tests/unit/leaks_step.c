/* Nobody who lives is reported, wherever the others are stopped: a process is led through a program instruction by
 * instruction (ptrace), and asked for its leaks between two of them.
 *
 * One worker runs the program; its thread is the child's first.  Another thread of the child asks.  The question stops
 * the worker by SIGURG, which the tracer lets in where the worker stands; a breakpoint there (a debug register) tells when the
 * handler has returned.  A child's answers are those of one stretch of some ten thousand instructions, a different one in
 * each step from question to question.
 *
 *     LEAKS_STEP=1 LEAKS_QUESTIONS=20000 build/dev/tests/unit/leaks_step     after every instruction; minutes */
#define _GNU_SOURCE 1
#include "../emulated.h"
#include "sched/rt.h"
#include <errno.h>
#include <pthread.h>
#include <runnel.h>
#include <runnel/test.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __has_feature
#define SANITIZER(name) __has_feature(name##_sanitizer)
#else
#define SANITIZER(name) 0
#endif
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && !SANITIZER(address) && \
    !SANITIZER(thread)
#define CAN_STEP 1
#endif

#ifdef CAN_STEP

#define NOINLINE __attribute__((noinline))

/* ---- the programs ---------------------------------------------------------------------------------- */

static void tree(int depth, rn_waitgroup *up);
static NOINLINE void tree(int depth, rn_waitgroup *up)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    if (depth > 0) {
        wg_add(&wg, 1);
        go(tree, depth - 1, &wg);
        tree(depth - 1, NULL);
        wg_wait(&wg);
    }
    if (up)
        wg_done(up);
}

static void forks_and_joins(void)
{
    tree(3, NULL);
}

static void echo(chan(int) in, chan(int) out)
{
    int v;
    while (chan_next(in, &v))
        chan_send(out, v + 1);
    chan_close(out);
}

static void values_go_round(void)
{
    chan(int) a = chan_make(int, 0), b = chan_make(int, 1), c = chan_make(int, 0);
    go(echo, a, b);
    go(echo, b, c);
    for (int i = 0; i < 3; i++) {
        chan_send(a, i);
        chan_recv(c);
    }
    chan_close(a);
    chan_recv(c);
    chan_free(a);
    chan_free(b);
    chan_free(c);
}

static void choose(chan(int) a, chan(int) b, chan(int) ended)
{
    for (int open = 2, v; open > 0;) {
        bool ok = true;
        switch (chan_select(on_recv_ok(a, &v, &ok), on_recv_ok(b, &v, &ok), on_timeout(10 * RN_SECOND))) {
        case 0:
            a = ok ? a : NULL;
            break;
        case 1:
            b = ok ? b : NULL;
            break;
        default:
            break;
        }
        open -= !ok;
    }
    chan_send(ended, 1);
}

static void cases_are_chosen(void)
{
    chan(int) a = chan_make(int, 0), b = chan_make(int, 0), ended = chan_make(int, 0);
    go(choose, a, b, ended);
    chan_send(a, 1);
    chan_send(b, 2);
    rn_yield();
    chan_close(b);
    rn_yield();
    chan_close(a);
    chan_recv(ended);
    chan_free(a);
    chan_free(b);
    chan_free(ended);
}

static void await_end(rn_context *ctx, chan(int) ended)
{
    ctx_wait(ctx);
    chan_send(ended, 1);
}

static void tell(void *ended)
{
    chan_send((chan(int))ended, 1);
}

static void contexts_end(void)
{
    enum { BELOW = 4 };
    rn_context *made[BELOW][2];
    chan(int) ended = chan_make(int, 0);
    rn_context *top = ctx_with_cancel(ctx_background());
    rn_context *late = ctx_with_timeout(ctx_background(), RN_MILLISECOND);
    for (int i = 0; i < BELOW; i++) {
        made[i][0] = ctx_with_value(top, &ended, &ended);
        made[i][1] = ctx_with_cancel(made[i][0]);
        go(await_end, made[i][1], ended);
    }
    go(await_end, late, ended);
    ctx_after_func(top, tell, ended);
    rn_yield();
    ctx_cancel(top);
    for (int i = 0; i < BELOW + 2; i++)
        chan_recv(ended);
    for (int i = 0; i < 2 * BELOW; i++)
        ctx_cancel(made[i / 2][i % 2]);
    ctx_cancel(late);
    chan_free(ended);
}

struct shared {
    rn_mutex lock;
    rn_rwmutex rw;
    rn_cond cond;
    int n;
};

static void contend(struct shared *s, rn_waitgroup *wg)
{
    rn_mutex_lock(&s->lock);
    rn_yield();
    if (++s->n == 3)
        cond_broadcast(&s->cond);
    while (s->n < 3)
        cond_wait(&s->cond, &s->lock);
    rn_mutex_unlock(&s->lock);
    rn_rwmutex_rlock(&s->rw);
    rn_yield();
    rn_rwmutex_runlock(&s->rw);
    rn_rwmutex_lock(&s->rw);
    rn_yield();
    rn_rwmutex_unlock(&s->rw);
    wg_done(wg);
}

static void locks_are_handed_on(void)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    struct shared *s = calloc(1, sizeof *s);
    for (int i = 0; i < 3; i++) {
        wg_add(&wg, 1);
        go(contend, s, &wg);
    }
    wg_wait(&wg);
    free(s);
}

static void sleep_and_tell(chan(int) ended)
{
    rn_sleep(100 * RN_MICROSECOND);
    chan_send(ended, 1);
}

static void timers_fire(void)
{
    chan(int) ended = chan_make(int, 0);
    rn_timer *t = rn_timer_make(200 * RN_MICROSECOND);
    go(sleep_and_tell, ended);
    rn_go_with((.stack = 256 << 10), sleep_and_tell, ended);
    chan_recv(rn_timer_chan(t));
    chan_recv(ended);
    chan_recv(ended);
    rn_timer_free(t);
    chan_free(ended);
}

/* ---- the child --------------------------------------------------------------------------------------- */

static int ask[2], told[2];

static void *answer_all(void *arg)
{
    for (char c; read(ask[0], &c, 1) == 1;) {
        int n = rn_debug_find_leaks(NULL, 0);
        if (write(told[1], &n, sizeof n) != sizeof n)
            break;
    }
    return arg;
}

static void (*program)(void);

static int repeat(void)
{
    struct rn_m *m = rn__m();
    int ready = 0;
    /* Nobody takes the processor from a worker that is slow because it is led. */
    rn_store_relaxed(&m->own.lock.held, 1);
    program();
    if (write(told[1], &ready, sizeof ready) != sizeof ready)
        return 1;
    for (;;)
        program();
}

static _Noreturn void be_child(void)
{
    pthread_t t;
    setenv("RUNNEL_PROCS", "1", 1);
    if (pthread_create(&t, NULL, answer_all, NULL) == 0)
        rn_run(repeat);
    _exit(3);
}

/* ---- the tracer ------------------------------------------------------------------------------------------ */

static bool late; /* it did not stop by itself */

static void on_alarm(int signo)
{
    (void)signo;
    late = true;
}

/* The signal that stopped it, 0: it has ended.  After two seconds (it waits, or went another way) it is stopped where it is. */
static int await_stop(pid_t child)
{
    enum { PATIENCE = 2 };
    struct itimerval in = {.it_value.tv_sec = PATIENCE}, off = {.it_value.tv_sec = 0};
    int status;
    late = false;
    setitimer(ITIMER_REAL, &in, NULL);
    pid_t got = waitpid(child, &status, __WALL);
    setitimer(ITIMER_REAL, &off, NULL);
    if (got < 0 && late && ptrace(PTRACE_INTERRUPT, child, NULL, NULL) == 0)
        got = waitpid(child, &status, __WALL);
    return got == child && WIFSTOPPED(status) ? WSTOPSIG(status) : 0;
}

static bool set_register(pid_t child, int i, uintptr_t value)
{
    return ptrace(PTRACE_POKEUSER, child, offsetof(struct user, u_debugreg) + (size_t)i * 8, value) == 0;
}

/* The child's worker stands: has SIGURG come for it? */
static bool is_asked(pid_t child)
{
    char path[64], line[256];
    unsigned long long pending = 0;
    snprintf(path, sizeof path, "/proc/%d/task/%d/status", child, child);
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, "SigPnd:", 7) == 0)
            pending = strtoull(line + 7, NULL, 16);
    if (f)
        fclose(f);
    return pending >> (SIGURG - 1) & 1;
}

/* Lets it go until it comes to where it was: the handler may use the same code. */
static bool let_return(pid_t child, const struct user_regs_struct *was)
{
    enum { RESUME_FLAG = 1 << 16 }; /* set between two rounds of a string instruction: no breakpoint then */
    struct user_regs_struct now = *was;
    long with = SIGURG;
    now.eflags &= ~(unsigned long long)RESUME_FLAG;
    if (ptrace(PTRACE_SETREGS, child, NULL, &now) != 0)
        return false;
    now.rsp = 0;
    late = false;
    if (!set_register(child, 0, was->rip) || !set_register(child, 7, 1))
        return false;
    for (; now.rsp != was->rsp && !late; with = 0)
        if (ptrace(PTRACE_CONT, child, NULL, (void *)with) != 0 || await_stop(child) != SIGTRAP ||
            ptrace(PTRACE_GETREGS, child, NULL, &now) != 0)
            return false;
    return set_register(child, 7, 0);
}

/* The worker, which stands, is interrupted there by the question, and comes back to where it was. */
static bool question(pid_t child, int *leaked)
{
    enum { TRIES = 100000 };
    struct user_regs_struct regs;
    if (write(ask[1], "?", 1) != 1 || ptrace(PTRACE_GETREGS, child, NULL, &regs) != 0)
        return false;
    for (int i = 0; !is_asked(child); i++)
        if (i == TRIES || usleep(20) != 0)
            return false;
    if (ptrace(PTRACE_CONT, child, NULL, NULL) != 0 || await_stop(child) != SIGURG || !let_return(child, &regs))
        return false;
    return read(told[0], leaked, sizeof *leaked) == sizeof *leaked;
}

static bool step(pid_t child, int n)
{
    while (n-- > 0)
        for (int signal = SIGTRAP + 1; signal != SIGTRAP;)
            if (ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) != 0 || (signal = await_stop(child)) == 0)
                return false;
    return true;
}

static void end_and_skip(pid_t child, const char *why)
{
    kill(child, SIGKILL);
    waitpid(child, NULL, __WALL);
    rn_test_skip(why);
}

static pid_t start_traced(void)
{
    if (pipe(ask) != 0 || pipe(told) != 0)
        return -1;
    pid_t child = fork();
    if (child == 0)
        be_child();
    close(told[1]);
    int ready; /* not before: what is being set up may be what the question needs */
    if (read(told[0], &ready, sizeof ready) != sizeof ready)
        return -1;
    if (ptrace(PTRACE_SEIZE, child, NULL, (void *)(long)PTRACE_O_EXITKILL) != 0 ||
        ptrace(PTRACE_INTERRUPT, child, NULL, NULL) != 0 || await_stop(child) != SIGTRAP) {
        end_and_skip(child, "no ptrace here");
    }
    if (!set_register(child, 0, 0) || !set_register(child, 7, 0))
        end_and_skip(child, "no debug registers here");
    return child;
}

static int setting(const char *name, int otherwise)
{
    const char *value = getenv(name);
    return value ? atoi(value) : otherwise;
}

static void lead(void (*f)(void))
{
    skip_when_emulated();
    enum { MOST_STALLS = 5 };
    int stalls = 0, questions = setting("LEAKS_QUESTIONS", 120), most = setting("LEAKS_STEP", 97), answers = 0;
    uint32_t random = 12345;
    program = f;
    struct sigaction alarm = {.sa_handler = on_alarm};
    sigaction(SIGALRM, &alarm, NULL);
    pid_t child = start_traced();
    REQUIRE(child > 0);
    for (int i = 0; i < questions; i++) {
        int leaked = 0;
        random = random * 1664525 + 1013904223;
        if (stalls == MOST_STALLS)
            break;
        if (!step(child, 1 + (int)((random >> 16) % (uint32_t)most)) || !question(child, &leaked)) {
            rn_test_fail(__FILE__, __LINE__, "led no further after %d questions", i);
            break;
        }
        stalls += late;
        if (i == 0 && late)
            end_and_skip(child, "no breakpoints here");
        answers += leaked >= 0;
        CHECK(leaked <= 0);
    }
    kill(child, SIGKILL);
    waitpid(child, NULL, __WALL);
    CHECK(answers > 0);
}

#define LED(name)          \
    TEST_PLAIN(led_##name) \
    {                      \
        lead(name);        \
    }
#else
#define LED(name)                                               \
    TEST_PLAIN(led_##name)                                      \
    {                                                           \
        rn_test_skip("only on x86-64, and without sanitizers"); \
    }
#endif

LED(forks_and_joins)
LED(values_go_round)
LED(cases_are_chosen)
LED(contexts_end)
LED(locks_are_handed_on)
LED(timers_fire)
