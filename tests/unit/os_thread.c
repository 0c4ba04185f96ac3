/* Threads, futex, fences, the clock. */
#define _GNU_SOURCE 1
#include "os/lock.h"
#include "os/os.h"
#include <errno.h>
#include <runnel/test.h>
#include <signal.h>
#include <sys/wait.h>
#include <string.h>
#include <unistd.h>
#include "../on_purpose.h"

/* ---- threads ----------------------------------------------------------------------------- */

struct told {
    rn_atomic(uint32_t) phase; /* 1: running; 2: told to end */
    int id;
    char name[16];
    size_t stack;
};

static void wait_for(rn_atomic(uint32_t) * word, uint32_t value)
{
    for (uint32_t v; (v = rn_load_acquire(word)) != value;) /* pairs with set */
        rn_os_futex_wait(word, v, INT64_MAX);
}

static void set(rn_atomic(uint32_t) * word, uint32_t value)
{
    rn_store_release(word, value); /* pairs with wait_for */
    rn_os_futex_wake(word, INT32_MAX);
}

static void *tell(void *arg)
{
    struct told *t = arg;
    pthread_attr_t attr;
    t->id = rn_os_thread_id();
    pthread_getattr_np(pthread_self(), &attr);
    pthread_attr_getstacksize(&attr, &t->stack);
    pthread_attr_destroy(&attr);
    set(&t->phase, 1);
    wait_for(&t->phase, 2);
    return NULL;
}

/* A thread of the race detector's counts while it runs, which is not for long. */
static void await_others(const int *own, int n, int expected)
{
    while (rn_os_other_threads(own, n) != expected)
        rn_os_nap(RN_MILLISECOND);
}

TEST_PLAIN(a_thread_is_named_and_is_counted_among_the_others)
{
    rn_os_init();
    struct told t = {.phase = 0};
    pthread_t thread;
    int self = rn_os_thread_id();
    await_others(&self, 1, 0);
    await_others(NULL, 0, 1);
    REQUIRE(rn_os_thread_start(&thread, tell, &t, "a name of 20 letters") == 0);
    wait_for(&t.phase, 1);
    CHECK(t.stack >= 256 * 1024);
    pthread_getname_np(thread, t.name, sizeof t.name);
    CHECK_STR(t.name, "a name of 20 le");
    CHECK(rn_os_thread_cpu(thread) > 0);
    int both[] = {self, t.id};
    await_others(&self, 1, 1);
    await_others(both, 2, 0);
    set(&t.phase, 2);
    pthread_join(thread, NULL);
    await_others(&self, 1, 0);
}

static void *check_alone(void *arg)
{
    int self = rn_os_thread_id();
    (void)arg;
    for (int tries = 0; rn_os_other_threads(&self, 1) != 0; tries++) {
        if (tries == 5000)
            _exit(1);
        rn_os_nap(RN_MILLISECOND);
    }
    _exit(0);
}

TEST_PLAIN_DIES(a_main_thread_that_has_ended_is_no_other_thread, 0, "")
{
    pthread_t thread;
    rn_os_init();
    rn_os_thread_start(&thread, check_alone, NULL, "last");
    pthread_exit(NULL);
}

/* ---- time -------------------------------------------------------------------------------- */

TEST_PLAIN(the_clock_is_monotonic_and_a_nap_takes_its_time)
{
    rn_time last = rn_os_now();
    CHECK(last > 0);
    for (int i = 0; i < 100000; i++) {
        rn_time now = rn_os_now();
        REQUIRE(now >= last);
        last = now;
    }
    rn_os_nap(2 * RN_MILLISECOND);
    CHECK(rn_os_now() - last >= 2 * RN_MILLISECOND);
    rn_os_nap(0);
    rn_os_nap(-5);
}

TEST_PLAIN(entropy_differs_from_call_to_call)
{
    uint64_t a[2] = {0, 0}, b[2] = {0, 0};
    char large[1000];
    rn_os_entropy(a, sizeof a);
    rn_os_entropy(b, sizeof b);
    CHECK(memcmp(a, b, sizeof a) != 0);
    rn_os_entropy(large, sizeof large);
}

/* ---- futex ------------------------------------------------------------------------------- */

TEST_PLAIN(a_futex_wait_ends_at_its_deadline_and_not_before)
{
    rn_atomic(uint32_t) word = 7;
    rn_time until = rn_os_now() + 3 * RN_MILLISECOND;
    int r;
    while ((r = rn_os_futex_wait(&word, 7, until)) == 0)
        CHECK(rn_os_now() < until);
    CHECK_EQ(r, -ETIMEDOUT);
    CHECK(rn_os_now() >= until);
    CHECK_EQ(rn_os_futex_wait(&word, 8, INT64_MAX), 0);
    CHECK_EQ(rn_os_futex_wait(&word, 7, -1), -ETIMEDOUT);
    CHECK_EQ(rn_os_futex_wait(&word, 7, 0), -ETIMEDOUT);
}

