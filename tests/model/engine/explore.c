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
 * take part in the order of seq_cst fences, or when one is a light fence and the other a heavy
 * fence's visit to its thread; for that the begin and the store of a restartable section are light fences.
 *
 * A visit is an event of an actor of its own, since it comes at any moment between the begin and the
 * end of the heavy fence, and the visits of one heavy fence in any order.
 *
 * The dependence of a blocked operation is that of what wakes it; so every wake-up is a write of the
 * location that the sleeper waits on.
 */
#include "engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

struct thread threads[ALL];
struct actor actors[ACTORS];
int running = MAIN;
bool executing;
struct op events[EVENTS];
int event_n;
struct result *result_now;

struct node {
    uint16_t enabled, backtrack, done, sleep; /* sets of actors */
    uint8_t chosen;
    int16_t outcome, outcomes;
    int16_t preemptions; /* before this node */
    int8_t last;         /* thread that made the last event before it; -1 */
};

static struct node stack[EVENTS];
static int stack_n; /* nodes whose choice is given */
static int depth;
static const struct model_test *test;
static const char *replay;
static jmp_buf escape; /* out of setup and finish */
static bool failed, complete;
static struct order clocks[EVENTS]; /* each event's place in the partial order of dependent events */
static struct op scratch;
static struct order fence_dep[2];          /* of seq_cst fences; of seq_cst accesses */
static struct order light_dep[THREADS][2]; /* of each thread's light fences; of the visits to it */
static uint16_t visiting;                  /* visitors that have not arrived yet */
static uint64_t stalls;
bool explore_all;
static uint64_t luck; /* of a sample */

#define BIT(t) ((uint16_t)(1u << (t)))
/* The actors of a set; a is the loop's variable, and the set is read once. */
#define EACH(a, set) \
    (uint16_t rest_ = (set), a = 0; rest_ && (a = (uint16_t)__builtin_ctz(rest_), 1); rest_ &= (uint16_t)(rest_ - 1))

/* ---- what threads call --------------------------------------------------------------------- */

void point(struct op op)
{
    struct thread *t = &threads[running];
    if (running == MAIN) {
        scratch = op;
        return;
    }
    op.thread = (uint8_t)running;
    actors[running].next = op;
    coroutine_suspend(t);
}

