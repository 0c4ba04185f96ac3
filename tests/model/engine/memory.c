/* What an atomic operation may see: the C11 memory model, operationally.
 *
 * Every atomic location has the history of its stores; the modification order is the order in which
 * they were executed (the search tries every order).  An operation of thread t counts t's epoch up;
 * a store keeps for every thread the epoch at which that thread first knew it, by having written or
 * read it.  A load may return any store that has no later store which t knows, that is, whose
 * epoch for some thread is in t's vector clock.  This is coherence in all four forms.
 *
 *   release store   carries its thread's clocks; an acquire load that reads it joins them
 *   relaxed store   carries the clocks of its thread's last release fence
 *   relaxed load    keeps what the store carries for its thread's next acquire fence
 *   RMW             reads the newest store, and carries on what that carried (release sequence;
 *                   as in C++20, a plain store by the same thread does not continue one)
 *   failed CAS      is a load, and may return an old store whose value is not the expected one
 *   seq_cst fence   joins the thread's clock into one global clock and that into the thread's
 *   seq_cst access  also sees at least the newest seq_cst access of its location in execution order,
 *                   and all that was executed before a seq_cst fence that was executed before it
 *
 * Two clocks per thread: hb is happens-before, which data races are judged by; vis (hb and what
 * fences force one to see) decides what loads may return.
 */
#include "engine.h"

#include <stdio.h>

enum { LOCATIONS = 512, HASH = 2048, KEPT = 64 };

struct store {
    uint64_t value;
    struct clock seen;    /* epoch at which each thread first knew this store; 0: not yet */
    struct clock hb, vis; /* what an acquire load of it gains */
    int32_t event;
};

struct location {
    const volatile void *addr;
    uint8_t size;
    int n;
    int seq_cst_n; /* stores up to and with this number are in the seq_cst order; 0: none */
    struct store *stores;
    int cap;
    struct order dep[2];
};

static struct location locations[LOCATIONS];
static int location_n;
static struct {
    uint32_t run;
    int32_t index;
} table[HASH];
static uint32_t run;
static struct clock fence_clock; /* the global one of seq_cst fences */
struct model_site *all_sites;

void site_known(struct model_site *s)
{
    if (s->known)
        return;
    s->known = true;
    s->next = all_sites;
    all_sites = s;
}

void memory_reset(void)
{
    run++;
    location_n = 0;
    memset(&fence_clock, 0, sizeof fence_clock);
    for (int t = 0; t < ALL; t++) {
        struct thread *th = &threads[t];
        memset(&th->hb, 0, sizeof th->hb);
        th->hb.at[t] = 1;
        th->vis = th->acq_hb = th->acq_vis = th->hb;
        memset(&th->rel_hb, 0, sizeof th->rel_hb);
        memset(&th->rel_vis, 0, sizeof th->rel_vis);
        memset(&th->visited, 0, sizeof th->visited);
        memset(&th->got, 0, sizeof th->got);
        th->spun_n = 0;
    }
}

static void tick(struct thread *t)
{
    int i = (int)(t - threads);
    t->hb.at[i]++;
    t->vis.at[i] = t->acq_hb.at[i] = t->acq_vis.at[i] = t->hb.at[i];
}

static void everything(struct thread *to, const struct thread *from)
{
    clock_join(&to->hb, &from->hb);
    clock_join(&to->vis, &from->vis);
    clock_join(&to->acq_hb, &to->hb);
    clock_join(&to->acq_vis, &to->vis);
}

void memory_start(int t)
{
    tick(&threads[MAIN]); /* what it did after its last operation, too */
    everything(&threads[t], &threads[MAIN]);
    threads[t].light = threads[t].vis;
}

void memory_join(int t)
{
    tick(&threads[t]);
    everything(&threads[MAIN], &threads[t]);
}

static struct location *lookup(const volatile void *addr, bool make)
{
    uint32_t h = (uint32_t)(((uintptr_t)addr >> 2) * 2654435761u) % HASH;
    for (; table[h].run == run; h = (h + 1) % HASH)
        if (locations[table[h].index].addr == addr)
            return &locations[table[h].index];
    if (!make)
        return NULL;
    if (location_n == LOCATIONS)
        model_fail("the engine has no room for more than %d locations", LOCATIONS);
    struct location *l = &locations[location_n];
    table[h].run = run;
    table[h].index = location_n++;
    l->addr = addr;
    l->n = l->seq_cst_n = 0;
    l->size = 0;
    memset(l->dep, 0, sizeof l->dep);
    return l;
}

struct order *dep_of(const volatile void *addr)
{
    return lookup(addr, true)->dep;
}

