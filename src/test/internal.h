/* What the files of the test runner share.  This layer stands on top of all others, and uses POSIX
 * processes directly: it never runs inside a program that is not a test. */
#ifndef RN_TEST_INTERNAL_H
#define RN_TEST_INTERNAL_H

#define RN_TEST_NO_MAIN
#include "os/os.h"
#include <runnel/test.h>
#include <stdio.h>

/* Text that grows up to a limit; beyond it the middle is lost, not the beginning or the end. */
enum { RN_TEXT_HEAD = 16 << 10, RN_TEXT_TAIL = 48 << 10 };
struct rn_text {
    char *at;
    size_t len;
    size_t lost;
};
void rn__text_add(struct rn_text *t, const char *bytes, size_t n);
/* Prints it, each line behind `indent`. */
void rn__text_print(const struct rn_text *t, const char *indent, FILE *to);
void rn__text_free(struct rn_text *t);

/* How one test went. */
struct rn_result {
    struct rn_text reports; /* lines as rn__test_report sent them */
    struct rn_text out, err;
    int status; /* exit status, or 128 + signal */
    bool timed_out;
    rn_duration took;
};

/* The first byte of a report: a failure, a reason to skip, the seed's having been used, or that the test's function has
 * returned. */
enum { RN_REPORT_FAIL = 'F', RN_REPORT_SKIP = 'S', RN_REPORT_SEED = 'R', RN_REPORT_END = 'E' };
/* Sends one line to the parent, or stores it when there is none.  Any thread. */
void rn__test_report(char kind, const char *line);
/* Where reports go from now on: a descriptor, or with -1 the text. */
void rn__test_report_to(int fd, struct rn_text *text);

void rn__result_free(struct rn_result *r);

/* ---- main.c, for explore.c ---- */

/* Adds to the failures what the exit status and what stderr contains say against the test. */
void rn__test_judge(const struct rn_test *t, rn_duration limit, struct rn_result *r);
bool rn__test_failed(const struct rn_result *r);
/* Adds a failure that the runner itself found to those of the test. */
void rn__test_blame(const struct rn_test *t, struct rn_result *r, const char *what);
/* Prints a result in two parts, between which more lines of its block may be printed if it is a failure.
 * The first returns whether it is none. */
bool rn__test_print_head(int number, const struct rn_test *t, const struct rn_result *r);
void rn__test_print_rest(const struct rn_result *r, bool passed);

/* ---- explore.c, in builds with RN_EXPLORE ---- */

enum rn_explore_strategy { RN_EXPLORE_MIXED, RN_EXPLORE_BY_CHANCE, RN_EXPLORE_BY_PCT, RN_EXPLORE_TREE };
struct rn_explore_options {
    uint32_t schedules; /* at most; 0: nothing is explored */
    enum rn_explore_strategy strategy;
    uint64_t seed;
    uint32_t depth;      /* of the bugs that pct looks for */
    uint32_t max_events; /* switching points of one schedule */
    uint32_t faults;     /* that may happen to simulated I/O: enum rn_fault */
    const char *token;   /* to be replayed, or NULL */
};
/* Explores t and prints its result; whether it passed. */
bool rn__test_explore(int number, const struct rn_test *t, const struct rn_explore_options *o, rn_duration limit);
bool rn__test_is_replayed(const char *token, const struct rn_test *t);

/* ---- bench.c, profile.c ---- */

/* The lines before the benchmarks'. */
void rn__bench_head(void);
rn_duration rn__bench_time(void); /* RUNNEL_BENCH_TIME; a second where it is not set */
/* The runner opens and closes the file (false: errno says why not); in a benchmark's process the samples are taken
 * between begin and end, where a file is open. */
bool rn__profile_open(const char *path);
bool rn__profile_close(void);
void rn__profile_begin(void);
void rn__profile_end(void);

/* ---- leaks.c ---- */

/* Set by the first failure of this process. */
extern bool rn__test_failed_here;

/* Around the run of t in a process of its own, if RUNNEL_TEST_LEAKS=1: whoever leaves something behind fails.
 * rn__test_watch before the first thing that t could leave. */
void rn__test_watch(const struct rn_test *t);
void rn__test_watch_end(void);

/* Runs t in a child process and waits for it; 0 or a negative errno when none could be started. */
int rn__test_run_child(const struct rn_test *t, rn_duration limit, struct rn_result *result);

#endif
