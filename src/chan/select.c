/* Select: wait for the first of several channel operations.
 *
 * A call goes through up to three stages and most calls end in the first:
 *
 *  1. A look at every case without a lock (survey).  If some seem ready one of them is chosen, uniformly,
 *     and tried with only its own channel locked.  That case was ready at the moment of the attempt,
 *     so the choice is a correct one.  When none is ready and there is a default, it is taken at once if only
 *     one channel is involved, whose look is exact, or if no channel has changed since the survey has looked at
 *     it (none_ready; chan.h, "looks without the lock").
 *  2. All channels locked, in address order, each once.  Now readiness of all cases is judged at one
 *     instant: a ready one is chosen, or default is taken, or (that nobody has locked a channel since the survey says
 *     as well that none is ready: untouched)
 *  3. a waiter for every case is queued on its channel or context, all with one claim word; the locks are
 *     dropped and the goroutine parks.  Whoever moves the claim word from 0 to 1 first has matched
 *     it; the others pass on.  Then the losers are taken out of their queues, each in O(1).
 *
 * What always holds:
 *  - Only the owner of a claim word queues waiters with it, all of them in stage 3 and with the channels
 *    still locked, so no match can happen before all stand in line; contexts, which have locks of their
 *    own, may fire in between, and come first for that reason.
 *  - No waiter of this call is in any queue or reachable from one when it returns or panics.
 *  - Among ready cases one random number is drawn, and only when there is a choice.  Of the waiters that one call has
 *    in the queue of one channel the first wins, so these stand there in random order (mix).
 *
 * Cases of other layers (chan/outside.h: descriptors), and receives from the end of a context, go another way,
 * select_outside, which the survey finds out about.  Their waiters are queued first, with
 * nothing locked, since that takes system calls, and may be woken at once.  So a select that finds a channel
 * ready then claims its own word before it does what that case says; when the word is gone already
 * it has been woken by an outside case, and takes that.
 *
 * Lock order: channels in address order, then one context's (RN_RANK_DONE) at a time.  Timers rank
 * below channels: the timeout is started once the channels are unlocked.
 *
 * Tried and rejected: shuffling the cases and taking the first that is ready (Go's way): n random
 * numbers and all locks for what is, when something is ready, one number and one lock.
 */
#include "base/alloc.h"
#include "chan/done.h"
#include "chan/match.h"
#include "chan/order.h"
#include "chan/outside.h"
#include <runnel/select.h>

/* Waiters for a few cases lie on the stack; for more, in a bigger frame; for very many, on the
 * heap: a goroutine's stack is small. */
enum { FEW = 8, MANY = 64, MOST = 65535 };

struct survey {
    size_t live;  /* cases that can become ready: not NULL, and contexts that can end */
    size_t ready; /* of these, cases that seem ready now */
    int first;    /* the first of them */
    int fallback; /* the case to take when none is ready: default or a timeout of 0; or -1 */
    int timeout;  /* the case with the earliest timeout, or -1 */
    bool quiet;   /* all channels were seen unlocked */
};

struct outcome {
    int index;
    bool send_on_closed; /* the caller is to panic, once it has cleaned up */
};

/* ---- cases ---------------------------------------------------------------------------------------- */

static inline bool is_channel(const struct rn_case *k)
{
    return k->kind <= RN_CASE_SEND && k->chan;
}

static inline bool is_live(const struct rn_case *k)
{
    return is_channel(k) || (k->kind == RN_CASE_DONE && !rn__done_never(k->chan));
}

static inline bool channel_seems_ready(enum rn_case_kind kind, struct rn_chan *c)
{
    return kind == RN_CASE_RECV ? rn__chan_seems_receivable(c) : rn__chan_seems_sendable(c);
}

/* Without a lock; false is exact, true must be tried. */
static inline bool seems_ready(const struct rn_case *k)
{
    return is_channel(k) ? channel_seems_ready(k->kind, k->chan)
                         : k->kind == RN_CASE_DONE && rn__done_err(k->chan) != 0;
}

/* Whether somebody in q can be matched.  Those who can't any more are taken out. */
static inline bool any_live(struct rn_list *q)
{
    while (q->first) {
        struct rn_waiter *w = rn_container(q->first, struct rn_waiter, node);
        /* relaxed: the claim itself (rn__waiter_claim) decides. */
        if (!w->claim || rn_load_relaxed(w->claim) == 0)
            return true;
        rn_list_pop(q);
        w->queued = false;
    }
    return false;
}

