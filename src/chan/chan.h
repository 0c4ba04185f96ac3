/* The channel, as src/chan and the layers above it see it.
 *
 * A lock, a ring of elements and two queues of waiters.  All matching of senders with receivers is
 * in match.h, once; chan.c (send, receive, try), select.c and the timers use it.
 *
 * What always holds while nobody has the lock:
 *  - At least one of the two queues has no live waiter, except for a goroutine whose select stands
 *    in both.  (A waiter is live while its claim word is 0; one without a claim word always is.)
 *  - Receivers wait only while count == 0; senders wait only while count == capacity.
 *  - A closed channel has no live waiter, and it stays closed.
 *  - senders (receivers) is the number of waiters that were queued and are not yet done with the
 *    channel: a waker counts off whom it wakes, a select counts off its losing cases itself when it
 *    has woken.  So 0 means that nobody will touch the channel on behalf of an old wait.
 *
 * Who may touch what: everything belongs to the holder of the lock, but count, senders, receivers
 * and closed may be read by anybody (rn__chan_seems_… below), and elem and cap never change.
 * A waker may use a waiter that it has claimed until it calls rn__ready: whoever waits stays
 * parked until then.  After dropping the lock nobody touches the channel any more, so a receiver may
 * free it at once.
 *
 * Lock order: rank CHAN; several channels in address order.  No lock is held across rn__ready,
 * rn__park or a panic.
 *
 * Values go from hand to hand: a sender that finds a receiver copies into the receiver's variable,
 * and a receiver that finds a sender behind a full ring takes the oldest element and moves the
 * sender's into the ring, so that order is kept.
 *
 * Tried and rejected: a lock-free ring (Vyukov's) beside the lock for buffered channels.  Closing,
 * select's single instant and hand-over to waiters each need the lock anyway, and an uncontended
 * lock costs the one atomic instruction that the lock-free ring costs as well, or none (lock.c).
 */
#ifndef RN_CHAN_CHAN_H
#define RN_CHAN_CHAN_H

#include "sched/sched.h"
#include "sched/solo.h"

struct rn_chan {
    /* What a send and a receive write comes first, so that it shares one cache line. */
    rn_lock lock;
    rn_atomic(uint32_t) changes; /* how often the lock was taken, modulo 2^32 */
    rn_atomic(size_t) count;     /* elements in the ring */
    size_t cap;                  /* elements that the ring has room for */
    char *head, *tail;           /* oldest element; first free place */
    struct rn_list recvq;        /* of rn_waiter, first come first served */
    uint32_t elem;               /* bytes of an element; 0: nothing is stored */
    rn_atomic(bool) closed;
    bool timer;               /* belongs to a timer: len and cap show 0 */
    rn_atomic(uint16_t) life; /* enum rn_chan_life; looked at by rn__chan_check */
    struct rn_list sendq;
    rn_atomic(uint32_t) receivers, senders;
    char *ring, *end;
    rn_atomic(uint32_t) free; /* lock.held when nobody has it: whose own it is */
    uint32_t owner;           /* whose own it may become: lock.c */
#ifdef RN_RACE
    struct rn_chan_turns *turns; /* guarded by the lock; see race.h */
#endif
};

/* One of rn__chan_make's, with what the allocator gave for it. */
struct rn_chan_made {
    struct rn_chan c;
    void *block;
};

/* The end of a context as a channel (ctx_done): no channel, but the context's handle, which is odd, and never dangles.
 * It can be received from, and selected on; it is closed when the context is done or gone. */
static inline bool rn__chan_is_end(const volatile void *c)
{
    return (uintptr_t)c & 1;
}

enum rn_chan_life { RN_CHAN_ALIVE = 0xC4A7, RN_CHAN_FREED = 0xDEAD };

/* ---- for the caller's memory ----------------------------------------------------------------- */

/* Makes c an open channel; ring has room for cap elements (NULL when elem or cap is 0). */
void rn__chan_init(struct rn_chan *c, size_t elem, size_t cap, void *ring);
/* The end of c, whose memory stays the caller's.  Panics when somebody waits on it; waits for
 * selects that have woken on another channel and have yet to leave this one. */
