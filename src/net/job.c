/* Calls that may be given up: see rn_blocking_ctx in runnel/file.h.
 *
 * The call runs on a goroutine of its own, without a processor; the caller waits for it beside its context.
 * Who comes first decides, by one word: the call that has returned (DONE), or the caller that gives up
 * (LEFT).  After LEFT what belongs to the call is disposed of by its goroutine.
 *
 * A run that ends joins the threads in such calls, and their goroutines never go on; so all jobs are in a
 * list, and the run's end disposes of what is left of it.
 */
#include "net/job.h"
#include "base/alloc.h"
#include <runnel/context.h>
#include <runnel/file.h>
#include <runnel/waitgroup.h>

enum { RUNNING, DONE, LEFT };

struct job {
    struct job *next, **at; /* in the list */
    void (*f)(void *);
    void *arg;
    void (*drop)(void *);
    rn_waitgroup wg;
    rn_atomic(uint32_t) state;
    rn_atomic(uint32_t) refs; /* the caller, and the goroutine */
};

static rn_lock lock; /* of the list; rank SYNC */
static struct job *jobs;

static void list_add(struct job *j)
{
    rn_lock_take(&lock, RN_RANK_SYNC);
    j->next = jobs;
    j->at = &jobs;
    if (jobs)
        jobs->at = &j->next;
    jobs = j;
    rn_lock_release(&lock);
}

static void list_remove(struct job *j)
{
    rn_lock_take(&lock, RN_RANK_SYNC);
    *j->at = j->next;
    if (j->next)
        j->next->at = j->at;
    rn_lock_release(&lock);
}

static void unref(struct job *j)
{
    /* acq_rel: the last one frees what the other has used. */
    if (rn_sub_acq_rel(&j->refs, 1) != 1)
        return;
    list_remove(j);
    rn__free(j);
}

bool rn__job_run_over;

static void on_stop(void)
{
    rn__job_run_over = true;
    while (jobs) {
        struct job *j = jobs;
        if (j->drop)
            j->drop(j->arg);
        list_remove(j);
        rn__free(j);
    }
    rn__job_run_over = false;
}

static void run(void *arg)
{
    struct job *j = arg;
    uint32_t running = RUNNING;
    rn_set_name("blocking call");
    rn_blocking_enter();
    j->f(j->arg);
    rn_blocking_leave();
    /* acq_rel: pairs with the caller's; whoever comes second sees what the first did. */
    if (!rn_cas_acq_rel(&j->state, &running, DONE) && j->drop)
        j->drop(j->arg);
    rn_wg_done(&j->wg);
    unref(j);
}

int rn__job_run(rn_context *ctx, void (*f)(void *), void *arg, void (*drop)(void *))
{
    static struct rn_stop_hook hook = {.f = on_stop};
    int err = rn_ctx_err(ctx);
    if (err) {
        if (drop)
            drop(arg);
        return err;
    }
    if (!rn__is_goroutine(rn__self())) { /* a plain thread blocks as threads do */
        f(arg);
        return 0;
    }
    struct job *j = rn__calloc(1, sizeof *j);
    if (!j)
        return RN_ENOMEM;
    j->f = f;
    j->arg = arg;
    j->drop = drop;
    rn_store_relaxed(&j->refs, 2); /* relaxed: nobody else knows j */
    rn_wg_add(&j->wg, 1);
    rn__at_stop(&hook);
    list_add(j);
    if (rn__spawn(run, j, NULL) != 0) {
        list_remove(j);
        rn__free(j);
        return RN_ENOMEM;
    }
    uint32_t running = RUNNING;
    rn__hib_stay(rn__self()); /* f may give memory of the caller's to the kernel, at any time */
    err = rn_wg_wait_ctx(ctx, &j->wg);
    if (err && !rn_cas_acq_rel(&j->state, &running, LEFT)) /* acq_rel: as in run */
        err = 0;
    unref(j);
    return err;
}

int rn_blocking_ctx(rn_context *ctx, void (*f)(void *), void *arg, void (*drop)(void *))
{
    return rn__job_run(ctx, f, arg, drop);
}
