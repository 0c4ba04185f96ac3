/* runnel/debug.h: what a program can ask about itself.
 *
 *     int n = rn_debug_leaks();            // a report on stderr, and how many were found
 *     rn_debug_stats(&stats);              // how many goroutines run, wait for a processor, for a descriptor …
 *
 * A goroutine leaks when it waits for something that nobody who will ever run can reach: a channel that only goroutines
 * that wait themselves still know, a mutex whose holder waits for ever, a context that nobody can cancel any more.  It
 * is found by looking through the program's memory, in a copy of the process, so that the program goes on meanwhile;
 * docs/guide/leaks.md has examples, docs/design/leaks.md why nothing that lives is reported.
 *
 * The same report comes on SIGUSR2 (unless the program handles that signal itself), and when main returns if
 * RUNNEL_LEAKS=1 is in the environment; the exit status is then 3 instead of 0.  Goroutines that main leaves get up to
 * a second (a tenth of that if they sleep) to end or to come to their wait.  If none of them can run any more then, all
 * that wait are leaked, even if static variables still know what they wait for.
 */
#ifndef RUNNEL_DEBUG_H
#define RUNNEL_DEBUG_H

#include <runnel/base.h>

RN_EXTERN_C_BEGIN

/* A goroutine that can never be woken. */
typedef struct rn_leak {
    uint64_t goroutine; /* its number in reports */
    const char *state;  /* what it waits in: "chan receive", "sync.Mutex.Lock" …; lives for ever */
    const void *object; /* what it waits for; NULL: nothing (a nil channel), or several (a select) */
    void *started_at;   /* where it was started: an address in the program's code; NULL for main */
    rn_duration waited;
} rn_leak;

/* Looks for goroutines that can never be woken and reports them on stderr, each with what it waits for, who holds that,
 * its backtrace, where it was started, and what to look at first; goroutines that wait at the same place are shown
 * once.  Nothing is written when there are none.
 *
 * Returns how many there are, or RN_EAGAIN if that can't be told, because a thread did not stop in time (it blocks all
 * signals), or memory was short.  Every thread stops for some milliseconds while the process is copied (their system
 * calls are restarted, but poll and its like may return EINTR).  From goroutines and plain threads, not from signal
 * handlers; one call runs at a time, others wait for it. */
RN_PUBLIC int rn_debug_leaks(void);

/* The same without a report: stores the first `max` of them in leaks and returns how many there are. */
RN_PUBLIC int rn_debug_find_leaks(rn_leak *leaks, int max);

/* What the program's goroutines do at this moment, and what they do it with: figures for a server's page of them (Go 1.26's
 * runtime/metrics, /sched/goroutines). */
typedef struct rn_stats {
    size_t goroutines;    /* that exist, the main one included: the sum of the following seven */
    size_t running;       /* run, or block their thread in a call of the program's */
    size_t runnable;      /* wait for a processor: more than a few for long, and there is more work than processors */
    size_t in_io;         /* wait for descriptors: connections, pipes, files that can be polled */
    size_t in_sleep;      /* rn_sleep */
    size_t in_channels;   /* send, receive, select */
    size_t in_locks;      /* mutex, rwmutex, semaphore, once, cond */
    size_t in_others;     /* waitgroup, group, scope, flight, context, signal, calls handed to another thread */
    size_t hibernated;    /* of those that wait: whose stacks are put away */
    size_t descriptors;   /* rn_num_descriptors() */
    int processors, idle; /* rn_procs(), and how many of them have nothing to run */
    int threads;          /* that run goroutines, or wait for some; without the monitor and the program's own */
} rn_stats;

/* Fills in *out.  Stops nobody: each goroutine is seen at another moment.  Looks at all records of goroutines: 0.6 µs for 100, 50 µs for
 * 10,000, 120 ms for a million, which are in no cache.  All zero but for the descriptors when no run is under way.  From anywhere but
 * signal handlers. */
RN_PUBLIC void rn_debug_stats(rn_stats *out);

RN_EXTERN_C_END

#endif
