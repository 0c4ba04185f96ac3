/* Contexts: the tree, its ends, and what is asked of it.
 *
 * A context is a slot of chan/done.h, which has the handle's generation, the lock, the count of
 * references and the waiters.  Here is the rest.
 *
 * References to a slot: one of its maker (until ctx_cancel), one of each slot whose parent it is, one
 * of each ctx_retain, and one of each function here that works on it without its lock.
 *
 * What always holds while nobody has the locks:
 *  - A slot that is not done, and has a parent that can cancel it, is in that one's children.
 *  - A done slot stays in its parent's children until it has no children itself.  So when a done
 *    slot has no children, everything that was ever below it is done, and whoever cancels may return.
 *    (Two who cancel at different heights at once therefore help each other instead of returning
 *    early.)
 *  - A done slot gets no new children: who makes one finds the parent done under its lock.
 *  - parent, kind, when, values, key, value do not change while the slot is referenced.
 *
 * Lock order: TIMERS, then a parent's lock, then its child's; never two of one height.  Whom a cancel
 * wakes is collected and readied last, with no lock held.  A timer is stopped with no lock of this
 * file held, as its expiry takes them.
 *
 * Tried and rejected: one lock for each tree (a server's requests all hang under one root), and
 * recursion (a chain of contexts can be longer than a goroutine's stack is deep).
 */
#include "chan/done.h"
#include "context/context.h"
#include <runnel/context.h>
#include <runnel/timer.h>
#include <runnel/time.h>

/* What a cancel leaves to be done when no lock is held. */
struct todo {
    struct rn_ready_list wake;
    struct rn_list after; /* of AFTER, each with its maker's reference: functions to start */
};

static struct rn_ctx *ctx_at(struct rn_node *n)
{
    return rn_container(n, struct rn_ctx, sibling);
}

/* 0, or the error of a done context; its lock is held. */
static int err_locked(const struct rn_ctx *c)
{
    rn_lock_assert_held(&c->done.lock);
    uint64_t word = rn_load_relaxed(&c->done.word); /* written under the lock */
    return !(word & RN_DONE_FIRED) ? 0 : word & RN_DONE_TIMED_OUT ? RN_ETIMEOUT : RN_ECANCELED;
}

/* ---- the end of a slot --------------------------------------------------------------------------- */

/* Drops a reference, with c locked, and unlocks.  The last one frees the slot, and with it a
 * reference to its parent, and so on up. */
static void unref_unlock(struct rn_ctx *c)
{
    while (rn__done_unref_unlock(&c->done)) {
        struct rn_ctx *parent = c->parent;
        /* Whoever canceled c has stopped its timer, but an expiry may still be in its last steps. */
        if (c->timed)
            rn__timer_stop(&c->timer);
        rn__done_free(&c->done);
        if (!parent)
            return;
        c = parent;
        rn__ctx_lock(c);
    }
}

static void unref(struct rn_ctx *c)
{
    rn__ctx_lock(c);
    unref_unlock(c);
}

static void unlink_locked(struct rn_ctx *parent, struct rn_ctx *c)
{
    rn_lock_assert_held(&parent->done.lock);
    if (c->linked) {
        c->linked = false;
        rn_list_remove(&parent->children, &c->sibling);
    }
}

/* c is done and has no children. */
static void unlink_from_parent(struct rn_ctx *c)
{
    struct rn_ctx *parent = c->parent;
    if (!parent)
        return;
    rn__ctx_lock(parent);
    unlink_locked(parent, c);
    rn__ctx_unlock(parent);
}

/* ---- cancel -------------------------------------------------------------------------------------- */

/* Marks c done; its lock is held and it was not done. */
static void fire_locked(struct rn_ctx *c, int err, int cause, struct todo *todo)
{
    rn_lock_assert_held(&c->done.lock);
    c->done.cause = cause;
    rn__done_fire_locked(&c->done, err, &todo->wake);
}

/* What follows fire_locked, without locks but with a reference. */
static void settle(struct rn_ctx *c)
{
    if (c->timed)
        rn__timer_stop(&c->timer);
}

/* Goes one child on from n, of which the first line is here or on its way, and has the processor fetch what a cancel of
 * n and of the next needs: n's first waiter, with the beginning of the goroutine's record in which it mostly is, and the
 * next itself.  The parent is locked; the waiters are the child's, so that is a guess. */
