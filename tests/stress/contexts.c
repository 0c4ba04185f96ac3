/* Context trees under a seed: made, canceled, asked and waited for by many at once. */
#include <runnel.h>
#include <runnel/test.h>

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static uint64_t seed_of(int i)
{
    return (test_seed() + (uint64_t)i) * 0x9e3779b97f4a7c15u | 1;
}

/* ---- one forest, everybody's --------------------------------------------------------------------- */

enum { TREES = 64, KEYS = 8, WORKERS = 16, STEPS = 4000 };

static _Atomic(rn_context *) forest[TREES];
static const char keys[KEYS];
static _Atomic int started, ran, stopped;

static rn_context *any(uint64_t *state)
{
    return forest[next_random(state) % TREES];
}

static rn_context *make_below(rn_context *parent, uint64_t *state)
{
    switch (next_random(state) % 5) {
    case 0:
        return ctx_with_timeout(parent, (rn_duration)(next_random(state) % 200000));
    case 1:
        return ctx_with_value(parent, &keys[next_random(state) % KEYS], &forest);
    case 2:
        return ctx_without_cancel(parent);
    case 3:
        return ctx_with_timeout(parent, RN_HOUR);
    default:
        return ctx_with_cancel(parent);
    }
}

static void plant(uint64_t *state)
{
    rn_context *c = make_below(any(state), state);
    ctx_cancel(atomic_exchange(&forest[next_random(state) % TREES], c));
}

static void count_ran(void *arg)
{
    (void)arg;
    ran++;
}

static void attach_function(uint64_t *state)
{
    started++;
    rn_ctx_after *a = ctx_after_func(any(state), count_ran, NULL);
    if (next_random(state) % 2 && ctx_after_stop(a))
        stopped++;
    else if (any(state) == NULL) /* of the background: never runs */
        rn_yield();
}

static void ask(uint64_t *state)
{
    rn_context *c = any(state);
    rn_time when;
    int err = ctx_err(c), cause = ctx_cause(c);
    CHECK(err == 0 || err == RN_ECANCELED || err == RN_ETIMEOUT);
    CHECK(!err || cause);
    void *value = ctx_value(c, &keys[next_random(state) % KEYS]);
    CHECK(value == NULL || value == &forest);
    if (ctx_deadline(c, &when))
        CHECK(when != INT64_MAX);
    if (err)
        CHECK(ctx_err(c) != 0);
}

static void wait_a_little(uint64_t *state)
{
    rn_context *a = any(state), *b = any(state);
    rn_duration d = (rn_duration)(next_random(state) % 100000);
    switch (chan_select(on_done(a), on_done(b), on_timeout(d))) {
    case 0:
        CHECK(ctx_err(a) != 0);
        break;
    case 1:
        CHECK(ctx_err(b) != 0);
        break;
    }
    (void)rn_sleep_ctx(a, d / 4);
}

static void hold(uint64_t *state)
{
    rn_context *c = ctx_retain(any(state));
    if (ctx_err(c) == 0)
        (void)chan_try_recv(ctx_done(c), NULL);
    rn_yield();
    ctx_release(c);
}

static void work(int i)
{
    uint64_t state = seed_of(i);
    for (int n = 0; n < STEPS; n++) {
        switch (next_random(&state) % 8) {
        case 0:
        case 1:
        case 2:
            plant(&state);
            break;
        case 3:
            attach_function(&state);
            break;
        case 4:
            wait_a_little(&state);
            break;
        case 5:
            ctx_cancel_cause(any(&state), -(int)(next_random(&state) % 100));
            break;
        default:
            ask(&state);
        }
    }
}

static void hold_often(int i)
{
    uint64_t state = seed_of(i);
    for (int n = 0; n < STEPS; n++)
        hold(&state);
}

TEST(a_forest_of_everybody)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < TREES; i++)
        forest[i] = ctx_with_cancel(NULL);
    for (int i = 0; i < WORKERS; i++)
        wg_go(&wg, work, i);
    wg_wait(&wg);
    for (int i = 0; i < TREES; i++)
        ctx_cancel(forest[i]);
    while (rn_num_contexts() != 0 || ran + stopped < started)
        rn_yield();
    CHECK_EQ(ran + stopped, started);
}

