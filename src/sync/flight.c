/* Singleflight: calls that are under way, by key, and who shares them.
 *
 * A call's record lives on the stack of the one who runs it (the leader), a guest's on the guest's; so
 * nothing is allocated.  The flight's lock guards the buckets and the guests of every call.  The
 * leader takes its call out of the buckets and then, under the same hold, writes the outcome into each
 * guest's record; after that nobody knows of the call any more.  A guest whose context is done takes
 * itself out under the lock, and so does the end of its run.  When a run ends that the leader belongs to, the call is taken
 * out, and plain threads that share it are told: nothing may lead to its stack any more.  A result that is counted (RN_FLIGHT_HOLD) gets its further holders after that,
 * when their number is known, and before any of them runs.
 */
#include <runnel/flight.h>

#include "base/race.h"
#include "chan/wait.h"
#include "sync/waitq.h"
#include <stdio.h>
#include <string.h>

struct outcome {
    enum rn_ended how;
    int err;
    void *result;
    char text[160]; /* PANIC: the beginning of its text */
    void *value;    /* PANIC */
};

struct rn_flight_call {
    struct rn_flight_call *next; /* in the bucket */
    rn_flight *flight;
    const char *key;
    uint32_t hash;
    struct rn_list guests; /* guarded by the flight's lock */
    bool shared, returned;
    struct outcome out;
};

struct guest {
    struct rn_waiter w; /* of is the flight */
    struct rn_flight_call *call;
    rn_atomic(uint32_t) claim;
    struct outcome out;
};

static uint32_t hash_of(const char *key)
{
    uint32_t h = 2166136261u; /* FNV-1a */
    for (const unsigned char *p = (const unsigned char *)key; *p; p++)
        h = (h ^ *p) * 16777619u;
    return h ^ h >> 16;
}

/* With the lock: where the call with this key is linked, or the end of the bucket. */
static struct rn_flight_call **find(rn_flight *f, const char *key, uint32_t hash)
{
    struct rn_flight_call **at = &f->rn_calls[hash % RN_FLIGHT_BUCKETS];
    while (*at && ((*at)->hash != hash || strcmp((*at)->key, key) != 0))
        at = &(*at)->next;
    return at;
}

/* With the lock: c is not found any more, if it still was. */
static void unlink_call(struct rn_flight_call *c)
{
    struct rn_flight_call **at = &c->flight->rn_calls[c->hash % RN_FLIGHT_BUCKETS];
    while (*at && *at != c)
        at = &(*at)->next;
    if (*at)
        *at = c->next;
}

/* ---- guests: with the flight's lock ------------------------------------------------------------------ */

static void take_out(struct guest *g)
{
    if (g->w.queued) {
        g->w.queued = false;
        rn_list_remove(&g->call->guests, &g->w.node);
    }
}

/* Its goroutine has ended with its run. */
static void leave(struct rn_waiter *w)
{
    rn_flight *f = w->of;
    rn__waitq_lock(&f->rn_lock);
    take_out(rn_container(w, struct guest, w));
    rn__waitq_unlock(&f->rn_lock);
}

static void push(struct rn_flight_call *c, struct guest *g)
{
    c->shared = true;
    g->call = c;
    g->w.of = c->flight;
    g->w.queued = true;
    rn__waiter_note(&g->w, leave);
    rn_list_push(&c->guests, &g->w.node);
}

/* Ends the call for its guests: adds those whom it claims to wake, and returns how many these are. */
static int tell_all(struct rn_flight_call *c, struct rn_ready_list *wake)
{
    int n = 0;
    for (struct rn_node *node; (node = rn_list_pop(&c->guests)) != NULL;) {
        struct rn_waiter *w = rn_container(node, struct rn_waiter, node);
        w->queued = false;
        if (!rn__waiter_claim(w))
            continue;
        w->g->woken_by = w;
        rn_container(w, struct guest, w)->out = c->out;
        rn__race_wakes(w);
        rn__ready_add(wake, w->g);
        n++;
    }
    return n;
}

/* ---- leaders ------------------------------------------------------------------------------------------ */

static void judge(struct rn_flight_call *c)
{
    const struct rn_panic *p = c->returned ? NULL : rn__self()->panic;
    c->out.how = c->returned ? RN_ENDED_RETURN : p && !p->is_exit ? RN_ENDED_PANIC : RN_ENDED_EXIT;
    if (c->out.how != RN_ENDED_PANIC)
        return;
    snprintf(c->out.text, sizeof c->out.text, "%s", p->text ? p->text : "");
    c->out.value = p->value;
}

