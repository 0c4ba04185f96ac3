/* RWMutex: a word that counts the readers, and two queues.
 *
 *     bit 0       WRITER   a writer holds it; then there are no readers
 *     bit 1       QUEUED   somebody may wait
 *     bit 2       WOKEN    a writer was woken and is on its way to compete; only together with QUEUED
 *     bit 3       BIASED   readers may be counted elsewhere, in the place whose number the word has: readers.h
 *     bits 5-15   TICKS    about how many read locks there were since the last write lock; the last one is DUE
 *     bits 16-47  readers that hold it
 *     bits 48-63  the place; 0 unless BIASED
 *
 * QUEUED without WOKEN shuts it: nobody goes in or, as the last, lets go by the short way.  TICKS mean nothing here.
 *
 *     transition                        by whom                            where
 *     n -> n+1 readers                  rlock, try_rlock; not shut         no lock
 *     0 -> WRITER, beside WOKEN too     lock, try_lock                     no lock
 *     WOKEN -> WRITER                   the woken writer                   with or without the queue's lock
 *     n -> n-1 readers                  runlock; not shut, or n > 1        no lock; its last access
 *     WRITER -> 0, beside WOKEN too     unlock; not shut                   no lock; its last access
 *     any -> QUEUED added               who is about to queue              queue's lock
 *     WOKEN dropped                     the woken writer, who queues again queue's lock
 *     QUEUED, last reader or WRITER     the one who lets go: it grants, or queue's lock
 *       -> the next holders, WOKEN or 0   wakes to compete
 *     QUEUED dropped                    who holds it, queues being empty   queue's lock
 *     BIASED added                      a reader; no QUEUED                its place's lock
 *     BIASED -> WRITER                  try_lock                           its place's lock
 *     BIASED and QUEUED -> the next     who finds that all readers that    its place's lock, and the queue's
 *       holders, or BIASED dropped        are counted elsewhere are gone
 *     BIASED dropped                    who finds its place taken away     that place's lock
 *
 * While it is BIASED there is no WRITER and no WOKEN; readers in the word count up and down as ever, and the last of them
 * passes nothing on.  A writer queues, and those who are counted elsewhere pass the mutex on (rn__rwmutex_drained).
 *
 * One lock (rn_writers' own) guards both queues and rn_flags.  While a writer waits and has not been woken the mutex is shut,
 * so new readers queue: it cannot be kept out.
 *
 * Who lets go either grants the mutex, which writes the new holders into the word before they are woken, or
 * wakes them to compete with those who are running.  A grant keeps everybody out until the one who was woken has had its
 * turn; where locks are held for less time than a switch takes, everybody then soon queues at every call, and it goes on for
 * ever (16 goroutines, one write in 20 operations: 0.73 switches an operation, 124 ns instead of 12).  So
 *  - the last reader grants the first writer: it has been keeping readers out already;
 *  - a writer wakes the first writer to compete, and grants all readers that wait by then, together, so that they
 *    come before that writer; when no writer waits the readers compete;
 *  - whoever was woken and found it taken queues again (a writer at the front) and sets LOST: the next writer to let go
 *    grants, first all readers, and the last of these the first writer.  So nobody is passed over twice by the same kind.
 * (Go: writers compete for a mutex of their own, readers are granted.)
 *
 * No wake-up is lost and no memory is touched after its release for the reasons in mutex.c: while it is shut
 * the last holder lets go only under the lock, and if it then finds nobody it first drops QUEUED while it still
 * holds, lets the lock go, and takes the short way.  Beside WOKEN nobody looks at the queues; the woken writer
 * will, by its own unlock or by queueing again.  Who lets go by waking wakes at least one, who is yet to be made ready and
 * needs the mutex.
 *
 * A reader waits only behind a writer (one that holds, or one that waits).  Whoever takes the last
 * waiting writer out because its context is done therefore grants the waiting readers, unless a
 * writer holds.
 *
 * From Go's sync/rwmutex.go: the order of service.  Go counts readers with an addition that is taken
 * back; here it is a compare-and-swap, so that the word is never wrong, and a context can end a wait.
 */
