/* Waitgroup: a counter, and who waits.
 *
 *     bits 32-63  the counter, signed
 *     bits 1-31   ALONE: who waits alone, the index of its record + 1; its waiter is the one in its record
 *     bit  0      WAITED: whoever brings the counter to zero must look at the queue; then nobody is ALONE
 *
 *     transition                     by whom                       where
 *     counter += n                   add                           no lock; its last access unless it
 *                                                                  brings it to zero while somebody waits
 *     ALONE added, counter > 0       a goroutine that waits, when  no lock
 *                                    nobody else does
 *     0|ALONE -> 0                   who brought it to zero        no lock: nobody else writes it then
 *     ALONE -> WAITED, counter > 0   who is about to queue,        queue's lock
 *                                    and queues that one first
 *     WAITED added, counter > 0      who is about to queue         queue's lock
 *     0|WAITED -> 0                  who brought it to zero        queue's lock, with the queue emptied
 *     WAITED dropped, counter > 0    the last waiter, whose        queue's lock
 *                                    context is done
 *
 * Mostly one waits, and for it the queue's lock would be two locked operations more.  So it goes into the word, by a swap
 * that fails when the counter has become zero; whoever makes it zero either comes first, or has it in its hands
 * (an addition says what was there before).  Should another come first and want to wait as well, its swap takes ALONE away,
 * and both are in the queue before it drops the lock, which whoever makes it zero then needs.
 *
 * A waiter sets WAITED and joins the queue under one hold of the queue's lock, by a swap that fails
 * when the counter has become zero; so whoever makes it zero either comes first, or sees WAITED and
 * then, under the lock, the waiter.
 *
 * The memory may be freed once all waits have returned: a wait returns when it was woken, which the adder does after
 * its last access, or when it has seen 0 without WAITED.  Then the adder has made its last access, or it is about to
 * wake who waits ALONE, whose wait has not returned.  A waiter whose context is done takes WAITED along when it was
 * the only one, and when the counter is zero already it waits for the adder that is on its way to the queue.
 *
 * From Go's sync/waitgroup.go, for the rules of misuse and their words; Go counts waiters in the word.
 */
#include <runnel/waitgroup.h>

#include "base/race.h"
#include "chan/wait.h"
#include "sync/waitq.h"

static const uint64_t WAITED = 1, ALONE = 0xfffffffe, WAITS = 0xffffffff;
_Static_assert(RN_RECORDS_MAX < UINT32_MAX / 2, "an index and 1 fit into ALONE");

static int32_t count_of(uint64_t state)
{
    return (int32_t)(uint32_t)(state >> 32);
}

static uint64_t alone(const struct rn_g *g)
{
    return ((uint64_t)rn__g_index(g) + 1) << 1;
}

static struct rn_g *alone_of(uint64_t state)
{
    return rn__g_at((uint32_t)((state & ALONE) >> 1) - 1);
}

/* What add and wait touch for the race detector.  Nobody else does.  An add from zero that nothing orders with a wait
 * is misuse, whichever of the two came first this time: the add reads, and each wait marks what it reads.  (Go sees
 * it only if the wait has to wait.)  The detector remembers the last four accesses to eight bytes, so these are not those
 * that everybody touches. */
