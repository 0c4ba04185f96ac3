/* Readers of a read-write mutex that are counted apart: no atomic operation, and nothing written that others read.
 *
 * A mutex that is mostly read becomes biased to its readers: it takes one of RN_TALLIES places, whose number and BIASED are
 * put into its word, and from then on a reader counts itself under that number in the row of its own thread (sched/tally.h).
 * A writer closes the place, makes every thread execute a fence, and waits until the sum is 0; the place
 * is free again, and the mutex as any other.  (Dice and Kogan, "BRAVO: Biased Locking for Reader-Writer Locks", 2019; Linux' percpu-rwsem.)
 *
 *     reader                                       who closes the place (its lock held)
 *     lock:    row[k].ups += 1                     open = 0
 *              light fence                         heavy fence
 *              open == mutex ? in :                sum of ups - downs over all rows
 *                row[k].downs += 1
 *     unlock:  row[k].downs += 1                   awaited = 1
 *              light fence                         heavy fence
 *              awaited ? look whether it was last  sum of ups - downs over all rows
 *
 * Dekker, twice.  A reader whose count the sum does not hold finds the place closed, takes the count back and goes by the
 * word; one whose leaving the sum does not hold finds that it is awaited, and looks itself.
 *
 * What the sum means.  Let T be who holds the mutex for reading, W those counted in the word and S the sum of what rows
 * really hold, but for counts that will be taken back: T = W + S.
 *  - S is never negative: who leaves a biased mutex counts down W while that is not 0, else its own row.  Let I be those
 *    who have seen W = 0 and are about to count down a row.  They all hold.  When one joins I, W is 0 and S = T, which counts all of
 *    I and it; later W may rise and fall, which changes S not at all, and S only falls by I's own.  So S >= |I|.
 *  - Once the place is closed and the fence is over, no count enters a row but to be taken back, in the same row.  A row read at any
 *    moment from then on, its downs before its ups, is at least what it will be at the end, so a sum that reads 0 is S = 0, for good.
 *  - S = 0 is I empty.  BIASED may then be taken out of the word; W is right, and who leaves finds it there.
 * A count that will be taken back may make a sum 1 too high; its reader then finds that it is awaited.
 *
 * Nothing of a mutex is touched after it may have been freed.  The last that a reader does with it is to read its word, before it
 * counts down; what it looks at afterwards, row and place, is never freed.  Whoever finds the sum 0 there touches the mutex
 * only if the place is awaited and drained: then a writer waits in its queue, who can't be served but with the place's lock.
 *
 * So places outlive mutexes: one that is freed while it is biased leaves its place behind, and its address may become another mutex's,
 * whose word is 0.  When no place is free a place is taken from its mutex: closed, fenced, and if the sum is 0 it is the
 * new mutex's; the old one, if there is one, finds out that its place has another name.  That sum is also 0 for a mutex
 * that has ended, unless it was freed while it was held.
 *
 *     place            open    awaited  drained   by whom, with the place's lock
 *     free             0       0        0
 *     open             name    0        0         a reader, after many reads: rn__readers_due
 *     closed a moment  0       0        0         try_lock, the search for a place, the check of a wrong unlock
 *     closing          0       1        0         a writer, which is in the queue; it does the fence without the lock
 *     drained          0       1        1         the same, after the fence, if there are readers
 *     free again                                  who finds the sum 0: that writer, or a reader that leaves
 *     open again                                  who finds that no writer waits any more
 *
 * The bias costs a writer some microseconds, so it is taken up after DUE reads with no write among them (counted in the word
 * by the short way, at no cost); and after a writer has given it up, not before so many reads more that the time which they
 * took is RESTS times what the writer spent.  So writers lose at most a tenth of the time to this.
 *
 * Never biased: without membarrier (then the light fence is a full one, no cheaper than the word), while lock order is watched, in builds
 * that explore schedules or detect races.
 *
 * Who unlocks what is not locked is told at once if its goroutine holds no other read lock of this kind (rn_g.reads,
 * a guess: Go lets any goroutine unlock): then all rows are looked at.  If it does, the next writer is told.
 *
 * Lock order: a place's lock before the mutex's queue.
 *
 * What both do when nothing is in the way is compiled into programs as well (runnel/rwmutex.h), step by step as below.
 *
 * Rejected:
 *  - Counters in the mutex, one for each processor: 16 lines for each mutex, and a reader's wake-up would touch it
 *    after it has let go.
 *  - Rows as hash tables keyed by the mutex's address: no place has to be found for a mutex, but an entry that is
 *    counted up in one row and down in another is 0 in neither, and stays for ever.
 *  - Counts per processor (sched/local.h): entering it costs a store and two loads more, and a processor may be taken away
 *    between the two.
 *  - The reader's slot of BRAVO's table, found again by the unlock: needs the same thread for both.
 *
 * Model test: tests/model/readers.c.
 */
