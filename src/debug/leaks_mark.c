/* Which goroutines can never be woken: decided in a copy of the process that nobody changes any more.
 *
 * Live is, to begin with, who runs, is runnable, sleeps, waits for the outside, has a timeout pending, is a plain
 * thread, or is on its way out of a wait (nothing that waits stands in a queue on its behalf).  All others are
 * candidates.  Whatever a live one could reach is marked, from its registers, its stack, and the roots: data of all
 * objects, thread-local data, timers that are pending.  A candidate becomes live when one of the things that it waits
 * for is marked, or, for a lock whose holders are known, when all its holders are live; then what it can reach is
 * marked too, until nothing changes.  Who is left can never be woken: nobody who will ever run has, or can come by, a
 * pointer to what it waits for.  (Go's goroutine-leak profile, in Go 1.26, does this with its collector.)
 *
 * When main has returned, what it knew counts no more; and when nothing but main could still have run, all that wait
 * are leaked.
 *
 * Stacks, the runtime's records and the slots of contexts are special memory: a stack is scanned from its saved stack
 * pointer only, a waiter record in a queue is no way to its goroutine's stack, and a context is reached by its handle
 * only (from then on also all that is below it), or by the address that who cancels it has.
 *
 * The world is stopped between any two instructions.  docs/design/leaks.md goes through the states of a goroutine, and says
 * why it, and what it knows, is seen to be live in each.
 */
#define _GNU_SOURCE 1
#include "debug/leaks.h"
#include "base/hooks.h"
#include "chan/done.h"
#include "context/context.h"
#include "debug/leaks_memory.h"
#include "debug/lock_order.h"
#include "sched/rt.h"
#include <runnel/rwmutex.h>
#include <string.h>

enum { RED_ZONE = 128 };
enum { WAKES = 6 }; /* what one goroutine waits for; beyond, it counts as live */

struct one {
    struct rn_g *g;
    uintptr_t lo, hi; /* what is in use of its stack; bounds of the whole: stack_lo, stack_hi */
    uint8_t live;     /* will run some day */
    uint8_t scanned;  /* its stack, since somebody live points into it or it is live */
    uint8_t candidate;
    uint8_t n;
    uintptr_t wakes[WAKES];
};

static struct {
    const struct rn_leaks_job *job;
    struct one *all; /* sorted by stack_lo */
    size_t n, room;
    uint8_t *slots; /* a bit per context slot: somebody can cancel it, or it will end by itself */
    uint8_t *held;  /* another: somebody has its address */
    size_t slots_n;
} marks;

/* ---- who waits for what -------------------------------------------------------------------------- */

static bool is_open(const struct rn_waiter *w, uintptr_t lo, uintptr_t hi)
{
    uintptr_t claim = (uintptr_t)w->claim;
    uint8_t queued, ok;
    memcpy(&queued, &w->queued, 1);
    memcpy(&ok, &w->ok, 1);
    if (queued != 1 || ok > 1 || !w->of)
        return false;
    if (claim == 0)
        return true;
    /* relaxed: nobody else runs here, or g is parked for good. */
    return claim % 4 == 0 && claim >= lo && claim < hi && rn_load_relaxed(w->claim) == 0;
}

/* The waiter in its record, when it waits there; NULL. */
static const struct rn_waiter *own_waiter(const struct rn_g *g)
{
    return g->waits == &g->wait && is_open(&g->wait, 0, 0) ? &g->wait : NULL;
}

/* Other waiters are on the stack of the one who waits; they are told from other words by their owner and their state. */
static void each_waiter(const struct rn_g *g, uintptr_t lo, uintptr_t hi,
                        void (*f)(const struct rn_waiter *w, void *arg), void *arg)
{
    uintptr_t at = (lo + 7) & ~(uintptr_t)7;
    if (own_waiter(g))
        f(&g->wait, arg);
    for (; at + sizeof(struct rn_waiter) <= hi; at += 8) {
        const struct rn_waiter *w = (const struct rn_waiter *)at; /* NOLINT(performance-no-int-to-ptr) */
        if (w->g == g && is_open(w, lo, hi))
            f(w, arg);
    }
}

