/* The clock and the kernel's random numbers.
 *
 * clock_gettime reads the processor's counter in user space (vDSO).  We read the counter ourselves for bounds alone
 * (os/bound.h), and only where the kernel has chosen it for its clock and nothing stops it: "tsc", which on an x86 must be
 * constant and go on while the processor sleeps, and "arch_sys_counter".  Others (kvm-clock, Hyper-V's page) scale it by
 * rules of their own, which a move to another host changes. */
#define _GNU_SOURCE 1
#include "base/race.h"
#include "os/bound.h"
#include "os/linux/internal.h"
#include "os/os.h"
#include <errno.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif
#include <string.h>
#include <sys/random.h>
#include <time.h>

/* By libc's own function: a worker that waits awake reads the clock some 40,000 times in 20 ms. */
static inline rn_time read_clock(clockid_t clock)
{
    struct timespec t;
    RN__OS_LIBC(clock_gettime)(clock, &t);
    rn_time now = (rn_time)t.tv_sec * RN_SECOND + t.tv_nsec;
    return now ? now : 1;
}

rn_time rn_os_now(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

rn_time rn_os_tick(void)
{
    return read_clock(CLOCK_MONOTONIC_COARSE);
}

/* ---- bounds ------------------------------------------------------------------------------------ */

static struct rn_rate rate;

/* The name under which the kernel has the counter, NULL where it must not be used. */
static const char *counter_name(void)
{
#if defined(__x86_64__)
    enum { POWER = 0x80000007, INVARIANT = 1 << 8 };
    unsigned a, b, c, d;
    return __get_cpuid(POWER, &a, &b, &c, &d) && d & INVARIANT ? "tsc\n" : NULL;
#elif defined(__aarch64__)
    return "arch_sys_counter\n";
#endif
}

static bool counter_is_clock(void)
{
    const char *name = counter_name();
    char text[32] = "";
    int fd = name ? rn__os_open(AT_FDCWD, "/sys/devices/system/clocksource/clocksource0/current_clocksource") : -1;
    if (fd < 0)
        return false;
    ssize_t n = rn__os_read(fd, text, sizeof text - 1);
    rn__os_close(fd);
    return n > 0 && strcmp(text, name) == 0;
}

static struct rn_reading read_both(rn_time before)
{
    uint64_t count = rn_cpu_count();
    return (struct rn_reading){before, rn_os_now(), count};
}

void rn__os_clock_init(void)
{
    enum { TRIES = 10 }; /* one may be interrupted */
    if (!counter_is_clock())
        return;
    for (int i = 0; i < TRIES; i++) {
        struct rn_reading r = read_both(rn_os_now());
        if (rn_reading_is_near(&r)) {
            rn_rate_begin(&rate, &r);
            return;
        }
    }
}

static __attribute__((noinline)) rn_time look(struct rn_bound *b)
{
    rn_time now = rn_os_now();
    if (!rn_bound_is_often(b, &rate, now))
        return now;
    struct rn_reading r = read_both(now);
    return rn_bound_look(b, &rate, &r);
}

rn_time rn_os_now_bound(struct rn_bound *b)
{
    rn_time bound;
    if (b->reach && rn_bound_tell(b, rn_cpu_count(), &bound))
        return bound;
    return look(b);
}

/* ---- the rest ---------------------------------------------------------------------------------- */

void rn_os_nap(rn_duration d)
{
    if (d <= 0)
        return;
    struct timespec t = {.tv_sec = d / RN_SECOND, .tv_nsec = d % RN_SECOND};
    nanosleep(&t, NULL); /* cut short by a signal: "about d" */
}

void rn_os_entropy(void *to, size_t bytes)
{
    char *at = to;
    while (bytes) {
        rn__race_own_begin();
        ssize_t n = getrandom(at, bytes, 0);
        rn__race_own_end();
        if (n < 0 && errno != EINTR) { /* no kernel that has epoll_pwait lacks it */
            static const char text[] = "fatal error: getrandom is forbidden, by a seccomp filter it seems: allow it\n";
            rn_os_write_stderr(text, sizeof text - 1);
            rn_os_exit(2);
        }
        if (n > 0) {
            at += n;
            bytes -= (size_t)n;
        }
    }
}
