/* Scopes: goroutines that a block can't outlive.
 *
 * What always holds while nobody has the lock:
 *  - live counts the goroutines that were let in and have not ended yet (a place that is handed to
 *    somebody who waits for one stays counted).  While it is above 0 the scope's memory is in use.
 *  - waiters (for a place) exist only while live >= limit > 0.
 *  - joiner, who waits for live == 0, is there only while live > 0.
 *
 * A goroutine that ends first records how, and cancels the scope if that is the policy; then it gives its
 * place back, and does not touch the scope afterwards: the joiner may return at once, and with it the
 * scope's memory goes.
 *
 * Leaving: scope_begin is a deferred call of rn__scope_leave, which runs however the block is left.
 *
 * Tried and rejected: a waitgroup and a semaphore of src/sync instead of live and waiters: the hand-over of a
 * place and the first error would need a third lock.
 */
#include "base/alloc.h"
#include "base/race.h"
#include "sched/sched.h"
#include <runnel/scope.h>
#include <runnel/time.h>
#include <string.h>

struct scope {
    rn_lock lock;                 /* RN_RANK_SCOPE; guards all but ctx and policy */
    uint8_t policy;               /* enum rn_scope_policy */
    bool ended, succeeded, mixed; /* mixed: the limit has changed on the way */
    uint32_t begun;               /* how many were let in */
    rn_context *ctx;
    long live, limit; /* limit 0: none */
    struct rn_list waiters;
    struct rn_waiter *joiner;
    struct rn_panic *panic;      /* of the first that panicked; ours */
    int first;                   /* error */
    size_t errors_n, kept, room; /* errors so far, in the array, and how many it holds */
    int *errors;
};

RN_STATIC_ASSERT(sizeof(struct scope) <= sizeof(rn_scope), "rn_scope holds a scope");

static struct scope *scope_of(rn_scope *s)
{
    return (struct scope *)(void *)s;
}

static void lock(struct scope *s)
{
    rn_lock_take(&s->lock, RN_RANK_SCOPE);
}

static void unlock(struct scope *s)
{
    rn_lock_release(&s->lock);
}

rn_scope *rn__scope_begin(rn_scope *scope, rn_context *ctx, enum rn_scope_policy policy)
{
    struct scope *s = scope_of(scope);
    *s = (struct scope){.policy = (uint8_t)policy};
    s->ctx = rn_ctx_with_cancel(ctx);
    return scope;
}

rn_context *rn_scope_context(rn_scope *s)
{
    return scope_of(s)->ctx;
}

void rn_scope_cancel(rn_scope *s)
{
    rn_ctx_cancel_cause(scope_of(s)->ctx, RN_ECANCELED);
}

/* ---- how one ended ------------------------------------------------------------------------------- */

/* Room for one more error, if there is memory. */
static void make_room(struct scope *s)
{
    lock(s);
    size_t old = s->room;
    bool full = s->kept == old;
    unlock(s);
    size_t room = old ? 2 * old : 8;
    int *more = full ? rn__malloc(room * sizeof *more) : NULL;
    if (!more)
        return;
    lock(s);
    if (s->room == old) { /* nobody else was faster */
        if (old)
            memcpy(more, s->errors, old * sizeof *more);
        int *freed = s->errors;
        s->errors = more;
        s->room = room;
        more = freed;
    }
    unlock(s);
    rn__free(more);
}

static void record_error(struct scope *s, int err)
{
    make_room(s);
    lock(s);
    if (!s->first)
        s->first = err;
    if (s->kept < s->room)
        s->errors[s->kept++] = err;
    s->errors_n++;
    unlock(s);
    if (s->policy == RN_SCOPE_ALL)
        rn_ctx_cancel_cause(s->ctx, err);
}

static void record_success(struct scope *s)
{
    if (s->policy != RN_SCOPE_ANY)
        return;
    lock(s);
    s->succeeded = true;
    unlock(s);
    rn_ctx_cancel_cause(s->ctx, RN_ECANCELED);
}

static void record_panic(struct scope *s, struct rn_panic *panic)
{
    static char text[] = "panic without memory for its text";
    static struct rn_panic nameless = {.text = text, .on_stack = true};
    if (panic->on_stack) /* of the goroutine, which is going */
        panic = &nameless;
    if (s->policy != RN_SCOPE_SUPERVISE) {
        lock(s);
        bool first = !s->panic;
        if (first)
            s->panic = panic;
        unlock(s);
        rn_ctx_cancel_cause(s->ctx, RN_EPANIC);
        if (first)
            return;
    } else {
        record_error(s, RN_EPANIC);
    }
    rn__panic_free(panic);
}

/* The race detector's name for the place of the nth, under the lock. */
static uint32_t place_locked(const struct scope *s, uint32_t n)
{
    rn_lock_assert_held(&s->lock);
    return s->mixed || !s->limit ? 0 : rn__race_place(n, s->limit);
}