void rn__leaks_waits(const struct rn_g *g, void (*f)(const struct rn_waiter *w, void *arg), void *arg)
{
    each_waiter(g, (uintptr_t)g->sp, (uintptr_t)g->stack_hi, f, arg);
}

static void add_wake(const struct rn_waiter *w, void *arg)
{
    struct one *o = arg;
    if (o->n < WAKES)
        o->wakes[o->n] = (uintptr_t)w->of;
    if (o->n <= WAKES)
        o->n++;
}

bool rn__leaks_in_no_queue(const struct rn_g *g)
{
    enum rn_wait why = (enum rn_wait)rn_load_relaxed(&g->waiting); /* relaxed, both: parked */
    if (g->waits || (g->flags & RN_G_TIMED))
        return false;
    return why == RN_WAIT_CHAN_RECV || why == RN_WAIT_CHAN_SEND || why == RN_WAIT_SEMAPHORE ||
           (why == RN_WAIT_SELECT && !rn_load_relaxed(&g->waiting_for));
}

/* Why a wait can never end, whatever others do. */
static bool waits_for_nothing(const struct rn_g *g, enum rn_wait why)
{
    if (rn__leaks_in_no_queue(g))
        return true;
    if (why == RN_WAIT_CHAN_RECV_NIL || why == RN_WAIT_CHAN_SEND_NIL || why == RN_WAIT_SELECT_NONE)
        return true;
    return why == RN_WAIT_CONTEXT && rn__done_never(rn_load_relaxed(&g->waiting_for)); /* relaxed: parked */
}

static bool may_be_stuck(enum rn_wait why)
{
    return why != RN_WAIT_NONE && why != RN_WAIT_SLEEP && why != RN_WAIT_IO && why != RN_WAIT_SIGNAL &&
           why != RN_WAIT_EXTERNAL;
}

/* One of those whom it waits for has taken it out of the queue, or claimed it, and has it in hands: it will run, though the
 * other queues still hold it.  relaxed: the world is stopped. */
static bool is_taken(const struct rn_g *g)
{
    const struct rn_waiter *w = g->waits;
    for (int i = 0; w && i <= WAKES; i++, w = w->also)
        if (!w->queued || (w->claim && rn_load_relaxed(w->claim) != 0))
            return true;
    return false;
}

/* relaxed, all: the world is stopped. */
static void judge(struct one *o)
{
    struct rn_g *g = o->g;
    enum rn_wait why = (enum rn_wait)rn_load_relaxed(&g->waiting);
    o->live = g != marks.job->asker || !marks.job->ended;
    if (g == marks.job->asker && marks.job->wants) {
        *o = (struct one){.g = g, .lo = o->lo, .hi = o->hi, .candidate = 1, .n = 1};
        o->wakes[0] = (uintptr_t)marks.job->wants;
        return;
    }
    if (rn_load_relaxed(&g->status) != RN_G_WAITING || rn_load_relaxed(&g->on_cpu) || g == marks.job->asker)
        return;
    if (waits_for_nothing(g, why)) {
        o->live = 0;
        return;
    }
    /* Its own timer wakes it; while that is moved or fires, it is in no wheel. */
    if ((g->flags & RN_G_TIMED) || is_taken(g))
        return;
    each_waiter(g, o->lo, o->hi, add_wake, o);
    if (may_be_stuck(why) && o->n > 0 && o->n <= WAKES) {
        o->live = 0;
        o->candidate = 1;
    }
}

/* ---- stacks ------------------------------------------------------------------------------------------ */

