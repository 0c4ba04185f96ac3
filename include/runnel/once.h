/* runnel/once.h: something that is done only once, whoever needs it first.
 *
 *     static rn_once ready;                                // all-zero is valid; so is RN_ONCE_INIT
 *     once_do(&ready, load_tables, "/etc/tables");         // arguments are evaluated only by the caller that runs it
 *
 *     static rn_once_value(struct config *) config;
 *     struct config *c = once_value(&config, parse_config, path);
 *
 * Callers that come while it runs wait until it has ended.  A call that panics counts as done (Go, sync.Once).
 * Calling once_do for the same once from within waits for itself: a deadlock, which is reported.
 * Once it is done, a call costs one load.
 *
 * From goroutines and plain threads; not from signal handlers.
 * Happens before: the end of the one call before any once_do on that once returns.
 */
#ifndef RUNNEL_ONCE_H
#define RUNNEL_ONCE_H

#include <runnel/go.h>
#include <runnel/sync_type.h>

typedef struct rn_once {
    rn_atomic(uint32_t) rn_state;
    struct rn_waitq rn_queue;
} rn_once;

#define RN_ONCE_INIT     \
    {                    \
        0, RN_WAITQ_INIT \
    }

struct rn_once_panic {
    char *rn_text;
    void *rn_value;
    bool rn_returned;
};

enum rn_once_state { RN_ONCE_NEW, RN_ONCE_RUNNING, RN_ONCE_DONE };

RN_EXTERN_C_BEGIN

/* True: the caller runs it, and then calls rn__once_end.  False: it has been done by now. */
RN_PUBLIC __attribute__((cold)) bool rn__once_begin(rn_once *o);
RN_PUBLIC void rn__once_end(rn_once *o);

/* once_do(&o, f, args…): calls f(args…) unless some once_do on o has; returns when it is done. */
#define rn_once_do(o, f, ...)                              \
    __extension__({                                        \
        rn_once *rn_once_ = (o);                           \
        if (rn__once_first(rn_once_)) {                    \
            RN__AT_END(rn_ended_, rn__once_end, rn_once_); \
            (void)(f)(__VA_ARGS__);                        \
        }                                                  \
    })

/* rn_once_value(T): the type of a once that keeps what its function returned.  All-zero is valid. */
#define rn_once_value(T)                  \
    struct {                              \
        rn_once rn_call;                  \
        struct rn_once_panic rn_panicked; \
        __typeof__(T) rn_result;          \
    }
/* once_value(&v, f, args…): what the one call of f(args…) returned.  If f panicked, every later call panics with the
 * same text and value (of rn_panic_value); if it ended its goroutine, every later call panics and says so. */
#define rn_once_value_get(v, f, ...)                                             \
    RN__EXTENSION({                                                              \
        __typeof__(v) rn_value_ = (v);                                           \
        if (rn__once_first(&rn_value_->rn_call)) {                               \
            RN__AT_END(rn_ended_, rn__once_end, &rn_value_->rn_call);            \
            RN__AT_END(rn_noted_, rn__once_value_note, &rn_value_->rn_panicked); \
            rn_value_->rn_result = (f)(__VA_ARGS__);                             \
            rn_value_->rn_panicked.rn_returned = true;                           \
        }                                                                        \
        if (__builtin_expect(!rn_value_->rn_panicked.rn_returned, 0))            \
            rn__once_value_panic(&rn_value_->rn_panicked);                       \
        rn_value_->rn_result;                                                    \
    })

RN_PUBLIC void rn__once_value_note(struct rn_once_panic *p);
RN_PUBLIC void rn__once_value_panic(struct rn_once_panic *p);

static inline bool rn__once_first(rn_once *o)
{
#if RN__INLINE_SYNC
    /* acquire: pairs with the release in rn__once_end; publishes what the call has done. */
    if (__builtin_expect(RN__SYNC_LOAD_ACQUIRE(&o->rn_state) == RN_ONCE_DONE, 1))
        return false;
#endif
    return rn__once_begin(o);
}

RN_EXTERN_C_END

#ifndef RN_NO_SHORT_NAMES
#define once_do(...) rn_once_do(__VA_ARGS__)
#define once_value(...) rn_once_value_get(__VA_ARGS__)
#endif

#endif
