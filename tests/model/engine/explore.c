/* Which executions are run.
 *
 * Depth-first search over a stack of nodes, one per scheduling point: which threads could run there,
 * which were tried, which one runs in this execution, and which of the outcomes of its operation.
 * Each execution replays the stack from the start and goes on beyond its end; then the deepest node
 * with something left to try is advanced.
 *
 * Dynamic partial-order reduction with source sets (Abdulla, Aronis, Jonsson and Sagonas, POPL 2014)
 * and sleep sets: a node tries only threads that were found to be needed there.  When the next
 * operation of thread p depends on an earlier event of another thread that does not precede it in the
 * partial order of dependent events, a thread that leads to the reverse order must also be tried
 * before that event.  Races are judged when the later operation executes, not while it is pending:
 * with sleep sets the earlier judgement loses outcomes (tried; IRIW in litmus.c showed it).
 *
 * Two operations depend on each other when they touch the same location and one writes, when both
 * take part in the order of seq_cst fences, or when one is a fence that is executed in the other's
 * thread.
 *
 * The dependence of a blocked operation is that of what wakes it; so every wake-up is a write of the
 * location that the sleeper waits on.
 */
#include "engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

struct thread threads[ALL];
int running = MAIN;
bool executing;
struct op events[EVENTS];
int event_n;
struct result *result_now;

struct node {
    uint8_t enabled, backtrack, done, sleep; /* sets of threads */
    uint8_t chosen;
    int16_t outcome, outcomes;
    int16_t preemptions; /* before this node */
    int8_t last;         /* thread of the event before it; -1 */
};

static struct node stack[EVENTS];
static int stack_n; /* nodes whose choice is given */
static int depth;
static const struct model_test *test;
static const char *replay;
static jmp_buf escape; /* out of setup and finish */
static bool failed, complete;
static struct clock clocks[EVENTS]; /* each event's place in the partial order of dependent events */
static struct op scratch;
static struct clock fence_dep[2]; /* of seq_cst fences; of seq_cst accesses */
static uint64_t stalls;
bool explore_all;

#define BIT(t) ((uint8_t)(1u << (t)))

/* ---- what threads call --------------------------------------------------------------------- */

void point(struct op op)
{
    struct thread *t = &threads[running];
    if (running == MAIN) {
        scratch = op;
        return;
    }
    op.thread = (uint8_t)running;
    t->next = op;
    coroutine_suspend(t);
}

struct op *event(void)
{
    return running == MAIN ? &scratch : &events[event_n - 1];
}

int choose(int n)
{
    if (running == MAIN)
        return 0;
    struct node *at = &stack[depth];
    at->outcomes = (int16_t)n;
    if (at->outcome >= n)
        model_fail("the replayed execution differs: outcome %d of %d", at->outcome, n);
    return at->outcome;
}

int model_self(void)
{
    return running;
}

int model_choose(int n)
{
    point((struct op){.kind = OP_CHOOSE, .text = "chooses"});
    int k = choose(n);
    event()->value = (uint64_t)k;
    return k;
}

void fail_now(void)
{
    failed = true;
    if (running == MAIN)
        longjmp(escape, 1);
    coroutine_suspend(&threads[running]);
    abort();
}

void model_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(result_now->error, sizeof result_now->error, format, args);
    va_end(args);
    fail_now();
}

/* ---- dependence ---------------------------------------------------------------------------- */

static bool writes(const struct op *o)
{
    return o->kind == OP_STORE || o->kind == OP_RMW || o->kind == OP_POST || o->kind == OP_WAIT || o->kind == OP_SLEEP;
}

static bool fences(const struct op *o)
{
    return o->kind == OP_FENCE || o->kind == OP_REMOTE_FENCE;
}

static bool spins_on(const struct op *o, const volatile void *addr)
{
    for (int i = 0; i < o->spun_n; i++)
        if (o->spun[i] == addr)
            return true;
    return false;
}

