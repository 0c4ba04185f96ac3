/* What a channel tells the race detector: Go's edges and no others.  All of it is empty without RN_RACE.
 *
 *     a send                   before    the receive of its value returns
 *     the kth receive          before    send k + capacity returns
 *     a receive, capacity 0    before    the send of its value returns
 *     close                    before    a receive returns because of it
 *
 * So each place in the ring has a turn of its own (base/race.h): who sends there stores its past under
 * `sent` and takes over what the last receiver from there stored under `received`; who receives does the
 * reverse.  Each stores before it takes over: what it learns so is not part of what it hands on.
 *
 * Who waits has its past in both words of a turn of its own, and takes over what its waker leaves there.  When the
 * waker puts a waiting sender's value into the ring, or fills the ring and empties it for a
 * receiver, the waiter's turn goes to that place, and the waiter gets the one from there.
 *
 * A channel of a timer has none of this: what its values come after is the call that set the timer.
 *
 * Misuse shows as races on the channel's own memory: sends read the first byte of a word and close writes it (a
 * send may not race with a close), receives read its second byte, and chan_free writes them all.  The detector remembers the
 * last four accesses to a word, so there are eight words, by goroutine: of ten senders the one that close does not come
 * after is not forgotten for the nine that it does.
 */
#ifndef RN_CHAN_RACE_H
#define RN_CHAN_RACE_H

#include "base/race.h"
#include "chan/chan.h"

#ifdef RN_RACE

struct rn_chan_turns {
    size_t head, tail; /* as in the ring */
    struct rn_race_turn *at[];
};

enum { RN_CHAN_NAME_CLOSE, RN_CHAN_NAME_TIMER };

/* The place that the next send, or receive, goes to; NULL: no memory, or a timer's. */
static inline struct rn_race_turn **rn__turn_at(struct rn_chan *c, size_t *place)
{
    struct rn_race_turn **t = &c->turns->at[*place];
    *place = *place + 1 == c->cap ? 0 : *place + 1;
    if (!*t)
        *t = rn__race_turn_get();
    return t;
}

static inline void rn__turn_use(uint64_t *mine, uint64_t *theirs)
{
    rn__race_store(mine);
    rn__race_acquire(theirs);
}

/* This goroutine's value goes into the ring. */
static inline void rn__turn_put(struct rn_chan *c)
{
    struct rn_race_turn **t = c->turns ? rn__turn_at(c, &c->turns->tail) : NULL;
    if (t && *t)
        rn__turn_use(&(*t)->sent, &(*t)->received);
}

/* This goroutine takes a value out of the ring. */
static inline void rn__turn_get(struct rn_chan *c)
{
    struct rn_race_turn **t = c->turns ? rn__turn_at(c, &c->turns->head) : NULL;
    if (t && *t)
        rn__turn_use(&(*t)->received, &(*t)->sent);
    if (c->timer)
        rn__race_acquire(RN_RACE_NAME(c, RN_CHAN_NAME_TIMER));
}

static inline void rn__turn_swap(struct rn_race_turn **t, struct rn_waiter *w)
{
    struct rn_race_turn *old = *t;
    *t = w->turn;
    w->turn = old;
}

/* The value of w, a sender that waits, goes into the full ring. */
static inline void rn__turn_put_for(struct rn_chan *c, struct rn_waiter *w)
{
    if (c->turns)
        rn__turn_swap(rn__turn_at(c, &c->turns->tail), w);
}

/* w, a sender that waits for a receiver, meets this goroutine. */
static inline void rn__turn_get_from(struct rn_waiter *w)
{
    if (w->turn)
        rn__turn_use(&w->turn->received, &w->turn->sent);
}

/* w, a receiver that waits, gets this goroutine's value: as if by way of the ring, if there is one. */
static inline void rn__turn_put_to(struct rn_chan *c, struct rn_waiter *w)
{
    if (c->turns) {
        size_t place = c->turns->tail;
        struct rn_race_turn **t = rn__turn_at(c, &place);
        if (*t)
            rn__turn_use(&(*t)->sent, &(*t)->received);
        rn__turn_swap(t, w);
        c->turns->head = c->turns->tail = place;
    } else if (!c->timer && w->turn) {
        rn__turn_use(&w->turn->sent, &w->turn->received);
    }
}

/* The channel is closed under w. */
static inline void rn__turn_close_for(struct rn_waiter *w)
{
    if (w->turn) {
        rn__race_store(&w->turn->sent);
        rn__race_store(&w->turn->received);
    }
}

/* Before a wait, and after it, when `by` was woken; others that share the turn are done with. */
static inline void rn__turn_wait(struct rn_waiter *w)
{
    w->turn = rn__race_turn_get();
}

