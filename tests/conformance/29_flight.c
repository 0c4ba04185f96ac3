/* Singleflight: as in golang.org/x/sync/singleflight. */
#include "sync_inside.h"

static rn_flight flight;
static rn_atomic_int calls, together;
static int bar = 42;

static int simple(void *arg, void **result)
{
    rn_atomic_add(&calls, 1);
    *result = arg;
    return 0;
}

static int failing(void *arg, void **result)
{
    (void)arg, (void)result;
    return RN_ENOTFOUND;
}

TEST(returns_result_and_error)
{
    void *v;
    bool shared = true;
    CHECK_EQ(flight_do(&flight, "key", simple, &bar, &v, &shared), 0);
    CHECK_EQ(v, &bar);
    CHECK(!shared);
    CHECK_EQ(flight_do(&flight, "key", failing, NULL, &v, NULL), RN_ENOTFOUND);
    CHECK_EQ(v, NULL);
    CHECK_EQ(flight_do(&flight, "key", simple, &bar, NULL, NULL), 0);
    CHECK_EQ(rn_atomic_load(&calls), 2);
}

/* Who waits for the call with this key. */
static int guests(void)
{
    int n = 0;
    rn__waitq_lock(&flight.rn_lock);
    for (int i = 0; i < RN_FLIGHT_BUCKETS; i++)
        if (flight.rn_calls[i]) /* its list of guests; see flight.c */
            n = nodes(((struct {
                           void *a, *b;
                           const char *c;
                           uint32_t d;
                           struct rn_list q;
                       } *)(void *)flight.rn_calls[i])
                          ->q.first);
    rn__waitq_unlock(&flight.rn_lock);
    return n;
}

static int gated(void *gate, void **result)
{
    rn_atomic_add(&calls, 1);
    chan(int) c = gate;
    chan_recv(c);
    *result = &bar;
    return 0;
}

static void join(chan(int) gate)
{
    void *v;
    bool shared;
    CHECK_EQ(flight_do(&flight, "key", gated, (void *)gate, &v, &shared), 0);
    CHECK_EQ(v, &bar);
    if (shared)
        rn_atomic_add(&together, 1);
}

TEST(one_call_for_all_who_come_meanwhile)
{
    chan(int) gate = chan_make(int, 0);
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < 10; i++)
        wg_go(&wg, join, gate);
    while (guests() != 9)
        rn_yield();
    chan_send(gate, 1);
    wg_wait(&wg);
    CHECK_EQ(rn_atomic_load(&calls), 1);
    CHECK_EQ(rn_atomic_load(&together), 10);
    chan_free(gate);
}

TEST(other_keys_do_not_wait)
{
    chan(int) gate = chan_make(int, 0);
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_go(&wg, join, gate);
    while (rn_atomic_load(&calls) != 1)
        rn_yield();
    CHECK_EQ(flight_do(&flight, "another", simple, NULL, NULL, NULL), 0);
    chan_send(gate, 1);
    wg_wait(&wg);
    chan_free(gate);
}

TEST(forget_starts_anew)
{
    chan(int) gate = chan_make(int, 0);
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    void *v;
    wg_go(&wg, join, gate);
    while (rn_atomic_load(&calls) != 1)
        rn_yield();
    flight_forget(&flight, "key");
    flight_forget(&flight, "nobody");
    CHECK_EQ(flight_do(&flight, "key", simple, NULL, &v, NULL), 0);
    CHECK_EQ(rn_atomic_load(&calls), 2);
    chan_send(gate, 1);
    wg_wait(&wg);
    chan_free(gate);
}

static int gated_panic(void *gate, void **result)
{
    (void)result;
    chan(int) c = gate;
    rn_atomic_add(&calls, 1);
    chan_recv(c);
    rn_panic_value(&calls, "no flight today");
}

static int gated_exit(void *gate, void **result)
{
    (void)result;
    chan(int) c = gate;
    rn_atomic_add(&calls, 1);
    chan_recv(c);
    rn_exit_goroutine();
}

static void join_panic(chan(int) gate)
{
    EXPECT_PANIC("no flight today", flight_do(&flight, "key", gated_panic, (void *)gate, NULL, NULL));
}

