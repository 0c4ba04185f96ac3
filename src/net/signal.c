/* Signals as values on a channel, and as the end of a context: see runnel/signal.h.
 *
 * The way of a signal: the handler (src/os) sets its bit and wakes the poller; the poller starts a
 * goroutine, of which there is at most one on its way; that takes the bits and sends.  A goroutine,
 * because a send and the end of a context wake others and run what ctx_after_func said, which the poller,
 * that has no processor, can't do.
 *
 * What always holds, under `lock`:
 *  - A signal has our handler while some watch's mask has its bit, and only then.
 *  - rn__external_wakers counts 1 for us while there is a watch at all.
 *  - `watches` has at most one entry for a channel.
 * The lock is one that a goroutine parks for; nobody who holds it waits for anything else: sends here
 * never wait.
 *
 * Tried and rejected: a goroutine that waits for an eventfd all the time.  It would be one more in every
 * listing and every count of goroutines, and a descriptor more.
 */
#include "base/alloc.h"
#include "os/os.h"
#include "sched/sched.h"
#include "sync/mutex.h"
#include <signal.h>
#include <runnel/context.h>
#include <runnel/mutex.h>
#include <runnel/signal.h>
#include <string.h>

/* Somebody who has asked for signals. */
struct watch {
    struct watch *next;
    void *chan;      /* of int; NULL: ctx is to end */
    rn_context *ctx; /* a handle, which may be stale by now */
    uint64_t mask;   /* bit s-1 for signal s */
};

enum { LAST_SIGNAL = 64 };

static rn_mutex lock;
static struct watch *watches;
static uint64_t caught, ignored; /* signals whose action is ours now */
static rn_atomic(bool) delivering;

static uint64_t bit(int signo)
{
    return UINT64_C(1) << (signo - 1);
}

/* ---- delivery ------------------------------------------------------------------------------------- */

static void deliver_one(struct watch *w, int signo)
{
    if (w->chan)
        (void)rn__chan_try_send(w->chan, &signo); /* no room: missed */
    else
        rn_ctx_cancel_cause(w->ctx, RN_ESIGNAL(signo));
}

static void deliver_locked(void)
{
    rn__mutex_assert_held(&lock);
    uint64_t got = rn_os_signals_take();
    for (int s = 1; got && s <= LAST_SIGNAL; s++)
        for (struct watch *w = watches; w && (got & bit(s)); w = w->next)
            if (w->mask & bit(s))
                deliver_one(w, s);
}

static void deliver(void *arg)
{
    (void)arg;
    /* release: before the bits are taken; who sets one later starts another goroutine. */
    rn_store_release(&delivering, false);
    rn_mutex_lock(&lock);
    deliver_locked();
    rn_mutex_unlock(&lock);
}

/* On a worker without a processor: no more than to start a goroutine. */
static void on_pending(struct rn_ready_list *wake)
{
    /* acq_rel: pairs with the release in deliver. */
    if (rn_xchg_acq_rel(&delivering, true))
        return;
    if (rn__spawn(deliver, NULL, wake) != 0)
        rn_store_release(&delivering, false); /* as in deliver; no memory: tried again at the next look */
}

/* ---- who has asked for what ------------------------------------------------------------------------ */

static uint64_t wanted_locked(void)
{
    rn__mutex_assert_held(&lock);
    uint64_t mask = 0;
    for (struct watch *w = watches; w; w = w->next)
        mask |= w->mask;
    return mask;
}

/* Catches what is wanted and not caught yet; on failure releases again what this call has caught. */
static int catch_locked(uint64_t mask)
{
    rn__mutex_assert_held(&lock);
    uint64_t done = 0;
    for (int s = 1; s <= LAST_SIGNAL; s++) {
        if (!(mask & bit(s)) || (caught & bit(s)))
            continue;
        if (rn_os_signal_catch(s) != 0) {
            for (int t = 1; t < s; t++)
                if (done & bit(t))
                    rn_os_signal_release(t);
            return RN_EINVAL;
        }
        done |= bit(s);
    }
    caught |= done;
    ignored &= ~done;
    return 0;
}

/* Gives back the signals that nobody wants any more. */
static void release_locked(void)
{
    rn__mutex_assert_held(&lock);
    uint64_t unwanted = caught & ~wanted_locked();
    for (int s = 1; unwanted && s <= LAST_SIGNAL; s++)
        if (unwanted & bit(s))
            rn_os_signal_release(s);
    caught &= ~unwanted;
}

static void free_locked(struct watch **at)
{
    rn__mutex_assert_held(&lock);
    struct watch *w = *at;
    *at = w->next;
    rn__free(w);
    if (!watches)
        rn_sub_release(&rn__external_wakers, 1); /* as in add_locked; the sleeper asks again by itself */
}

/* Nobody wants these any more. */
static void forget_locked(uint64_t mask)
{
    rn__mutex_assert_held(&lock);
    for (struct watch **at = &watches; *at;) {
        (*at)->mask &= ~mask;
        if ((*at)->mask)
            at = &(*at)->next;
        else
            free_locked(at);
    }
    release_locked();
}

/* When a run ends, all that was asked for in it is void; nobody else runs any more. */
static void on_stop(void)
{
    lock = (rn_mutex){0};
    rn_mutex_lock(&lock);
    forget_locked(UINT64_MAX);
    for (int s = 1; s <= LAST_SIGNAL; s++)
        if (ignored & bit(s))
            rn_os_signal_release(s);
    ignored = 0;
    (void)rn_os_signals_take();
    rn_mutex_unlock(&lock);
    rn_store_relaxed(&delivering, false); /* relaxed: no other thread is left */
}

