/* Lock order as data.  A thread takes locks in rising rank; equal ranks only where the entry says
 * so.  Debug builds (RN_DEBUG) check every acquisition. */
#ifndef RN_BASE_LOCK_RANK_H
#define RN_BASE_LOCK_RANK_H

#include "base/inner.h"
#include <stdbool.h>

enum rn_rank {
    RN_RANK_SCOPE = 10,   /* a scope's, a group's or a flight's list of children */
    RN_RANK_READERS = 25, /* a place where the readers of a rwmutex are counted */
    RN_RANK_SYNC = 30,    /* the wait queue of a mutex, rwmutex, cond, semaphore, waitgroup */
    RN_RANK_TIMERS = 40,  /* a processor's timers */
    RN_RANK_CHAN = 50,    /* a channel; several in address order */
    RN_RANK_DONE = 55,    /* a context: its waiters and children; a parent before its child */
    RN_RANK_OWNER = 57,   /* whoever takes a channel from the thread whose own it is */
    RN_RANK_POLL = 60,    /* a poller record */
    RN_RANK_HTTP = 65,    /* the HTTP client: a shard, or the list of clients */
    RN_RANK_SCHED = 70,   /* the global run queue, idle processors and threads */
    RN_RANK_STACKS = 80,  /* the pool of stacks and goroutine records */
    RN_RANK_REVOKE = 90,  /* a worker's ownership of its processor */
};

#if defined(RN_DEBUG) && !defined(RN_MODEL)
RN_INNER void rn__rank_check(const void *lock, enum rn_rank rank);
RN_INNER void rn__rank_taken(const void *lock, enum rn_rank rank);
RN_INNER void rn__rank_dropped(const void *lock);
/* This thread holds it. */
RN_INNER void rn__rank_check_held(const void *lock);
/* A goroutine may go no further from here on, or park, or run what is not ours: no lock may be held. */
RN_INNER void rn__rank_check_none(void);
#else
#define rn__rank_check(lock, rank) ((void)(rank))
#define rn__rank_taken(lock, rank) ((void)(rank))
#define rn__rank_dropped(lock) ((void)(lock))
#define rn__rank_check_held(lock) ((void)(lock))
#define rn__rank_check_none() ((void)0)
#endif

#endif
