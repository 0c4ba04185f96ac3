/* Locks that are watched: who holds them (RUNNEL_LEAKS=1), and in which order they are taken (RUNNEL_LOCKORDER=1).
 *
 * The graph has an edge A -> B where a goroutine that held A went for B.  An edge keeps who that was, where it took both,
 * and its gates: the other locks that it held.  A cycle is reported when it could be a deadlock: its edges belong to
 * different goroutines, no gate keeps two of them apart, and what is held of each lock keeps out what is wanted of it
 * (two read locks do so only when somebody writes).  The edge comes before the wait, so that a deadlock that does happen
 * was reported as a cycle before.
 *
 * A lock is known by a number that is kept in the lock itself (rn_home, which only debug builds use otherwise), not by its
 * address: memory that becomes a new lock is zero there, and what was known of the old one is not taken for the new.
 * Numbers share LOCKS records; an old lock loses its record, and its edges, to a new one.  Full tables lose edges, never
 * make some up.  The tables are mapped, so that the search for leaks can leave them out: they name every lock.
 *
 * A mutex has no owner: who locks what it holds waits for itself, unless another lets it go, which is legal.  What is known
 * decides when that is said:
 *  - nobody who can still run could let it go (the search for leaks knows): at once, and the program ends;
 *  - the lock was let go by its holder before, or others that were taken at the same place were, and none by
 *    anybody else (is_usual): at once;
 *  - another let it go once: never;
 *  - it is the first time, and somebody might: when it has lasted; see RN_LOCK_PATIENCE.
 * A read lock taken twice is reported when both were let go by the one who took them; at once when that is usual, or a
 * writer waits between the two, which counts like the above.
 *
 * `tables` guards everything; it is a leaf, and nothing is printed under it.
 *
 * Rejected: edges between places instead of locks (finds more, but every list with a lock in each node is reported);
 * to end the program for every lock that its holder wants again (as a signal between goroutines it is legal);
 * interposing the program's calls (the short ways are inlined: RN_WATCHED in them costs one instruction and no branch). */
#define _GNU_SOURCE 1
#include "debug/lock_order.h"
#include "debug/lock_order_told.h"
#include "arch/unwind.h"
#include "base/hooks.h"
#include "debug/debug.h"
#include "debug/leaks.h"
#include "os/lock.h"
#include "os/os.h"
#include "sched/rt.h"
#include <runnel/sync_type.h>
#include <string.h>

enum { LOCKS = 1 << 16, HOLDS = 1 << 15, EDGES = 1 << 14, OWNERS = 1 << 12, TWICE = 128 };
enum { PLACES = 1 << 12, OFTEN = 3, STEPS = 20000, TOLD = 256 };

struct record {
    const void *lock, *queue;
    uint32_t number; /* 0: free */
    uint32_t holds, edges;
    uint64_t writer; /* who went for it to write, ever; 0: nobody; SEVERAL */
    bool handed;     /* let go by another than its holder, once */
    bool usual;      /* let go by its holder, once */
    uint64_t wants;  /* who went for it to write, the last, and has not got it; 0: nobody */
};
#define SEVERAL UINT64_MAX

struct hold {
    struct owner owner;
    uint32_t lock; /* its number */
    uint32_t of_lock, of_owner;
    struct trace at;
    rn_time again; /* when its owner began to wait for the same lock; 0: it does not */
    struct trace again_at;
    bool read, again_reads, told;
};

/* Where locks are taken: by the call and its caller's, or those two. */
struct place {
    uint64_t key; /* 0: free */
    bool handed, usual;
};

struct tables {
    struct record locks[LOCKS];
    struct hold holds[HOLDS]; /* 0 is none; so with the edges */
    struct edge edges[EDGES];
    struct place places[PLACES]; /* one that finds its place taken is not known */
    uint32_t owners[OWNERS];     /* the first hold, by the owner's id */
    uint32_t free_hold, next_hold, free_edge, next_edge;
    uint32_t number;
    uint64_t told[TOLD]; /* cycles, by their places */
    uint32_t told_n;
    struct hold twice[TWICE]; /* read locks taken twice before another has written: the latest */
    uint32_t twice_n;
};
static struct tables *t;
static rn_atomic(uint32_t) again_n; /* holds whose owner waits for the same lock */
static rn_lock tables;
static rn_atomic(uint32_t) reports;

