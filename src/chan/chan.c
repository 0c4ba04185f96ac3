/* Channels: make, send, receive, the forms that never block, close, free.
 *
 * chan.h says what always holds; match.h is where values change hands.  Every operation is: look
 * without the lock if the result may be "not now"; take the lock; one attempt; and then either
 * drop the lock and wake whom the attempt matched, or stand in a queue, drop the lock and park.
 */
#include "chan/chan.h"
#include "base/alloc.h"
#include "base/hooks.h"
#include "chan/done.h"
#include "chan/match.h"
#include "chan/race.h"
#include "chan/timer.h"
#include <runnel/chan.h>
#include <runnel/select.h>

/* ---- life --------------------------------------------------------------------------------------- */

void rn__chan_init(struct rn_chan *c, size_t elem, size_t cap, void *ring)
{
    memset(c, 0, sizeof *c);
    c->elem = (uint32_t)elem;
    c->cap = cap;
    /* Never NULL, so that 0 can be added to it. */
    c->ring = c->head = c->tail = ring ? ring : c;
    c->end = ring ? c->ring + elem * cap : c->ring;
    /* relaxed: whoever shares the channel publishes it. */
    rn_store_relaxed(&c->life, RN_CHAN_ALIVE);
}

/* The ring starts on a cache line of its own: beside the lock it would slow down both sides. */
enum { LINE = 64, HEADER = (sizeof(struct rn_chan_made) + LINE - 1) / LINE * LINE };

/* More bytes than a process can have addresses for. */
#define BEYOND_MEMORY ((size_t)1 << 48)

/* Where the ring starts; 0: the sizes are beyond what memory could ever hold. */
static size_t ring_offset(size_t elem, size_t align, unsigned long long cap)
{
    size_t at = align > HEADER ? align : HEADER;
    size_t most = BEYOND_MEMORY - at;
    if (elem > UINT32_MAX || cap > SIZE_MAX || (elem && cap > most / elem))
        return 0;
    return at;
}

/* At a multiple of `align`; NULL: no memory.  A larger block whose begin is left out: glibc keeps freed blocks of malloc for
 * the next, but makes each of posix_memalign anew (to make, use and free a channel took 104 ns so instead of 30). */
static struct rn_chan *allocate(size_t align, size_t bytes)
{
    enum { SURE = __alignof__(max_align_t) };
    align = align > LINE ? align : LINE;
    char *block = rn__malloc(bytes + align - SURE);
    if (!block)
        return NULL;
    uintptr_t at = ((uintptr_t)block + align - 1) / align * align;
    struct rn_chan_made *made = (struct rn_chan_made *)(void *)(block + (at - (uintptr_t)block));
    made->block = block;
    return &made->c;
}

void *rn__chan_make(size_t elem, size_t align, long long n, bool try_)
{
    size_t at = n < 0 ? 0 : ring_offset(elem, align, (unsigned long long)n);
    if (at == 0 && !(try_ && n >= 0))
        rn_panic("chan_make: size out of range");
    size_t ring = elem * (size_t)n;
    rn__race_call_begin(RN_RACE_PC);
    struct rn_chan *c = at ? allocate(align, ring ? at + ring : sizeof(struct rn_chan_made)) : NULL;
    rn__race_call_end();
    if (c) {
        rn__chan_init(c, elem, (size_t)n, ring ? (char *)c + at : NULL);
        rn__turns_make(c);
    } else if (!try_) {
        rn_panic("chan_make: out of memory");
    }
    if (c)
        rn__tell_made(c, RN_MADE_CHANNEL);
    return c;
}

/* Whether somebody in the queue can still be woken through it. */
static bool has_live(struct rn_list *q)
{
    for (struct rn_node *n = q->first; n; n = n->next) {
        struct rn_waiter *w = rn_container(n, struct rn_waiter, node);
        /* relaxed: a waiter without a winner yet is misuse, whoever wins a moment later. */
        if (!w->claim || rn_load_relaxed(w->claim) == 0)
            return true;
    }
    return false;
}

void rn__chan_leave_recv(struct rn_waiter *w)
{
    struct rn_chan *c = w->of;
    rn__chan_lock(c);
    rn__chan_dequeue(&c->recvq, &c->receivers, w);
    rn__chan_unlock(c);
}

void rn__chan_leave_send(struct rn_waiter *w)
{
    struct rn_chan *c = w->of;
    rn__chan_lock(c);
    rn__chan_dequeue(&c->sendq, &c->senders, w);
    rn__chan_unlock(c);
}