static bool dependent(const struct op *a, const struct op *b)
{
    if ((a->kind == OP_REMOTE_FENCE && a->target == b->thread) ||
        (b->kind == OP_REMOTE_FENCE && b->target == a->thread))
        return true;
    if ((fences(a) && (fences(b) || b->seq_cst)) || (fences(b) && a->seq_cst))
        return true;
    if (a->kind == OP_YIELD)
        return writes(b) && spins_on(a, b->addr);
    if (b->kind == OP_YIELD)
        return writes(a) && spins_on(b, a->addr);
    return a->addr && a->addr == b->addr && (writes(a) || writes(b));
}

/* Adds event e of thread t to the partial order. */
static void order_event(struct op *e, struct thread *t)
{
    struct clock *mine = &t->dep;
    e->seq = ++t->events;
    clock_join(mine, &t->remote);
    mine->at[e->thread] = e->seq;
    if (fences(e) || e->seq_cst) {
        clock_join(mine, &fence_dep[0]);
        if (fences(e))
            clock_join(mine, &fence_dep[1]);
        clock_join(&fence_dep[fences(e) ? 0 : 1], mine);
    }
    if (e->kind == OP_REMOTE_FENCE) {
        clock_join(mine, &threads[e->target].dep);
        clock_join(test->late_fences ? &threads[e->target].remote : &threads[e->target].dep, mine);
    }
    for (int i = 0; i < e->spun_n; i++) {
        struct clock *of = dep_of(e->spun[i]);
        clock_join(mine, &of[0]);
        clock_join(&of[1], mine);
    }
    if (e->addr) {
        struct clock *of = dep_of(e->addr);
        clock_join(mine, &of[0]);
        if (writes(e))
            clock_join(mine, &of[1]);
        clock_join(&of[writes(e) ? 0 : 1], mine);
    }
    clocks[e - events] = *mine;
}

/* Whether event i precedes an event (or next operation) whose clock is dep. */
static bool precedes(int i, const struct clock *dep)
{
    return events[i].seq <= dep->at[events[i].thread];
}

/* Event e races with event i: some other execution must have e before i.  Any thread that can begin
 * that one at i's node will do: one whose first operation after i, up to e, does not come after i,
 * nor after an operation of another such thread. */
static void add_backtrack(int i, int e)
{
    struct node *n = &stack[i];
    uint8_t first = 0, later = 0; /* threads that can begin; those that can't */
    struct clock begun = {{0}};   /* each thread's first event that does not come after i */
    for (int j = i + 1; j <= e; j++) {
        int q = events[j].thread;
        if (j < e && precedes(i, &clocks[j]))
            continue;
        bool follows = false;
        for (int t = 0; t < THREADS; t++)
            follows |= t != q && begun.at[t] && clocks[j].at[t] >= begun.at[t];
        if (!((first | later) & BIT(q)))
            *(follows ? &later : &first) |= BIT(q);
        if (!begun.at[q])
            begun.at[q] = events[j].seq;
    }
    if (first == BIT(events[e].thread) && !(first & n->enabled))
        return; /* e can't come first: what precedes it makes it possible */
    first &= n->enabled;
    if (!first)
        n->backtrack |= n->enabled;
    else if (!(first & n->backtrack))
        n->backtrack |= first & (uint8_t)-first;
}

/* Every event that the next operation of p, about to execute as event e, races with; the newest
 * first, and not those that come before a newer one.  A fence that another thread executed in p since its last event is one of
 * them: it might have come after e. */
static void find_races(int p, int e, int *with, int *n)
{
    struct clock covered = threads[p].dep;
    *n = 0;
    for (int i = e - 1; i >= 0; i--) {
        if (events[i].thread == p || precedes(i, &covered) || !dependent(&events[i], &events[e]))
            continue;
        with[(*n)++] = i;
        clock_join(&covered, &clocks[i]);
    }
}

/* ---- one execution ------------------------------------------------------------------------- */

static struct op *add_event(const struct op *o)
{
    if (event_n == EVENTS)
        model_fail("the execution does not end (%d operations)", EVENTS);
    events[event_n] = *o;
    return &events[event_n++];
}

