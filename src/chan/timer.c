/* Timers, tickers and after_func: entries in the scheduler's timers that send on a channel or start
 * a goroutine.
 *
 * A timer's channel has room for one element, so that firing never waits; len and cap show 0 for it.
 *
 * What always holds while nobody has the timer's lock:
 *  - The entry is pending, or has fired, or was stopped, since it was last set.
 *  - A value in the channel is from the last setting: stop and reset first stop the entry (after
 *    which fire does not run), then drain the channel, and only then set it again.
 *
 * The lock makes stop, drain and start one step for those who stop and reset the same timer at once.  A
 * timer, no ticker, that is pending has nothing in its channel: to take its entry out, or to give it another moment, is
 * one step already, and needs no lock.  fire does not take it either.  Lock order: a timer's (rank SYNC), then TIMERS, then CHAN.
 */
#include "base/alloc.h"
#include "base/hooks.h"
#include "chan/chan.h"
#include "chan/race.h"
#include "chan/timer.h"
#include <runnel/timer.h>

struct timer {
    struct rn_timer_entry entry;
    struct rn_chan chan; /* unless f */
    rn_time value;       /* the channel's one element */
    rn_lock lock;
    bool owned;         /* by rn_after or rn_tick: freed by chan_free */
    bool heap;          /* of after_func without a timer: freed by its goroutine */
    rn_duration period; /* of a ticker; else 0 */
    void (*f)(void *);  /* of after_func */
    void *arg;
    const struct timer *self; /* while it is set; last: of a frame that was left, that end is overwritten first */
};

RN_STATIC_ASSERT(sizeof(struct timer) <= sizeof(rn_timer), "rn_timer holds a timer");
RN_STATIC_ASSERT(offsetof(struct timer, chan) == sizeof(struct rn_timer_entry), "RN_TIMER_CHAN: the channel follows");

static struct timer *timer_of(rn_timer *t)
{
    return (struct timer *)(void *)t;
}

static struct timer *timer_of_entry(struct rn_timer_entry *e)
{
    return rn_container(e, struct timer, entry);
}

/* ---- firing, with the lock of the timers held ------------------------------------------------------ */

/* Of an entry that fires.  Its beginning was looked at already (base/wheel.c). */
static struct timer *whole(struct rn_timer_entry *e)
{
    struct timer *t = timer_of_entry(e);
    if (__builtin_expect(t->self != t, 0))
        rn__wheel_broken(&e->wheel);
    return t;
}

static rn_time fire_once(struct rn_timer_entry *e, rn_time now, struct rn_ready_list *wake)
{
    rn__chan_offer(&whole(e)->chan, &now, wake);
    return 0;
}

/* The next tick keeps to the beat; those that were missed are left out. */
static rn_time fire_tick(struct rn_timer_entry *e, rn_time now, struct rn_ready_list *wake)
{
    struct timer *t = whole(e);
    rn_time when = e->wheel.when;
    rn__chan_offer(&t->chan, &now, wake);
    return rn_time_add(when, t->period * (1 + (now - when) / t->period));
}

static void run_and_free(void *arg)
{
    struct timer t = *(struct timer *)arg;
    rn__free(arg);
    t.f(t.arg);
}

/* When there is no memory for a goroutine it is tried again a little later, rather than lost. */
static rn_time fire_func(struct rn_timer_entry *e, rn_time now, struct rn_ready_list *wake)
{
    struct timer *t = whole(e);
    void *name = rn__chan_race_name(&t->chan);
    int err = t->heap ? rn__spawn_after(run_and_free, t, wake, name) : rn__spawn_after(t->f, t->arg, wake, name);
    return err ? rn_time_add(now, RN_MILLISECOND) : 0;
}

/* Nobody can notice that a timer fires on whose channel nobody waits. */
static bool chan_awaited(struct rn_timer_entry *e)
{
    return rn__chan_awaited(&timer_of_entry(e)->chan);
}

/* ---- stop and reset ---------------------------------------------------------------------------------- */

/* Drops what is in the channel of an entry that was stopped; true when that was something. */
static bool drain(struct timer *t)
{
    /* relaxed: what fire wrote was published to rn__timer_stop, and nothing else fills it. */
    return rn_load_relaxed(&t->chan.count) != 0 && rn__chan_drain(&t->chan) != 0;
}

/* With the lock: afterwards the entry is idle and the channel empty.  (One that was pending, and no
 * ticker, had nothing in its channel.) */
static bool stop_locked(struct timer *t)
{
    rn_lock_assert_held(&t->lock);
    bool was = rn__timer_stop(&t->entry);
    if (!t->f && (!was || t->period))
        was |= drain(t);
    return was;
}

/* Member by member, since the channel is made zero by rn__chan_init already. */
static void init(struct timer *t, rn_duration d, rn_duration period)
{
    t->entry = (struct rn_timer_entry){.fire = period ? fire_tick : fire_once,
                                       .kind = period ? RN_TIMER_EVENT : RN_TIMER_CHAN,
                                       .awaited = chan_awaited};
    rn__chan_init(&t->chan, sizeof(rn_time), 1, &t->value);
    t->chan.timer = true;
    t->value = 0;
    t->lock = (rn_lock){0};
    t->owned = t->heap = false;
    t->period = period;
    t->f = NULL;
    t->arg = NULL;
    t->self = t;
    rn__chan_race_set(&t->chan);
    rn__tell_made(&t->entry, RN_MADE_TIMER);
    rn__timer_start(&t->entry, rn__deadline(d));
}