static struct rn_node *fetch_ahead(struct rn_node *n)
{
    if (!n)
        return NULL;
    const char *w = rn_glance(&ctx_at(n)->done.waiters.first);
    if (w) {
        __builtin_prefetch(w, 1);
        __builtin_prefetch(w + sizeof(struct rn_waiter) - 1, 1);
        __builtin_prefetch(w - offsetof(struct rn_g, wait), 1);
    }
    __builtin_prefetch(n->next, 1);
    return n->next;
}

/* cur is done and locked.  Cancels its children, and takes out those that have nothing below them
 * and nothing to settle.  Returns the first that has, with a reference, and in *fresh whether
 * it is to be settled; NULL when no children are left. */
static struct rn_ctx *cancel_children_locked(struct rn_ctx *cur, struct todo *todo, bool *fresh)
{
    rn_lock_assert_held(&cur->done.lock);
    enum { AHEAD = 8 };
    int err = err_locked(cur);
    struct rn_node *ahead = cur->children.first;
    uint32_t far = 0;
    for (struct rn_node *n; (n = cur->children.first) != NULL;) {
        struct rn_ctx *c = ctx_at(n);
        ahead = fetch_ahead(ahead);
        if (far++ < AHEAD)
            ahead = fetch_ahead(ahead);
        rn__ctx_lock(c);
        if (c->kind == RN_CTX_AFTER) {
            unlink_locked(cur, c);
            rn_list_push(&todo->after, &c->sibling);
            rn__ctx_unlock(c);
            continue;
        }
        *fresh = !err_locked(c);
        if (*fresh)
            fire_locked(c, err, cur->done.cause, todo);
        if (!rn_list_empty(&c->children) || c->timed) {
            c->done.refs++;
            rn__ctx_unlock(c);
            return c;
        }
        unlink_locked(cur, c);
        rn__ctx_unlock(c);
    }
    return NULL;
}

/* Cancels everything below top, which is done and referenced by the caller.  Walks down to the first
 * that has children, and up again when it has none left; each one on the way has a reference of ours. */
static void cancel_below(struct rn_ctx *top, struct todo *todo)
{
    for (struct rn_ctx *cur = top;;) {
        bool fresh;
        rn__ctx_lock(cur);
        struct rn_ctx *down = cancel_children_locked(cur, todo, &fresh);
        rn__ctx_unlock(cur);
        if (down) {
            if (fresh)
                settle(down);
            cur = down;
            continue;
        }
        if (cur == top)
            return;
        struct rn_ctx *up = cur->parent;
        unlink_from_parent(cur);
        unref(cur);
        cur = up;
    }
}

/* The function of an AFTER, which is given back. */
static void run_after(void *slot)
{
    struct rn_ctx *c = slot;
    rn__race_acquire(rn__done_name(rn__done_handle(&c->done))); /* released in rn__ctx_after_func */
    /* relaxed: never change while referenced. */
    void (*f)(void *) = (void (*)(void *))rn_load_relaxed(&c->key);
    void *arg = (void *)rn_load_relaxed(&c->value);
    unref(c);
    f(arg);
}

static rn_time fire_after(struct rn_timer_entry *e, rn_time now, struct rn_ready_list *wake)
{
    return rn__spawn(run_after, rn_container(e, struct rn_ctx, timer), wake) ? now + RN_MILLISECOND : 0;
}

/* Without memory for a goroutine it is tried again every millisecond, rather than lost. */
static void start_after(struct rn_ctx *c)
{
    if (rn__spawn(run_after, c, NULL) == 0)
        return;
    c->timed = true;
    c->timer = (struct rn_timer_entry){.fire = fire_after};
    rn__timer_start(&c->timer, rn__now() + RN_MILLISECOND);
}

static void finish(struct todo *todo)
{
    if (todo->wake.n)
        rn__ready_all(&todo->wake);
    for (struct rn_node *n; (n = rn_list_pop(&todo->after)) != NULL;)
        start_after(ctx_at(n));
}