/* ---- the tables (guarded by the lock) ------------------------------------------------------------------ */

static uint32_t take(uint32_t *free, uint32_t *next, uint32_t *link_of_free, uint32_t max)
{
    if (*free) {
        uint32_t i = *free;
        *free = *link_of_free;
        return i;
    }
    return *next + 1 < max ? ++*next : 0;
}

static void drop_edges(struct record *r)
{
    while (r->edges) {
        struct edge *e = &t->edges[r->edges];
        uint32_t i = r->edges;
        r->edges = e->next;
        e->next = t->free_edge;
        t->free_edge = i;
    }
}

static struct record *find(uint32_t number)
{
    struct record *r = &t->locks[number % LOCKS];
    return number && r->number == number ? r : NULL;
}

/* The lock's record; a new one when the lock is new, or moved here as a copy.  NULL: its place is taken by one that is held. */
static struct record *record_of(const void *lock, rn_atomic(uint32_t) * number)
{
    struct record *r = find(rn_load_relaxed(number)); /* relaxed: written under the tables' lock only */
    if (r && r->lock == lock)
        return r;
    r = &t->locks[++t->number % LOCKS];
    if (t->number == 0 || r->holds)
        return NULL;
    drop_edges(r);
    *r = (struct record){.lock = lock, .queue = rn_container(number, struct rn_waitq, rn_home), .number = t->number};
    rn_store_relaxed(number, t->number); /* relaxed: as above */
    return r;
}

static uint32_t *owners_holds(uint64_t id)
{
    return &t->owners[id % OWNERS];
}

static struct hold *find_hold(const struct record *r, uint64_t id)
{
    for (uint32_t i = r->holds; i; i = t->holds[i].of_lock)
        if (t->holds[i].owner.id == id)
            return &t->holds[i];
    return NULL;
}

static void add_hold(struct record *r, const struct owner *who, bool read, const struct trace *at)
{
    uint32_t i = take(&t->free_hold, &t->next_hold, &t->holds[t->free_hold].of_lock, HOLDS);
    if (!i)
        return;
    uint32_t *first = owners_holds(who->id);
    t->holds[i] = (struct hold){
        .owner = *who, .lock = r->number, .of_lock = r->holds, .of_owner = *first, .at = *at, .read = read};
    r->holds = *first = i;
}

static void wants_no_more(struct hold *h)
{
    if (h->again)
        rn_sub_relaxed(&again_n, 1); /* relaxed: a hint for rn__lock_order_look */
    h->again = 0;
}

static void remove_hold(struct record *r, const struct hold *h)
{
    uint32_t i = (uint32_t)(h - t->holds), *p = &r->holds;
    while (*p != i)
        p = &t->holds[*p].of_lock;
    *p = h->of_lock;
    for (p = owners_holds(h->owner.id); *p != i;)
        p = &t->holds[*p].of_owner;
    *p = h->of_owner;
    wants_no_more(&t->holds[i]);
    t->holds[i].of_lock = t->free_hold;
    t->free_hold = i;
}

static struct place *place_of(const struct trace *at, uint64_t *key)
{
    enum { OURS = 3, THEIRS = 2 }; /* frames */
    *key = 0;
    for (int i = 0; i < at->n && i < OURS + THEIRS; i++)
        *key = (*key + (uintptr_t)at->pc[i]) * 0x9e3779b97f4a7c15u;
    *key |= 1;
    return &t->places[*key >> 32 & (PLACES - 1)];
}

/* h is let go, by its owner or by another. */
static void note_end(struct record *r, const struct hold *h, bool by_owner)
{
    uint64_t key;
    struct place *p = place_of(&h->at, &key);
    r->usual |= by_owner;
    r->handed |= !by_owner;
    if (!p->key)
        p->key = key;
    if (p->key == key) {
        p->usual |= by_owner;
        p->handed |= !by_owner;
    }
}