#include <runnel/rwmutex.h>

#include "base/race.h"
#include "chan/wait.h"
#include "sync/readers.h"
#include "sync/waitq.h"
#include "sync/watch.h"

enum {
    WRITER = RN_RW_WRITER,
    QUEUED = RN_RW_QUEUED,
    WOKEN = RN_RW_WOKEN,
    BIASED = RN_RW_BIASED,
    TICKS = RN_RW_TICKS,
    READER = RN_RW_READER
};
enum { LOST = 1 };    /* rn_flags: somebody was woken to compete and had to queue again */
enum { PAUSES = 60 }; /* before the second look; twice as many before each one more */

static inline bool is_shut(uint64_t s)
{
    return (s & (QUEUED | WOKEN)) == QUEUED;
}

static inline bool may_write(uint64_t s)
{
    return !(s & ~(uint64_t)(QUEUED | WOKEN | TICKS)) && !is_shut(s);
}

static struct rn_waitq *queue_of(rn_rwmutex *m)
{
    return &m->rn_writers;
}

static void check(rn_rwmutex *m)
{
    rn__waitq_check(queue_of(m), "rwmutex");
}

/* For the race detector: readers come after the writers before them, writers after both. */
enum { READ, WROTE }; /* names (base/race.h) */

static void race_reads(rn_rwmutex *m)
{
    rn__race_touch(m);
    rn__race_acquire(RN_RACE_NAME(m, WROTE));
}

static void race_writes(rn_rwmutex *m)
{
    race_reads(m);
    rn__race_acquire(RN_RACE_NAME(m, READ));
}

/* ---- the queue of readers (guarded by the same lock) ------------------------------------------- */

static void readers_remove(rn_rwmutex *m, struct rn_waiter *w);
static void let_go_reader(rn_rwmutex *m, unsigned failed);

/* Its goroutine has ended with its run, and reads no more if the mutex was granted to it. */
static void leave_readers(struct rn_waiter *w)
{
    rn_rwmutex *m = w->of;
    rn__waitq_lock(queue_of(m));
    readers_remove(m, w);
    rn__waitq_unlock(queue_of(m));
    if (rn__waitq_has_woken(w) && w->ok)
        let_go_reader(m, 0);
}

static void readers_push(rn_rwmutex *m, struct rn_waiter *w)
{
    struct rn_list l = {m->rn_reader_first, m->rn_reader_last};
    w->of = m;
    w->queued = true;
    rn__waiter_note(w, leave_readers);
    w->owes = true;
    rn_list_push(&l, &w->node);
    m->rn_reader_first = l.first;
    m->rn_reader_last = l.last;
}

static void readers_remove(rn_rwmutex *m, struct rn_waiter *w)
{
    if (!w->queued)
        return;
    struct rn_list l = {m->rn_reader_first, m->rn_reader_last};
    w->queued = false;
    rn_list_remove(&l, &w->node);
    m->rn_reader_first = l.first;
    m->rn_reader_last = l.last;
}

/* Takes out all waiting readers, to hold m (granted) or to compete; returns how many could still be woken. */
static uint32_t readers_pop_all(rn_rwmutex *m, struct rn_ready_list *wake, bool granted)
{
    uint32_t n = 0;
    while (m->rn_reader_first) {
        struct rn_waiter *w = rn_container(m->rn_reader_first, struct rn_waiter, node);
        readers_remove(m, w);
        if (!rn__waiter_claim(w))
            continue;
        w->ok = granted;
        w->g->woken_by = w;
        rn__ready_add(wake, w->g);
        n++;
    }
    return n;
}

static bool nobody_waits(const rn_rwmutex *m)
{
    return !m->rn_reader_first && !m->rn_writers.rn_first;
}

/* ---- letting go -------------------------------------------------------------------------------- */