/* Where the stack of a goroutine is in use from. */
static uintptr_t in_use_from(const struct rn_g *g)
{
    const struct rn_leaks_job *job = marks.job;
    uintptr_t lo = (uintptr_t)g->stack_lo, hi = (uintptr_t)g->stack_hi;
    if (g == job->asker)
        return job->asker_sp;
    for (int i = 0; i < job->threads_n; i++)
        if (job->threads[i].sp >= lo && job->threads[i].sp < hi)
            return job->threads[i].sp - RED_ZONE;
    /* relaxed: the world is stopped.  One that is being switched to or from: all of it. */
    if (rn_load_relaxed(&g->on_cpu))
        return lo;
    uintptr_t sp = (uintptr_t)g->sp;
    return sp >= lo && sp < hi ? sp : hi; /* else it is being made: its arguments are still with its maker */
}

static struct one *owner_of_stack(uintptr_t address)
{
    size_t lo = 0, hi = marks.n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if ((uintptr_t)marks.all[mid].g->stack_hi <= address)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo == marks.n || (uintptr_t)marks.all[lo].g->stack_lo > address)
        return NULL;
    return &marks.all[lo];
}

static void is_within(const void *start, size_t bytes, void *arg)
{
    uintptr_t *address = arg, lo = (uintptr_t)start;
    if (*address >= lo && *address < lo + bytes)
        *address = 0;
}

/* Somebody's, or that of one who has ended and whose thread is about to leave it. */
static bool is_on_stacks(uintptr_t sp)
{
    rn__stacks_each(is_within, &sp);
    return sp == 0;
}

static void scan_stack(struct one *o)
{
    if (o->scanned)
        return;
    o->scanned = 1;
    rn__mem_later(o->lo, o->hi);
}

/* Whether the word is the queue's own link to a waiter. */
static bool is_waiter_of(const struct one *o, uintptr_t word)
{
    if (word % 8 != 0 || word < o->lo || word + sizeof(struct rn_waiter) > o->hi)
        return false;
    const struct rn_waiter *w = (const struct rn_waiter *)word; /* NOLINT(performance-no-int-to-ptr) */
    return w->g == o->g && is_open(w, o->lo, o->hi);
}

static void met_stack(uintptr_t word, void *arg)
{
    (void)arg;
    struct one *o = owner_of_stack(word);
    if (o && word >= o->lo && !is_waiter_of(o, word))
        scan_stack(o);
}

static void make_live(struct one *o)
{
    const struct rn_g *g = o->g;
    o->live = 1;
    scan_stack(o);
    rn__mem_word((uintptr_t)g->owner);
    rn__mem_word((uintptr_t)g->panic);
    rn__mem_word((uintptr_t)g->last_panic);
    if (own_waiter(g)) {
        rn__mem_word((uintptr_t)g->wait.of);
        rn__mem_word((uintptr_t)g->wait.elem);
    }
}

static void add_one(struct rn_g *g, void *arg)
{
    (void)arg;
    if (g->kind != RN_G_GOROUTINE || marks.n == marks.room)
        return;
    marks.all[marks.n++] = (struct one){.g = g};
}

static void count_one(struct rn_g *g, void *arg)
{
    (void)g, (void)arg;
    marks.room++;
}

static void sort_by_stack(void)
{
    size_t n = marks.n;
    for (size_t gap = n / 2; gap > 0; gap = gap == 2 ? 1 : gap * 5 / 11)
        for (size_t i = gap; i < n; i++) {
            struct one o = marks.all[i];
            size_t at = i;
            for (; at >= gap && marks.all[at - gap].g->stack_lo > o.g->stack_lo; at -= gap)
                marks.all[at] = marks.all[at - gap];
            marks.all[at] = o;
        }
}

static bool gather(void)
{
    rn__g_each(count_one, NULL);
    marks.all = rn_os_map((marks.room + 1) * sizeof *marks.all, rn_os_page);
    if (!marks.all)
        return false;
    rn__g_each(add_one, NULL);
    sort_by_stack();
    for (size_t i = 0; i < marks.n; i++) {
        struct one *o = &marks.all[i];
        o->lo = in_use_from(o->g);
        o->hi = (uintptr_t)o->g->stack_hi;
        judge(o);
    }
    return true;
}

/* ---- contexts ----------------------------------------------------------------------------------------- */