/* Nothing speaks for its being a signal that another gives, and its past speaks against. */
static bool is_usual(const struct record *r, const struct hold *h)
{
    uint64_t key;
    const struct place *p = place_of(&h->at, &key);
    bool known = p->key == key;
    return !r->handed && !(known && p->handed) && (r->usual || (known && p->usual));
}

/* ---- the graph --------------------------------------------------------------------------------------- */

static bool share_gate(const struct edge *a, const struct edge *b)
{
    for (int i = 0; i < GATES && a->gates[i]; i++)
        for (int k = 0; k < GATES && b->gates[k]; k++)
            if (a->gates[i] == b->gates[k])
                return true;
    return false;
}

/* Whether who holds the lock as `next` does keeps out who wants it as `e` does. */
static bool keeps_out(const struct edge *e, const struct edge *next)
{
    const struct record *r = find(e->to);
    return r && (!e->reads_to || !next->reads_from || r->writer);
}

struct search {
    struct edge *path[LONGEST];
    int n, steps;
};

static bool fits(const struct search *s, const struct edge *e)
{
    if (!keeps_out(s->path[s->n - 1], e))
        return false;
    for (int i = 0; i < s->n; i++)
        if (s->path[i]->owner.id == e->owner.id || s->path[i]->from == e->from || share_gate(s->path[i], e))
            return false;
    return true;
}

/* Goes on from the path's end until it comes back to its beginning. */
static bool find_cycle(struct search *s)
{
    const struct record *at = find(s->path[s->n - 1]->to);
    for (uint32_t i = at && !at->handed ? at->edges : 0; i && s->steps > 0; i = t->edges[i].next) {
        struct edge *e = &t->edges[i];
        s->steps--;
        if (!fits(s, e))
            continue;
        s->path[s->n++] = e;
        if (e->to == s->path[0]->from ? keeps_out(e, s->path[0]) : s->n < LONGEST && find_cycle(s))
            return true;
        s->n--;
    }
    return false;
}

static uint64_t sum_of(const struct trace *at)
{
    uint64_t sum = 0;
    for (int i = 0; i < at->n; i++)
        sum += (uintptr_t)at->pc[i] * 0x9e3779b97f4a7c15u >> 7;
    return sum;
}

/* Reports that differ only in the locks and the goroutines are one. */
static bool is_new(uint64_t sum)
{
    for (uint32_t i = 0; i < t->told_n; i++)
        if (t->told[i] == sum)
            return false;
    if (t->told_n == TOLD)
        return false;
    t->told[t->told_n++] = sum;
    return true;
}

/* The other locks that e's owner holds to write.  False when there are too many. */
static bool add_gates(struct edge *e)
{
    int n = 0;
    for (uint32_t i = *owners_holds(e->owner.id); i; i = t->holds[i].of_owner) {
        const struct hold *h = &t->holds[i];
        if (h->owner.id != e->owner.id || h->lock == e->from || h->read)
            continue;
        if (n == GATES)
            return false;
        e->gates[n++] = h->lock;
    }
    return true;
}

/* Whether the graph knows such an edge well enough: this owner's, or those of some others. */
static bool is_known(const struct record *from, const struct edge *e)
{
    int others = 0;
    for (uint32_t i = from->edges; i; i = t->edges[i].next) {
        const struct edge *old = &t->edges[i];
        if (old->to != e->to || old->reads_from != e->reads_from || old->reads_to != e->reads_to ||
            memcmp(old->gates, e->gates, sizeof e->gates) != 0)
            continue;
        if (old->owner.id == e->owner.id || ++others == OFTEN)
            return true;
    }
    return false;
}

static bool is_new_cycle(const struct search *s)
{
    uint64_t sum = 0;
    for (int i = 0; i < s->n; i++)
        sum += sum_of(&s->path[i]->to_at);
    return is_new(sum);
}

