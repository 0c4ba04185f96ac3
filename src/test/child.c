/* One test in a process of its own: fork, collect what it writes, and end it when it takes too long.
 *
 * Three pipes: reports, stdout, stderr.  Their end of file says that the child is gone; a child of
 * the test that keeps them open can't hold the run up, since the wait also looks every 20 ms. */
#define _GNU_SOURCE 1
#include "internal.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { REPORTS, OUT, ERR, PIPES };
enum { LOOK_MS = 20 };
/* From SIGQUIT, or what was written since, to SIGKILL: a listing takes its time with a sanitizer, or on a busy machine … */
#define QUIT_GRACE (3 * RN_SECOND)
#define QUIT_MOST (60 * RN_SECOND) /* … but what never stops writing is no listing */

_Noreturn static void be_child(const struct rn_test *t, int ends[PIPES][2])
{
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* the runner was ended: so are its tests */
    if (t->status >= 0)
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    dup2(ends[OUT][1], STDOUT_FILENO);
    dup2(ends[ERR][1], STDERR_FILENO);
    int null = open("/dev/null", O_RDONLY);
    if (null >= 0)
        dup2(null, STDIN_FILENO);
    rn__test_report_to(ends[REPORTS][1], NULL);
    rn__test_failed_here = false; /* what the runner found out about the tests before is no failure of this one */
    rn__test_watch(t);
    t->run();
    rn__test_watch_end();
    rn__test_report(RN_REPORT_END, "");
    exit(0);
}

/* Reads what is there, and tells whether there was anything; closes at end of file. */
static bool drain(struct pollfd *p, struct rn_text *into)
{
    char bytes[4096];
    bool some = false;
    ssize_t n;
    for (; (n = read(p->fd, bytes, sizeof bytes)) > 0; some = true)
        rn__text_add(into, bytes, (size_t)n);
    if (n == 0) {
        close(p->fd);
        p->fd = -1;
    }
    return some;
}

static bool drain_all(struct pollfd *polls, struct rn_result *r)
{
    struct rn_text *into[PIPES] = {&r->reports, &r->out, &r->err};
    bool some = false;
    for (int i = 0; i < PIPES; i++)
        if (polls[i].fd >= 0)
            some |= drain(&polls[i], into[i]);
    return some;
}

/* Sends what the time demands: at `end` SIGQUIT, for the listing of goroutines, and SIGKILL when nothing was heard of it any more. */
static void press(pid_t pid, rn_time end, rn_time heard, struct rn_result *r)
{
    rn_time now = rn_os_now();
    if (now > end && !r->timed_out) {
        r->timed_out = true;
        kill(pid, SIGQUIT);
    } else if (now - end > QUIT_MOST || (now - end > QUIT_GRACE && now - heard > QUIT_GRACE)) {
        kill(-pid, SIGKILL);
        kill(pid, SIGKILL);
    }
}

static void collect(pid_t pid, struct pollfd *polls, rn_duration limit, struct rn_result *r)
{
    rn_time start = rn_os_now(), heard = start;
    int status = 0;
    bool open = true;
    for (;;) {
        /* With the pipes closed only the exit is missing: it is a matter of microseconds. */
        poll(polls, PIPES, open ? LOOK_MS : 1);
        if (drain_all(polls, r))
            heard = rn_os_now();
        open = polls[REPORTS].fd >= 0 || polls[OUT].fd >= 0 || polls[ERR].fd >= 0;
        if (waitpid(pid, &status, WNOHANG) == pid)
            break;
        press(pid, start + limit, heard, r);
    }
    drain_all(polls, r);
    kill(-pid, SIGKILL); /* what the test left behind */
    r->took = rn_os_now() - start;
    r->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int open_pipes(int ends[PIPES][2])
{
    for (int i = 0; i < PIPES; i++) {
        if (pipe2(ends[i], O_CLOEXEC) < 0) {
            int err = -errno;
            while (i-- > 0) {
                close(ends[i][0]);
                close(ends[i][1]);
            }
            return err;
        }
        fcntl(ends[i][0], F_SETFL, O_NONBLOCK);
    }
    return 0;
}

int rn__test_run_child(const struct rn_test *t, rn_duration limit, struct rn_result *result)
{
    int ends[PIPES][2];
    struct pollfd polls[PIPES];
    int err = open_pipes(ends);
    if (err)
        return err;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        be_child(t, ends);
    err = pid < 0 ? -errno : 0;
    if (pid > 0)
        setpgid(pid, pid);
    for (int i = 0; i < PIPES; i++) {
        close(ends[i][1]);
        polls[i] = (struct pollfd){.fd = ends[i][0], .events = POLLIN};
    }
    if (pid > 0)
        collect(pid, polls, limit, result);
    for (int i = 0; i < PIPES; i++)
        if (polls[i].fd >= 0)
            close(polls[i].fd);
    return err;
}
