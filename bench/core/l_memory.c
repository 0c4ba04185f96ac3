/* (l) memory: N goroutines that wait for a channel (blocked, or parked for so long that they are put away) or sleep.  Bytes for each, resident set and page
 * tables; nanoseconds to start one, and to wake one when the channel is closed.
 * Usage: l_memory blocked|parked|sleep N: one measurement for each process; l_memory.sh makes the curve. */
#include "stat.h"

static void blocked(chan_recv_only(long) c, rn_waitgroup *wg)
{
    chan_recv(c);
    wg_done(wg);
}

static void sleeping(rn_waitgroup *wg)
{
    rn_sleep(3 * RN_SECOND);
    wg_done(wg);
}

enum { SETTLE_MS = 200 };

static void measure_blocked(int n)
{
    double before = stat_resident();
    chan(long) c = chan_make(long, 0);
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    rn_time start = rn_now();
    wg_add(&wg, n);
    for (int i = 0; i < n; i++)
        go(blocked, c, &wg);
    rn_duration started = rn_since(start);
    for (int i = 0; i < SETTLE_MS / 4; i++) { /* let all block */
        rn_yield();
        rn_sleep(4 * RN_MILLISECOND);
    }
    double used = stat_resident() - before;
    start = rn_now();
    chan_close(c);
    wg_wait(&wg);
    double woken = (double)rn_since(start);
    stat_point("l.blocked_bytes", n, "B", used / n);
    stat_point("l.blocked_spawn", n, "ns", (double)started / n);
    stat_point("l.blocked_wake", n, "ns", woken / n);
}

/* More than fit into memory while they are awake: those that were started come to rest first. */
static void pace(double before, int started)
{
    enum { EVERY = 100000 };
    if (!getenv("RUNNEL_HIBERNATE") || started % EVERY != 0)
        return;
    while (stat_resident() - before > 2e9 + 1000.0 * started)
        rn_sleep(10 * RN_MILLISECOND);
}

/* Parked for long: bytes at first and when it has come to rest, what rest took of processors, and waking all. */
static void measure_parked(int n)
{
    double before = stat_resident();
    chan(long) c = chan_make(long, 0);
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_add(&wg, n);
    for (int i = 0; i < n; i++) {
        go(blocked, c, &wg);
        pace(before, i);
    }
    rn_sleep(SETTLE_MS * RN_MILLISECOND);
    double at_first = stat_resident() - before, cpu = stat_cpu(), last = 0, now = at_first;
    for (int still = 0; still < 5; still = now == last ? still + 1 : 0) {
        rn_sleep(RN_SECOND);
        last = now;
        now = stat_resident() - before;
    }
    double put = stat_cpu() - cpu;
    cpu = stat_cpu();
    chan_close(c);
    wg_wait(&wg);
    stat_point("l.parked_bytes_at_first", n, "B", at_first / n);
    stat_point("l.parked_bytes", n, "B", now / n);
    stat_point("l.parked_put_away_cpu", n, "ns", put * 1e9 / n);
    stat_point("l.parked_wake_cpu", n, "ns", (stat_cpu() - cpu) * 1e9 / n);
}

static void measure_sleep(int n)
{
    double before = stat_resident();
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    rn_time start = rn_now();
    wg_add(&wg, n);
    for (int i = 0; i < n; i++)
        go(sleeping, &wg);
    rn_sleep(500 * RN_MILLISECOND);
    double then = stat_resident(), cpu = stat_cpu();
    wg_wait(&wg);
    stat_point("l.sleep_bytes", n, "B", (then - before) / n);
    printf("INFO l.sleep n=%d wall_ms=%.0f cpu_total_s=%.2f cpu_wait_phase_s=%.2f\n", n, rn_ms(rn_since(start)),
           stat_cpu(), stat_cpu() - cpu);
}

int rn_main(int argc, char **argv)
{
    int n = argc == 3 ? atoi(argv[2]) : 0;
    if (n > 0 && strcmp(argv[1], "blocked") == 0)
        measure_blocked(n);
    else if (n > 0 && strcmp(argv[1], "parked") == 0)
        measure_parked(n);
    else if (n > 0 && strcmp(argv[1], "sleep") == 0)
        measure_sleep(n);
    else {
        fputs("usage: l_memory blocked|parked|sleep N\n", stderr);
        return 2;
    }
    return 0;
}
