/* runnel/timer.h: timers, tickers, and functions that run later.
 *
 *     rn_timer t;
 *     rn_timer_init(&t, RN_SECOND);
 *     defer(rn_timer_destroy, &t);
 *     rn_time at = chan_recv(rn_timer_chan(&t));     // a second later
 *     rn_timer_reset(&t, 2 * RN_SECOND);             // once more
 *
 *     rn_ticker every;                               // the same with rn_ticker_…
 *     rn_ticker_init(&every, 100 * RN_MILLISECOND);
 *     for (rn_time at; chan_next(rn_ticker_chan(&every), &at);) …
 *
 *     rn_timer later;
 *     rn_after_func(&later, RN_MINUTE, save, document);   // save(document) in a goroutine of its own
 *
 * Inside a select, on_timeout(d) is simpler and cheaper than any of these.
 *
 * As in Go since 1.23: once stop or reset has returned, no value from before can be received; a value that has come but
 * was not received makes them return true.  The channel shows length and capacity 0.  A timer whose channel nobody
 * receives from does not hold back the deadlock report.
 *
 * An rn_timer or rn_ticker is the caller's memory, which must stay where it is until destroy has returned.
 * (Overwriting a pending one is a fatal error, once it is noticed; vet's rule losttimer sees it in the source.)  make
 * and free are the same on the heap.  One that was never set (all-zero memory), or was destroyed, may be destroyed, and
 * its channel is NULL; stopping or resetting it panics ("time: Stop called on uninitialized Timer"), as in Go, except
 * that rn_ticker_stop does nothing.  All of these may be called from goroutines and plain threads, by several at once;
 * none blocks; not from signal handlers.
 *
 * Happens before: the call that set the timer before the receive of its value, or the start of f.
 */
#ifndef RUNNEL_TIMER_H
#define RUNNEL_TIMER_H

#include <runnel/base.h>
#include <runnel/chan.h>
#include <runnel/go.h>
#include <runnel/time.h>

RN_EXTERN_C_BEGIN

/* Opaque; its size is checked in src/chan/timer.c. */
typedef struct rn_timer {
    uint64_t rn_private[32];
} rn_timer;
typedef struct rn_ticker {
    rn_timer rn_private;
} rn_ticker;

/* ---- timers -------------------------------------------------------------------------------------- */

/* Sets t to send the time on its channel once, d from now (d <= 0: now).  t is fresh memory, or destroyed; one that is
 * in use is for rn_timer_reset. */
RN_PUBLIC void rn_timer_init(rn_timer *t, rn_duration d);
#define rn_timer_init(t, d) rn_timer_init((t), RN__DURATION(d))
/* Stops t.  Nobody may be waiting on its channel (panics), nor use that afterwards. */
RN_PUBLIC void rn_timer_destroy(rn_timer *t);
/* The same on the heap; make panics when there is no memory ("timer: out of memory"). */
RN_PUBLIC rn_timer *rn_timer_make(rn_duration d) RN_MUST_USE;
#define rn_timer_make(d) rn_timer_make(RN__DURATION(d))
RN_PUBLIC void rn_timer_free(rn_timer *t);

/* t's channel, the same all its life.  Not to be closed or freed (both panic).  NULL for one of rn_after_func, or never set. */
RN_PUBLIC void *rn__timer_chan(rn_timer *t);
#define rn_timer_chan(t) ((rn_chan_recv_only(rn_time))rn__timer_chan(t))

/* Stops t.  True if it was going to fire, or had fired and its value was not received: nothing will
 * be received any more.  False if it was stopped before, or its value was received, or (for rn_after_func) if
 * f has been started, for whose end stop does not wait. */
RN_PUBLIC bool rn_timer_stop(rn_timer *t);
/* Stops t and sets it to fire d from now; returns as stop. */
RN_PUBLIC bool rn_timer_reset(rn_timer *t, rn_duration d);
#define rn_timer_reset(t, d) rn_timer_reset((t), RN__DURATION(d))

/* rn_after_func(t, d, f, arg): d from now f(arg) runs in its own goroutine; arg is a pointer or an
 * integer.  t, fresh memory or destroyed, can stop and reset that; rn_timer_destroy(t) when no longer needed,
 * which f itself may do.  t == NULL: it can't be stopped, and nothing need be kept (panics when there is no
 * memory).  A pending one holds back the deadlock report. */
#define rn_after_func(t, d, f, arg) \
    (RN__DEFER_CHECK(f, arg),       \
     rn__after_func((t), RN__DURATION(d), (void (*)(void *))(void (*)(void))(f), (void *)(uintptr_t)(arg)))
RN_PUBLIC void rn__after_func(rn_timer *t, rn_duration d, void (*f)(void *), void *arg);

/* ---- tickers ------------------------------------------------------------------------------------- */

/* Sets t to send the time every d.  One tick is kept for a slow receiver, others are dropped.
 * d <= 0 panics ("non-positive interval for NewTicker"). */
RN_PUBLIC void rn_ticker_init(rn_ticker *t, rn_duration d);
#define rn_ticker_init(t, d) rn_ticker_init((t), RN__DURATION(d))
RN_PUBLIC void rn_ticker_destroy(rn_ticker *t);
RN_PUBLIC rn_ticker *rn_ticker_make(rn_duration d) RN_MUST_USE;
#define rn_ticker_make(d) rn_ticker_make(RN__DURATION(d))
RN_PUBLIC void rn_ticker_free(rn_ticker *t);
#define rn_ticker_chan(t) ((rn_chan_recv_only(rn_time))rn__timer_chan(&(t)->rn_private))
/* No more ticks; the channel is not closed. */
RN_PUBLIC void rn_ticker_stop(rn_ticker *t);
/* The next tick comes d from now, and then every d.  d <= 0 panics ("non-positive interval for
 * Ticker.Reset"). */
RN_PUBLIC void rn_ticker_reset(rn_ticker *t, rn_duration d);
#define rn_ticker_reset(t, d) rn_ticker_reset((t), RN__DURATION(d))

/* ---- channels alone ------------------------------------------------------------------------------ */

/* A channel on which the time comes once, d from now; or every d (NULL when d <= 0).  The caller's:
 * chan_free stops and frees it, at any time.  Panics when there is no memory. */
RN_PUBLIC void *rn__after(rn_duration d, bool every);
#define rn_after(d) ((rn_chan_recv_only(rn_time))rn__after(RN__DURATION(d), false))
#define rn_tick(d) ((rn_chan_recv_only(rn_time))rn__after(RN__DURATION(d), true))

RN_EXTERN_C_END
#endif
