/* Weighted semaphore: sizes, and a queue, all under one lock.
 *
 * What always holds, with the lock free: the first waiter does not fit into what is left.  So whoever
 * gives units back, or leaves the front of the queue, lets in those who fit now, in order, up to the
 * first who does not.  What a waiter is given is counted as used by the one who lets it in.
 * (golang.org/x/sync/semaphore, for the rules.)
 */
#include <runnel/semaphore.h>

#include "base/race.h"
#include "chan/wait.h"
#include "sync/waitq.h"

struct request {
    struct rn_waiter w;
    rn_atomic(uint32_t) claim;
    int64_t n;
};

static void let_in_locked(rn_semaphore *s, struct rn_ready_list *wake)
{
    rn__waitq_assert_held(&s->rn_queue);
    struct rn_waiter *w;
    while ((w = rn__waitq_first(&s->rn_queue)) != NULL) {
        const struct request *r = rn_container(w, struct request, w);
        if (r->n > s->rn_size - s->rn_used)
            break;
        rn__waitq_remove(&s->rn_queue, w);
        if (!rn__waiter_claim(w))
            continue;
        s->rn_used += r->n;
        w->ok = true;
        w->g->woken_by = w;
        rn__ready_add(wake, w->g);
    }
}

static void unlock_and_wake(rn_semaphore *s, struct rn_ready_list *wake)
{
    rn__waitq_unlock(&s->rn_queue);
    if (wake->n)
        rn__ready_all(wake);
}

/* With the lock. */
static bool take_locked(rn_semaphore *s, int64_t n)
{
    rn__waitq_assert_held(&s->rn_queue);
    if (n > s->rn_size - s->rn_used || !rn__waitq_empty(&s->rn_queue))
        return false;
    s->rn_used += n;
    return true;
}

static void check(rn_semaphore *s, int64_t n)
{
    rn__waitq_check(&s->rn_queue, "semaphore");
    rn__race_touch(s);
    if (n < 0)
        rn_panic("semaphore: negative weight");
}

bool rn_sem_try_acquire(rn_semaphore *s, int64_t n)
{
    rn__point(RN_AT_ACQUIRE, s);
    check(s, n);
    rn__waitq_lock(&s->rn_queue);
    bool taken = take_locked(s, n);
    rn__waitq_unlock(&s->rn_queue);
    if (taken)
        rn__race_acquire(RN_RACE_NAME(s, 0));
    return taken;
}

/* The goroutine of r has ended with its run: as below, and what it was given is given back. */
static void end(struct rn_waiter *w)
{
    rn_semaphore *s = rn_container(w->of, rn_semaphore, rn_queue);
    rn__waitq_lock(&s->rn_queue);
    rn__waitq_remove(&s->rn_queue, w);
    if (rn__waitq_has_woken(w))
        s->rn_used -= rn_container(w, struct request, w)->n;
    struct rn_ready_list wake = {0};
    let_in_locked(s, &wake);
    unlock_and_wake(s, &wake);
}

/* ctx is done first: gives up the place in the queue, which may let others in. */
static void leave(rn_semaphore *s, struct request *r)
{
    struct rn_ready_list wake = {0};
    rn__waitq_lock(&s->rn_queue);
    if (rn__waitq_remove(&s->rn_queue, &r->w))
        let_in_locked(s, &wake);
    unlock_and_wake(s, &wake);
}

int rn_sem_acquire(rn_context *ctx, rn_semaphore *s, int64_t n)
{
    rn__point(RN_AT_ACQUIRE, s);
    check(s, n);
    int err = ctx ? rn__done_seen(ctx) : 0;
    if (err)
        return err;
    struct request r = {.w = {.g = NULL}, .n = n};
    rn__waitq_lock(&s->rn_queue);
    bool taken = take_locked(s, n);
    /* Who wants more than there ever is waits beside the queue, so as not to hold up the others. */
    bool never = n > s->rn_size;
    if (!taken) {
        r.w.g = rn__self();
        r.w.claim = &r.claim;
        if (!never) {
            rn__waitq_push(&s->rn_queue, &r.w);
            rn__waitq_owes(&r.w, end);
        }
    }
    rn__waitq_unlock(&s->rn_queue);
    if (!taken)
        err = rn__wait_ctx(&r.w, ctx, RN_WAIT_SEMAPHORE, s);
    if (err && !never)
        leave(s, &r);
    if (err)
        return err;
    rn__race_acquire(RN_RACE_NAME(s, 0));
    rn__point(RN_AFTER_ACQUIRE, s);
    return 0;
}

void rn_sem_release(rn_semaphore *s, int64_t n)
{
    rn__point(RN_AT_RELEASE, s);
    check(s, n);
    rn__race_release(RN_RACE_NAME(s, 0));
    rn__waitq_lock(&s->rn_queue);
    bool enough = n <= s->rn_used;
    struct rn_ready_list wake = {0};
    if (enough) {
        s->rn_used -= n;
        let_in_locked(s, &wake);
    }
    unlock_and_wake(s, &wake);
    if (!enough)
        rn_panic("semaphore: released more than held");
    rn__point(RN_AFTER_RELEASE, s);
}

void rn_sem_destroy(rn_semaphore *s)
{
    rn__waitq_destroy(&s->rn_queue, "semaphore", s->rn_used != 0);
}
