/* Fault signals, SIGQUIT and SIGABRT, the alternate signal stack, and writing last words.
 *
 * Rules towards the host program, which may have handlers of its own:
 *  - SIGSEGV, SIGBUS, SIGFPE and SIGILL are ours while installed; what on_fault does not want, and signals sent by
 *    kill, go to the action that was there before, as if we were not there.
 *  - SIGQUIT and SIGABRT are taken only when nobody handles or ignores them.
 *  - Uninstalling puts the former action back unless somebody replaced ours in the meantime.
 *  - A thread that has an alternate stack (a sanitizer's, the host's) keeps it.
 * Install and uninstall are not called at the same time.  Handlers run on any thread at any time and
 * read what install wrote before it called sigaction.
 */
#define _GNU_SOURCE 1
#include "os/linux/internal.h"
#include "os/os.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static bool (*fault_callback)(void *addr, void *uc, int signo);
static bool (*quit_callback)(void *uc, int signo);

/* ---- handlers ---------------------------------------------------------------------------- */

static void on_signal(int signo, siginfo_t *info, void *uc);

static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGQUIT};
enum { SIGNALS = sizeof signals / sizeof signals[0] };
static struct sigaction before[SIGNALS];
static bool installed[SIGNALS];

static int index_of(int signo)
{
    for (int i = 0; i < SIGNALS; i++)
        if (signals[i] == signo)
            return i;
    return -1;
}

/* Sets the default action and lets the signal happen again: by running the faulting instruction
 * again after the return, or by sending it, if it had been sent. */
static void die_of(int signo, bool sent)
{
    signal(signo, SIG_DFL);
    if (sent)
        raise(signo);
}

/* Calls a handler under the mask that it asked for. */
static void call_handler(const struct sigaction *a, int signo, siginfo_t *info, void *uc)
{
    sigset_t mask = a->sa_mask, old;
    sigaddset(&mask, signo);
    pthread_sigmask(SIG_BLOCK, &mask, &old);
    if (a->sa_flags & SA_SIGINFO)
        a->sa_sigaction(signo, info, uc);
    else
        a->sa_handler(signo);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

/* Does what would have happened without us. */
static void pass_on(int signo, siginfo_t *info, void *uc)
{
    const struct sigaction *a = &before[index_of(signo)];
    bool sent = info->si_code <= 0;
    if (a->sa_handler == SIG_IGN && sent)
        return;
    if (!rn__os_has_handler(a))
        die_of(signo, sent);
    else
        call_handler(a, signo, info, uc);
}

/* No fault, but sent: by who asks for the listing, by abort, or by who wants to know what hangs. */
static bool is_request(int signo)
{
    return signo == SIGQUIT || signo == SIGABRT;
}

static void on_signal(int signo, siginfo_t *info, void *uc)
{
    int saved = errno;
    bool done = false;
    if (is_request(signo))
        done = quit_callback(uc, signo);
    else if (info->si_code > 0)
        done = fault_callback(info->si_addr, uc, signo);
    if (!done)
        pass_on(signo, info, uc);
    errno = saved;
}

static bool is_ours(const struct sigaction *a)
{
    return (a->sa_flags & SA_SIGINFO) && a->sa_sigaction == on_signal;
}

bool rn__os_is_fault_handler(const struct sigaction *a)
{
    return is_ours(a);
}

bool rn__os_faults_are_ours(void)
{
    struct sigaction segv, bus;
    return sigaction(SIGSEGV, NULL, &segv) == 0 && is_ours(&segv) && sigaction(SIGBUS, NULL, &bus) == 0 &&
           is_ours(&bus);
}

/* What the host handles or ignores of these stays the host's. */
static bool may_take(int signo, const struct sigaction *old)
{
    return !is_request(signo) || old->sa_handler == SIG_DFL;
}

static int install(int i)
{
    /* A fault while a fault is being reported comes to on_fault as well, which then gives up. */
    struct sigaction ours = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART | SA_NODEFER};
    sigfillset(&ours.sa_mask);
    sigdelset(&ours.sa_mask, SIGSEGV);
    sigdelset(&ours.sa_mask, SIGBUS);
    sigdelset(&ours.sa_mask, SIGFPE);
    sigdelset(&ours.sa_mask, SIGILL);
    if (sigaction(signals[i], NULL, &before[i]))
        return -errno;
    if (is_ours(&before[i]) || !may_take(signals[i], &before[i]))
        return 0;
    if (sigaction(signals[i], &ours, NULL))
        return -errno;
    installed[i] = true;
    return 0;
}

