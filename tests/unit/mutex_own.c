/* Mutexes that have become a thread's own (src/sync/mutex.c, src/sched/solo.h): how they do, and every way in which they stop
 * being it.  Where the kernel, the C library or the build has no restartable sections none ever does, and the rest must hold. */
#define _GNU_SOURCE 1
#include <pthread.h>
#include <runnel.h>
#include <runnel/test.h>
#include <signal.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OWNED = 0x7fff0000, NAME = 16, ENOUGH = 5 * 1024 };

extern const unsigned __rseq_size __attribute__((weak));

static bool can_own(void)
{
#if RN__INLINE_SYNC && !defined(RN_TSAN)
    return &__rseq_size && __rseq_size && syscall(SYS_membarrier, 0, 0, 0) & 1 << 7;
#else
    return false;
#endif
}

static uint32_t state(rn_mutex *m)
{
    return __atomic_load_n((uint32_t *)&m->rn_state, __ATOMIC_RELAXED);
}

static bool is_owned(rn_mutex *m)
{
    return state(m) & OWNED;
}

static void lock_often(rn_mutex *m)
{
    for (int i = 0; i < ENOUGH; i++) {
        mutex_lock(m);
        mutex_unlock(m);
    }
}

/* Until it is the running thread's own: a mutex that was taken away must earn it again, and the budget allow it. */
static void own(rn_mutex *m)
{
    rn_sleep(1); /* a plain thread has a name only once the runtime knows it */
    do {
        lock_often(m);
    } while (can_own() && !is_owned(m));
}

static void elsewhere(void *(*f)(void *), void *arg)
{
    pthread_t t;
    REQUIRE(pthread_create(&t, NULL, f, arg) == 0);
    pthread_join(t, NULL);
}

static void *lock_once(void *m)
{
    mutex_lock(m);
    mutex_unlock(m);
    return NULL;
}

TEST_PLAIN(a_mutex_that_one_thread_locks_often_is_its_own)
{
    rn_mutex m = RN_MUTEX_INIT;
    lock_once(&m);
    lock_often(&m);
    CHECK(!is_owned(&m)); /* the runtime does not know this thread */
    rn_sleep(1);
    lock_often(&m);
    CHECK_EQ(is_owned(&m), can_own());
    mutex_lock(&m);
    CHECK(!mutex_try_lock(&m));
    mutex_unlock(&m);
    CHECK(mutex_try_lock(&m));
    mutex_unlock(&m);
    CHECK_EQ(is_owned(&m), can_own());
    mutex_destroy(&m);
}

TEST_PLAIN(who_else_locks_it_takes_it_away)
{
    rn_mutex m = RN_MUTEX_INIT;
    own(&m);
    elsewhere(lock_once, &m);
    CHECK(!is_owned(&m));
    lock_once(&m);
    CHECK_EQ(m.rn_flags & 6, can_own() ? 2u : 0u);
    own(&m); /* needs more now */
}

static void *try_free(void *m)
{
    CHECK(mutex_try_lock(m));
    mutex_unlock(m);
    return NULL;
}

static void *try_held(void *m)
{
    CHECK(!mutex_try_lock(m));
    return NULL;
}

TEST_PLAIN(try_lock_takes_it_away_if_it_is_free)
{
    rn_mutex m = RN_MUTEX_INIT;
    own(&m);
    mutex_lock(&m);
    elsewhere(try_held, &m);
    CHECK_EQ(is_owned(&m), can_own());
    mutex_unlock(&m);
    elsewhere(try_free, &m);
    CHECK(!is_owned(&m));
}

static void *unlock_it(void *m)
{
    mutex_unlock(m);
    return NULL;
}

TEST_PLAIN(it_may_be_unlocked_elsewhere)
{
    rn_mutex m = RN_MUTEX_INIT;
    own(&m);
    mutex_lock(&m);
    elsewhere(unlock_it, &m);
    CHECK_EQ(is_owned(&m), can_own());
    mutex_lock(&m);
    mutex_unlock(&m);
    elsewhere(lock_once, &m);
}

TEST_DIES(an_unlock_too_many_is_fatal, 2, "sync: unlock of unlocked mutex")
{
    static rn_mutex m;
    own(&m);
    mutex_unlock(&m);
}

static void *unlock_too_often(void *m)
{
    mutex_unlock(m);
    return NULL;
}

TEST_DIES(and_elsewhere_too, 2, "sync: unlock of unlocked mutex")
{
    static rn_mutex m;
    own(&m);
    elsewhere(unlock_too_often, &m);
}

struct held {
    rn_mutex m;
    rn_atomic(int) waits;
    int cell;
};