static bool slot_is_marked(const struct rn_ctx *c)
{
    return marks.slots[c->done.index / 8] >> (c->done.index % 8) & 1;
}

static void mark_slot(struct rn_ctx *c);

/* What can be asked of a context: its values and those above it. */
static void mark_values(const struct rn_ctx *c)
{
    enum { DEEP = 1 << 20 };
    for (int i = 0; c && i < DEEP; i++, c = rn_load_relaxed(&c->values)) { /* relaxed, all: the world is stopped */
        rn__mem_word(rn_load_relaxed(&c->key));
        rn__mem_word(rn_load_relaxed(&c->value));
    }
}

/* The end of c is the end of all below it; a chain may be longer than a stack is deep, hence no recursion
 * down the siblings' parents, but a walk. */
static void mark_slot(struct rn_ctx *c)
{
    struct rn_ctx *top = c;
    if (slot_is_marked(c))
        return;
    for (;;) {
        struct rn_node *next = NULL;
        if (!slot_is_marked(c)) {
            marks.slots[c->done.index / 8] |= (uint8_t)(1 << (c->done.index % 8));
            mark_values(c);
            next = c->children.first;
        }
        while (!next && c != top) {
            next = c->sibling.next;
            if (!next)
                c = c->parent;
            else
                break;
            if (c == top || !c)
                return;
        }
        if (!next)
            return;
        c = rn_container(next, struct rn_ctx, sibling);
    }
}

static struct rn_ctx *slot_at(size_t i)
{
    char *chunk = rn_load_relaxed(&rn__done_chunk[i >> RN_DONE_CHUNK_BITS]); /* relaxed: the world is stopped */
    return (struct rn_ctx *)(void *)(chunk + (i & ((1u << RN_DONE_CHUNK_BITS) - 1)) * RN_DONE_SLOT);
}

/* A slot in somebody's hands: who cancels has its address, no handle, and has taken it, and those behind it in a list of his
 * own, out of where others find them.  So have who fires or moves a timer and the goroutine that runs an after_func. */
static void met_slot(uintptr_t word, void *arg)
{
    (void)arg;
    for (size_t i = 0; i < marks.slots_n; i += 1u << RN_DONE_CHUNK_BITS) {
        uintptr_t chunk = (uintptr_t)slot_at(i);
        if (word - chunk >= (uintptr_t)RN_DONE_SLOT << RN_DONE_CHUNK_BITS)
            continue;
        struct rn_ctx *c = slot_at(i + (word - chunk) / RN_DONE_SLOT);
        if (c->done.refs == 0 || (marks.held[c->done.index / 8] >> (c->done.index % 8) & 1))
            return;
        marks.held[c->done.index / 8] |= (uint8_t)(1 << (c->done.index % 8));
        mark_slot(c);
        if (!c->linked)
            rn__mem_later((uintptr_t)&c->sibling, (uintptr_t)(&c->sibling + 1));
        if (c->timed)
            rn__mem_later((uintptr_t)&c->timer.wheel, (uintptr_t)(&c->timer.wheel + 1));
        return;
    }
}

/* An odd word: the handle of a context that lives?  relaxed, all: the world is stopped. */
static void met_odd(uintptr_t word, void *arg)
{
    (void)arg;
    const rn_context *ctx = (const rn_context *)word; /* NOLINT(performance-no-int-to-ptr) */
    uint32_t i = (uint32_t)(word >> 1) & ((1u << RN_DONE_INDEX_BITS) - 1);
    if (rn__done_never(ctx) || i >= marks.slots_n || !rn_load_relaxed(&rn__done_chunk[i >> RN_DONE_CHUNK_BITS]))
        return;
    struct rn_done *d = rn__done_slot(ctx);
    if (d->refs > 0 && (rn_load_relaxed(&d->word) ^ word) >> RN_DONE_GEN_SHIFT == 0)
        mark_slot(rn__ctx_of(d));
}

/* ---- can it be woken? ---------------------------------------------------------------------------------- */