/* Grants the readers that wait; false when there are none. */
static bool grant_readers_locked(rn_rwmutex *m, struct rn_ready_list *wake)
{
    rn__waitq_assert_held(queue_of(m));
    uint32_t n = readers_pop_all(m, wake, true);
    m->rn_flags &= ~(uint32_t)LOST;
    if (n)
        /* release: pairs with the acquire of the next to lock; what is granted goes through ready. */
        rn_store_release(&m->rn_state, (uint64_t)n * READER | QUEUED);
    return n != 0;
}

static bool grant_writer_locked(rn_rwmutex *m, struct rn_ready_list *wake)
{
    rn__waitq_assert_held(queue_of(m));
    struct rn_waiter *w = rn__waitq_pop(queue_of(m));
    if (!w)
        return false;
    w->ok = true;
    m->rn_flags &= ~(uint32_t)LOST;
    rn__ready_add(wake, w->g);
    /* release: as above. */
    rn_store_release(&m->rn_state, WRITER | QUEUED);
    return true;
}

/* With the lock, a writer lets go, and nobody has lost: see above.  False: nobody waits, or one has lost. */
static bool wake_to_compete_locked(rn_rwmutex *m, struct rn_ready_list *wake)
{
    rn__waitq_assert_held(queue_of(m));
    if (m->rn_flags & LOST)
        return false;
    struct rn_waiter *w = rn__waitq_pop(queue_of(m));
    uint32_t n = readers_pop_all(m, wake, w != NULL);
    if (w)
        rn__ready_add(wake, w->g);
    else if (!n)
        return false;
    /* release: pairs with the acquire of the next to lock. */
    rn_store_release(&m->rn_state, w ? (uint64_t)n * READER | QUEUED | WOKEN : 0);
    return true;
}

/* With the lock, shut, the caller the only holder (`held` is WRITER or READER): passes the
 * mutex on.  False: nobody waits; QUEUED is gone and the caller holds as before. */
static bool pass_on_locked(rn_rwmutex *m, uint64_t held, struct rn_ready_list *wake)
{
    rn__waitq_assert_held(queue_of(m));
    if (held == WRITER && (wake_to_compete_locked(m, wake) || grant_readers_locked(m, wake)))
        return true;
    if (grant_writer_locked(m, wake) || grant_readers_locked(m, wake))
        return true;
    /* Nobody else changes the word of a single holder when it is shut.  release: a reader that joins a
     * reader by the short way pairs with it, and so comes after the writer before both. */
    rn_store_release(&m->rn_state, held);
    return false;
}

/* The only holder lets go though it is shut.  False: try the short way again. */
static bool pass_on(rn_rwmutex *m, uint64_t held)
{
    struct rn_ready_list wake = {0};
    rn__waitq_lock(queue_of(m));
    /* acquire: pairs with the release of the other readers; whom we wake comes after them. */
    bool passed =
        (rn_load_acquire(&m->rn_state) & ~(uint64_t)TICKS) == (held | QUEUED) && pass_on_locked(m, held, &wake);
    rn__waitq_unlock(queue_of(m));
    if (wake.n)
        rn__ready_all(&wake);
    return passed;
}

/* A swap fails when another processor's comes in between; who waits before the next lets that one go on with the word in
 * its cache (8 readers on 2 processors: 11 ns for both calls instead of 22). */
static void pause_unless(rn_rwmutex *m, uint64_t bits, unsigned failed)
{
    if (failed && !(rn_load_relaxed(&m->rn_state) & bits)) /* relaxed: a guess */
        rn_cpu_pauses(failed);
}

static void let_go_reader(rn_rwmutex *m, unsigned failed)
{
    for (;; failed++) {
        pause_unless(m, QUEUED, failed);
        uint64_t s = rn_load_relaxed(&m->rn_state); /* relaxed: a guess for the swap */
        uint32_t n = rn__rw_readers(s);
        if (n == 0 && (s & BIASED)) {
            if (rn__readers_leave_checked(m, s))
                return;
        } else if (n == 0) {
            rn_fatal("sync: RUnlock of unlocked RWMutex");
        } else if (is_shut(s) && n == 1 && !(s & BIASED)) {
            if (pass_on(m, READER))
                return;
            /* release: pairs with the acquire of the next writer. */
        } else if (rn_cas_release(&m->rn_state, &s, s - READER)) {
            return;
        }
    }
}

