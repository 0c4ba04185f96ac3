/* Signals as values on a channel. */
#define _GNU_SOURCE 1
#include "../emulated.h"
#include "../wakers.h"
#include "sched/rt.h"
#include <pthread.h>
#include <runnel.h>
#include <runnel/signal.h>
#include <runnel/test.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool is_default(int signo)
{
    struct sigaction a;
    return sigaction(signo, NULL, &a) == 0 && !(a.sa_flags & SA_SIGINFO) && a.sa_handler == SIG_DFL;
}

static void await_default(int signo)
{
    while (!is_default(signo))
        rn_sleep(RN_MILLISECOND);
}

TEST(a_signal_arrives)
{
    chan(int) c = chan_make(int, 1);
    CHECK_EQ(signal_notify(c, SIGUSR1, SIGTERM), 0);
    for (int i = 0; i < 100; i++) {
        int signo = i % 2 ? SIGUSR1 : SIGTERM;
        kill(getpid(), signo);
        CHECK_EQ(chan_recv(c), signo);
    }
    signal_stop(c);
    CHECK(is_default(SIGUSR1) && is_default(SIGTERM));
    await_no_wakers();
    chan_free(c);
}

TEST(every_channel_that_asked_gets_it)
{
    chan(int) a = chan_make(int, 1), b = chan_make(int, 1), other = chan_make(int, 1);
    signal_notify(a, SIGUSR1);
    signal_notify(b, SIGUSR1);
    signal_notify(other, SIGALRM);
    kill(getpid(), SIGUSR1);
    CHECK_EQ(chan_recv(a), SIGUSR1);
    CHECK_EQ(chan_recv(b), SIGUSR1);
    signal_stop(a);
    kill(getpid(), SIGUSR1);
    CHECK_EQ(chan_recv(b), SIGUSR1);
    CHECK_EQ(chan_len(a) + chan_len(other), 0);
    signal_stop(b);
    signal_stop(b);
    signal_stop(other);
    CHECK(is_default(SIGUSR1) && is_default(SIGALRM));
    chan_free(a);
    chan_free(b);
    chan_free(other);
}

TEST(calls_for_one_channel_add_up)
{
    chan(int) c = chan_make(int, 2);
    signal_notify(c, SIGUSR1);
    signal_notify(c, SIGALRM);
    signal_notify(c, SIGUSR1);
    kill(getpid(), SIGUSR1);
    CHECK_EQ(chan_recv(c), SIGUSR1);
    kill(getpid(), SIGALRM);
    CHECK_EQ(chan_recv(c), SIGALRM);
    CHECK_EQ(chan_len(c), 0);
    signal_stop(c);
    CHECK(is_default(SIGUSR1) && is_default(SIGALRM));
    chan_free(c);
}

/* A channel without room misses what comes; nobody waits for it. */
TEST(a_full_channel_misses_signals)
{
    chan(int) full = chan_make(int, 1), c = chan_make(int, 1);
    signal_notify(full, SIGUSR1);
    signal_notify(c, SIGUSR1);
    for (int i = 0; i < 5; i++) {
        kill(getpid(), SIGUSR1);
        CHECK_EQ(chan_recv(c), SIGUSR1);
    }
    CHECK_EQ(chan_len(full), 1);
    signal_stop(full);
    signal_stop(c);
    chan_free(full);
    chan_free(c);
}

/* What has come before signal_stop is in the channel when that returns. */
TEST(stop_delivers_what_has_come)
{
    chan(int) c = chan_make(int, 1);
    for (int i = 0; i < 200; i++) {
        signal_notify(c, SIGUSR1);
        raise(SIGUSR1); /* handled before it returns */
        signal_stop(c);
        int v = 0;
        CHECK_EQ(chan_try_recv(c, &v), 0);
        CHECK_EQ(v, SIGUSR1);
        CHECK_EQ(chan_try_recv(c, &v), RN_EAGAIN);
    }
    chan_free(c);
}

/* As one that another thread has taken from the kernel, but whose handler begins only after the stop. */
TEST_DIES(a_signal_that_comes_late_to_its_handler, 128 + SIGUSR1, "")
{
    struct sigaction ours;
    siginfo_t info = {0};
    chan(int) c = chan_make(int, 1);
    CHECK_EQ(signal_notify(c, SIGUSR1), 0);
    sigaction(SIGUSR1, NULL, &ours);
    signal_stop(c);
    chan_free(c);
    ours.sa_sigaction(SIGUSR1, &info, NULL);
}

TEST(all_signals)
{
    chan(int) c = chan_make(int, 8);
    CHECK_EQ(signal_notify(c), 0);
    int some[] = {SIGINT, SIGQUIT, SIGHUP, SIGCHLD, SIGWINCH, SIGTSTP, SIGRTMIN, SIGRTMAX};
    if (emulated())
        some[7] = SIGRTMIN; /* qemu keeps the last one */
    for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
        kill(getpid(), some[i]);
        CHECK_EQ(chan_recv(c), some[i]);
    }
    signal_stop(c);
    CHECK(is_default(SIGINT) && is_default(SIGRTMAX));
    CHECK(!is_default(SIGQUIT)); /* the listing is back */
    chan_free(c);
}

