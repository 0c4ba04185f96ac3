/* (t) curves: creating and stopping one of N timers that are all pending, and a select of C cases one of which
 * is ready.  Where a million are pending or more also, once, what each step takes by itself, the bytes of each, and the
 * processor time in which they fire, each with a goroutine of its own: INFO t.timers.  Ten million:
 *
 *     ./runnel bench t_scale -most 10000000 -peer none -n 1 -r 3
 *
 * shows the curve; the INFO lines are what the program itself prints (BENCH_MOST=10000000). */
#include "stat.h"

enum { SELECTS = 100000, CASES = 64 };

static rn_timer *timers;
static long timers_n;
static chan(long) channels[CASES];

static void nothing(void *arg)
{
    (void)arg;
}

static void create_and_stop(void)
{
    for (long i = 0; i < timers_n; i++)
        rn_after_func(&timers[i], RN_HOUR + i % 1000 * RN_MILLISECOND, nothing, NULL);
    for (long i = 0; i < timers_n; i++)
        stat_check(rn_timer_stop(&timers[i]));
}

static void fired(void *wg)
{
    wg_done(wg);
}

/* Due within a second, when all have been created. */
static double fire_all(void)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_add(&wg, (int)timers_n);
    for (long i = 0; i < timers_n; i++)
        rn_after_func(&timers[i], 4 * RN_SECOND + i % 1000 * RN_MILLISECOND, fired, &wg);
    double cpu = stat_cpu();
    wg_wait(&wg);
    return stat_cpu() - cpu;
}

static void measure_steps(void)
{
    double n = (double)timers_n, before = stat_resident();
    rn_time start = rn_now();
    for (long i = 0; i < timers_n; i++)
        rn_after_func(&timers[i], RN_HOUR + i % 1000 * RN_MILLISECOND, nothing, NULL);
    double created = (double)rn_since(start), bytes = stat_resident() - before;
    start = rn_now();
    for (long i = 0; i < timers_n; i++)
        stat_check(rn_timer_stop(&timers[i]));
    double stopped = (double)rn_since(start);
    printf("INFO t.timers n=%ld create_ns=%.0f bytes=%.0f stop_ns=%.0f fire_cpu_ns=%.0f\n", timers_n, created / n,
           bytes / n, stopped / n, fire_all() * 1e9 / n);
}

static void measure_timers(long n)
{
    char name[64];
    timers = calloc((size_t)n, sizeof *timers);
    timers_n = n;
    stat_check(timers != NULL);
    if (n >= 1000000)
        measure_steps();
    snprintf(name, sizeof name, "t.timer_create_and_stop.N%ld", n);
    stat_bench(name, 7, n, create_and_stop);
    free(timers);
}

#define CASES_2(c, p) on_recv((c)[0], p), on_recv((c)[1], p)
#define CASES_4(c, p) CASES_2(c, p), CASES_2((c) + 2, p)
#define CASES_8(c, p) CASES_4(c, p), CASES_4((c) + 4, p)
#define CASES_16(c, p) CASES_8(c, p), CASES_8((c) + 8, p)
#define CASES_32(c, p) CASES_16(c, p), CASES_16((c) + 16, p)
#define CASES_64(c, p) CASES_32(c, p), CASES_32((c) + 32, p)

#define DEFINE_SELECT(n)                                                 \
    static void select_##n(void)                                         \
    {                                                                    \
        for (long i = 0; i < SELECTS; i++) {                             \
            long v = -1;                                                 \
            chan_send(channels[i % (n)], i);                             \
            stat_check(chan_select(CASES_##n(channels, &v)) == i % (n)); \
            stat_check(v == i);                                          \
        }                                                                \
    }
DEFINE_SELECT(2)
DEFINE_SELECT(4)
DEFINE_SELECT(8)
DEFINE_SELECT(16)
DEFINE_SELECT(32)
DEFINE_SELECT(64)

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    for (long n = 1000; n <= stat_most(); n *= 10)
        measure_timers(n);
    for (int i = 0; i < CASES; i++)
        channels[i] = chan_make(long, 1);
    stat_bench("t.select_and_refill.C2", 7, SELECTS, select_2);
    stat_bench("t.select_and_refill.C4", 7, SELECTS, select_4);
    stat_bench("t.select_and_refill.C8", 7, SELECTS, select_8);
    stat_bench("t.select_and_refill.C16", 7, SELECTS, select_16);
    stat_bench("t.select_and_refill.C32", 7, SELECTS, select_32);
    stat_bench("t.select_and_refill.C64", 7, SELECTS, select_64);
    for (int i = 0; i < CASES; i++)
        chan_free(channels[i]);
    return 0;
}