/* The channel is locked.  True may still turn out wrong, when a waiter is claimed elsewhere. */
static inline bool is_ready(const struct rn_case *k)
{
    struct rn_chan *c = k->chan;
    switch (k->kind) {
    case RN_CASE_RECV: /* relaxed: written with this lock held */
        return c && (rn_load_relaxed(&c->count) > 0 || rn_load_relaxed(&c->closed) || any_live(&c->sendq));
    case RN_CASE_SEND:
        return c && (rn_load_relaxed(&c->count) < c->cap || rn_load_relaxed(&c->closed) || any_live(&c->recvq));
    case RN_CASE_DONE:
        return rn__done_err(k->chan) != 0;
    default:
        return false;
    }
}

/* Does what the case says, if that is possible now; its channel is locked. */
static inline enum rn_match perform(const struct rn_case *k, struct rn_waiter **wake)
{
    enum rn_match m = RN_MATCH_DONE;
    if (k->kind == RN_CASE_SEND)
        return rn__chan_put(k->chan, k->elem, wake);
    if (k->kind == RN_CASE_RECV)
        m = rn__chan_take(k->chan, k->elem, wake);
    if (k->ok && m != RN_MATCH_WAIT)
        *k->ok = m == RN_MATCH_DONE && k->kind == RN_CASE_RECV;
    return m;
}

/* Of `ready` cases that is_ready says are, one at random; -1 when there are fewer by now. */
static int choose(const struct rn_case *cases, size_t n, size_t ready, bool (*check)(const struct rn_case *))
{
    uint32_t skip = ready > 1 ? rn__choose_case((uint32_t)ready) : 0;
    for (size_t i = 0; i < n; i++)
        if (check(&cases[i]) && skip-- == 0)
            return (int)i;
    return -1;
}

static struct outcome outcome_of(const struct rn_case *cases, int i, enum rn_match m)
{
    return (struct outcome){i, m == RN_MATCH_CLOSED && cases[i].kind == RN_CASE_SEND};
}

/* ---- stage 1 ---------------------------------------------------------------------------------------- */

static inline void note_timeout(struct survey *s, const struct rn_case *cases, size_t i)
{
    if (s->timeout < 0 || cases[i].timeout < cases[s->timeout].timeout)
        s->timeout = (int)i;
}

static inline void note_live(struct survey *s, size_t i, bool ready)
{
    s->live++;
    if (ready && s->ready++ == 0)
        s->first = (int)i;
}

static inline void survey_channel(struct survey *s, enum rn_case_kind kind, struct rn_chan *c, size_t i,
                                  uint32_t *changes)
{
    rn__chan_check(c);
    s->quiet &= rn__chan_glance(c, &changes[i % FEW]);
    note_live(s, i, channel_seems_ready(kind, c));
}

static inline bool is_outside(const struct rn_case *k)
{
    return k->kind == RN_CASE_OUTSIDE || (k->kind <= RN_CASE_SEND && rn__chan_is_end(k->chan));
}

/* The survey from case i on, the first that is not simply a channel's.  An outside case, or the end of a context, is not for
 * this survey: it says that there are too many. */
static __attribute__((noinline)) void survey_others(struct survey *s, const struct rn_case *cases, size_t i, size_t n,
                                                    uint32_t *changes)
{
    for (; i < n; i++) {
        const struct rn_case *k = &cases[i];
        if (is_outside(k)) {
            *s = (struct survey){.live = MOST + 1, .fallback = -1, .timeout = -1};
            return;
        }
        if (is_channel(k))
            survey_channel(s, k->kind, k->chan, i, changes);
        else if (k->kind == RN_CASE_DEFAULT)
            s->fallback = s->fallback < 0 ? (int)i : s->fallback;
        else if (k->kind == RN_CASE_TIMEOUT)
            note_timeout(s, cases, i);
        else if (is_live(k))
            note_live(s, i, rn__done_err(k->chan) != 0);
    }
    if (s->fallback < 0 && s->timeout >= 0 && cases[s->timeout].timeout <= 0)
        s->fallback = s->timeout;
}

