/* What the files of `runnel bench` share.
 *
 * A side is runnel or a peer; a workload is a program that each side may have, which prints lines
 * "RESULT <name> unit=… med=…"; a figure is one such name, with what every process of every side said. */
#ifndef RUNNEL_BENCH_H
#define RUNNEL_BENCH_H

#include "tool.h"
#include <stdio.h>

enum { SIDES = 16, PROCESSES = 64 };

/* Runnel (the first one), and each folder below bench/peers whose script `peer` finds what it needs. */
struct side {
    char *name, *version;
    char *dir; /* where its programs lie */
    bool failed[PROCESSES];
};

struct figure {
    char *name, *unit;
    double target; /* of the ratio runnel / Go; 0: none */
    bool at_least; /* the ratio should be at least that, not at most */
    bool more;     /* more is better */
    double *at;    /* [side * PROCESSES + process]; NAN: not measured */
};

struct bench {
    const char *root;
    struct list workloads; /* "core/a_spawn", … */
    struct side sides[SIDES];
    int sides_n;
    struct figure *figures;
    int figures_n;
    int processes, rounds; /* processes: that were begun */
    double minutes;        /* nothing is begun after that; 0: no limit */
    char *procs;           /* "1 2": with how many processors */
    char *date, *machine, *kernel, *compiler, *load_before, *load_after;
    int failures;
};

/* The median of n values, which it sorts, NANs left out, the lowest and the highest; NAN when there is none. */
struct spread {
    double median, low, high;
    int n;
};

/* ---- bench_run.c ---- */

/* Finds and builds the peers named (all when there are none); missing ones are told in a line. */
void bench_find_sides(struct bench *b, const struct list *wanted);
/* Builds all that is to be measured. */
void bench_build(struct bench *b);
/* Runs everything by turns. */
void bench_run(struct bench *b);
/* The first line of a command's output; "" when it failed. */
char *first_line_of(const char *command);

/* ---- bench_figures.c ---- */

/* Takes the RESULT lines of a program's output. */
void bench_take(struct bench *b, int side, int process, char *said);
/* The figures' order is that of the names; curves by the number behind the last point. */
void bench_sort(struct bench *b);
struct spread bench_spread(const struct bench *b, const struct figure *f, int side);
/* Of the ratios runnel / side, process by process. */
struct spread bench_ratio(const struct bench *b, const struct figure *f, int side);
/* Whether the processes of a side fall apart: the highest is half as much again as the lowest.  Such a figure has more than one
 * mode, and its median alone says little. */
bool bench_has_modes(const struct bench *b, const struct figure *f, int side);
/* What each process of a side has measured, the lowest first: "92.5, 186, 196". */
char *bench_each(const struct bench *b, const struct figure *f, int side);
/* Whether the ratio to Go reaches the target: 1, 0; -1: there is none, or nothing to compare. */
int bench_meets(const struct bench *b, const struct figure *f);
/* The side of that name, or -1. */
int bench_side(const struct bench *b, const char *name);
/* ".P2", ".N1000", ".C8" at the name's end: where it begins, and its number; NULL: no point of a curve. */
const char *bench_point(const struct figure *f, double *number);

/* ---- bench_tell.c, bench_docs.c, bench_plot.c ---- */

void bench_print(const struct bench *b, FILE *to);
void bench_print_json(const struct bench *b, FILE *to);
/* docs/performance.md and docs/performance.svg. */
void bench_write_docs(const struct bench *b);
/* Draws ratios and curves by gnuplot; false (and a line) when there is none. */
bool bench_plot(const struct bench *b, const char *file);

#endif