static bool stack_is_reached(uintptr_t address)
{
    const struct one *o = owner_of_stack(address);
    return !o || o->live || o->scanned;
}

static bool is_reached(uintptr_t object)
{
    if (object & 1) {
        const rn_context *ctx = (const rn_context *)object; /* NOLINT(performance-no-int-to-ptr) */
        return slot_is_marked(rn__ctx_of(rn__done_slot(ctx)));
    }
    switch (rn__mem_state(object)) {
    case RN_MEM_UNREACHED:
        return false;
    case RN_MEM_SPECIAL:
        return stack_is_reached(object);
    default:
        return true;
    }
}

/* A scope's end, and a place in it, come from its goroutines. */
static bool scope_has_live(const void *scope)
{
    bool any = false;
    for (size_t i = 0; i < marks.n; i++)
        if (marks.all[i].g->owner == scope) {
            any = true;
            if (marks.all[i].live)
                return true;
        }
    return !any;
}

static const struct one *by_id(uint64_t id)
{
    for (size_t i = 0; i < marks.n; i++)
        if (marks.all[i].g->id == id)
            return &marks.all[i];
    return NULL;
}

static const struct one *of_goroutine(const struct rn_g *g)
{
    const struct one *o = owner_of_stack((uintptr_t)g->stack_lo);
    return o && o->g == g ? o : NULL;
}

/* A writer before which new readers wait, and who may stop waiting for another reason than his turn. */
static bool writer_may_leave(const rn_rwmutex *m)
{
    enum { MOST = 1 << 20 };
    const struct rn_node *n = m->rn_writers.rn_first;
    for (int i = 0; n && i < MOST; i++, n = n->next) {
        const struct rn_waiter *w = rn_container(n, struct rn_waiter, node);
        const struct one *o = of_goroutine(w->g);
        if (!o || o->live || o->n > 1)
            return true;
    }
    return false;
}

/* *known: the holders alone decide.  Of a lock that nobody has let go yet, and where one of them has ended, they do so only
 * when that has lasted: perhaps another will, to whom it was left.  While orders are watched the patience is for those who
 * have ended, or are the waiter itself. */
static bool holders_live(const struct rn_g *waiter, const void *lock, bool *known)
{
    uint64_t ids[RN_LOCK_HOLDERS];
    enum rn_lock_past past;
    bool orders = rn__hooks.lock_reports != NULL, all = true;
    int n = rn__lock_holders(lock, ids, NULL, &past);
    /* relaxed: the world is stopped. */
    bool young =
        !(orders && marks.job->hasty) && marks.job->now - rn_load_relaxed(&waiter->waiting_since) < RN_LOCK_PATIENCE;
    *known = n > 0 && past != RN_LOCK_OPEN;
    for (int i = 0; i < n; i++) {
        const struct one *holder = by_id(ids[i]);
        if (young && (!holder || (past == RN_LOCK_FIRST && (!orders || holder->g == waiter))))
            *known = false;
        all &= holder && holder->live;
    }
    return all;
}

static bool can_be_woken(const struct one *o)
{
    enum rn_wait why = (enum rn_wait)rn_load_relaxed(&o->g->waiting); /* relaxed: the world is stopped */
    for (int i = 0; i < o->n; i++) {
        bool known = false, live;
        const void *object = (const void *)o->wakes[i]; /* NOLINT(performance-no-int-to-ptr) */
        if (why == RN_WAIT_SCOPE && !(o->wakes[i] & 1)) {
            live = scope_has_live(object);
        } else {
            bool lock =
                (why == RN_WAIT_MUTEX || why == RN_WAIT_RWMUTEX_R || why == RN_WAIT_RWMUTEX_W) && !(o->wakes[i] & 1);
            live = lock && holders_live(o->g, object, &known);
            if (known && why == RN_WAIT_RWMUTEX_R && writer_may_leave(object))
                known = false;
            if (!known)
                live = is_reached(o->wakes[i]);
        }
        if (live)
            return true;
    }
    return false;
}

/* ---- roots ------------------------------------------------------------------------------------------------ */