#ifndef RN_SYNC_READERS_H
#define RN_SYNC_READERS_H

#include "sched/tally.h"
#include <runnel/rwmutex.h>

/* The word's bits: rwmutex.c.  runnel/rwmutex.h has the numbers too. */
enum {
    RN_RW_WRITER = 1,
    RN_RW_QUEUED = 2,
    RN_RW_WOKEN = 4,
    RN_RW_BIASED = 8,
    RN_RW_TICK = 1 << 5,
    RN_RW_DUE = 1 << 15,
    RN_RW_TICKS = 2 * RN_RW_DUE - RN_RW_TICK, /* with DUE */
    RN_RW_READER = 1 << 16,
    RN_RW_PLACE = 48 /* the first bit of its number */
};

static inline uint32_t rn__rw_readers(uint64_t s)
{
    return (uint32_t)(s / RN_RW_READER);
}

static inline uint32_t rn__rw_place(uint64_t s)
{
    return (uint32_t)(s >> RN_RW_PLACE);
}

static inline uint64_t rn__rw_unbiased(uint64_t s)
{
    return s & ~((uint64_t)RN_RW_BIASED | ~(uint64_t)0 << RN_RW_PLACE);
}

/* A place, but for what readers read (struct rn_readers_place, of the same number). */
struct rn_readers {
    rn_lock lock;              /* guards the rest, and all writes to the other part; rank READERS */
    rn_atomic(uintptr_t) name; /* the mutex that has it, 0: nobody; read without the lock as a hint */
    bool drained;
} __attribute__((aligned(64)));
extern struct rn_readers rn__readers[RN_TALLIES];

static inline struct rn_readers_place *rn__readers_place(const struct rn_readers *r)
{
    return &rn__readers_places[r - rn__readers];
}

/* Not the address itself: what stands here does not keep what it names alive for the search for leaks. */
static inline uintptr_t rn__readers_name(const rn_rwmutex *m)
{
    return ~(uintptr_t)m;
}

/* The sum may be 0 now. */
void rn__readers_left(uint32_t k);

/* rn_g.reads, in general. */
void rn__readers_holds_more(struct rn_g *g);
void rn__readers_holds_fewer(struct rn_g *g);

static inline void rn__readers_count_down(struct rn_tally *t, uint32_t k)
{
    rn__tally_down(t, k);
    /* Orders the count before the load; pairs with the heavy fence after awaited was set. */
    rn_fence_light_known();
    /* relaxed: the lock publishes the rest. */
    if (__builtin_expect(rn_load_relaxed(&rn__readers_places[k].rn_awaited) != 0, 0))
        rn__readers_left(k);
}

enum rn_reader { RN_READER_IN, RN_READER_BY_WORD, RN_READER_REFUSED };

/* Takes the read lock if m is biased and open.  REFUSED: it was not open, and rn__readers_take_back(*k) is to be called.  Does not
 * park or wait. */
