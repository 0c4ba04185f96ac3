/* Waitgroup: a counter, and a bit that says whether somebody waits.
 *
 *     bits 32-63  the counter, signed
 *     bit  0      WAITED: whoever brings the counter to zero must look at the queue
 *
 *     transition                     by whom                       where
 *     counter += n                   add                           no lock; its last access unless it
 *                                                                  brings it to zero with WAITED set
 *     WAITED added, counter > 0      who is about to queue         queue's lock
 *     0|WAITED -> 0                  who brought it to zero        queue's lock, with the queue emptied
 *     WAITED dropped, counter > 0    the last waiter, whose        queue's lock
 *                                    context is done
 *
 * A waiter sets WAITED and joins the queue under one hold of the queue's lock, by a swap that fails
 * when the counter has become zero; so whoever makes it zero either comes first, or sees WAITED and
 * then, under the lock, the waiter.
 *
 * The memory may be freed once all waits have returned: a wait returns only when it has seen 0 without
 * WAITED (then the adder has made its last access), or when it was woken, which the adder does after
 * its last access.  A waiter whose context is done takes WAITED along when it was the only one, and when
 * the counter is zero already it waits for the adder that is on its way to the queue.
 *
 * From Go's sync/waitgroup.go, for the rules of misuse and their words; Go counts waiters in the word.
 */
#include <runnel/waitgroup.h>

#include "base/race.h"
#include "chan/wait.h"
#include "sync/waitq.h"

static const uint64_t WAITED = 1;

static int32_t count_of(uint64_t state)
{
    return (int32_t)(uint32_t)(state >> 32);
}

/* What add and wait touch for the race detector.  Nobody else does.  An add from zero that nothing orders with a wait
 * is misuse, whichever of the two came first this time: the add reads, and each wait marks what it reads.  (Go sees
 * it only if the wait has to wait.) */
static inline void *race_word(rn_waitgroup *wg)
{
    return (char *)&wg->rn_state + 4;
}

/* The counter has come to zero and somebody may wait. */
static void let_go(rn_waitgroup *wg)
{
    struct rn_ready_list wake = {0};
    rn__waitq_lock(&wg->rn_queue);
    /* release: pairs with the acquire of a wait that comes now and sees 0.  (Who is in the queue gets what the adder
     * acquired through ready.)  Nobody else changes the word while it is 0|WAITED: waiters come and leave under the
     * lock, and leave this one alone; an add panics. */
    rn_store_release(&wg->rn_state, 0);
    rn__waitq_pop_all(&wg->rn_queue, &wake);
    rn__waitq_unlock(&wg->rn_queue);
    if (wake.n)
        rn__ready_all(&wake);
}

static inline void add(rn_waitgroup *wg, int n, void *pc)
{
    rn__point(n < 0 ? RN_AT_WG_DONE : RN_AT_WG_ADD, wg);
    rn__waitq_check(&wg->rn_queue, "waitgroup");
    rn__race_touch(wg);
    if (n < 0)
        rn__race_release(RN_RACE_NAME(wg, 0));
    /* acq_rel: release pairs with the acquire in wait; acquire pairs with the release of the others who
     * counted down, so that a waiter woken by this one comes after all. */
    uint64_t before = rn_add_acq_rel(&wg->rn_state, (uint64_t)(int64_t)n << 32);
    int32_t count = count_of(before + ((uint64_t)(int64_t)n << 32));
    if (n > 0 && count == n)
        rn__race_read(race_word(wg), 1, pc);
    if (__builtin_expect(count < 0, 0))
        rn_panic("sync: negative WaitGroup counter");
    if (__builtin_expect(!(before & WAITED), 1)) {
        rn__point(RN_AFTER_DONE, wg);
        return;
    }
    if (n > 0 && count == n)
        rn_panic("sync: WaitGroup misuse: Add called concurrently with Wait");
    if (count == 0)
        let_go(wg);
    rn__point(RN_AFTER_DONE, wg);
}

void rn_wg_add(rn_waitgroup *wg, int n)
{
    add(wg, n, RN_RACE_PC);
}

void rn_wg_done(rn_waitgroup *wg)
{
    add(wg, -1, RN_RACE_PC);
}

