/* runnel/scope.h: structured concurrency: goroutines that can't outlive the block that started them.
 *
 *     rn_scope s;
 *     scope_begin(&s, ctx);
 *     scope_limit(&s, 8);                                        // at most 8 at a time
 *     for (int i = 0; i < n; i++)
 *         scope_go(&s, checksum, scope_context(&s), path[i], &sum[i]);
 *     int err = scope_end(&s);                                   // joins; 0 or the first error
 *
 * scope_begin is a declaration: it stands in a block, and that block can't be left before every
 * goroutine of the scope has ended.  By scope_end they are waited for; when the block is left without
 * it, by return, break, goto, a panic or rn_exit_goroutine, they are canceled and then waited for.
 * (Not by longjmp.)  So they may use variables that were declared before scope_begin.
 *
 * A goroutine of a scope runs a function that returns int, 0 or an error, or void.  When one fails or
 * panics, the scope's context is canceled, so that those who look at it end soon; see rn_scope_policy
 * for other ways.  A panic surfaces in scope_end as a panic of the caller, with the text and the
 * value of the first goroutine that panicked; the report shows where that was, too.
 *
 * Scopes nest: one begun with the context of another is canceled with it.
 *
 * scope_begin, scope_limit and scope_end are for one goroutine (or plain thread); scope_go and
 * scope_cancel also for goroutines of the scope, as long as they run.
 *
 * Happens before: scope_go before the start of its function; the end of each before scope_end returns.
 */
#ifndef RUNNEL_SCOPE_H
#define RUNNEL_SCOPE_H

#include <runnel/base.h>
#include <runnel/context.h>
#include <runnel/go.h>

RN_EXTERN_C_BEGIN

enum rn_scope_policy {
    /* The first error cancels the rest and is the scope's. */
    RN_SCOPE_ALL,
    /* The first success cancels the rest, and the scope's error is 0; when all fail, the first error. */
    RN_SCOPE_ANY,
    /* Errors cancel nobody; scope_errors has them all, the first is the scope's.  A panic cancels. */
    RN_SCOPE_COLLECT,
    /* As COLLECT, and a panic cancels nobody either: it counts as the error RN_EPANIC.  For servers, together
     * with scope_supervise. */
    RN_SCOPE_SUPERVISE,
};

/* The caller's memory; opaque.  Its size is checked in src/scope/scope.c. */
typedef struct rn_scope {
    uint64_t rn_private[20];
} rn_scope;

/* Begins a scope below ctx (NULL: the background).  Panics when there is no memory. */
#define rn_scope_begin(s, ctx) rn_scope_begin_with(s, ctx, RN_SCOPE_ALL)
#define rn_scope_begin_with(s, ctx, policy) rn_defer(rn__scope_leave, rn__scope_begin((s), (ctx), (policy)))
RN_PUBLIC rn_scope *rn__scope_begin(rn_scope *s, rn_context *ctx, enum rn_scope_policy policy);
RN_PUBLIC void rn__scope_leave(rn_scope *s);

/* The scope's context: done when the scope is canceled or ended.  The scope's own; not to be ended. */
RN_PUBLIC rn_context *rn_scope_context(rn_scope *s);

/* At most n goroutines of the scope run at a time: scope_go waits for one to end.  n <= 0: no limit,
 * as at first (not so rn_group_limit, where 0 admits none). */
RN_PUBLIC void rn_scope_limit(rn_scope *s, long n);

#ifndef __cplusplus
/* scope_go(&s, f, args…): starts f(args…) in the scope, as go does; f returns int or void.  Waits first
 * while the scope is at its limit; the arguments are evaluated after that.  Where there is no memory
 * for a goroutine, that counts as one that failed with RN_ENOMEM.  A canceled scope still
 * starts it: f sees that its context is done.  Panics when the scope has ended, and, as go, without a run. */
#define rn_scope_go(...) ((void)RN__SCOPE_GO(true, __VA_ARGS__))
/* The same, but never waits: RN_EAGAIN when the scope is at its limit (the arguments are not evaluated
 * then), else 0. */
