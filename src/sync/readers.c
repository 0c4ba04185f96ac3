/* Read-write mutexes that are biased to their readers: see readers.h. */
#include "sync/readers.h"
#include "sync/waitq.h"
#include "sync/watch.h"

enum { REST_LONG = 16, REST_MOST = 1000 }; /* in units of DUE reads */
enum { RESTS = 9 };                        /* times what was spent */
enum { READ_TAKES = 10 };                  /* ns, at least, lock and unlock */
enum { SEARCH_EVERY = 1000 * 1000 };       /* ns between two places that are taken from their mutexes */
enum { TRIES = 50 };                       /* for memory, a millisecond each */

struct rn_readers_place rn__readers_places[RN_TALLIES];
struct rn_readers rn__readers[RN_TALLIES];
static rn_atomic(uint32_t) taken;      /* places; a hint but for their locks */
static rn_atomic(int64_t) search_next; /* the earliest time of the next search; any */
static rn_atomic(uint32_t) turn;       /* whose place is taken next */

static uint32_t sum_locked(const struct rn_readers *r)
{
    rn_lock_assert_held(&r->lock);
    return rn__tally_sum((uint32_t)(r - rn__readers));
}

/* ---- places -------------------------------------------------------------------------------------- */

void rn__readers_free_locked(struct rn_readers *r)
{
    rn_lock_assert_held(&r->lock);
    /* relaxed, all: the lock publishes them; who reads open or awaited without it finds the place closed. */
    rn_store_relaxed(&rn__readers_place(r)->rn_open, 0);
    rn_store_relaxed(&rn__readers_place(r)->rn_awaited, 0);
    rn_store_relaxed(&r->name, 0);
    r->drained = false;
    rn_sub_relaxed(&taken, 1);
}

void rn__readers_open_locked(struct rn_readers *r)
{
    rn_lock_assert_held(&r->lock);
    rn_store_relaxed(&rn__readers_place(r)->rn_awaited, 0); /* relaxed: who still sees 1 looks in vain */
    r->drained = false;
    /* release: pairs with the acquire in rn__readers_try_enter.  Whoever opens has come after m's writers: by m's word, or by the
     * place's lock after whoever opened it before. */
    rn_store_release(&rn__readers_place(r)->rn_open, rn_load_relaxed(&r->name));
}

bool rn__readers_close_locked(struct rn_readers *r)
{
    rn_lock_assert_held(&r->lock);
    if (rn_load_relaxed(&rn__readers_place(r)->rn_awaited)) /* relaxed: written under the lock */
        return false;
    /* relaxed, both: ordered before the sum by the heavy fence that follows, which pairs with the light ones. */
    rn_store_relaxed(&rn__readers_place(r)->rn_open, 0);
    rn_store_relaxed(&rn__readers_place(r)->rn_awaited, 1);
    return true;
}

bool rn__readers_are_gone_locked(const struct rn_readers *r)
{
    rn_lock_assert_held(&r->lock);
    uint32_t sum = sum_locked(r);
    if ((int32_t)sum < 0)
        rn_fatal("sync: RUnlock of unlocked RWMutex");
    return sum == 0;
}

/* For a moment: no count enters from now on. */
static void close_and_fence_locked(struct rn_readers *r)
{
    rn_lock_assert_held(&r->lock);
    rn_store_relaxed(&rn__readers_place(r)->rn_open, 0); /* relaxed: as in rn__readers_close_locked */
    rn_os_fence_heavy();
}

/* A place that nobody has, its lock held; NULL: there is none. */
static struct rn_readers *find_free(void)
{
    for (struct rn_readers *r = rn__readers; r < rn__readers + RN_TALLIES; r++) {
        /* relaxed: a hint, before the lock is taken. */
        if (rn_load_relaxed(&r->name) || !rn_lock_try(&r->lock, RN_RANK_READERS))
            continue;
        if (!rn_load_relaxed(&r->name)) {
            rn_add_relaxed(&taken, 1);
            return r;
        }
        rn_lock_release(&r->lock);
    }
    return NULL;
}

/* A place whose mutex nobody holds, its lock held; NULL: not now. */
static struct rn_readers *take_from_another(void)
{
    rn_time now = rn__now();
    int64_t next = rn_load_relaxed(&search_next);
    /* relaxed: one of those who come at once looks, nothing else depends on it. */
    if (now < next || !rn_cas_relaxed(&search_next, &next, now + SEARCH_EVERY))
        return NULL;
    struct rn_readers *r = &rn__readers[rn_add_relaxed(&turn, 1) % RN_TALLIES]; /* relaxed: any will do */
    if (!rn_lock_try(&r->lock, RN_RANK_READERS))
        return NULL;
    /* relaxed, both: written under the lock. */
    if (!rn_load_relaxed(&rn__readers_place(r)->rn_awaited) && rn_load_relaxed(&r->name)) {
        close_and_fence_locked(r);
        if (sum_locked(r) == 0)
            return r;
        rn__readers_open_locked(r);
    }
    rn_lock_release(&r->lock);
    return NULL;
}

