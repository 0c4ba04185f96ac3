/* Exploring a test's schedules: runs it under one after the other until one fails, or enough have passed.
 *
 * Strategies: random (at each point the running goroutine is stopped with a chance that differs from
 * schedule to schedule), pct (priorities that change at d - 1 moments: a bug of depth d is met with a
 * probability that has a lower bound), dfs (every schedule once, those with the fewest forced choices
 * first), mixed (random and pct in turn for the first half, then dfs).  docs/design/explore.md has more.
 *
 * A schedule that fails is made short, repeated once more with everything shown, and printed with the token
 * that repeats it. */
#define _GNU_SOURCE 1
#include "test/explore.h"

#ifdef RN_EXPLORE
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { RESTARTS = 10 };

struct search {
    const struct rn_test *t;
    const struct rn_explore_options *o;
    rn_duration limit;
    uint64_t seed; /* of this test */
    uint32_t ran, distinct, events, goroutines, choices, depth;
    bool complete, outside;
    uint64_t *seen; /* hashes of courses, a table; 0: free */
    uint32_t mask;
    struct rn_schedule failing;
    struct rn_outcome failure;
};

/* ---- what was seen -------------------------------------------------------------------------------------- */

static void note_course(struct search *s)
{
    const struct rn_explore_shared *p = rn__plan;
    uint64_t hash = p->hash | 1;
    uint32_t at = (uint32_t)(hash >> 32) & s->mask;
    while (s->seen[at] && s->seen[at] != hash)
        at = (at + 1) & s->mask;
    s->distinct += !s->seen[at];
    s->seen[at] = hash;
    if (p->events > s->events)
        s->events = p->events;
    if (p->goroutines > s->goroutines)
        s->goroutines = p->goroutines;
    if (p->choices > s->choices)
        s->choices = p->choices;
    s->outside |= p->outside;
}

/* Runs what is planned.  True: the search is over, since it failed or was skipped. */
static bool run_planned(struct search *s)
{
    struct rn_result r;
    struct rn_outcome o = rn__explore_run(s->t, s->limit, &r);
    rn__result_free(&r);
    s->ran++;
    note_course(s);
    if (o.kind == RN_PASSED)
        return false;
    s->failure = o;
    s->failing.seed = rn__plan->seed;
    s->failing.n = rn__plan->taken;
    memcpy(s->failing.steps, rn__plan->steps, rn__plan->taken * sizeof *s->failing.steps);
    return true;
}

/* ---- strategies ------------------------------------------------------------------------------------------- */

/* How often a goroutine that could go on is stopped, of 2^16; in turn. */
static const uint32_t chances[] = {0x8000, 0x2000, 0x0800, 0xc000, 0x4000, 0x0200};

static uint32_t any_event(const struct search *s, uint64_t draw)
{
    return 1 + (uint32_t)(rn__explore_mix(rn__plan->luck, draw) % (s->events ? s->events : 1));
}

/* In one schedule of four somebody is late, in half of these twice. */
static void plan_delays(const struct search *s)
{
    enum { OFTEN = 8, SELDOM = 4, DRAW = 1 << 16 };
    uint32_t dice = (uint32_t)(rn__explore_mix(rn__plan->luck, DRAW) >> 32);
    uint32_t n = dice % SELDOM ? 0 : dice % OFTEN ? 1 : RN_EXPLORE_DELAYS;
    for (uint32_t k = 0; k < RN_EXPLORE_DELAYS; k++)
        rn__plan->delay_at[k] = k < n ? any_event(s, DRAW + 1 + k) : 0;
}

static void plan_chance(struct search *s, uint32_t i)
{
    struct rn_explore_shared *p = rn__plan;
    enum rn_explore_strategy strategy = s->o->strategy;
    if (strategy == RN_EXPLORE_MIXED)
        strategy = i % 2 ? RN_EXPLORE_BY_PCT : RN_EXPLORE_BY_CHANCE;
    p->seed = rn__explore_mix(s->seed, 2 * (uint64_t)i);
    p->luck = rn__explore_mix(s->seed, 2 * (uint64_t)i + 1);
    p->planned = 0;
    p->log = p->tell = false;
    p->way = i == 0 ? RN_EXPLORE_DEFAULT : strategy == RN_EXPLORE_BY_PCT ? RN_EXPLORE_PCT : RN_EXPLORE_RANDOM;
    p->chance = strategy == RN_EXPLORE_TREE ? chances[0] : chances[i / 2 % (sizeof chances / sizeof *chances)];
    p->changes = s->o->depth - 1;
    for (uint32_t k = 0; k < p->changes; k++)
        p->change_at[k] = any_event(s, k);
    plan_delays(s);
}

