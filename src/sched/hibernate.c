/* Putting goroutines away that have been parked for long, and bringing them back: see hibernate.h.
 *
 * The monitor goes through all records again and again, some at a time, so that it stays responsive; what a
 * pass costs decides how long it rests before the next one.  Neighbours that can be put away together are: the system
 * calls for a run of 32 stacks cost little more than those for one.
 *
 * Put away is only who
 *  - has been parked for AGE, on a stack of the default size of which it uses little (rn_keep_fits), is not pinned, and
 *    has no timeout: timers come by all entries of a slot when it turns, with a lock held, and each touch would be a trap;
 *  - has been parked for longer, to 16 times that, if it was woken soon when it was put away before: learn;
 *  - does not wait for goroutines that it has started (a waitgroup, a group, a scope): it is they who have pointers to its
 *    variables, and may hand them to system calls of their own;
 *  - is one of LEAST goroutines or more, LEAST_BY_ITSELF where the program was not asked: below that there is little to gain;
 *  - and only while a touch would be heard of: the fault handler is ours, no thread blocks SIGSEGV.
 * When that ceases to hold, all are brought back.
 *
 * Where memory is tight (rn__stacks_tight) a park of AGE_TIGHT is long enough, and the putter does not rest: else those that
 * are started within the second, and while it rests, would take more than there is.  After a pass that finds few it waits,
 * for longer each time, but no longer than until those that have pages are more again, by 1 / RISE of their share.
 *
 * RUNNEL_HIBERNATE: off (or 0), on (or 1), or for how many ms a goroutine must have been parked; then there is no LEAST, and
 * learn changes nothing.
 */
#define _GNU_SOURCE
#include "base/valgrind.h"
#include "sched/hibernate.h"
#include "sched/choice.h"
#include "sched/fiber.h"
#include "sched/kept.h"
#include "sched/kept_stack.h"
#include <stdlib.h>
#include <string.h>

#ifdef RN_HIBERNATES

rn_atomic(int64_t) rn__hib_away, rn__hib_chunks;

enum {
    LEAST = 1000, /* goroutines */
    LEAST_BY_ITSELF = 5000,
    RUN = 32,  /* put away together, at most */
    SLICE = 1, /* ms of one call of the monitor's */
    PAUSE = 5, /* times as long between two of them, at least */
    REST = 20, /* a pass's cost, times this, is the pause after it, at least */
    SOON = 16, /* times the age: who is woken before that was put away too early */
    RELUCTANCE_MOST = 4,
    UNSAFE = 3,       /* looks in a row, a second apart, after which all are brought back */
    UNSAFE_PAUSE = 5, /* ms, between looks where memory is tight */
    AGE_TIGHT = 20,   /* ms */
    FEW = 16,         /* a pass of the kind that does not rest is to put away 1 / FEW of those that have pages */
    IN_VAIN_MOST = 8, /* AGE_TIGHT, doubled so often, is the longest time between two that don't, */
    RISE = 4,         /* unless so much of the share was taken meanwhile */
};

static struct {
    bool on;         /* in this run */
    bool gave_up;    /* nobody more is put away in this run */
    rn_duration age; /* of a park */
    bool learns;     /* who is to be put away later */
    int64_t least;
    bool active;          /* goroutines have run since the last pass began; the monitor's */
    pthread_mutex_t lock; /* the putter; also held while the process is copied.  Guards all that follows, and gave_up */
    uint32_t chunk;       /* where the pass is */
    rn_time next;         /* when to go on */
    rn_duration cost;     /* of this pass, until now */
    bool pending;         /* it has met some that will be put away later */
    bool tight;           /* memory is; it does not rest */
    rn_time calm;         /* not before this moment, */
    int64_t fewest;       /* or so many and a rise have pages: the fewest that had since it was set */
    uint32_t in_vain;     /* looks of this kind that did little or nothing, one after the other */
    int64_t put;          /* in this pass */
    int unsafe;           /* looks in a row, */
    rn_time unsafe_next;  /* and when another one counts */
    uint8_t opened[RN_CHUNKS_MAX / 8];
} hib = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- bringing back -------------------------------------------------------------------------------- */

