/* runnel/context.h: cancellation, deadlines and values that travel with a task.
 *
 *     rn_context *ctx = ctx_with_timeout(ctx_background(), 2 * RN_SECOND);
 *     defer(ctx_cancel, ctx);                          // whoever makes a context ends it
 *     go(worker, ctx);
 *
 *     switch (chan_select(on_recv(jobs, &job), on_done(ctx))) {
 *     case 1: return ctx_err(ctx);                     // RN_ECANCELED or RN_ETIMEOUT
 *
 * Contexts form a tree.  When one is done, by ctx_cancel or its deadline, so is everything below it
 * and nothing above it.
 *
 * Ownership.  Every ctx_with_… makes a context, and its maker ends it by ctx_cancel: that cancels it
 * and everything below it, and lets go of it.  Nothing else need be freed, and ending a context twice
 * is harmless.  A rn_context * is a handle: one that is used after its context is gone is never an
 * error, it reads as canceled.  So workers may go on looking at a context whose maker has returned:
 * ctx_err is RN_ECANCELED, on_done is ready, ctx_value is NULL.  Who needs more (the values, the
 * cause, or that it was the deadline) after its maker let go of it calls ctx_retain before, and
 * ctx_release when finished.  A context stays in memory while a context below it does.
 *
 * NULL stands for the background everywhere.  All of these may be called from goroutines and plain
 * threads, by many at once; not from signal handlers.
 *
 * Happens before: whatever happened before the cancel happens before a ctx_err that is not 0, and
 * before whatever on_done or a wait with the context lets go on.  (Go's package context.)
 */
#ifndef RUNNEL_CONTEXT_H
#define RUNNEL_CONTEXT_H

#include <runnel/base.h>
#include <runnel/chan.h>
#include <runnel/context_type.h>
#include <runnel/go.h>

RN_EXTERN_C_BEGIN

/* The root of all contexts: never done, no deadline, no values.  Need not be ended. */
RN_PUBLIC rn_context *rn_ctx_background(void);

/* A context below parent that ctx_cancel ends.  When parent is done already, so is the new one.
 * These and the following panic ("context: out of memory") when there is no memory. */
RN_PUBLIC rn_context *rn_ctx_with_cancel(rn_context *parent) RN_MUST_USE;
/* The same: every context takes a cause (Go keeps them apart). */
#define rn_ctx_with_cancel_cause(parent) rn_ctx_with_cancel(parent)

/* A context that is done at the moment `when` at the latest, with RN_ETIMEOUT.  When parent has an
 * earlier deadline, that one counts. */
RN_PUBLIC rn_context *rn_ctx_with_deadline(rn_context *parent, rn_time when) RN_MUST_USE;
/* The same, d from now; d <= 0: at once. */
RN_PUBLIC rn_context *rn_ctx_with_timeout(rn_context *parent, rn_duration d) RN_MUST_USE;
#define rn_ctx_with_timeout(parent, d) rn_ctx_with_timeout((parent), RN__DURATION(d))
/* The same; ctx_cause is `cause` when the deadline has passed.  ctx_err stays RN_ETIMEOUT. */
RN_PUBLIC rn_context *rn_ctx_with_deadline_cause(rn_context *parent, rn_time when, int cause) RN_MUST_USE;
RN_PUBLIC rn_context *rn_ctx_with_timeout_cause(rn_context *parent, rn_duration d, int cause) RN_MUST_USE;
#define rn_ctx_with_timeout_cause(parent, d, cause) rn_ctx_with_timeout_cause((parent), RN__DURATION(d), (cause))

/* A context in which ctx_value(ctx, key) is value.  A key is an address that nobody else uses as
 * one: `static const char user_key;` … ctx_with_value(ctx, &user_key, user).  The value stays the
 * caller's, and must live as long as somebody may ask for it.  key == NULL panics. */
RN_PUBLIC rn_context *rn_ctx_with_value(rn_context *parent, const void *key, void *value) RN_MUST_USE;

/* A context with parent's values, but neither its deadline nor its end: for what must be finished
 * although the request is over. */
RN_PUBLIC rn_context *rn_ctx_without_cancel(rn_context *parent) RN_MUST_USE;

/* Ends ctx: cancels it and everything below it (RN_ECANCELED, where not done yet) before it
 * returns, and releases it.  It stays in memory only as long as ctx_retain or a
 * context below keeps it.  A second call, or one for the background, does nothing.  Does not block. */
RN_PUBLIC void rn_ctx_cancel(rn_context *ctx);
/* Cancels ctx and everything below it for a reason, and does not release it: the maker still calls
 * ctx_cancel, and until then ctx_cause(ctx) tells the reason.  cause 0 means RN_ECANCELED.  The first
 * cause stays.  Does not block. */
RN_PUBLIC void rn_ctx_cancel_cause(rn_context *ctx, int cause);