static __attribute__((noinline)) void runlock_by_word(rn_rwmutex *m)
{
    rn__watch(left, m, queue_of(m), RN_LOCK_READ);
    let_go_reader(m, RN_SHORT_WAY_TRIED);
}

void rn__rwmutex_runlock_slow(rn_rwmutex *m)
{
    if (!rn__readers_leave(m))
        runlock_by_word(m);
}

/* With the lock, shut, nobody counted elsewhere any more: takes BIASED out of a word that counts readers, the last of whom
 * will then pass m on under the lock.  False: it counts none, and nobody holds m. */
static bool unbias_locked(rn_rwmutex *m)
{
    rn__waitq_assert_held(queue_of(m));
    uint64_t s = rn_load_acquire(&m->rn_state); /* pairs with the release of readers in the word */
    while (rn__rw_readers(s))
        /* acq_rel for the acquire of a failure: as above; a reader may have gone. */
        if (rn_cas_acq_rel(&m->rn_state, &s, rn__rw_unbiased(s)))
            return true;
    return false;
}

bool rn__rwmutex_drained(rn_rwmutex *m, struct rn_ready_list *wake)
{
    rn__waitq_lock(queue_of(m));
    bool passed =
        !nobody_waits(m) && (unbias_locked(m) || grant_writer_locked(m, wake) || grant_readers_locked(m, wake));
    if (!passed)
        rn_and_acq_rel(&m->rn_state, ~(uint64_t)QUEUED); /* acq_rel: any would do; nobody is let in by it */
    rn__waitq_unlock(queue_of(m));
    return passed;
}

static void let_go_writer(rn_rwmutex *m)
{
    for (;;) {
        uint64_t s = rn_load_relaxed(&m->rn_state); /* relaxed: the holder's own, but for the queue's bits */
        if (!(s & WRITER))
            rn_fatal("sync: Unlock of unlocked RWMutex");
        if (is_shut(s)) {
            if (pass_on(m, WRITER))
                return;
            /* release: pairs with the acquire of whoever locks next. */
        } else if (rn_cas_release(&m->rn_state, &s, s & ~(uint64_t)WRITER)) {
            return;
        }
    }
}

void rn__rwmutex_unlock_slow(rn_rwmutex *m)
{
    rn__watch(left, m, queue_of(m), 0);
    let_go_writer(m);
}

/* Who holds it in the way of `bits` runs on another processor as a rule, and lets go in less time than a park takes.
 * Each look takes the line from it, and each lock taken ends its turn, so they are further and further apart (7 readers and a
 * writer on two processors that are far from each other: 7.4 ns, 8.5 with 30 pauses each time).  True: try again. */
static bool spin_while(rn_rwmutex *m, uint64_t bits)
{
    bool free = false, useless = false;
    uint32_t rounds = rn__spin_rounds();
    for (uint32_t i = 0; i < rounds && !free && !useless; i++) {
        if (i)
            rn_cpu_rest((unsigned)PAUSES << (i - 1));
        uint64_t s = rn_load_relaxed(&m->rn_state); /* relaxed: a guess */
        useless = is_shut(s) || (s & BIASED);
        free = !useless && !(s & bits);
    }
    if (rounds)
        rn__spun(free);
    return free;
}

static void lost_locked(rn_rwmutex *m)
{
    rn__waitq_assert_held(queue_of(m));
    m->rn_flags |= LOST;
    rn__woken_in_vain();
}

/* ---- reading ------------------------------------------------------------------------------------ */