/* Who is woken soon after it was put away is not put away so soon the next time: then it costs more than it brings. */
static void learn(struct rn_g *g)
{
    /* relaxed: it was parked before it was put away, and has not run since. */
    rn_duration parked = rn_os_now() - rn_load_relaxed(&g->waiting_since);
    if (parked > SOON * (hib.age << g->reluctance))
        g->reluctance -= g->reluctance > 0;
    else if (hib.learns && g->reluctance < RELUCTANCE_MOST)
        g->reluctance++;
}

static void bring_back(struct rn_g *g)
{
    rn_keep_restore(g);
    learn(g);
    rn_sub_relaxed(&rn__hib_away, 1); /* relaxed: a count */
}

void rn__hib_resume(struct rn_g *g)
{
    rn_hib_wake(g, RN_HIB_AWAKE, bring_back);
}

void rn__hib_stay(struct rn_g *g)
{
    rn_hib_wake(g, RN_HIB_STAYS, bring_back);
}

/* In a copy of the process no other thread will ever finish what it was at.  (The putter was at nothing.)  Of a stack
 * that was being thawed some pages may be there, and changed since: each of the others comes back by itself, again while
 * it traps. */
static bool touch_in_copy(struct rn_g *g, void *addr)
{
    uint8_t now = rn_load_relaxed(&g->hib); /* relaxed, both: the only thread */
    if (now == RN_HIB_THAWING)
        return rn_keep_restore_page_in_copy(g, addr);
    if (now != RN_HIB_AWAY)
        return false;
    rn_keep_restore_in_copy(g);
    rn_store_relaxed(&g->hib, RN_HIB_STAYS);
    return true;
}

bool rn__hib_fault(void *addr)
{
    enum { SAME_MOST = 64 };
    static __thread void *last __attribute__((tls_model("initial-exec")));
    static __thread uint32_t same __attribute__((tls_model("initial-exec")));
    struct rn_g *g = hib.on ? rn__g_of_address(addr) : NULL;
    if (!g || !rn__is_goroutine(g) || (char *)addr < g->stack_lo)
        return false;
    if (rn_os_is_copy())
        return touch_in_copy(g, addr);
    if (rn_load_relaxed(&g->hib) < RN_HIB_CLAIMED) {
        /* It was brought back meanwhile, and the access will succeed; or it fails for a reason of its own. */
        same = addr == last ? same + 1 : 0;
        last = addr;
        return same < SAME_MOST;
    } else {
        rn__hib_stay(g);
    }
    last = NULL;
    return true;
}

void rn__hib_hold_slow(const void *p, size_t bytes)
{
    const char *at = p, *end = at + bytes;
    while (at < end) {
        struct rn_g *g = rn__g_of_address(at);
        if (!g || !rn__is_goroutine(g) || g == rn__self_or_null())
            return;
        rn__hib_stay(g);
        at = g->stack_hi;
    }
}

static void bring_all_back(void)
{
    struct rn_g *records;
    struct rn_os_range stacks;
    for (uint32_t i = 0; (records = rn__chunk(i, &stacks)) != NULL; i++)
        for (uint32_t k = 0; k < RN_CHUNK; k++)
            if (rn_load_relaxed(&records[k].hib) == RN_HIB_AWAY) /* relaxed: only the putter puts away */
                rn__hib_stay(&records[k]);
}

/* ---- putting away ------------------------------------------------------------------------------------ */

static bool waits_for_its_own(const struct rn_g *g)
{
    uint8_t why = rn_load_relaxed(&g->waiting); /* relaxed: it is parked */
    return why == RN_WAIT_WAITGROUP || why == RN_WAIT_GROUP || why == RN_WAIT_SCOPE;
}

/* Of a park. */
static rn_duration age_now(void)
{
    enum { TIGHT = AGE_TIGHT * RN_MILLISECOND };
    return hib.tight && hib.age > TIGHT ? TIGHT : hib.age;
}

/* A sleeper: there is no need to learn when it will be woken. */
static bool wakes_soon(const struct rn_g *g, rn_time now)
{
    /* relaxed: it is parked. */
    return rn_load_relaxed(&g->waiting) == RN_WAIT_SLEEP && hib.learns && g->nap.wheel.when - now < SOON * age_now();
}

