/* (f) mutex and rwmutex, alone and contended; and a rwmutex of 32 goroutines that write as often as they read and
 * yield with it in their hands once in 64 times, so that its holder is often not running; and a mutex that 16 goroutines
 * hold for 1,000 steps of a generator of numbers each time (a microsecond or so), and want again at once. */
#include "stat.h"

enum { N = 20000000, M = 4000000, G = 8, MANY = 32, Y = 800000, HOLDERS = 16, STEPS = 1000, H = 32000 };

static rn_mutex mu;
static rn_rwmutex rw;
static volatile long x; /* what the locks guard */

static void lock_often(int n)
{
    for (int i = 0; i < n; i++) {
        mutex_lock(&mu);
        x++;
        mutex_unlock(&mu);
    }
}

static void read_often(int n)
{
    for (int i = 0; i < n; i++) {
        rwmutex_rlock(&rw);
        rwmutex_runlock(&rw);
    }
}

static void write_often(int n)
{
    for (int i = 0; i < n; i++) {
        rwmutex_lock(&rw);
        rwmutex_unlock(&rw);
    }
}

static void read_or_write(int g)
{
    for (int i = 0; i < M / G; i++) {
        if (g == 0) {
            rwmutex_lock(&rw);
            x++;
            rwmutex_unlock(&rw);
        } else {
            rwmutex_rlock(&rw);
            (void)x;
            rwmutex_runlock(&rw);
        }
    }
}

static void par(void (*f)(int), int n)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < G; i++)
        wg_go(&wg, f, n);
    wg_wait(&wg);
}

static void mutex_alone(void)
{
    lock_often(N);
}

static void read_alone(void)
{
    read_often(N);
}

static void write_alone(void)
{
    write_often(N / 2);
}

static void mutex_contended(void)
{
    par(lock_often, M / G);
}

static void readers(void)
{
    par(read_often, M / G);
}

static void readers_and_writer(void)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int g = 0; g < G; g++)
        wg_go(&wg, read_or_write, g);
    wg_wait(&wg);
}

static void write_read_yield(int g)
{
    for (int i = 0; i < Y / MANY; i++) {
        bool writes = (i + g) % 2;
        if (writes) {
            rwmutex_lock(&rw);
            x++;
        } else {
            rwmutex_rlock(&rw);
            (void)x;
        }
        if (i % 64 == 0)
            rn_yield();
        if (writes)
            rwmutex_unlock(&rw);
        else
            rwmutex_runlock(&rw);
    }
}

static void held_over_yields(void)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    x = 0;
    for (int g = 0; g < MANY; g++)
        wg_go(&wg, write_read_yield, g);
    wg_wait(&wg);
    stat_check(x == Y / 2);
}

static uint32_t numbers;

static void hold_often(int n)
{
    for (int i = 0; i < n; i++) {
        mutex_lock(&mu);
        uint32_t y = numbers;
        for (int k = 0; k < STEPS; k++)
            y = y * 1664525 + 1013904223;
        numbers = y;
        mutex_unlock(&mu);
    }
}

static void held(void)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    numbers = 1;
    for (int g = 0; g < HOLDERS; g++)
        wg_go(&wg, hold_often, H / HOLDERS);
    wg_wait(&wg);
    stat_check(numbers == 2491779073);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    stat_bench("f.mutex_uncontended", 11, N, mutex_alone);
    stat_bench("f.rwmutex_rlock_uncontended", 11, N, read_alone);
    stat_bench("f.rwmutex_lock_uncontended", 11, N / 2, write_alone);
    for (int i = 0, p; (p = stat_procs(i)); i++) {
        rn_set_procs(p);
        x = 0;
        stat_bench(stat_name("f.mutex_8g_contended", p), 11, M, mutex_contended);
        stat_check(x % M == 0 && x > 0);
        stat_bench(stat_name("f.rwmutex_8readers", p), 11, M, readers);
        stat_bench(stat_name("f.rwmutex_7r1w", p), 11, M, readers_and_writer);
        stat_bench(stat_name("f.rwmutex_held_over_yields", p), 11, Y, held_over_yields);
        stat_bench(stat_name("f.mutex_held_16g", p), 11, H, held);
    }
    return 0;
}