/* A worker that sleeps in its loop has nothing of the program's on its own stack, but old words. */
static bool is_asleep(const struct rn_m *m)
{
    const struct rn_m *idle = rn__sched.idle_m;
    for (uint32_t i = 0; idle && i < RN_WORKERS_MAX; i++, idle = idle->idle_link)
        if (idle == m)
            return true;
    return rn__sched.poller == m;
}

static const struct rn_m *worker_of(int tid)
{
    for (const struct rn_m *m = rn__sched.all_m; m; m = m->all_link)
        if (rn_load_relaxed(&m->tid) == tid) /* relaxed: all are stopped */
            return m;
    return NULL;
}

/* A sleeping worker's registers hold nothing but the runtime's old words; but see words_of. */
static bool sleeps(const struct rn_os_stopped *t)
{
    const struct rn_m *m = worker_of(t->tid);
    return m && m->joinable && is_asleep(m) && !t->alt_hi && !is_on_stacks(t->sp);
}

/* How many of its registers count.  The first worker's may still be those of who called rn_run, but for what a call does not
 * keep: the vector registers stay as the goroutine left them that it ran last, for as long as it sleeps. */
static size_t words_of(const struct rn_os_stopped *t)
{
    const struct rn_m *m = worker_of(t->tid);
    if (sleeps(t))
        return 0;
    return m && is_asleep(m) && !t->alt_hi && !is_on_stacks(t->sp) ? t->kept : t->n;
}

/* Whether it has left its own stack for a goroutine's: perhaps that one was interrupted by a signal that is handled elsewhere. */
static bool runs_goroutine(const struct rn_os_stopped *t)
{
    const struct rn_m *m = worker_of(t->tid);
    return is_on_stacks(t->sp) || (t->alt_hi && m && !m->external && m->g != &m->g0);
}

/* Where a thread's own stack is in use from; 0: it has nothing of the program's, or that is not known: then it is reached
 * by the stack pointer that the signal's frame has.  The first worker's stack begins with the frames of who called rn_run. */
static uintptr_t thread_from(const struct rn_os_stopped *t)
{
    const struct rn_m *m = worker_of(t->tid);
    if (sleeps(t))
        return 0;
    if (runs_goroutine(t))
        return m && !m->joinable ? (uintptr_t)m->g0.sp : 0;
    return t->alt_hi ? 0 : t->sp - RED_ZONE;
}

enum { TCB = 4096 }; /* glibc's own record of a thread, at the thread pointer, is smaller */

/* A thread's stack ends at its thread-local data, but the first thread's, which ends with its mapping. */
static uintptr_t thread_to(const struct rn_os_stopped *t, uintptr_t from, uintptr_t end)
{
    uintptr_t top = (t->tp + TCB) & ~(uintptr_t)(TCB - 1);
    return t->tp > from && top < end ? top : end;
}

struct thread_scan {
    const struct rn_os_stopped *t;
    uintptr_t from;
};

static void scan_thread_in(const struct rn_os_mapping *m, void *arg)
{
    const struct thread_scan *s = arg;
    if (s->from >= m->start && s->from < m->end)
        rn__mem_scan(s->from, thread_to(s->t, s->from, m->end));
}

static uintptr_t least(uintptr_t a, uintptr_t b)
{
    return a < b ? a : b;
}

/* A thread's registers, its own stack, and its thread-local data on both sides of the thread pointer; what begins behind them
 * (the allocator's first arena does so, for one, and knows all its chunks) is no part of them. */
static void scan_thread(const struct rn_os_stopped *t)
{
    struct thread_scan s = {t, thread_from(t)};
    uintptr_t tls = t->tp - marks.job->tls_bytes;
    if (s.from)
        rn_os_mappings(scan_thread_in, &s);
    if (t->alt_hi)
        rn__mem_scan(t->sp - RED_ZONE > t->alt_lo ? t->sp - RED_ZONE : t->alt_lo, t->alt_hi);
    rn__mem_scan(tls < t->sp && t->sp < t->tp ? t->sp : tls,
                 least(t->tp + TCB + marks.job->tls_bytes, rn__mem_end(t->tp)));
    for (size_t i = 0, n = words_of(t); i < n; i++)
        rn__mem_word(t->regs[i]);
}