/* Whether g, which is parked, may be put away.  What no frame reaches, above the first one, is not kept. */
static bool is_fit(const struct rn_g *g, rn_time now)
{
    return !g->pinned && !wakes_soon(g, now) && !(g->flags & (RN_G_OWN_STACK | RN_G_TIMED)) &&
           (char *)g->sp > g->stack_lo && (char *)g->sp < rn__g_top(g) - RN_CAPTURED_MOST && !waits_for_its_own(g) &&
           rn_keep_fits(g);
}

static void decide_all(struct rn_g **g, uint32_t n, enum rn_hib to)
{
    for (uint32_t i = 0; i < n; i++)
        rn_hib_decide(g[i], to);
}

/* Copies what they use to blocks; false, and none, when that can't be. */
static bool keep_all(struct rn_g **g, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (rn_keep(g[i]))
            continue;
        while (i-- > 0)
            rn_keep_drop(g[i]);
        return false;
    }
    return true;
}

/* They are frozen, and kept.  False: the memory is locked. */
static bool take_pages(struct rn_g **g, uint32_t n, char *lo, size_t bytes)
{
    if (rn_os_away_discard(lo, bytes) != 0)
        return false;
    uint32_t trapped = 0;
    while (trapped < n && rn_keep_trap(g[trapped]))
        trapped++;
    for (uint32_t i = trapped; i < n; i++) /* no memory for the marks: it can't be touched either, for now */
        rn_keep_restore(g[i]);
    rn_os_away_unfreeze(lo, bytes);
    rn_add_relaxed(&rn__hib_away, (int64_t)trapped); /* relaxed: a count */
    hib.put += trapped;
    decide_all(g, trapped, RN_HIB_AWAY);
    decide_all(g + trapped, n - trapped, RN_HIB_AWAKE);
    return true;
}

/* Claimed, and neighbours: their stacks are from g[0]->stack_lo to g[n - 1]->stack_hi. */
static void put_away(struct rn_g **g, uint32_t n)
{
    char *lo = g[0]->stack_lo;
    size_t bytes = (size_t)(g[n - 1]->stack_hi - lo);
    bool frozen = rn_os_away_freeze(lo, bytes) == 0, kept = frozen && keep_all(g, n);
    if (kept && take_pages(g, n, lo, bytes))
        return;
    for (uint32_t i = 0; kept && i < n; i++)
        rn_keep_drop(g[i]);
    if (frozen)
        rn_os_away_unfreeze(lo, bytes);
    hib.gave_up |= kept || !frozen; /* the memory is locked, or for want of mappings */
    decide_all(g, n, RN_HIB_AWAKE);
}

/* Claims who has been parked for long; the others that may be later are noted. */
static uint32_t claim(struct rn_g *records, rn_time now, struct rn_g **claimed)
{
    uint32_t n = 0;
    rn_duration age = age_now();
    for (uint32_t i = 0; i < RN_CHUNK; i++) {
        struct rn_g *g = &records[i];
        /* relaxed, all: looked at again once claimed. */
        if (rn_load_relaxed(&g->status) != RN_G_WAITING || rn_load_relaxed(&g->hib) != RN_HIB_AWAKE)
            continue;
        if (now - rn_load_relaxed(&g->waiting_since) < age << g->reluctance)
            hib.pending = true;
        else if (rn_hib_claim(g))
            claimed[n++] = g;
    }
    return n;
}

/* Keeps those that are parked and fit; lets the others go. */
static uint32_t choose(struct rn_g **g, uint32_t n, rn_time now)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < n; i++)
        if (rn_hib_is_parked(g[i]) && is_fit(g[i], now))
            g[kept++] = g[i];
        else
            rn_hib_decide(g[i], RN_HIB_AWAKE);
    return kept;
}

/* The first of this chunk is being put away. */
static void open_chunk(uint32_t i, const struct rn_os_range *stacks)
{
    if (hib.opened[i / 8] >> (i % 8) & 1)
        return;
    hib.opened[i / 8] |= (uint8_t)(1 << i % 8);
    rn_add_relaxed(&rn__hib_chunks, 1); /* relaxed: see rn__hib_hold */
    rn_os_away_range(stacks->p, stacks->bytes);
}

