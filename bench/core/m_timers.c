/* (m) timers. */
#include "stat.h"

enum { N = 1000000 };

static rn_duration *delay;
static rn_timer *timers;
static rn_timer one;

static void sleeper(rn_duration d, rn_waitgroup *wg)
{
    rn_sleep(d);
    wg_done(wg);
}

static void nothing(void *arg)
{
    (void)arg;
}

static void measure_sleepers(void)
{
    static struct stat_samples wall, cpu;
    for (int r = 0; r < stat_rounds(5); r++) {
        double cpu_before = stat_cpu();
        rn_time start = rn_now();
        rn_waitgroup wg = RN_WAITGROUP_INIT;
        wg_add(&wg, N);
        for (int i = 0; i < N; i++)
            go(sleeper, delay[i], &wg);
        wg_wait(&wg);
        stat_add(&wall, rn_ms(rn_since(start)) / 1000);
        stat_add(&cpu, stat_cpu() - cpu_before);
    }
    stat_report("m.1M_sleep_wall", "s", &wall);
    stat_report("m.1M_sleep_cpu", "s", &cpu);
    printf("INFO m.rss_MiB=%.0f\n", stat_rss() / (1 << 20));
}

static void measure_lateness(void)
{
    static struct stat_samples late;
    for (int r = 0; r < 2000; r++) {
        rn_time start = rn_now();
        rn_sleep(RN_MILLISECOND);
        stat_add(&late, (double)(rn_since(start) - RN_MILLISECOND) / 1000);
    }
    stat_report("m.sleep1ms_lateness", "us", &late);
}

static void make_and_stop(void)
{
    for (int i = 0; i < N; i++) {
        rn_timer *t = rn_timer_make(RN_HOUR);
        rn_timer_stop(t);
        rn_timer_free(t);
    }
}

static void after_and_stop(void)
{
    for (int i = 0; i < N; i++) {
        rn_timer t;
        rn_after_func(&t, RN_HOUR, nothing, NULL);
        rn_timer_stop(&t);
        rn_timer_destroy(&t);
    }
}

/* 1 M alive at once, then stopped. */
static void many_alive(void)
{
    for (int i = 0; i < N; i++)
        rn_after_func(&timers[i], RN_HOUR + delay[i], nothing, NULL);
    for (int i = 0; i < N; i++)
        rn_timer_stop(&timers[i]);
}

static void reset(void)
{
    for (int i = 0; i < N; i++)
        rn_timer_reset(&one, RN_HOUR);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    delay = malloc(N * sizeof *delay);
    timers = calloc(N, sizeof *timers);
    if (!delay || !timers)
        return 1;
    for (int i = 0; i < N; i++)
        delay[i] = (1 + random() % 1000) * RN_MILLISECOND;
    measure_sleepers();
    measure_lateness();
    stat_bench("m.newtimer_stop_1M", 7, N, make_and_stop);
    stat_bench("m.afterfunc_stop_1M", 7, N, after_and_stop);
    stat_bench("m.1M_live_create_then_stop", 7, N, many_alive);
    rn_timer_init(&one, RN_HOUR);
    stat_bench("m.reset", 7, N, reset);
    free(delay);
    free(timers);
    return 0;
}