static struct store *append(struct location *l, uint64_t value)
{
    if (l->n == l->cap) {
        l->cap = l->cap ? 2 * l->cap : 16;
        l->stores = realloc(l->stores, (size_t)l->cap * sizeof *l->stores);
        if (!l->stores)
            abort();
    }
    struct store *s = &l->stores[l->n++];
    memset(s, 0, sizeof *s);
    s->value = value;
    s->event = -1;
    return s;
}

static uint64_t fetch(const volatile void *p, size_t size)
{
    uint64_t v = 0;
    memcpy(&v, (const void *)p, size);
    return v;
}

/* The location of p, its history begun with what memory holds.  A history restarts when memory
 * holds something else than the newest store: then the variable is a new one, or was initialised
 * again by a plain store (which the data race detection judges). */
static struct location *at(const volatile void *p, size_t size)
{
    struct location *l = lookup(p, true);
    uint64_t now = fetch(p, size);
    if (l->n && (l->size != size || l->stores[l->n - 1].value != now))
        l->n = l->seq_cst_n = 0;
    l->size = (uint8_t)size;
    if (!l->n)
        append(l, now);
    return l;
}

void memory_restart(const volatile void *p, size_t size)
{
    if (size > KEPT * sizeof(uint64_t)) { /* few locations, much memory */
        for (int i = 0; i < location_n; i++) {
            uintptr_t a = (uintptr_t)locations[i].addr;
            if (a >= (uintptr_t)p && a < (uintptr_t)p + size)
                locations[i].n = locations[i].seq_cst_n = 0;
        }
        return;
    }
    uintptr_t last = (uintptr_t)p + size;
    for (uintptr_t a = (uintptr_t)p & ~(uintptr_t)7; a < last; a++) {
        struct location *l = lookup((const volatile void *)a, false);
        if (l && l->n && a + l->size > (uintptr_t)p)
            l->n = l->seq_cst_n = 0;
    }
}

/* ---- one thread's clocks ------------------------------------------------------------------- */

static void know(struct store *s, const struct thread *t)
{
    int i = (int)(t - threads);
    if (!s->seen.at[i])
        s->seen.at[i] = t->hb.at[i];
}

static void gain(struct thread *t, const struct store *s, uint8_t order)
{
    clock_join(&t->acq_hb, &s->hb);
    clock_join(&t->acq_vis, &s->vis);
    if (order & MODEL_ACQUIRE) {
        clock_join(&t->hb, &s->hb);
        clock_join(&t->vis, &s->vis);
    }
}

static void carry(struct store *s, const struct thread *t, uint8_t order)
{
    clock_join(&s->hb, order & MODEL_RELEASE ? &t->hb : &t->rel_hb);
    clock_join(&s->vis, order & MODEL_RELEASE ? &t->vis : &t->rel_vis);
}

static struct seen *seen_of(struct thread *t, const struct location *l)
{
    for (int k = 0; k < t->spun_n; k++)
        if (t->spun[k].addr == l->addr)
            return &t->spun[k];
    return NULL;
}

/* The oldest store that t may still read.  A store becomes visible in finite time: who has read the
 * same old one PATIENCE times in a row reads a newer one next, so that loops end. */
static int oldest(const struct location *l, struct thread *t, bool seq_cst)
{
    const struct seen *again = seen_of(t, l);
    int bored = again && again->times >= PATIENCE ? again->old + 1 : 0;
    struct clock vis = t->vis;
    if (seq_cst)
        clock_join(&vis, &fence_clock);
    for (int i = l->n - 1; i > 0; i--) {
        if (i == bored || (seq_cst && i < l->seq_cst_n))
            return i;
        for (int k = 0; k < ALL; k++)
            if (l->stores[i].seen.at[k] && l->stores[i].seen.at[k] <= vis.at[k])
                return i;
    }
    return 0;
}

/* What the kernel reads: the newest store, which the thread then knows. */
uint64_t memory_newest(const volatile void *p, size_t size)
{
    struct location *l = at(p, size);
    know(&l->stores[l->n - 1], &threads[running]);
    return l->stores[l->n - 1].value;
}

/* ---- spinning ------------------------------------------------------------------------------ */

/* t reads store i of l. */
static void spun(struct thread *t, const struct location *l, int i)
{
    struct seen *s = seen_of(t, l);
    if (!s && t->spun_n == SPUN) {
        memmove(t->spun, t->spun + 1, (SPUN - 1) * sizeof *t->spun);
        t->spun_n--;
    }
    if (!s) {
        s = &t->spun[t->spun_n++];
        *s = (struct seen){.addr = l->addr, .old = -1};
    }
    s->value = l->stores[i].value;
    s->times = i == l->n - 1 ? 0 : i == s->old ? s->times + 1 : 1;
    s->old = i;
}

bool memory_changed(int t)
{
    const struct thread *th = &threads[t];
    for (int i = 0; i < th->spun_n; i++) {
        struct location *l = lookup(th->spun[i].addr, false);
        if (!l || !l->n || l->stores[l->n - 1].value != th->spun[i].value)
            return true;
    }
    return th->spun_n == 0;
}

