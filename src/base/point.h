/* Points: the places where another goroutine could see, or change, what this one is about to use.
 *
 * In a build for exploring schedules (RN_EXPLORE, see sched/explore.h) rn__point may put the running
 * goroutine away and let another one go first.  It stands before every operation on something shared,
 * and once more behind those that let others go on (unlock, send, close, done, signal …) or let several in (acquire), always with
 * no internal lock held.  In a build for the race detector it lets another one go first by chance, at those that may wait
 * anyway.  In every other build it is nothing.
 */
#ifndef RN_BASE_POINT_H
#define RN_BASE_POINT_H

/* What the goroutine is about to do, or, from RN_AFTER_GO on, has just done; rn__point_text says it in words. */
enum rn_point {
    RN_AT_SEND,
    RN_AT_RECV,
    RN_AT_SELECT,
    RN_AT_CLOSE,
    RN_AT_CHAN_LEN,
    RN_AT_CHAN_FREE,
    RN_AT_LOCK,
    RN_AT_TRY_LOCK,
    RN_AT_UNLOCK,
    RN_AT_RLOCK,
    RN_AT_RUNLOCK,
    RN_AT_WG_ADD,
    RN_AT_WG_DONE,
    RN_AT_WG_WAIT,
    RN_AT_ONCE,
    RN_AT_COND_WAIT,
    RN_AT_COND_SIGNAL,
    RN_AT_ACQUIRE,
    RN_AT_RELEASE,
    RN_AT_POOL,
    RN_AT_MAP,
    RN_AT_FLIGHT,
    RN_AT_CONTEXT,
    RN_AT_CANCEL,
    RN_AT_TIMER,
    RN_AT_ATOMIC,
    RN_AT_MEMORY,
    RN_AT_YIELD,
    RN_AT_BLOCK,
    RN_AT_END,
    RN_AT_TIME,
    RN_AT_CASE,
    RN_AT_NET,
    RN_AT_SHARE,
    RN_AT_LATENCY,
    RN_AT_FAULT,
    RN_AFTER_GO,
    RN_AFTER_SEND,
    RN_AFTER_RECV,
    RN_AFTER_CLOSE,
    RN_AFTER_UNLOCK,
    RN_AFTER_DONE,
    RN_AFTER_SIGNAL,
    RN_AFTER_ACQUIRE,
    RN_AFTER_RELEASE,
    RN_AFTER_CANCEL,
    RN_AFTER_ATOMIC,
    RN_AFTER_ADD,
    RN_POINT_COUNT
};
const char *rn__point_text(enum rn_point what);

#ifdef RN_EXPLORE
#include <stdbool.h>
void rn__explore_point(enum rn_point what, const void *object);
void rn__explore_locks(const void *lock, bool shared);
void rn__explore_unlocks(const void *lock);
#define rn__point(what, object) rn__explore_point((what), (object))
/* The caller has locked (shared: as one of several readers), or is about to unlock: what it does meanwhile is not open to all. */
#define rn__point_locks(lock, shared) rn__explore_locks((lock), (shared))
#define rn__point_unlocks(lock) rn__explore_unlocks(lock)
#else
#ifdef RN_RACE
#include <stdbool.h>
/* Not where nothing ever waits (a try, an unlock): a program may count on its thread there.  See docs/design/race.md. */
static inline bool rn__point_may_wait(enum rn_point what)
{
    return what == RN_AT_LOCK || what == RN_AT_RLOCK || what == RN_AFTER_SEND || what == RN_AFTER_RECV ||
           what == RN_AFTER_ACQUIRE || what == RN_AT_WG_WAIT;
}
void rn__race_point(void);
#define rn__point(what, object) (rn__point_may_wait(what) ? rn__race_point() : (void)0)
#else
#define rn__point(what, object) ((void)0)
#endif
#define rn__point_locks(lock, shared) ((void)0)
#define rn__point_unlocks(lock) ((void)0)
#endif

#endif