/* failed: how often that has been tried. */
static bool rlock_short(rn_rwmutex *m, unsigned failed)
{
    for (bool asked = false;;) {
        pause_unless(m, WRITER | QUEUED, failed);
        uint64_t s = rn_load_relaxed(&m->rn_state); /* relaxed: a guess for the swap */
        if ((s & WRITER) || is_shut(s))
            return false;
        if (!asked && (s & (BIASED | RN_RW_DUE))) {
            if (rn__readers_due(m, s))
                return true;
            asked = true;
            continue;
        }
        uint64_t tick = s & (BIASED | RN_RW_DUE) ? 0 : RN_RW_TICK;
        /* acquire: pairs with the release in unlock. */
        if (rn_cas_acquire(&m->rn_state, &s, s + READER + tick))
            return true;
        failed++;
    }
}

/* With the lock: joins the readers unless a writer holds or waits; else w is queued (NULL: not). */
static bool rlock_locked(rn_rwmutex *m, struct rn_waiter *w)
{
    rn__waitq_assert_held(queue_of(m));
    uint64_t s = rn_load_relaxed(&m->rn_state); /* relaxed: a guess for the swaps */
    for (;;) {
        if (!(s & WRITER) && ((s & WOKEN) || rn__waitq_empty(queue_of(m)))) {
            uint64_t next = ((s & WOKEN) || !nobody_waits(m) ? s : s & ~(uint64_t)QUEUED) + READER;
            /* acquire: pairs with the release in unlock and pass_on_locked. */
            if (rn_cas_acquire(&m->rn_state, &s, next))
                return true;
        } else if (!w) {
            return false;
        } else if ((s & QUEUED) || rn_cas_relaxed(&m->rn_state, &s, s | QUEUED)) {
            /* relaxed: the holder reads the queues only under the lock. */
            readers_push(m, w);
            return false;
        }
    }
}

/* Joins the readers, or queues w; `again`: after it was woken to compete. */
static bool rlock_or_queue(rn_rwmutex *m, struct rn_waiter *w, bool again)
{
    rn__waitq_lock(queue_of(m));
    bool ours = rlock_locked(m, w);
    if (!ours && again)
        lost_locked(m);
    rn__waitq_unlock(queue_of(m));
    return ours;
}

static int rlock_slow(rn_context *ctx, rn_rwmutex *m)
{
    rn_atomic(uint32_t) claim = 0;
    struct rn_waiter w = {.g = rn__self(), .claim = ctx ? &claim : NULL};
    for (bool again = false;; again = true) {
        int err = 0;
        if ((spin_while(m, WRITER) && rlock_short(m, 0)) || rlock_or_queue(m, &w, again))
            return 0;
        if (ctx)
            err = rn__wait_ctx(&w, ctx, RN_WAIT_RWMUTEX_R, m);
        else
            rn__park(RN_WAIT_RWMUTEX_R, m);
        if (err) {
            rn__waitq_lock(queue_of(m));
            readers_remove(m, &w);
            rn__waitq_unlock(queue_of(m));
            return err;
        }
        if (w.ok || rlock_short(m, 0))
            return 0;
        rn_store_relaxed(&claim, 0); /* relaxed: nobody else knows of w between two rounds */
    }
}

static __attribute__((noinline)) void rlock_by_word(rn_rwmutex *m)
{
    rn__watch(wanted, m, queue_of(m), RN_LOCK_READ);
    if (!rlock_short(m, RN_SHORT_WAY_TRIED))
        rlock_slow(NULL, m);
    rn__watch(taken, m, queue_of(m), RN_LOCK_READ);
}

__attribute__((noinline)) void rn__rwmutex_rlock_refused(rn_rwmutex *m, uint32_t k)
{
    rn__readers_take_back(k);
    rlock_by_word(m);
}

void rn__rwmutex_rlock_slow(rn_rwmutex *m)
{
    uint32_t k;
    enum rn_reader r = rn__readers_try_enter(m, &k);
    if (r == RN_READER_REFUSED)
        rn__rwmutex_rlock_refused(m, k);
    else if (r == RN_READER_BY_WORD)
        rlock_by_word(m);
}

int rn_rwmutex_rlock_ctx(rn_context *ctx, rn_rwmutex *m)
{
    rn__point(RN_AT_RLOCK, m);
    check(m);
    rn__watch(wanted, m, queue_of(m), RN_LOCK_READ | RN_LOCK_TIMED);
    int err = rlock_short(m, 0) ? 0 : rlock_slow(ctx, m);
    if (!err) {
        rn__watch(taken, m, queue_of(m), RN_LOCK_READ);
        race_reads(m);
    }
    return err;
}