/* The last touch of the scope by a goroutine that has ended. */
static void give_back(struct scope *s)
{
    struct rn_waiter *w = NULL;
    rn__race_release(RN_RACE_NAME(s, 0));
    lock(s);
    rn__race_release(RN_RACE_NAME(s, place_locked(s, s->begun - (uint32_t)s->live)));
    if (!rn_list_empty(&s->waiters) && s->live <= s->limit) {
        w = rn_container(rn_list_pop(&s->waiters), struct rn_waiter, node);
        w->index = place_locked(s, s->begun++);
    } else if (--s->live == 0) {
        w = s->joiner;
        s->joiner = NULL;
    }
    if (w)
        w->queued = false;
    unlock(s);
    if (!w)
        return;
    struct rn_g *g = w->g;
    g->woken_by = w;
    rn__ready(g);
}

static bool ended(struct scope *s, enum rn_ended how, int err, struct rn_panic *panic)
{
    if (how == RN_ENDED_PANIC)
        record_panic(s, panic);
    else if (how == RN_ENDED_RETURN && err)
        record_error(s, err);
    else if (how == RN_ENDED_RETURN)
        record_success(s);
    give_back(s);
    return true;
}

static bool int_ended(void *owner, enum rn_ended how, intptr_t result, struct rn_panic *panic)
{
    return ended(owner, how, (int)result, panic);
}

static bool void_ended(void *owner, enum rn_ended how, intptr_t result, struct rn_panic *panic)
{
    (void)result; /* a function that returns nothing leaves anything there */
    return ended(owner, how, 0, panic);
}

/* ---- starting ------------------------------------------------------------------------------------- */

/* Gets a place: 0, or RN_EAGAIN. */
static int let_in(struct scope *s, bool wait)
{
    struct rn_waiter w = {.g = rn__self(), .of = s};
    lock(s);
    bool over = s->ended, full = s->limit && s->live >= s->limit, limited = s->limit != 0;
    if (!over && !full) {
        s->live++;
        w.index = place_locked(s, s->begun++);
    } else if (!over && wait) {
        w.queued = true;
        rn_list_push(&s->waiters, &w.node);
    }
    unlock(s);
    if (over)
        rn_panic("scope_go: the scope has ended");
    if (full && wait)
        rn__park(RN_WAIT_SCOPE, s); /* the place of one that has ended is ours then */
    if (limited && (wait || !full))
        rn__race_acquire(RN_RACE_NAME(s, w.index)); /* after the one whose place it was */
    return full && !wait ? RN_EAGAIN : 0;
}

struct rn_go_call rn__scope_call(rn_scope *scope, bool is_void, bool wait)
{
    struct scope *s = scope_of(scope);
    int err = let_in(s, wait);
    return (struct rn_go_call){.ended = is_void ? void_ended : int_ended, .owner = s, .try_ = true, .err = err};
}

void rn__scope_not_started(struct rn_go_call *call)
{
    struct scope *s = call->owner;
    int err = call->err;
    call->err = 0;
    if (err != RN_EAGAIN)
        record_error(s, err);
    give_back(s);
    if (err == RN_EAGAIN)
        rn_panic("scope_go: " RN_NO_RUN);
}

void rn_scope_limit(rn_scope *scope, long n)
{
    struct scope *s = scope_of(scope);
    struct rn_ready_list wake = {0};
    lock(s);
    long limit = n > 0 ? n : 0;
    s->mixed |= s->begun != 0 && limit != s->limit;
    s->limit = limit;
    while (!rn_list_empty(&s->waiters) && (!s->limit || s->live < s->limit)) {
        struct rn_waiter *w = rn_container(rn_list_pop(&s->waiters), struct rn_waiter, node);
        w->queued = false;
        if (!rn__may_wake(w->g))
            continue;
        w->g->woken_by = w;
        w->index = place_locked(s, s->begun++);
        s->live++;
        rn__ready_add(&wake, w->g);
    }
    unlock(s);
    if (wake.n)
        rn__ready_all(&wake);
}

/* ---- the end -------------------------------------------------------------------------------------- */

/* Waits for all, and ends the context. */
static void join(struct scope *s)
{
    for (bool waits = true; waits;) {
        struct rn_waiter w = {.g = rn__self(), .of = s};
        lock(s);
        waits = s->live > 0;
        s->ended = !waits;
        s->joiner = waits ? &w : NULL;
        w.queued = waits;
        unlock(s);
        if (waits)
            rn__park(RN_WAIT_SCOPE, s);
    }
    rn__race_acquire(RN_RACE_NAME(s, 0)); /* after all that have ended */
    rn_ctx_cancel(s->ctx);
}

/* The first panic of a child becomes the caller's. */
static void surface(struct scope *s)
{
    struct rn_panic *p = s->panic;
    s->panic = NULL;
    if (p)
        rn__panic_pass_on(p);
}

int rn_scope_end(rn_scope *scope)
{
    struct scope *s = scope_of(scope);
    if (!s->ended)
        join(s);
    surface(s);
    return s->succeeded ? 0 : s->first;
}

void rn__scope_leave(rn_scope *scope)
{
    struct scope *s = scope_of(scope);
    if (!s->ended) {
        rn_scope_cancel(scope);
        join(s);
    }
    rn__free(s->errors);
    s->errors = NULL;
    s->kept = s->room = 0;
    surface(s);
}

size_t rn_scope_errors(rn_scope *scope, int *errors, size_t n)
{
    struct scope *s = scope_of(scope);
    lock(s);
    for (size_t i = 0; i < n && i < s->kept; i++)
        errors[i] = s->errors[i];
    size_t all = s->errors_n;
    unlock(s);
    return all;
}