static inline enum rn_reader rn__readers_try_enter(rn_rwmutex *m, uint32_t *k)
{
    uint64_t s = rn_load_relaxed(&m->rn_state); /* relaxed: a guess; open says whether it is so */
    if (__builtin_expect(!(s & RN_RW_BIASED), 0))
        return RN_READER_BY_WORD;
    struct rn_g *g;
    struct rn_tally *t = rn__tally(&g);
    if (__builtin_expect(!t, 0))
        return RN_READER_BY_WORD;
    *k = rn__rw_place(s);
    rn__tally_up(t, *k);
    /* Orders the count before the load; pairs with the heavy fence after open was set to 0. */
    rn_fence_light_known();
    /* acquire: pairs with the release by which the place was opened, after all that writers had done. */
    if (__builtin_expect(rn_load_acquire(&rn__readers_places[*k].rn_open) != rn__readers_name(m), 0))
        return RN_READER_REFUSED;
    /* The usual case is written without what was read, for which the next would wait. */
    if (__builtin_expect(g->reads == 0, 1))
        g->reads = 1;
    else
        rn__readers_holds_more(g);
    return RN_READER_IN;
}

/* The count of one that was refused, before anything else. */
void rn__readers_take_back(uint32_t k);

/* Gives a read lock of m back, if m is biased and g is likely to hold this one and no other. */
static inline bool rn__readers_leave(rn_rwmutex *m)
{
    /* relaxed: the caller comes after its own lock, and while it holds m BIASED does not go but with it counted in W. */
    uint64_t s = rn_load_relaxed(&m->rn_state);
    if (__builtin_expect(!(s & RN_RW_BIASED) || rn__rw_readers(s), 0))
        return false;
    struct rn_g *g;
    struct rn_tally *t = rn__tally(&g);
    if (__builtin_expect(!t || g->reads != 1, 0))
        return false;
    g->reads = 0;
    rn__readers_count_down(t, rn__rw_place(s));
    return true;
}

/* The same for whoever it is, also when it holds none, which is fatal.  False: m is not, or no longer, biased in the way that s says. */
bool rn__readers_leave_checked(rn_rwmutex *m, uint64_t s);

/* A reader on its way in by the word, which is BIASED or DUE; no lock held.  True: it is in. */
bool rn__readers_due(rn_rwmutex *m, uint64_t s);

/* m's place with its lock held; NULL: m is not biased.  Until the release nobody else takes BIASED out of the word. */
struct rn_readers *rn__readers_hold(rn_rwmutex *m);

static inline void rn__readers_release(struct rn_readers *r)
{
    rn_lock_release(&r->lock);
}

/* ---- the rest needs the place's lock --------------------------------------------------------------- */

/* Whether the sum is 0, once the place is closed and the fence is over.  Fatal when it is negative: somebody has unlocked what
 * was not locked. */
bool rn__readers_are_gone_locked(const struct rn_readers *r);
/* Closes the place for the writer, in m's queue; false: another has. */
bool rn__readers_close_locked(struct rn_readers *r);
/* The fence after that is over, and there are readers, the last of whom will pass m on. */
static inline void rn__readers_drained_locked(struct rn_readers *r)
{
    rn_lock_assert_held(&r->lock);
    r->drained = true;
}
/* Readers count themselves again; m's queue locked, or nobody else has seen it closed. */
void rn__readers_open_locked(struct rn_readers *r);
/* The sum is 0, and BIASED is gone from the word, or m is. */
void rn__readers_free_locked(struct rn_readers *r);
/* Takes the write lock if nobody has m. */
bool rn__readers_try_lock_locked(struct rn_readers *r, rn_rwmutex *m);
/* Nobody uses m any more: gives its place back.  True: somebody still reads, and nothing has changed. */
bool rn__readers_end_locked(struct rn_readers *r, rn_rwmutex *m);
/* A writer has spent so long on m's readers. */
void rn__readers_rest(rn_rwmutex *m, rn_duration spent);

/* In rwmutex.c, for a drained place whose sum is 0: takes BIASED out of m's word and passes m on.  False: no writer waits,
 * m is as it was. */
bool rn__rwmutex_drained(rn_rwmutex *m, struct rn_ready_list *wake);

#endif