/* Cancels c and everything below it.  c is locked, is unlocked here, and the caller has a reference. */
static void cancel_unlock(struct rn_ctx *c, int err, int cause)
{
    struct todo todo = {0};
    bool fresh = !err_locked(c);
    if (fresh)
        fire_locked(c, err, cause, &todo);
    bool leaf = rn_list_empty(&c->children);
    rn__ctx_unlock(c);
    if (fresh)
        settle(c);
    if (!leaf)
        cancel_below(c, &todo);
    unlink_from_parent(c);
    finish(&todo);
}

void rn_ctx_cancel(rn_context *ctx)
{
    rn__point(RN_AT_CANCEL, ctx);
    struct rn_done *d = rn__done_never(ctx) ? NULL : rn__done_lock(ctx);
    if (!d)
        return;
    struct rn_ctx *c = rn__ctx_of(d);
    if (c->let_go)
        c->done.refs++;
    c->let_go = true;                /* the maker's reference is ours from here */
    rn__race_call_begin(RN_RACE_PC); /* where the goroutines that this starts are said to be started */
    cancel_unlock(c, RN_ECANCELED, RN_ECANCELED);
    rn__race_call_end();
    unref(c);
    rn__point(RN_AFTER_CANCEL, ctx);
}

void rn_ctx_cancel_cause(rn_context *ctx, int cause)
{
    rn__point(RN_AT_CANCEL, ctx);
    struct rn_done *d = rn__done_never(ctx) ? NULL : rn__done_lock(ctx);
    if (!d)
        return;
    d->refs++;
    rn__race_call_begin(RN_RACE_PC); /* as in rn_ctx_cancel */
    cancel_unlock(rn__ctx_of(d), RN_ECANCELED, cause ? cause : RN_ECANCELED);
    rn__race_call_end();
    unref(rn__ctx_of(d));
}

/* ---- deadlines ------------------------------------------------------------------------------------- */

/* Runs in a goroutine, or, without a run, in the thread that lets timers fire: the end, by its deadline, of a context that has
 * something below it. */
static void expire(void *ctx)
{
    struct rn_done *d = rn__done_lock(ctx);
    if (!d)
        return;
    struct rn_ctx *c = rn__ctx_of(d);
    c->done.refs++;
    rn__race_acquire(rn__done_name(ctx)); /* released in rn_ctx_with_deadline_cause */
    cancel_unlock(c, RN_ETIMEOUT, c->late_cause);
    unref(c);
}

/* A context with nothing below it ends here.  False: not so. */
static bool expire_leaf(struct rn_ctx *c, struct rn_ready_list *wake)
{
    struct todo todo = {.wake = *wake};
    struct rn_ctx *parent = c->parent;
    if (parent)
        rn__ctx_lock(parent);
    rn__ctx_lock(c);
    bool fresh = !err_locked(c), leaf = rn_list_empty(&c->children);
    if (fresh && leaf) {
        fire_locked(c, RN_ETIMEOUT, c->late_cause, &todo);
        if (parent)
            unlink_locked(parent, c);
    }
    rn__ctx_unlock(c);
    if (parent)
        rn__ctx_unlock(parent);
    *wake = todo.wake;
    return !fresh || leaf;
}

/* With the lock of the timers held.  c is alive: who frees it stops its timer before. */
static rn_time fire_deadline(struct rn_timer_entry *e, rn_time now, struct rn_ready_list *wake)
{
    struct rn_ctx *c = rn_container(e, struct rn_ctx, timer);
    if (expire_leaf(c, wake))
        return 0;
    rn_context *ctx = rn__done_handle(&c->done);
    int err = rn__spawn(expire, ctx, wake);
    if (err == RN_EAGAIN)
        rn__timer_alone(expire, ctx);
    return err ? now + RN_MILLISECOND : 0;
}

/* ---- making ---------------------------------------------------------------------------------------- */

static struct rn_ctx *ctx_new(enum rn_ctx_kind kind)
{
    struct rn_ctx *c = rn__ctx_of(rn__done_alloc());
    if (!c)
        rn_panic("context: out of memory");
    /* Pairs with the acquire fence in still: who reads a value from below also reads the generation
     * that was written before it, and knows that its handle is stale. */
    rn_fence_release();
    c->children = (struct rn_list){0};
    c->parent = NULL;
    rn_store_relaxed(&c->values, NULL);
    rn_store_relaxed(&c->when, INT64_MAX);
    rn_store_relaxed(&c->key, 0);
    rn_store_relaxed(&c->value, 0);
    c->kind = kind;
    c->linked = c->let_go = c->timed = false;
    c->late_cause = RN_ETIMEOUT;
    c->retained = 0;
    return c;
}

