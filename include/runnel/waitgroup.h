/* runnel/waitgroup.h: waits until a number of goroutines have ended.
 *
 *     rn_waitgroup wg = RN_WAITGROUP_INIT;         // or all-zero
 *     for (int i = 0; i < 10; i++)
 *         wg_go(&wg, work, i);                     // adds one, and is done when work returns
 *     wg_wait(&wg);
 *
 * or by hand: wg_add(&wg, 1) before `go`, and wg_done(&wg) in the goroutine.  Any number may wait.
 * Once the counter has come to zero and the waits have returned the waitgroup may be used again.
 *
 * From goroutines and plain threads; not from signal handlers.
 * Happens before: a wg_done before the return of a wg_wait that it lets go.  (Go, sync.WaitGroup.)
 */
#ifndef RUNNEL_WAITGROUP_H
#define RUNNEL_WAITGROUP_H

#include <runnel/go.h>
#include <runnel/sync_type.h>

typedef struct rn_waitgroup {
    rn_atomic(uint64_t) rn_state;
    struct rn_waitq rn_queue;
} rn_waitgroup;

#define RN_WAITGROUP_INIT \
    {                     \
        0, RN_WAITQ_INIT  \
    }

RN_EXTERN_C_BEGIN

/* Adds n, which may be negative, to the counter.  At zero, all who wait go on.  Panics with "sync:
 * negative WaitGroup counter" when it falls below, and with "sync: WaitGroup misuse: Add called
 * concurrently with Wait" when it rises from zero while the waiters of the last round have not all
 * been let go: a wg_add that starts a round must happen before the wg_wait. */
RN_PUBLIC void rn_wg_add(rn_waitgroup *wg, int n);
/* wg_add(wg, -1). */
RN_PUBLIC void rn_wg_done(rn_waitgroup *wg);
/* Waits until the counter is zero.  Panics with "sync: WaitGroup is reused before previous Wait has
 * returned" when a new round has begun by the time this goroutine runs again, and with the words of
 * wg_add when the counter has fallen below zero by then. */
RN_PUBLIC void rn_wg_wait(rn_waitgroup *wg);
/* As wg_wait, but gives up when ctx is done: 0, or RN_ECANCELED or RN_ETIMEOUT. */
RN_PUBLIC RN_MUST_USE int rn_wg_wait_ctx(rn_context *ctx, rn_waitgroup *wg);
/* Says that nobody uses wg any more; see rn_mutex_destroy.  Here: a counter of zero, no waiters. */
RN_PUBLIC void rn_wg_destroy(rn_waitgroup *wg);

RN_PUBLIC bool rn__wg_ended(void *wg, enum rn_ended how, intptr_t result, struct rn_panic *panic);
RN_PUBLIC void rn__wg_go_failed(rn_waitgroup *wg, int err);

#ifndef __cplusplus
/* wg_go(&wg, f, args…): wg_add(&wg, 1), then `go(f, args…)`; done when f returns or leaves by
 * rn_exit_goroutine.  When f panics the program dies of it: the waiters are not let go first.
 * Panics as `go` when memory runs out; then nothing was added. */
#define rn_wg_go(...) RN__WG_GO(__VA_ARGS__)
#define RN__WG_GO(wg, f, ...)                                                                                      \
    __extension__({                                                                                                \
        rn_waitgroup *rn_wg_ = (wg);                                                                               \
        struct rn_go_call rn_call_ = {.entry = (void *)(f), .ended = rn__wg_ended, .owner = rn_wg_, .try_ = true}; \
        rn_wg_add(rn_wg_, 1);                                                                                      \
        (void)rn__go_with_chain(&rn_call_, 1, f, ##__VA_ARGS__);                                                   \
        if (__builtin_expect(rn_call_.err != 0, 0))                                                                \
            rn__wg_go_failed(rn_wg_, rn_call_.err);                                                                \
    })
#endif

RN_EXTERN_C_END

#ifndef RN_NO_SHORT_NAMES
#define wg_add rn_wg_add
#define wg_done rn_wg_done
#define wg_wait rn_wg_wait
#define wg_wait_ctx rn_wg_wait_ctx
#define wg_destroy rn_wg_destroy
#ifndef __cplusplus
#define wg_go(...) rn_wg_go(__VA_ARGS__)
#endif
#endif

#endif
