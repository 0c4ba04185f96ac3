/* Writing without SIGPIPE: sendfile, and write to a pipe.
 *
 * Since Linux 6.18 a write has a flag for that.  Where the call has none the signal, which is for this thread alone, is
 * blocked for the time of the call and taken back if the call has raised it; one that was pending before stays.  That takes
 * two system calls more.
 */
#define _GNU_SOURCE 1
#include "base/atomic.h"
#include "base/race.h"
#include "os/linux/internal.h"
#include "os/os.h"
#include <errno.h>
#include <signal.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct quiet {
    sigset_t before;
    bool pending, blocked;
};

static void quiet_begin(struct quiet *q)
{
    sigset_t pipe, pending;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, &q->before);
    q->blocked = sigismember(&q->before, SIGPIPE) == 1;
    q->pending = q->blocked && sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1;
}

static void quiet_end(struct quiet *q, bool raised)
{
    sigset_t pipe;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    if (raised && !q->pending)
        while (sigtimedwait(&pipe, NULL, &(struct timespec){0}) < 0 && errno == EINTR)
            continue;
    if (!q->blocked)
        pthread_sigmask(SIG_SETMASK, &q->before, NULL);
}

int64_t rn_os_sendfile(int to, int from, int64_t offset, size_t n)
{
    enum { MOST = 1 << 20 }; /* bytes a call: so that it does not keep its thread for long */
    struct quiet q;
    off_t at = (off_t)offset;
    int64_t sent;
    quiet_begin(&q);
    do
        sent = sendfile(to, from, &at, n < MOST ? n : MOST);
    while (sent < 0 && errno == EINTR);
    sent = sent < 0 ? -errno : sent;
    quiet_end(&q, sent == -EPIPE);
    return sent;
}

static bool is_pipe(int fd)
{
    struct stat s;
    return fstat(fd, &s) == 0 && S_ISFIFO(s.st_mode);
}

/* By that flag, which of older kernels none knows, of eventfds and the like none, and of filters some not: then false, and
 * nothing was written. */
static bool write_by_flag(int to, const void *buf, size_t n, int64_t *sent)
{
    enum { NO_SIGNAL = 0x100 /* RWF_NOSIGNAL */, NOWHERE = -1 /* in particular */ };
    static rn_atomic(bool) is_unknown; /* relaxed, both: a hint */
    struct iovec piece = {(void *)(uintptr_t)buf, n};
    if (rn_load_relaxed(&is_unknown) || rn__os_is_watched())
        return false;
    do
        *sent = syscall(SYS_pwritev2, to, &piece, 1, (long)NOWHERE, (long)NOWHERE, NO_SIGNAL);
    while (*sent < 0 && errno == EINTR);
    if (*sent >= 0)
        return true;
    *sent = -errno;
    if (*sent != -EOPNOTSUPP && *sent != -EINVAL && *sent != -ENOSYS && *sent != -EPERM)
        return true;
    if (is_pipe(to))
        rn_store_relaxed(&is_unknown, true);
    return false;
}

int64_t rn_os_write_quiet(int to, const void *buf, size_t n)
{
    struct quiet q;
    int64_t sent;
    if (write_by_flag(to, buf, n, &sent))
        return sent;
    quiet_begin(&q);
    /* For the caller, whose buffer it is: what the detector sees in functions of this name is not reported. */
    rn__race_read(buf, n, RN_RACE_PC);
    rn__race_own_begin();
    do
        sent = write(to, buf, n);
    while (sent < 0 && errno == EINTR);
    sent = sent < 0 ? -errno : sent;
    rn__race_own_end();
    quiet_end(&q, sent == -EPIPE);
    return sent;
}