/* Nobody stands in c, has its lock, or had it and changed what we know of: its end needs no lock.  (A waker that the
 * caller has heard of by a look without the lock may still be about to release that; then the lock is waited for.) */
static bool is_quiet(struct rn_chan *c)
{
    /* acquire, three times: pair with the releases in match.h and of the lock, and keep the loads in this order. */
    return rn_load_acquire(&c->receivers) + rn_load_acquire(&c->senders) == 0 && !rn__chan_is_held(c);
}

static __attribute__((noinline)) void destroy_when_left(struct rn_chan *c)
{
    for (bool left = false; !left;) {
        rn__chan_lock(c);
        bool live = has_live(&c->recvq) || has_live(&c->sendq);
        /* relaxed: written with this lock held. */
        left = rn_load_relaxed(&c->receivers) + rn_load_relaxed(&c->senders) == 0;
        if (left)
            rn_store_relaxed(&c->life, RN_CHAN_FREED);
        rn__chan_unlock(c);
        if (live)
            rn_panic("chan_free: goroutines still wait on this channel");
        if (!left)
            rn_yield();
    }
}

void rn__chan_destroy(struct rn_chan *c)
{
    if (is_quiet(c))
        rn_store_relaxed(&c->life, RN_CHAN_FREED); /* relaxed: a check of misuse */
    else
        destroy_when_left(c);
}

void rn__chan_free_quietly(struct rn_chan *c)
{
    if (c->timer) {
        rn__timer_chan_free(c);
        return;
    }
    rn__chan_destroy(c);
    rn__turns_free(c);
    rn__tell_gone(c);
    rn__chan_bury(c);
}

static RN_NORETURN __attribute__((noinline, cold)) void not_a_channel(const char *what)
{
    rn_panic("%s of the end of a context (ctx_done): ctx_cancel closes it, and nothing need be freed", what);
}

void rn_chan_free(const volatile void *cv)
{
    rn__point(RN_AT_CHAN_FREE, RN__CH(cv));
    struct rn_chan *c = RN__CH(cv);
    if (!c)
        return;
    if (rn__chan_is_end(c))
        not_a_channel("chan_free");
    rn__chan_check(c);
    rn__chan_race_frees(c, RN_RACE_PC);
    rn__chan_free_quietly(c);
}

size_t rn_chan_len(const volatile void *cv)
{
    rn__point(RN_AT_CHAN_LEN, RN__CH(cv));
    struct rn_chan *c = RN__CH(cv);
    if (!c || rn__chan_is_end(c))
        return 0;
    (void)rn__chan_race_receives(c, RN_RACE_PC);
    rn__chan_check(c);
    /* relaxed: a number that may be old when the caller looks at it. */
    return c->timer ? 0 : rn_load_relaxed(&c->count);
}

size_t rn_chan_cap(const volatile void *cv)
{
    struct rn_chan *c = RN__CH(cv);
    if (!c || rn__chan_is_end(c))
        return 0;
    rn__chan_check(c);
    return c->timer ? 0 : c->cap;
}

/* ---- send ---------------------------------------------------------------------------------------- */

static RN_NORETURN void park_forever(enum rn_wait why)
{
    for (;;)
        rn__park(why, NULL);
}

static RN_NORETURN __attribute__((noinline, cold)) void send_on_closed(void)
{
    rn_panic("send on closed channel");
}

/* Stands in line and waits; c is locked, and unlocked here. */
static __attribute__((noinline)) void send_wait(struct rn_chan *c, const void *v)
{
    struct rn_waiter *w = rn__waiter_own(rn__self(), (void *)(uintptr_t)v, c);
    rn__turn_wait(w);
    rn__turn_share(w, w, true);
    rn__chan_enqueue_send(c, w);
    rn__chan_unlock(c);
    rn__park(RN_WAIT_CHAN_SEND, c);
    rn__turn_woken(w, true);
    if (!w->ok)
        send_on_closed();
}

/* c is locked, and unlocked here. */
static __attribute__((noinline)) void send_unlock(struct rn_chan *c, const void *v)
{
    struct rn_waiter *wake = NULL;
    enum rn_match m = rn__chan_put(c, v, &wake);
    if (m == RN_MATCH_WAIT) {
        send_wait(c, v);
        return;
    }
    rn__chan_unlock(c);
    if (wake)
        rn__chan_wake(wake);
    else if (__builtin_expect(m == RN_MATCH_CLOSED, 0))
        send_on_closed();
    rn__point(RN_AFTER_SEND, c);
}