/* xorshift: the same numbers each time. */
static uint32_t chance(uint32_t below)
{
    luck ^= luck << 13;
    luck ^= luck >> 7;
    luck ^= luck << 17;
    return (uint32_t)(luck >> 33) % below;
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
    if (test->sample && !replay && chance(4) == 0)
        at->outcome = (int16_t)chance((uint32_t)n);
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

/* ---- visitors of heavy fences ---------------------------------------------------------------- */

static int visitor(int target, int by)
{
    return THREADS + by * (THREADS - 1) + (target < by ? target : target - 1);
}

static uint16_t visitors_of(int by)
{
    return (uint16_t)(((1u << (THREADS - 1)) - 1) << (THREADS + by * (THREADS - 1)));
}

void visits_begin(void)
{
    for (int t = 0; t < THREADS; t++) {
        if (t == running || !threads[t].started)
            continue;
        int a = visitor(t, running);
        actors[a].next = (struct op){.kind = OP_VISIT,
                                     .thread = (uint8_t)a,
                                     .target = (uint8_t)t,
                                     .by = (uint8_t)running,
                                     .text = "heavy fence"};
        visiting |= BIT(a);
    }
}

bool visits_are_over(int t)
{
    return !(visiting & visitors_of(t));
}

/* ---- dependence ---------------------------------------------------------------------------- */

/* A seq_cst load too: the next one of its location sees no older store than it has seen. */
static bool writes(const struct op *o)
{
    return (o->kind == OP_LOAD && o->seq_cst) || o->kind == OP_STORE || o->kind == OP_RMW || o->kind == OP_POST ||
           o->kind == OP_WAIT || o->kind == OP_SLEEP;
}

static bool fences(const struct op *o)
{
    return o->kind == OP_FENCE || o->kind == OP_HEAVY;
}

static bool spins_on(const struct op *o, const volatile void *addr)
{
    for (int i = 0; i < o->spun_n; i++)
        if (o->spun[i] == addr)
            return true;
    return false;
}

static bool minds_visits(const struct op *o)
{
    return o->kind == OP_LIGHT || o->section;
}

static bool dependent(const struct op *a, const struct op *b)
{
    if (a->kind == OP_VISIT || b->kind == OP_VISIT)
        return (minds_visits(a) && b->target == a->thread) || (minds_visits(b) && a->target == b->thread);
    if ((fences(a) && (fences(b) || b->seq_cst)) || (fences(b) && a->seq_cst))
        return true;
    if (a->kind == OP_YIELD)
        return writes(b) && spins_on(a, b->addr);
    if (b->kind == OP_YIELD)
        return writes(a) && spins_on(b, a->addr);
    return a->addr && a->addr == b->addr && (writes(a) || writes(b));
}

/* An event at `mine` that depends on those at of[0], and if it writes on those at of[1] too. */
static void order_access(struct order *mine, struct order *of, bool write)
{
    order_join(mine, &of[0]);
    if (write)
        order_join(mine, &of[1]);
    order_join(&of[write ? 0 : 1], mine);
}

/* A visit lies between what its heavy fence comes after, and the fence's end. */
static void order_fence(const struct op *e, struct order *mine)
{
    if (fences(e) || e->seq_cst)
        order_access(mine, fence_dep, fences(e));
    if (minds_visits(e))
        order_access(mine, light_dep[e->thread], true);
    if (e->kind == OP_VISIT) {
        order_access(mine, light_dep[e->target], false);
        order_join(&actors[e->by].dep, mine);
    }
}

/* Adds event e to the partial order. */
static void order_event(struct op *e)
{
    struct actor *a = &actors[e->thread];
    struct order *mine = &a->dep;
    e->seq = ++a->events;
    mine->at[e->thread] = e->seq;
    order_fence(e, mine);
    for (int i = 0; i < e->spun_n; i++)
        order_access(mine, dep_of(e->spun[i]), false);
    if (e->addr)
        order_access(mine, dep_of(e->addr), writes(e));
    clocks[e - events] = *mine;
    if (e->thread < THREADS && a->next.kind == OP_HEAVY)
        for
            EACH(v, visiting & visitors_of(e->thread))
    actors[v].dep = *mine;
}

/* Whether event i precedes an event (or next operation) whose clock is dep. */
static bool precedes(int i, const struct order *dep)
{
    return events[i].seq <= dep->at[events[i].thread];
}

/* Event e races with event i: some other execution must have e before i.  Any thread that can begin
 * that one at i's node will do: one whose first operation after i, up to e, does not come after i,
 * nor after an operation of another such thread. */
static void add_backtrack(int i, int e)
{
    struct node *n = &stack[i];
    uint16_t first = 0, later = 0; /* actors that can begin; those that can't */
    uint16_t begun[ACTORS];        /* the first event of each of them that does not come after i */
    for (int j = i + 1; j <= e; j++) {
        int q = events[j].thread;
        if (j < e && precedes(i, &clocks[j]))
            continue;
        if ((first | later) & BIT(q))
            continue;
        bool follows = false;
        for
            EACH(t, first | later)
        follows |= clocks[j].at[t] >= begun[t];
        *(follows ? &later : &first) |= BIT(q);
        begun[q] = (uint16_t)events[j].seq;
    }
    if (first == BIT(events[e].thread) && !(first & n->enabled))
        return; /* e can't come first: what precedes it makes it possible */
    first &= n->enabled;
    if (!first)
        n->backtrack |= n->enabled;
    else if (!(first & n->backtrack))
        n->backtrack |= first & (uint16_t)-first;
}

/* Every event that the next operation of p, about to execute as event e, races with; the newest
 * first, and not those that come before a newer one. */
static void find_races(int p, int e, int *with, int *n)
{
    struct order covered = actors[p].dep;
    *n = 0;
    for (int i = e - 1; i >= 0; i--) {
        if (events[i].thread == p || precedes(i, &covered) || !dependent(&events[i], &events[e]))
            continue;
        with[(*n)++] = i;
        order_join(&covered, &clocks[i]);
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
        actors[t].next = (struct op){.kind = OP_NONE, .thread = (uint8_t)t};
}

static uint16_t live(void)
{
    uint16_t set = 0;
    for (int t = 0; t < THREADS; t++)
        if (threads[t].started && !threads[t].finished)
            set |= BIT(t);
    return set;
}

static uint16_t enabled(void)
{
    uint16_t set = visiting;
    for
        EACH(t, live())
    if (op_enabled(t))
        set |= BIT(t);
    return set;
}

/* Nobody can go on.  Threads that spin may then go round once more, since a loop may be bounded;
 * one thread at a time, and not for ever. */
static uint16_t stalled(void)
{
    uint16_t set = 0;
    for (int k = 1; k <= THREADS && !set; k++) {
        int t = (int)((stalls + (uint64_t)k) % THREADS);
        if (live() & BIT(t) && actors[t].next.kind == OP_YIELD)
            set = BIT(t);
    }
    if (!set)
        model_fail("deadlock: every thread that has not ended is blocked");
    if (++stalls > 400)
        model_fail("livelock: the threads that have not ended are blocked, or spin without end");
    return set;
}

/* A visitor is part of the thread that sent it. */
static int thread_of(int actor)
{
    return actor < THREADS ? actor : (actor - THREADS) / (THREADS - 1);
}

static bool preempts(const struct node *n, int t)
{
    return n->last >= 0 && thread_of(t) != n->last && n->enabled & (BIT(n->last) | visitors_of(n->last));
}

/* The threads that n may still try, given the bound. */
static uint16_t candidates(const struct node *n)
{
    uint16_t set = n->enabled & (uint16_t)~n->sleep & (uint16_t)~n->done;
    if (test->preemptions && n->preemptions >= test->preemptions)
        for
            EACH(t, set)
    if (preempts(n, t))
        set &= (uint16_t)~BIT(t);
    return set;
}

/* What is asleep after event e of node n: what was before, or was tried there, and is not woken by
 * an operation that e depends on. */
static uint16_t sleep_after(const struct node *n, const struct op *e)
{
    uint16_t set = explore_all ? 0 : (n->sleep | n->done) & (uint16_t)~BIT(e->thread);
    for
        EACH(t, set)
    if (dependent(e, &actors[t].next))
        set &= (uint16_t)~BIT(t);
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

/* Mostly who ran last goes on. */
static int sampled(const struct node *n, uint16_t set)
{
    if (n->last >= 0 && set & BIT(n->last) && chance(8))
        return n->last;
    for (uint32_t skip = chance((uint32_t)__builtin_popcount(set)); skip; skip--)
        set &= (uint16_t)(set - 1);
    return __builtin_ctz(set);
}

/* A node at the end of the stack; false when all that could run there was covered elsewhere. */
static bool new_node(struct node *n, uint16_t set, uint16_t sleep)
{
    *n = (struct node){.enabled = set, .sleep = sleep, .outcomes = 1, .last = -1};
    if (depth) {
        n->last = (int8_t)thread_of(events[depth - 1].thread);
        n->preemptions = (int16_t)(n[-1].preemptions + preempts(&n[-1], n[-1].chosen));
    }
    int t, outcome;
    if (replay && replay_next(&t, &outcome)) {
        n->chosen = (uint8_t)t;
        n->outcome = (int16_t)outcome;
        n->backtrack = BIT(t);
        return true;
    }
    if (test->sample) {
        n->chosen = (uint8_t)sampled(n, set);
        return true;
    }
    uint16_t free = candidates(n);
    if (!free)
        return false;
    uint16_t same = n->last >= 0 ? free & (BIT(n->last) | visitors_of(n->last)) : 0;
    n->chosen = (uint8_t)__builtin_ctz(same ? same : free);
    n->backtrack = explore_all ? set : BIT(n->chosen);
    return true;
}

static void step(int t)
{
    struct op *e = add_event(&actors[t].next);
    int i = event_n - 1;
    if (e->kind == OP_YIELD && !threads[t].forced)
        stalls = 0;
    if (e->kind == OP_VISIT) {
        memory_visit(e->target, e->by);
        threads[e->target].restarted += threads[e->by].restarts;
        visiting &= (uint16_t)~BIT(t);
    } else {
        resume(t);
    }
    if (failed || test->sample)
        return;
    int with[EVENTS], n;
    find_races(t, i, with, &n);
    order_event(e);
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
    visiting = 0;
    memset(fence_dep, 0, sizeof fence_dep);
    memset(light_dep, 0, sizeof light_dep);
    memset(actors, 0, sizeof actors);
    rn__fence_asymmetric = true;
    for (int t = 0; t < ALL; t++) {
        threads[t].started = threads[t].finished = threads[t].forced = threads[t].woken = false;
        threads[t].restarted = 0;
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
    uint16_t sleep = 0;
    while (!failed && live()) {
        uint16_t set = enabled();
        if (!set) {
            set = stalled();
            threads[__builtin_ctz(set)].forced = true;
            sleep &= (uint16_t)~set;
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
        uint16_t left = n->backtrack & candidates(n);
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
    luck = 88172645463325252u;
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
        if (t->sample)
            stack_n = 0;
        r->exhausted = t->sample ? r->executions == (uint64_t)t->sample : !advance();
    } while (!r->exhausted && r->executions + r->pruned < max);
}