bool rn_rwmutex_try_rlock(rn_rwmutex *m)
{
    rn__point(RN_AT_TRY_LOCK, m);
    check(m);
    bool ours = rlock_short(m, 0);
    if (!ours) {
        /* QUEUED may be left from waiters that are gone. */
        rn__waitq_lock(queue_of(m));
        ours = rlock_locked(m, NULL);
        rn__waitq_unlock(queue_of(m));
    }
    if (ours) {
        rn__watch(taken, m, queue_of(m), RN_LOCK_READ);
        race_reads(m);
    }
    return ours;
}

/* ---- writing ------------------------------------------------------------------------------------ */

/* drop: WOKEN by the one who was woken, else 0. */
static bool lock_short(rn_rwmutex *m, uint64_t drop)
{
    uint64_t s = rn_load_relaxed(&m->rn_state); /* relaxed: a guess for the swap */
    while (may_write(s))
        /* acquire: pairs with the release in unlock and runlock. */
        if (rn_cas_acquire(&m->rn_state, &s, (s & ~(drop | TICKS)) | WRITER))
            return true;
    return false;
}

enum got { OURS, WAITS, IS_BIASED };

static void leave_writers(struct rn_waiter *w);

static void queue_writer_locked(rn_rwmutex *m, struct rn_waiter *w, uint64_t drop)
{
    rn__waitq_assert_held(queue_of(m));
    if (drop) {
        lost_locked(m);
        rn__waitq_push_front(queue_of(m), w);
    } else {
        rn__waitq_push(queue_of(m), w);
    }
    rn__waitq_owes(w, leave_writers);
}

/* With the lock: takes the mutex, or queues w, but not while it is biased. */
static enum got lock_locked(rn_rwmutex *m, struct rn_waiter *w, uint64_t drop)
{
    rn__waitq_assert_held(queue_of(m));
    for (;;) {
        uint64_t s = rn_load_relaxed(&m->rn_state); /* relaxed: a guess for the swaps */
        if (may_write(s)) {
            /* acquire: as in lock_short. */
            if (rn_cas_acquire(&m->rn_state, &s, (s & ~(drop | TICKS)) | WRITER))
                return OURS;
        } else if (s & BIASED) {
            return IS_BIASED;
        } else if (rn_cas_relaxed(&m->rn_state, &s, (s & ~drop) | QUEUED)) {
            /* relaxed: the holder reads the queues only under the lock. */
            queue_writer_locked(m, w, drop);
            return WAITS;
        }
    }
}

/* w is queued and has closed the place: the fence, and if all readers are gone then, m is ours.  Else the last of them
 * will pass it on. */
static enum got drain(rn_rwmutex *m, struct rn_readers *r, struct rn_waiter *w)
{
    rn_time began = rn__now();
    rn_os_fence_heavy(); /* pairs with the light ones in rn__readers_try_enter and rn__readers_count_down */
    rn_lock_take(&r->lock, RN_RANK_READERS);
    rn__waitq_lock(queue_of(m));
    rn__readers_rest(m, rn__now() - began);
    bool gone = rn__readers_are_gone_locked(r);
    bool ours = gone && !unbias_locked(m);
    if (ours) {
        rn__waitq_remove(queue_of(m), w);
        rn__waiters_forget(w->g); /* it does not park */
        /* relaxed: who comes after us pairs with our unlock. */
        rn_store_relaxed(&m->rn_state, nobody_waits(m) ? WRITER : WRITER | QUEUED);
    }
    rn__waitq_unlock(queue_of(m));
    if (gone)
        rn__readers_free_locked(r);
    else
        rn__readers_drained_locked(r);
    rn__readers_release(r);
    return ours ? OURS : WAITS;
}