/* changes: [FEW], of the channels of as many cases, for none_ready and untouched. */
static inline void survey(struct survey *s, const struct rn_case *cases, size_t n, uint32_t *changes)
{
    struct survey v = {.fallback = -1, .timeout = -1, .quiet = n <= FEW}; /* in registers */
    size_t i = 0;
    for (; i < n; i++) {
        enum rn_case_kind kind = cases[i].kind;
        struct rn_chan *c = cases[i].chan;
        if (kind > RN_CASE_SEND || !c || rn__chan_is_end(c))
            break;
        survey_channel(&v, kind, c, i, changes);
    }
    *s = v;
    if (i < n)
        survey_others(s, cases, i, n, changes);
}

/* Of several cases, with a default among them, of which none seemed ready to the survey, and all channels unlocked: true when
 * it is certain that none was ready at one moment, the one between the survey and this.  (A context that is not done here was not
 * then either.) */
static inline bool none_ready(const struct rn_case *cases, size_t n, const uint32_t *changes)
{
    for (size_t i = 0; i < n; i++)
        if (is_channel(&cases[i]) ? !rn__chan_unchanged(cases[i].chan, changes[i]) : seems_ready(&cases[i]))
            return false;
    return true;
}

/* Tries one case with only its channel locked. */
static inline bool try_alone(const struct rn_case *cases, int i, struct outcome *out)
{
    const struct rn_case *k = &cases[i];
    struct rn_chan *c = k->kind == RN_CASE_DONE ? NULL : k->chan;
    struct rn_waiter *wake = NULL;
    if (c)
        rn__chan_lock(c);
    enum rn_match m = perform(k, &wake);
    if (c)
        rn__chan_unlock(c);
    if (wake)
        rn__chan_wake(wake);
    *out = outcome_of(cases, i, m);
    return m != RN_MATCH_WAIT;
}

/* ---- stage 2 ---------------------------------------------------------------------------------------- */

/* What stages 2 and 3 work on; lives in the frame, or on the heap. */
struct stand {
    size_t n, chans;        /* live cases; how many of them are channels */
    struct rn_waiter *w;    /* [n], in the order of the cases, or as mix has them */
    struct rn_chan **order; /* [locks], by address */
    size_t locks;           /* channels, each counted once */
    rn_atomic(uint32_t) claim;
};

static inline void lock_all(const struct stand *s)
{
    for (size_t i = 0; i < s->locks; i++)
        rn__chan_lock(s->order[i]);
}

static inline void unlock_all(const struct stand *s)
{
    for (size_t i = 0; i < s->locks; i++)
        rn__chan_unlock(s->order[i]);
}

static inline void gather(struct stand *s, const struct rn_case *cases, size_t n)
{
    struct rn_g *self = rn__self();
    s->n = s->chans = 0;
    for (size_t i = 0; i < n; i++) {
        const struct rn_case *k = &cases[i];
        if (!is_live(k))
            continue;
        s->w[s->n++] =
            (struct rn_waiter){.g = self, .claim = &s->claim, .elem = k->elem, .of = k->chan, .index = (uint32_t)i};
        if (k->kind != RN_CASE_DONE)
            s->order[s->chans++] = k->chan;
    }
    rn__chans_sort(s->order, s->chans);
    s->locks = rn__chans_drop_doubles(s->order, s->chans);
}

/* No channel seemed ready to the survey, and nobody else has locked one from then until they were locked now: none is ready.
 * (Waiters can have been claimed by others meanwhile, by which nothing becomes ready.) */
static bool untouched(const struct rn_case *cases, size_t n, const struct survey *v, const uint32_t *changes)
{
    if (v->ready || !v->quiet)
        return false;
    for (size_t i = 0; i < n; i++)
        if (is_channel(&cases[i]) && !rn__chan_unchanged(cases[i].chan, changes[i] + 1))
            return false;
    return true;
}

/* Performs a ready case if there is one; all channels are locked. */
static bool match_any(const struct rn_case *cases, size_t n, struct rn_waiter **wake, struct outcome *out)
{
    for (;;) {
        size_t ready = 0;
        for (size_t i = 0; i < n; i++)
            ready += is_ready(&cases[i]);
        if (ready == 0)
            return false;
        int i = choose(cases, n, ready, is_ready);
        enum rn_match m = i < 0 ? RN_MATCH_WAIT : perform(&cases[i], wake);
        if (m != RN_MATCH_WAIT) {
            *out = outcome_of(cases, i, m);
            return true;
        }
        /* Its waiter was claimed elsewhere in the meantime, and is out of the queue now. */
    }
}

/* ---- stage 3 ---------------------------------------------------------------------------------------- */

