/* bench/core/stat.h: timing for the workloads, the twin of bench/peers/go/stat.  One line for each result:
 *
 *     RESULT <name> unit=<u> first=<x> min=<x> med=<x> max=<x> n=<rounds>
 *
 * ROUNDS in the environment overrides the number of rounds. */
#ifndef RUNNEL_BENCH_STAT_H
#define RUNNEL_BENCH_STAT_H

#include <runnel.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { STAT_MOST = 4096 };

struct stat_samples {
    double at[STAT_MOST];
    int n;
};

/* Ends the benchmark when a workload computed something wrong. */
#define stat_check(cond) ((cond) ? (void)0 : rn_fatal("%s:%d: wrong result: %s", __FILE__, __LINE__, #cond))

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
        rn_time start = rn_now();
        f(arg);
        stat_add(&s, (double)rn_since(start) / (double)n);
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

/* The resident set in bytes, and the page tables. */
static inline double stat_rss(void)
{
    return stat_status("VmRSS:");
}
static inline double stat_page_tables(void)
{
    return stat_status("VmPTE:");
}

#endif
