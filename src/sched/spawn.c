/* The beginning and the end of a goroutine.
 *
 * A new goroutine gets a record with a stack (stack.c), on which its first frame is laid out, and
 * goes into its starter's `next` slot; who is kicked out of there goes into the deque of those that have not run yet, of
 * which the newest runs first.  When that is full, either its oldest go aside (spill.c), as in a tree on its way down, or the
 * starter goes behind all that it has started: that runs, ends and gives its stacks back before more is started, so that a
 * million short goroutines need a few hundred stacks.  (Go has no such rule; it pays with 2.7 GB at a million.)
 */
#include "sched/choice.h"
#include "sched/exceptions.h"
#include "sched/switch.h"
#include <stdio.h>
#include <string.h>

_Static_assert(offsetof(struct rn_g, sp) == RN_G_SP && offsetof(struct rn_g, on_cpu) == RN_G_ON_CPU,
               "the assembly in src/arch knows these");

void rn__go_entry_f_words(void);
void rn__go_entry_call_words(void);
void rn__go_entry_f(void);
void rn__go_entry_call(void);
void rn__go_entry_f_large(void);
void rn__go_entry_call_large(void);
void (*const rn__go_entries[6])(void) = {rn__go_entry_f_words, rn__go_entry_call_words, rn__go_entry_f,
                                         rn__go_entry_call,    rn__go_entry_f_large,    rn__go_entry_call_large};

static uint64_t new_id(struct rn_p *p)
{
    enum { IDS = 64 };
    if (!p)
        return rn_add_relaxed(&rn__sched.next_id, 1); /* relaxed: only its being unique matters */
    if (p->id_next == p->id_end) {
        p->id_next = rn_add_relaxed(&rn__sched.next_id, IDS); /* relaxed: as above */
        p->id_end = p->id_next + IDS;
    }
    return p->id_next++;
}

static void count_live(struct rn_p *p, int64_t n)
{
    /* relaxed, all: a statistic.  Only its owner writes a processor's, so that no locked addition is needed. */
    if (p)
        rn_store_relaxed(&p->live, rn_load_relaxed(&p->live) + n);
    else
        rn_add_relaxed(&rn__sched.live_outside, n);
}

int64_t rn__count_live(void)
{
    int64_t n = rn_load_relaxed(&rn__sched.live_outside); /* relaxed, all: a moment's view */
    for (uint32_t i = 0; i < rn__procs_made(); i++)
        n += rn_load_relaxed(&rn__procs[i].live);
    return n;
}

size_t rn_num_goroutines(void)
{
    int64_t n = rn__count_live();
    return n > 0 ? (size_t)n : 0;
}

/* Fills in a record that was just taken. */
static void describe(struct rn_g *g, struct rn_p *p, const struct rn_go_call *call, void *entry, void *pc)
{
    struct rn_m *m = rn__m(); /* NULL: the monitor */
    g->id = new_id(p);
    g->entry = entry;
    g->started_at = pc;
    rn_store_relaxed(&g->started_by, m ? m->g->id : 0); /* relaxed: see floods in queue.c */
    g->name = call ? call->name : NULL;
    g->ended = call ? call->ended : NULL;
    g->owner = call ? call->owner : NULL;
    g->defers = NULL;
    g->panic = NULL;
    g->pinned = NULL;
    g->pins = 0;
    g->reluctance = 0;
    g->flags &= (uint8_t) ~(RN_G_STARTER | RN_G_FLOODS);
    rn__explore_born(g);
    rn_store_relaxed(&g->waiting, RN_WAIT_NONE); /* relaxed: rn__ready's queue publishes it */
    rn_store_relaxed(&g->status, RN_G_RUNNABLE);
}

/* p: the caller's processor, NULL for a thread without one.  The goroutine is ready to be queued; NULL when there
 * is no memory.  from: for the race detector, whose doings come before the goroutine's; NULL: nobody's. */
static inline __attribute__((always_inline)) struct rn_g *make(struct rn_p *p, const struct rn_go_call *call,
                                                               void *entry, const struct rn_captured_words *args,
                                                               const void *stack, uint32_t stack_bytes, void *pc,
                                                               struct rn_g *from)
{
    size_t bytes = call ? call->stack : 0;
    struct rn_g *g = rn__g_pop(p, bytes);
    if (__builtin_expect(g != NULL, 1))
        rn__fiber_create(g);
    else if (!(g = rn__g_get(p, bytes)))
        return NULL;
    describe(g, p, call, entry, pc);
    g->sp = rn__arch_prepare(rn__g_top(g), entry, args, stack, stack_bytes);
    count_live(p, 1);
    rn__fiber_begin(g, from);
    rn__fiber_release(g);
    return g;
}

/* Queues a new goroutine; true when its starter should let others go first. */
static bool queue_new(struct rn_m *m, struct rn_g *g)
{
    if (!m->p) {
        rn__push_global(g, g, 1);
        rn__wake_idle();
        return false;
    }
    bool only = !rn_load_relaxed(&m->p->next); /* relaxed: only the owner writes it */
    bool full = !rn__push_fresh(m, g);
    rn__wake_for_next(m->p, only);
    return full && !m->g->pinned;
}

/* m's processor is about to take stacks out of the pool: makes room for them first, where memory is tight. */
static __attribute__((noinline)) struct rn_m *make_room(struct rn_m *m)
{
    if (!rn__stacks_tight())
        return m;
    rn__leave(m);
    rn__hib_help();
    return rn__enter();
}

static void no_memory(struct rn_go_call *call)
{
    if (!call || !call->try_)
        rn_panic("go: out of memory for a goroutine's stack");
    call->err = RN_ENOMEM;
}