/* Whoever spins sees, the next time round, at least what is newest now. */
void rn__model_yield(void)
{
    struct thread *t = &threads[running];
    struct op op = {.kind = OP_YIELD, .text = "spins"};
    for (int i = 0; i < t->spun_n; i++)
        op.spun[op.spun_n++] = t->spun[i].addr;
    point(op);
    tick(t);
    for (int i = 0; i < t->spun_n; i++) {
        struct location *l = lookup(t->spun[i].addr, false);
        if (l && l->n)
            know(&l->stores[l->n - 1], t);
    }
    t->spun_n = 0;
    t->forced = false;
}

/* ---- operations ---------------------------------------------------------------------------- */

static struct op operation(uint8_t kind, const volatile void *p, size_t size, struct model_site *s)
{
    site_known(s);
    return (struct op){
        .kind = kind, .addr = p, .size = (uint8_t)size, .site = s, .seq_cst = p && s->now == MODEL_SEQ_CST};
}

/* t reads store i; the event is filled in. */
static uint64_t read_store(struct thread *t, struct location *l, int i, uint8_t order)
{
    struct store *s = &l->stores[i];
    know(s, t);
    gain(t, s, order);
    if (order == MODEL_SEQ_CST && l->seq_cst_n <= i)
        l->seq_cst_n = i + 1;
    spun(t, l, i);
    struct op *e = event();
    e->value = s->value;
    e->from = s->event;
    e->stale = i != l->n - 1;
    return s->value;
}

static struct store *write_store(struct thread *t, struct location *l, uint64_t value, uint8_t order)
{
    struct store *s = append(l, value);
    memcpy((void *)(uintptr_t)l->addr, &value, l->size);
    know(s, t);
    carry(s, t, order);
    s->event = event_n - 1;
    if (order == MODEL_SEQ_CST)
        l->seq_cst_n = l->n;
    event()->wrote = value;
    for (int k = 0; k < t->spun_n; k++)
        if (t->spun[k].addr == l->addr)
            t->spun[k].value = value;
    return s;
}

void model_load(const volatile void *p, size_t size, void *out, struct model_site *site)
{
    point(operation(OP_LOAD, p, size, site));
    struct thread *t = &threads[running];
    tick(t);
    race_atomic(p, size, false);
    struct location *l = at(p, size);
    int last = l->n - 1;
    int i = last - choose(last - oldest(l, t, site->now == MODEL_SEQ_CST) + 1);
    uint64_t v = read_store(t, l, i, site->now);
    memcpy(out, &v, size);
}

void model_store(volatile void *p, size_t size, const void *v, struct model_site *site)
{
    uint64_t value = 0;
    memcpy(&value, v, size);
    point(operation(OP_STORE, p, size, site));
    struct thread *t = &threads[running];
    tick(t);
    race_atomic(p, size, true);
    write_store(t, at(p, size), value, site->now);
}

bool model_section_store(volatile void *p, size_t size, const void *v, uint32_t begun, struct model_site *site)
{
    uint64_t value = 0;
    memcpy(&value, v, size);
    struct op op = operation(OP_STORE, p, size, site);
    op.section = true;
    point(op);
    struct thread *t = &threads[running];
    if (t->restarted != begun) {
        event()->failed = true;
        return false;
    }
    tick(t);
    race_atomic(p, size, true);
    write_store(t, at(p, size), value, site->now);
    return true;
}

/* The new store of an RMW carries on what the one it read carried. */
static void replace(struct thread *t, struct location *l, uint64_t value, uint8_t order)
{
    read_store(t, l, l->n - 1, order);
    struct clock hb = l->stores[l->n - 1].hb, vis = l->stores[l->n - 1].vis;
    struct store *s = write_store(t, l, value, order);
    clock_join(&s->hb, &hb);
    clock_join(&s->vis, &vis);
}

bool model_cas(volatile void *p, size_t size, void *expected, const void *v, struct model_site *site)
{
    uint64_t want = 0, value = 0;
    memcpy(&want, expected, size);
    memcpy(&value, v, size);
    point(operation(OP_RMW, p, size, site));
    struct thread *t = &threads[running];
    tick(t);
    race_atomic(p, size, true);
    struct location *l = at(p, size);
    /* Outcome 0 is the newest store; the others, old ones that make it fail. */
    int old[KEPT], n = 0;
    bool seq_cst = site->now == MODEL_SEQ_CST; /* then its failure is, too */
    for (int i = l->n - 2, low = oldest(l, t, seq_cst); i >= low && n < KEPT; i--)
        if (l->stores[i].value != want)
            old[n++] = i;
    int k = choose(n + 1);
    if (k == 0 && l->stores[l->n - 1].value == want) {
        replace(t, l, value, site->now);
        return true;
    }
    uint8_t order = 0;
    if (site->order & MODEL_RELEASE && site->order & MODEL_ACQUIRE)
        order = seq_cst ? MODEL_SEQ_CST : site->now & MODEL_ACQUIRE;
    uint64_t found = read_store(t, l, k == 0 ? l->n - 1 : old[k - 1], order);
    event()->kind = OP_LOAD;
    event()->failed = true;
    memcpy(expected, &found, size);
    return false;
}