/* True when the edge from h closes a cycle that was not told yet: then it is in s. */
static bool add_edge(const struct hold *h, const struct record *to, bool read, const struct trace *at, struct search *s)
{
    struct record *from = find(h->lock);
    struct edge e = {.owner = h->owner,
                     .from = h->lock,
                     .to = to->number,
                     .reads_from = h->read,
                     .reads_to = read,
                     .from_at = h->at,
                     .to_at = *at};
    if (!from || from->handed || to->handed || !add_gates(&e) || is_known(from, &e)) /* signals keep nobody out */
        return false;
    uint32_t i = take(&t->free_edge, &t->next_edge, &t->edges[t->free_edge].next, EDGES);
    if (!i)
        return false;
    e.next = from->edges;
    t->edges[i] = e;
    from->edges = i;
    *s = (struct search){.path = {&t->edges[i]}, .n = 1, .steps = STEPS};
    return find_cycle(s) && is_new_cycle(s);
}

/* Somebody goes for r to write for the first time, and readers of it keep each other out from now on.  True when that
 * makes a cycle of edges that are there already: then it is in s. */
static bool find_read_cycle(const struct record *r, struct search *s)
{
    s->steps = STEPS;
    for (uint32_t i = r->handed ? 0 : r->edges; i && s->steps > 0; i = t->edges[i].next) {
        if (!t->edges[i].reads_from)
            continue;
        s->path[0] = &t->edges[i];
        s->n = 1;
        if (find_cycle(s) && is_new_cycle(s))
            return true;
    }
    return false;
}

/* ---- reports ----------------------------------------------------------------------------------------- */

/* A fatal one dies with the lock, on which the end of main waits. */
static void tell(struct told *w, bool fatal)
{
    pthread_mutex_lock(&rn__debug_one_at_a_time);
    (void)rn__with_room(rn__lock_order_print, w);
    rn_add_relaxed(&reports, 1); /* relaxed: read after the mutex was held */
    if (fatal)                   /* dies with the mutex */
        rn_fatal("sync: goroutine %llu locks a mutex that it holds already", (unsigned long long)w->edges[0].owner.id);
    pthread_mutex_unlock(&rn__debug_one_at_a_time);
}

static void copy_cycle(struct told *w, const struct search *s)
{
    w->n = s->n;
    for (int i = 0; i < s->n; i++) {
        w->edges[i] = *s->path[i];
        w->locks[i] = find(s->path[i]->from)->lock;
    }
}

static void copy_twice(struct told *w, const struct hold *h, const void *lock, bool read, const struct trace *at)
{
    w->n = 1;
    w->locks[0] = lock;
    w->edges[0] =
        (struct edge){.owner = h->owner, .reads_from = h->read, .reads_to = read, .from_at = h->at, .to_at = *at};
}

/* ---- the hooks --------------------------------------------------------------------------------------- */

static struct owner self(void)
{
    const struct rn_g *g = rn__self();
    return (struct owner){.id = g->id,
                          .by = rn_load_relaxed(&g->started_by),
                          .started_at = g->started_at,
                          .thread = !rn__is_goroutine(g)};
}

static struct trace here(void)
{
    struct trace at;
    at.n = rn__hooks.trace(at.pc, FRAMES);
    return at;
}

static const char twice[] = "a goroutine takes a lock that it holds already, and waits for itself";
static const char as_never[] =
    "a goroutine takes a lock that it holds already, and waits for itself: it was always the holder who let it go";
static const char lasting[] =
    "a goroutine has waited for a second for a lock that it holds itself: unless another lets it go, "
    "it waits for ever";
static const char at_the_end[] = "when main has returned a goroutine waits for a lock that it holds itself";
static const char read_twice[] =
    "a goroutine takes a read lock twice: a writer between the two makes it wait for itself";

/* A search stops the program for a moment: it is made some times for each place. */
static bool may_search(uint64_t sum)
{
    enum { OFTEN_ENOUGH = 3 };
    for (uint64_t i = 1; i <= OFTEN_ENOUGH; i++)
        if (is_new(sum + i))
            return true;
    return false;
}

/* The caller holds it already (h).  What is to be done about it: nothing, to look into it, or to say so. */
enum again { SILENCE, SEARCH, SAY };

