/* What the race detector must know of the runtime; empty in builds without it.  See fiber.h. */
#include "sched/fiber.h"
#include <errno.h>

#ifdef RN_FIBER_TSAN

void AnnotateBenignRaceSized(const char *file, int line, const volatile void *addr, size_t size, const char *what);

void rn__fiber_thread_begin(struct rn_m *m)
{
    /* Goroutines use their thread's errno one after the other. */
    AnnotateBenignRaceSized(__FILE__, __LINE__, &errno, sizeof errno, "errno");
    (void)m;
#ifdef RN_RACE
    __tsan_release(m); /* pairs with rn__fiber_after_switch */
#endif
}

/* Reports of goroutines are made inside of signal handlers on purpose: the process is about to end,
 * or was asked. */
const char *__tsan_default_options(void);
RN_PUBLIC const char *__tsan_default_options(void)
{
    return "report_signal_unsafe=0";
}

#ifdef RN_RACE
/* The poller's descriptors, records of threads and the scheduler's own locks are ordered by what the
 * detector is not shown; calls into libc and of the locks' slow path it sees nevertheless. */
const char *__tsan_default_suppressions(void);
RN_PUBLIC const char *__tsan_default_suppressions(void)
{
    return "race:^rn_os_\nrace:^rn__adopt$\nrace:^worker_record$\nrace:^rn__lock_slow$\nrace:^rn__arch_prepare$\n";
}
#endif

#endif
