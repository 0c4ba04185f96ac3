/* (m) timers: start and stop; move. */
#include "../../stat.h"
#include <uv.h>

enum { N = 1000000, HOUR = 3600 * 1000 };

static uv_loop_t *loop;
static uv_timer_t *timers, one;

static void fired(uv_timer_t *t)
{
    (void)t;
}

static void start_and_stop(void)
{
    for (int i = 0; i < N; i++) {
        uv_timer_t t;
        uv_timer_init(loop, &t);
        uv_timer_start(&t, fired, HOUR, 0);
        uv_timer_stop(&t);
        uv_close((uv_handle_t *)&t, NULL);
        uv_run(loop, UV_RUN_NOWAIT); /* only then is its memory free again */
    }
}

static void many_alive(void)
{
    for (int i = 0; i < N; i++)
        uv_timer_start(&timers[i], fired, HOUR + (uint64_t)(1 + random() % 1000), 0);
    for (int i = 0; i < N; i++)
        uv_timer_stop(&timers[i]);
}

static void move(void)
{
    for (int i = 0; i < N; i++)
        uv_timer_start(&one, fired, HOUR, 0);
}

int main(void)
{
    loop = uv_default_loop();
    timers = calloc(N, sizeof *timers);
    stat_check(timers != NULL);
    stat_bench("m.afterfunc_stop_1M", 7, N, start_and_stop);
    for (int i = 0; i < N; i++)
        uv_timer_init(loop, &timers[i]);
    stat_bench("m.1M_live_create_then_stop", 7, N, many_alive);
    uv_timer_init(loop, &one);
    stat_bench("m.reset", 7, N, move);
    return 0;
}
