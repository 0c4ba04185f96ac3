/* The slow path of the internal lock.
 *
 * The lock does not use the futex: a futex lock needs a third state and an exchange on release to
 * know whether to wake, which would cost every release; these locks are held for tens of
 * nanoseconds, and only a holder that lost its processor makes anybody wait longer than a spin.
 *
 * Who finds it held looks again after twice as long each time: the holder then mostly takes it several times
 * in a row, with what it guards in its cache.  (Two processors at one channel, 8 x 8 goroutines: 17 ns a value; 79 ns when the
 * lock was looked at after each pause.)
 *
 * Model test: tests/model/lock.c.
 */
#include "os/lock.h"
#include "os/os.h"

__thread uint64_t rn__lock_pauses;

static void note_pauses(unsigned n)
{
#ifdef RN_MODEL /* whose threads are one */
    (void)n;
#else
    rn__lock_pauses += n;
#endif
}

void rn__lock_rest(unsigned round)
{
    enum { SPINS = 10, YIELDS = 20 };
    if (round < SPINS)
        note_pauses(rn_cpu_pauses(round));
    else if (round < SPINS + YIELDS)
        rn_os_yield();
    else
        rn_os_nap(50 * RN_MICROSECOND);
}

void rn__lock_slow(rn_lock *l)
{
    for (unsigned round = 0;; round++) {
        uint32_t free = 0;
        /* relaxed: only a hint whether to try.  acquire: pairs with the release in rn_lock_release. */
        if (rn_load_relaxed(&l->held) == 0 && rn_cas_acquire(&l->held, &free, 1))
            return;
        rn__lock_rest(round);
    }
}