/* ---- taking the bias up ---------------------------------------------------------------------------- */

static bool may_be_biased(void)
{
#if defined(RN_EXPLORE) || defined(RN_RACE) || (defined(RN_TSAN) && !defined(RN_MODEL))
    return false;
#else
    return rn__fence_asymmetric && !RN_WATCH_BITS;
#endif
}

/* m, which no writer has or wants, becomes biased, with r as its place. */
static bool begin_locked(rn_rwmutex *m, struct rn_readers *r)
{
    rn_lock_assert_held(&r->lock);
    uint64_t place = (uint64_t)(r - rn__readers) << RN_RW_PLACE;
    uint64_t s = rn_load_relaxed(&m->rn_state); /* relaxed: a guess for the swap */
    do {
        if (s & (RN_RW_WRITER | RN_RW_QUEUED | RN_RW_BIASED))
            return false;
        /* acquire: pairs with the release in unlock; what writers did is published by open. */
    } while (!rn_cas_acquire(&m->rn_state, &s, (s & ~(uint64_t)RN_RW_TICKS) | RN_RW_BIASED | place));
    rn_store_relaxed(&r->name, rn__readers_name(m)); /* relaxed: under the lock */
    rn__readers_open_locked(r);
    return true;
}

static void begin(rn_rwmutex *m)
{
    struct rn_readers *r = rn_load_relaxed(&taken) < RN_TALLIES ? find_free() : NULL; /* relaxed: a hint */
    if (!r)
        r = take_from_another();
    if (r) {
        if (!begin_locked(m, r))
            rn__readers_free_locked(r);
        rn_lock_release(&r->lock);
    } else {
        rn_store_relaxed(&m->rn_rest, REST_LONG); /* relaxed: a hint */
    }
}

/* DUE reads have gone by. */
static void due(rn_rwmutex *m, uint64_t s)
{
    uint32_t rest = rn_load_relaxed(&m->rn_rest); /* relaxed: a hint, where two count at once */
    if (rest == 0 && may_be_biased()) {
        begin(m);
        return;
    }
    if (rest > 0)
        rn_store_relaxed(&m->rn_rest, rest - 1);
    /* relaxed: counts anew; if the word has changed, another reader will see to it. */
    rn_cas_relaxed(&m->rn_state, &s, s & ~(uint64_t)RN_RW_TICKS);
}

void rn__readers_rest(rn_rwmutex *m, rn_duration spent)
{
    int64_t rest = RESTS * spent / (RN_RW_DUE / RN_RW_TICK * READ_TAKES) + 1;
    rn_store_relaxed(&m->rn_rest, rest < REST_MOST ? (uint32_t)rest : REST_MOST); /* relaxed: a hint */
}

/* ---- readers ----------------------------------------------------------------------------------------- */

/* One that has held so many that they are not counted any more is believed to hold some for ever. */
void rn__readers_holds_more(struct rn_g *g)
{
    if (g->reads < UINT8_MAX)
        g->reads++;
}

void rn__readers_holds_fewer(struct rn_g *g)
{
    if (g->reads > 0 && g->reads < UINT8_MAX)
        g->reads--;
}

void rn__readers_take_back(uint32_t k)
{
    struct rn_g *g;
    rn__readers_count_down(rn__tally(&g), k);
}

static bool enter(rn_rwmutex *m)
{
    uint32_t k;
    enum rn_reader r = rn__readers_try_enter(m, &k);
    if (r == RN_READER_REFUSED)
        rn__readers_take_back(k);
    return r == RN_READER_IN;
}

bool rn__readers_due(rn_rwmutex *m, uint64_t s)
{
    struct rn_g *g;
    if (!(s & RN_RW_BIASED))
        due(m, s);
    if ((rn_load_relaxed(&m->rn_state) & RN_RW_BIASED) && !rn__tally(&g)) /* relaxed: a hint */
        rn__tally_make(&g);
    if (enter(m))
        return true;
    struct rn_readers *r = rn__readers_hold(m); /* the place is another's, or was closed for a moment */
    if (!r)
        return false;
    rn__readers_release(r);
    return enter(m);
}

void rn__readers_left(uint32_t k)
{
    struct rn_ready_list wake = {0};
    struct rn_readers *r = &rn__readers[k];
    rn_lock_take(&r->lock, RN_RANK_READERS);
    /* Not yet drained: the writer's fence has yet to be, or its look at the sum, which comes after this. */
    if (r->drained && rn__readers_are_gone_locked(r)) {
        rn_rwmutex *m = (rn_rwmutex *)~rn_load_relaxed(&r->name); /* NOLINT(performance-no-int-to-ptr) */
        if (rn__rwmutex_drained(m, &wake))
            rn__readers_free_locked(r);
        else
            rn__readers_open_locked(r);
    }
    rn_lock_release(&r->lock);
    if (wake.n)
        rn__ready_all(&wake);
}

