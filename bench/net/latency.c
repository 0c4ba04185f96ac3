/* How late a timer or a socket wakes its goroutine while the processors have N runnable goroutines to go round.
 *
 * Usage: latency TICKER [N [NS]]: N goroutines (10,000) compute for NS nanoseconds (0) and yield, for ever.  Beside them one
 * goroutine sleeps a millisecond at a time, one reads what TICKER (latency_ticker.c, a process of its own) sends with the
 * moment of its sending, and one measures the round: how long it takes until its turn comes again.  `late` is from the
 * moment when it was due to the moment when it runs; `over` is what of that is more than a round, so the delay before it
 * stands in the queue.  `own` is `late` of those between whose being due and running the kernel let no other thread run in
 * place of the worker's: its load, and whatever else the machine does, needs a processor too. */
#define _GNU_SOURCE
#include "../core/stat.h"
#include <runnel/net.h>
#include <runnel/process.h>
#include <pthread.h>
#include <sys/resource.h>
#include <time.h>

enum { WAKES = 500 };

static rn_duration work;
static rn_atomic_int64 last_round;
static struct stat_samples rounds, late[2], over[2], own[2];

static void compute(void)
{
    for (rn_time until = work ? rn_now() + work : 0; work && rn_now() < until;)
        continue;
}

static void yielder(void)
{
    for (;;) {
        compute();
        rn_yield();
    }
}

static void measure_rounds(void)
{
    for (;;) {
        rn_time start = rn_now();
        rn_yield();
        rn_atomic_store(&last_round, rn_since(start));
        stat_add(&rounds, (double)rn_since(start) / RN_MICROSECOND);
    }
}

/* When it was last noticed that the kernel had let another thread run here, or the goroutine was on another thread. */
static rn_time preempted_at(void)
{
    static long seen;
    static pthread_t thread;
    static rn_time at;
    struct rusage used;
    stat_check(getrusage(RUSAGE_THREAD, &used) == 0);
    if (used.ru_nivcsw != seen || !pthread_equal(pthread_self(), thread))
        at = rn_now();
    seen = used.ru_nivcsw;
    thread = pthread_self();
    return at;
}

static void note(int which, rn_duration d)
{
    if (preempted_at() < rn_now() - d)
        stat_add(&own[which], (double)d / RN_MICROSECOND);
    rn_duration more = d - rn_atomic_load(&last_round);
    stat_add(&late[which], (double)d / RN_MICROSECOND);
    stat_add(&over[which], more > 0 ? (double)more / RN_MICROSECOND : 0);
}

static void sleeper(void)
{
    rn_sleep(100 * RN_MILLISECOND);
    for (int i = 0; i < WAKES; i++) {
        rn_time due = rn_now() + RN_MILLISECOND;
        rn_sleep(RN_MILLISECOND);
        note(0, rn_since(due));
    }
}

static rn_time wall(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * RN_SECOND + t.tv_nsec;
}

static void reader(rn_conn *c)
{
    int64_t sent;
    rn_sleep(100 * RN_MILLISECOND); /* until all the others go round */
    stat_check(net_write(c, "b", 1) == 1);
    for (int i = 0; i < WAKES; i++) {
        stat_check(net_read_full(c, &sent, sizeof sent) == 0);
        note(1, wall() - sent);
    }
    net_free(c);
}

static void report(const char *what, struct stat_samples *s)
{
    qsort(s->at, (size_t)s->n, sizeof *s->at, stat_compare);
    printf("LATENCY %-12s n=%d p50_us=%.1f p99_us=%.1f max_us=%.1f\n", what, s->n, s->at[s->n / 2],
           s->at[s->n - 1 - s->n / 100], s->at[s->n - 1]);
}

/* The ticker, connected to us. */
static rn_conn *connect_ticker(const char *ticker)
{
    rn_listener *l;
    rn_conn *c;
    rn_addr at;
    char port[16], n[16];
    stat_check(net_listen("tcp", "127.0.0.1:0", &l) == 0);
    net_listener_addr(l, &at);
    snprintf(port, sizeof port, "%d", at.port);
    snprintf(n, sizeof n, "%d", WAKES);
    rn_process *p;
    stat_check(process_start(&(rn_command){.argv = (const char *[]){ticker, port, n, NULL}}, &p) == 0);
    stat_check(net_accept(l, &c) == 0);
    net_listener_free(l);
    return c;
}

int rn_main(int argc, char **argv)
{
    stat_check(argc >= 2);
    int n = argc > 2 ? atoi(argv[2]) : 10000;
    work = argc > 3 ? atoi(argv[3]) : 0;
    rn_conn *c = connect_ticker(argv[1]);
    for (int i = 0; i < n; i++)
        go(yielder);
    go(measure_rounds);
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_go(&wg, sleeper);
    wg_go(&wg, reader, c);
    wg_wait(&wg);
    printf("INFO latency goroutines=%d work_ns=%d processors=%d\n", n, (int)work, rn_procs());
    report("round", &rounds);
    report("timer.late", &late[0]);
    report("timer.own", &own[0]);
    report("timer.over", &over[0]);
    report("socket.late", &late[1]);
    report("socket.own", &own[1]);
    report("socket.over", &over[1]);
    fflush(stdout);
    _exit(0);
}
