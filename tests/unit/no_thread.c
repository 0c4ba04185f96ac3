/* A worker's thread that can't be had: its record is freed, so nobody may have known it.  (A processor said that the worker was
 * its own while the thread was being started; the monitor, which looks there at any moment, could read what was freed.) */
#define _GNU_SOURCE 1
#include "base/sanitizers.h"
#include "sched/rt.h"
#include <dlfcn.h>
#include <errno.h>
#include <runnel.h>
#include <runnel/test.h>
#include <stdlib.h>
#include <string.h>

#if !defined(RN_TSAN) && !defined(RN_ASAN) /* these have a pthread_create of their own */
static rn_atomic_int refused, known;

static bool is_known(const void *m)
{
    for (uint32_t i = 0; i < rn__procs_made(); i++)
        if (rn_load_relaxed(&rn__procs[i].m) == m) /* relaxed: written by this thread, if at all */
            return true;
    return false;
}

static bool none_at_all;

/* No thread for a worker: for the monitor only, which gets no argument. */
int pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*f)(void *), void *arg)
{
    static int (*create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    void *symbol = dlsym(RTLD_NEXT, "pthread_create");
    memcpy(&create, &symbol, sizeof create);
    if (!arg && !none_at_all)
        return create(t, a, f, arg);
    rn_atomic_add(&refused, 1);
    if (arg && is_known(arg))
        rn_atomic_add(&known, 1);
    return EAGAIN;
}

static void nothing(void)
{
}

static int starts_some(void)
{
    for (int i = 0; i < 20; i++) {
        go(nothing);
        rn_yield();
    }
    return 7;
}

TEST_PLAIN(who_has_no_thread_is_known_to_nobody)
{
    rn_set_procs(3);
    CHECK_EQ(rn_run(starts_some), 7);
    CHECK(rn_atomic_load(&refused) > 0);
    CHECK_EQ(rn_atomic_load(&known), 0);
}

static void stays_on_its_thread(void)
{
    rn_pin();
    for (int i = 0; i < 10; i++)
        rn_yield();
    rn_unpin();
}

static int pins_some(void)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < 5; i++)
        wg_go(&wg, stays_on_its_thread);
    wg_wait(&wg);
    return 7;
}

/* A goroutine that is pinned leaves its thread to nobody; where no other can be had it is that one that goes on with it.
 * (Nobody took it out of the queue.) */
TEST_PLAIN(who_is_pinned_goes_on_without_another_thread)
{
    rn_set_procs(3);
    CHECK_EQ(rn_run(pins_some), 7);
    CHECK(rn_atomic_load(&refused) > 0);
}

static int sleeps_pinned(void)
{
    rn_pin();
    for (int i = 0; i < 3; i++)
        rn_sleep(RN_MILLISECOND);
    return 7;
}

/* Nobody let timers fire, and nothing was said. */
TEST_PLAIN(who_is_pinned_sleeps_without_another_thread)
{
    rn_set_procs(1);
    CHECK_EQ(rn_run(sleeps_pinned), 7);
    CHECK(rn_atomic_load(&refused) > 0);
}

static int sleeps_while_one_waits(void)
{
    enum { NAPS = 30 }; /* of 50 ms: while it is awake there is no shortage */
    rn_pin();
    go(nothing);
    for (int i = 0; i < NAPS; i++)
        rn_sleep(50 * RN_MILLISECOND);
    exit(3);
}

TEST_PLAIN_DIES(who_waits_for_a_thread_is_told_of, 3,
                "runnel: no further thread can be had (threads or memory are limited")
{
    rn_set_procs(1);
    (void)rn_run(sleeps_while_one_waits);
}

TEST_PLAIN_DIES(why_there_is_no_monitor_is_said, 2,
                "no thread for the monitor: Resource temporarily unavailable (threads or memory are limited")
{
    none_at_all = true;
    (void)rn_run(starts_some);
}
#endif
