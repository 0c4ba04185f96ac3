/* (t) curve: starting and stopping one of N timers that are all pending. */
#include "../../stat.h"
#include <uv.h>

static uv_timer_t *timers;
static long timers_n;

static void fired(uv_timer_t *t)
{
    (void)t;
}

static void start_and_stop(void)
{
    for (long i = 0; i < timers_n; i++)
        uv_timer_start(&timers[i], fired, (uint64_t)(3600 * 1000 + i % 1000), 0);
    for (long i = 0; i < timers_n; i++)
        uv_timer_stop(&timers[i]);
}

int main(void)
{
    for (long n = 1000; n <= stat_most(); n *= 10) {
        char name[64];
        timers = calloc((size_t)n, sizeof *timers);
        timers_n = n;
        stat_check(timers != NULL);
        for (long i = 0; i < n; i++)
            uv_timer_init(uv_default_loop(), &timers[i]);
        snprintf(name, sizeof name, "t.timer_create_and_stop.N%ld", n);
        stat_bench(name, 7, n, start_and_stop);
        /* The loop's list still names them. */
        uv_loop_init(uv_default_loop());
        free(timers);
    }
    return 0;
}
