/* Locks that are watched: RUNNEL_LOCKORDER=1, src/debug/lock_order.c.
 *
 * Then rn__watched_locks is RN_WATCHED, bits that no state of a lock has, and 0 else.  The short ways mix it into what they
 * compare the state with; so every call comes to the slow way, and that tells the hooks. */
#ifndef RN_SYNC_WATCH_H
#define RN_SYNC_WATCH_H

#include <runnel/sync_type.h>

#ifdef RN_MODEL
#define rn__watch(hook, lock, q, how) ((void)0)
#define RN_WATCH_BITS 0
#define RN_SHORT_WAY_TRIED 0
#else
#include "base/hooks.h"
#define RN_WATCH_BITS rn__watched_locks
#define RN_SHORT_WAY_TRIED (rn__watched_locks == 0) /* the inline one, when a function for the slow way is called */
#define rn__watch(hook, lock, q, how)                            \
    do {                                                         \
        if (__builtin_expect(rn__watched_locks != 0, 0))         \
            rn__hooks.lock_##hook((lock), &(q)->rn_home, (how)); \
    } while (0)
#endif

#endif