static void join_exit(chan(int) gate)
{
    flight_do(&flight, "key", gated_exit, (void *)gate, NULL, NULL);
    FAIL("it went on");
}

static void share(void (*f)(chan(int)))
{
    chan(int) gate = chan_make(int, 0);
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < 5; i++)
        wg_go(&wg, f, gate);
    while (guests() != 4)
        rn_yield();
    chan_send(gate, 1);
    wg_wait(&wg);
    CHECK_EQ(rn_atomic_load(&calls), 1);
    chan_free(gate);
}

TEST(a_panic_is_shared)
{
    share(join_panic);
}

static void the_value(void *unused)
{
    (void)unused;
    void *value = NULL;
    CHECK(rn_recover_value(&value));
    CHECK_EQ(value, &calls);
}

static void join_panic_for_its_value(chan(int) gate)
{
    defer(the_value, NULL);
    flight_do(&flight, "key", gated_panic, (void *)gate, NULL, NULL);
}

TEST(a_panics_value_is_shared)
{
    share(join_panic_for_its_value);
}

TEST(an_exit_is_shared)
{
    share(join_exit);
}

TEST(a_context_ends_the_wait_for_anothers_call)
{
    chan(int) gate = chan_make(int, 0);
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    rn_context *ctx = ctx_with_timeout(ctx_background(), RN_MILLISECOND);
    wg_go(&wg, join, gate);
    while (rn_atomic_load(&calls) != 1)
        rn_yield();
    CHECK_EQ(flight_do_ctx(ctx, &flight, "key", simple, NULL, NULL, NULL), RN_ETIMEOUT);
    CHECK_EQ(guests(), 0);
    chan_send(gate, 1);
    wg_wait(&wg);
    ctx_cancel(ctx);
    chan_free(gate);
}

/* A result that is freed by the last of those who have it. */
struct counted {
    rn_atomic_int holders;
};

static int held_for;

static void hold(void *result, int more)
{
    held_for += more;
    rn_atomic_add(&((struct counted *)result)->holders, more);
}

static int make_counted(void *gate, void **result)
{
    chan(int) c = gate;
    struct counted *made = calloc(1, sizeof *made);
    made->holders = (rn_atomic_int){1};
    rn_atomic_add(&calls, 1);
    chan_recv(c);
    *result = made;
    return 0;
}

static void join_counted(chan(int) gate)
{
    void *v;
    CHECK_EQ(flight_do(&flight, "key", make_counted, (void *)gate, &v, NULL), 0);
    rn_yield(); /* others may give it up first */
    struct counted *c = v;
    if (rn_atomic_add(&c->holders, -1) == 0) {
        free(c);
        rn_atomic_add(&together, 1);
    }
}

TEST(a_result_knows_how_many_have_it)
{
    flight = (rn_flight)RN_FLIGHT_HOLD(hold);
    share(join_counted);
    CHECK_EQ(held_for, 4);
    CHECK_EQ(rn_atomic_load(&together), 1);
}

static int gated_failure(void *gate, void **result)
{
    (void)result;
    chan(int) c = gate;
    rn_atomic_store(&calls, 1);
    chan_recv(c);
    return RN_ENOTFOUND;
}

static void join_failure(chan(int) gate)
{
    CHECK_EQ(flight_do(&flight, "key", gated_failure, (void *)gate, NULL, NULL), RN_ENOTFOUND);
}

/* The first call, with nobody else; one that gives up, and one without a result: nobody to hold it for. */
TEST(who_does_not_get_the_result_does_not_hold_it)
{
    chan(int) gate = chan_make(int, 0);
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    rn_context *ctx = ctx_with_timeout(ctx_background(), RN_MILLISECOND);
    flight = (rn_flight)RN_FLIGHT_HOLD(hold);
    wg_go(&wg, join_counted, gate);
    while (rn_atomic_load(&calls) != 1)
        rn_yield();
    CHECK_EQ(flight_do_ctx(ctx, &flight, "key", make_counted, (void *)gate, NULL, NULL), RN_ETIMEOUT);
    chan_send(gate, 1);
    wg_wait(&wg);
    share(join_failure);
    CHECK_EQ(held_for, 0);
    CHECK_EQ(rn_atomic_load(&together), 1);
    ctx_cancel(ctx);
    chan_free(gate);
}