static bool note_timer(struct rn_wheel_entry *e, void *arg)
{
    (void)arg;
    rn__mem_word((uintptr_t)rn_container(e, struct rn_timer_entry, wheel));
    return false;
}

/* Those that will end by themselves: not only those whose timer a wheel has just now. */
static void note_deadlines(void)
{
    for (size_t i = 1; i < marks.slots_n; i++) {
        struct rn_ctx *c = slot_at(i);
        /* relaxed: the world is stopped. */
        if (c->done.refs > 0 && c->timed && rn_load_relaxed(&c->timer.p))
            mark_slot(c);
    }
}

static bool scan_all_roots(void)
{
    const struct rn_leaks_job *job = marks.job;
    rn__mem_scan_roots();
    for (int i = 0; i < job->threads_n; i++)
        if (job->threads[i].sp)
            scan_thread(&job->threads[i]);
    for (uint32_t i = 0; i < rn__procs_made(); i++)
        rn_wheel_any(&rn__procs[i].wheel, note_timer, NULL);
    note_deadlines();
    for (size_t i = 0; i < marks.n; i++)
        if (marks.all[i].live)
            make_live(&marks.all[i]);
    return rn__mem_follow();
}

/* ---- special memory ------------------------------------------------------------------------------------------ */

static struct rn_mem_special *specials;
static size_t specials_n, specials_room;

static void add_special(uintptr_t start, uintptr_t end, void (*met)(uintptr_t, void *))
{
    if (specials_n < specials_room && start < end)
        specials[specials_n++] = (struct rn_mem_special){start, end, met};
}

static void add_stacks(const void *start, size_t bytes, void *arg)
{
    (void)arg;
    add_special((uintptr_t)start, (uintptr_t)start + bytes, met_stack);
}

/* A thread's own stack, whose dead part counts for nothing; as far as it is known.  The kernel joins neighbours, also a stack
 * that somebody has mapped himself: where no guard is below, the stack begins with the page that is in use; where
 * the thread's data are not above it, it is not known where it ends. */
static void add_thread_stack(const struct rn_os_mapping *m, void *arg)
{
    const struct rn_os_stopped *t = arg;
    const struct rn_m *worker = worker_of(t->tid);
    bool runs = runs_goroutine(t);
    uintptr_t from = runs ? worker ? (uintptr_t)worker->g0.sp : 0 : t->alt_hi ? 0 : t->sp;
    if (from < m->start || from >= m->end)
        return;
    if (m->stack || (t->tp > from && t->tp < m->end))
        add_special(m->stack || m->guarded ? m->start : from & ~(uintptr_t)(rn_os_page - 1), thread_to(t, from, m->end),
                    NULL);
}

static bool describe_specials(void)
{
    const struct rn_leaks_job *job = marks.job;
    specials_room = 3 * (size_t)job->threads_n + marks.n + (1 << 17);
    specials = rn_os_map(specials_room * sizeof *specials, rn_os_page);
    if (!specials)
        return false;
    rn__stacks_each(add_stacks, NULL);
    for (int i = 0; i < job->threads_n; i++) {
        rn_os_mappings(add_thread_stack, (void *)(uintptr_t)&job->threads[i]);
        if (job->threads[i].altstack) /* frames of signals that are over */
            add_special(job->threads[i].altstack, job->threads[i].altstack + RN_OS_ALTSTACK, NULL);
    }
    for (uint32_t c = 0; c < RN_DONE_CHUNKS; c++) {
        uintptr_t chunk = (uintptr_t)rn_load_relaxed(&rn__done_chunk[c]); /* relaxed: the world is stopped */
        if (!chunk)
            break;
        add_special(chunk, chunk + ((uintptr_t)RN_DONE_SLOT << RN_DONE_CHUNK_BITS), met_slot);
        marks.slots_n = (size_t)(c + 1) << RN_DONE_CHUNK_BITS;
    }
    rn__lock_order_each(add_stacks, NULL);
    add_special(job->stack, job->stack_end, NULL);
    add_special(job->hidden[0], job->hidden[1], NULL);
    add_special((uintptr_t)job->threads, (uintptr_t)(job->threads + job->threads_n + 1), NULL);
    add_special((uintptr_t)specials, (uintptr_t)(specials + specials_room), NULL);
    add_special((uintptr_t)marks.all, (uintptr_t)(marks.all + marks.room), NULL);
    marks.slots = rn_os_map(marks.slots_n / 8 + 1, rn_os_page);
    marks.held = rn_os_map(marks.slots_n / 8 + 1, rn_os_page);
    return marks.slots && marks.held;
}

