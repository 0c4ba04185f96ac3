/* bench/stat.h: timing for the workloads of runnel and of the C and C++ peers, the twin of bench/peers/go/stat.
 * One line for each result:
 *
 *     RESULT <name> unit=<u> first=<x> min=<x> med=<x> max=<x> n=<rounds>
 *
 * From the environment: ROUNDS, the number of rounds; BENCH_PROCS, the numbers of processors, "1 2" without it;
 * BENCH_MOST, where curves over goroutines and timers end, 1000000 without it. */
#ifndef RUNNEL_BENCH_STAT_H
#define RUNNEL_BENCH_STAT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { STAT_MOST = 4096 };

struct stat_samples {
    double at[STAT_MOST];
    int n;
};

/* Ends the benchmark when a workload computed something wrong. */
#define stat_check(cond) ((cond) ? (void)0 : stat_wrong(__FILE__, __LINE__, #cond))

static inline void stat_wrong(const char *file, int line, const char *cond)
{
    fprintf(stderr, "%s:%d: wrong result: %s\n", file, line, cond);
    abort();
}

/* Nanoseconds of a clock that only goes forward. */
static inline double stat_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* The i-th number of processors to measure with, from 0; 0: there are no more. */
static inline int stat_procs(int i)
{
    const char *s = getenv("BENCH_PROCS");
    char *end;
    for (s = s && *s ? s : "1 2";; s = end) {
        long p = strtol(s, &end, 10);
        if (end == s || i-- == 0)
            return end == s ? 0 : (int)p;
    }
}

static inline long stat_most(void)
{
    const char *s = getenv("BENCH_MOST");
    return s && atol(s) > 0 ? atol(s) : 1000000;
}

static inline int stat_rounds(int usual)
{
    const char *s = getenv("ROUNDS");
    int n = s ? atoi(s) : 0;
    return n > 0 ? n : usual;
}

static inline void stat_add(struct stat_samples *s, double v)
{
    if (s->n < STAT_MOST)
        s->at[s->n++] = v;
}

static inline int stat_compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Prints the line for samples given in the order of running. */
static inline void stat_report(const char *name, const char *unit, const struct stat_samples *s)
{
    static double sorted[STAT_MOST];
    int n = s->n;
    memcpy(sorted, s->at, (size_t)n * sizeof *sorted);
    qsort(sorted, (size_t)n, sizeof *sorted, stat_compare);
    double median = n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
    printf("RESULT %-34s unit=%s first=%.4g min=%.4g med=%.4g max=%.4g n=%d\n", name, unit, s->at[0], sorted[0], median,
           sorted[n - 1], n);
    fflush(stdout);
}

/* Runs f(arg) `rounds` times; it does n operations; reports nanoseconds for each. */
static inline void stat_bench_with(const char *name, int rounds, long n, void (*f)(void *), void *arg)
{
    static struct stat_samples s;
    s.n = 0;
    rounds = stat_rounds(rounds);
    for (int i = 0; i < rounds; i++) {
        double start = stat_now();
        f(arg);
        stat_add(&s, (stat_now() - start) / (double)n);
    }
    stat_report(name, "ns/op", &s);
}

static inline void stat_call(void *f)
{
    (*(void (**)(void))f)();
}

static inline void stat_bench(const char *name, int rounds, long n, void (*f)(void))
{
    stat_bench_with(name, rounds, n, stat_call, &f);
}

/* "<name>.P<p>", in one buffer that the next call overwrites. */
static inline const char *stat_name(const char *name, int procs)
{
    static char text[128];
    snprintf(text, sizeof text, "%s.P%d", name, procs);
    return text;
}

static inline double stat_seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

/* User and system seconds of this process. */
static inline double stat_cpu(void)
{
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    return stat_seconds(r.ru_utime) + stat_seconds(r.ru_stime);
}

/* A field of /proc/self/status that is given in kB, in bytes. */
static inline double stat_status(const char *field)
{
    char line[256];
    double kib = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, field, strlen(field)) == 0)
            kib = atof(line + strlen(field));
    if (file)
        fclose(file);
    return kib * 1024;
}

/* The resident set and the page tables, in bytes. */
static inline double stat_rss(void)
{
    return stat_status("VmRSS:");
}
static inline double stat_page_tables(void)
{
    return stat_status("VmPTE:");
}
static inline double stat_resident(void)
{
    return stat_rss() + stat_page_tables();
}

/* One value, with "<name>.N<n>" for a name. */
static inline void stat_point(const char *name, long n, const char *unit, double value)
{
    static struct stat_samples s;
    char with[128];
    snprintf(with, sizeof with, "%s.N%ld", name, n);
    s.at[0] = value;
    s.n = 1;
    stat_report(with, unit, &s);
}

#endif
