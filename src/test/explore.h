/* What the files that explore a test's schedules share: see explore.c. */
#ifndef RN_TEST_EXPLORE_H
#define RN_TEST_EXPLORE_H

#include "sched/explore.h"
#include "test/internal.h"

#ifdef RN_EXPLORE

/* What became of one schedule. */
struct rn_outcome {
    enum rn_failure {
        RN_PASSED,
        RN_SKIPPED,
        RN_FAILED_CHECK,
        RN_FAILED_PANIC,
        RN_FAILED_DEADLOCK,
        RN_FAILED_LEAK,
        RN_FAILED_RACE,
        RN_FAILED_ENDLESS,
        RN_FAILED_TIMEOUT,
        RN_FAILED_OTHERWISE
    } kind;
    char key[64]; /* what tells it from other failures of the kind */
};

/* A schedule: what differs from the default, and the seed of the program's random numbers. */
struct rn_schedule {
    uint64_t seed;
    uint32_t n;
    struct rn_explore_step *steps; /* malloc'ed; RN_EXPLORE_STEPS of room */
};

/* explore_run.c.  The plan is in rn__plan; runs it in a child, stores what it wrote in *r (which the caller
 * frees), and returns what became of it. */
extern struct rn_explore_shared *rn__plan;
int rn__explore_open(void); /* 0, or a negative errno */
struct rn_outcome rn__explore_run(const struct rn_test *t, rn_duration limit, struct rn_result *r);
/* Repeats a schedule, and throws away what it wrote. */
struct rn_outcome rn__explore_repeat(const struct rn_test *t, rn_duration limit, const struct rn_schedule *s);
void rn__explore_plan(const struct rn_schedule *s);
bool rn__same_failure(const struct rn_outcome *a, const struct rn_outcome *b);
uint64_t rn__explore_mix(uint64_t a, uint64_t b);

/* explore_tree.c: schedules by the number of steps that they have, each exactly once. */
struct rn_tree;
struct rn_tree *rn__tree_make(uint64_t seed);
/* The next schedule, into s; false when there are no more. */
bool rn__tree_next(struct rn_tree *tree, struct rn_schedule *s);
/* Adds those that the one that was run just now (with the log) leads to. */
void rn__tree_grow(struct rn_tree *tree);
bool rn__tree_cut(const struct rn_tree *tree); /* there was no room for all */
void rn__tree_free(struct rn_tree *tree);

/* explore_shrink.c: makes *s, which fails as `f` says, as short as it can.  False when it can't be
 * repeated.  Counts the schedules that it ran. */
bool rn__explore_shrink(const struct rn_test *t, rn_duration limit, const struct rn_outcome *f, struct rn_schedule *s,
                        uint32_t *ran);

/* explore_tell.c: what was forced, in words, indented, as text that the caller frees. */
char *rn__explore_words(const struct rn_outcome *f);
/* "1.5s": into text, of n bytes. */
void rn__explore_duration(char *text, size_t n, rn_duration d);
/* The token that repeats s; the caller frees it. */
char *rn__token_make(const struct rn_test *t, const struct rn_schedule *s);
/* False: this is no token.  *name is of the test. */
bool rn__token_read(const char *token, char *name, size_t n, struct rn_schedule *s);

#endif
#endif