/* w, of a channel or not, stands for the same goroutine as `first`. */
static inline void rn__turn_share(struct rn_waiter *w, const struct rn_waiter *first, bool of_channel)
{
    w->turn = first->turn;
    w->timer = of_channel && ((struct rn_chan *)w->of)->timer;
}

static inline void rn__turn_drop(struct rn_waiter *w)
{
    rn__race_turn_put(w->turn);
}

static inline void rn__turn_woken(struct rn_waiter *by, bool sends)
{
    struct rn_chan *c = by->of;
    if (by->turn)
        rn__race_acquire(sends ? &by->turn->received : &by->turn->sent);
    if (by->timer)
        rn__race_acquire(RN_RACE_NAME(c, RN_CHAN_NAME_TIMER));
    rn__race_turn_put(by->turn);
    by->turn = NULL;
}

/* What a select looks at, and what it has written.  How much a receive writes is kept meanwhile: its
 * channel may be gone when it has returned. */
struct rn_case;
enum { RN_SELECT_FEW = 16, RN_SELECT_MOST = 65535 };
struct rn_select_race {
    uint32_t *bytes, few[RN_SELECT_FEW];
};
void rn__select_race_begin(const struct rn_case *cases, size_t n, struct rn_select_race *race, void *pc);
void rn__select_race_end(const struct rn_case *cases, int i, struct rn_select_race *race, void *pc);

void rn__turns_make(struct rn_chan *c);
void rn__turns_free(struct rn_chan *c);

enum { RN_CHAN_RACE_WORDS = 8 };
_Static_assert(sizeof(struct rn_chan) >= 8 * RN_CHAN_RACE_WORDS, "the words are the channel's own");

static inline char *rn__chan_race_word(struct rn_chan *c)
{
    return (char *)c + 8 * (rn__self()->id % RN_CHAN_RACE_WORDS);
}

static inline void rn__chan_race_sends(struct rn_chan *c, const void *v, void *pc)
{
    if (!c)
        return;
    rn__race_read(rn__chan_race_word(c), 1, pc);
    rn__race_read(v, c->elem, pc);
}

/* Returns how many bytes will be written. */
static inline size_t rn__chan_race_receives(struct rn_chan *c, void *pc)
{
    if (!c || rn__chan_is_end(c))
        return 0;
    rn__race_read(rn__chan_race_word(c) + 1, 1, pc);
    return c->elem;
}

static inline void rn__chan_race_received(void *v, size_t n, void *pc)
{
    rn__race_write(v, n, pc);
}

static inline void rn__chan_race_closes(struct rn_chan *c, void *pc)
{
    for (int i = 0; i < RN_CHAN_RACE_WORDS; i++)
        rn__race_write((char *)c + 8 * i, 1, pc);
    rn__race_release(RN_RACE_NAME(c, RN_CHAN_NAME_CLOSE));
}

static inline void rn__chan_race_sees_close(struct rn_chan *c)
{
    rn__race_acquire(RN_RACE_NAME(c, RN_CHAN_NAME_CLOSE));
}

static inline void rn__chan_race_frees(struct rn_chan *c, void *pc)
{
    rn__race_call_begin(pc); /* a report can't know later that this was a channel: it sees rn_chan_free here */
    rn__race_write_here(c, sizeof *c);
    rn__race_call_end();
}

/* For what the timer that c belongs to starts. */
static inline void *rn__chan_race_name(struct rn_chan *c)
{
    return RN_RACE_NAME(c, RN_CHAN_NAME_TIMER);
}

/* The timer that c belongs to is set. */
static inline void rn__chan_race_set(struct rn_chan *c)
{
    rn__race_release(RN_RACE_NAME(c, RN_CHAN_NAME_TIMER));
}

#else

#define rn__turn_put(c) ((void)0)
#define rn__turn_get(c) ((void)0)
#define rn__turn_put_for(c, w) ((void)0)
#define rn__turn_get_from(w) ((void)0)
#define rn__turn_put_to(c, w) ((void)0)
#define rn__turn_close_for(w) ((void)0)
#define rn__turn_wait(w) ((void)0)
#define rn__turn_share(w, first, of_channel) ((void)0)
#define rn__turn_woken(by, sends) ((void)0)
struct rn_select_race {
    char none;
};
#define rn__select_race_begin(cases, n, race, pc) ((void)(race))
#define rn__select_race_end(cases, i, race, pc) ((void)0)
#define rn__turns_make(c) ((void)0)
#define rn__turns_free(c) ((void)0)
#define rn__chan_race_sends(c, v, pc) ((void)0)
#define rn__chan_race_receives(c, pc) 0
#define rn__chan_race_received(v, n, pc) ((void)(n))
#define rn__chan_race_closes(c, pc) ((void)0)
#define rn__chan_race_sees_close(c) ((void)0)
#define rn__chan_race_frees(c, pc) ((void)0)
#define rn__chan_race_set(c) ((void)0)
#define rn__chan_race_name(c) NULL

#endif
#endif
