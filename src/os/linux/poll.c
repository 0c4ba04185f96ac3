/* The poller: one epoll instance, edge-triggered, and an eventfd to interrupt its wait.
 *
 * The eventfd is level-triggered, and read only by a wait that may have slept: whoever merely looks while another
 * thread sleeps, or is about to, can't take its wake-up.  Tag 0 is the eventfd's.
 *
 * A plain thread that starts a timer, or a signal handler, may be about to wake the poller of a run that ends: it says so before
 * it looks for the eventfd, which is closed when nobody does, or the program would find the wake-up in a descriptor of its own that
 * has got the same number.
 *
 * A program that closes what it did not open (closefrom, or one number twice) may take both descriptors away.  Nobody would be
 * woken any more: that ends the program, and is said.
 */
#define _GNU_SOURCE 1
#include "base/race.h"
#include "base/units.h"
#include "base/valgrind.h"
#include "os/linux/internal.h"
#include "os/os.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif

static int epoll_fd = -1;
static rn_atomic(int) wake_fd = -1;  /* any reads */
static rn_atomic(uint32_t) waking_n; /* who may be using it */

#ifdef RN_RACE
/* What race_libc.h puts in epoll_ctl's place. */
int rn__own_epoll_ctl(int epoll, int op, int fd, struct epoll_event *event);
int rn__own_epoll_ctl(int epoll, int op, int fd, struct epoll_event *event)
{
    return (int)syscall(SYS_epoll_ctl, epoll, op, fd, event);
}
#endif

static int add(int fd, uint32_t events, uint64_t tag)
{
    struct epoll_event e = {.events = events, .data.u64 = tag};
    return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &e) ? -errno : 0;
}

static int open_both(void)
{
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_fd < 0)
        return -errno;
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0)
        return -errno;
    rn_store_relaxed(&wake_fd, fd); /* relaxed: a run begins, and who wakes its poller comes afterwards */
    return add(fd, EPOLLIN, 0);
}

int rn_os_poll_open(void)
{
    if (epoll_fd >= 0)
        return 0;
    rn__race_own_begin();
    int err = open_both();
    rn__race_own_end();
    if (err)
        rn_os_poll_close();
    return err;
}

void rn_os_poll_close(void)
{
    /* seq_cst, both: either this sees who is about to wake somebody, or that one sees no eventfd. */
    int fd = rn_xchg_seq_cst(&wake_fd, -1);
    while (rn_load_seq_cst(&waking_n) != 0)
        rn_os_yield();
    rn__race_own_begin();
    if (fd >= 0)
        close(fd);
    if (epoll_fd >= 0)
        close(epoll_fd);
    rn__race_own_end();
    epoll_fd = -1;
}

int rn_os_poll_add(int fd, uint64_t tag)
{
    return add(fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET, tag);
}

int rn_os_poll_del(int fd)
{
    return epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, NULL) ? -errno : 0;
}

/* epoll_wait for `left` ns; negative: forever. */
static int wait_for(struct epoll_event *events, int max, rn_duration left)
{
    static rn_atomic(bool) pwait2_missing;
    /* relaxed, both: a hint that saves a system call.  The race detector, which lets signals through only in calls
     * that it knows, does not know this one; nor does Debian 12's valgrind, which complains. */
    if (left > 0 && !RN_RACE_HOLDS_SIGNALS && !rn_load_relaxed(&pwait2_missing) && !RUNNING_ON_VALGRIND) {
        struct timespec t = {.tv_sec = left / RN_SECOND, .tv_nsec = left % RN_SECOND};
        int n = (int)syscall(SYS_epoll_pwait2, epoll_fd, events, max, &t, NULL, 0);
        if (n >= 0 || errno == EINTR)
            return n; /* else it is missing, or forbidden; of what is wrong with the descriptor epoll_wait will tell */
        rn_store_relaxed(&pwait2_missing, true);
    }
    return rn__os_epoll_wait(epoll_fd, events, max, left < 0 ? -1 : rn__in_units(left, RN_MILLISECOND));
}

_Noreturn static void closed(void)
{
    static const char text[] =
        "fatal error: the program has closed a descriptor of the runtime's: it may close none that it "
        "has not opened (closefrom, or one number twice)\n";
    rn_os_write_stderr(text, sizeof text - 1);
    rn_os_exit(2);
}

_Noreturn static void cannot_wait(int err)
{
    static const char text[] = "fatal error: epoll_wait is forbidden, by a seccomp filter it seems: allow it\n";
    if (err == EBADF || err == EINVAL) /* EINVAL: something else has its number by now */
        closed();
    rn_os_write_stderr(text, sizeof text - 1);
    rn_os_exit(2);
}

static uint32_t readiness(uint32_t events)
{
    uint32_t ready = 0;
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        ready |= RN_POLL_READ;
    if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
        ready |= RN_POLL_WRITE;
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI))
        ready |= RN_POLL_HANGUP;
    return ready;
}

static void take_wake_up(void)
{
    uint64_t count;
    int fd = rn_load_relaxed(&wake_fd); /* relaxed: nobody closes it while somebody waits */
    rn__race_own_begin();
    while (read(fd, &count, sizeof count) < 0 && errno == EINTR)
        continue;
    rn__race_own_end();
}

int rn_os_poll_wait(struct rn_os_event *events, int max, rn_time deadline)
{
    enum { AT_ONCE = 128 };
    struct epoll_event got[AT_ONCE];
    rn_duration left = -1;
    if (deadline != INT64_MAX) {
        rn_time now = rn_os_now();
        left = deadline > now ? deadline - now : 0;
    }
    int n = wait_for(got, max < AT_ONCE ? max : AT_ONCE, left), stored = 0;
    if (n < 0 && errno != EINTR)
        cannot_wait(errno);
    for (int i = 0; i < n; i++)
        if (got[i].data.u64 != 0)
            events[stored++] = (struct rn_os_event){.tag = got[i].data.u64, .ready = readiness(got[i].events)};
        else if (left != 0)
            take_wake_up();
    return stored;
}

uint32_t rn_os_poll_now(int fd, uint32_t ask)
{
    short events = (short)((ask & RN_POLL_READ ? POLLIN | POLLRDHUP : 0) | (ask & RN_POLL_WRITE ? POLLOUT : 0));
    struct pollfd p = {.fd = fd, .events = events};
    while (poll(&p, 1, 0) < 0)
        if (errno != EINTR)
            return ask;                          /* whoever tries will learn why */
    return readiness((uint32_t)p.revents) & ask; /* EPOLLIN is POLLIN, and so on */
}

bool rn__os_poll_try_wake(void)
{
    int saved = errno;
    uint64_t one = 1;
    rn_add_seq_cst(&waking_n, 1); /* seq_cst, and the load: as in rn_os_poll_close */
    int fd = rn_load_seq_cst(&wake_fd);
    bool ok = true;
    /* Not write(): the race detector, which watches that, may be what the signal has come into. */
    while (fd >= 0 && !(ok = syscall(SYS_write, fd, &one, sizeof one) >= 0) && errno == EINTR)
        continue;
    rn_sub_release(&waking_n, 1); /* pairs with the look in rn_os_poll_close */
    errno = saved;
    return ok;
}

void rn_os_poll_wake(void)
{
    if (!rn__os_poll_try_wake())
        closed();
}