/* Queues w, and asks the readers that are counted elsewhere to leave.  IS_BIASED: it no longer is. */
static enum got lock_biased(rn_rwmutex *m, struct rn_waiter *w, uint64_t drop)
{
    struct rn_readers *r = rn__readers_hold(m);
    if (!r)
        return IS_BIASED;
    rn__waitq_lock(queue_of(m));
    rn_or_acq_rel(&m->rn_state, QUEUED); /* acq_rel: any would do; nobody is let in by it */
    queue_writer_locked(m, w, drop);
    rn__waitq_unlock(queue_of(m));
    bool first = rn__readers_close_locked(r);
    rn__readers_release(r);
    if (first)
        return drain(m, r, w);
    /* Another did.  It may have been taken out of the queue at the end of a run, and the readers have gone since. */
    rn__readers_left((uint32_t)(r - rn__readers));
    return WAITS;
}

static enum got lock_or_queue(rn_rwmutex *m, struct rn_waiter *w, uint64_t drop)
{
    for (;;) {
        rn__waitq_lock(queue_of(m));
        enum got got = lock_locked(m, w, drop);
        rn__waitq_unlock(queue_of(m));
        if (got == IS_BIASED)
            got = lock_biased(m, w, drop);
        if (got != IS_BIASED)
            return got;
    }
}

/* A writer's context is done.  Readers that it held back go in, if no other writer does so. */
static void abandon_locked(rn_rwmutex *m, struct rn_waiter *w, struct rn_readers *r, struct rn_ready_list *wake)
{
    rn__waitq_assert_held(queue_of(m));
    rn__waitq_remove(queue_of(m), w);
    /* relaxed: shut, WRITER does not change while we have the lock.  Beside WOKEN the woken writer looks after the readers. */
    uint64_t s = rn_load_relaxed(&m->rn_state);
    if (!rn__waitq_empty(queue_of(m)) || (!r && (!is_shut(s) || (s & WRITER))))
        return;
    uint32_t n = readers_pop_all(m, wake, true);
    /* acq_rel: acquire pairs with the unlock of the last writer, whom the readers come after. */
    if (n)
        rn_add_acq_rel(&m->rn_state, (uint64_t)n * READER);
    if (r) {
        rn_and_acq_rel(&m->rn_state, ~(uint64_t)QUEUED); /* acq_rel: as above */
        rn__readers_open_locked(r);
    }
}

static void lock_abandon(rn_rwmutex *m, struct rn_waiter *w)
{
    struct rn_ready_list wake = {0};
    struct rn_readers *r;
    for (;;) {
        r = rn__readers_hold(m);
        rn__waitq_lock(queue_of(m));
        /* relaxed: BIASED comes only to a mutex that is not QUEUED, and goes only with the place's lock. */
        if (r || !(rn_load_relaxed(&m->rn_state) & BIASED))
            break;
        rn__waitq_unlock(queue_of(m));
    }
    abandon_locked(m, w, r, &wake);
    rn__waitq_unlock(queue_of(m));
    if (r)
        rn__readers_release(r);
    if (wake.n)
        rn__ready_all(&wake);
}

/* Its goroutine has ended with its run.  If it was on its way to compete it does, and gives up when it has lost; when it has won,
 * or the mutex was granted to it, it lets go. */
static void leave_writers(struct rn_waiter *w)
{
    rn_rwmutex *m = rn_container(w->of, rn_rwmutex, rn_writers);
    if (rn__waitq_has_woken(w) && (w->ok || lock_or_queue(m, w, WOKEN) == OURS))
        let_go_writer(m);
    else
        lock_abandon(m, w);
}

static int lock_slow(rn_context *ctx, rn_rwmutex *m)
{
    rn_atomic(uint32_t) claim = 0;
    struct rn_waiter w = {.g = rn__self(), .claim = ctx ? &claim : NULL};
    for (uint64_t drop = 0;; drop = WOKEN) {
        int err = 0;
        if (spin_while(m, ~(uint64_t)(QUEUED | WOKEN | TICKS)) && lock_short(m, drop))
            return 0;
        if (lock_or_queue(m, &w, drop) == OURS)
            return 0;
        if (ctx)
            err = rn__wait_ctx(&w, ctx, RN_WAIT_RWMUTEX_W, m);
        else
            rn__park(RN_WAIT_RWMUTEX_W, m);
        if (err) {
            lock_abandon(m, &w);
            return err;
        }
        if (w.ok)
            return 0;
        rn_store_relaxed(&claim, 0); /* relaxed: nobody else knows of w between two rounds */
    }
}