/* A channel that stands in several cases serves the first of their waiters: which one that is must be as random
 * as the choice among ready cases. */
static void mix(struct stand *s)
{
    bool twice = s->locks < s->chans;
    for (size_t i = twice ? s->n : 0; i > 1; i--) {
        struct rn_waiter *a = &s->w[i - 1], *b = &s->w[rn__choose_case((uint32_t)i)], t = *a;
        *a = *b;
        *b = t;
    }
}

/* Queues the waiters of the contexts; the first of them that is done already, or NULL. */
static struct rn_waiter *queue_contexts(struct stand *s, const struct rn_case *cases)
{
    if (s->n == s->chans)
        return NULL;
    for (size_t i = 0; i < s->n; i++)
        if (cases[s->w[i].index].kind == RN_CASE_DONE && !rn__done_add(s->w[i].of, &s->w[i]))
            return &s->w[i];
    return NULL;
}

static void queue_channels(struct stand *s, const struct rn_case *cases)
{
    for (size_t i = 0; i < s->n; i++) {
        struct rn_waiter *w = &s->w[i];
        struct rn_chan *c = w->of;
        enum rn_case_kind kind = cases[w->index].kind;
        if (kind == RN_CASE_RECV)
            rn__chan_enqueue_recv(c, w);
        else if (kind == RN_CASE_SEND)
            rn__chan_enqueue_send(c, w);
    }
}

/* Takes the waiters out of the queues, all but the one that was woken. */
static void leave_queues(struct stand *s, const struct rn_case *cases, const struct rn_waiter *by, bool channels)
{
    for (size_t i = 0; i < s->n; i++) {
        struct rn_waiter *w = &s->w[i];
        struct rn_chan *c = w->of;
        enum rn_case_kind kind = cases[w->index].kind;
        if (w == by)
            continue;
        if (kind == RN_CASE_DONE) {
            rn__done_remove(w->of, w);
        } else if (channels) {
            rn__chan_lock(c);
            if (kind == RN_CASE_RECV)
                rn__chan_dequeue(&c->recvq, &c->receivers, w);
            else
                rn__chan_dequeue(&c->sendq, &c->senders, w);
            rn__chan_unlock(c);
        }
    }
}

/* Parks until a case or the timeout wins; returns the winner. */
static struct rn_waiter *park_until(struct stand *s, struct rn_timeout *t, int timeout, rn_time until)
{
    *t = (struct rn_timeout){.w = {.g = rn__self(), .claim = &s->claim, .index = (uint32_t)timeout}};
    rn__timeout_start(t, until);
    struct rn_waiter *by = rn__park(RN_WAIT_SELECT, NULL);
    rn__timeout_stop(t);
    return by;
}

static struct rn_waiter *park(struct stand *s, const struct rn_case *cases, size_t n, struct rn_timeout *t, int timeout)
{
    if (timeout < 0)
        return rn__park(n == 0 ? RN_WAIT_SELECT_NONE : RN_WAIT_SELECT, NULL);
    return park_until(s, t, timeout, rn__deadline(cases[timeout].timeout));
}

/* For the race detector (race.h): the waiters of a call share a turn. */
#ifdef RN_RACE
static void race_wait(struct stand *s, const struct rn_case *cases)
{
    if (s->n == 0)
        return;
    rn__turn_wait(&s->w[0]);
    for (size_t i = 0; i < s->n; i++)
        rn__turn_share(&s->w[i], &s->w[0], cases[s->w[i].index].kind <= RN_CASE_SEND);
}

static void race_woken(struct stand *s, const struct rn_case *cases, struct rn_waiter *by)
{
    bool ours = by >= s->w && by < s->w + s->n;
    if (ours && cases[by->index].kind <= RN_CASE_SEND)
        rn__turn_woken(by, cases[by->index].kind == RN_CASE_SEND);
    else if (s->n)
        rn__turn_drop(&s->w[0]);
}
#else
#define race_wait(s, cases) ((void)0)
#define race_woken(s, cases, by) ((void)0)
#endif