static enum again wants_again(const struct record *r, struct hold *h, int how, const struct trace *at, struct told *w)
{
    bool read = how & RN_LOCK_READ, both_read = h->read && read;
    if (r->handed || (how & RN_LOCK_TIMED) || (both_read && (!r->wants || r->wants == h->owner.id)))
        return SILENCE; /* somebody else may let it go; or it ends by itself; or it does not wait */
    if (!h->again)
        rn_add_relaxed(&again_n, 1); /* relaxed: as in wants_no_more */
    h->again = rn__now();
    h->again_at = *at;
    h->again_reads = read;
    bool usual = is_usual(r, h) && is_new(sum_of(at));
    bool search = !both_read && may_search(sum_of(at)); /* a writer on its way to its wait may yet come second */
    copy_twice(w, h, r->lock, read, at);
    w->what = both_read ? read_twice : as_never;
    w->n = usual;
    h->told |= usual;
    return search ? SEARCH : usual ? SAY : SILENCE;
}

static void note_writer(struct record *r, uint64_t id, bool has_it, bool waits)
{
    if (has_it ? r->wants == id : waits)
        r->wants = has_it ? 0 : id;
    r->writer = r->writer && r->writer != id ? SEVERAL : id;
}

/* Nobody but its reader has written by now. */
static void note_twice(const struct record *r, const struct hold *first, const struct trace *at)
{
    for (uint32_t i = 0; i < TWICE; i++)
        if (t->twice[i].lock == r->number && t->twice[i].owner.id == first->owner.id)
            return;
    t->twice[t->twice_n++ % TWICE] =
        (struct hold){.owner = first->owner, .lock = r->number, .at = first->at, .again_at = *at, .read = true};
}

/* Somebody goes for r to write: who has taken it twice to read before? */
static void find_twice(const struct record *r, uint64_t writer, struct told *w)
{
    for (uint32_t i = 0; i < TWICE && !w->n; i++) {
        const struct hold *h = &t->twice[i];
        if (h->lock != r->number || h->owner.id == writer || r->handed || !is_new(sum_of(&h->again_at)))
            continue;
        copy_twice(w, h, r->lock, true, &h->again_at);
        w->what = read_twice;
    }
}

/* After the search, which takes its time: another may have let it go meanwhile. */
static bool still_holds(rn_atomic(uint32_t) * number, uint64_t id)
{
    rn_lock_take(&tables, RN_RANK_STACKS);
    const struct record *r = find(rn_load_relaxed(number)); /* relaxed: as in record_of */
    bool holds = r && !r->handed && find_hold(r, id);
    rn_lock_release(&tables);
    return holds;
}

static void wanted(const void *lock, rn_atomic(uint32_t) * number, int how)
{
    bool read = how & RN_LOCK_READ;
    enum again again = SILENCE;
    struct owner who = self();
    struct trace at = here();
    struct told w = {0};
    struct search s;
    rn_lock_take(&tables, RN_RANK_STACKS);
    struct record *r = record_of(lock, number);
    struct hold *held = r ? find_hold(r, who.id) : NULL;
    bool first_writer = r && !read && !r->writer;
    if (r && !read)
        note_writer(r, who.id, false, !(how & RN_LOCK_TIMED));
    if (held)
        again = wants_again(r, held, how, &at, &w);
    else if (r && !read)
        find_twice(r, who.id, &w);
    if (first_writer && !held && !w.n && find_read_cycle(r, &s))
        copy_cycle(&w, &s);
    for (uint32_t i = r && !held ? *owners_holds(who.id) : 0; i && !w.n; i = t->holds[i].of_owner)
        if (t->holds[i].owner.id == who.id && add_edge(&t->holds[i], r, read, &at, &s))
            copy_cycle(&w, &s);
    rn_lock_release(&tables);
    if (again == SEARCH && rn__leaks_nobody_frees(lock) && still_holds(number, who.id)) {
        w.n = 1;
        w.what = twice;
        tell(&w, true);
    }
    if (w.n && (again == SILENCE || still_holds(number, who.id)))
        tell(&w, false);
}

