/* Threads: start, time used, and who else there is. */
#define _GNU_SOURCE 1
#include "base/alloc.h"
#include "base/fault.h"
#include "base/race.h"
#include "os/linux/internal.h"
#include "os/os.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int set_stack_size(pthread_attr_t *attr)
{
    enum { LEAST = 256 * 1024 };
    size_t size;
    int err = pthread_attr_getstacksize(attr, &size);
    if (!err && size < LEAST)
        err = pthread_attr_setstacksize(attr, LEAST);
    return err;
}

/* ThreadSanitizer drops a signal that comes to a thread which it does not know yet, or no more: such a thread has them held.  (A program
 * that starts empty threads all the time and has one signal sent after the other lost 4 of 86 so, and so 0 of 91,548.) */
struct start {
    void *(*f)(void *);
    void *arg;
    uint64_t held;
};

/* What ThreadSanitizer keeps of a thread's signals it makes when the thread calls for the first time what may block (epoll_wait, nanosleep;
 * kill too), and the second of two that are made at once, one by a signal's handler on the way, replaces the first, with that signal. (LLVM 14
 * and gcc 12: SigCtx in tsan_interceptors_posix.cpp.) */
void rn_os_signals_expect(void)
{
    uint64_t held = rn_os_signals_hold();
    kill(getpid(), 0);
    rn_os_signals_release(held);
}

static void *begin_watched(void *p)
{
    struct start s = *(struct start *)p;
    rn__free(p);
    rn_os_signals_expect();
    rn_os_signals_release(s.held);
    void *result = s.f(s.arg);
    rn_os_signals_hold();
    return result;
}

static int create_watched(pthread_t *t, const pthread_attr_t *attr, const struct start *start)
{
    struct start *s = rn__malloc(sizeof *s);
    if (!s)
        return EAGAIN;
    *s = *start;
    int err = pthread_create(t, attr, begin_watched, s);
    if (err)
        rn__free(s);
    return err;
}

int rn_os_thread_start_held(pthread_t *t, void *(*f)(void *), void *arg, const char *name, uint64_t held)
{
    pthread_attr_t attr;
    if (rn__fault_hit())
        return -EAGAIN;
    int err = pthread_attr_init(&attr);
    if (err)
        return -err;
    err = set_stack_size(&attr);
    if (!err)
        err = RN_RACE_HOLDS_SIGNALS ? create_watched(t, &attr, &(struct start){f, arg, held})
                                    : pthread_create(t, &attr, f, arg);
    pthread_attr_destroy(&attr);
    if (!err) {
        char cut[16];
        snprintf(cut, sizeof cut, "%s", name);
        pthread_setname_np(*t, cut); /* for debuggers only: a failure does not matter */
    }
    return -err;
}

int rn_os_thread_start(pthread_t *t, void *(*f)(void *), void *arg, const char *name)
{
    uint64_t held = RN_RACE_HOLDS_SIGNALS ? rn_os_signals_hold() : 0;
    int err = rn_os_thread_start_held(t, f, arg, name, held);
    if (RN_RACE_HOLDS_SIGNALS)
        rn_os_signals_release(held);
    return err;
}

int rn_os_thread_id(void)
{
    return (int)syscall(SYS_gettid);
}

int64_t rn_os_timer_slack(int64_t ns)
{
    int before = prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);
    if (before < 0 || prctl(PR_SET_TIMERSLACK, (unsigned long)ns, 0, 0, 0) != 0)
        return -1;
    return before;
}

int64_t rn_os_thread_cpu(pthread_t t)
{
    clockid_t clock;
    struct timespec used;
    if (pthread_getcpuclockid(t, &clock) || clock_gettime(clock, &used))
        return -1;
    return (int64_t)used.tv_sec * RN_SECOND + used.tv_nsec;
}

/* ---- other threads ----------------------------------------------------------------------- */

/* Reads /proc/self/task/<tid>/stat: "tid (name) state …", the name with any characters.  False when
 * the thread has gone. */
static bool read_stat(int dir, const char *tid, char *text, size_t size)
{
    static const char end[] = "/stat"; /* no printf: as in rn__os_open */
    char path[300];
    size_t n_tid = strlen(tid);
    if (n_tid > sizeof path - sizeof end)
        return false;
    memcpy(path, tid, n_tid);
    memcpy(path + n_tid, end, sizeof end);
    int fd = rn__os_open(dir, path);
    if (fd < 0)
        return false;
    ssize_t n = rn__os_read(fd, text, size - 1);
    rn__os_close(fd);
    if (n <= 0)
        return false;
    text[n] = 0;
    return true;
}

bool rn_os_thread_is_blocked(int tid)
{
    char path[64], text[512];
    snprintf(path, sizeof path, "/proc/self/task/%d", tid);
    if (!read_stat(AT_FDCWD, path, text, sizeof text))
        return true; /* no /proc: what it used says enough */
    const char *after = strrchr(text, ')');
    return !after || strlen(after) < 3 || after[2] != 'R';
}

int64_t rn_os_thread_preempted(void)
{
    struct rusage u;
    return getrusage(RUSAGE_THREAD, &u) ? 0 : u.ru_nivcsw;
}

/* What runs this program may have a thread in it: ThreadSanitizer (the race build says so by RN_RACE,
 * since this file is compiled without the sanitizer there), or qemu, by whose name the kernel knows an
 * emulated process. */
static bool has_hidden_threads(void)
{
#if defined(RN_TSAN) || defined(RN_RACE)
    return true;
#else
    static const char emulator[] = "qemu-";
    char name[sizeof emulator] = "";
    int fd = rn__os_open(AT_FDCWD, "/proc/self/comm");
    if (fd < 0)
        return false;
    ssize_t n = rn__os_read(fd, name, sizeof name - 1);
    rn__os_close(fd);
    return n == sizeof name - 1 && strcmp(name, emulator) == 0;
#endif
}