/* Waits in all queues at once; all channels are locked, and unlocked here. */
static struct outcome stand_and_park(struct stand *s, const struct rn_case *cases, size_t n, int timeout)
{
    struct rn_timeout t;
    mix(s);
    race_wait(s, cases);
    struct rn_waiter *done = queue_contexts(s, cases);
    if (!done)
        queue_channels(s, cases);
    unlock_all(s);
    /* A context that is done by now is a wake-up like any other: it wins unless another one has. */
    struct rn_waiter *by = done && rn__waiter_claim(done) ? done : park(s, cases, n, &t, done ? -1 : timeout);
    leave_queues(s, cases, by, !done);
    rn__waiters_forget(by->g);
    race_woken(s, cases, by);
    const struct rn_case *k = &cases[by->index];
    if (k->ok)
        *k->ok = by->ok;
    return (struct outcome){(int)by->index, k->kind == RN_CASE_SEND && !by->ok};
}

/* changes: of the channels when v was made. */
static struct outcome lock_and_select(struct stand *s, const struct rn_case *cases, size_t n, const struct survey *v,
                                      const uint32_t *changes)
{
    struct rn_waiter *wake = NULL;
    struct outcome out = {v->fallback, false};
    gather(s, cases, n);
    lock_all(s);
    /* (A context that is done by now is found when it is queued.) */
    bool none = v->fallback < 0 && untouched(cases, n, v, changes);
    bool matched = !none && match_any(cases, n, &wake, &out);
    if (!matched && v->fallback < 0)
        return stand_and_park(s, cases, n, v->timeout);
    unlock_all(s);
    if (wake)
        rn__chan_wake(wake);
    return out;
}

static __attribute__((noinline)) struct outcome select_few(const struct rn_case *cases, size_t n,
                                                           const struct survey *v, const uint32_t *changes)
{
    struct rn_waiter w[FEW];
    struct rn_chan *order[FEW];
    struct stand s = {.w = w, .order = order};
    return lock_and_select(&s, cases, n, v, changes);
}

static __attribute__((noinline)) struct outcome select_many(const struct rn_case *cases, size_t n,
                                                            const struct survey *v, const uint32_t *changes)
{
    struct rn_waiter w[MANY];
    struct rn_chan *order[MANY];
    struct stand s = {.w = w, .order = order};
    return lock_and_select(&s, cases, n, v, changes);
}

/* ---- outside cases ------------------------------------------------------------------------------------ */

/* A select with outside cases, while it looks and waits. */
struct outing {
    const struct rn_case *cases;
    size_t n;
    struct survey v;
    struct stand s;
    struct rn_outside *o; /* [outside], in the order of the cases */
    size_t outside;
    rn_time until; /* INT64_MAX: no timeout */
    bool lacking;  /* a case could not begin to wait: look again soon */
};

static const struct rn_case_ops *ops(const struct rn_case *k)
{
    return k->chan;
}

static bool seems_ready_outside(const struct rn_case *k)
{
    return k->kind == RN_CASE_OUTSIDE ? ops(k)->ready(k, false) : seems_ready(k);
}

/* As survey, for all cases. */
static struct survey survey_outside(const struct rn_case *cases, size_t n)
{
    struct survey s = {.fallback = -1, .timeout = -1};
    for (size_t i = 0; i < n; i++) {
        const struct rn_case *k = &cases[i];
        if (is_channel(k))
            rn__chan_check(k->chan);
        s.live += is_live(k);
        if (seems_ready_outside(k) && s.ready++ == 0)
            s.first = (int)i;
        if (k->kind == RN_CASE_TIMEOUT)
            note_timeout(&s, cases, i);
        else if (k->kind == RN_CASE_DEFAULT && s.fallback < 0)
            s.fallback = (int)i;
    }
    if (s.fallback < 0 && s.timeout >= 0 && cases[s.timeout].timeout <= 0)
        s.fallback = s.timeout;
    return s;
}

static bool try_outside(const struct rn_case *cases, int i, struct outcome *out)
{
    const struct rn_case *k = &cases[i];
    if (k->kind != RN_CASE_OUTSIDE)
        return try_alone(cases, i, out);
    *out = (struct outcome){i, false};
    return ops(k)->ready(k, true);
}

/* Queues the waiters of the outside cases; the first that is ready by now, or -1. */
static int queue_outside(struct outing *x)
{
    struct rn_g *self = rn__self();
    x->outside = 0;
    x->lacking = false;
    for (size_t i = 0; i < x->n; i++) {
        if (x->cases[i].kind != RN_CASE_OUTSIDE)
            continue;
        struct rn_outside *o = &x->o[x->outside++];
        struct rn_waiter w = {.g = self, .claim = &x->s.claim};
        *o = (struct rn_outside){.of = &x->cases[i], .w = {w, w}};
        int waits = ops(o->of)->enqueue(o);
        if (waits > 0)
            return (int)i;
        x->lacking |= waits < 0;
    }
    return -1;
}

