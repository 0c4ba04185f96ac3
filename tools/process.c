/* Child processes. */
#define _GNU_SOURCE 1
#include "tool.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static int died_of; /* a signal that ended a child while interrupts were held */

pid_t start_within(unsigned seconds, char *const argv[], const char *dir, int out, int err)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0)
        die(STATUS_FAILED, "can't start %s: %s", argv[0], strerror(errno));
    if (pid > 0)
        return pid;
    signal(SIGINT, SIG_DFL);
    signal(SIGQUIT, SIG_DFL);
    prctl(PR_SET_PDEATHSIG, SIGTERM); /* the command was ended: so is what works for it */
    signal(SIGALRM, SIG_DFL);
    alarm(seconds);
    if (out >= 0)
        dup2(out, STDOUT_FILENO);
    if (err >= 0)
        dup2(err, STDERR_FILENO);
    if (dir && chdir(dir) < 0) {
        say("%s: %s", dir, strerror(errno));
        _exit(127);
    }
    execvp(argv[0], argv);
    say("can't run %s: %s", argv[0], strerror(errno));
    _exit(127);
}

pid_t start(char *const argv[], const char *dir, int out, int err)
{
    return start_within(0, argv, dir, out, err);
}

int wait_for(pid_t pid)
{
    return wait_for_any(&pid);
}

int wait_for_any(pid_t *pid)
{
    int status;
    pid_t ended;
    while ((ended = waitpid(*pid, &status, 0)) < 0)
        if (errno != EINTR)
            die(STATUS_FAILED, "waitpid: %s", strerror(errno));
    *pid = ended;
    if (WIFSIGNALED(status)) {
        if (WTERMSIG(status) == SIGINT || WTERMSIG(status) == SIGQUIT)
            died_of = WTERMSIG(status);
        return 128 + WTERMSIG(status);
    }
    return WEXITSTATUS(status);
}

int call(char *const argv[], const char *dir)
{
    return wait_for(start(argv, dir, -1, -1));
}

char *output_of(char *const argv[], int *status)
{
    int fd = memfd_create("output", MFD_CLOEXEC);
    if (fd < 0)
        die(STATUS_FAILED, "memfd_create: %s", strerror(errno));
    *status = wait_for(start(argv, NULL, fd, fd));
    char *path = text("/proc/self/fd/%d", fd);
    char *out = read_file(path, NULL);
    close(fd);
    free(path);
    return out ? out : text("%s", "");
}

void hold_interrupts(bool hold)
{
    signal(SIGINT, hold ? SIG_IGN : SIG_DFL);
    signal(SIGQUIT, hold ? SIG_IGN : SIG_DFL);
    if (!hold && died_of)
        raise(died_of);
}
