/* How a child process is started: its descriptors, and the call.
 *
 * The descriptors that the child will have as 0, 1, 2 … are gathered at numbers beyond those, each a duplicate
 * of its own, so that putting them in place (dup2, in the child) can't overwrite one that is still needed.  All
 * of them are closed on exec: whatever another goroutine starts meanwhile gets none.
 */
#define _GNU_SOURCE 1
#include "base/alloc.h"
#include "net/process.h"
#include <errno.h>
#include <fcntl.h>
#include <runnel/context.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

/* The child's descriptors while they are gathered. */
struct gathered {
    int *fds; /* -1: none yet */
    int n;
};

/* Moves fd, which is ours, beyond those that the child will have; or a negative errno, and it is closed. */
static int move_up(int fd, int least)
{
    if (fd < 0 || fd >= least)
        return fd;
    int moved = rn_os_dup(fd, least);
    close(fd);
    return moved;
}

static int open_at(const char *path, int flags)
{
    int fd;
    rn__hib_hold(path, strlen(path) + 1);
    do
        fd = open(path, flags | O_CLOEXEC, 0666);
    while (fd < 0 && errno == EINTR);
    return fd < 0 ? -errno : fd;
}

/* A pipe: *ours is made, and the child's end, which blocks, returned. */
static int open_pipe(int which, rn_conn **ours)
{
    int fds[2], err = rn_os_pipe(fds);
    if (err)
        return err;
    int child = which == 0 ? fds[0] : fds[1], own = which == 0 ? fds[1] : fds[0];
    struct rn__fd *f = fcntl(child, F_SETFL, which == 0 ? O_RDONLY : O_WRONLY) == 0 ? rn__fd_make(own, 0) : NULL;
    if (f) {
        *ours = (rn_conn *)(void *)f;
        return child;
    }
    close(fds[0]);
    close(fds[1]);
    return RN_ENOMEM;
}

static int open_file(int which, const rn_stdio *s)
{
    if (!s->path)
        return RN_EINVAL;
    if (which == 0)
        return open_at(s->path, O_RDONLY);
    return open_at(s->path, O_WRONLY | O_CREAT | (s->kind == RN_STDIO_IS_APPENDED ? O_APPEND : O_TRUNC));
}

/* One of the standard descriptors, wherever its number is; or an error. */
static int open_one(int which, const rn_stdio *s, const struct gathered *g, rn_conn **ours)
{
    int fd;
    switch (s->kind) {
    case RN_STDIO_IS_INHERITED: /* one that is closed here: nothing to read, and what is written is lost */
        fd = rn_os_dup(which, g->n);
        return fd == -EBADF ? open_at("/dev/null", O_RDWR) : fd;
    case RN_STDIO_IS_NULL:
        return open_at("/dev/null", O_RDWR);
    case RN_STDIO_IS_PIPE:
        return open_pipe(which, ours);
    case RN_STDIO_IS_FD:
        return rn_os_dup_blocking(s->fd, g->n);
    case RN_STDIO_IS_FILE:
    case RN_STDIO_IS_APPENDED:
        return open_file(which, s);
    case RN_STDIO_IS_STDOUT:
        return which == 2 ? rn_os_dup(g->fds[1], g->n) : RN_EINVAL;
    default:
        return RN_EINVAL;
    }
}

static int gather(struct gathered *g, const rn_command *c, struct rn_process *p)
{
    const rn_stdio *standard[] = {&c->in, &c->out, &c->err};
    for (int i = 0; i < g->n; i++) {
        int fd = i < 3 ? open_one(i, standard[i], g, &p->pipes[i]) : rn_os_dup(c->fds[i - 3], g->n);
        g->fds[i] = move_up(fd, g->n);
        if (g->fds[i] < 0)
            return g->fds[i];
    }
    return 0;
}

static void close_gathered(struct gathered *g)
{
    for (int i = 0; i < g->n; i++)
        if (g->fds[i] >= 0)
            close(g->fds[i]);
    rn__free(g->fds);
}

/* The kernel reads them for exec. */
static void hold_all(char *const *texts)
{
    size_t n = 0;
    for (; texts[n]; n++)
        rn__hib_hold(texts[n], strlen(texts[n]) + 1);
    rn__hib_hold(texts, (n + 1) * sizeof *texts);
}

static void hold_command(const struct rn_os_spawn *s)
{
    hold_all(s->argv);
    hold_all(s->env);
    if (s->dir)
        rn__hib_hold(s->dir, strlen(s->dir) + 1);
}

static int spawn(struct rn_process *p, const rn_command *c, const struct gathered *g)
{
    enum { TRIES = 100 };
    struct rn_os_spawn s = {
        .argv = (char *const *)(uintptr_t)c->argv,
        .env = c->env ? (char *const *)(uintptr_t)c->env : environ,
        .dir = c->dir,
        .fds = g->fds,
        .fds_n = g->n,
        .new_group = c->new_group,
        .new_session = c->new_session,
    };
    int err, tries = 0;
    rn_blocking_enter();
    /* The kernel reads them late, when the child is there: whose stack they lie on may have run and be away once more. */
    do {
        hold_command(&s);
        err = rn_os_spawn(&s, &p->pid, &p->pidfd);
    } while (err == -EFAULT && ++tries < TRIES);
    rn_blocking_leave();
    return err;
}

static int start(struct rn_process *p, const rn_command *c)
{
    struct gathered g = {.n = 3 + c->fds_n};
    g.fds = rn__malloc((size_t)g.n * sizeof *g.fds);
    if (!g.fds)
        return RN_ENOMEM;
    for (int i = 0; i < g.n; i++)
        g.fds[i] = -1;
    int err = gather(&g, c, p);
    if (!err)
        err = spawn(p, c, &g);
    close_gathered(&g);
    return err ? err : rn__process_watch(p);
}

static bool makes_sense(const rn_command *c)
{
    return c->argv && c->argv[0] && c->fds_n >= 0 && c->fds_n < 1 << 16 && (c->fds_n == 0 || c->fds) &&
           c->cancel_signal >= 0 && c->cancel_signal < NSIG && c->grace >= 0;
}

int rn_process_start_ctx(rn_context *ctx, const rn_command *c, rn_process **out)
{
    int err = rn_ctx_err(ctx);
    if (err || !makes_sense(c))
        return err ? err : RN_EINVAL;
    struct rn_process *p = rn__process_new();
    if (!p)
        return RN_ENOMEM;
    p->group = c->new_group || c->new_session;
    p->cancel_signal = c->cancel_signal ? c->cancel_signal : SIGKILL;
    p->grace = c->cancel_signal ? c->grace : 0;
    err = start(p, c);
    if (err) {
        rn_process_free(p);
        return err;
    }
    if (ctx)
        rn__process_end_with(p, ctx);
    *out = p;
    return 0;
}

int rn_process_start(const rn_command *c, rn_process **out)
{
    return rn_process_start_ctx(NULL, c, out);
}