static void resume(int t)
{
    running = t;
    coroutine_resume(&threads[t]);
    running = MAIN;
    if (threads[t].finished)
        threads[t].next = (struct op){.kind = OP_NONE, .thread = (uint8_t)t};
}

static uint8_t live(void)
{
    uint8_t set = 0;
    for (int t = 0; t < THREADS; t++)
        if (threads[t].started && !threads[t].finished)
            set |= BIT(t);
    return set;
}

static uint8_t enabled(void)
{
    uint8_t set = 0;
    for (int t = 0; t < THREADS; t++)
        if (live() & BIT(t) && op_enabled(t))
            set |= BIT(t);
    return set;
}

/* Nobody can go on.  Threads that spin may then go round once more, since a loop may be bounded;
 * one thread at a time, and not for ever. */
static uint8_t stalled(void)
{
    uint8_t set = 0;
    for (int k = 1; k <= THREADS && !set; k++) {
        int t = (int)((stalls + (uint64_t)k) % THREADS);
        if (live() & BIT(t) && threads[t].next.kind == OP_YIELD)
            set = BIT(t);
    }
    if (!set)
        model_fail("deadlock: every thread that has not ended is blocked");
    if (++stalls > 400)
        model_fail("livelock: the threads that have not ended are blocked, or spin without end");
    return set;
}

static bool preempts(const struct node *n, int t)
{
    return n->last >= 0 && t != n->last && n->enabled & BIT(n->last);
}

/* The threads that n may still try, given the bound. */
static uint8_t candidates(const struct node *n)
{
    uint8_t set = n->enabled & (uint8_t)~n->sleep & (uint8_t)~n->done;
    if (test->preemptions && n->preemptions >= test->preemptions)
        for (int t = 0; t < THREADS; t++)
            if (preempts(n, t))
                set &= (uint8_t)~BIT(t);
    return set;
}

/* What is asleep after event e of node n: what was before, or was tried there, and is not woken by
 * an operation that e depends on. */
static uint8_t sleep_after(const struct node *n, const struct op *e)
{
    uint8_t set = explore_all ? 0 : (n->sleep | n->done) & (uint8_t)~BIT(e->thread);
    for (int t = 0; t < THREADS; t++)
        if (set & BIT(t) && dependent(e, &threads[t].next))
            set &= (uint8_t)~BIT(t);
    return set;
}

static bool replay_next(int *t, int *outcome)
{
    int used = 0;
    *outcome = 0;
    if (sscanf(replay, " %d%n", t, &used) != 1)
        return false;
    replay += used;
    if (*replay == '.' && sscanf(replay, ".%d%n", outcome, &used) == 1)
        replay += used;
    return true;
}

/* A node at the end of the stack; false when all that could run there was covered elsewhere. */
static bool new_node(struct node *n, uint8_t set, uint8_t sleep)
{
    *n = (struct node){.enabled = set, .sleep = sleep, .outcomes = 1, .last = -1};
    if (depth) {
        n->last = (int8_t)events[depth - 1].thread;
        n->preemptions = (int16_t)(n[-1].preemptions + preempts(&n[-1], n[-1].chosen));
    }
    int t, outcome;
    if (replay && replay_next(&t, &outcome)) {
        n->chosen = (uint8_t)t;
        n->outcome = (int16_t)outcome;
        n->backtrack = BIT(t);
        return true;
    }
    uint8_t free = candidates(n);
    if (!free)
        return false;
    n->chosen = (uint8_t)(n->last >= 0 && free & BIT(n->last) ? n->last : __builtin_ctz(free));
    n->backtrack = explore_all ? set : BIT(n->chosen);
    return true;
}

static void step(int t)
{
    struct op *e = add_event(&threads[t].next);
    int i = event_n - 1;
    if (e->kind == OP_YIELD && !threads[t].forced)
        stalls = 0;
    resume(t);
    if (failed)
        return;
    int with[EVENTS], n;
    find_races(t, i, with, &n);
    order_event(e, &threads[t]);
    while (n > 0)
        add_backtrack(with[--n], i);
}