/* Only who holds what is kept account of, for reports of leaks. */
static void wanted_silently(const void *lock, rn_atomic(uint32_t) * number, int how)
{
    (void)lock, (void)number, (void)how;
}

static void taken(const void *lock, rn_atomic(uint32_t) * number, int how)
{
    struct owner who = self();
    struct trace at = here();
    rn_lock_take(&tables, RN_RANK_STACKS);
    struct record *r = record_of(lock, number);
    if (r) {
        if (!(how & RN_LOCK_READ))
            note_writer(r, who.id, true, false);
        struct hold *before = find_hold(r, who.id); /* of a read lock */
        if (before)
            wants_no_more(before);
        add_hold(r, &who, how & RN_LOCK_READ, &at);
    }
    rn_lock_release(&tables);
}

/* Both of a read lock's holds are h's owner's. */
static bool was_read_twice(const struct record *r, const struct hold *h, struct told *w)
{
    uint32_t i = h->of_lock;
    while (i && t->holds[i].owner.id != h->owner.id)
        i = t->holds[i].of_lock;
    if (!i || !h->read || !t->holds[i].read || r->handed)
        return false;
    if (r->writer == 0 || r->writer == h->owner.id) {
        note_twice(r, &t->holds[i], &h->at);
        return false;
    }
    if (!is_new(sum_of(&h->at)))
        return false;
    copy_twice(w, &t->holds[i], r->lock, true, &h->at);
    w->what = read_twice;
    return true;
}

/* The holder is who lets go, if it is among the holders; else it was handed over.  w: NULL when orders are nobody's business. */
static void leave(const void *lock, rn_atomic(uint32_t) * number, struct told *w)
{
    uint64_t id = rn__self()->id;
    rn_lock_take(&tables, RN_RANK_STACKS);
    struct record *r = find(rn_load_relaxed(number)); /* relaxed: as in record_of */
    if (r && r->lock == lock && r->holds) {
        const struct hold *h = find_hold(r, id);
        if (h && w)
            was_read_twice(r, h, w);
        note_end(r, h ? h : &t->holds[r->holds], h != NULL);
        remove_hold(r, h ? h : &t->holds[r->holds]);
    }
    rn_lock_release(&tables);
}

static void left(const void *lock, rn_atomic(uint32_t) * number, int how)
{
    (void)how;
    struct told w = {0};
    leave(lock, number, &w);
    if (w.n)
        tell(&w, false);
}

/* As wanted_silently. */
static void left_silently(const void *lock, rn_atomic(uint32_t) * number, int how)
{
    (void)how;
    leave(lock, number, NULL);
}

/* One that has lasted, into w.  Returns when to look again. */
static rn_time find_lasting(struct told *w, rn_time now)
{
    rn_time again = INT64_MAX;
    for (uint32_t k = 1; k <= t->next_hold; k++) {
        struct hold *h = &t->holds[k];
        const struct record *r = find(h->lock);
        if (!h->again || h->told || !r)
            continue;
        rn_time due = h->again + RN_LOCK_PATIENCE;
        if (w->n || due > now) {
            again = due < again ? due : again;
            continue;
        }
        h->told = true;
        w->what = lasting;
        if (is_new(sum_of(&h->again_at)))
            copy_twice(w, h, r->lock, h->again_reads, &h->again_at);
    }
    return again;
}

rn_time rn__lock_order_look(void)
{
    static rn_time next; /* the monitor's */
    struct told w = {0};
    rn_time now = 0;
    if (rn_load_relaxed(&again_n) == 0) /* relaxed: a hint */
        return INT64_MAX;
    now = rn__now();
    if (now < next && next - now < RN_SECOND)
        return next;
    rn_lock_take(&tables, RN_RANK_STACKS);
    next = find_lasting(&w, now);
    rn_lock_release(&tables);
    if (w.n)
        tell(&w, false);
    if (next > now + RN_SECOND) /* others may come meanwhile */
        next = now + RN_SECOND;
    return next;
}

