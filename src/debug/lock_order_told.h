/* What is told of locks: lock_order.c knows it, lock_order_told.c prints it. */
#ifndef RN_DEBUG_LOCK_ORDER_TOLD_H
#define RN_DEBUG_LOCK_ORDER_TOLD_H

#include "sched/sched.h"
#include <stdbool.h>
#include <stdint.h>

enum { FRAMES = 10, GATES = 6, LONGEST = 6 };

struct trace {
    void *pc[FRAMES];
    int n;
};

struct owner {
    uint64_t id, by;
    void *started_at;
    bool thread;
};

/* Who held one lock (from) and went for another (to). */
struct edge {
    struct owner owner;
    uint32_t from, to; /* numbers */
    uint32_t next;
    uint32_t gates[GATES]; /* numbers, with 0 behind them; those that are held to read do not count */
    bool reads_from, reads_to;
    struct trace from_at, to_at;
};

/* A cycle of edges, or one goroutine's way to a lock that it holds. */
struct told {
    const char *what; /* NULL: a cycle */
    const void *locks[LONGEST];
    struct edge edges[LONGEST];
    int n;
};

/* A struct told, to stderr.  On a large stack: names are looked up. */
void rn__lock_order_print(void *told);

/* Whether that is a wait for a mutex or rwmutex; and which it is, with who holds it as far as that is known ("lock …, held by
 * …").  Nobody may change hands with it meanwhile. */
bool rn__waits_for_lock(enum rn_wait why);
void rn__lock_print_wait(const struct rn_g *waiter, const struct rn_waiter *w, enum rn_wait why);
/* The goroutine that alone holds it; 0: none, several, or not known. */
uint64_t rn__lock_holder(const struct rn_waiter *w, enum rn_wait why);

#endif
