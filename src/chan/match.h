/* The one place where a sender and a receiver, or the ring between them, come together.
 *
 * Each function here needs the channel's lock and returns at once with what became of the attempt.
 * When it took somebody out of a queue, it stores the waiter in *wake: the caller drops the lock
 * and then calls rn__chan_wake, exactly once (or adds the waiter to a list of its own).
 *
 * A goroutine never meets itself: a select looks for a match before it queues itself, and while it
 * waits it runs nothing.
 */
#ifndef RN_CHAN_MATCH_H
#define RN_CHAN_MATCH_H

#include "chan/chan.h"
#include "chan/race.h"
#include <string.h>

enum rn_match {
    RN_MATCH_DONE,   /* the value has changed hands */
    RN_MATCH_CLOSED, /* receive: zero value stored; send: the caller panics */
    RN_MATCH_WAIT,   /* nothing happened */
};

/* The likely sizes are single moves; a call of memcpy costs more than the lock.  False: n is another one. */
static inline bool rn__chan_move(size_t n, void *to, const void *from)
{
    if (__builtin_expect(n == 8, 1))
        memcpy(to, from, 8);
    else if (n == 4)
        memcpy(to, from, 4);
    else if (n == 16)
        memcpy(to, from, 16);
    else if (n == 1)
        memcpy(to, from, 1);
    else if (n == 2)
        memcpy(to, from, 2);
    else
        return n == 0;
    return true;
}

static inline void rn__chan_copy(const struct rn_chan *c, void *to, const void *from)
{
    if (!rn__chan_move(c->elem, to, from))
        memcpy(to, from, c->elem);
}

static inline void rn__chan_zero(const struct rn_chan *c, void *to)
{
    if (to && c->elem)
        memset(to, 0, c->elem);
}

static inline char *rn__ring_after(const struct rn_chan *c, char *at)
{
    at += c->elem;
    return at == c->end ? c->ring : at;
}

static inline void rn__ring_put(struct rn_chan *c, const void *from)
{
    rn__chan_copy(c, c->tail, from);
    c->tail = rn__ring_after(c, c->tail);
}

static inline void rn__ring_get(struct rn_chan *c, void *to)
{
    if (to)
        rn__chan_copy(c, to, c->head);
    c->head = rn__ring_after(c, c->head);
}

/* release, both: pair with the acquire loads in rn__chan_seems_…: whoever sees the new value also
 * sees that the lock was taken for it (chan.h, rn__chan_glance).  Only the lock's holder writes. */
static inline void rn__chan_count_to(struct rn_chan *c, size_t n)
{
    rn_store_release(&c->count, n);
}

static inline void rn__chan_waiters_add(rn_atomic(uint32_t) * n, uint32_t by)
{
    rn_store_release(n, rn_load_relaxed(n) + by);
}

/* Takes the first waiter that can still be woken, claimed, or NULL.  Those whose select was won
 * elsewhere are passed over; their goroutine counts itself off when it comes by. */
static inline struct rn_waiter *rn__chan_pop(struct rn_list *q, rn_atomic(uint32_t) * n)
{
    while (q->first) {
        struct rn_waiter *w = rn_container(rn_list_pop(q), struct rn_waiter, node);
        w->queued = false;
        if (rn__waiter_claim(w)) {
            rn__chan_waiters_add(n, (uint32_t)-1);
            w->ok = true;
            return w;
        }
    }
    return NULL;
}

/* The same, and its stack, where the value is or goes, is there. */
static inline struct rn_waiter *rn__chan_pop_here(struct rn_list *q, rn_atomic(uint32_t) * n)
{
    struct rn_waiter *w = rn__chan_pop(q, n);
    if (w)
        rn__hib_touch(w->g);
    return w;
}

/* The likely cases of the next two, without a call: there is a value, or room for one, of a likely size, and nobody to be
 * woken.  False: nothing happened. */
static inline bool rn__chan_take_simply(struct rn_chan *c, void *to)
{
    rn_lock_assert_held(&c->lock);
    size_t n = rn_load_relaxed(&c->count);
    if (n == 0 || c->sendq.first || (to && !rn__chan_move(c->elem, to, c->head)))
        return false;
    c->head = rn__ring_after(c, c->head);
    rn__turn_get(c);
    rn__chan_count_to(c, n - 1);
    return true;
}