TEST(what_can_not_be_had)
{
    chan(int) c = chan_make(int, 1);
    CHECK_EQ(signal_notify(c, SIGUSR1, SIGKILL), RN_EINVAL);
    CHECK_EQ(signal_notify(c, SIGSEGV), RN_EINVAL);
    CHECK_EQ(signal_notify(c, 0), RN_EINVAL);
    CHECK_EQ(signal_notify(c, 65), RN_EINVAL);
    CHECK_EQ(signal_ignore(SIGSTOP), RN_EINVAL);
    CHECK(is_default(SIGUSR1));
    await_no_wakers();
    EXPECT_PANIC("signal_notify: NULL channel", signal_notify((chan(int))NULL, SIGINT));
    chan_free(c);
}

TEST(ignore_and_reset)
{
    chan(int) c = chan_make(int, 1);
    signal_notify(c, SIGUSR1, SIGALRM);
    CHECK_EQ(signal_ignore(SIGUSR1), 0);
    CHECK(rn_signal_ignored(SIGUSR1) && !rn_signal_ignored(SIGALRM));
    kill(getpid(), SIGUSR1);
    kill(getpid(), SIGALRM);
    CHECK_EQ(chan_recv(c), SIGALRM);
    CHECK_EQ(chan_len(c), 0);
    CHECK_EQ(signal_notify(c, SIGUSR1), 0);
    kill(getpid(), SIGUSR1);
    CHECK_EQ(chan_recv(c), SIGUSR1);
    CHECK_EQ(signal_reset(), 0);
    CHECK(is_default(SIGUSR1) && is_default(SIGALRM));
    await_no_wakers();
    chan_free(c);
}

/* A waiting goroutine is woken with every processor asleep, and with every processor busy. */
static rn_atomic(bool) spin;

static void busy(void)
{
    while (spin)
        continue;
}

TEST(it_comes_although_all_processors_are_busy)
{
    chan(int) c = chan_make(int, 1);
    signal_notify(c, SIGUSR1);
    spin = true;
    for (int i = 0; i < 2 * rn_procs(); i++)
        go(busy);
    kill(getpid(), SIGUSR1);
    CHECK_EQ(chan_recv(c), SIGUSR1);
    spin = false;
    signal_stop(c);
    chan_free(c);
}

static void *send_from_a_thread(void *arg)
{
    (void)arg;
    kill(getpid(), SIGUSR1);
    return NULL;
}

TEST(sent_by_a_thread)
{
    chan(int) c = chan_make(int, 1);
    signal_notify(c, SIGUSR1);
    for (int i = 0; i < 50; i++) {
        pthread_t t;
        sigset_t all, before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all,
                        &before); /* t's: ThreadSanitizer drops what comes to one that begins or ends */
        REQUIRE(pthread_create(&t, NULL, send_from_a_thread, NULL) == 0);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        CHECK_EQ(chan_recv(c), SIGUSR1);
        pthread_join(t, NULL);
    }
    signal_stop(c);
    chan_free(c);
}

static chan(rn_unit) next;

static void blocks(void)
{
    usleep(20 * 1000);
}

/* The kernel may give a signal to any of them. */
static void *send_to_each_worker(void *n)
{
    int *sent = n;
    for (struct rn_m *m = rn__sched.all_m; m; m = m->all_link) {
        if (m->external)
            continue;
        CHECK_EQ(syscall(SYS_tgkill, getpid(), rn_load_relaxed(&m->tid), SIGUSR1), 0); /* relaxed: it has begun */
        chan_recv(next);
        ++*sent;
    }
    return NULL;
}

/* One of them sleeps in the poller, the others on their futexes.  (ThreadSanitizer keeps what comes to those.) */
TEST(sent_to_workers_that_sleep)
{
    pthread_t t;
    int sent = 0;
    chan(int) c = chan_make(int, 1);
    next = chan_make(rn_unit, 0);
    signal_notify(c, SIGUSR1);
    rn_set_procs(4);
    for (int i = 0; i < 6; i++)
        go(blocks);
    rn_sleep(60 * RN_MILLISECOND);
    REQUIRE(pthread_create(&t, NULL, send_to_each_worker, &sent) == 0);
    uint32_t workers = rn__sched.m_n;
    for (uint32_t i = 0; i < workers; i++) {
        CHECK_EQ(chan_recv(c), SIGUSR1);
        chan_send(next, RN_UNIT);
    }
    pthread_join(t, NULL);
    CHECK_EQ(sent, workers);
    CHECK(workers >= 3);
    signal_stop(c);
    chan_free(c);
    chan_free(next);
}

/* ---- the program's own handlers ------------------------------------------------------------------ */

static rn_atomic(int) own_calls;

static void own_handler(int signo)
{
    (void)signo;
    own_calls++;
}

