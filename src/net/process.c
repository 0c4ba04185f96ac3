/* Child processes: see runnel/process.h.  How one is started is in spawn.c.
 *
 * Each has a goroutine, the reaper, that waits until it has ended, takes it from the kernel, and closes `done`,
 * which is what everybody else waits for.  So a wait is that of a channel, with all that goes with it, and no
 * zombie is left by a program that forgets to wait.
 *
 * What always holds:
 *  - The child is taken from the kernel under `lock`, and signals are sent under it, only before: none
 *    reaches another process that has got the number.
 *  - `exit` and `error` are written before `done` is closed, and not after.
 *  - Those who refer to p: its owner, until rn_process_free; the reaper; a goroutine that ends it.
 *    The last frees it.  A run that ends takes the reapers with it: their part falls to the hook (on_stop).
 *
 * Tried and rejected: SIGCHLD, which belongs to the program; and reaping in process_wait, which leaves
 * zombies, and needs a hand-over between several who wait.
 */
#include "net/process.h"
#include "base/alloc.h"
#include "base/hooks.h"
#include <errno.h>
#include <runnel/context.h>
#include <runnel/time.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static rn_lock list_lock; /* of this list; rank SYNC */
static struct rn_process *all;

/* ---- life -------------------------------------------------------------------------------------------- */

static void list_add(struct rn_process *p)
{
    rn_lock_take(&list_lock, RN_RANK_SYNC);
    p->next = all;
    all = p;
    rn_lock_release(&list_lock);
}

static void list_remove(struct rn_process *p)
{
    rn_lock_take(&list_lock, RN_RANK_SYNC);
    struct rn_process **at = &all;
    while (*at && *at != p)
        at = &(*at)->next;
    if (*at)
        *at = p->next;
    rn_lock_release(&list_lock);
}

static void destroy(struct rn_process *p)
{
    list_remove(p);
    for (int i = 0; i < 3; i++)
        if (p->pipes[i])
            rn_net_free(p->pipes[i]);
    if (p->watch)
        rn__fd_free(p->watch);
    else if (p->pidfd >= 0)
        close(p->pidfd);
    rn__race_own_begin(); /* the references are counted; the detector would want their holders ordered */
    rn_chan_free(p->done);
    rn__race_own_end();
    rn__free(p);
}

static void unref(struct rn_process *p)
{
    /* acq_rel: the last one sees what the others did. */
    if (rn_sub_acq_rel(&p->refs, 1) == 1)
        destroy(p);
}

/* Its context will not end it, if that has not begun. */
static void forget_context(struct rn_process *p)
{
    if (p->after && rn_ctx_after_stop(p->after)) {
        rn_ctx_release(p->ctx);
        unref(p);
    }
    p->after = NULL;
}

/* The run has ended, and with it the reapers and those that end processes. */
static void on_stop(void)
{
    for (struct rn_process *p = all, *next; p; p = next) {
        next = p->next;
        rn_add_relaxed(&p->refs, 1); /* relaxed, all: no other thread is left */
        forget_context(p);
        p->lock = (rn_mutex){0};
        rn_store_relaxed(&p->refs, p->owned ? 1 : 0);
        if (!p->owned)
            destroy(p);
    }
}

struct rn_process *rn__process_new(void)
{
    static struct rn_stop_hook hook = {.f = on_stop};
    struct rn_process *p = rn__calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->done = rn__chan_make(0, 1, 0, true);
    if (!p->done) {
        rn__free(p);
        return NULL;
    }
    rn__tell_made(p->done, RN_MADE_PROCESS);
    p->pidfd = -1;
    p->owned = true;
    rn_store_relaxed(&p->refs, 1); /* relaxed: nobody else knows p */
    rn__at_stop(&hook);
    list_add(p);
    return p;
}

void rn_process_free(rn_process *p)
{
    if (!p)
        return;
    forget_context(p);
    for (int i = 0; i < 3; i++)
        if (p->pipes[i])
            rn_net_close(p->pipes[i]);
    p->owned = false;
    unref(p);
}

/* ---- the end of a process ---------------------------------------------------------------------------- */

static rn_exit exit_of(const struct rn_os_exit *e)
{
    bool signaled = WIFSIGNALED(e->status);
    return (rn_exit){
        .code = signaled ? -1 : WEXITSTATUS(e->status),
        .signal = signaled ? WTERMSIG(e->status) : 0,
        .core_dumped = signaled && WCOREDUMP(e->status),
        .user = e->user,
        .system = e->system,
        .max_rss = e->max_rss,
    };
}

