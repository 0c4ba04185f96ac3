/* Waiting on a word. */
#define _GNU_SOURCE 1
#include "base/race.h"
#include "os/os.h"
#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int futex_wait(rn_atomic(uint32_t) * word, uint32_t seen, rn_time deadline)
{
    struct timespec until, *limit = NULL;
    if (deadline != INT64_MAX) {
        rn_time t = deadline > 0 ? deadline : 0;
        until = (struct timespec){.tv_sec = t / RN_SECOND, .tv_nsec = t % RN_SECOND};
        limit = &until;
    }
    /* The kernel compares *word with seen under its own lock: a change and a wake after the caller's
     * load are not missed. */
    long r =
        syscall(SYS_futex, word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, seen, limit, NULL, FUTEX_BITSET_MATCH_ANY);
    return r < 0 && errno == ETIMEDOUT ? -ETIMEDOUT : 0;
}

int rn_os_futex_wait(rn_atomic(uint32_t) * word, uint32_t seen, rn_time deadline)
{
    /* The race detector holds a signal back until its thread comes by, as it does here now and then. */
    enum { SLICE = 20 * RN_MILLISECOND };
    while (RN_RACE_HOLDS_SIGNALS) {
        rn__race_signals();
        rn_time now = rn_os_now();
        if (deadline - SLICE <= now)
            break;
        if (futex_wait(word, seen, now + SLICE) == 0)
            return 0;
    }
    return futex_wait(word, seen, deadline);
}

void rn_os_futex_wake(rn_atomic(uint32_t) * word, int n)
{
    syscall(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, n, NULL, NULL, 0);
}

void rn_os_yield(void)
{
    sched_yield();
}
