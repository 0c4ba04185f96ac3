/* The clock and the kernel's random numbers.
 *
 * clock_gettime reads the processor's counter in user space (vDSO).  Reading the counter ourselves
 * was left alone: the scale changes while the clock is being steered, and not every machine's
 * counter may be used. */
#define _GNU_SOURCE 1
#include "base/race.h"
#include "os/os.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

rn_time rn_os_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    rn_time now = (rn_time)t.tv_sec * RN_SECOND + t.tv_nsec;
    return now ? now : 1;
}

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
        if (n < 0 && errno != EINTR)
            abort(); /* no kernel that has epoll_pwait lacks it; a filter that forbids it is a mistake */
        if (n > 0) {
            at += n;
            bytes -= (size_t)n;
        }
    }
}