static void *wait_for_it(void *arg)
{
    struct held *h = arg;
    __atomic_store_n((int *)&h->waits, 1, __ATOMIC_RELEASE);
    mutex_lock(&h->m);
    CHECK_EQ(h->cell, 1);
    h->cell = 2;
    mutex_unlock(&h->m);
    return NULL;
}

/* Bit 1: somebody is queued. */
static void until_queued(rn_mutex *m)
{
    while (!(state(m) & 2))
        rn_sleep(RN_MICROSECOND);
}

TEST_PLAIN(another_thread_waits_while_its_owner_holds_it)
{
    static struct held h;
    own(&h.m);
    mutex_lock(&h.m);
    pthread_t t;
    REQUIRE(pthread_create(&t, NULL, wait_for_it, &h) == 0);
    until_queued(&h.m);
    CHECK(!is_owned(&h.m));
    h.cell = 1;
    mutex_unlock(&h.m);
    pthread_join(t, NULL);
    CHECK_EQ(h.cell, 2);
}

TEST(goroutines_of_one_thread_wait_for_each_other)
{
    static struct held h;
    rn_set_procs(1);
    own(&h.m);
    mutex_lock(&h.m);
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_go(&wg, wait_for_it, &h);
    until_queued(&h.m);
    h.cell = 1;
    mutex_unlock(&h.m);
    wg_wait(&wg);
    CHECK_EQ(h.cell, 2);
}

TEST(a_context_ends_the_wait)
{
    rn_mutex m = RN_MUTEX_INIT;
    own(&m);
    mutex_lock(&m);
    rn_context *c = ctx_with_timeout(ctx_background(), RN_MILLISECOND);
    CHECK_EQ(mutex_lock_ctx(c, &m), RN_ETIMEOUT);
    ctx_cancel(c);
    mutex_unlock(&m);
    CHECK_EQ(mutex_lock_ctx(NULL, &m), 0);
    mutex_unlock(&m);
}

/* ---- threads that end, processes that fork ---------------------------------------------------------- */

static rn_mutex first, second;

static void *own_first(void *arg)
{
    own(&first);
    return arg;
}

static void *own_second(void *arg)
{
    own(&second); /* with the name of the one before, whose mutex is this thread's now */
    CHECK_EQ(is_owned(&first), can_own());
    lock_once(&first);
    CHECK_EQ(is_owned(&first), can_own());
    return arg;
}

TEST_PLAIN(a_thread_that_ends_leaves_its_name)
{
    elsewhere(own_first, NULL);
    uint32_t name = state(&first) >> NAME;
    elsewhere(own_second, NULL);
    CHECK_EQ(state(&second) >> NAME, name);
    CHECK_EQ(state(&first) >> NAME, name);
    lock_once(&first);
    lock_once(&second);
}

TEST_PLAIN(a_forked_process_may_take_them_away)
{
    static rn_mutex mine, other;
    own(&mine);
    elsewhere(own_first, NULL);
    own(&other);
    mutex_lock(&other);
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        lock_once(&mine);
        lock_once(&first);
        mutex_unlock(&other);
        if (can_own()) { /* ThreadSanitizer's programs can't start threads here */
            elsewhere(lock_once, &mine);
            elsewhere(lock_once, &other);
        }
        _exit(is_owned(&mine) || is_owned(&other) ? 1 : 0);
    }
    int status = -1;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK_EQ(status, 0);
    CHECK_EQ(is_owned(&mine), can_own());
    mutex_unlock(&other);
}

/* ---- sections that are interrupted -------------------------------------------------------------------- */

static rn_atomic(int) alarms;

static void count_alarm(int signo)
{
    (void)signo;
    __atomic_fetch_add((int *)&alarms, 1, __ATOMIC_RELAXED);
}

/* A section that a signal interrupts has done nothing or all.  What is wrong here: to be counted twice, or held for ever. */
TEST_PLAIN(signals_come_between)
{
    static rn_mutex m;
    static long cell;
    struct sigaction act = {.sa_handler = count_alarm, .sa_flags = SA_RESTART}, before;
    struct itimerval often = {{0, 50}, {0, 50}}, never = {{0, 0}, {0, 0}};
    REQUIRE(sigaction(SIGALRM, &act, &before) == 0);
    own(&m);
    setitimer(ITIMER_REAL, &often, NULL);
    long n = 0;
    while (__atomic_load_n((int *)&alarms, __ATOMIC_RELAXED) < 500) {
        mutex_lock(&m);
        CHECK(state(&m) & 1);
        cell++;
        n++;
        mutex_unlock(&m);
    }
    setitimer(ITIMER_REAL, &never, NULL);
    CHECK_EQ(cell, n);
    CHECK_EQ(state(&m) & 1, 0u);
    sigaction(SIGALRM, &before, NULL);
}