int rn_os_faults_install(bool (*on_fault)(void *addr, void *uc, int signo), bool (*on_quit)(void *uc, int signo))
{
    fault_callback = on_fault;
    quit_callback = on_quit;
    for (int i = 0; i < SIGNALS; i++) {
        int err = installed[i] ? 0 : install(i);
        if (err) {
            rn_os_faults_uninstall();
            return err;
        }
    }
    return 0;
}

void rn_os_faults_uninstall(void)
{
    for (int i = 0; i < SIGNALS; i++) {
        struct sigaction now;
        if (installed[i] && sigaction(signals[i], NULL, &now) == 0 && is_ours(&now))
            sigaction(signals[i], &before[i], NULL);
        installed[i] = false;
    }
}

bool rn_os_fault_is_default(int signo)
{
    return before[index_of(signo)].sa_handler == SIG_DFL;
}

/* Signals whose handlers do not wake anybody: faults, and those that libc keeps for itself. */
static bool cannot_wake(int signo)
{
    static const int list[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, 32, 33};
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++)
        if (list[i] == signo)
            return true;
    return false;
}

const uint64_t rn_os_quit_signal = UINT64_C(1) << (SIGQUIT - 1);

bool rn_os_signal_handlers(uint64_t ours)
{
    for (int s = 1; s <= 64; s++) {
        struct sigaction a;
        if (cannot_wake(s) || (ours >> (s - 1) & 1) || sigaction(s, NULL, &a))
            continue;
        if (rn__os_has_handler(&a) && !is_ours(&a))
            return true;
    }
    return false;
}

/* ---- alternate stack --------------------------------------------------------------------- */

enum { LEAST = 16 * 1024 };
static _Thread_local char *altstack; /* mapping of this thread, guard page first; NULL: not ours */

int rn_os_altstack_set(void)
{
    stack_t old;
    if (altstack || (sigaltstack(NULL, &old) == 0 && !(old.ss_flags & SS_DISABLE) && old.ss_size >= LEAST))
        return 0;
    size_t page = rn_os_page;
    char *p =
        mmap(NULL, page + RN_OS_ALTSTACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return -errno;
    rn_os_guard(p, true);
    stack_t ours = {.ss_sp = p + page, .ss_size = RN_OS_ALTSTACK};
    if (sigaltstack(&ours, NULL)) {
        int err = errno;
        munmap(p, page + RN_OS_ALTSTACK);
        return -err;
    }
    altstack = p;
    return 0;
}

void rn_os_altstack_drop(void)
{
    stack_t now, none = {.ss_flags = SS_DISABLE};
    if (!altstack)
        return;
    if (sigaltstack(NULL, &now) == 0 && now.ss_sp == altstack + rn_os_page)
        sigaltstack(&none, NULL);
    munmap(altstack, rn_os_page + RN_OS_ALTSTACK);
    altstack = NULL;
}

NOT_WATCHED uintptr_t rn_os_altstack(void)
{
    return altstack ? (uintptr_t)altstack + rn_os_page : 0;
}

/* ---- last words -------------------------------------------------------------------------- */

_Noreturn void rn_os_exit(int status)
{
    _exit(status);
}

void rn_os_write_stderr(const char *text, size_t n)
{
    int saved = errno;
    while (n) {
        ssize_t done = write(STDERR_FILENO, text, n);
        if (done < 0 && errno == EAGAIN) { /* somebody made it non-blocking */
            struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};
            poll(&p, 1, 1000);
        } else if (done < 0 && errno != EINTR) {
            break;
        } else if (done > 0) {
            text += done;
            n -= (size_t)done;
        }
    }
    errno = saved;
}