void rn__lock_order_stays(uint64_t id)
{
    struct told w = {0};
    rn_lock_take(&tables, RN_RANK_STACKS);
    for (uint32_t i = *owners_holds(id); i && !w.n; i = t->holds[i].of_owner) {
        struct hold *h = &t->holds[i];
        const struct record *r = find(h->lock);
        if (h->owner.id != id || !h->again || h->told || !r)
            continue;
        h->told = true;
        w.what = at_the_end;
        copy_twice(&w, h, r->lock, h->again_reads, &h->again_at);
    }
    rn_lock_release(&tables);
    if (w.n)
        tell(&w, false);
}

bool rn__lock_order_waits(void)
{
    return rn_load_relaxed(&again_n) != 0; /* relaxed: a hint */
}

/* After the report in progress. */
static unsigned count(void)
{
    pthread_mutex_lock(&rn__debug_one_at_a_time);
    pthread_mutex_unlock(&rn__debug_one_at_a_time);
    return rn_load_relaxed(&reports); /* relaxed: as in tell */
}

/* ---- for reports of leaks ------------------------------------------------------------------------------ */

static void find_places(const struct hold *h, void *pc[2])
{
    char where[2], function[2];
    for (int i = 0; i < h->at.n && !pc[0]; i++)
        if (rn__hooks.place((uintptr_t)h->at.pc[i] - 1, where, function, sizeof where))
            pc[0] = h->at.pc[i];
    if (h->owner.by)
        pc[1] = h->owner.started_at;
}

int rn__lock_holders(const void *lock, uint64_t ids[RN_LOCK_HOLDERS], void *pc[2], enum rn_lock_past *past)
{
    int n = 0;
    *past = RN_LOCK_USUAL;
    for (uint32_t k = 1; t && k <= t->next_hold && n < RN_LOCK_HOLDERS; k++) {
        const struct hold *h = &t->holds[k];
        const struct record *r = find(h->lock);
        if (!r || (r->lock != lock && r->queue != lock) || find_hold(r, h->owner.id) != h)
            continue;
        if (r->handed || h->owner.thread)
            *past = RN_LOCK_OPEN;
        else if (*past == RN_LOCK_USUAL && !is_usual(r, h))
            *past = RN_LOCK_FIRST;
        if (pc && n == 0)
            find_places(h, pc);
        ids[n++] = h->owner.id;
    }
    return n;
}

bool rn__lock_order_on(void)
{
    return t != NULL;
}

void rn__lock_order_each(void (*f)(const void *start, size_t bytes, void *arg), void *arg)
{
    if (t)
        f(t, sizeof *t, arg);
}

#ifndef RN_DEBUG
static void watch(bool orders)
{
    rn_os_init();
    t = rn_os_map(sizeof *t, rn_os_page);
    if (!t)
        return;
    rn__hooks.lock_wanted = orders ? wanted : wanted_silently;
    rn__hooks.lock_taken = taken;
    rn__hooks.lock_left = orders ? left : left_silently;
    if (orders)
        rn__hooks.lock_reports = count;
    rn__watched_locks = RN_WATCHED;
}

#ifdef RN_EXPLORE
static void watch_silently(void)
{
    watch(false);
}
#endif
#endif

/* Not in debug builds, which keep something else in rn_home; nor where schedules are explored, which find the deadlock, but
 * for the one that is told.  What is wrongly set is told in all of them, before main. */
void rn__lock_order_start(void)
{
    bool leaks = rn__setting_is_on("RUNNEL_LEAKS", false), orders = rn__setting_is_on("RUNNEL_LOCKORDER", false);
#if !defined(RN_DEBUG) && !defined(RN_EXPLORE)
    if (orders || (leaks && !rn__setting("RUNNEL_LOCKORDER")))
        watch(orders);
#else
    (void)leaks, (void)orders;
    (void)wanted, (void)wanted_silently, (void)taken, (void)left, (void)left_silently, (void)count;
#endif
#if !defined(RN_DEBUG) && defined(RN_EXPLORE)
    rn__hooks.watch_locks = watch_silently;
#endif
}