static void begin(void)
{
    heap_reset();
    race_reset();
    memory_reset();
    os_reset();
    event_n = depth = 0;
    stalls = 0;
    failed = false;
    running = MAIN;
    memset(fence_dep, 0, sizeof fence_dep);
    rn__fence_asymmetric = true;
    for (int t = 0; t < ALL; t++) {
        threads[t].started = threads[t].finished = threads[t].forced = threads[t].woken = false;
        threads[t].events = 0;
        threads[t].next.kind = OP_NONE;
        memset(&threads[t].dep, 0, sizeof threads[t].dep);
        memset(&threads[t].remote, 0, sizeof threads[t].remote);
    }
    outcomes_clear();
    executing = true;
    if (test->setup)
        test->setup();
}

static void start_threads(void)
{
    for (int t = 0; t < THREADS; t++) {
        if (!test->thread[t])
            continue;
        threads[t].started = true;
        memory_start(t);
        coroutine_make(&threads[t], test->thread[t]);
    }
    for (int t = 0; t < THREADS && !failed; t++)
        if (threads[t].started)
            resume(t);
}

static void end(void)
{
    for (int t = 0; t < THREADS; t++)
        if (threads[t].started)
            memory_join(t);
    if (test->finish)
        test->finish();
}

static void run_threads(void)
{
    uint8_t sleep = 0;
    while (!failed && live()) {
        uint8_t set = enabled();
        if (!set) {
            set = stalled();
            threads[__builtin_ctz(set)].forced = true;
            sleep &= (uint8_t)~set;
        }
        struct node *n = &stack[depth];
        if (depth >= stack_n) {
            if (!new_node(n, set, sleep)) {
                complete = false;
                return;
            }
            stack_n = depth + 1;
        }
        if (!(set & BIT(n->chosen)))
            model_fail("the replayed execution differs: thread %d can't run at step %d", n->chosen, depth);
        step(n->chosen);
        if (!failed)
            sleep = sleep_after(n, &events[depth]);
        depth++;
    }
}

/* One execution.  False when it was left early because it equals one that was run before. */
static bool execute(void)
{
    complete = true;
    if (setjmp(escape) == 0) {
        begin();
        start_threads();
        if (!failed)
            run_threads();
        if (!failed && complete)
            end();
    }
    executing = false;
    running = MAIN;
    if (complete && !failed)
        outcomes_add();
    return complete || failed;
}

/* Makes the next choice list; false when there is none. */
static bool advance(void)
{
    while (stack_n) {
        struct node *n = &stack[stack_n - 1];
        if (n->outcome + 1 < n->outcomes) {
            n->outcome++;
            return true;
        }
        n->done |= BIT(n->chosen);
        uint8_t left = n->backtrack & candidates(n);
        if (left) {
            n->chosen = (uint8_t)__builtin_ctz(left);
            n->outcome = 0;
            n->outcomes = 1;
            return true;
        }
        stack_n--;
    }
    return false;
}

static void note_choices(struct result *r)
{
    size_t used = 0;
    for (int i = 0; i < event_n && i < stack_n && used + 16 < sizeof r->choices; i++)
        used += (size_t)snprintf(r->choices + used, sizeof r->choices - used, stack[i].outcome ? "%d.%d " : "%d ",
                                 stack[i].chosen, stack[i].outcome);
}

void explore(const struct model_test *t, const char *choices, struct result *r)
{
    uint64_t max = t->max ? t->max : 2000000;
    memset(r, 0, sizeof *r);
    test = t;
    replay = choices;
    result_now = r;
    stack_n = 0;
    do {
        if (execute())
            r->executions++;
        else
            r->pruned++;
        if (failed) {
            r->failed = true;
            note_choices(r);
            return;
        }
        if (choices)
            return;
        r->exhausted = !advance();
    } while (!r->exhausted && r->executions + r->pruned < max);
}