static __attribute__((noinline)) void send_contended(struct rn_chan *c, const void *v)
{
    rn__chan_lock_slow(c);
    send_unlock(c, v);
}

void rn__chan_send_at(void *cv, const void *v, void *pc)
{
    rn__point(RN_AT_SEND, cv);
    struct rn_chan *c = cv;
    if (__builtin_expect(!c, 0))
        park_forever(RN_WAIT_CHAN_SEND_NIL);
    rn__chan_check(c);
    rn__chan_race_sends(c, v, pc);
    uint32_t free;
    if (!rn__chan_try_lock(c, &free)) {
        send_contended(c, v);
    } else if (!rn__chan_put_simply(c, v)) {
        send_unlock(c, v);
    } else {
        rn__chan_unlock_to(c, free);
        rn__point(RN_AFTER_SEND, c);
    }
}

int rn__chan_try_send(void *cv, const void *v)
{
    rn__point(RN_AT_SEND, cv);
    struct rn_chan *c = cv;
    struct rn_waiter *wake = NULL;
    if (!c)
        return RN_EAGAIN;
    rn__chan_check(c);
    rn__chan_race_sends(c, v, RN_RACE_PC);
    if (!rn__chan_seems_sendable(c))
        return RN_EAGAIN;
    rn__chan_lock(c);
    enum rn_match m = rn__chan_put(c, v, &wake);
    rn__chan_unlock(c);
    if (wake)
        rn__chan_wake(wake);
    if (__builtin_expect(m == RN_MATCH_CLOSED, 0))
        send_on_closed();
    return m == RN_MATCH_DONE ? 0 : RN_EAGAIN;
}

/* ---- receive --------------------------------------------------------------------------------------- */

/* Stands in line and waits; c is locked, and unlocked here.  After a close it may be gone when this one runs. */
static __attribute__((noinline)) bool recv_wait(struct rn_chan *c, void *v)
{
    struct rn_waiter *w = rn__waiter_own(rn__self(), v, c);
    size_t elem = c->elem;
    rn__turn_wait(w);
    rn__turn_share(w, w, true);
    rn__chan_enqueue_recv(c, w);
    rn__chan_unlock(c);
    rn__park(RN_WAIT_CHAN_RECV, c);
    rn__turn_woken(w, false);
    if (!w->ok && v)
        memset(v, 0, elem);
    return w->ok;
}

/* NULL, or the end of a context. */
static __attribute__((noinline, cold)) bool recv_end(void *c)
{
    struct rn_waiter w = {.g = rn__self(), .of = c};
    if (!c)
        park_forever(RN_WAIT_CHAN_RECV_NIL);
    if (rn__done_add(c, &w))
        rn__park(RN_WAIT_CONTEXT, c);
    (void)rn__done_seen(c);
    return false;
}

/* c is locked, and unlocked here. */
static __attribute__((noinline)) bool recv_unlock(struct rn_chan *c, void *v)
{
    struct rn_waiter *wake = NULL;
    enum rn_match m = rn__chan_take(c, v, &wake);
    if (m == RN_MATCH_WAIT)
        return recv_wait(c, v);
    rn__chan_unlock(c);
    if (wake)
        rn__chan_wake(wake);
    rn__point(RN_AFTER_RECV, c);
    return m == RN_MATCH_DONE;
}

static __attribute__((noinline)) bool recv_contended(struct rn_chan *c, void *v)
{
    rn__chan_lock_slow(c);
    return recv_unlock(c, v);
}

static inline bool receive(struct rn_chan *c, void *v)
{
    rn__point(RN_AT_RECV, c);
    if (__builtin_expect(!c || rn__chan_is_end(c), 0))
        return recv_end(c);
    rn__chan_check(c);
    uint32_t free;
    if (!rn__chan_try_lock(c, &free))
        return recv_contended(c, v);
    if (!rn__chan_take_simply(c, v))
        return recv_unlock(c, v);
    rn__chan_unlock_to(c, free);
    rn__point(RN_AFTER_RECV, c);
    return true;
}

bool rn__chan_recv_at(void *cv, void *v, void *pc)
{
    size_t n = rn__chan_race_receives(cv, pc);
    bool open = receive(cv, v);
    rn__chan_race_received(v, n, pc);
    return open;
}

