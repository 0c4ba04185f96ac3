/* What the engine's own files share.
 *
 *   explore.c   which executions are run: depth-first search with dynamic partial-order reduction
 *   memory.c    what an atomic operation may see: store histories, vector clocks, fences
 *   race.c      plain accesses: data races, freed memory, the heap
 *   coroutine.c model threads on stacks of their own
 *   os.c        the futex and other parts of os.h
 *   report.c    tests, mutants, traces, main
 *
 * Everything runs in one kernel thread.
 */
#ifndef RN_MODEL_ENGINE_H
#define RN_MODEL_ENGINE_H

#define MODEL_ENGINE 1
#include "model.h"
#include "model_atomic.h"

enum {
    THREADS = MODEL_THREADS,
    MAIN = THREADS, /* setup and finish */
    ALL = THREADS + 1,
    /* Who makes events: the threads, and for each pair of them the visitor that one's heavy fence sends to the other. */
    VISITORS = THREADS * (THREADS - 1),
    ACTORS = THREADS + VISITORS,
    EVENTS = 1200, /* in one execution; more is taken for one without end */
    SPUN = 20,     /* locations that a yield remembers */
    PATIENCE = 2,  /* a thread reads the same old store so often in a row; then it sees a newer one */
};

struct clock {
    uint32_t at[ALL];
};

static inline void clock_join(struct clock *to, const struct clock *from)
{
    for (int i = 0; i < ALL; i++)
        if (to->at[i] < from->at[i])
            to->at[i] = from->at[i];
}

/* A place in the partial order of dependent events: how many events of each actor precede it, and itself. */
struct order {
    uint16_t at[ACTORS];
};

static inline void order_join(struct order *to, const struct order *from)
{
    for (int i = 0; i < ACTORS; i++)
        to->at[i] = to->at[i] < from->at[i] ? from->at[i] : to->at[i];
}

enum op_kind {
    OP_NONE,
    OP_LOAD,
    OP_STORE,
    OP_RMW,   /* also a CAS; one that failed counts as OP_LOAD once executed */
    OP_FENCE, /* seq_cst */
    OP_LIGHT, /* a light fence, or a section's begin, where heavy ones visit */
    OP_VISIT, /* of thread `target`, by the heavy fence of thread `by` */
    OP_HEAVY, /* the end of a heavy fence: all visits are over */
    OP_YIELD,
    OP_WAIT,
    OP_POST,
    OP_SLEEP, /* a futex wait that has blocked */
    OP_CHOOSE,
};

/* The next operation of a thread, and once executed an event. */
struct op {
    uint8_t kind, thread; /* thread: the actor */
    uint8_t target, by;
    bool seq_cst; /* a seq_cst access */
    bool section; /* the store of a section */
    const volatile void *addr;
    const struct model_site *site;
    const char *text; /* for operations without a site */
    uint32_t seq;     /* its number within its thread */
    uint64_t value;   /* for the trace */
    uint64_t wrote;
    int32_t from; /* event whose store a load returned; -1: the initial value */
    uint8_t size;
    bool stale;  /* the load did not return the newest store */
    bool failed; /* a CAS that found something else */
    uint8_t spun_n;
    const volatile void *spun[SPUN];
};

struct seen {
    const volatile void *addr;
    uint64_t value;
    int old; /* the old store that was read last, and how often in a row */
    int times;
};

struct thread {
    void *sp;
    bool finished, started;
    /* The memory model's (memory.c): hb is happens-before; vis also has what seq_cst fences
     * force a thread to see.  acq_: gained at the next acquire fence.  rel_: published by relaxed
     * stores, since the last release fence. */
    struct clock hb, vis, acq_hb, acq_vis, rel_hb, rel_vis;
    /* Asymmetric fences.  light: what it could see at its last light fence; visited: what the visits
     * since then have brought, and its next light fence makes it see.  bring, got: of its own heavy
     * fence, what the visits bring, and what they have found. */
    struct clock light, visited, bring, got;
    struct seen spun[SPUN]; /* what it has read since its last yield */
    int spun_n;
    bool forced;        /* a yield that goes on though nothing changed */
    bool woken, timed;  /* futex */
    bool restarts;      /* its heavy fence restarts sections */
    uint32_t restarted; /* how often one has come by here */
};

/* An actor's next operation, and its last event's place in the partial order (explore.c). */
struct actor {
    struct op next;
    uint16_t events;
    struct order dep;
};

extern struct thread threads[ALL];
extern struct actor actors[ACTORS];
extern int running;    /* the thread that executes; MAIN in setup and finish */
extern bool executing; /* between the start of setup and the end of finish */
extern struct op events[EVENTS];
extern int event_n;

/* explore.c */
void point(struct op op); /* a scheduling point: returns when the operation may execute */
int choose(int n);        /* among n outcomes of the operation under way */
struct op *event(void);   /* the event under way, to fill in */
bool op_enabled(int t);
void visits_begin(void);     /* the running thread's heavy fence sends its visitors */
bool visits_are_over(int t); /* those of t */
struct result {
    uint64_t executions, pruned;
    bool failed, exhausted;
    char error[1024];
    char choices[8192];
};
extern bool explore_all; /* no reduction: every interleaving */
void explore(const struct model_test *t, const char *replay, struct result *r);
_Noreturn void fail_now(void);

/* memory.c */
void memory_reset(void);
void memory_start(int t);                                 /* t begins: what MAIN did happens before it */
void memory_join(int t);                                  /* t has ended: what it did happens before MAIN's rest */
bool memory_changed(int t);                               /* something that t spun on has another value now */
void memory_restart(const volatile void *p, size_t size); /* a plain write, or new memory */
uint64_t memory_newest(const volatile void *p, size_t size);
void memory_post(struct clock *hb, struct clock *vis); /* release into */
void memory_take(const struct clock *hb, const struct clock *vis);
void memory_seq_cst_fence(void);
void memory_heavy_begin(int t);
void memory_visit(int target, int by);
void memory_heavy_end(int t);
struct order *dep_of(const volatile void *addr); /* two: of writes, of reads */
extern struct model_site *all_sites;
void site_known(struct model_site *s);

/* race.c */
void race_reset(void);
void race_atomic(const volatile void *p, size_t size, bool write);
void heap_reset(void);

/* coroutine.c */
void coroutine_make(struct thread *t, void (*f)(void));
void coroutine_resume(struct thread *t);  /* from the engine */
void coroutine_suspend(struct thread *t); /* back to it */

/* os.c */
void os_reset(void);

/* report.c */
void trace_print(void);
extern struct result *result_now;
void outcomes_clear(void);
void outcomes_add(void);
#endif
