/* runnel/chan.h: typed channels.
 *
 *     chan(int) jobs = chan_make(int, 100);       // capacity 100; 0: unbuffered
 *     chan_send(jobs, 7);
 *     int job = chan_recv(jobs);
 *     for (int j; chan_next(jobs, &j);) …         // until closed and drained
 *     chan_close(jobs);
 *     chan_free(jobs);
 *
 * chan(T) is a type in any file, with no declaration beforehand.  It converts by itself to
 * chan_recv_only(T) and chan_send_only(T), never back without a warning, and a send on a
 * receive-only channel does not compile.  A channel is a reference: whoever made it says who frees
 * it, when nobody uses it any more.
 *
 * The type is a pointer to a pointer to a function that returns T, of which only the type is ever
 * used: C lets `const` (receive-only) and `volatile` (send-only) be added to the pointee but not
 * dropped, which is Go's rule of assignment.  T is any object type that a function can return:
 * scalars, structs, unions, pointers, other channels; an array goes into a struct.
 *
 * All of these may be called from goroutines and from plain threads (which wait as threads), not
 * from signal handlers.  A NULL channel blocks for ever.
 *
 * Happens before (Go memory model): a send before the matching receive completes; a close before a
 * receive that sees it; the k-th receive on a channel of capacity C before send k+C completes.
 */
#ifndef RUNNEL_CHAN_H
#define RUNNEL_CHAN_H

#include <runnel/base.h>
#include <runnel/context_type.h>
#ifdef __cplusplus
#include <type_traits>
#endif

struct rn_chan_of;

#define rn_chan(T) __typeof__(RN__CHAN_TARGET(T) *)
#define rn_chan_recv_only(T) __typeof__(RN__CHAN_TARGET(T) const *)
#define rn_chan_send_only(T) __typeof__(RN__CHAN_TARGET(T) volatile *)
#define RN__CHAN_TARGET(T) __typeof__(__typeof__(T)(*)(struct rn_chan_of *))

/* The element type of a channel expression, which is not evaluated. */
#define RN_ELEM(c) __typeof__((*(c))((struct rn_chan_of *)0))
/* A channel as the functions below take it. */
#define RN__CH(c) ((void *)(uintptr_t)(const volatile void *)(c))

#ifdef __cplusplus
#define RN__IS_RECV_ONLY(c) (std::is_const<typename std::remove_pointer<__typeof__(c)>::type>::value)
#define RN__IS_SEND_ONLY(c) (std::is_volatile<typename std::remove_pointer<__typeof__(c)>::type>::value)
#else
#define RN__IS_RECV_ONLY(c) __builtin_types_compatible_p(__typeof__(c), RN_ELEM(c) (*const *)(struct rn_chan_of *))
#define RN__IS_SEND_ONLY(c) __builtin_types_compatible_p(__typeof__(c), RN_ELEM(c) (*volatile *)(struct rn_chan_of *))
#endif
#define RN__MAY_SEND(c) RN_STATIC_ASSERT(!RN__IS_RECV_ONLY(c), "send on a receive-only channel (chan_recv_only)")
#define RN__MAY_RECV(c) RN_STATIC_ASSERT(!RN__IS_SEND_ONLY(c), "receive from a send-only channel (chan_send_only)")
#define RN__MAY_CLOSE(c) RN_STATIC_ASSERT(!RN__IS_RECV_ONLY(c), "close of a receive-only channel (chan_recv_only)")

/* chan_make(T, n): a channel of T with room for n elements.  n < 0, or more than memory holds,
 * panics ("chan_make: …"); chan_try_make returns NULL where memory is short. */
#define rn_chan_make(T, n) ((rn_chan(T))rn__chan_make(RN__ELEM_SIZE(T), __alignof__(T), (n), false))
#define rn_chan_try_make(T, n) ((rn_chan(T))rn__chan_make(RN__ELEM_SIZE(T), __alignof__(T), (n), true))
#ifdef __cplusplus
#define RN__ELEM_SIZE(T) sizeof(T)
#else
#define RN__ELEM_SIZE(T)                                                                                          \
    __extension__({                                                                                               \
        RN_STATIC_ASSERT(!__builtin_types_compatible_p(T, void), "a channel of nothing is a channel of rn_unit"); \
        sizeof(T);                                                                                                \
    })
#endif

/* chan_send(c, v): sends v; waits until a receiver has taken it (capacity 0) or the buffer has room.  Panics
 * if the channel is closed, also while it waits.  v is evaluated once, before anything waits; it may be a
 * compound literal with commas: chan_send(c, (struct point){1, 2}). */
#define rn_chan_send(c, ...)              \
    __extension__({                       \
        RN__MAY_SEND(c);                  \
        RN_ELEM(c) rn_v_ = (__VA_ARGS__); \
        rn__chan_send(RN__CH(c), &rn_v_); \
    })
/* Receives: waits for a value.  A closed and drained channel gives the zero value, at once. */
#define rn_chan_recv(c) \
    RN__CHAN_RECV(RN_UNIQUE(rn_v_), c) /* its value may be sent, and may be a channel to receive from: -Wshadow */