static bool search_by_chance(struct search *s, uint32_t schedules)
{
    for (uint32_t i = 0; i < schedules; i++) {
        plan_chance(s, i);
        if (run_planned(s))
            return false;
        if (i == 0 && s->choices == 0 && !s->outside) { /* nothing to choose: one schedule is all there is */
            s->complete = true;
            return true;
        }
    }
    return true;
}

/* Some of the tree.  RN_AGAIN: places that touch shared memory were found, so that there is more to choose. */
enum walk { RN_FAILED, RN_DONE, RN_AGAIN };

static enum walk walk_tree(struct search *s, struct rn_tree *tree, struct rn_schedule *next, bool may_restart)
{
    uint32_t places = rn__plan->places_n;
    while (s->ran < s->o->schedules) {
        if (!rn__tree_next(tree, next)) {
            s->complete = !rn__tree_cut(tree);
            return RN_DONE;
        }
        s->depth = next->n;
        rn__explore_plan(next);
        rn__plan->log = true;
        if (run_planned(s))
            return RN_FAILED;
        if (rn__plan->places_n > places && may_restart)
            return RN_AGAIN;
        rn__tree_grow(tree);
    }
    return RN_DONE;
}

/* As many schedules as there are left, after some by chance: these find the places that touch shared memory. */
static bool search_tree(struct search *s)
{
    struct rn_schedule next = {.steps = malloc(RN_EXPLORE_STEPS * sizeof *next.steps)};
    enum walk walk = RN_AGAIN;
    for (int i = 0; next.steps && walk == RN_AGAIN; i++) {
        struct rn_tree *tree = rn__tree_make(rn__explore_mix(s->seed, 0));
        walk = tree ? walk_tree(s, tree, &next, i < RESTARTS) : RN_DONE;
        rn__tree_free(tree);
    }
    free(next.steps);
    return walk != RN_FAILED;
}

static bool search(struct search *s)
{
    enum { WARM_UP = 16 };
    uint32_t n = s->o->schedules, first = n;
    if (s->o->strategy == RN_EXPLORE_TREE)
        first = n / 4 < WARM_UP ? n / 4 : WARM_UP;
    else if (s->o->strategy == RN_EXPLORE_MIXED)
        first = n - n / 2;
    return search_by_chance(s, first) && (first == n || s->complete || search_tree(s));
}

/* ---- what is printed --------------------------------------------------------------------------------------- */

static const char *strategy_name(enum rn_explore_strategy strategy)
{
    static const char *const names[] = {"mixed", "random", "pct", "dfs"};
    return names[strategy];
}

/* One line on the search; `indent` makes it a comment or part of a block. */
static void print_search(const struct search *s, const char *indent)
{
    printf("%s%" PRIu32 " schedule%s, %" PRIu32 " distinct; strategy %s, seed %" PRIu64 "; up to %" PRIu32
           " goroutine%s, %" PRIu32 " switching points",
           indent, s->ran, s->ran == 1 ? "" : "s", s->distinct, strategy_name(s->o->strategy), s->o->seed,
           s->goroutines, s->goroutines == 1 ? "" : "s", s->events);
    if (s->complete)
        fputs("; these are all there are", stdout);
    else if (s->depth)
        printf("; all with fewer than %" PRIu32 " forced choice%s", s->depth, s->depth == 1 ? "" : "s");
    putchar('\n');
    if (s->o->strategy != RN_EXPLORE_BY_PCT && s->o->strategy != RN_EXPLORE_MIXED)
        return;
    double bound = s->goroutines ? s->goroutines : 1;
    for (uint32_t i = 1; i < s->o->depth; i++)
        bound *= s->events ? s->events : 1;
    printf("%spct: each %sschedule meets a bug of depth %" PRIu32
           " with a probability of at least 1/(n*k^(d-1)) = 1/%.0f\n",
           indent, s->o->strategy == RN_EXPLORE_MIXED ? "fourth " : "", s->o->depth, bound);
}

static void print_outside(const char *indent)
{
    printf("%ssomething outside took part (a descriptor, a signal, a thread of the program's own): what it does "
           "is not decided by the seed\n",
           indent);
}

static void print_late(const char *indent)
{
    char late[32];
    rn__explore_duration(late, sizeof late, rn__plan->late);
    printf("%s%s passed while goroutines could run, as on a machine that is busy\n", indent, late);
}

/* The block of a failure: how it was found, how to repeat it, and what was forced.  The plan's results are
 * those of the schedule, run with `tell`. */
static void print_block(const struct rn_test *t, const struct rn_schedule *s, const struct rn_outcome *f)
{
    char *token = rn__token_make(t, s), *words = rn__explore_words(f);
    printf("  replay: -replay %s\n", token ? token : "?");
    if (words)
        fputs(words, stdout);
    free(token);
    free(words);
}