void rn__chan_destroy(struct rn_chan *c);

/* chan_close and chan_free without a word to the race detector, for channels that are the library's own. */
void rn__chan_close_quietly(struct rn_chan *c);
void rn__chan_free_quietly(struct rn_chan *c);

/* The operations, for the race detector as done at pc. */
#ifdef RN_RACE
void rn__chan_send_at(void *c, const void *v, void *pc);
bool rn__chan_recv_at(void *c, void *v, void *pc);
struct rn_case;
int rn__select_at(struct rn_case *cases, size_t n, void *pc);
#else
#define rn__chan_send_at(c, v, pc) rn__chan_send(c, v)
#define rn__chan_recv_at(c, v, pc) rn__chan_recv(c, v)
#define rn__select_at(cases, n, pc) rn__select(cases, n)
#endif

/* ---- for timers ------------------------------------------------------------------------------- */

/* Sends v if that needs no waiting, and adds a woken receiver to wake (for rn__ready_all, once no
 * lock is held).  False when full or closed.  With locks of rank up to TIMERS held. */
bool rn__chan_offer(struct rn_chan *c, const void *v, struct rn_ready_list *wake);
/* Drops what is buffered; returns how many elements that were.  Nobody may be waiting to send. */
size_t rn__chan_drain(struct rn_chan *c);
/* Whether somebody waits to receive: a hint unless the lock is held. */
static inline bool rn__chan_awaited(struct rn_chan *c)
{
    /* relaxed: a report, nothing is read on the strength of it. */
    return rn_load_relaxed(&c->receivers) != 0;
}

/* ---- the lock ----------------------------------------------------------------------------------- */

/* c->lock.held: lock.c has the transitions. */
enum { RN_CHAN_HELD = 1, RN_CHAN_LEAVING = 2, RN_CHAN_OWNED = RN_SOLO_NAME };
enum { RN_CHAN_LOOKS = 1024 }; /* locks from one look at who takes them to the next */

/* The lock, after rn__chan_try_lock has failed. */
void rn__chan_lock_slow(struct rn_chan *c);

/* Whoever has just taken the lock counts that. */
static inline void rn__chan_count_change(struct rn_chan *c, uint32_t changes)
{
    /* release: pairs with the acquire in rn__chan_glance, for which the lock is then seen as taken.
     * Only the holder of the lock writes it. */
    rn_store_release(&c->changes, changes);
}

static inline void rn__chan_let_go(struct rn_chan *c, uint32_t free)
{
    /* release: pairs with the acquire of the next holder. */
    rn_store_release(&c->lock.held, free);
}

/* One try, the quick way.  free: c->free, by a guess.  Who has the lock then knows that it is. */
static inline bool rn__chan_grab(struct rn_chan *c, uint32_t free)
{
    /* acquire, both: pair with the release in rn__chan_let_go; publish what the last holder wrote. */
    if (!free)
        return rn_cas_acquire(&c->lock.held, &free, RN_CHAN_HELD);
    return free == rn__solo() && rn__solo_take(&c->lock.held, free, free | RN_CHAN_HELD);
}

/* For who takes it anyhow (rn__chan_lock_slow), so its rank is checked.  False also each time that it is to be looked who takes
 * it.  *free: for rn__chan_unlock_to, by who has not called anything that may change it. */
static inline bool rn__chan_try_lock(struct rn_chan *c, uint32_t *free)
{
    rn__rank_check(&c->lock, RN_RANK_CHAN);
    *free = rn_load_relaxed(&c->free); /* relaxed: a guess */
    if (__builtin_expect(!rn__chan_grab(c, *free), 0))
        return false;
    uint32_t n = rn_load_relaxed(&c->changes) + 1;
    if (__builtin_expect(n % RN_CHAN_LOOKS == 0, 0)) {
        rn__chan_let_go(c, *free);
        return false;
    }
    rn__rank_taken(&c->lock, RN_RANK_CHAN);
    rn__chan_count_change(c, n);
    return true;
}

