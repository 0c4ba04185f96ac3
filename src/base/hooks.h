/* The table through which lower layers tell src/debug what happens; src/debug fills it in when it
 * is linked and started.  An entry is NULL when nobody listens.  Lower layers never include debug. */
#ifndef RN_BASE_HOOKS_H
#define RN_BASE_HOOKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/atomic.h"

struct rn_g;
struct rn_panic;

enum rn_made { RN_MADE_CHANNEL, RN_MADE_TIMER, RN_MADE_PROCESS /* by its channel */ };
/* How a lock is taken: bits.  RN_LOCK_TIMED may give up. */
enum { RN_LOCK_READ = 1, RN_LOCK_TIMED = 2 };

struct rn_hooks {
    /* Prints every goroutine with state, waiting time, trace and start to stderr.  `uc` is the
     * ucontext of a fault or signal on this thread, or NULL. */
    void (*dump)(struct rn_g *current, void *uc);
    /* Prints one line "panic: …" per panic in the chain, oldest first. */
    void (*print_panics)(struct rn_panic *newest);
    /* Writes the texts (NULL ends them) and then the calling goroutine as in `dump`, from where it raised the panic that it has
     * recovered; the program goes on. */
    void (*tell_panic)(const char *const *texts);
    /* Stores up to n return addresses of the calling goroutine; returns how many. */
    int (*trace)(void **pc, int n);
    /* Writes where in the source pc is: "file:line" to `where`, the function's name to `function` (n bytes each).
     * False when it is unknown or in the library itself. */
    bool (*place)(uintptr_t pc, char *where, char *function, size_t n);
    /* A channel that is to be freed was made, or a timer was set, or it is known what such a channel belongs to; and a
     * channel was freed.  For the test runner. */
    void (*made)(const void *object, enum rn_made what);
    void (*gone)(const void *object);
    /* While locks are watched (src/sync/watch.h): one is about to be waited for, was taken, is about to be let go.
     * `number` is the lock's own, 0 at first.  And how many reports there
     * were, after the one in progress. */
    void (*lock_wanted)(const void *lock, rn_atomic(uint32_t) * number, int how);
    void (*lock_taken)(const void *lock, rn_atomic(uint32_t) * number, int how);
    void (*lock_left)(const void *lock, rn_atomic(uint32_t) * number, int how);
    unsigned (*lock_reports)(void);
#ifdef RN_EXPLORE
    void (*watch_locks)(void); /* before there are goroutines: in a schedule that is told */
#endif
    /* By the monitor, now and then: answers what a signal has asked for.  Returns when it wants to be called again, at
     * the latest. */
    int64_t (*answer_request)(void);
    /* By the main goroutine when its function has returned; returns the status to end with. */
    int (*main_returned)(int status);
};
extern struct rn_hooks rn__hooks;

#ifdef RN_MODEL
#define rn__tell_made(object, what) ((void)(object))
#define rn__tell_gone(object) ((void)(object))
#else
static inline void rn__tell_made(const void *object, enum rn_made what)
{
    if (rn__hooks.made)
        rn__hooks.made(object, what);
}

static inline void rn__tell_gone(const void *object)
{
    if (rn__hooks.gone)
        rn__hooks.gone(object);
}
#endif

/* In src/debug; a run begins and ends with these.  The only names of it that lower layers know. */
void rn__debug_start(void);
void rn__debug_stop(void);

#endif