/* Runs s with everything shown, and prints the result as that of test `number`. */
static bool show(const struct search *s, int number, const struct rn_schedule *found, uint32_t from, uint32_t ran)
{
    struct rn_result r;
    rn__explore_plan(found);
    rn__plan->tell = true;
    struct rn_outcome o = rn__explore_run(s->t, s->limit, &r);
    bool passed = rn__test_print_head(number, s->t, &r);
    if (!passed) {
        if (s->ran) {
            print_search(s, "  # ");
            printf("  # it failed in the last; of its %" PRIu32 " forced choice%s %" PRIu32 " would do (%" PRIu32
                   " schedules more were run to find out)\n",
                   from, from == 1 ? "" : "s", found->n, ran);
        }
        if (rn__plan->outside)
            print_outside("  # ");
        if (rn__plan->late)
            print_late("  # ");
        print_block(s->t, found, &o);
    }
    rn__test_print_rest(&r, passed);
    rn__result_free(&r);
    return passed;
}

static bool show_unrepeatable(const struct search *s, int number)
{
    struct rn_result r;
    rn__explore_plan(&s->failing);
    rn__plan->tell = true;
    (void)rn__explore_run(s->t, s->limit, &r);
    char what[300];
    snprintf(what, sizeof what,
             "%s: schedule %" PRIu32
             " failed (%s), but does not fail when it is repeated: the test depends on something "
             "that the seed does not decide, such as the real clock, addresses, or memory that is not initialised",
             s->t->name, s->ran, s->failure.key[0] ? s->failure.key : "see above");
    rn__test_blame(s->t, &r, what);
    rn__test_print_head(number, s->t, &r);
    print_search(s, "  # ");
    if (s->outside)
        print_outside("  # ");
    rn__test_print_rest(&r, false);
    rn__result_free(&r);
    return false;
}

/* ---- the call ------------------------------------------------------------------------------------------------ */

static bool explore(struct search *s, int number)
{
    rn_time start = rn_os_now();
    bool passed = search(s);
    uint32_t from = s->failing.n, ran = 0;
    if (passed) {
        printf("ok %d - %s # time=%.1fms\n", number, s->t->name, (double)(rn_os_now() - start) / RN_MILLISECOND);
        print_search(s, "# ");
        if (s->outside)
            print_outside("# ");
        return true;
    }
    if (s->failure.kind == RN_SKIPPED)
        return show(s, number, &s->failing, 0, 0);
    if (!rn__explore_shrink(s->t, s->limit, &s->failure, &s->failing, &ran))
        return show_unrepeatable(s, number);
    return show(s, number, &s->failing, from, ran);
}

static bool replay(struct search *s, int number)
{
    char name[256];
    if (!rn__token_read(s->o->token, name, sizeof name, &s->failing)) {
        printf("not ok %d - %s\n  ---\n  failures: |\n    this is no token: %s\n  ...\n", number, s->t->name,
               s->o->token);
        return false;
    }
    bool passed = show(s, number, &s->failing, 0, 0);
    if (rn__plan->met < s->failing.n)
        printf("# only %" PRIu32 " of the token's %" PRIu32
               " forced choices were met: it is of another version of this program\n",
               rn__plan->met, s->failing.n);
    return passed;
}

bool rn__test_explore(int number, const struct rn_test *t, const struct rn_explore_options *o, rn_duration limit)
{
    uint32_t size = 64;
    while (size < 2 * o->schedules)
        size *= 2;
    struct search s = {.t = t, .o = o, .limit = limit, .mask = size - 1};
    int err = rn__explore_open();
    s.seen = calloc(size, sizeof *s.seen);
    s.failing.steps = malloc(RN_EXPLORE_STEPS * sizeof *s.failing.steps);
    s.seed = rn__explore_mix(o->seed, 0);
    for (const char *c = t->name; *c; c++)
        s.seed = rn__explore_mix(s.seed, (unsigned char)*c);
    bool passed = false;
    if (err || !s.seen || !s.failing.steps) {
        printf("not ok %d - %s\n  ---\n  failures: |\n    no memory for exploring\n  ...\n", number, t->name);
    } else {
        rn__plan->max_events = o->max_events;
        rn__plan->faults = o->faults;
        rn__plan->places_n = 0;
        passed = o->token ? replay(&s, number) : explore(&s, number);
    }
    fflush(stdout);
    free(s.seen);
    free(s.failing.steps);
    return passed;
}

bool rn__test_is_replayed(const char *token, const struct rn_test *t)
{
    size_t n = strlen(t->name);
    return strncmp(token, t->name, n) == 0 && token[n] == ':';
}

#endif