static inline void rn__chan_lock(struct rn_chan *c)
{
    uint32_t free;
    if (!rn__chan_try_lock(c, &free))
        rn__chan_lock_slow(c);
}

static inline void rn__chan_unlock_to(struct rn_chan *c, uint32_t free)
{
    rn__rank_dropped(&c->lock);
    rn__chan_let_go(c, free);
}

static inline void rn__chan_unlock(struct rn_chan *c)
{
    rn__chan_unlock_to(c, rn_load_relaxed(&c->free)); /* relaxed: the holder's, which the lock orders */
}

/* Whether somebody has the lock, at this moment. */
static inline bool rn__chan_is_held(struct rn_chan *c)
{
    /* acquire: pairs with the release of the lock; publishes what its last holder changed. */
    return rn_load_acquire(&c->lock.held) & RN_CHAN_HELD;
}

/* ---- looks without the lock ------------------------------------------------------------------- */

/* Could a receive go on now?  False is exact: there was a moment during the call at which the
 * channel was open and empty.  (It was empty when the first load looked, and open later than that;
 * a channel that is open was open before.)  True must be tried with the lock. */
static inline bool rn__chan_seems_receivable(struct rn_chan *c)
{
    /* acquire, both: keep the loads in this order, and those of rn__chan_unchanged behind them. */
    bool empty = c->cap ? rn_load_acquire(&c->count) == 0 : rn_load_acquire(&c->senders) == 0;
    return !empty || rn_load_acquire(&c->closed);
}

/* Could a send go on (or panic) now?  False is exact: at the first load the channel was open, at
 * the second it was full, and a channel does not become full by being closed, so that at one moment
 * between the two it was open and full.  True must be tried with the lock. */
static inline bool rn__chan_seems_sendable(struct rn_chan *c)
{
    /* acquire, both: as above. */
    if (rn_load_acquire(&c->closed))
        return true;
    return c->cap ? rn_load_acquire(&c->count) < c->cap : rn_load_acquire(&c->receivers) != 0;
}

/* For select with a default, which must judge several channels at one instant: rn__chan_glance, then
 * rn__chan_seems_…, for each of them; then, for each, rn__chan_unchanged.  When that is true of all,
 * they were all as they seemed at the moment between the two rounds: whoever holds a channel's lock
 * has counted up `changes` before it changes anything, and each was seen unlocked with the count
 * that it still had afterwards.  (A sequence lock, with the channel's own lock for the writers.  That
 * "the moment" is the same for everybody takes a machine on which a store reaches all others at
 * once: x86 and ARMv8 are such.)  False: somebody has the lock. */
static inline bool rn__chan_glance(struct rn_chan *c, uint32_t *changes)
{
    /* acquire: pairs with the release in rn__chan_lock: the lock is then seen as that holder left it
     * or later. */
    *changes = rn_load_acquire(&c->changes);
    return !rn__chan_is_held(c);
}

/* relaxed: the loads in rn__chan_seems_… before it acquire, and what a later holder stores there it
 * releases after counting up. */
static inline bool rn__chan_unchanged(struct rn_chan *c, uint32_t changes)
{
    return rn_load_relaxed(&c->changes) == changes;
}

/* ---- use after free ----------------------------------------------------------------------------- */

/* Debug builds, and those in which schedules are explored, keep freed channels for a while (graveyard.c) and panic when
 * one is used. */
#if defined(RN_DEBUG) || defined(RN_EXPLORE)
#define RN_CHAN_GRAVES 1
#endif
static inline void rn__chan_check(struct rn_chan *c)
{
#ifdef RN_CHAN_GRAVES
    /* relaxed: a check of misuse; the use of a freed channel has no order anyway. */
    if (rn_load_relaxed(&c->life) != RN_CHAN_ALIVE)
        rn_panic("use of a freed channel");
#else
    (void)c;
#endif
}

/* Gives the memory of a dead channel back, with RN_CHAN_GRAVES after a while. */
void rn__chan_bury(struct rn_chan *c);

#endif