int rn__chan_try_recv(void *cv, void *v)
{
    rn__point(RN_AT_RECV, cv);
    struct rn_chan *c = cv;
    struct rn_waiter *wake = NULL;
    if (rn__chan_is_end(c))
        return rn__done_seen(cv) ? RN_ECLOSED : RN_EAGAIN;
    if (!c)
        return RN_EAGAIN;
    rn__chan_check(c);
    size_t n = rn__chan_race_receives(c, RN_RACE_PC);
    if (!rn__chan_seems_receivable(c))
        return RN_EAGAIN;
    rn__chan_lock(c);
    enum rn_match m = rn__chan_take(c, v, &wake);
    rn__chan_unlock(c);
    if (wake)
        rn__chan_wake(wake);
    if (m != RN_MATCH_WAIT)
        rn__chan_race_received(v, n, RN_RACE_PC);
    return m == RN_MATCH_DONE ? 0 : m == RN_MATCH_CLOSED ? RN_ECLOSED : RN_EAGAIN;
}

/* ---- with a context --------------------------------------------------------------------------------- */

int rn__chan_send_ctx(rn_context *ctx, void *c, const void *v)
{
    struct rn_case cases[] = {
        {.kind = RN_CASE_SEND, .chan = c, .elem = (void *)(uintptr_t)v},
        {.kind = RN_CASE_DONE, .chan = ctx},
    };
    return rn__select_at(cases, 2, RN_RACE_PC) == 0 ? 0 : rn__done_seen(ctx);
}

int rn__chan_recv_ctx(rn_context *ctx, void *c, void *v)
{
    bool open = false;
    struct rn_case cases[] = {
        {.kind = RN_CASE_RECV, .chan = c, .elem = v, .ok = &open},
        {.kind = RN_CASE_DONE, .chan = ctx},
    };
    if (rn__select_at(cases, 2, RN_RACE_PC) != 0)
        return rn__done_seen(ctx);
    return open ? 0 : RN_ECLOSED;
}

/* ---- close ------------------------------------------------------------------------------------------- */

/* Everybody in q finds out that the channel is closed.  Who waits for this channel only clears its variable itself: so
 * nobody's stack is touched here, and those of a million that are away come back one by one, as each runs. */
static void dismiss(struct rn_chan *c, struct rn_list *q, rn_atomic(uint32_t) * n, struct rn_ready_list *wake)
{
    for (struct rn_waiter *w; (w = rn__chan_pop(q, n)) != NULL;) {
        w->ok = false;
        rn__turn_close_for(w);
        if (q == &c->recvq && w != &w->g->wait)
            rn__chan_zero(c, w->elem);
        w->g->woken_by = w;
        rn__ready_add(wake, w->g);
    }
}

void rn__chan_close_quietly(struct rn_chan *c)
{
    rn__point(RN_AT_CLOSE, c);
    struct rn_ready_list wake = {0};
    rn__chan_lock(c);
    /* relaxed: written with this lock held. */
    bool again = rn_load_relaxed(&c->closed);
    if (!again) {
        /* release: pairs with the acquire in rn__chan_seems_sendable. */
        rn_store_release(&c->closed, true);
        dismiss(c, &c->recvq, &c->receivers, &wake);
        dismiss(c, &c->sendq, &c->senders, &wake);
    }
    rn__chan_unlock(c);
    if (again)
        rn_panic("close of closed channel");
    if (wake.n)
        rn__ready_all(&wake);
    rn__point(RN_AFTER_CLOSE, c);
}

void(rn_chan_close)(const volatile void *cv)
{
    struct rn_chan *c = RN__CH(cv);
    if (!c)
        rn_panic("close of nil channel");
    if (rn__chan_is_end(c))
        not_a_channel("close");
    rn__chan_check(c);
    if (c->timer)
        rn_panic("close of a timer's channel");
    rn__chan_race_closes(c, RN_RACE_PC);
    rn__chan_close_quietly(c);
}

/* ---- for timers --------------------------------------------------------------------------------------- */

bool rn__chan_offer(struct rn_chan *c, const void *v, struct rn_ready_list *wake)
{
    struct rn_waiter *w = NULL;
    rn__chan_lock(c);
    enum rn_match m = rn__chan_put(c, v, &w);
    if (w) {
        w->g->woken_by = w;
        rn__ready_add(wake, w->g);
    }
    rn__chan_unlock(c);
    return m == RN_MATCH_DONE;
}

size_t rn__chan_drain(struct rn_chan *c)
{
    rn__chan_lock(c);
    /* relaxed: written with this lock held. */
    size_t n = rn_load_relaxed(&c->count);
    c->head = c->tail;
    rn__chan_count_to(c, 0);
    rn__chan_unlock(c);
    return n;
}
