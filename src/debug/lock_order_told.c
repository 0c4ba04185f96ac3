/* Reports of locks in the wrong order. */
#include "debug/lock_order_told.h"
#include "debug/debug.h"
#include "debug/out.h"
#include "debug/symbol.h"

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
