/* The figures of `runnel bench`: what the programs print, and medians, spreads and ratios of it. */
#define _GNU_SOURCE 1
#include "bench.h"
#include <fnmatch.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Words "key=value" of a line, value as new text; NULL when it has none. */
static char *value_of(const char *line, const char *key)
{
    char *with = text(" %s=", key);
    const char *at = strstr(line, with);
    return at ? text("%.*s", (int)strcspn(at + strlen(with), " \n"), at + strlen(with)) : NULL;
}

static bool more_is_better(const char *unit)
{
    return strcmp(unit, "count") == 0 || ends_with(unit, "/s");
}

/* bench/targets: lines "pattern < 0.25" or "pattern > 1.3"; the first pattern that matches counts. */
static void find_target(const char *root, struct figure *f)
{
    char *at = read_file(text("%s/bench/targets", root), NULL);
    for (char *line; at && (line = strsep(&at, "\n"));) {
        char pattern[128], sign[2];
        double target;
        if (*line == '#' || sscanf(line, "%127s %1[<>] %lf", pattern, sign, &target) != 3)
            continue;
        if (fnmatch(pattern, f->name, 0) != 0)
            continue;
        f->target = target;
        f->at_least = *sign == '>';
        return;
    }
}

static struct figure *find_figure(struct bench *b, const char *name, const char *unit)
{
    for (int i = 0; i < b->figures_n; i++)
        if (strcmp(b->figures[i].name, name) == 0)
            return &b->figures[i];
    b->figures = realloc(b->figures, (size_t)(b->figures_n + 1) * sizeof *b->figures);
    double *at = malloc(SIDES * PROCESSES * sizeof *at);
    if (!b->figures || !at)
        die(STATUS_FAILED, "out of memory");
    for (int i = 0; i < SIDES * PROCESSES; i++)
        at[i] = NAN;
    struct figure *f = &b->figures[b->figures_n++];
    *f = (struct figure){.name = text("%s", name), .unit = text("%s", unit), .more = more_is_better(unit), .at = at};
    find_target(b->root, f);
    return f;
}

void bench_take(struct bench *b, int side, int process, char *said)
{
    for (char *line; (line = strsep(&said, "\n"));) {
        if (strncmp(line, "RESULT ", 7) != 0)
            continue;
        char *name = text("%.*s", (int)strcspn(line + 7, " "), line + 7), *unit = value_of(line, "unit"),
             *median = value_of(line, "med");
        if (!unit || !median)
            die(STATUS_FAILED, "bench: %s says something without unit or median: %s", b->sides[side].name, line);
        find_figure(b, name, unit)->at[side * PROCESSES + process] = strtod(median, NULL);
    }
}

const char *bench_point(const struct figure *f, double *number)
{
    const char *dot = strrchr(f->name, '.');
    if (!dot || !strchr("PNC", dot[1]) || strspn(dot + 2, "0123456789") == 0 || dot[2 + strspn(dot + 2, "0123456789")])
        return NULL;
    *number = strtod(dot + 2, NULL);
    return dot;
}

/* By the name without a curve's number, then by the number. */
static int by_name(const void *a, const void *b)
{
    const struct figure *f = a, *g = b;
    double x = 0, y = 0;
    const char *end_f = bench_point(f, &x), *end_g = bench_point(g, &y);
    size_t n = end_f ? (size_t)(end_f - f->name) : strlen(f->name),
           m = end_g ? (size_t)(end_g - g->name) : strlen(g->name);
    int order = strncmp(f->name, g->name, n < m ? n : m);
    if (order == 0 && n != m)
        order = n < m ? -1 : 1;
    return order ? order : (x > y) - (x < y);
}

void bench_sort(struct bench *b)
{
    if (b->figures_n > 1)
        qsort(b->figures, (size_t)b->figures_n, sizeof *b->figures, by_name);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static struct spread spread_of(double *values, int n)
{
    if (n == 0)
        return (struct spread){NAN, NAN, NAN, 0};
    qsort(values, (size_t)n, sizeof *values, by_value);
    double median = n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
    return (struct spread){median, values[0], values[n - 1], n};
}

/* What the processes of a side have measured; how many. */
static int values_of(const struct bench *b, const struct figure *f, int side, double *values)
{
    int n = 0;
    for (int p = 0; p < b->processes; p++)
        if (!isnan(f->at[side * PROCESSES + p]))
            values[n++] = f->at[side * PROCESSES + p];
    return n;
}

struct spread bench_spread(const struct bench *b, const struct figure *f, int side)
{
    double values[PROCESSES];
    return spread_of(values, values_of(b, f, side, values));
}

bool bench_has_modes(const struct bench *b, const struct figure *f, int side)
{
    struct spread s = bench_spread(b, f, side);
    return s.n > 1 && s.low > 0 && s.high >= 1.5 * s.low;
}

char *bench_each(const struct bench *b, const struct figure *f, int side)
{
    double values[PROCESSES];
    int n = values_of(b, f, side, values);
    char *all = text("%s", "");
    qsort(values, (size_t)n, sizeof *values, by_value);
    for (int i = 0; i < n; i++)
        all = text("%s%s%.3g", all, i ? ", " : "", values[i]);
    return all;
}

struct spread bench_ratio(const struct bench *b, const struct figure *f, int side)
{
    double values[PROCESSES];
    int n = 0;
    for (int p = 0; p < b->processes; p++) {
        double own = f->at[p], other = f->at[side * PROCESSES + p];
        if (!isnan(own) && !isnan(other) && other > 0)
            values[n++] = own / other;
    }
    return spread_of(values, n);
}

int bench_side(const struct bench *b, const char *name)
{
    for (int i = 0; i < b->sides_n; i++)
        if (strcmp(b->sides[i].name, name) == 0)
            return i;
    return -1;
}

int bench_meets(const struct bench *b, const struct figure *f)
{
    int go = bench_side(b, "go");
    struct spread ratio = go > 0 ? bench_ratio(b, f, go) : (struct spread){0};
    if (f->target == 0 || ratio.n == 0)
        return -1;
    /* Two digits are what the targets have. */
    return f->at_least ? ratio.median > f->target - 0.005 : ratio.median < f->target + 0.005;
}