/* The signals that a thread blocks, of the first 31: field 32 of stat. */
static unsigned long blocked_signals(const char *after_name)
{
    enum { BLOCKED = 32, STATE = 3 };
    const char *at = after_name + 1;
    for (int field = STATE; field < BLOCKED && at; field++)
        at = strchr(at + 1, ' ');
    return at ? strtoul(at, NULL, 10) : 0;
}

/* A hidden thread blocks every signal but those of faults, as a user's rarely does, and sleeps; one that blocks them and
 * runs may be just starting.  KILL and STOP can't be blocked. */
static bool blocks_all_signals(const char *after_name)
{
    static const int maybe[] = {SIGKILL, SIGSTOP, SIGSYS, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT};
    unsigned long open = 0;
    for (size_t i = 0; i < sizeof maybe / sizeof maybe[0]; i++)
        open |= 1UL << (maybe[i] - 1);
    return (blocked_signals(after_name) | open) == 0x7fffffffUL;
}

/* Could the thread of this stat line still wake somebody? */
static bool counts(const char *stat, bool hidden)
{
    const char *name = strchr(stat, '('), *after = strrchr(stat, ')');
    if (!name || !after || strlen(after) < 3)
        return true;
    char state = after[2];
    bool ended = state == 'Z' || state == 'X' || state == 'x'; /* a main thread that called pthread_exit is a Z */
    return !ended && strncmp(name + 1, "iou-", 4) != 0 && !(hidden && state == 'S' && blocks_all_signals(after));
}

bool rn__os_thread_matters(int dir, const char *tid)
{
    char stat[1024];
    return read_stat(dir, tid, stat, sizeof stat) && counts(stat, has_hidden_threads());
}

bool rn__os_any_thread_blocks(int signo)
{
    DIR *d = opendir("/proc/self/task");
    bool found = !d;
    for (struct dirent *e; !found && (e = readdir(d));) {
        char stat[1024];
        if (e->d_name[0] == '.' || !read_stat(dirfd(d), e->d_name, stat, sizeof stat) || !counts(stat, false))
            continue;
        const char *after = strrchr(stat, ')');
        found = after && (blocked_signals(after) >> (signo - 1) & 1);
    }
    if (d)
        closedir(d);
    return found;
}

static bool is_own(int tid, const int *own, int n)
{
    for (int i = 0; i < n; i++)
        if (own[i] == tid)
            return true;
    return false;
}

/* Threads of this process, counted by the kernel at one moment: field 20 of stat.  -1 if unknown. */
static long threads_now(void)
{
    enum { THREADS = 20, STATE = 3 };
    char stat[1024];
    int dir = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
    bool read = dir >= 0 && read_stat(dir, ".", stat, sizeof stat);
    if (dir >= 0)
        close(dir);
    const char *at = read ? strrchr(stat, ')') : NULL;
    if (!at)
        return -1;
    at++;
    for (int field = STATE; field < THREADS && at; field++)
        at = strchr(at + 1, ' ');
    return at ? strtol(at, NULL, 10) : -1;
}

/* The list in /proc/self/task is not of one moment: a thread that ends while it is read can hide one
 * that lives.  So the kernel's count decides, less those that are known to be harmless. */
int rn_os_other_threads(const int *own, int n)
{
    long all = threads_now();
    if (all == n)
        return 0;
    DIR *d = all < 0 ? NULL : opendir("/proc/self/task");
    if (!d)
        return -1;
    bool hidden = has_hidden_threads();
    int strangers = 0, harmless = 0;
    for (struct dirent *e; (e = readdir(d));) {
        char stat[1024];
        if (e->d_name[0] == '.' || is_own(atoi(e->d_name), own, n))
            continue;
        if (!read_stat(dirfd(d), e->d_name, stat, sizeof stat))
            continue;
        if (counts(stat, hidden))
            strangers++;
        else
            harmless++;
    }
    closedir(d);
    long others = all - n - harmless;
    return others > strangers ? (int)others : strangers;
}

static inline uint64_t bit(int signo)
{
    return UINT64_C(1) << (signo - 1);
}

/* The kernel's call, for the kernel's set: one word.  Not watched, both: between them the thread becomes another for the detector,
 * on the same stack. */
NOT_WATCHED uint64_t rn_os_signals_hold(void)
{
    const uint64_t all = ~(bit(SIGSEGV) | bit(SIGBUS) | bit(SIGFPE) | bit(SIGILL) | bit(SIGTRAP) | bit(SIGSYS));
    uint64_t before = 0;
    syscall(SYS_rt_sigprocmask, SIG_BLOCK, &all, &before, sizeof all);
    return before;
}

NOT_WATCHED void rn_os_signals_release(uint64_t held)
{
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &held, NULL, sizeof held);
}

enum { HELD = 1, WAS_BLOCKED = 2 };

int rn_os_pipe_signal_hold(void)
{
    sigset_t pipe, before;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    if (pthread_sigmask(SIG_BLOCK, &pipe, &before) != 0)
        return 0;
    return sigismember(&before, SIGPIPE) ? WAS_BLOCKED : HELD;
}

void rn_os_pipe_signal_release(int held)
{
    if (held != HELD)
        return;
    static const struct timespec at_once;
    sigset_t pipe;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    while (sigtimedwait(&pipe, NULL, &at_once) == SIGPIPE)
        continue;
    pthread_sigmask(SIG_UNBLOCK, &pipe, NULL);
}