void rn__rwmutex_lock_slow(rn_rwmutex *m)
{
    rn__watch(wanted, m, queue_of(m), 0);
    if (!lock_short(m, 0))
        lock_slow(NULL, m);
    rn__watch(taken, m, queue_of(m), 0);
}

int rn_rwmutex_lock_ctx(rn_context *ctx, rn_rwmutex *m)
{
    rn__point(RN_AT_LOCK, m);
    check(m);
    rn__watch(wanted, m, queue_of(m), RN_LOCK_TIMED);
    int err = lock_short(m, 0) ? 0 : lock_slow(ctx, m);
    if (!err) {
        rn__watch(taken, m, queue_of(m), 0);
        race_writes(m);
    }
    return err;
}

static bool try_lock_biased(rn_rwmutex *m)
{
    struct rn_readers *r = rn__readers_hold(m);
    if (!r)
        return lock_short(m, 0);
    bool ours = rn__readers_try_lock_locked(r, m);
    rn__readers_release(r);
    return ours;
}

bool rn_rwmutex_try_lock(rn_rwmutex *m)
{
    rn__point(RN_AT_TRY_LOCK, m);
    check(m);
    bool ours = lock_short(m, 0) || try_lock_biased(m);
    if (ours) {
        rn__watch(taken, m, queue_of(m), 0);
        race_writes(m);
    }
    return ours;
}

void rn_rwmutex_destroy(rn_rwmutex *m)
{
    struct rn_readers *r = rn__readers_hold(m);
    bool read = r && rn__readers_end_locked(r, m);
    if (r)
        rn__readers_release(r);
    uint64_t s = rn_load_relaxed(&m->rn_state); /* relaxed: a report of misuse needs no order */
    rn__waitq_destroy(queue_of(m), "rwmutex", read || rn__rw_readers(s) || (s & WRITER));
}

/* ---- out of line: the short ways are in the slow ones too ----------------------------------------- */

#if RN__INLINE_SYNC
extern inline uint8_t *rn__reads(void);
extern inline void rn_rwmutex_rlock(rn_rwmutex *m);
extern inline void rn_rwmutex_runlock(rn_rwmutex *m);
extern inline void rn_rwmutex_lock(rn_rwmutex *m);
extern inline void rn_rwmutex_unlock(rn_rwmutex *m);
#else
void rn_rwmutex_rlock(rn_rwmutex *m)
{
    rn__point(RN_AT_RLOCK, m);
    check(m);
    rn__rwmutex_rlock_slow(m);
    rn__point_locks(m, true);
    race_reads(m);
}

void rn_rwmutex_runlock(rn_rwmutex *m)
{
    rn__point(RN_AT_RUNLOCK, m);
    rn__point_unlocks(m);
    check(m);
    rn__race_touch(m);
    rn__race_release(RN_RACE_NAME(m, READ));
    rn__rwmutex_runlock_slow(m);
    rn__point(RN_AFTER_UNLOCK, m);
}

void rn_rwmutex_lock(rn_rwmutex *m)
{
    rn__point(RN_AT_LOCK, m);
    check(m);
    rn__rwmutex_lock_slow(m);
    rn__point_locks(m, false);
    race_writes(m);
}

void rn_rwmutex_unlock(rn_rwmutex *m)
{
    rn__point(RN_AT_UNLOCK, m);
    rn__point_unlocks(m);
    check(m);
    rn__race_touch(m);
    rn__race_release(RN_RACE_NAME(m, WROTE));
    rn__rwmutex_unlock_slow(m);
    rn__point(RN_AFTER_UNLOCK, m);
}
#endif
