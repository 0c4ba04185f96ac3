/* Benchmarks: how often the work is done, what one operation costs, and the line that says so.
 *
 * A loop's length is found by doubling and more, as Go's testing does: each batch is meant to fill the time, but is
 * at most a hundred times as long as all before.  The clock is read once a batch, so an iteration costs a decrement.
 * Each benchmark runs in a process of its own, as tests do; that process prints the line, which the runner passes on. */
#define _GNU_SOURCE 1
#include "internal.h"
#include "sched/rt.h"
#include <ctype.h>
#include <errno.h>
#include <runnel/go.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

static void (*count_allocs)(uint64_t *calls, uint64_t *bytes);

void rn_bench_count_with(void (*count)(uint64_t *calls, uint64_t *bytes))
{
    count_allocs = count;
}

rn_duration rn__bench_time(void)
{
    const char *s = rn__setting("RUNNEL_BENCH_TIME");
    char *end;
    if (!s)
        return RN_SECOND;
    double seconds = strtod(s, &end);
    if (*end || !(seconds >= 1e-6 && seconds < 1e6))
        rn__bad_setting("RUNNEL_BENCH_TIME", s, "a number of seconds, such as 0.5");
    return (rn_duration)(seconds * 1e9);
}

void rn_bench_start(rn_bench *b)
{
    if (b->running)
        return;
    b->running = true;
    if (count_allocs)
        count_allocs(&b->begun.allocs, &b->begun.bytes);
    b->begun.resumed = rn__resumed();
    b->begun.ns = rn_os_now();
}

void rn_bench_stop(rn_bench *b)
{
    if (!b->running)
        return;
    int64_t now = rn_os_now();
    uint64_t allocs = 0, bytes = 0;
    b->running = false;
    b->total.ns += now - b->begun.ns;
    b->total.resumed += (rn__resumed() - b->begun.resumed) & UINT32_MAX; /* each processor's count wraps there */
    if (!count_allocs)
        return;
    count_allocs(&allocs, &bytes);
    b->total.allocs += allocs - b->begun.allocs;
    b->total.bytes += bytes - b->begun.bytes;
}

void rn_bench_reset(rn_bench *b)
{
    bool running = b->running;
    rn_bench_stop(b);
    memset(&b->total, 0, sizeof b->total);
    if (running)
        rn_bench_start(b);
}

void rn_bench_bytes(rn_bench *b, int64_t n)
{
    b->bytes = n;
}

void rn_bench_metric(rn_bench *b, double value, const char *unit)
{
    int i = 0;
    while (i < b->metrics_n && strcmp(b->metrics[i].unit, unit) != 0)
        i++;
    if (i == (int)(sizeof b->metrics / sizeof *b->metrics) || strlen(unit) >= sizeof b->metrics[i].unit ||
        strpbrk(unit, " \t\n"))
        rn_panic("bench_metric: at most 8 units, each a word of up to 23 bytes");
    b->metrics_n += i == b->metrics_n;
    b->metrics[i].value = value;
    strcpy(b->metrics[i].unit, unit);
}

/* How many operations fill the time, when n took ns: a fifth more than that, but no rash guess. */
static uint64_t next_target(uint64_t n, int64_t ns)
{
    double most = (double)n * 100;
    double fits = ns > 0 ? (double)rn__bench_time() / (double)ns * (double)n * 1.2 : most;
    fits = fits > most ? most : fits;
    fits = fits > 1e12 ? 1e12 : fits;
    return (uint64_t)fits > n ? (uint64_t)fits : n + 1;
}

bool rn_bench_more(rn_bench *b)
{
    if (!b->looped) {
        b->looped = true;
        b->n = 0;
        b->target = 1;
        b->left = 0;
        rn_bench_stop(b);
        memset(&b->total, 0, sizeof b->total);
        rn_bench_start(b);
        return true;
    }
    b->n = b->target;
    int64_t now = b->total.ns + (b->running ? rn_os_now() - b->begun.ns : 0);
    if (now >= rn__bench_time()) {
        rn_bench_stop(b);
        return false;
    }
    b->target = next_target(b->n, now);
    b->left = b->target - b->n - 1;
    return true;
}

/* As Go prints it: four digits that count. */
static void print_value(double v, const char *unit)
{
    double size = v < 0 ? -v : v;
    int digits = size == 0 || size >= 99.95 ? 0 : size >= 9.995 ? 1 : size >= 0.9995 ? 2 : size >= 0.09995 ? 3 : 4;
    printf("\t%10.*f %s", digits, v, unit);
}

static void print_line(const struct rn_test *t, const rn_bench *b)
{
    double n = (double)b->n;
    printf("Benchmark%c%s-%d\t%8llu", toupper((unsigned char)*t->name), t->name + 1, rn_procs(),
           (unsigned long long)b->n);
    print_value((double)b->total.ns / n, "ns/op");
    if (b->bytes && b->total.ns)
        print_value((double)b->bytes * n / (double)b->total.ns * 1000, "MB/s");
    for (int i = 0; i < b->metrics_n; i++)
        print_value(b->metrics[i].value, b->metrics[i].unit);
    if (count_allocs)
        printf("\t%8llu B/op\t%8llu allocs/op", (unsigned long long)(b->total.bytes / b->n),
               (unsigned long long)(b->total.allocs / b->n));
    print_value((double)b->total.resumed / n, "switches/op");
    putchar('\n');
    fflush(stdout);
}

static void measure(struct rn_test *t)
{
    rn_bench b = {.target = 1};
    for (;;) {
        memset(&b.total, 0, sizeof b.total);
        rn_bench_start(&b);
        t->bench(&b);
        rn_bench_stop(&b);
        if (b.looped)
            break;
        b.n = b.target;
        if (b.total.ns >= rn__bench_time() || b.target >= UINT64_C(1000000000))
            break;
        b.target = next_target(b.n, b.total.ns);
    }
    if (b.n == 0)
        rn_test_fail(t->file, t->line, "%s left its loop before it was over", t->name);
    else
        print_line(t, &b);
}

void rn_bench_run(struct rn_test *t)
{
    rn__profile_begin();
    rn_run(measure, t);
    rn__profile_end();
}

static void print_processor(void)
{
    char line[512];
    FILE *f = fopen("/proc/cpuinfo", "r");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, "model name", 10) == 0 && strchr(line, ':')) {
            printf("cpu:%s", strchr(line, ':') + 1);
            break;
        }
    if (f)
        fclose(f);
}

/* The keys under which benchstat tells configurations apart. */
void rn__bench_head(void)
{
    struct utsname u;
    uname(&u);
    const char *machine = strcmp(u.machine, "x86_64") == 0    ? "amd64"
                          : strcmp(u.machine, "aarch64") == 0 ? "arm64"
                                                              : u.machine;
    printf("goos: linux\ngoarch: %s\npkg: %s\n", machine, program_invocation_short_name);
    print_processor();
    fflush(stdout);
}