/* Keeps ctx readable after its maker has ended it, until ctx_release has been called as often.  Returns ctx.  A
 * context that is gone already stays gone. */
RN_PUBLIC rn_context *rn_ctx_retain(rn_context *ctx);
RN_PUBLIC void rn_ctx_release(rn_context *ctx);

/* 0 while ctx is not done; then RN_ECANCELED, or RN_ETIMEOUT when it was a deadline.  One load.  (While no run is under way deadlines
 * pass only when some thread waits in the library: a plain thread that does nothing but ask sees none then.) */
RN_PUBLIC int rn_ctx_err(const rn_context *ctx);
/* Why: what ctx_cancel_cause gave first, to ctx or to one above it; else as ctx_err. */
RN_PUBLIC int rn_ctx_cause(const rn_context *ctx);
/* Whether ctx has a deadline, and when (its own or one above; `when` may be NULL). */
RN_PUBLIC bool rn_ctx_deadline(const rn_context *ctx, rn_time *when);
/* The value for key in ctx or the nearest above it; NULL when there is none. */
RN_PUBLIC void *rn_ctx_value(const rn_context *ctx, const void *key);

/* Waits until ctx is done; returns ctx_err.  For ever with the background. */
RN_PUBLIC int rn_ctx_wait(const rn_context *ctx);
/* Sleeps for d, or until ctx is done: 0, or ctx_err.  Never early with 0.  d <= 0 looks and returns. */
RN_PUBLIC int rn_sleep_ctx(const rn_context *ctx, rn_duration d);
#define rn_sleep_ctx(ctx, d) rn_sleep_ctx((ctx), RN__DURATION(d))

/* A channel that is closed when ctx is done; NULL for the background.  It is ctx itself, seen as a channel:
 * nothing to be closed or freed (both panic), the same at every call, and good for ever: when ctx is gone it
 * is closed.  In a select on_done costs less. */
RN_PUBLIC void *rn__ctx_done(rn_context *ctx);
#define rn_ctx_done(ctx) ((rn_chan_recv_only(rn_unit))rn__ctx_done(ctx))

/* ctx_after_func(ctx, f, arg): when ctx is done, f(arg) runs in its own goroutine; at once when it is
 * done already.  arg is a pointer or an integer.  Needs no release, and ctx_after_stop only to take
 * it back. */
typedef struct rn_ctx_after rn_ctx_after;
#define rn_ctx_after_func(ctx, f, a) \
    (RN__DEFER_CHECK(f, a), rn__ctx_after_func((ctx), (void (*)(void *))(void (*)(void))(f), (void *)(uintptr_t)(a)))
RN_PUBLIC rn_ctx_after *rn__ctx_after_func(rn_context *ctx, void (*f)(void *), void *arg);
/* True when this call is why f will not run; false when f was started or it was stopped before.
 * Does not wait for f. */
RN_PUBLIC bool rn_ctx_after_stop(rn_ctx_after *a);

/* How many contexts exist now, those of ctx_after_func included: for leak checks.  One whose deadline has just passed
 * may count for a moment after its ctx_cancel. */
RN_PUBLIC size_t rn_num_contexts(void);

RN_EXTERN_C_END

#ifndef RN_NO_SHORT_NAMES
#define ctx_background() rn_ctx_background()
#define ctx_with_cancel(parent) rn_ctx_with_cancel(parent)
#define ctx_with_cancel_cause(parent) rn_ctx_with_cancel(parent)
#define ctx_with_deadline(parent, when) rn_ctx_with_deadline(parent, when)
#define ctx_with_timeout(parent, d) rn_ctx_with_timeout(parent, d)
#define ctx_with_deadline_cause(parent, when, cause) rn_ctx_with_deadline_cause(parent, when, cause)
#define ctx_with_timeout_cause(parent, d, cause) rn_ctx_with_timeout_cause(parent, d, cause)
#define ctx_with_value(...) rn_ctx_with_value(__VA_ARGS__) /* value may be a compound literal */
#define ctx_without_cancel(parent) rn_ctx_without_cancel(parent)
#define ctx_cancel rn_ctx_cancel
#define ctx_cancel_cause(ctx, cause) rn_ctx_cancel_cause(ctx, cause)
#define ctx_retain(ctx) rn_ctx_retain(ctx)
#define ctx_release rn_ctx_release
#define ctx_err(ctx) rn_ctx_err(ctx)
#define ctx_cause(ctx) rn_ctx_cause(ctx)
#define ctx_deadline(ctx, when) rn_ctx_deadline(ctx, when)
#define ctx_value(ctx, key) rn_ctx_value(ctx, key)
#define ctx_wait rn_ctx_wait
#define ctx_done(ctx) rn_ctx_done(ctx)
#define ctx_after_func(ctx, f, arg) rn_ctx_after_func(ctx, f, arg)
#define ctx_after_stop rn_ctx_after_stop
#endif

#endif
