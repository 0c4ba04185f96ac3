/* Channels that have become a thread's own (src/chan/lock.c, src/sched/solo.h): how they do, and every way in which they stop
 * being it.  Where the kernel, the C library or the build has no restartable sections none ever does, and the rest must hold. */
#define _GNU_SOURCE 1
#include "../conformance/chan_inside.h"
#include <pthread.h>
#include <runnel/sync.h>
#include <runnel/time.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ENOUGH = 5 * RN_CHAN_LOOKS / 2 };

extern const unsigned __rseq_size __attribute__((weak));

/* In builds that detect races the library is not instrumented. */
static bool can_own(void)
{
#if !defined(RN_TSAN) || defined(RN_RACE)
    return &__rseq_size && __rseq_size && syscall(SYS_membarrier, 0, 0, 0) & 1 << 7;
#else
    return false;
#endif
}

static LOOKS_INSIDE bool is_owned(chan(long) c)
{
    return rn_load_relaxed(&INSIDE(c)->lock.held) & RN_CHAN_OWNED;
}

/* How often it was taken away: 3 at most. */
static LOOKS_INSIDE uint32_t worn(chan(long) c)
{
    return (INSIDE(c)->owner & RN_SOLO_WORN_MOST) / RN_SOLO_WORN;
}

static void use_once(chan(long) c)
{
    static rn_atomic(long) given;
    long v = rn_add_relaxed(&given, 1);
    chan_send(c, v);
    CHECK_EQ(chan_recv(c), v);
}

static void use_often(chan(long) c)
{
    for (int i = 0; i < ENOUGH; i++)
        use_once(c);
}

/* Until it is the running thread's own: a channel that was taken away must earn it again, and the budget allow it. */
static void own(chan(long) c)
{
    let_sections_pay();
    rn_sleep(1); /* a plain thread has a name only once the runtime knows it */
    do {
        use_often(c);
    } while (can_own() && !is_owned(c));
}

struct elsewhere {
    void (*f)(chan(long));
    chan(long) c;
};

static void *run_there(void *arg)
{
    struct elsewhere *e = arg;
    e->f(e->c);
    return NULL;
}

static void elsewhere(void (*f)(chan(long)), chan(long) c)
{
    struct elsewhere e = {f, c};
    pthread_t t;
    REQUIRE(pthread_create(&t, NULL, run_there, &e) == 0);
    pthread_join(t, NULL);
}

TEST_PLAIN(a_channel_that_one_thread_uses_often_is_its_own)
{
    chan(long) c = chan_make(long, 1);
    use_once(c);
    CHECK(!is_owned(c));
    own(c);
    CHECK_EQ(is_owned(c), can_own());
    use_often(c);
    CHECK_EQ(is_owned(c), can_own());
    chan_free(c);
}

TEST_PLAIN(who_else_uses_it_takes_it_away)
{
    chan(long) c = chan_make(long, 1);
    own(c);
    elsewhere(use_once, c);
    CHECK(!is_owned(c));
    CHECK_EQ(worn(c), can_own() ? 1u : 0u);
    use_once(c);
    own(c); /* needs more now */
    elsewhere(use_often, c);
    CHECK_EQ(worn(c), can_own() ? 2u : 0u);
    chan_free(c);
}

static void only_look(chan(long) c)
{
    long v;
    CHECK_EQ(chan_try_recv(c, &v), RN_EAGAIN);
    CHECK_EQ(chan_len(c), 0u);
    CHECK_EQ(chan_select(on_recv(c, &v), on_default()), 1);
}

TEST_PLAIN(looks_leave_it_with_its_owner)
{
    chan(long) c = chan_make(long, 1);
    own(c);
    elsewhere(only_look, c);
    CHECK_EQ(is_owned(c), can_own());
    chan_free(c);
}

static void select_both(chan(long) c)
{
    long v = 0;
    chan_send(c, 7L);
    CHECK_EQ(chan_select(on_recv(c, &v), on_timeout(RN_SECOND)), 0);
    CHECK_EQ(v, 7);
}

static void close_it(chan(long) c)
{
    chan_close(c);
}

static void free_it(chan(long) c)
{
    chan_free(c);
}

TEST_PLAIN(select_close_and_free_by_others)
{
    chan(long) c = chan_make(long, 1);
    own(c);
    elsewhere(select_both, c);
    CHECK(!is_owned(c));
    own(c);
    elsewhere(close_it, c);
    long v;
    CHECK(!chan_next(c, &v));
    elsewhere(free_it, c);
}

static void hand_on(chan(long) from, chan(long) to)
{
    for (long v; chan_next(from, &v);)
        chan_send(to, v + 1);
    chan_close(to);
}

/* Two goroutines that stay on threads of their own, and wait for each other all the time. */
static void hand_on_pinned(chan(long) from, chan(long) to)
{
    rn_pin();
    hand_on(from, to);
}

TEST(waiters_of_other_threads_are_woken)
{
    chan(long) to = chan_make(long, 0), back = chan_make(long, 0);
    go(hand_on_pinned, to, back);
    for (long i = 0; i < 5000; i++) {
        chan_send(to, i);
        CHECK_EQ(chan_recv(back), i + 1);
    }
    chan_close(to);
    long v;
    CHECK(!chan_next(back, &v));
    chan_free(to);
    chan_free(back);
}

/* ---- threads that end, processes that fork ---------------------------------------------------------- */

TEST_PLAIN(a_thread_that_ends_leaves_its_name)
{
    chan(long) c = chan_make(long, 1);
    elsewhere(own, c);
    CHECK_EQ(is_owned(c), can_own());
    use_once(c);
    elsewhere(use_once, c);
    CHECK(!is_owned(c));
    chan_free(c);
}

TEST_PLAIN(a_forked_process_may_take_them_away)
{
    chan(long) mine = chan_make(long, 1), other = chan_make(long, 1);
    own(mine);
    elsewhere(own, other);
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        use_once(mine);
        use_once(other);
        _exit(is_owned(other) ? 1 : 0);
    }
    int status = -1;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK_EQ(status, 0);
    CHECK_EQ(is_owned(mine), can_own());
    use_once(mine);
    chan_free(mine);
    chan_free(other);
}

/* ---- sections that are interrupted -------------------------------------------------------------------- */

static rn_atomic(int) alarms;

static void count_alarm(int signo)
{
    (void)signo;
    rn_add_relaxed(&alarms, 1);
}

/* A section that a signal interrupts has done nothing or all. */
TEST_PLAIN(signals_come_between)
{
    chan(long) c = chan_make(long, 3);
    struct sigaction act = {.sa_handler = count_alarm, .sa_flags = SA_RESTART}, before;
    struct itimerval often = {{0, 50}, {0, 50}}, never = {{0, 0}, {0, 0}};
    REQUIRE(sigaction(SIGALRM, &act, &before) == 0);
    own(c);
    setitimer(ITIMER_REAL, &often, NULL);
    for (long n = 0; rn_load_relaxed(&alarms) < 500; n++) {
        chan_send(c, n);
        CHECK_EQ(chan_len(c), 1u);
        CHECK_EQ(chan_recv(c), n);
    }
    setitimer(ITIMER_REAL, &never, NULL);
    CHECK_EQ(chan_len(c), 0u);
    sigaction(SIGALRM, &before, NULL);
    chan_free(c);
}
