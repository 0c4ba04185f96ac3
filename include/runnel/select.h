/* runnel/select.h: wait for the first of several channel operations.
 *
 *     switch (chan_select(on_recv(a, &x), on_send(b, y), on_done(ctx), on_timeout(RN_SECOND))) {
 *     case 0: … x was received …
 *     case 1: … y was sent …
 *     case 2: … the context is done …
 *     case 3: … a second has passed …
 *     }
 *
 * Returns the number of the case that took effect, counted from 0 in the order written; exactly
 * one takes effect, the others leave no trace.  Among several that are ready one is chosen
 * uniformly at random; a channel that stands in two cases has two chances.  Every operand is
 * evaluated once, in order, before anything waits.  NULL channels are never ready.  A closed
 * channel is ready to receive; a send on a closed channel counts as ready and panics when chosen.
 * A goroutine never matches itself.  No allocation.  With on_default nothing waits.
 * chan_select() with no case blocks for ever.  on_fd of runnel/fd.h waits for a descriptor beside these.
 * (Go spec, "Select statements".)
 */
#ifndef RUNNEL_SELECT_H
#define RUNNEL_SELECT_H

#include <runnel/chan.h>

enum rn_case_kind { RN_CASE_RECV, RN_CASE_SEND, RN_CASE_DONE, RN_CASE_TIMEOUT, RN_CASE_DEFAULT, RN_CASE_OUTSIDE };

struct rn_case {
    enum rn_case_kind kind;
    void *chan;          /* RECV, SEND; the context for DONE; OUTSIDE: who knows about it (runnel/fd.h) */
    void *elem;          /* where the value goes (may be NULL) or comes from */
    bool *ok;            /* RECV: false when closed and drained; may be NULL */
    rn_duration timeout; /* TIMEOUT; <= 0: at once when nothing else is ready.  OUTSIDE: what it is about */
};

#define rn_chan_select(...)                                                \
    __extension__({                                                        \
        struct rn_case rn_cases_[] = {__VA_ARGS__};                        \
        rn__select(rn_cases_, sizeof(rn_cases_) / sizeof(struct rn_case)); \
    })

/* clang-format off */
/* Receive into *p; p may be NULL. */
#define rn_on_recv(c, p) rn_on_recv_ok(c, p, NULL)
/* The same, with *open = false when the channel is closed and drained. */
#define rn_on_recv_ok(c, p, open)                                       \
    (struct rn_case)                                                    \
    {                                                                   \
        RN_CASE_RECV, __extension__({ RN__MAY_RECV(c); RN__CH(c); }),   \
            __extension__({ RN_ELEM(c) *rn_p_ = (p); (void *)rn_p_; }), (open), 0 \
    }
#ifdef __cplusplus
/* on_send(c, v).  The temporary would not live long enough in C++: v must be an lvalue of the element type. */
#define rn_on_send(c, ...)                                              \
    (struct rn_case)                                                    \
    {                                                                   \
        RN_CASE_SEND, __extension__({ RN__MAY_SEND(c); RN__CH(c); }),   \
            __extension__({ const RN_ELEM(c) *rn_p_ = &(__VA_ARGS__); (void *)(uintptr_t)rn_p_; }), NULL, 0 \
    }
#else
/* on_send(c, v): send v, converted to the element type. */
#define rn_on_send(c, ...)                                              \
    (struct rn_case)                                                    \
    {                                                                   \
        RN_CASE_SEND, __extension__({ RN__MAY_SEND(c); RN__CH(c); }),   \
            (RN_ELEM(c)[1]){__extension__({ RN_ELEM(c) rn_v_ = (__VA_ARGS__); rn_v_; })}, NULL, 0 \
    }
#endif
/* The context is done: canceled or past its deadline.  NULL and background: never. */
#define rn_on_done(ctx) \
    (struct rn_case) { RN_CASE_DONE, (ctx), NULL, NULL, 0 }
/* Nothing else was ready for d.  Leaves no timer behind when another case wins. */
#define rn_on_timeout(d) \
    (struct rn_case) { RN_CASE_TIMEOUT, NULL, NULL, NULL, RN__DURATION(d) }
/* Nothing else is ready now. */
#define rn_on_default() \
    (struct rn_case) { RN_CASE_DEFAULT, NULL, NULL, NULL, 0 }
/* clang-format on */

RN_EXTERN_C_BEGIN
/* The function behind chan_select, for cases that are built at run time.  At most 65535 cases. */
RN_PUBLIC int rn__select(struct rn_case *cases, size_t n);
#define rn_chan_select_array(cases, n) rn__select(cases, n)
RN_EXTERN_C_END

#ifndef RN_NO_SHORT_NAMES
#define chan_select(...) rn_chan_select(__VA_ARGS__)
#define chan_select_array(cases, n) rn_chan_select_array(cases, n)
#define on_recv(c, p) rn_on_recv(c, p)
#define on_recv_ok(c, p, open) rn_on_recv_ok(c, p, open)
#define on_send(c, ...) rn_on_send(c, __VA_ARGS__)
#define on_done(ctx) rn_on_done(ctx)
#define on_timeout(d) rn_on_timeout(d)
#define on_default() rn_on_default()
#endif

#endif