static void look_at_chunk(struct rn_g *records, const struct rn_os_range *stacks, rn_time now)
{
    struct rn_g *claimed[RN_CHUNK];
    uint32_t n = claim(records, now, claimed);
    if (n == 0)
        return;
    open_chunk(hib.chunk, stacks);
    rn_os_fence_heavy(); /* pairs with the light one in rn_hib_must_wake */
    n = choose(claimed, n, now);
    for (uint32_t from = 0, to; from < n; from = to) {
        for (to = from + 1; to < n && to - from < RUN && claimed[to] == claimed[to - 1] + 1; to++)
            continue;
        put_away(claimed + from, to - from);
    }
}

/* ---- passes --------------------------------------------------------------------------------------------- */

static bool is_worth_it(void)
{
    return rn__count_live() >= hib.least;
}

/* A thread that has just been started blocks every signal for a moment. */
static bool is_safe(rn_time now)
{
    if (rn_os_away_safe()) {
        hib.unsafe = 0;
        return true;
    }
    if (hib.unsafe == 0 || now >= hib.unsafe_next) {
        hib.unsafe_next = now + RN_SECOND;
        if (++hib.unsafe == UNSAFE)
            bring_all_back();
    }
    return false;
}

/* False: there is nothing to do now. */
static bool pass_begins(rn_time now)
{
    hib.next = now + hib.age;
    hib.cost = hib.put = 0;
    hib.active = hib.pending = false;
    if (rn_kept_any())
        rn_kept_collect();
    if (!is_worth_it())
        return false;
    hib.pending = true;
    if (!rn_os_away_begin() || !rn_keep_begin() || !is_safe(now))
        return false;
    hib.pending = false;
    return true;
}

static int64_t with_pages(void)
{
    return rn__count_live() - rn__hib_count_away();
}

static void be_calm(rn_time until)
{
    hib.calm = until;
    hib.fewest = with_pages();
}

/* A burst: what was in vain before is so no more. */
static bool has_risen(void)
{
    int64_t n = with_pages();
    if (n < hib.fewest)
        hib.fewest = n;
    return n - hib.fewest > rn_load_relaxed(&rn__stacks_most) / RISE; /* relaxed: a number */
}

/* in_vain: memory was tight, and there was little to do about it: the next look is later each time. */
static void calm_down(rn_time now, bool in_vain)
{
    if (!in_vain)
        hib.in_vain = 0;
    else if (hib.in_vain < IN_VAIN_MOST)
        hib.in_vain++;
    be_calm(in_vain ? now + (AGE_TIGHT * RN_MILLISECOND << hib.in_vain) : now);
}

static void pass_ends(rn_time now)
{
    rn_duration rest = hib.cost * REST > hib.age ? hib.cost * REST : hib.age;
    hib.chunk = 0;
    hib.next = now + rest;
    if (hib.tight)
        calm_down(now, hib.put < with_pages() / FEW);
}

static void pass_goes_on(rn_time now)
{
    struct rn_g *records;
    struct rn_os_range stacks;
    rn_time began = rn_os_now(), at = began;
    while (at - began < SLICE * RN_MILLISECOND && (records = rn__chunk(hib.chunk, &stacks)) != NULL) {
        look_at_chunk(records, &stacks, now);
        hib.chunk++;
        at = rn_os_now();
    }
    hib.cost += at - began;
    hib.next = hib.tight ? at : at + PAUSE * (at - began);
    if (!rn__chunk(hib.chunk, &stacks))
        pass_ends(at);
}

/* Where memory is tight the next look is as soon as it may be: the monitor, which has nothing else to do once all are parked,
 * sleeps until then. */
static void hurry(rn_time now)
{
    if (hib.next > hib.calm)
        hib.next = now > hib.calm ? now : hib.calm;
}

static void look(rn_time now)
{
    bool tight = rn__stacks_tight();
    if (has_risen())
        hib.calm = now;
    if (tight)
        hurry(now);
    hib.tight = tight && now >= hib.calm;
    if (now < hib.next)
        return;
    if (hib.chunk || pass_begins(now)) {
        pass_goes_on(now);
        return;
    }
    if (hib.unsafe) /* mostly for a moment */
        be_calm(now + UNSAFE_PAUSE * RN_MILLISECOND);
    else /* not worth it, which may soon be otherwise */
        calm_down(now, tight);
    if (tight)
        hurry(now);
}