TEST(a_handler_from_before_is_called_as_well)
{
    chan(int) c = chan_make(int, 1);
    struct sigaction own = {.sa_handler = own_handler}, now;
    sigaction(SIGUSR1, &own, NULL);
    signal_notify(c, SIGUSR1);
    raise(SIGUSR1);
    CHECK_EQ(chan_recv(c), SIGUSR1);
    CHECK_EQ(own_calls, 1);
    signal_stop(c);
    sigaction(SIGUSR1, NULL, &now);
    CHECK(now.sa_handler == own_handler);
    raise(SIGUSR1);
    CHECK_EQ(own_calls, 2);
    chan_free(c);
}

TEST(a_handler_from_afterwards_stays)
{
    chan(int) c = chan_make(int, 1);
    struct sigaction own = {.sa_handler = own_handler}, now;
    signal_notify(c, SIGUSR1);
    sigaction(SIGUSR1, &own, NULL);
    signal_stop(c);
    sigaction(SIGUSR1, NULL, &now);
    CHECK(now.sa_handler == own_handler);
    chan_free(c);
}

/* The kernel lets SA_SIGINFO stand beside SIG_DFL and SIG_IGN; so does who changes the handler alone. */
static void set_without_handler(int signo, void (*what)(int))
{
    struct sigaction a = {.sa_flags = SA_SIGINFO};
    a.sa_handler = what;
    REQUIRE(sigaction(signo, &a, NULL) == 0);
}

TEST(flags_without_a_handler_are_none)
{
    chan(int) c = chan_make(int, 1);
    for (int i = 0; i < 2; i++) {
        set_without_handler(SIGUSR1, i ? SIG_IGN : SIG_DFL);
        CHECK_EQ(rn_signal_ignored(SIGUSR1), i);
        CHECK_EQ(signal_notify(c, SIGUSR1), 0);
        raise(SIGUSR1);
        CHECK_EQ(chan_recv(c), SIGUSR1);
        signal_stop(c);
    }
    chan_free(c);
}

TEST_DIES(flags_without_a_handler_hold_no_deadlock_back, 2, "all goroutines are asleep - deadlock!")
{
    set_without_handler(SIGUSR1, SIG_DFL);
    set_without_handler(SIGTERM, SIG_IGN);
    chan_select();
}

/* What the library prints on these is not printed while somebody asks for them, and is again afterwards. */
TEST(the_librarys_own_signals)
{
    chan(int) c = chan_make(int, 1);
    int own[] = {SIGQUIT, SIGUSR2};
    for (int i = 0; i < 2; i++) {
        struct sigaction before, after;
        sigaction(own[i], NULL, &before);
        CHECK_EQ(signal_notify(c, own[i]), 0);
        raise(own[i]);
        CHECK_EQ(chan_recv(c), own[i]);
        signal_stop(c);
        sigaction(own[i], NULL, &after);
        CHECK(before.sa_handler == after.sa_handler && !is_default(own[i]));
    }
    chan_free(c);
}

/* ---- contexts ------------------------------------------------------------------------------------ */

TEST(a_signal_ends_a_context)
{
    rn_context *ctx = ctx_with_signals(ctx_background(), SIGUSR1, SIGALRM);
    rn_context *below = ctx_with_cancel(ctx);
    CHECK_EQ(ctx_err(ctx), 0);
    kill(getpid(), SIGALRM);
    CHECK_EQ(ctx_wait(below), RN_ECANCELED);
    CHECK_EQ(ctx_cause(ctx), RN_ESIGNAL(SIGALRM));
    CHECK_STR(rn_strerror(ctx_cause(ctx)), "Alarm clock");
    await_default(SIGUSR1); /* a second signal would end the program */
    await_default(SIGALRM); /* put back after the other */
    ctx_cancel(below);
    ctx_cancel(ctx);
    await_no_wakers();
}

TEST(a_context_ends_without_a_signal)
{
    rn_context *parent = ctx_with_cancel(NULL);
    rn_context *ctx = ctx_with_signals(parent, SIGUSR1);
    ctx_cancel(parent);
    CHECK_EQ(ctx_err(ctx), RN_ECANCELED);
    await_default(SIGUSR1);
    ctx_cancel(ctx);
    ctx = ctx_with_signals(NULL, SIGUSR1);
    CHECK(!is_default(SIGUSR1));
    ctx_cancel(ctx);
    await_default(SIGUSR1);
    await_no_wakers();
    EXPECT_PANIC("ctx_with_signals: not a signal that can be caught", (void)!ctx_with_signals(NULL, SIGKILL));
}

/* ---- runs ---------------------------------------------------------------------------------------- */

static chan(int) shared;

static void ask(void)
{
    signal_notify(shared, SIGUSR1);
    signal_ignore(SIGALRM);
}

static int receive(void)
{
    return chan_recv(shared);
}

TEST_PLAIN(a_run_leaves_nothing)
{
    shared = chan_make(int, 1);
    for (int i = 0; i < 3; i++) {
        rn_run(ask);
        CHECK(is_default(SIGUSR1) && is_default(SIGALRM));
        await_no_wakers();
    }
    chan_free(shared);
}

TEST_PLAIN(asked_for_before_the_run)
{
    shared = chan_make(int, 1);
    signal_notify(shared, SIGUSR1);
    raise(SIGUSR1);
    CHECK_EQ(rn_run(receive), SIGUSR1);
    chan_free(shared);
}