/* ---- lock -------------------------------------------------------------------------------- */

struct counted {
    rn_lock lock;
    long n;
};

static void *count_up(void *arg)
{
    struct counted *c = arg;
    for (int i = 0; i < 100000; i++) {
        rn_lock_take(&c->lock, RN_RANK_SYNC);
        c->n++;
        rn_lock_release(&c->lock);
    }
    return NULL;
}

TEST_PLAIN(the_lock_excludes)
{
    RACES_ON_PURPOSE();
    enum { THREADS = 4 };
    struct counted c = {.n = 0};
    pthread_t threads[THREADS];
    rn_os_init();
    for (int i = 0; i < THREADS; i++)
        REQUIRE(rn_os_thread_start(&threads[i], count_up, &c, "count") == 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    CHECK_EQ(c.n, THREADS * 100000L);
    CHECK(rn_lock_try(&c.lock, RN_RANK_SYNC));
    CHECK(rn_lock_is_held(&c.lock));
    CHECK(!rn_lock_try(&c.lock, RN_RANK_SYNC));
    rn_lock_release(&c.lock);
}

static void *take_once(void *arg)
{
    struct counted *c = arg;
    rn_lock_take(&c->lock, RN_RANK_SYNC);
    c->n++;
    rn_lock_release(&c->lock);
    return NULL;
}

TEST_PLAIN(the_lock_waits_for_a_holder_that_sleeps)
{
    struct counted c = {.n = 0};
    pthread_t thread;
    rn_os_init();
    rn_lock_take(&c.lock, RN_RANK_SYNC);
    REQUIRE(rn_os_thread_start(&thread, take_once, &c, "waiter") == 0);
    rn_os_nap(5 * RN_MILLISECOND); /* spins, yields, naps */
    CHECK_EQ(c.n, 0);
    rn_lock_release(&c.lock);
    pthread_join(thread, NULL);
    CHECK_EQ(c.n, 1);
}

/* ---- fences ------------------------------------------------------------------------------ */

/* Dekker: each side raises its flag, fences, and looks at the other's; not both may miss. */
struct dekker {
    rn_atomic(uint32_t) round, light_flag, heavy_flag, light_done, missed;
};

enum { ROUNDS = 3000 };

static void *light_side(void *arg)
{
    struct dekker *d = arg;
    for (uint32_t r = 1; r <= ROUNDS; r++) {
        while (rn_load_acquire(&d->round) != r) /* pairs with the start of the round */
            rn_cpu_pause();
        rn_store_relaxed(&d->light_flag, r);
        rn_fence_light(); /* pairs with the heavy fence below */
        rn_store_relaxed(&d->missed, rn_load_relaxed(&d->heavy_flag) != r);
        rn_store_release(&d->light_done, r); /* pairs with the end of the round */
    }
    return NULL;
}

TEST_PLAIN(of_a_light_and_a_heavy_side_one_sees_the_other)
{
    struct dekker d = {.round = 0};
    pthread_t thread;
    rn_os_init();
    REQUIRE(rn_os_thread_start(&thread, light_side, &d, "light") == 0);
    int both_missed = 0;
    for (uint32_t r = 1; r <= ROUNDS; r++) {
        rn_store_release(&d.round, r); /* pairs with the wait of the light side */
        rn_store_relaxed(&d.heavy_flag, r);
        rn_os_fence_heavy(); /* pairs with the light fence above */
        bool missed = rn_load_relaxed(&d.light_flag) != r;
        while (rn_load_acquire(&d.light_done) != r) /* pairs with light_done above */
            rn_os_yield();
        both_missed += missed && rn_load_relaxed(&d.missed);
    }
    pthread_join(thread, NULL);
    CHECK_EQ(both_missed, 0);
}

TEST_PLAIN(the_heavy_fence_works_in_a_forked_child)
{
    rn_os_init();
    pid_t child = fork();
    if (child == 0) {
        rn_os_fence_heavy();
        _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    CHECK_EQ(status, 0);
}

/* ---- signal handlers --------------------------------------------------------------------- */

static void nothing(int signo)
{
    (void)signo;
}

TEST_PLAIN(a_handler_of_the_user_is_seen_and_ours_are_not)
{
    CHECK(!rn_os_signal_handlers(0));
    signal(SIGSEGV, nothing);
    signal(SIGPIPE, SIG_IGN);
    CHECK(!rn_os_signal_handlers(0));
    signal(SIGUSR1, nothing);
    CHECK(rn_os_signal_handlers(0));
    CHECK(!rn_os_signal_handlers((uint64_t)1 << (SIGUSR1 - 1)));
    signal(SIGUSR1, SIG_DFL);
    signal(SIGRTMAX, nothing);
    CHECK(rn_os_signal_handlers(0));
    CHECK(!rn_os_signal_handlers((uint64_t)1 << (SIGRTMAX - 1)));
}
