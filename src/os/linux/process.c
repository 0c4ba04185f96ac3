/* Child processes: posix_spawn, which glibc does by clone(CLONE_VM | CLONE_VFORK) on a stack of its own
 * with all signals blocked, so that it copies no page tables and is safe beside any number of threads;
 * and pidfds to wait for them.
 *
 * Tried and rejected: a clone of our own with CLONE_PIDFD.  It would save the system call that opens
 * the pidfd (2 µs of about 300), and has to do again what libc does: reset each handler, find the
 * program in PATH, report the errno of a failed exec.  The pidfd that is opened afterwards is the
 * child's for sure: nobody else reaps it, so its number can't be another's by then.
 */
#define _GNU_SOURCE 1
#include "base/fault.h"
#include "os/linux/internal.h"
#include "os/os.h"
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif

bool rn__os_no_pidfd;

bool rn_os_has_program(const char *path)
{
    return access(path, X_OK) == 0;
}

static int set_attributes(posix_spawnattr_t *a, const struct rn_os_spawn *s)
{
    sigset_t none, all;
    int flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    sigemptyset(&none);
    sigfillset(&all);
    flags |= s->new_session ? POSIX_SPAWN_SETSID : s->new_group ? POSIX_SPAWN_SETPGROUP : 0;
    int err = posix_spawnattr_setsigmask(a, &none);
    if (!err)
        err = posix_spawnattr_setsigdefault(a, &all);
    return err ? err : posix_spawnattr_setflags(a, (short)flags);
}

static int set_actions(posix_spawn_file_actions_t *a, const struct rn_os_spawn *s)
{
    int err = 0;
    for (int i = 0; i < s->fds_n && !err; i++)
        err = posix_spawn_file_actions_adddup2(a, s->fds[i], i);
    return err || !s->dir ? err : posix_spawn_file_actions_addchdir_np(a, s->dir);
}

static int spawn(const struct rn_os_spawn *s, pid_t *pid)
{
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_t actions;
    int err = posix_spawnattr_init(&attributes);
    if (err)
        return err;
    err = posix_spawn_file_actions_init(&actions);
    if (err) {
        posix_spawnattr_destroy(&attributes);
        return err;
    }
    err = set_attributes(&attributes, s);
    if (!err)
        err = set_actions(&actions, s);
    if (!err)
        err = posix_spawnp(pid, s->argv[0], &actions, &attributes, s->argv, s->env);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return err;
}

int rn_os_spawn(const struct rn_os_spawn *s, int *pid, int *pidfd)
{
    pid_t child;
    int err = rn__fault_hit() ? EAGAIN : spawn(s, &child);
    if (err)
        return -err;
    *pid = child;
    *pidfd = rn__os_no_pidfd ? -1 : (int)syscall(SYS_pidfd_open, child, 0); /* closed on exec by itself */
    return 0;
}

static rn_duration duration_of(struct timeval t)
{
    return (rn_duration)t.tv_sec * RN_SECOND + (rn_duration)t.tv_usec * RN_MICROSECOND;
}

int rn_os_reap(int pid, bool block, struct rn_os_exit *how)
{
    struct rusage used;
    pid_t got;
    do
        got = wait4(pid, &how->status, block ? 0 : WNOHANG, &used);
    while (got < 0 && errno == EINTR);
    if (got <= 0)
        return got == 0 ? -EAGAIN : -errno;
    how->user = duration_of(used.ru_utime);
    how->system = duration_of(used.ru_stime);
    how->max_rss = (int64_t)used.ru_maxrss * 1024;
    return 0;
}

int rn_os_await(int pid)
{
    siginfo_t info;
    int r;
    do
        r = waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
    while (r < 0 && errno == EINTR);
    return r < 0 ? -errno : 0;
}

int rn_os_kill(int pid, int pidfd, int signo, bool group)
{
    int r;
    if (group)
        r = kill(-pid, signo);
    else if (pidfd >= 0)
        r = (int)syscall(SYS_pidfd_send_signal, pidfd, signo, NULL, 0);
    else
        r = kill(pid, signo);
    return r < 0 ? -errno : 0;
}
