/* What the files of the leak finder share.  leaks.c asks and reports, leaks_mark.c decides, in a copy of the process,
 * leaks_memory.c knows the memory.  docs/design/leaks.md has the argument. */
#ifndef RN_DEBUG_LEAKS_H
#define RN_DEBUG_LEAKS_H

#include "os/world.h"
#include "sched/sched.h"

/* One question, and its answer in shared memory. */
struct rn_leaks_job {
    const struct rn_os_stopped *threads;
    int threads_n;
    struct rn_g *asker; /* runs; its stack counts from asker_sp.  NULL: a plain thread */
    uintptr_t asker_sp;
    bool ended;        /* the asker is the main goroutine, which has returned, and the process ends with it */
    bool hasty;        /* with locks that their holders want again there is no patience left */
    const void *wants; /* a lock for which the asker is about to wait; else NULL */
    rn_time now;
    bool handlers;              /* the program's own handlers of signals may still run */
    uintptr_t stack, stack_end; /* what the question itself runs on */
    size_t tls_bytes;           /* of thread-local data, at most, on one side of a thread pointer */
    uintptr_t hidden[2];        /* from, to: no memory of the program's */
    size_t largest;             /* bytes of a mapping that is looked at */
    size_t room;
    struct rn_leaks_answer *answer;
};

struct rn_leaks_answer {
    size_t n;
    size_t coarse;    /* heaps that count as one block */
    bool asker_stuck; /* nobody who can still run reaches what it wants */
    bool strangers;   /* but for threads that are not ours, or have only begun */
    bool begins;      /* one of ours has only begun */
    struct rn_g *leaked[];
};

/* Who waits for a lock whose holder is itself, or has ended, may wait for another to let it go, though nobody has yet: so
 * long, reachability decides, and nothing is said. */
#define RN_LOCK_PATIENCE RN_SECOND

/* Whether nobody who can still run could let go of the lock that the caller, which is a goroutine, holds and is about to
 * wait for.  False too when that can't be told. */
bool rn__leaks_nobody_frees(const void *lock);

/* In the copy; the job.  False when no answer was found. */
bool rn__leaks_mark(void *job);

/* Whether g, which is parked, never stood in a queue: all its channels are NULL, its context is never done, or it wants more
 * than the semaphore has.  A select whose cases are outside of the program (on_fd) says what it waits for. */
bool rn__leaks_in_no_queue(const struct rn_g *g);

/* The waits that g, which is parked, stands in: calls f for each waiter that can still wake it. */
void rn__leaks_waits(const struct rn_g *g, void (*f)(const struct rn_waiter *w, void *arg), void *arg);

#endif