static __attribute__((noinline, cold)) void no_run(struct rn_go_call *call)
{
    if (!call || !call->try_)
        rn_panic("go: " RN_NO_RUN);
    call->err = RN_EAGAIN;
}

void rn__go_captured(void *chain, uint32_t kind, const struct rn_captured_words *args, const void *stack,
                     uint32_t stack_bytes, void *pc)
{
    struct rn_go_call *call = kind ? chain : NULL;
    void *entry = call ? call->entry : chain;
    if (!entry)
        rn_fatal("go of nil func value");
    struct rn_m *m = rn__enter_soon();
    bool outside = rn__is_outside(m);
    if (__builtin_expect(!rn__run_under_way() || (outside && !rn_gate_enter(&rn__gate)), 0)) {
        rn__leave(m);
        no_run(call);
        return;
    }
    if (__builtin_expect(m->p && !m->p->free, 0))
        m = make_room(m);
    struct rn_g *g = make(m->p, call, entry, args, stack, stack_bytes, pc, m->g);
    if (!g) {
        rn__leave(m);
        if (outside)
            rn_gate_leave(&rn__gate, 1);
        no_memory(call);
        return;
    }
    if (call && call == rn__sched.main_call)
        rn_store_relaxed(&rn__sched.main, g); /* relaxed, here and in finish: a goroutine looks for itself alone */
    if (queue_new(m, g))
        rn__yield_global(m);
    else
        rn__leave(m);
    if (__builtin_expect(outside, 0))
        rn_gate_leave(&rn__gate, 1);
    rn__point(RN_AFTER_GO, NULL);
}

void rn__go_one(struct rn_go_call *call, intptr_t (*f)(void *), void *arg)
{
    struct rn_captured_words args = {.integer[0] = (uint64_t)(uintptr_t)arg, .fp_control = rn__arch_fp_control()};
    call->entry = (void *)f;
    rn__go_captured(call, 1, &args, NULL, 0, __builtin_return_address(0));
}

int rn__spawn(void (*f)(void *), void *arg, struct rn_ready_list *list)
{
    bool outside = rn__is_outside(rn__m());
    if (!rn__run_under_way() || (outside && !rn_gate_enter(&rn__gate)))
        return RN_EAGAIN;
    struct rn_captured_words args = {.integer[0] = (uint64_t)(uintptr_t)arg, .fp_control = rn__arch_fp_control()};
    /* With a list the caller may be in the loop, or hold a lock: it is inside already.  Or it is the monitor. */
    struct rn_m *m = list ? rn__m() : rn__enter_here();
    struct rn_g *g =
        make(m ? m->p : NULL, NULL, (void *)f, &args, NULL, 0, __builtin_return_address(0), list ? NULL : m->g);
    bool listed = g && list;
    if (listed) {
        g->link = outside ? RN_GATED : NULL; /* until the list is queued */
        rn__ready_add(list, g);
    } else if (g) {
        (void)queue_new(m, g);
    }
    if (!list)
        rn__leave(m);
    if (outside && !listed)
        rn_gate_leave(&rn__gate, 1);
    return g ? 0 : RN_ENOMEM;
}

int rn__spawn_after(void (*f)(void *), void *arg, struct rn_ready_list *list, void *name)
{
    int err = rn__spawn(f, arg, list);
    if (!err)
        rn__fiber_after(list->last, name);
    return err;
}

void rn__g_begin(void)
{
    struct rn_m *m = rn__m();
    rn__fiber_after_switch(m->g);
    rn__fiber_acquire(m->g);
    rn__leave(m);
}

static void drop_panics(struct rn_g *g)
{
    rn__exceptions_take(rn__m()); /* what a recovery has left behind */
    rn__panics_drop(g);
}

static inline __attribute__((always_inline)) _Noreturn void finish(enum rn_ended how, intptr_t result)
{
    struct rn_g *g = rn__m()->g;
    if (g->ended && how != RN_ENDED_PANIC)
        g->ended(g->owner, how, result, NULL);
    if (g->panic || g->last_panic)
        drop_panics(g);
    if (g == rn_load_relaxed(&rn__sched.main))
        rn__main_ended(how, (int)result);
    struct rn_m *m = rn__enter_any_soon(rn__m());
    count_live(m->p, -1);
    if (m->locked == g)
        m->locked = NULL;
    g->pinned = NULL;
    g->pins = 0;
    rn__fiber_release(g); /* to the next goroutine on this stack */
    /* relaxed: for reports and rn__fiber_before_switch. */
    rn_store_relaxed(&g->status, RN_G_DEAD);
    struct rn_g *next = NULL;
#ifndef RN_FIBER_TSAN
    struct rn_p *p = m->p;
    /* Its record may be put away while it still runs on its stack: nobody else gets at p's list
     * before the switch, and p_spill keeps the newest. */
    if (p && !(g->flags & RN_G_OWN_STACK) && (rn__exploring() || (rn_load_relaxed(&p->tick) & p->look) != 0))
        next = rn__choose_next(p);
    if (next && rn_load_acquire(&next->on_cpu) == 0 && !next->pins) {
        if (!rn__g_push(p, g))
            rn__g_put(p, g);
        rn_store_relaxed(&g->status, RN_G_DEAD);
        rn__before_switch(m, g, next);
        rn__arch_leave_to(g, next);
    }
#endif
    m->dead = g;
    rn__to_loop(m, g, next);
    __builtin_unreachable();
}

void rn__g_finish(enum rn_ended how, intptr_t result)
{
    rn__exceptions_drop();
    finish(how, result);
}

void rn__g_end(intptr_t result)
{
    finish(RN_ENDED_RETURN, result);
}
