/* (t) curves: creating and stopping one of N timers that are all pending, and a select of C cases one of which
 * is ready. */
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

static void measure_timers(long n)
{
    char name[64];
    timers = calloc((size_t)n, sizeof *timers);
    timers_n = n;
    stat_check(timers != NULL);
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
