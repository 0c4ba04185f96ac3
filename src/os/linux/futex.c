/* Waiting on a word, and the slow path of the internal lock that is built on it.
 *
 * The lock does not use the futex: a futex lock needs a third state and an exchange on release to
 * know whether to wake, which would cost every release; these locks are held for tens of
 * nanoseconds, and only a holder that lost its processor makes anybody wait longer than a spin.
 */
#define _GNU_SOURCE 1
#include "os/lock.h"
#include "os/os.h"
#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int rn_os_futex_wait(rn_atomic(uint32_t) * word, uint32_t seen, rn_time deadline)
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

void rn_os_futex_wake(rn_atomic(uint32_t) * word, int n)
{
    syscall(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, n, NULL, NULL, 0);
}

void rn_os_yield(void)
{
    sched_yield();
}

void rn__lock_slow(rn_lock *l)
{
    enum { SPINS = 100, YIELDS = 20 };
    for (int round = 0;; round++) {
        uint32_t free = 0;
        /* relaxed: only a hint whether to try.  acquire: pairs with the release in rn_lock_release. */
        if (rn_load_relaxed(&l->held) == 0 && rn_cas_acquire(&l->held, &free, 1))
            return;
        if (round < SPINS)
            rn_cpu_pause();
        else if (round < SPINS + YIELDS)
            rn_os_yield();
        else
            rn_os_nap(50 * RN_MICROSECOND);
    }
}
