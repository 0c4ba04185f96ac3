/* runnel/group.h: goroutines that work on parts of one task, of which the first error counts.
 *
 *     static int fetch(const char *url, struct page *out);      // 0, or a negative error
 *
 *     rn_group g = RN_GROUP_INIT;                 // or all-zero
 *     group_limit(&g, 8);                         // at most 8 at a time
 *     for (int i = 0; i < n; i++)
 *         group_go(&g, fetch, urls[i], &pages[i]);
 *     int err = group_wait(&g);                   // all have ended; the first error, or 0
 *
 * An error does not stop the others, but group_with_context gives them a context that it cancels.
 * runnel/scope.h has the same as a scope that cannot be left early.  A group is for one task: its error stays.
 *
 * From goroutines and plain threads; not from signal handlers.
 * Happens before: the end of each goroutine before group_wait returns.  (golang.org/x/sync/errgroup.)
 */
#ifndef RUNNEL_GROUP_H
#define RUNNEL_GROUP_H

#include <runnel/waitgroup.h>

typedef struct rn_group {
    rn_waitgroup rn_all;
    struct rn_waitq rn_slots; /* who waits for a free slot; guards the rest */
    int64_t rn_limit;         /* the limit + 1; 0: none */
    int64_t rn_active;
    int rn_err;         /* the first error */
    uint32_t rn_begun;  /* how many have had a slot */
    rn_context *rn_ctx; /* rn_group_with_context's */
    void (*rn_cancel)(rn_context *ctx, int err, bool end);
} rn_group;

#ifdef __cplusplus
#define RN_GROUP_INIT \
    {                 \
    }
#else
#define RN_GROUP_INIT \
    {                 \
        .rn_limit = 0 \
    }
#endif

RN_EXTERN_C_BEGIN

/* At most n goroutines of g run at a time from now on; n < 0: as many as there are, as at first.  0: none, as in Go: group_go
 * waits for ever, and group_try_go returns false (not so rn_scope_limit, where 0 is no limit).  Panics while goroutines of g
 * run. */
RN_PUBLIC void rn_group_limit(rn_group *g, int n);
/* Gives g a context below parent, which the first error cancels (with that error as its cause), and
 * otherwise the return of group_wait, which ends it: it is not for the caller to end.  Before the
 * first group_go. */
RN_PUBLIC RN_MUST_USE rn_context *rn_group_with_context(rn_group *g, rn_context *parent);
/* Waits for all goroutines of g; returns the first error, or 0. */
RN_PUBLIC int rn_group_wait(rn_group *g);
/* The same, but gives up when ctx is done: RN_ECANCELED or RN_ETIMEOUT; the goroutines go on. */
RN_PUBLIC RN_MUST_USE int rn_group_wait_ctx(rn_context *ctx, rn_group *g);

/* Takes a slot (waiting for one if `wait`); false when there is none.  For the macros. */
RN_PUBLIC bool rn__group_enter(rn_group *g, bool wait);
RN_PUBLIC bool rn__group_ended(void *g, enum rn_ended how, intptr_t result, struct rn_panic *panic);
RN_PUBLIC void rn__group_go_failed(rn_group *g, int err);

#ifndef __cplusplus
/* group_go(&g, f, args…): waits for a free slot, then `go(f, args…)`.  f returns int: 0, or an error.
 * rn_exit_goroutine in it counts as 0; a panic ends the program. */
#define rn_group_go(...) RN__GROUP_GO(__VA_ARGS__)
#define RN__GROUP_GO(g, f, ...)                       \
    __extension__({                                   \
        rn_group *rn_group_ = (g);                    \
        rn__group_enter(rn_group_, true);             \
        rn__group_start(rn_group_, f, ##__VA_ARGS__); \
    })
/* The same if a slot is free now; returns whether it was.  Arguments are evaluated only then. */
#define rn_group_try_go(...) RN__GROUP_TRY_GO(__VA_ARGS__)
#define RN__GROUP_TRY_GO(g, f, ...)                           \
    __extension__({                                           \
        rn_group *rn_group_ = (g);                            \
        bool rn_entered_ = rn__group_enter(rn_group_, false); \
        if (rn_entered_)                                      \
            rn__group_start(rn_group_, f, ##__VA_ARGS__);     \
        rn_entered_;                                          \
    })
#define rn__group_start(g, f, ...)                                                                                 \
    __extension__({                                                                                                \
        RN_STATIC_ASSERT(__builtin_types_compatible_p(__typeof__((f)(__VA_ARGS__)), int),                          \
                         "group_go: the function must return int: 0, or an error");                                \
        struct rn_go_call rn_call_ = {.entry = (void *)(f), .ended = rn__group_ended, .owner = (g), .try_ = true}; \
        (void)rn__go_with_chain(&rn_call_, 1, f, ##__VA_ARGS__);                                                   \
        if (__builtin_expect(rn_call_.err != 0, 0))                                                                \
            rn__group_go_failed((g), rn_call_.err);                                                                \
    })
#endif

RN_EXTERN_C_END

#ifndef RN_NO_SHORT_NAMES
#define group_limit rn_group_limit
#define group_with_context rn_group_with_context
#define group_wait rn_group_wait
#define group_wait_ctx rn_group_wait_ctx
#ifndef __cplusplus
#define group_go(...) rn_group_go(__VA_ARGS__)
#define group_try_go(...) rn_group_try_go(__VA_ARGS__)
#endif
#endif

#endif
