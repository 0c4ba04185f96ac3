/* The operations at which schedules are explored, in words. */
#include "base/point.h"

#ifdef RN_EXPLORE

const char *rn__point_text(enum rn_point what)
{
    static const char *const text[RN_POINT_COUNT] = {
        [RN_AT_SEND] = "chan send",
        [RN_AT_RECV] = "chan receive",
        [RN_AT_SELECT] = "select",
        [RN_AT_CLOSE] = "chan close",
        [RN_AT_CHAN_LEN] = "chan len",
        [RN_AT_CHAN_FREE] = "chan free",
        [RN_AT_LOCK] = "lock",
        [RN_AT_TRY_LOCK] = "try lock",
        [RN_AT_UNLOCK] = "unlock",
        [RN_AT_RLOCK] = "read lock",
        [RN_AT_RUNLOCK] = "read unlock",
        [RN_AT_WG_ADD] = "waitgroup add",
        [RN_AT_WG_DONE] = "waitgroup done",
        [RN_AT_WG_WAIT] = "waitgroup wait",
        [RN_AT_ONCE] = "once",
        [RN_AT_COND_WAIT] = "cond wait",
        [RN_AT_COND_SIGNAL] = "cond signal",
        [RN_AT_ACQUIRE] = "semaphore acquire",
        [RN_AT_RELEASE] = "semaphore release",
        [RN_AT_POOL] = "pool",
        [RN_AT_MAP] = "map",
        [RN_AT_FLIGHT] = "singleflight",
        [RN_AT_CONTEXT] = "context",
        [RN_AT_CANCEL] = "context cancel",
        [RN_AT_TIMER] = "timer",
        [RN_AT_ATOMIC] = "atomic",
        [RN_AT_MEMORY] = "access to shared memory",
        [RN_AT_YIELD] = "yield",
        [RN_AT_BLOCK] = "block",
        [RN_AT_END] = "end",
        [RN_AT_TIME] = "time",
        [RN_AT_CASE] = "select",
        [RN_AT_NET] = "I/O",
        [RN_AT_SHARE] = "I/O",
        [RN_AT_LATENCY] = "I/O",
        [RN_AT_FAULT] = "I/O",
        [RN_AFTER_GO] = "go",
        [RN_AFTER_SEND] = "chan send",
        [RN_AFTER_RECV] = "chan receive",
        [RN_AFTER_CLOSE] = "chan close",
        [RN_AFTER_UNLOCK] = "unlock",
        [RN_AFTER_DONE] = "waitgroup done",
        [RN_AFTER_SIGNAL] = "cond signal",
        [RN_AFTER_ACQUIRE] = "semaphore acquire",
        [RN_AFTER_RELEASE] = "semaphore release",
        [RN_AFTER_CANCEL] = "context cancel",
        [RN_AFTER_ATOMIC] = "atomic",
        [RN_AFTER_ADD] = "waitgroup add",
    };
    return what < RN_POINT_COUNT && text[what] ? text[what] : "";
}

#else
typedef int rn__explore_words_are_another_build; /* an empty file is no C */
#endif