static inline bool rn__chan_put_simply(struct rn_chan *c, const void *from)
{
    rn_lock_assert_held(&c->lock);
    size_t n = rn_load_relaxed(&c->count);
    /* relaxed: written with this lock held. */
    if (n == c->cap || c->recvq.first || rn_load_relaxed(&c->closed) || !rn__chan_move(c->elem, c->tail, from))
        return false;
    c->tail = rn__ring_after(c, c->tail);
    rn__turn_put(c);
    rn__chan_count_to(c, n + 1);
    return true;
}

/* Receives into `to` (NULL: drops the value). */
static inline __attribute__((always_inline)) enum rn_match rn__chan_take(struct rn_chan *c, void *to,
                                                                         struct rn_waiter **wake)
{
    rn_lock_assert_held(&c->lock);
    struct rn_waiter *w;
    size_t n = rn_load_relaxed(&c->count);
    if (n > 0) {
        rn__ring_get(c, to);
        rn__turn_get(c);
        if (c->sendq.first && (w = rn__chan_pop_here(&c->sendq, &c->senders)) != NULL) {
            rn__ring_put(c, w->elem);
            rn__turn_put_for(c, w);
            *wake = w;
        } else {
            rn__chan_count_to(c, n - 1);
        }
        return RN_MATCH_DONE;
    }
    if (c->sendq.first && (w = rn__chan_pop_here(&c->sendq, &c->senders)) != NULL) {
        if (to)
            rn__chan_copy(c, to, w->elem);
        rn__turn_get_from(w);
        *wake = w;
        return RN_MATCH_DONE;
    }
    /* relaxed: written with this lock held. */
    if (!rn_load_relaxed(&c->closed))
        return RN_MATCH_WAIT;
    rn__chan_zero(c, to);
    rn__chan_race_sees_close(c);
    return RN_MATCH_CLOSED;
}

/* Sends the value at `from`. */
static inline __attribute__((always_inline)) enum rn_match rn__chan_put(struct rn_chan *c, const void *from,
                                                                        struct rn_waiter **wake)
{
    rn_lock_assert_held(&c->lock);
    struct rn_waiter *w;
    /* relaxed: written with this lock held. */
    if (__builtin_expect(rn_load_relaxed(&c->closed), 0))
        return RN_MATCH_CLOSED;
    if (c->recvq.first && (w = rn__chan_pop_here(&c->recvq, &c->receivers)) != NULL) {
        if (w->elem)
            rn__chan_copy(c, w->elem, from);
        rn__turn_put_to(c, w);
        *wake = w;
        return RN_MATCH_DONE;
    }
    size_t n = rn_load_relaxed(&c->count);
    if (n == c->cap)
        return RN_MATCH_WAIT;
    rn__ring_put(c, from);
    rn__turn_put(c);
    rn__chan_count_to(c, n + 1);
    return RN_MATCH_DONE;
}

/* Takes w out, with no lock held: its goroutine has ended with its run. */
void rn__chan_leave_recv(struct rn_waiter *w);
void rn__chan_leave_send(struct rn_waiter *w);

static inline void rn__chan_enqueue_recv(struct rn_chan *c, struct rn_waiter *w)
{
    rn_lock_assert_held(&c->lock);
    rn__waiter_note(w, rn__chan_leave_recv);
    w->queued = true;
    rn_list_push(&c->recvq, &w->node);
    rn__chan_waiters_add(&c->receivers, 1);
}

static inline void rn__chan_enqueue_send(struct rn_chan *c, struct rn_waiter *w)
{
    rn_lock_assert_held(&c->lock);
    rn__waiter_note(w, rn__chan_leave_send);
    w->queued = true;
    rn_list_push(&c->sendq, &w->node);
    rn__chan_waiters_add(&c->senders, 1);
}

/* Takes back a waiter that somebody other than this channel has woken. */
static inline void rn__chan_dequeue(struct rn_list *q, rn_atomic(uint32_t) * n, struct rn_waiter *w)
{
    if (w->queued) {
        w->queued = false;
        rn_list_remove(q, &w->node);
    }
    rn__chan_waiters_add(n, (uint32_t)-1);
}

/* With no lock held. */
static inline void rn__chan_wake(struct rn_waiter *w)
{
    struct rn_g *g = w->g;
    g->woken_by = w;
    rn__ready(g);
}

#endif