#define RN__CHAN_RECV(v, c)           \
    RN__EXTENSION({                   \
        RN__MAY_RECV(c);              \
        RN_ELEM(c) v;                 \
        rn__chan_recv(RN__CH(c), &v); \
        v;                            \
    })
/* Receives into *p (p may be NULL); returns false, with the zero value, once the channel is closed and drained.
 * `for (T v; chan_next(c, &v);)` is Go's range. */
#define rn_chan_next(c, p)               \
    __extension__({                      \
        RN__MAY_RECV(c);                 \
        RN_ELEM(c) *rn_p_ = (p);         \
        rn__chan_recv(RN__CH(c), rn_p_); \
    })
#define rn_chan_recv_ok(c, p) rn_chan_next(c, p)

/* These never block.  send: 0, or RN_EAGAIN; panics if the channel is closed.  recv: 0, RN_EAGAIN if it is empty, or
 * RN_ECLOSED (and the zero value) if it is closed and drained. */
#define rn_chan_try_send(c, ...)              \
    __extension__({                           \
        RN__MAY_SEND(c);                      \
        RN_ELEM(c) rn_v_ = (__VA_ARGS__);     \
        rn__chan_try_send(RN__CH(c), &rn_v_); \
    })
#define rn_chan_try_recv(c, p)               \
    __extension__({                          \
        RN__MAY_RECV(c);                     \
        RN_ELEM(c) *rn_p_ = (p);             \
        rn__chan_try_recv(RN__CH(c), rn_p_); \
    })

/* As send and recv, but give up when the context is done: 0, or RN_ECANCELED or RN_ETIMEOUT, and
 * for recv RN_ECLOSED when closed and drained.  When both are possible, either may be chosen. */
#define rn_chan_send_ctx(ctx, c, ...)                \
    __extension__({                                  \
        RN__MAY_SEND(c);                             \
        RN_ELEM(c) rn_v_ = (__VA_ARGS__);            \
        rn__chan_send_ctx((ctx), RN__CH(c), &rn_v_); \
    })
#define rn_chan_recv_ctx(ctx, c, p)                 \
    __extension__({                                 \
        RN__MAY_RECV(c);                            \
        RN_ELEM(c) *rn_p_ = (p);                    \
        rn__chan_recv_ctx((ctx), RN__CH(c), rn_p_); \
    })

RN_EXTERN_C_BEGIN

RN_PUBLIC void *rn__chan_make(size_t elem, size_t align, long long n, bool try_);
RN_PUBLIC void rn__chan_send(void *c, const void *v);
RN_PUBLIC bool rn__chan_recv(void *c, void *v);
RN_PUBLIC int rn__chan_try_send(void *c, const void *v);
RN_PUBLIC int rn__chan_try_recv(void *c, void *v);
RN_PUBLIC int rn__chan_send_ctx(rn_context *ctx, void *c, const void *v);
RN_PUBLIC int rn__chan_recv_ctx(rn_context *ctx, void *c, void *v);

/* Closes the channel: every waiting receiver wakes; what is buffered can still be received.  Closing a closed
 * or NULL channel panics, with Go's words; so do senders that are waiting.  Receivers should not call it.
 * (As a function, so that `defer(chan_close, c)` works; chan_close(c) also checks the direction.) */
RN_PUBLIC void(rn_chan_close)(const volatile void *c);
#define rn_chan_close(c)    \
    __extension__({         \
        RN__MAY_CLOSE(c);   \
        (rn_chan_close)(c); \
    })

/* Frees the channel and what is still buffered (the values' own bytes only).  NULL is allowed.  Panics if
 * somebody waits on it.  Nobody may use it afterwards: debug builds panic, others don't notice. */
RN_PUBLIC void rn_chan_free(const volatile void *c);

/* Elements that are buffered now, and the capacity.  0 for NULL.  Never block. */
RN_PUBLIC size_t rn_chan_len(const volatile void *c);
RN_PUBLIC size_t rn_chan_cap(const volatile void *c);

RN_EXTERN_C_END

#define RN_UNIT (__extension__(rn_unit){})

#ifndef RN_NO_SHORT_NAMES
#define chan(T) rn_chan(T)
#define chan_recv_only(T) rn_chan_recv_only(T)
#define chan_send_only(T) rn_chan_send_only(T)
#define chan_make(T, n) rn_chan_make(T, n)
#define chan_try_make(T, n) rn_chan_try_make(T, n)
#define chan_send(c, ...) rn_chan_send(c, __VA_ARGS__)
#define chan_recv(c) rn_chan_recv(c)
#define chan_next(c, p) rn_chan_next(c, p)
#define chan_recv_ok(c, p) rn_chan_recv_ok(c, p)
#define chan_try_send(c, ...) rn_chan_try_send(c, __VA_ARGS__)
#define chan_try_recv(c, p) rn_chan_try_recv(c, p)
#define chan_send_ctx(ctx, c, ...) rn_chan_send_ctx(ctx, c, __VA_ARGS__)
#define chan_recv_ctx(ctx, c, p) rn_chan_recv_ctx(ctx, c, p)
#define chan_close rn_chan_close
#define chan_free rn_chan_free
#define chan_len rn_chan_len
#define chan_cap rn_chan_cap
#endif

#endif
