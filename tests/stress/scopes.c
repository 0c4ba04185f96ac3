/* Scopes under a seed: nested, with limits, errors, panics and cancels at random.  Whatever happens,
 * nothing of a scope runs once its block is left. */
#include <runnel.h>
#include <runnel/test.h>

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Lives in the block of a scope; everything below it counts itself here. */
struct block {
    struct block *above;
    _Atomic int running;
};

static void come(struct block *b)
{
    for (; b; b = b->above)
        b->running++;
}

static void leave(struct block *b)
{
    for (; b; b = b->above)
        b->running--;
}

static int node(struct block *above, rn_context *ctx, uint64_t seed, int depth);

static void misbehave(uint64_t *state, rn_scope *s)
{
    switch (next_random(state) % 40) {
    case 0:
        rn_panic("at random");
    case 1:
        rn_exit_goroutine();
    case 2:
        scope_cancel(s);
        break;
    case 3:
        rn_sleep((rn_duration)(next_random(state) % 50000));
        break;
    default:
        rn_yield();
    }
}

static int inner(struct block *here, rn_context *ctx, uint64_t *state, int depth)
{
    rn_scope s;
    scope_begin_with(&s, ctx, (enum rn_scope_policy)(next_random(state) % 4));
    if (next_random(state) % 3 == 0)
        scope_limit(&s, (long)(1 + next_random(state) % 3));
    for (uint64_t n = 1 + next_random(state) % 5; n > 0; n--) {
        scope_go(&s, node, here, scope_context(&s), next_random(state) | 1, depth - 1);
        misbehave(state, &s);
    }
    if (next_random(state) % 4 == 0)
        return -1; /* leaves the scope to its end */
    return scope_end(&s);
}

static void check_empty(struct block *b)
{
    CHECK_EQ(b->running, 1); /* the one itself */
    leave(b);
}

static int node(struct block *above, rn_context *ctx, uint64_t seed, int depth)
{
    uint64_t state = seed;
    struct block here = {.above = above};
    come(&here);
    defer(check_empty, &here);
    if (depth > 0)
        return inner(&here, ctx, &state, depth);
    if (next_random(&state) % 4 == 0)
        return rn_sleep_ctx(ctx, (rn_duration)(next_random(&state) % 200000));
    return next_random(&state) % 3 ? 0 : -2;
}

static void ignore_panic(void *arg)
{
    (void)arg;
    const char *text = rn_recover();
    if (text)
        CHECK_STR(text, "at random");
}

static void one_tree(uint64_t seed)
{
    defer(ignore_panic, NULL);
    (void)node(NULL, NULL, seed, 3);
}

/* Each in a goroutine of its own, which rn_exit_goroutine at its root ends. */
TEST(trees_of_scopes)
{
    enum { ROUNDS = 60, TREES = 20 };
    for (uint64_t i = 0; i < ROUNDS; i++) {
        rn_waitgroup wg = RN_WAITGROUP_INIT;
        for (uint64_t n = 0; n < TREES; n++)
            wg_go(&wg, one_tree, (test_seed() + i * TREES + n) * 0x9e3779b97f4a7c15u | 1);
        wg_wait(&wg);
        CHECK_EQ(rn_num_contexts(), 0);
    }
}
