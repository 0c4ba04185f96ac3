/* (l) memory: N goroutines that wait for a channel (blocked: just now; parked: until the program has come to rest) or
 * sleep.  Bytes for each, resident set and page tables; nanoseconds to start one, and to wake one when the channel is
 * closed.  The target is about those that are parked, "all told": what a program that waits takes, on both sides by the
 * same rule (at_rest).
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

/* Both sides are left alone for as long as it takes them to come to rest: 3 s, and then until two readings a second apart
 * agree to half a per cent; 30 s at most.  (Hibernation begins after a second; Go gives back what its collector
 * has found free.)  The peak is that of the resident set. */
static double at_rest(double before)
{
    rn_sleep(3 * RN_SECOND);
    double last = 0, now = stat_resident() - before;
    for (int i = 3; i < 30 && (now < last * 0.995 || now > last * 1.005); i++) {
        rn_sleep(RN_SECOND);
        last = now;
        now = stat_resident() - before;
    }
    return now;
}

static void measure_parked(int n)
{
    double before = stat_resident(), cpu = stat_cpu();
    chan(long) c = chan_make(long, 0);
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    rn_time start = rn_now();
    wg_add(&wg, n);
    for (int i = 0; i < n; i++)
        go(blocked, c, &wg);
    double started = rn_ms(rn_since(start));
    double used = at_rest(before), spent = stat_cpu() - cpu;
    stat_point("l.parked_spawn", n, "ns", started * 1e6 / n);
    stat_point("l.parked_bytes", n, "B", used / n);
    stat_point("l.parked_peak_bytes", n, "B", (stat_status("VmHWM:") - before + stat_page_tables()) / n);
    cpu = stat_cpu();
    start = rn_now();
    chan_close(c);
    wg_wait(&wg);
    stat_point("l.parked_wake_cpu", n, "ns", (stat_cpu() - cpu) * 1e9 / n);
    printf("INFO l.parked n=%d start_ms=%.0f start_and_rest_cpu_s=%.2f wake_ms=%.0f peak_MiB=%.0f\n", n, started, spent,
           rn_ms(rn_since(start)), stat_status("VmHWM:") / (1 << 20));
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