static void leave_outside(struct outing *x)
{
    for (size_t i = 0; i < x->outside; i++)
        if (x->o[i].state)
            ops(x->o[i].of)->dequeue(&x->o[i]);
}

/* The outside case whose waiter this is, or -1. */
static int outside_of(const struct outing *x, const struct rn_waiter *by)
{
    for (size_t i = 0; i < x->outside; i++)
        if (by == &x->o[i].w[0] || by == &x->o[i].w[1])
            return (int)(x->o[i].of - x->cases);
    return -1;
}

/* The right to choose a case oneself, before any waiter is woken. */
static bool claim_own(struct outing *x)
{
    struct rn_waiter w = {.claim = &x->s.claim};
    return rn__waiter_claim(&w);
}

static bool any_ready(const struct outing *x)
{
    for (size_t i = 0; i < x->n; i++)
        if (is_ready(&x->cases[i]))
            return true;
    return false;
}

/* The outside waiters are queued and the channels locked, which are unlocked here; true when a case has been
 * chosen.  False: `by` has won (one of the outside cases, unless it is NULL: then all is to be
 * done again). */
static bool stand_outside(struct outing *x, struct outcome *out, struct rn_waiter **by)
{
    enum { SOON = 10 }; /* ms */
    struct rn_waiter *wake = NULL;
    struct rn_timeout t;
    *by = NULL;
    if (any_ready(x)) {
        bool ours = claim_own(x), matched = ours && match_any(x->cases, x->n, &wake, out);
        unlock_all(&x->s);
        if (wake)
            rn__chan_wake(wake);
        if (!ours)
            *by = rn__park(RN_WAIT_SELECT, x);
        return matched;
    }
    mix(&x->s);
    race_wait(&x->s, x->cases);
    struct rn_waiter *done = queue_contexts(&x->s, x->cases);
    if (!done)
        queue_channels(&x->s, x->cases);
    unlock_all(&x->s);
    rn_time soon = x->lacking ? rn__deadline(SOON * RN_MILLISECOND) : INT64_MAX;
    rn_time until = soon < x->until ? soon : x->until;
    if (done && rn__waiter_claim(done))
        *by = done;
    else if (done || until == INT64_MAX)
        *by = rn__park(RN_WAIT_SELECT, x);
    else
        *by = park_until(&x->s, &t, x->v.timeout, until);
    leave_queues(&x->s, x->cases, *by, !done);
    rn__waiters_forget((*by)->g); /* it may not have parked */
    race_woken(&x->s, x->cases, *by);
    if (*by != &t.w)
        return false;
    *by = NULL;
    *out = (struct outcome){x->v.timeout, false};
    return until == x->until;
}

/* Looks at all cases and waits once; true when one has been chosen. */
static bool look_outside(struct outing *x, struct outcome *out)
{
    struct rn_waiter *by = NULL;
    rn_store_relaxed(&x->s.claim, 0); /* relaxed: nobody else knows of it */
    gather(&x->s, x->cases, x->n);
    int now = queue_outside(x);
    bool chosen = false;
    if (now < 0) {
        lock_all(&x->s);
        chosen = stand_outside(x, out, &by);
    } else if (!claim_own(x)) {
        by = rn__park(RN_WAIT_SELECT, x);
    }
    leave_outside(x);
    if (chosen || (now < 0 && !by))
        return chosen;
    int i = by ? outside_of(x, by) : now;
    if (i >= 0)
        return try_outside(x->cases, i, out);
    const struct rn_case *k = &x->cases[by->index];
    if (k->ok)
        *k->ok = by->ok;
    *out = (struct outcome){(int)by->index, k->kind == RN_CASE_SEND && !by->ok};
    return true;
}

/* Nothing is to be waited for: what is ready now, or the fallback. */
static struct outcome now_outside(struct outing *x)
{
    struct rn_waiter *wake = NULL;
    struct outcome out = {x->v.fallback, false};
    gather(&x->s, x->cases, x->n);
    lock_all(&x->s);
    (void)match_any(x->cases, x->n, &wake, &out);
    unlock_all(&x->s);
    if (wake)
        rn__chan_wake(wake);
    return out;
}