/* Makes p, which is locked, the parent of c, which nobody else knows yet. */
static void adopt_locked(struct rn_ctx *p, struct rn_ctx *c)
{
    rn_lock_assert_held(&p->done.lock);
    c->parent = p;
    p->done.refs++;
    /* relaxed: never change while referenced. */
    rn_store_relaxed(&c->values, rn_load_relaxed(&p->key) ? p : rn_load_relaxed(&p->values));
}

/* c, which nobody else knows yet, is done from the start. */
static void born_done(struct rn_ctx *c, int err, int cause)
{
    struct rn_ready_list nobody = {0};
    rn__ctx_lock(c);
    c->done.cause = cause;
    rn__done_fire_locked(&c->done, err, &nobody);
    rn__ctx_unlock(c);
}

/* From here on a cancel of p finds c. */
static void link_locked(struct rn_ctx *p, struct rn_ctx *c)
{
    rn_lock_assert_held(&p->done.lock);
    c->linked = true;
    rn_list_push(&p->children, &c->sibling);
}

/* Puts c below parent; `when` is its own deadline, the parent's counts when that is earlier.  c is
 * timed afterwards when it needs a timer.  Returns the error of a parent that is done; c is then, too. */
static int attach(struct rn_ctx *c, rn_context *parent, rn_time when)
{
    struct rn_done *d = rn__done_never(parent) ? NULL : rn__done_lock(parent);
    struct rn_ctx *p = rn__ctx_of(d);
    rn_time limit = p ? rn_load_relaxed(&p->when) : INT64_MAX; /* never changes while referenced */
    int err = p ? err_locked(p) : rn__done_never(parent) ? 0 : RN_ECANCELED;
    rn_store_relaxed(&c->when, when < limit ? when : limit);
    c->timed = !err && when < limit;
    if (c->timed)
        c->timer = (struct rn_timer_entry){.fire = fire_deadline, .kind = RN_TIMER_LIMIT};
    if (err)
        born_done(c, err, p ? p->done.cause : RN_ECANCELED);
    if (!p)
        return err;
    adopt_locked(p, c);
    if (!err)
        link_locked(p, c);
    rn__ctx_unlock(p);
    return err;
}

/* later: `when` is known not to have come. */
static void arm(struct rn_ctx *c, rn_time when, bool later)
{
    if (!later && when <= rn__now()) {
        rn__ctx_lock(c);
        cancel_unlock(c, RN_ETIMEOUT, c->late_cause);
        return;
    }
    rn__timer_start(&c->timer, when);
    if (!c->parent)
        return;
    /* A cancel of the parent meanwhile may have stopped the timer before it was started. */
    rn__ctx_lock(c);
    int err = err_locked(c);
    rn__ctx_unlock(c);
    if (err)
        rn__timer_stop(&c->timer);
}

rn_context *rn_ctx_background(void)
{
    return (rn_context *)(uintptr_t)1;
}

rn_context *rn_ctx_with_cancel(rn_context *parent)
{
    struct rn_ctx *c = ctx_new(RN_CTX_PLAIN);
    attach(c, parent, INT64_MAX);
    return rn__done_handle(&c->done);
}

static rn_context *with_deadline(rn_context *parent, rn_time when, bool later, int cause)
{
    struct rn_ctx *c = ctx_new(RN_CTX_PLAIN);
    c->late_cause = cause ? cause : RN_ETIMEOUT;
    attach(c, parent, when);
    rn__race_release(rn__done_name(rn__done_handle(&c->done)));
    if (c->timed)
        arm(c, when, later);
    return rn__done_handle(&c->done);
}

rn_context *rn_ctx_with_deadline_cause(rn_context *parent, rn_time when, int cause)
{
    return with_deadline(parent, when, false, cause);
}

rn_context *rn_ctx_with_deadline(rn_context *parent, rn_time when)
{
    return with_deadline(parent, when, false, RN_ETIMEOUT);
}