static struct rn_stop_hook stop_hook = {.f = on_stop};

static struct watch *find_locked(const void *chan)
{
    rn__mutex_assert_held(&lock);
    struct watch *w = watches;
    while (w && w->chan != chan)
        w = w->next;
    return w;
}

static struct watch *add_locked(void)
{
    rn__mutex_assert_held(&lock);
    struct watch *w = rn__calloc(1, sizeof *w);
    if (!w)
        return NULL;
    rn__at_stop(&stop_hook);
    rn_store_release(&rn__poll_signals, on_pending); /* pairs with the acquire in src/sched/poll.c */
    if (!watches)
        rn_add_release(&rn__external_wakers, 1); /* pairs with the acquire in deadlock.c */
    w->next = watches;
    watches = w;
    return w;
}

/* ---- the calls ------------------------------------------------------------------------------------- */

/* The set as a mask; 0 when one of them is no signal.  None named: all that can be had. */
static uint64_t mask_of(const int *signals, size_t n)
{
    uint64_t mask = 0;
    for (int s = 1; n == 0 && s <= LAST_SIGNAL; s++)
        mask |= rn_os_signal_can_be_caught(s) ? bit(s) : 0;
    for (size_t i = 0; i < n; i++) {
        if (!rn_os_signal_can_be_caught(signals[i]))
            return 0;
        mask |= bit(signals[i]);
    }
    return mask;
}

static int watch_locked(void *chan, rn_context *ctx, uint64_t mask)
{
    rn__mutex_assert_held(&lock);
    struct watch *w = chan ? find_locked(chan) : NULL;
    bool made = !w;
    if (made && !(w = add_locked()))
        return RN_ENOMEM;
    int err = catch_locked(mask);
    w->chan = chan;
    w->ctx = ctx;
    w->mask |= err ? 0 : mask;
    if (err && made)
        free_locked(&watches); /* the newest is the first */
    return err;
}

int rn__signal_notify(void *c, const int *signals, size_t n)
{
    uint64_t mask = mask_of(signals, n);
    if (!c)
        rn__misuse("signal_notify: NULL channel");
    if (!mask)
        return RN_EINVAL;
    rn_mutex_lock(&lock);
    int err = watch_locked(c, NULL, mask);
    rn_mutex_unlock(&lock);
    return err;
}

/* First the signals get their former action back, then what has come until then is sent: a signal does one or the
 * other. */
static void stop_locked(struct watch **at)
{
    rn__mutex_assert_held(&lock);
    uint64_t mask = (*at)->mask;
    (*at)->mask = 0;
    release_locked();
    (*at)->mask = mask;
    deliver_locked();
    free_locked(at);
}

void rn_signal_stop(const volatile void *c)
{
    const void *chan = (const void *)(uintptr_t)c;
    rn_mutex_lock(&lock);
    for (struct watch **at = &watches; chan && *at; at = &(*at)->next)
        if ((*at)->chan == chan) {
            stop_locked(at);
            break;
        }
    rn_mutex_unlock(&lock);
}

int rn__signal_ignore(const int *signals, size_t n)
{
    uint64_t mask = mask_of(signals, n);
    if (!mask)
        return RN_EINVAL;
    rn__at_stop(&stop_hook);
    rn_mutex_lock(&lock);
    forget_locked(mask);
    for (int s = 1; s <= LAST_SIGNAL; s++)
        if ((mask & bit(s)) && rn_os_signal_ignore(s) == 0)
            ignored |= bit(s);
    rn_mutex_unlock(&lock);
    return 0;
}

int rn__signal_reset(const int *signals, size_t n)
{
    uint64_t mask = mask_of(signals, n);
    if (!mask)
        return RN_EINVAL;
    rn_mutex_lock(&lock);
    forget_locked(mask);
    for (int s = 1; s <= LAST_SIGNAL; s++)
        if (mask & ignored & bit(s))
            rn_os_signal_release(s);
    ignored &= ~mask;
    rn_mutex_unlock(&lock);
    return 0;
}

bool rn_signal_ignored(int signo)
{
    return rn_os_signal_is_ignored(signo);
}

/* The context is done: runs in a goroutine of its own. */
static void forget_context(void *ctx)
{
    rn_mutex_lock(&lock);
    for (struct watch **at = &watches; *at; at = &(*at)->next)
        if (!(*at)->chan && (*at)->ctx == ctx) {
            free_locked(at);
            break;
        }
    release_locked();
    rn_mutex_unlock(&lock);
}

rn_context *rn__ctx_with_signals(rn_context *parent, const int *signals, size_t n)
{
    uint64_t mask = mask_of(signals, n);
    if (!mask)
        rn__misuse("ctx_with_signals: not a signal that can be caught");
    rn_context *ctx = rn_ctx_with_cancel(parent);
    rn_mutex_lock(&lock);
    int err = watch_locked(NULL, ctx, mask);
    rn_mutex_unlock(&lock);
    if (err) {
        rn_ctx_cancel(ctx);
        rn__misuse("ctx_with_signals: %s", rn_strerror(err));
    }
    rn__ctx_after_func(ctx, forget_context, ctx);
    return ctx;
}
