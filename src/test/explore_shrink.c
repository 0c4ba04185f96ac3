/* From a schedule that fails to one with as few steps as possible that fails in the same way.
 *
 * Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input" (2002): parts of the list are
 * left out, ever smaller ones, until no step can be spared.  That result depends on where one began, so that
 * afterwards all schedules with fewer steps are tried in turn, as far as a budget allows. */
#define _GNU_SOURCE 1
#include "test/explore.h"

#ifdef RN_EXPLORE
#include <stdlib.h>
#include <string.h>

enum { RUNS_MAX = 2000, FEWER_MAX = 400 };

struct job {
    const struct rn_test *t;
    rn_duration limit;
    const struct rn_outcome *wanted;
    uint32_t runs;
};

/* Whether s fails as wanted; then its steps become those that had an effect. */
static bool fails(struct job *job, struct rn_schedule *s)
{
    job->runs++;
    struct rn_outcome o = rn__explore_repeat(job->t, job->limit, s);
    if (!rn__same_failure(&o, job->wanted))
        return false;
    s->n = rn__plan->taken;
    if (s->n)
        memcpy(s->steps, rn__plan->steps, s->n * sizeof *s->steps);
    return true;
}

/* s without the steps from `from` on, `n` of them. */
static void leave_out(struct rn_schedule *to, const struct rn_schedule *s, uint32_t from, uint32_t n)
{
    to->seed = s->seed;
    to->n = s->n - n;
    memcpy(to->steps, s->steps, from * sizeof *s->steps);
    memcpy(to->steps + from, s->steps + from + n, (s->n - from - n) * sizeof *s->steps);
}

static void swap(struct rn_schedule *a, struct rn_schedule *b)
{
    struct rn_schedule t = *a;
    *a = *b;
    *b = t;
}

/* Leaves out parts of this size where that goes, from the end: what comes after the decisive steps goes at
 * once.  Whether any could be spared. */
static bool sweep(struct job *job, struct rn_schedule *s, struct rn_schedule *less, uint32_t part)
{
    bool spared = false;
    for (uint32_t end = s->n; end > 0 && job->runs < RUNS_MAX;) {
        uint32_t n = end < part ? end : part, before = s->n;
        leave_out(less, s, end - n, n);
        end -= n;
        if (!fails(job, less) || less->n >= before)
            continue;
        swap(s, less);
        spared = true;
        end = end < s->n ? end : s->n;
    }
    return spared;
}

/* Until no step can be spared. */
static void minimise(struct job *job, struct rn_schedule *s, struct rn_schedule *less)
{
    for (uint32_t part = s->n; part > 0; part = part == 1 ? 0 : (part + 1) / 2)
        while (s->n && sweep(job, s, less, part))
            continue;
}

/* Looks for any schedule with fewer steps. */
static void find_fewer(struct job *job, struct rn_schedule *s, struct rn_schedule *less)
{
    struct rn_tree *tree = s->n > 1 ? rn__tree_make(s->seed) : NULL;
    for (int i = 0; tree && i < FEWER_MAX && rn__tree_next(tree, less) && less->n < s->n; i++) {
        struct rn_result r;
        job->runs++;
        rn__explore_plan(less);
        rn__plan->log = true;
        struct rn_outcome o = rn__explore_run(job->t, job->limit, &r);
        rn__result_free(&r);
        if (rn__same_failure(&o, job->wanted)) {
            swap(s, less);
            break;
        }
        rn__tree_grow(tree);
    }
    rn__tree_free(tree);
}

bool rn__explore_shrink(const struct rn_test *t, rn_duration limit, const struct rn_outcome *f, struct rn_schedule *s,
                        uint32_t *ran)
{
    struct job job = {.t = t, .limit = limit, .wanted = f};
    struct rn_schedule less = {.steps = malloc(RN_EXPLORE_STEPS * sizeof *less.steps)};
    bool again = less.steps && fails(&job, s);
    if (again) {
        minimise(&job, s, &less);
        find_fewer(&job, s, &less);
    }
    free(less.steps);
    *ran = job.runs;
    return again;
}

#endif
