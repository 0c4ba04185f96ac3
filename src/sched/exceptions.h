/* C++ exceptions: what a thread knows of them belongs to the goroutine that runs on it.
 *
 * The C++ runtime keeps for each thread the exceptions whose handlers it is in, and how many are on
 * their way up (Itanium C++ ABI, __cxa_eh_globals; libstdc++ and libc++abi).  A goroutine that waits within a `catch`, or in
 * a destructor that an exception runs, leaves its thread to others and may go on on another one.  So it takes both
 * along, on its stack, when it leaves its thread.
 *
 * What always holds: a thread of the runtime that runs no goroutine has no exceptions; a new goroutine begins
 * with none.  A goroutine that returns has none; one that ends by a panic or rn_exit_goroutine may leave a handler by it, and
 * its exceptions are given back.  Which handlers a recovery has left is not known: what is there at the end is forgotten.
 *
 * A program without the C++ runtime pays for one look at rn_m.exceptions, which is NULL there.  So it is where that
 * runtime comes later than this library, with a plugin of a program in C (dlopen): its goroutines must not wait there.
 *
 * Tried and rejected: two words in rn_g (every record would be larger for what hardly one has at any moment); asking
 * __cxa_get_globals at every switch (a call, for an address that a thread never changes). */
#ifndef RN_SCHED_EXCEPTIONS_H
#define RN_SCHED_EXCEPTIONS_H

#include "sched/rt.h"

struct rn_exceptions {
    void *caught;      /* the newest of those that are being handled */
    unsigned uncaught; /* how many are on their way */
};

struct rn_exceptions *__cxa_get_globals(void) __attribute__((weak));
void __cxa_end_catch(void) __attribute__((weak));

/* This thread's; NULL without the C++ runtime. */
static inline struct rn_exceptions *rn__exceptions_here(void)
{
    return __cxa_get_globals ? __cxa_get_globals() : NULL;
}

/* What this thread has, which is none from then on. */
static inline struct rn_exceptions rn__exceptions_take(struct rn_m *m)
{
    struct rn_exceptions mine = {NULL, 0};
    if (m->exceptions) {
        mine = *m->exceptions;
        *m->exceptions = (struct rn_exceptions){NULL, 0};
    }
    return mine;
}

static inline void rn__exceptions_give(struct rn_m *m, struct rn_exceptions mine)
{
    if (m->exceptions)
        *m->exceptions = mine;
}

/* The goroutine that runs ends, from within these handlers: its exceptions go, whose destructors may wait. */
static inline void rn__exceptions_drop(void)
{
    struct rn_m *m;
    while ((m = rn__m())->exceptions && m->exceptions->caught)
        __cxa_end_catch();
    rn__exceptions_take(m);
}

#endif