/* Nobody has set it: all-zero, or destroyed.  (fire is written by init and destroy alone.) */
static bool is_unset(const struct timer *t)
{
    return !t->entry.fire;
}

static bool is_once(const struct timer *t)
{
    return t->entry.fire != fire_tick;
}

bool rn_timer_stop(rn_timer *timer)
{
    rn__point(RN_AT_TIMER, timer);
    struct timer *t = timer_of(timer);
    if (is_unset(t))
        rn_panic("time: Stop called on uninitialized Timer");
    if (is_once(t) && rn__timer_stop(&t->entry))
        return true;
    rn_lock_take(&t->lock, RN_RANK_SYNC);
    bool was = stop_locked(t);
    rn_lock_release(&t->lock);
    return was;
}

static bool reset(struct timer *t, rn_duration d, rn_duration period)
{
    rn_time when = rn__deadline(d);
    rn__chan_race_set(&t->chan);
    if (is_once(t) && rn__timer_move(&t->entry, when))
        return true;
    struct rn_m *m = rn__timer_begin();
    rn_lock_take(&t->lock, RN_RANK_SYNC);
    bool was = stop_locked(t);
    t->period = period;
    rn__timer_start_begun(m, &t->entry, when);
    rn_lock_release(&t->lock);
    return was;
}

bool(rn_timer_reset)(rn_timer *timer, rn_duration d)
{
    rn__point(RN_AT_TIMER, timer);
    if (is_unset(timer_of(timer)))
        rn_panic("time: Reset called on uninitialized Timer");
    return reset(timer_of(timer), d, 0);
}

void *rn__timer_chan(rn_timer *timer)
{
    struct timer *t = timer_of(timer);
    return t->f || is_unset(t) ? NULL : &t->chan;
}

/* ---- timers -------------------------------------------------------------------------------------------- */

void(rn_timer_init)(rn_timer *t, rn_duration d)
{
    init(timer_of(t), d, 0);
}

void rn_timer_destroy(rn_timer *timer)
{
    struct timer *t = timer_of(timer);
    if (is_unset(t))
        return;
    rn__point(RN_AT_TIMER, timer);
    rn__timer_stop(&t->entry); /* without the lock: nobody else may use it now */
    if (!t->f)
        rn__chan_destroy(&t->chan);
    t->entry.fire = NULL;
}

static struct timer *make(void)
{
    RN_STATIC_ASSERT(__alignof__(struct timer) <= __alignof__(max_align_t), "malloc's blocks are aligned for it");
    struct timer *t = rn__malloc(sizeof(rn_timer));
    if (!t)
        rn_panic("timer: out of memory");
    return t;
}

rn_timer *(rn_timer_make)(rn_duration d)
{
    struct timer *t = make();
    init(t, d, 0);
    return (rn_timer *)(void *)t;
}

void rn_timer_free(rn_timer *t)
{
    if (!t)
        return;
    rn_timer_destroy(t);
    rn__free(t);
}

void rn__after_func(rn_timer *timer, rn_duration d, void (*f)(void *), void *arg)
{
    if (!f)
        rn_fatal("go of nil func value");
    struct timer *t = timer ? timer_of(timer) : make();
    *t = (struct timer){
        .entry = {.fire = fire_func, .kind = RN_TIMER_LIMIT}, .f = f, .arg = arg, .heap = !timer, .self = t};
    rn__chan_race_set(&t->chan);
    rn__timer_start(&t->entry, rn__deadline(d));
}

/* ---- tickers ------------------------------------------------------------------------------------------- */

void(rn_ticker_init)(rn_ticker *t, rn_duration d)
{
    if (d <= 0)
        rn_panic("non-positive interval for NewTicker");
    init(timer_of(&t->rn_private), d, d);
}

void rn_ticker_destroy(rn_ticker *t)
{
    rn_timer_destroy(&t->rn_private);
}

rn_ticker *(rn_ticker_make)(rn_duration d)
{
    if (d <= 0)
        rn_panic("non-positive interval for NewTicker");
    struct timer *t = make();
    init(t, d, d);
    return (rn_ticker *)(void *)t;
}

void rn_ticker_free(rn_ticker *t)
{
    rn_timer_free(t ? &t->rn_private : NULL);
}

void rn_ticker_stop(rn_ticker *t)
{
    if (!is_unset(timer_of(&t->rn_private)))
        rn_timer_stop(&t->rn_private);
}

void(rn_ticker_reset)(rn_ticker *t, rn_duration d)
{
    rn__point(RN_AT_TIMER, t);
    if (d <= 0)
        rn_panic("non-positive interval for Ticker.Reset");
    if (is_unset(timer_of(&t->rn_private)))
        rn_panic("time: Reset called on uninitialized Ticker");
    reset(timer_of(&t->rn_private), d, d);
}

/* ---- channels alone -------------------------------------------------------------------------------------- */

void *rn__after(rn_duration d, bool every)
{
    if (every && d <= 0)
        return NULL;
    struct timer *t = make();
    init(t, d, every ? d : 0);
    t->owned = true;
    return &t->chan;
}

void rn__timer_chan_free(struct rn_chan *c)
{
    struct timer *t = rn_container(c, struct timer, chan);
    if (!t->owned)
        rn_panic("chan_free: the channel belongs to a timer");
    rn_timer_free((rn_timer *)(void *)t);
}
