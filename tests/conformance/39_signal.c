/* SEMANTICS 39: a channel that has asked for signals holds back the report of a deadlock; after
 * signal_stop it does not. */
#include <signal.h>
#include <pthread.h>
#include <runnel.h>
#include <runnel/signal.h>
#include <runnel/test.h>
#include <time.h>
#include <unistd.h>

#define DEADLOCK "fatal error: all goroutines are asleep - deadlock!"

/* Sends the signal once the process has been asleep for a while: a report would have come by then.
 * A process of its own, since a thread would hold the report back as well. */
static void send_from_outside(int signo)
{
    pid_t to = getpid();
    if (fork() == 0) {
        struct timespec while_asleep = {.tv_nsec = 300 * RN_MILLISECOND};
        nanosleep(&while_asleep, NULL);
        kill(to, signo);
        _exit(0);
    }
}

TEST(a_signal_may_still_come)
{
    chan(int) c = chan_make(int, 1);
    signal_notify(c, SIGUSR1);
    send_from_outside(SIGUSR1);
    CHECK_EQ(chan_recv(c), SIGUSR1);
    signal_stop(c);
    chan_free(c);
}

TEST(a_context_may_still_end_by_a_signal)
{
    rn_context *ctx = ctx_with_signals(NULL, SIGUSR1);
    send_from_outside(SIGUSR1);
    CHECK_EQ(ctx_wait(ctx), RN_ECANCELED);
    ctx_cancel(ctx);
}

TEST_DIES(after_stop_it_is_a_deadlock, 2, DEADLOCK)
{
    chan(int) c = chan_make(int, 1);
    signal_notify(c, SIGUSR1);
    signal_stop(c);
    chan_recv(c);
}

TEST_DIES(ignored_signals_wake_nobody, 2, DEADLOCK)
{
    chan(int) c = chan_make(int, 1);
    signal_notify(c, SIGUSR1);
    signal_ignore(SIGUSR1);
    chan_recv(c);
}

TEST_DIES(the_listing_is_back_after_stop, 2, "SIGQUIT")
{
    chan(int) c = chan_make(int, 1);
    signal_notify(c, SIGQUIT);
    raise(SIGQUIT);
    CHECK_EQ(chan_recv(c), SIGQUIT);
    signal_stop(c);
    raise(SIGQUIT);
}