void model_rmw(volatile void *p, size_t size, enum model_rmw what, const void *v, void *out, struct model_site *site)
{
    uint64_t by = 0;
    memcpy(&by, v, size);
    point(operation(OP_RMW, p, size, site));
    struct thread *t = &threads[running];
    tick(t);
    race_atomic(p, size, true);
    struct location *l = at(p, size);
    uint64_t was = l->stores[l->n - 1].value, now = by;
    if (what == MODEL_ADD)
        now = was + by;
    else if (what == MODEL_SUB)
        now = was - by;
    else if (what == MODEL_OR)
        now = was | by;
    else if (what == MODEL_AND)
        now = was & by;
    if (size < sizeof now)
        now &= ((uint64_t)1 << 8 * size) - 1;
    replace(t, l, now, site->now);
    memcpy(out, &was, size);
}

void memory_seq_cst_fence(void)
{
    struct thread *t = &threads[running];
    tick(t);
    clock_join(&t->vis, &t->acq_vis);
    clock_join(&t->hb, &t->acq_hb);
    clock_join(&t->vis, &fence_clock);
    clock_join(&fence_clock, &t->vis);
    for (int k = 0; k < location_n; k++)
        if (locations[k].seq_cst_n)
            know(&locations[k].stores[locations[k].seq_cst_n - 1], t);
    clock_join(&t->acq_vis, &t->vis);
    clock_join(&t->rel_vis, &t->vis);
    clock_join(&t->rel_hb, &t->hb);
}

/* Asymmetric fences order what threads see; they synchronise with nothing (happens-before needs an
 * operation of each thread's own). */
void memory_heavy_begin(int i)
{
    threads[i].bring = threads[i].acq_vis;
    memset(&threads[i].got, 0, sizeof threads[i].got);
}

/* A full fence at a moment between two light fences of the target, as far as those tell: what came
 * before the first of them came before the visit, what comes after the second comes after it. */
void memory_visit(int target, int by)
{
    struct thread *t = &threads[target], *h = &threads[by];
    clock_join(&h->got, &t->light);
    clock_join(&t->visited, &t->light);
    clock_join(&t->visited, &h->bring);
}

void memory_heavy_end(int i)
{
    clock_join(&threads[i].acq_vis, &threads[i].got);
    memory_seq_cst_fence();
}

static void see_visits(void)
{
    struct thread *t = &threads[running];
    tick(t);
    clock_join(&t->vis, &t->visited);
    clock_join(&t->acq_vis, &t->visited);
    clock_join(&t->rel_vis, &t->visited);
    t->light = t->acq_vis;
}

void model_fence_light(struct model_site *site)
{
    site_known(site);
    if (site->now != MODEL_SEQ_CST)
        return;
    point(operation(rn__fence_asymmetric ? OP_LIGHT : OP_FENCE, NULL, 0, site));
    if (!rn__fence_asymmetric) {
        memory_seq_cst_fence();
        return;
    }
    see_visits();
}

uint32_t model_section_begin(void)
{
    point((struct op){.kind = OP_LIGHT, .text = "section"});
    see_visits();
    return threads[running].restarted;
}

void model_fence(struct model_site *site)
{
    site_known(site);
    if (site->now == MODEL_SEQ_CST) {
        point(operation(OP_FENCE, NULL, 0, site));
        memory_seq_cst_fence();
        return;
    }
    struct thread *t = &threads[running];
    tick(t);
    if (site->now & MODEL_ACQUIRE) {
        clock_join(&t->hb, &t->acq_hb);
        clock_join(&t->vis, &t->acq_vis);
    }
    if (site->now & MODEL_RELEASE) {
        t->rel_hb = t->hb;
        t->rel_vis = t->vis;
    }
}

void memory_post(struct clock *hb, struct clock *vis)
{
    struct thread *t = &threads[running];
    tick(t);
    clock_join(hb, &t->hb);
    clock_join(vis, &t->vis);
}

void memory_take(const struct clock *hb, const struct clock *vis)
{
    struct thread *t = &threads[running];
    tick(t);
    clock_join(&t->hb, hb);
    clock_join(&t->vis, vis);
    clock_join(&t->acq_hb, hb);
    clock_join(&t->acq_vis, vis);
}