/* True: all is done.  False: w is queued. */
static bool join(rn_waitgroup *wg, struct rn_waiter *w)
{
    bool done = false;
    rn__waitq_lock(&wg->rn_queue);
    /* acquire: pairs with the release in add. */
    uint64_t s = rn_load_acquire(&wg->rn_state);
    while (s != 0 && !(s & WAITED))
        /* relaxed: the adder reads the queue only under its lock; failure reads again. */
        if (rn_cas_relaxed(&wg->rn_state, &s, s | WAITED))
            break;
        else
            s = rn_load_acquire(&wg->rn_state); /* acquire: as above */
    if (s == 0)
        done = true;
    else
        rn__waitq_push(&wg->rn_queue, w);
    rn__waitq_unlock(&wg->rn_queue);
    return done;
}

/* A waiter's context is done.  The last one takes WAITED along, so that the one who comes to zero
 * later does not go to the queue, and a wait that sees zero then may return at once.  When the counter
 * is zero by now, the adder is on its way to the queue; it must not meet a waitgroup that is in use
 * again, or gone, so it is awaited. */
static void leave(rn_waitgroup *wg, struct rn_waiter *w)
{
    rn__waitq_lock(&wg->rn_queue);
    rn__waitq_remove(&wg->rn_queue, w);
    /* relaxed, both: WAITED is only changed under the lock, and the adder reads the queue under it. */
    uint64_t s = rn_load_relaxed(&wg->rn_state);
    while (s != WAITED && (s & WAITED) && rn__waitq_empty(&wg->rn_queue))
        if (rn_cas_relaxed(&wg->rn_state, &s, s & ~WAITED))
            break;
    bool closing = s == WAITED;
    if (closing) {
        w->claim = NULL;
        rn__waitq_push(&wg->rn_queue, w);
    }
    rn__waitq_unlock(&wg->rn_queue);
    if (closing)
        rn__park(RN_WAIT_WAITGROUP, wg);
}

static int wait_slow(rn_context *ctx, rn_waitgroup *wg)
{
    rn_atomic(uint32_t) claim = 0;
    struct rn_waiter w = {.g = rn__self(), .claim = ctx ? &claim : NULL};
    if (join(wg, &w))
        return 0;
    int err = 0;
    if (ctx)
        err = rn__wait_ctx(&w, ctx, RN_WAIT_WAITGROUP, wg);
    else
        rn__park(RN_WAIT_WAITGROUP, wg);
    if (err) {
        leave(wg, &w);
        return err;
    }
    /* relaxed: a check for misuse; what the adders published came through ready. */
    if (rn_load_relaxed(&wg->rn_state) != 0)
        rn_panic("sync: WaitGroup is reused before previous Wait has returned");
    return 0;
}

void rn_wg_wait(rn_waitgroup *wg)
{
    rn__point(RN_AT_WG_WAIT, wg);
    rn__waitq_check(&wg->rn_queue, "waitgroup");
    rn__race_touch(wg);
    rn__race_mark(race_word(wg), RN_RACE_PC);
    /* acquire: pairs with the release in add. */
    if (rn_load_acquire(&wg->rn_state) != 0)
        wait_slow(NULL, wg);
    rn__race_acquire(RN_RACE_NAME(wg, 0));
}

int rn_wg_wait_ctx(rn_context *ctx, rn_waitgroup *wg)
{
    rn__point(RN_AT_WG_WAIT, wg);
    rn__waitq_check(&wg->rn_queue, "waitgroup");
    rn__race_touch(wg);
    rn__race_mark(race_word(wg), RN_RACE_PC);
    /* acquire: pairs with the release in add. */
    int err = rn_load_acquire(&wg->rn_state) == 0 ? 0 : wait_slow(ctx, wg);
    if (!err)
        rn__race_acquire(RN_RACE_NAME(wg, 0));
    return err;
}

bool rn__wg_ended(void *wg, enum rn_ended how, intptr_t result, struct rn_panic *panic)
{
    (void)result, (void)panic;
    if (how == RN_ENDED_PANIC)
        return false;
    rn_wg_add(wg, -1);
    return true;
}

void rn__wg_go_failed(rn_waitgroup *wg, int err)
{
    rn_wg_add(wg, -1);
    rn_panic("wg_go: %s", rn_strerror(err));
}

void rn_wg_destroy(rn_waitgroup *wg)
{
    /* relaxed: a report of misuse needs no order. */
    rn__waitq_destroy(&wg->rn_queue, "waitgroup", rn_load_relaxed(&wg->rn_state) != 0);
}