rn_context *(rn_ctx_with_timeout_cause)(rn_context *parent, rn_duration d, int cause)
{
    if (d > 0)
        return with_deadline(parent, rn__deadline(d), true, cause);
    return with_deadline(parent, rn__now() + d, false, cause); /* a deadline may lie a little ahead: not over at once */
}

rn_context *(rn_ctx_with_timeout)(rn_context *parent, rn_duration d)
{
    return (rn_ctx_with_timeout_cause)(parent, d, RN_ETIMEOUT);
}

rn_context *rn_ctx_with_value(rn_context *parent, const void *key, void *value)
{
    if (!key)
        rn_panic("nil key");
    struct rn_ctx *c = ctx_new(RN_CTX_PLAIN);
    /* relaxed: published by whatever hands the handle on. */
    rn_store_relaxed(&c->key, (uintptr_t)key);
    rn_store_relaxed(&c->value, (uintptr_t)value);
    attach(c, parent, INT64_MAX);
    return rn__done_handle(&c->done);
}

rn_context *rn_ctx_without_cancel(rn_context *parent)
{
    struct rn_ctx *c = ctx_new(RN_CTX_PLAIN);
    struct rn_done *d = rn__done_never(parent) ? NULL : rn__done_lock(parent);
    if (d) {
        adopt_locked(rn__ctx_of(d), c);
        rn__ctx_unlock(rn__ctx_of(d));
    }
    return rn__done_handle(&c->done);
}

rn_context *rn_ctx_retain(rn_context *ctx)
{
    struct rn_done *d = rn__done_never(ctx) ? NULL : rn__done_lock(ctx);
    if (d) {
        d->refs++;
        rn__ctx_of(d)->retained++;
        rn__ctx_unlock(rn__ctx_of(d));
    }
    return ctx;
}

void rn_ctx_release(rn_context *ctx)
{
    struct rn_done *d = rn__done_never(ctx) ? NULL : rn__done_lock(ctx);
    if (!d)
        return;
    struct rn_ctx *c = rn__ctx_of(d);
    if (c->retained == 0) {
        rn__ctx_unlock(c);
        rn_panic("ctx_release without ctx_retain");
    }
    c->retained--;
    unref_unlock(c);
}

/* ---- after_func ------------------------------------------------------------------------------------- */

/* The handle of one that needs no slot, for it has been started.  (One of the background has a slot: stop says only
 * once that it was in time.) */
static char has_run;

rn_ctx_after *rn__ctx_after_func(rn_context *ctx, void (*f)(void *), void *arg)
{
    if (!f)
        rn_fatal("go of nil func value");
    struct rn_ctx *c = ctx_new(RN_CTX_AFTER);
    /* relaxed: published by the lock of the parent. */
    rn_store_relaxed(&c->key, (uintptr_t)f);
    rn_store_relaxed(&c->value, (uintptr_t)arg);
    rn_ctx_after *handle = (rn_ctx_after *)(void *)rn__done_handle(&c->done);
    rn__race_release(rn__done_name((rn_context *)(void *)handle));
    if (attach(c, ctx, INT64_MAX) == 0)
        return handle;
    unref(c);
    rn__race_call_begin(RN_RACE_PC);
    int err = rn__spawn(f, arg, NULL);
    rn__race_call_end();
    if (err == RN_EAGAIN) /* no run is under way: in the next one */
        rn__after_func(NULL, 0, f, arg);
    else if (err)
        rn_panic("context: out of memory");
    return (rn_ctx_after *)(void *)&has_run;
}

bool rn_ctx_after_stop(rn_ctx_after *a)
{
    rn__point(RN_AT_CONTEXT, a);
    void *handle = a;
    if (!a || handle == &has_run)
        return false;
    struct rn_done *d = rn__done_lock(handle);
    if (!d)
        return false;
    struct rn_ctx *c = rn__ctx_of(d), *parent = c->parent;
    if (!parent) { /* the background */
        unref_unlock(c);
        return true;
    }
    c->done.refs++;
    rn__ctx_unlock(c);
    rn__ctx_lock(parent);
    bool stopped = c->linked;
    unlink_locked(parent, c);
    rn__ctx_unlock(parent);
    if (stopped)
        unref(c);
    unref(c);
    return stopped;
}