/* The leader's deferred call: however it ended, all guests are told. */
static void land(void *call)
{
    struct rn_flight_call *c = call;
    struct rn_ready_list wake = {0};
    judge(c);
    rn__waitq_lock(&c->flight->rn_lock);
    unlink_call(c);
    int more = tell_all(c, &wake);
    rn__waitq_unlock(&c->flight->rn_lock);
    if (more && c->flight->rn_hold && c->out.how == RN_ENDED_RETURN && c->out.result)
        c->flight->rn_hold(c->out.result, more);
    if (wake.n)
        rn__ready_all(&wake);
}

/* The leader has ended with its run, and so have all goroutines among the guests. */
static void abandon(struct rn_flight_call *c)
{
    struct rn_ready_list wake = {0};
    c->out = (struct outcome){.how = RN_ENDED_RETURN, .err = RN_ECANCELED};
    rn__waitq_lock(&c->flight->rn_lock);
    unlink_call(c);
    (void)tell_all(c, &wake);
    rn__waitq_unlock(&c->flight->rn_lock);
    rn__ready_all(&wake);
}

static void abandon_calls_of(struct rn_g *g, void *arg)
{
    (void)arg;
    for (const struct rn_defer *d = g->defers; d; d = d->up)
        if (d->f == land && !rn__is_mains(((struct rn_flight_call *)d->arg)->flight))
            abandon(d->arg);
}

static void run_has_ended(void)
{
    rn__goroutines_each(abandon_calls_of, NULL);
}

static struct rn_stop_hook stop_hook = {.f = run_has_ended};

/* pc: where the program calls.  noinline: a panic of fn's takes frames off the race detector's stack by functions that
 * begin with rn__race_call_begin (sched/panic.c). */
static __attribute__((noinline)) void lead(struct rn_flight_call *c, rn_flight_fn *fn, void *arg, void *pc)
{
    rn__race_call_begin(pc);
    if (rn__is_goroutine(rn__self()))
        rn__at_stop(&stop_hook);
    rn_defer(land, c);
    c->out.err = fn(arg, &c->out.result);
    c->returned = true;
    rn__race_call_end();
}

/* With the lock dropped; g was queued with a call. */
static int follow(rn_context *ctx, rn_flight *f, struct guest *g)
{
    int err = rn__wait_ctx(&g->w, ctx, RN_WAIT_FLIGHT, f);
    if (err) {
        leave(&g->w);
        return err;
    }
    rn__race_woken(&g->w);
    if (g->out.how == RN_ENDED_PANIC)
        rn_panic_value(g->out.value, g->out.text);
    if (g->out.how == RN_ENDED_EXIT)
        rn_exit_goroutine();
    return 0;
}

static inline int do_at(rn_context *ctx, rn_flight *f, const char *key, rn_flight_fn *fn, void *arg, void **result,
                        bool *shared, void *pc)
{
    rn__point(RN_AT_FLIGHT, f);
    struct rn_flight_call mine = {.flight = f, .key = key, .hash = hash_of(key)};
    struct guest g = {.w = {.g = rn__self()}};
    g.w.claim = &g.claim;
    rn__race_read_text(key, pc);
    rn__waitq_check(&f->rn_lock, "flight");
    rn__waitq_lock(&f->rn_lock);
    struct rn_flight_call **at = find(f, key, mine.hash), *c = *at;
    if (c) {
        push(c, &g);
    } else {
        *at = &mine;
    }
    rn__waitq_unlock(&f->rn_lock);
    if (c) {
        int err = follow(ctx, f, &g);
        if (err)
            return err;
    } else {
        lead(&mine, fn, arg, pc);
    }
    const struct outcome *out = c ? &g.out : &mine.out;
    if (result)
        *result = out->result;
    if (shared)
        *shared = c || mine.shared;
    return out->err;
}

int rn_flight_do_ctx(rn_context *ctx, rn_flight *f, const char *key, rn_flight_fn *fn, void *arg, void **result,
                     bool *shared)
{
    return do_at(ctx, f, key, fn, arg, result, shared, RN_RACE_PC);
}

int rn_flight_do(rn_flight *f, const char *key, rn_flight_fn *fn, void *arg, void **result, bool *shared)
{
    return do_at(NULL, f, key, fn, arg, result, shared, RN_RACE_PC);
}

void rn_flight_forget(rn_flight *f, const char *key)
{
    rn__point(RN_AT_FLIGHT, f);
    uint32_t hash = hash_of(key);
    rn__waitq_lock(&f->rn_lock);
    struct rn_flight_call **at = find(f, key, hash);
    if (*at)
        *at = (*at)->next;
    rn__waitq_unlock(&f->rn_lock);
}
