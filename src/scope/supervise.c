/* scope_supervise: a goroutine of a scope that runs a function again when it fails.
 *
 * The function runs on the supervising goroutine's own stack, behind a deferred call that recovers, so that
 * a restart costs no goroutine.
 */
#include "base/alloc.h"
#include <runnel/scope.h>
#include <runnel/time.h>

const struct rn_restart rn_restart_default = {
    .most = 5, .within = 10 * RN_SECOND, .wait = 10 * RN_MILLISECOND, .wait_most = RN_SECOND};

/* Owned by the goroutine. */
struct charge {
    rn_context *ctx;
    struct rn_restart how;
    void (*f)(void);
    void *arg;
    bool is_void, panicked;
    int fails;        /* since `since` */
    rn_time since;    /* the first failure of those that count together */
    rn_duration wait; /* before the next start */
};

static void catch_panic(struct charge *c)
{
    c->panicked = rn_recover() != NULL;
}

/* Its value is 0 when it panicked. */
static int attempt(struct charge *c)
{
    rn_defer(catch_panic, c);
    if (!c->is_void)
        return ((int (*)(void *))c->f)(c->arg);
    ((void (*)(void *))c->f)(c->arg);
    return 0;
}

/* After a failure: whether there will be another start, after the wait for it. */
static bool wait_for_restart(struct charge *c)
{
    rn_time now = rn_now();
    if (c->fails == 0 || (c->how.within > 0 && now - c->since > c->how.within)) {
        c->fails = 0;
        c->since = now;
        c->wait = c->how.wait;
    }
    if (c->how.most >= 0 && c->fails >= c->how.most)
        return false;
    c->fails++;
    if (rn_sleep_ctx(c->ctx, c->wait) != 0)
        return false;
    c->wait = c->wait > c->how.wait_most / 2 ? c->how.wait_most : 2 * c->wait;
    return true;
}

static int supervise(struct charge *c)
{
    rn_defer(rn__free, c);
    int err;
    do {
        c->panicked = false;
        err = attempt(c);
        if (c->panicked)
            err = RN_EPANIC;
    } while (err && wait_for_restart(c));
    return err;
}

void rn__scope_supervise(rn_scope *s, const struct rn_restart *how, void (*f)(void), void *arg, bool is_void)
{
    struct rn_go_call call = rn__scope_call(s, false, true);
    struct charge *c = rn__malloc(sizeof *c);
    call.entry = (void *)supervise;
    call.err = c ? 0 : RN_ENOMEM;
    if (c) {
        *c = (struct charge){
            .ctx = rn_scope_context(s), .how = how ? *how : rn_restart_default, .f = f, .arg = arg, .is_void = is_void};
        (void)rn__go_with_chain(&call, 1, supervise, c);
    }
    if (!call.err)
        return;
    rn__free(c);
    rn__scope_not_started(&call);
}