struct rn_readers *rn__readers_hold(rn_rwmutex *m)
{
    for (;;) {
        uint64_t s = rn_load_relaxed(&m->rn_state); /* relaxed: looked at again under the lock */
        if (!(s & RN_RW_BIASED))
            return NULL;
        struct rn_readers *r = &rn__readers[rn__rw_place(s)];
        rn_lock_take(&r->lock, RN_RANK_READERS);
        uint64_t now = rn_load_relaxed(&m->rn_state); /* relaxed: the lock has published BIASED with the place */
        bool same = (now & RN_RW_BIASED) && rn__rw_place(now) == rn__rw_place(s);
        if (same && rn_load_relaxed(&r->name) == rn__readers_name(m))
            return r;
        /* The place is another's: then nobody was counted there for m.  relaxed: nothing of m's has changed. */
        while (same && !rn_cas_relaxed(&m->rn_state, &now, rn__rw_unbiased(now)))
            continue;
        rn_lock_release(&r->lock);
    }
}

/* Whether nobody holds m for reading. */
static bool nobody_reads_locked(struct rn_readers *r, rn_rwmutex *m)
{
    rn_lock_assert_held(&r->lock);
    /* relaxed: under the lock; the writer's fence may be yet to come. */
    bool closing = rn_load_relaxed(&rn__readers_place(r)->rn_awaited);
    close_and_fence_locked(r);
    /* acquire: the sum before the word, which only falls meanwhile. */
    bool none = sum_locked(r) + rn__rw_readers(rn_load_acquire(&m->rn_state)) == 0;
    if (!closing)
        rn__readers_open_locked(r);
    return none;
}

/* A goroutine that has counted no read lock gives one back.  False: look at the word again. */
static bool may_leave(rn_rwmutex *m, uint32_t k)
{
    /* Read while others count it may be wrong in either direction; most often it is not. */
    if ((int32_t)rn__tally_sum(k) > 0)
        return true;
    struct rn_readers *r = rn__readers_hold(m);
    bool same = r == &rn__readers[k];
    bool none = same && nobody_reads_locked(r, m);
    if (r)
        rn__readers_release(r);
    if (none)
        rn_fatal("sync: RUnlock of unlocked RWMutex");
    return same;
}

static struct rn_tally *tally_for_leaving(struct rn_g **g)
{
    struct rn_tally *t = rn__tally(g);
    for (int tries = 0; !t && tries < TRIES; tries++) {
        if (tries > 0)
            rn_os_nap(RN_MILLISECOND);
        t = rn__tally_make(g);
    }
    if (!t)
        rn_fatal("out of memory for a thread's row of counters");
    return t;
}

bool rn__readers_leave_checked(rn_rwmutex *m, uint64_t s)
{
    struct rn_g *g;
    uint32_t k = rn__rw_place(s);
    struct rn_tally *t = tally_for_leaving(&g);
    if (!g->reads && !may_leave(m, k))
        return false;
    rn__readers_holds_fewer(g);
    rn__readers_count_down(t, k);
    return true;
}

/* ---- writers ----------------------------------------------------------------------------------------- */

bool rn__readers_try_lock_locked(struct rn_readers *r, rn_rwmutex *m)
{
    rn_lock_assert_held(&r->lock);
    uint64_t s = rn_load_relaxed(&m->rn_state); /* relaxed: a guess for the swap */
    /* Readers are asked first, since the fence is dear: some reader has had m during this call if it is wrong. */
    if ((s & RN_RW_QUEUED) || rn__rw_readers(s) || (int32_t)sum_locked(r) > 0)
        return false;
    rn_time began = rn__now();
    close_and_fence_locked(r);
    /* acquire: pairs with the release in runlock, of those who were counted in the word. */
    if (!rn__readers_are_gone_locked(r) || !rn_cas_acquire(&m->rn_state, &s, RN_RW_WRITER)) {
        rn__readers_open_locked(r);
        return false;
    }
    rn__readers_free_locked(r);
    rn__readers_rest(m, rn__now() - began);
    return true;
}

bool rn__readers_end_locked(struct rn_readers *r, rn_rwmutex *m)
{
    rn_lock_assert_held(&r->lock);
    uint64_t s = rn_load_relaxed(&m->rn_state); /* relaxed: nobody else changes it, or it is in use */
    if ((s & RN_RW_QUEUED) || sum_locked(r) != 0 || !rn_cas_relaxed(&m->rn_state, &s, rn__rw_unbiased(s)))
        return true;
    rn__readers_free_locked(r);
    return false;
}
