/* Where benchmarks spend their processor time: SIGPROF every 10 ms of it, each time a trace of what was interrupted.
 *
 * The file is gperftools' CPU profile, the simplest that `go tool pprof` and `pprof` read: words of the machine's
 * size, [0 3 0 period 0], then [count depth pc…] for each sample, [0 1 0], and the text of /proc/self/maps.  The
 * runner writes head and end; the benchmarks, its children, whose mappings are the same, add what they sampled.
 *
 * The handler runs on the signal stack, takes no lock, and writes to memory set aside before (rn_cursor is made for
 * that).  Tried and rejected: perf record, which not every machine allows; profile.proto, which is compressed
 * protocol buffers for no gain here. */
#define _GNU_SOURCE 1
#include "arch/unwind.h"
#include "base/atomic.h"
#include "internal.h"
#include "sched/sched.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

enum { PERIOD_US = 10000, DEPTH = 62, SAMPLES = 1 << 16 };

struct sample {
    uintptr_t count, depth; /* count: 0 until the sample is whole */
    uintptr_t pc[DEPTH];
};

static int profile = -1;
static struct sample *samples;
static rn_atomic(uint32_t) samples_n;

static void take_sample(int signo, siginfo_t *info, void *uc)
{
    (void)signo, (void)info;
    int saved = errno;
    /* relaxed: numbers, each taken once; read when the timer is off */
    uint32_t i = rn_add_relaxed(&samples_n, 1);
    if (i >= SAMPLES)
        return;
    struct sample *s = &samples[i];
    struct rn_g *g = rn__self_or_null();
    struct rn_cursor c;
    rn_cursor_from_context(&c, uc, g ? g->stack_lo : NULL, g ? g->stack_hi : NULL);
    uintptr_t depth = 0;
    do {
        s->pc[depth++] = c.regs[RN_REG_PC];
    } while (depth < DEPTH && rn_cursor_step(&c) > 0);
    s->depth = depth;
    s->count = 1;
    errno = saved;
}

static bool put(const void *bytes, size_t n)
{
    for (const char *at = bytes; n;) {
        ssize_t wrote = write(profile, at, n);
        if (wrote <= 0)
            return false;
        at += wrote;
        n -= (size_t)wrote;
    }
    return true;
}

bool rn__profile_open(const char *path)
{
    static const uintptr_t head[] = {0, 3, 0, PERIOD_US, 0};
    profile = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0666);
    return profile >= 0 && put(head, sizeof head);
}

void rn__profile_begin(void)
{
    if (profile < 0)
        return;
    samples = rn_os_map(SAMPLES * sizeof *samples, rn_os_page);
    if (!samples)
        rn_fatal("no memory for a profile");
    struct sigaction a = {.sa_sigaction = take_sample, .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK};
    struct itimerval every = {{0, PERIOD_US}, {0, PERIOD_US}};
    sigfillset(&a.sa_mask);
    sigaction(SIGPROF, &a, NULL);
    setitimer(ITIMER_PROF, &every, NULL);
}

void rn__profile_end(void)
{
    if (profile < 0)
        return;
    setitimer(ITIMER_PROF, &(struct itimerval){0}, NULL);
    signal(SIGPROF, SIG_IGN);
    uint32_t n = rn_load_relaxed(&samples_n); /* relaxed: the timer is off */
    for (uint32_t i = 0; i < n && i < SAMPLES; i++)
        if (samples[i].count && !put(&samples[i], (2 + samples[i].depth) * sizeof(uintptr_t)))
            rn_fatal("the profile can't be written: %s", strerror(errno));
}

bool rn__profile_close(void)
{
    static const uintptr_t end[] = {0, 1, 0};
    char bytes[4096];
    ssize_t n;
    int maps = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    bool ok = maps >= 0 && put(end, sizeof end);
    while (ok && (n = read(maps, bytes, sizeof bytes)) > 0)
        ok = put(bytes, (size_t)n);
    if (maps >= 0)
        close(maps);
    return close(profile) == 0 && ok;
}