/* Takes it from the kernel if it has ended; false: it runs. */
static bool reap(struct rn_process *p)
{
    struct rn_os_exit e;
    rn_mutex_lock(&p->lock);
    int err = rn_os_reap(p->pid, false, &e);
    bool ended = err != -EAGAIN;
    if (ended) {
        p->ended = true;
        p->error = err;
        if (!err)
            p->exit = exit_of(&e);
    }
    rn_mutex_unlock(&p->lock);
    return ended;
}

/* Where the kernel has no pidfds, or there was no descriptor for one: a thread waits. */
static void wait_as_a_thread(struct rn_process *p)
{
    rn_blocking_enter();
    (void)rn_os_await(p->pid); /* an error is told by reap as well */
    rn_blocking_leave();
}

static void reaper(void *arg)
{
    struct rn_process *p = arg;
    rn_set_name("process reaper");
    bool watched = p->watch && rn__fd_begin(p->watch, RN_SIDE_READ, NULL) == 0;
    while (!reap(p))
        if (!watched) {
            wait_as_a_thread(p);
        } else if (rn__fd_wait(p->watch, RN_SIDE_READ, NULL) != 0) {
            rn__fd_end(p->watch, RN_SIDE_READ);
            watched = false;
        }
    if (watched)
        rn__fd_end(p->watch, RN_SIDE_READ);
    (rn_chan_close)(p->done);
    unref(p);
}

int rn__process_watch(struct rn_process *p)
{
    if (p->pidfd >= 0)
        p->watch = rn__fd_make(p->pidfd, 0); /* NULL: a thread waits */
    rn_add_relaxed(&p->refs, 1);             /* relaxed: ours is held */
    int err = rn__spawn(reaper, p, NULL);
    if (err) {
        struct rn_os_exit e;
        rn_sub_relaxed(&p->refs, 1); /* relaxed: as above */
        rn_os_kill(p->pid, p->pidfd, SIGKILL, false);
        rn_os_reap(p->pid, true, &e);
    }
    return err;
}

/* ---- signals ----------------------------------------------------------------------------------------- */

int rn_process_signal(rn_process *p, int signo)
{
    rn_mutex_lock(&p->lock);
    int err = p->ended ? -ESRCH : rn_os_kill(p->pid, p->pidfd, signo, p->group);
    rn_mutex_unlock(&p->lock);
    return err;
}

int rn_process_kill(rn_process *p)
{
    return rn_process_signal(p, SIGKILL);
}

/* Its context is done: in a goroutine of its own, which has a part in p. */
static void end_process(void *arg)
{
    struct rn_process *p = arg;
    rn_set_name("process ender");
    rn_mutex_lock(&p->lock);
    if (!p->ended) {
        p->canceled = rn_ctx_err(p->ctx);
        rn_os_kill(p->pid, p->pidfd, p->cancel_signal, p->group);
    }
    bool more = !p->ended && p->grace > 0;
    rn_mutex_unlock(&p->lock);
    if (more) {
        rn_context *grace = rn_ctx_with_timeout(NULL, p->grace);
        if (rn_process_wait_ctx(grace, p, NULL) == RN_ETIMEOUT)
            rn_process_kill(p);
        rn_ctx_cancel(grace);
    }
    rn_ctx_release(p->ctx);
    unref(p);
}

void rn__process_end_with(struct rn_process *p, rn_context *ctx)
{
    p->ctx = rn_ctx_retain(ctx);
    rn_add_relaxed(&p->refs, 1); /* relaxed: ours is held */
    p->after = rn__ctx_after_func(ctx, end_process, p);
}

/* ---- waiting ----------------------------------------------------------------------------------------- */

int rn_process_wait_ctx(rn_context *ctx, rn_process *p, rn_exit *how)
{
    int err = rn__chan_recv_ctx(ctx, p->done, NULL);
    if (err != RN_ECLOSED)
        return err;
    if (p->error)
        return p->error;
    if (how)
        *how = p->exit;
    return p->canceled;
}

int rn_process_wait(rn_process *p, rn_exit *how)
{
    return rn_process_wait_ctx(NULL, p, how);
}

void *rn__process_done(rn_process *p)
{
    return p->done;
}

int rn_process_pid(const rn_process *p)
{
    return p->pid;
}

rn_conn *rn_process_in(rn_process *p)
{
    return p->pipes[0];
}

rn_conn *rn_process_out(rn_process *p)
{
    return p->pipes[1];
}

rn_conn *rn_process_err(rn_process *p)
{
    return p->pipes[2];
}
