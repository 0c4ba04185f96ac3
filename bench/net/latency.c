/* How late a timer or a socket wakes its goroutine while the processors have N runnable goroutines to go round.
 *
 * Usage: latency TICKER [N [NS]]: N goroutines (10,000) compute for NS nanoseconds (0) and yield, for ever.  Beside them one
 * goroutine sleeps a millisecond at a time, one reads what TICKER (latency_ticker.c, a process of its own) sends, and one measures
 * the round: how long it takes until its turn comes again.  `late` is from the moment when it was due (the time was up; the
 * message came, by the kernel's stamp) to the moment when it runs; `over` is what of that is more than a round, so the delay
 * before it stands in the queue.  `own` is `late` of those between whose being due and running nobody took the processor away: the
 * kernel let no other thread run in place of the worker's (its load, and whatever else the machine does, needs one too), and
 * no computing goroutine found more than GAP between two readings of the clock (a virtual machine's processor is at times
 * somebody else's).  `gap` is how long these were. */
#define _GNU_SOURCE
#include "../core/stat.h"
#include <runnel/net.h>
#include <runnel/process.h>
#include <errno.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

enum { WAKES = 500, GAP = 10 * RN_MICROSECOND };

static rn_duration work;
static rn_atomic_int64 last_round;
static rn_time away_until;
static struct stat_samples rounds, late[2], over[2], own[2], gaps;

/* The clock has been read at two moments between which a goroutine did nothing. */
static void note_gap(rn_time from, rn_time to)
{
    if (to - from < GAP)
        return;
    away_until = to;
    stat_add(&gaps, (double)(to - from) / RN_MICROSECOND);
}

static void compute(void)
{
    if (!work)
        return;
    rn_time start = rn_now(), before = start;
    for (rn_time now = start; now < start + work; before = now) {
        now = rn_now();
        note_gap(before, now);
    }
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

/* When it was last noticed that the processor was away, or the goroutine was on another thread. */
static rn_time away_at(void)
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
    return at > away_until ? at : away_until;
}

static void note(int which, rn_duration d)
{
    if (away_at() < rn_now() - d)
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

static int64_t nanoseconds(const struct timespec *t)
{
    return t->tv_sec * (int64_t)RN_SECOND + t->tv_nsec;
}

/* Reads a byte; returns how long ago it came. */
static rn_duration read_stamped(int fd)
{
    char byte;
    union {
        char room[CMSG_SPACE(sizeof(struct timespec))];
        struct cmsghdr align;
    } control;
    struct iovec to = {&byte, 1};
    struct msghdr m = {.msg_iov = &to, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    while (recvmsg(fd, &m, MSG_DONTWAIT) != 1) {
        stat_check(errno == EAGAIN);
        stat_check(fd_wait(fd, RN_FD_READ, 0) > 0);
    }
    struct timespec now, came;
    clock_gettime(CLOCK_REALTIME, &now);
    struct cmsghdr *stamp = CMSG_FIRSTHDR(&m);
    stat_check(stamp && stamp->cmsg_type == SCM_TIMESTAMPNS);
    memcpy(&came, CMSG_DATA(stamp), sizeof came);
    return nanoseconds(&now) - nanoseconds(&came);
}

static void reader(rn_conn *c)
{
    rn_sleep(100 * RN_MILLISECOND); /* until all the others go round */
    stat_check(net_write(c, "b", 1) == 1);
    for (int i = 0; i < WAKES; i++)
        note(1, read_stamped(net_fd(c)));
    net_free(c);
}

static void report(const char *what, struct stat_samples *s)
{
    if (s->n == 0)
        return;
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
    int on = 1;
    stat_check(setsockopt(net_fd(c), SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on) == 0);
    rn_sleep(100 * RN_MILLISECOND); /* a kernel's thread begins to stamp, which may need this processor */
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
    report("gap", &gaps);
    fflush(stdout);
    _exit(0);
}
