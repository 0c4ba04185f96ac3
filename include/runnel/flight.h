/* runnel/flight.h: many who want the same thing at the same time share one call.
 *
 *     static rn_flight lookups;                                // all-zero is valid
 *     static int lookup(void *arg, void **result);             // 0, or a negative error
 *
 *     void *addr;
 *     int err = flight_do(&lookups, name, lookup, &query, &addr, NULL);
 *
 * The first caller with a key runs the function; those who come with an equal key before it has ended wait, and get the
 * same result and error.  Later ones start anew: this is not a cache.  All who share a result hold the same pointer; it
 * is up to them who frees it.  `shared` tells that others have it too, but not how many, nor whether they still use
 * it.  A result that is to be freed needs a count in it:
 *
 *     static void hold(void *page, int more)                   // more callers than the first have it
 *     {
 *         rn_atomic_add(&((struct page *)page)->holders, more);
 *     }
 *     static rn_flight pages = RN_FLIGHT_HOLD(hold);           // the function makes a page with one holder
 *
 * and every caller decrements that count when it is done with the result.  If the function panics, or ends its
 * goroutine, so do all who share the call; the value of a panic is shared like a result.
 *
 * When the run of the goroutine that runs the function ends, plain threads that share the call get RN_ECANCELED.
 *
 * From goroutines and plain threads; not from signal handlers.
 * Happens before: the end of the call before the return
 * of each flight_do that shares it.  (golang.org/x/sync/singleflight.)
 */
#ifndef RUNNEL_FLIGHT_H
#define RUNNEL_FLIGHT_H

#include <runnel/sync_type.h>

enum { RN_FLIGHT_BUCKETS = 16 };
struct rn_flight_call;

typedef struct rn_flight {
    struct rn_waitq rn_lock;
    struct rn_flight_call *rn_calls[RN_FLIGHT_BUCKETS];
    void (*rn_hold)(void *result, int more);
} rn_flight;

/* Calls hold(result, more) when a call has ended and `more` others (> 0) get its result as well, before any of them
 * does; not for a result that is NULL.  It may not block, nor use the flight. */
#ifdef __cplusplus
#define RN_FLIGHT_INIT \
    {                  \
    }
#define RN_FLIGHT_HOLD(hold) \
    {                        \
        {}, {}, (hold)       \
    }
#else
#define RN_FLIGHT_HOLD(hold) \
    {                        \
        .rn_hold = (hold)    \
    }
#define RN_FLIGHT_INIT       \
    {                        \
        .rn_calls = { NULL } \
    }
#endif

/* Returns 0 or a negative error, and stores the result. */
typedef int rn_flight_fn(void *arg, void **result);

RN_EXTERN_C_BEGIN

/* Returns what f(arg, &result) returned, here or in the call that was shared; result and shared may
 * be NULL.  key is any NUL-terminated text; it must stay as it is until the return. */
RN_PUBLIC int rn_flight_do(rn_flight *f, const char *key, rn_flight_fn *fn, void *arg, void **result, bool *shared);
/* The same, but waits for another's call no longer than until ctx is done: RN_ECANCELED or RN_ETIMEOUT.
 * A call of its own is not interrupted. */
RN_PUBLIC int rn_flight_do_ctx(rn_context *ctx, rn_flight *f, const char *key, rn_flight_fn *fn, void *arg,
                               void **result, bool *shared);
/* Later callers with this key start anew, even while a call is under way. */
RN_PUBLIC void rn_flight_forget(rn_flight *f, const char *key);

RN_EXTERN_C_END

#ifndef RN_NO_SHORT_NAMES
#define flight_do rn_flight_do
#define flight_do_ctx rn_flight_do_ctx
#define flight_forget rn_flight_forget
#endif

#endif