/* ---- the end of the program ------------------------------------------------------------------------------------ */

static bool is_ours(const struct rn_os_stopped *t)
{
    const struct rn_m *m = worker_of(t->tid);
    /* relaxed: the world is stopped. */
    return t->tid == rn_load_relaxed(&rn__sched.monitor_tid) ||
           t->tid == marks.job->threads[marks.job->threads_n - 1].tid ||
           (m && (!m->external || rn_load_relaxed(&m->g0.status) == RN_G_WAITING));
}

static bool some_begins(void)
{
    const struct rn_sched *s = &rn__sched;
    bool begins = !rn__exploring() && rn_load_relaxed(&s->monitor_tid) == 0; /* relaxed: the world is stopped */
    for (const struct rn_m *m = s->all_m; m && !begins; m = m->all_link)
        begins = !m->external && rn_load_relaxed(&m->tid) == 0;
    return begins;
}

static bool some_timer(struct rn_wheel_entry *e, void *arg)
{
    (void)e, (void)arg;
    return true;
}

/* Main has returned, or the asker waits as well, and nothing will ever run again, as in deadlock.c: then nobody can be
 * woken, whatever static variables still know. */
static bool nobody_will_run(void)
{
    const struct rn_leaks_job *job = marks.job;
    bool some = !(job->ended || job->wants) || job->handlers ||
                rn_load_relaxed(&rn__external_wakers) != 0; /* relaxed: stopped */
    for (size_t i = 0; i < marks.n && !some; i++)
        some = marks.all[i].live;
    for (int i = 0; i < job->threads_n && !some; i++)
        some = job->answer->strangers = !is_ours(&job->threads[i]);
    for (uint32_t i = 0; i < rn__procs_made() && !some; i++)
        some = rn_wheel_any(&rn__procs[i].wheel, some_timer, NULL);
    return !some;
}

/* ---- all ------------------------------------------------------------------------------------------------------- */

static bool find_fixed_point(void)
{
    bool changed = true, forward = true;
    for (; changed; forward = !forward) {
        changed = false;
        for (size_t i = 0; i < marks.n; i++) {
            struct one *o = &marks.all[forward ? i : marks.n - 1 - i];
            if (!o->candidate || o->live || !can_be_woken(o))
                continue;
            make_live(o);
            if (!rn__mem_follow())
                return false;
            changed = true;
        }
    }
    return true;
}

bool rn__leaks_mark(void *arg)
{
    marks.job = arg;
    struct rn_leaks_answer *answer = marks.job->answer;
    if (!gather() || !describe_specials() ||
        !rn__mem_build(specials, specials_n, marks.n + 2 * marks.slots_n, marks.job->largest, met_odd, NULL))
        return false;
    if (!nobody_will_run() && (!scan_all_roots() || !find_fixed_point()))
        return false;
    answer->coarse = rn__mem_coarse();
    answer->begins = some_begins();
    for (size_t i = 0; i < marks.n; i++)
        if (!marks.all[i].live && marks.all[i].g == marks.job->asker)
            answer->asker_stuck = true;
        else if (!marks.all[i].live && answer->n < marks.job->room)
            answer->leaked[answer->n++] = marks.all[i].g;
    return true;
}
