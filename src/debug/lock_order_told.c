/* Reports of locks in the wrong order, and of who holds one. */
#include "debug/lock_order_told.h"
#include "debug/debug.h"
#include "debug/lock_order.h"
#include "debug/out.h"
#include "debug/symbol.h"
#include "sched/explore.h"
#include <runnel/sync.h>

enum { INLINED = 8 };

/* The program's functions that are inlined at pc, innermost first, and `most` of them; returns how many. */
static int print_places(uintptr_t pc, const char *before, int most)
{
    struct rn_place places[INLINED];
    int n = rn__symbolize(pc, places, INLINED), shown = 0;
    for (int i = 0; i < n && shown < most; i++) {
        if (rn__place_is_internal(&places[i]) || !places[i].function)
            continue;
        rn__out("%s%s (%s:%d)\n", before, places[i].function, places[i].file ? places[i].file : "?", places[i].line);
        shown++;
    }
    return shown;
}

static void print_trace(const struct trace *at)
{
    for (int i = 0; i < at->n; i++)
        (void)print_places((uintptr_t)at->pc[i] - 1, "\t\t", INLINED);
}

static void print_owner(const struct owner *o)
{
    rn__out("%s %llu", o->thread ? "thread" : "goroutine", (unsigned long long)o->id);
    if (!o->by || !o->started_at || !print_places((uintptr_t)o->started_at - 1, ", started by ", 1))
        rn__out("\n");
}

static void print_edge(const struct told *w, int i)
{
    const struct edge *e = &w->edges[i];
    rn__out("    ");
    print_owner(&e->owner);
    rn__out("\tholds lock %p%s, taken at\n", w->locks[i], e->reads_from ? " to read" : "");
    print_trace(&e->from_at);
    if (w->what)
        rn__out("\tand takes it%s at\n", e->reads_to ? " to read" : "");
    else
        rn__out("\tand takes lock %p%s at\n", w->locks[(i + 1) % w->n], e->reads_to ? " to read" : "");
    print_trace(&e->to_at);
}

void rn__lock_order_print(void *told)
{
    const struct told *w = told;
    if (w->what)
        rn__out("runnel: lock order: %s\n", w->what);
    else
        rn__out("runnel: lock order: %d locks are taken in orders that can deadlock\n", w->n);
    for (int i = 0; i < w->n; i++)
        print_edge(w, i);
    if (w->what)
        rn__out(
            "    look first: does the caller hold the lock already? Let it go before the call, or make a function that "
            "expects it held\n");
    else
        rn__out("    look first: choose one order for these locks and take them in it everywhere, or let the first go "
                "before the second is taken\n");
    rn__out_flush();
}

/* ---- who holds the lock that somebody waits for ---------------------------------------------------------- */

static void print_place(const char *what, void *pc)
{
    struct rn_place places[INLINED];
    int n = pc ? rn__symbolize((uintptr_t)pc - 1, places, INLINED) : 0;
    for (int i = 0; i < n; i++)
        if (!rn__place_is_internal(&places[i]) && places[i].function) {
            rn__out("%s %s (%s:%d)", what, places[i].function, places[i].file ? places[i].file : "?", places[i].line);
            return;
        }
}

bool rn__waits_for_lock(enum rn_wait why)
{
    return why == RN_WAIT_MUTEX || why == RN_WAIT_RWMUTEX_R || why == RN_WAIT_RWMUTEX_W;
}

/* The object whose queue, or which itself, a waiter names. */
static const void *lock_of(const struct rn_waiter *w, enum rn_wait why)
{
    if (why == RN_WAIT_MUTEX)
        return rn_container(w->of, rn_mutex, rn_queue);
    return why == RN_WAIT_RWMUTEX_W ? (const void *)rn_container(w->of, rn_rwmutex, rn_writers) : w->of;
}

/* Addresses differ from run to run, where a token repeats its report: then locks have numbers, in the order in which they are told. */
static void print_name(const void *lock)
{
#ifdef RN_EXPLORE
    enum { MOST = 256 };
    static const void *told[MOST];
    int i = 0;
    while (i < MOST - 1 && told[i] && told[i] != lock)
        i++;
    told[i] = lock;
    if (rn__exploring()) {
        rn__out("lock %d", i + 1);
        return;
    }
#endif
    rn__out("lock %p", lock);
}

void rn__lock_print_wait(const struct rn_g *waiter, const struct rn_waiter *w, enum rn_wait why)
{
    uint64_t ids[RN_LOCK_HOLDERS];
    void *pc[2] = {NULL, NULL};
    enum rn_lock_past past;
    const void *lock = lock_of(w, why);
    int n = rn__lock_holders(lock, ids, pc, &past);
    print_name(lock);
    if (!rn__lock_order_on() && !rn__exploring())
        rn__out(" (RUNNEL_LOCKORDER=1 shows who holds it)");
    if (n <= 0)
        return;
    rn__out(", held by goroutine %llu%s", (unsigned long long)ids[0],
            ids[0] == waiter->id ? ", which is this one" : "");
    if (n > 1)
        rn__out(" and %d more", n - 1);
    print_place(", taken in", pc[0]);
    print_place(", started by", pc[1]);
}

uint64_t rn__lock_holder(const struct rn_waiter *w, enum rn_wait why)
{
    uint64_t ids[RN_LOCK_HOLDERS];
    enum rn_lock_past past;
    return rn__lock_holders(lock_of(w, why), ids, NULL, &past) == 1 ? ids[0] : 0;
}