static rn_time look_and_unlock(rn_time now, bool *urgent)
{
    if (!hib.gave_up)
        look(now);
    bool more = !hib.gave_up && (hib.pending || hib.active || hib.chunk || rn_kept_any());
    rn_time next = more ? hib.next : INT64_MAX;
    *urgent = more && hib.tight && hib.chunk;
    pthread_mutex_unlock(&hib.lock);
    return next;
}

rn_time rn__hib_look(rn_time now, bool active, bool *urgent)
{
    struct rn_os_range stacks;
    *urgent = false;
    if (!hib.on || !rn__chunk((uint32_t)hib.least / RN_CHUNK, &stacks))
        return INT64_MAX;
    hib.active |= active;
    uint64_t held = rn_os_signals_hold(); /* see rn_hib_thaw */
    /* The lock is taken while the process is being copied, or somebody helps. */
    rn_time next = pthread_mutex_trylock(&hib.lock) == 0 ? look_and_unlock(now, urgent) : now;
    rn_os_signals_release(held);
    return next;
}

void rn__hib_help(void)
{
    enum { PUT = 128, LOOKS = 64 }; /* twice as many as were just taken for new ones */
    struct rn_g *records;
    struct rn_os_range stacks;
    if (!hib.on)
        return;
    uint64_t held = rn_os_signals_hold(); /* see rn_hib_thaw */
    pthread_mutex_lock(&hib.lock);
    rn_time now = rn_os_now();
    int64_t enough = hib.put + PUT;
    /* The monitor has seen to it that a touch is heard of, when it began this pass. */
    for (int i = 0; i < LOOKS && hib.tight && hib.chunk && !hib.gave_up && hib.put < enough; i++) {
        if ((records = rn__chunk(hib.chunk, &stacks)) == NULL)
            break;
        look_at_chunk(records, &stacks, now);
        hib.chunk++;
    }
    pthread_mutex_unlock(&hib.lock);
    rn_os_signals_release(held);
}

void rn__hib_hold_putter(bool hold)
{
    if (hold)
        pthread_mutex_lock(&hib.lock);
    else
        pthread_mutex_unlock(&hib.lock);
}

/* ---- a run's beginning and end ----------------------------------------------------------------------------- */

static bool setting(const char *text)
{
    char *end;
    hib.age = RN_SECOND;
    hib.least = text ? LEAST : LEAST_BY_ITSELF;
    hib.learns = true;
    if (!text)
        return true;
    if (strcmp(text, "on") == 0 || strcmp(text, "1") == 0)
        return true;
    if (strcmp(text, "off") == 0 || strcmp(text, "0") == 0)
        return false;
    long ms = strtol(text, &end, 10);
    if (end == text || *end || ms < 1 || ms > 1000000000)
        rn__bad_setting("RUNNEL_HIBERNATE", text, "on, off, or for how many milliseconds a goroutine must have waited");
    hib.age = ms * RN_MILLISECOND;
    hib.least = 0;
    hib.learns = false;
    return true;
}

static void before_fork(void)
{
    pthread_mutex_lock(&hib.lock);
}

static void after_fork(void)
{
    pthread_mutex_unlock(&hib.lock);
}

void rn__hib_begin(void)
{
    static bool once;
    bool on = setting(rn__setting("RUNNEL_HIBERNATE"));
    hib.on = on && !rn__exploring() && !RUNNING_ON_VALGRIND;
    hib.gave_up = hib.active = hib.pending = false;
    hib.chunk = 0;
    hib.next = hib.calm = hib.unsafe = 0;
    hib.in_vain = 0;
    hib.tight = false;
    if (hib.on && !once)
        once = pthread_atfork(before_fork, after_fork, after_fork) == 0;
}

void rn__hib_end(void)
{
    hib.on = false;
    rn_os_away_end();
    rn_keep_end();
    memset(hib.opened, 0, sizeof hib.opened);
    rn_store_relaxed(&rn__hib_away, 0); /* relaxed, both: no other thread is left */
    rn_store_relaxed(&rn__hib_chunks, 0);
}

#endif