static inline void *race_word(rn_waitgroup *wg)
{
    return (char *)&wg->rn_queue.rn_home;
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

/* The same, and one waits alone. */
static __attribute__((noinline)) void let_go_alone(rn_waitgroup *wg, uint64_t before)
{
    struct rn_g *g = alone_of(before);
    if (!rn__may_wake(g)) {
        rn_store_release(&wg->rn_state, 0); /* as below */
        return;
    }
    g->wait.queued = false;
    g->wait.ok = true;
    g->woken_by = &g->wait;
    rn_store_release(&wg->rn_state, 0); /* as in let_go: who comes to wait now sees the counter and goes on */
    rn__ready(g);
}

static inline void add(rn_waitgroup *wg, int n, void *pc)
{
    rn__point(n < 0 ? RN_AT_WG_DONE : RN_AT_WG_ADD, wg);
    rn__waitq_check(&wg->rn_queue, "waitgroup");
    rn__race_touch(wg);
    if (n < 0)
        rn__race_release(RN_RACE_NAME(wg, 0));
    /* acq_rel: release pairs with the acquire in wait; acquire pairs with the release of the others who
     * counted down, so that a waiter woken by this one comes after all, and with that of who is ALONE. */
    uint64_t before = rn_add_acq_rel(&wg->rn_state, (uint64_t)(int64_t)n << 32);
    int32_t count = count_of(before + ((uint64_t)(int64_t)n << 32));
    if (n > 0 && count == n)
        rn__race_read(race_word(wg), 1, pc);
    if (__builtin_expect(count < 0, 0))
        rn_panic("sync: negative WaitGroup counter");
    if (__builtin_expect(!(before & WAITS), 1)) {
        rn__point(n < 0 ? RN_AFTER_DONE : RN_AFTER_ADD, wg);
        return;
    }
    if (n > 0 && count == n)
        rn_panic("sync: WaitGroup misuse: Add called concurrently with Wait");
    if (count == 0 && (before & ALONE))
        let_go_alone(wg, before);
    else if (count == 0)
        let_go(wg);
    rn__point(n < 0 ? RN_AFTER_DONE : RN_AFTER_ADD, wg);
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
    rn__waitq_lock(&wg->rn_queue);
    /* acquire: pairs with the release in add, and in wait_alone. */
    uint64_t s = rn_load_acquire(&wg->rn_state);
    while (count_of(s) != 0 && !(s & WAITED))
        /* relaxed: s was acquired, with it the waiter of who is ALONE; the adder reads the queue only under its lock;
         * failure reads again. */
        if (rn_cas_relaxed(&wg->rn_state, &s, (s & ~ALONE) | WAITED)) {
            if (s & ALONE)
                rn__waitq_add(&wg->rn_queue, &alone_of(s)->wait);
            s = WAITED;
        } else {
            s = rn_load_acquire(&wg->rn_state); /* acquire: as above */
        }
    if (s & WAITED)
        rn__waitq_push(&wg->rn_queue, w);
    rn__waitq_unlock(&wg->rn_queue);
    return !(s & WAITED);
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

/* Takes w, of one who is ALONE or was, out: its goroutine has ended with its run. */
static void abandon(struct rn_waiter *w)
{
    rn_waitgroup *wg = rn_container(w->of, rn_waitgroup, rn_queue);
    rn__waitq_lock(&wg->rn_queue);
    /* acquire, both: pair with the release in let_go_alone.  A plain thread that has brought the counter to zero looks at the
     * record until then, without the lock; afterwards the record may go.  relaxed: nothing is read of what others wrote. */
    uint64_t s = rn_load_acquire(&wg->rn_state);
    while ((s & ALONE) == alone(w->g))
        if (count_of(s) == 0) {
            rn_os_yield();
            s = rn_load_acquire(&wg->rn_state);
        } else if (rn_cas_relaxed(&wg->rn_state, &s, s & ~ALONE)) {
            w->queued = false;
            break;
        }
    if (s & WAITED)
        rn__waitq_remove(&wg->rn_queue, w);
    rn__waitq_unlock(&wg->rn_queue);
}

static void check_reuse(rn_waitgroup *wg)
{
    /* relaxed: a check for misuse; what the adders published came through ready. */
    uint64_t s = rn_load_relaxed(&wg->rn_state);
    if (count_of(s) < 0) {
        rn__panic_follows(); /* of whoever made it so */
        rn_panic("sync: negative WaitGroup counter");
    }
    if (s != 0)
        rn_panic("sync: WaitGroup is reused before previous Wait has returned");
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
    check_reuse(wg);
    return 0;
}

/* The counter was not zero, but s: waits, alone if nobody else does. */
static __attribute__((noinline)) void wait_alone(rn_waitgroup *wg, uint64_t s)
{
    struct rn_g *g = rn__self();
    struct rn_waiter *w = &g->wait;
    if (!(s & WAITS) && rn__is_goroutine(g)) {
        rn__waiter_own(g, NULL, &wg->rn_queue);
        w->queued = true;
        rn__waiter_note(w, abandon);
        /* release: pairs with the acquires of the adder and in join: the waiter. */
        if (__builtin_expect(rn_cas_release(&wg->rn_state, &s, s | alone(g)), 1)) {
            rn__park(RN_WAIT_WAITGROUP, wg);
            check_reuse(wg);
            return;
        }
        rn__waiters_forget(g);
    }
    wait_slow(NULL, wg);
}

void rn_wg_wait(rn_waitgroup *wg)
{
    rn__point(RN_AT_WG_WAIT, wg);
    rn__waitq_check(&wg->rn_queue, "waitgroup");
    rn__race_touch(wg);
    rn__race_mark(race_word(wg), RN_RACE_PC);
    /* acquire: pairs with the release in add. */
    uint64_t s = rn_load_acquire(&wg->rn_state);
    if (s != 0)
        wait_alone(wg, s);
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
    rn_panic("wg_go: %s", rn__go_error(err));
}

void rn_wg_destroy(rn_waitgroup *wg)
{
    /* relaxed: a report of misuse needs no order. */
    rn__waitq_destroy(&wg->rn_queue, "waitgroup", rn_load_relaxed(&wg->rn_state) != 0);
}