/* ctx_release of a handle that was gone when it was retained must stay without effect: so those who
 * hold only meet those who plant and cancel. */
TEST(holders_among_planters)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < TREES; i++)
        forest[i] = ctx_with_cancel(NULL);
    for (int i = 0; i < WORKERS / 2; i++) {
        wg_go(&wg, work, 100 + i);
        wg_go(&wg, hold_often, i);
    }
    wg_wait(&wg);
    for (int i = 0; i < TREES; i++)
        ctx_cancel(forest[i]);
    while (rn_num_contexts() != 0)
        rn_yield();
}

/* ---- a cancel returns when everything below is done --------------------------------------------------- */

enum { NODES = 200 };

struct tree {
    rn_context *node[NODES];
    int above[NODES];
    _Atomic int go;
};

static bool is_below(const struct tree *t, int i, int top)
{
    while (i > top)
        i = t->above[i];
    return i == top;
}

static void cancel_one(struct tree *t, int top)
{
    while (!t->go)
        rn_yield();
    ctx_cancel(t->node[top]);
    for (int i = top; i < NODES; i++)
        if (is_below(t, i, top) && !ctx_err(t->node[i]))
            FAIL("%d is below %d, which was canceled, and is not done", i, top);
}

static void grow_and_cancel(uint64_t *state)
{
    static struct tree t;
    t.go = 0;
    for (int i = 0; i < NODES; i++) {
        t.above[i] = i ? (int)(next_random(state) % (uint64_t)i) : 0;
        /* Now and then a long thin part. */
        if (i && next_random(state) % 4)
            t.above[i] = i - 1;
        t.node[i] = next_random(state) % 3 ? ctx_with_cancel(i ? t.node[t.above[i]] : NULL)
                                           : ctx_with_timeout(i ? t.node[t.above[i]] : NULL, RN_HOUR);
    }
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_go(&wg, cancel_one, &t, 0);
    for (int i = 0; i < 6; i++)
        wg_go(&wg, cancel_one, &t, (int)(next_random(state) % NODES));
    t.go = 1;
    wg_wait(&wg);
    for (int i = 0; i < NODES; i++)
        ctx_cancel(t.node[i]);
    CHECK_EQ(rn_num_contexts(), 0);
}

TEST(a_cancel_waits_for_all_below)
{
    uint64_t state = seed_of(0);
    for (int i = 0; i < 300; i++)
        grow_and_cancel(&state);
}

/* ---- everybody who waits is woken ------------------------------------------------------------------------ */

static void wait_until_done(rn_context *ctx, int how, rn_waitgroup *ready)
{
    chan(int) never = NULL;
    chan_recv_only(rn_unit) done = how == 2 ? ctx_done(ctx) : NULL;
    wg_done(ready);
    if (how == 0)
        ctx_wait(ctx);
    else if (how == 1)
        chan_select(on_recv(never, NULL), on_done(ctx));
    else
        chan_recv(done);
}

TEST(nobody_is_left_waiting)
{
    enum { WAITERS = 100 };
    uint64_t state = seed_of(7);
    for (int i = 0; i < 100; i++) {
        rn_context *root = ctx_with_timeout(NULL, i % 2 ? (rn_duration)(next_random(&state) % 500000) : RN_HOUR);
        rn_context *ctx[4] = {root, ctx_with_cancel(root), ctx_with_timeout(root, RN_HOUR), ctx_with_cancel(root)};
        rn_waitgroup wg = RN_WAITGROUP_INIT, ready = RN_WAITGROUP_INIT;
        wg_add(&ready, WAITERS);
        for (int w = 0; w < WAITERS; w++)
            wg_go(&wg, wait_until_done, ctx[w % 4], w % 3, &ready);
        wg_wait(&ready); /* has its channel, so that it may be used until ctx is gone */
        if (i % 2 == 0)
            ctx_cancel_cause(root, 0);
        wg_wait(&wg);
        for (int k = 3; k >= 0; k--)
            ctx_cancel(ctx[k]);
    }
    while (rn_num_contexts() != 0) /* an expiry may be in its last steps */
        rn_yield();
}