#define rn_scope_try_go(...) RN__SCOPE_GO(false, __VA_ARGS__)
#define RN__SCOPE_GO(wait, s, f, ...)                                                                \
    __extension__({                                                                                  \
        typedef __typeof__((f)(__VA_ARGS__)) rn_sresult_;                                            \
        RN_STATIC_ASSERT(__builtin_types_compatible_p(rn_sresult_, int) || RN__IS_VOID(rn_sresult_), \
                         "scope_go: the function must return int (0 or an error) or void");          \
        struct rn_go_call rn_scall_ = rn__scope_call((s), RN__IS_VOID(rn_sresult_), (wait));         \
        if (!rn_scall_.err) {                                                                        \
            rn_scall_.entry = (void *)(f);                                                           \
            (void)rn__go_with_chain(&rn_scall_, 1, f, ##__VA_ARGS__);                                \
            if (rn_scall_.err)                                                                       \
                rn__scope_not_started(&rn_scall_);                                                   \
        }                                                                                            \
        rn_scall_.err;                                                                               \
    })
#endif
RN_PUBLIC struct rn_go_call rn__scope_call(rn_scope *s, bool is_void, bool wait);
RN_PUBLIC void rn__scope_not_started(struct rn_go_call *call); /* clears err */

/* How often scope_supervise restarts a function. */
struct rn_restart {
    int most;              /* at most so many times within `within`; then it gives up.  < 0: without end */
    rn_duration within;    /* 0: the whole time */
    rn_duration wait;      /* before the first new start; twice that before the next, and so on … */
    rn_duration wait_most; /* … up to this; it starts over after `within` without a failure */
};
/* 5 times within 10 s, waiting 10 ms to 1 s. */
RN_PUBLIC extern const struct rn_restart rn_restart_default;

/* scope_supervise(&s, how, f, arg): runs f(arg) in the scope and starts it again when it fails or panics, as `how` says
 * (NULL: rn_restart_default; copied; a compound literal stands in parentheses).  When it has given up, that is a
 * goroutine that failed with the last error (RN_EPANIC for a panic).  Ends when f returns 0 (or, if void, returns), or
 * fails when the scope is canceled.  Takes one place of the limit.  arg is a pointer or an integer. */
#ifndef __cplusplus
#define rn_scope_supervise(s, how, f, arg)                                                                   \
    (RN__DEFER_CHECK(f, arg), rn__scope_supervise((s), (how), (void (*)(void))(f), (void *)(uintptr_t)(arg), \
                                                  RN__IS_VOID(__typeof__((f)(arg)))))
#endif
RN_PUBLIC void rn__scope_supervise(rn_scope *s, const struct rn_restart *how, void (*f)(void), void *arg, bool is_void);

/* Cancels the scope's context: its goroutines are asked to end.  Does not wait. */
RN_PUBLIC void rn_scope_cancel(rn_scope *s);

/* Waits until every goroutine of the scope has ended, and ends its context.  Returns 0 or the error
 * that the policy says; panics when one of them panicked.  Again: the same error at once.  Can't be canceled,
 * but canceling a context above ends the scope's, for those who look at it. */
RN_PUBLIC int rn_scope_end(rn_scope *s);

/* Stores up to n of the errors so far, in the order in which they came, and returns how many there are.  All policies
 * keep them; those for which there was no memory are only counted.  Until the block of scope_begin is left. */
RN_PUBLIC size_t rn_scope_errors(rn_scope *s, int *errors, size_t n);

RN_EXTERN_C_END

#ifndef RN_NO_SHORT_NAMES
#define scope_begin(s, ctx) rn_scope_begin(s, ctx)
#define scope_begin_with(s, ctx, policy) rn_scope_begin_with(s, ctx, policy)
#define scope_context(s) rn_scope_context(s)
#define scope_limit(s, n) rn_scope_limit(s, n)
#define scope_go(...) rn_scope_go(__VA_ARGS__)
#define scope_try_go(...) rn_scope_try_go(__VA_ARGS__)
#define scope_supervise(s, how, f, arg) rn_scope_supervise(s, how, f, arg)
#define scope_cancel rn_scope_cancel
#define scope_end(s) rn_scope_end(s)
#define scope_errors(s, errors, n) rn_scope_errors(s, errors, n)
#endif

#endif