static struct outcome choose_outside(struct outing *x)
{
    struct outcome out;
    for (bool first = true;; first = false) {
        x->v = survey_outside(x->cases, x->n);
        if (first && x->v.timeout >= 0)
            x->until = rn__deadline(x->cases[x->v.timeout].timeout);
        int i = x->v.ready ? choose(x->cases, x->n, x->v.ready, seems_ready_outside) : -1;
        if (i >= 0 && try_outside(x->cases, i, &out))
            return out;
        if (x->v.fallback >= 0)
            return now_outside(x);
        if (look_outside(x, &out))
            return out;
    }
}

static struct outcome select_outside_few(const struct rn_case *cases, size_t n)
{
    struct rn_waiter w[FEW];
    struct rn_chan *order[FEW];
    struct rn_outside o[FEW];
    struct outing x = {.cases = cases, .n = n, .s = {.w = w, .order = order}, .o = o, .until = INT64_MAX};
    return choose_outside(&x);
}

/* A receive from the end of a context (ctx_done) waits for the context itself. */
static void name_ends(struct rn_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (cases[i].kind == RN_CASE_RECV && rn__chan_is_end(cases[i].chan))
            cases[i].kind = RN_CASE_DONE;
}

static struct outcome select_outside(struct rn_case *cases, size_t n)
{
    name_ends(cases, n);
    if (n <= FEW)
        return select_outside_few(cases, n);
    struct rn_outside *o = rn__malloc(n * (sizeof *o + sizeof(struct rn_waiter) + sizeof(struct rn_chan *)));
    if (!o)
        rn_panic("chan_select: out of memory");
    struct rn_waiter *w = (void *)(o + n);
    struct outing x = {.cases = cases, .n = n, .s = {.w = w, .order = (void *)(w + n)}, .o = o, .until = INT64_MAX};
    struct outcome out = choose_outside(&x);
    rn__free(o);
    return out;
}

/* ---- very many cases ----------------------------------------------------------------------------------- */

static __attribute__((noinline)) struct outcome select_most(struct rn_case *cases, size_t n, const struct survey *v,
                                                            const uint32_t *changes)
{
    if (v->live > MOST)
        return select_outside(cases, n);
    void *memory = rn__malloc(v->live * (sizeof(struct rn_waiter) + sizeof(struct rn_chan *)));
    if (!memory)
        rn_panic("chan_select: out of memory");
    struct stand s = {.w = memory, .order = (void *)((struct rn_waiter *)memory + v->live)};
    struct outcome out = lock_and_select(&s, cases, n, v, changes);
    rn__free(memory);
    return out;
}

/* ---- the call ---------------------------------------------------------------------------------------- */

static int finish(struct outcome out)
{
    if (__builtin_expect(out.send_on_closed, 0))
        rn_panic("send on closed channel");
    return out.index;
}

/* A select of one case is that operation, also in what a report says about it. */
static int only(const struct rn_case *k)
{
    bool ok = true;
    if (k->kind == RN_CASE_SEND)
        rn__chan_send_at(k->chan, k->elem, NULL);
    else
        ok = rn__chan_recv_at(k->chan, k->elem, NULL);
    if (k->ok)
        *k->ok = ok;
    return 0;
}

static inline int select_any(struct rn_case *cases, size_t n)
{
    rn__point(RN_AT_SELECT, cases);
    struct outcome out;
    if (n > MOST)
        rn_panic("chan_select: too many cases (max 65535)");
    uint32_t changes[FEW];
    struct survey v;
    survey(&v, cases, n, changes);
    if (v.ready) {
        int i = v.ready == 1 ? v.first : choose(cases, n, v.ready, seems_ready);
        if (i >= 0 && try_alone(cases, i, &out))
            return finish(out);
    }
    if (v.fallback >= 0 && (v.live <= 1 || (!v.ready && v.quiet && none_ready(cases, n, changes))))
        return v.fallback;
    if (n == 1 && cases->kind <= RN_CASE_SEND)
        return only(cases);
    return finish(v.live <= FEW    ? select_few(cases, n, &v, changes)
                  : v.live <= MANY ? select_many(cases, n, &v, changes)
                                   : select_most(cases, n, &v, changes));
}

int rn__select_at(struct rn_case *cases, size_t n, void *pc)
{
    struct rn_select_race race;
    if (RN_RACE_ON && n <= MOST)
        name_ends(cases, n);
    rn__select_race_begin(cases, n, &race, pc);
    int i = select_any(cases, n);
    rn__select_race_end(cases, i, &race, pc);
    return i;
}
