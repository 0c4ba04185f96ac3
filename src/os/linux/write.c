/* Writing without SIGPIPE where the call has no flag for that: sendfile, and write to a pipe.
 *
 * The signal is for this thread alone, so it is blocked for the time of the call and taken back if the
 * call has raised it; one that was pending before stays.
 */
#define _GNU_SOURCE 1
#include "base/race.h"
#include "os/os.h"
#include <errno.h>
#include <signal.h>
#include <sys/sendfile.h>
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

int64_t rn_os_write_quiet(int to, const void *buf, size_t n)
{
    struct quiet q;
    int64_t sent;
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
