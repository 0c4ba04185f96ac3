/* Signals that the program wants to hear of: a handler that notes them in a mask and wakes the poller.
 *
 * What always holds:
 *  - The handler touches the mask, the eventfd of the poller and nothing else: it may run on any thread
 *    at any time, on the alternate stack.
 *  - A handler that the host program had installed before is called as well; the default action, an
 *    ignored signal and what the library itself does on SIGQUIT and SIGUSR2 are replaced while the signal is caught.
 *  - Releasing puts the former action back, unless somebody replaced ours in the meantime.
 *  - A signal that is released while it is on its way to the handler is noted, and taken by the one who released it, or
 *    raised once more for the former action: one of the two, once.
 * Catch, ignore and release are not called by two at once; src/net/signal.c has a lock for them.
 *
 * Tried and rejected: signalfd, which needs the signal blocked in every thread of the program, also in
 * those that other libraries start and in those that exist already.
 */
#define _GNU_SOURCE 1
#include "base/race.h"
#include "os/linux/internal.h"
#include "os/os.h"
#include <errno.h>
#include <signal.h>

enum { SIGNALS = 64 };
enum state { UNTOUCHED, CAUGHT, IGNORED };

/* The race detector holds signals back until the goroutine that runs calls a function that it watches, which may be
 * never.  Our handler needs no such care: so it is installed past the detector. */
static int kernel_action(int signo, const struct sigaction *to, struct sigaction *old)
{
    return RN__OS_LIBC(sigaction)(signo, to, old); /* known before the handler asks */
}

/* In the kernel stands the detector's handler where the program has one: the program's is meant. */
static int former_action(int signo, struct sigaction *a)
{
    if (sigaction(signo, NULL, a))
        return -errno;
    if (RN_RACE_ON && a->sa_handler == SIG_DFL && kernel_action(signo, NULL, a))
        return -errno;
    return 0;
}

static struct sigaction before[SIGNALS + 1];
static enum state states[SIGNALS + 1];
static rn_atomic(uint64_t) pending, caught;

static uint64_t bit(int signo)
{
    return UINT64_C(1) << (signo - 1);
}

/* Whether the former action stands in the kernel again.  (If not, it is somebody else's, who may have called us.) */
static bool is_put_back(int signo)
{
    struct sigaction now;
    return kernel_action(signo, NULL, &now) == 0 && now.sa_handler == before[signo].sa_handler;
}

/* The handler has noted a signal that was released meanwhile.  True when nobody took it: it comes again, for the former
 * action, when the handler has returned. */
static bool comes_again(int signo)
{
    /* acq_rel: as in on_signal.  Who finds the bit has the signal. */
    return is_put_back(signo) && (rn_and_acq_rel(&pending, ~bit(signo)) & bit(signo)) && raise(signo) == 0;
}

static void on_signal(int signo, siginfo_t *info, void *uc)
{
    int saved = errno;
    /* acq_rel: pairs with the exchange in rn_os_signals_take; orders nothing else. */
    rn_or_acq_rel(&pending, bit(signo));
    rn_fence_seq_cst(); /* pairs with the one in rn_os_signal_release: one of the two sees what the other wrote */
    if (!(rn_load_relaxed(&caught) & bit(signo)) && comes_again(signo)) { /* relaxed: see the fence */
        errno = saved;
        return;
    }
    (void)rn__os_poll_try_wake();
    const struct sigaction *a = &before[signo];
    if (rn__os_has_handler(a) && !rn__os_is_fault_handler(a) && !rn__os_is_request_handler(a)) {
        if (a->sa_flags & SA_SIGINFO)
            a->sa_sigaction(signo, info, uc);
        else
            a->sa_handler(signo);
    }
    errno = saved;
}

static bool is_ours(const struct sigaction *a)
{
    return (a->sa_flags & SA_SIGINFO) && a->sa_sigaction == on_signal;
}

/* Not the faults of the thread that runs, and not those that the kernel and libc keep for themselves. */
bool rn_os_signal_can_be_caught(int signo)
{
    switch (signo) {
    case SIGSEGV:
    case SIGBUS:
    case SIGFPE:
    case SIGILL:
    case SIGTRAP:
    case SIGSYS:
    case SIGKILL:
    case SIGSTOP:
    case 32: /* libc's own */
    case 33:
        return false;
    default:
        return signo >= 1 && signo <= SIGNALS;
    }
}

static int set_action(int signo, enum state to, const struct sigaction *action)
{
    if (!rn_os_signal_can_be_caught(signo))
        return -EINVAL;
    int err = states[signo] == UNTOUCHED ? former_action(signo, &before[signo]) : 0;
    if (err)
        return err;
    if (to == CAUGHT)
        rn_or_acq_rel(&caught, bit(signo)); /* acq_rel, here and below: the handler is set afterwards, or was before */
    if (kernel_action(signo, action, NULL))
        err = -errno;
    else
        states[signo] = to;
    if (states[signo] != CAUGHT)
        rn_and_acq_rel(&caught, ~bit(signo));
    return err;
}

int rn_os_signal_catch(int signo)
{
    struct sigaction ours = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
    return set_action(signo, CAUGHT, &ours);
}

int rn_os_signal_ignore(int signo)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    return set_action(signo, IGNORED, &ignore);
}

void rn_os_signal_release(int signo)
{
    struct sigaction now;
    if (!rn_os_signal_can_be_caught(signo) || states[signo] == UNTOUCHED)
        return;
    bool put_back =
        kernel_action(signo, NULL, &now) == 0 && (states[signo] == CAUGHT ? is_ours(&now) : now.sa_handler == SIG_IGN);
    if (put_back)
        sigaction(signo, &before[signo], NULL);
    states[signo] = UNTOUCHED;
    rn_and_acq_rel(&caught, ~bit(signo)); /* acq_rel: as in set_action */
    rn_fence_seq_cst();                   /* pairs with the one in on_signal, and comes before rn_os_signals_take */
}

bool rn_os_signal_is_ignored(int signo)
{
    struct sigaction now;
    if (kernel_action(signo, NULL, &now))
        return false;
    /* The detector has a handler of its own there also for SIG_IGN with SA_SIGINFO beside it. */
    if (RN_RACE_ON && now.sa_handler != SIG_IGN && !is_ours(&now) && former_action(signo, &now))
        return false;
    return now.sa_handler == SIG_IGN;
}

bool rn_os_signals_pending(void)
{
    return rn_load_relaxed(&pending) != 0; /* relaxed: a hint; rn_os_signals_take decides */
}

uint64_t rn_os_signals_take(void)
{
    return rn_xchg_acq_rel(&pending, 0); /* acq_rel: pairs with the handler's */
}
