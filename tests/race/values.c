/* What hands values on (pools, onces, maps, contexts, scopes, timers' channels), and locks that are used wrongly. */
#include "pairs.h"
#include <runnel/file.h>
#include <sched.h>

/* More than one processor's stack of the pool keeps, so that the other finds some in any case. */
enum { OBJECTS = 4 * RN_POOL_KEEPS };
static int objects[OBJECTS];
static rn_pool pool = RN_POOL_INIT(NULL, NULL);

static void put_all(bool early)
{
    for (int i = 0; i < OBJECTS; i++) {
        objects[i] = 1;
        pool_put(&pool, &objects[i]);
    }
    for (int i = 0; early && i < OBJECTS; i++)
        objects[i] = 2;
    STEP(1);
}

static void get_one(void)
{
    AWAIT(1);
    int *object = pool_get(&pool);
    REQUIRE(object != NULL);
    *object = 3;
}
CLEAN(pool_clean, put_all(false), get_one(); pool_drain(&pool))
RACY(used_after_put_racy, put_all(true), get_one(); pool_drain(&pool))

static rn_once_value(int) value;
static int make_value(void)
{
    return 7;
}
HANDOVER(once_value, CHECK_EQ(once_value(&value, make_value), 7), CHECK_EQ(once_value(&value, make_value), 7))

/* The contents of what a map holds. */
static rn_map map = RN_MAP_INIT;
static int *found, *none;
HANDOVER(map_value, map_store(&map, 1, &x), REQUIRE(map_load(&map, 1, &found)); *found = 3)
HANDOVER(map_load_or_store, (void)map_load_or_store(&map, 1, &x, &none),
         REQUIRE(map_load_or_store(&map, 1, NULL, &found));
         *found = 3)
HANDOVER(map_swap, map_store(&map, 1, &x), REQUIRE(map_swap(&map, 1, NULL, &found)); *found = 3)
HANDOVER(map_compare_and_swap, map_store(&map, 1, &x), CHECK(map_compare_and_swap(&map, 1, &x, NULL)))

/* Semaphores by weight. */
static rn_semaphore wide = RN_SEMAPHORE_INIT(2);
#define HELD(n)                                     \
    REQUIRE(rn_sem_acquire(NULL, &wide, (n)) == 0); \
    WRITE;                                          \
    rn_sem_release(&wide, (n))
CLEAN(whole_weight_clean, HELD(2), HELD(2))
RACY(half_weight_racy, REQUIRE(rn_sem_acquire(NULL, &wide, 1) == 0); WRITE; STEP(1); AWAIT(2);
     rn_sem_release(&wide, 1), AWAIT(1); HELD(1); STEP(2))

/* Between the two locks of an upgrade anybody may come. */
CLEAN(upgrade_clean, rwmutex_rlock(&rw); READ; rwmutex_runlock(&rw); rwmutex_lock(&rw); WRITE;
      rwmutex_unlock(&rw), rwmutex_rlock(&rw); READ; rwmutex_runlock(&rw))
RACY(upgrade_racy, rwmutex_rlock(&rw); READ; rwmutex_runlock(&rw); WRITE; STEP(1), AWAIT(1); rwmutex_rlock(&rw); READ;
     rwmutex_runlock(&rw))

/* The waiter is woken by one who holds the right lock, or another. */
static rn_cond cond;
static rn_mutex other;
static void wake(rn_mutex *with)
{
    while (__atomic_load_n(&pair_step, __ATOMIC_RELAXED) < 1) {
        mutex_lock(with);
        rn_cond_signal(&cond);
        mutex_unlock(with);
        rn_yield();
    }
    mutex_lock(with);
    WRITE;
    mutex_unlock(with);
    STEP(2);
}

static void woken(void)
{
    mutex_lock(&mu);
    rn_cond_wait(&cond, &mu);
    mutex_unlock(&mu);
    STEP(1);
    AWAIT(2);
    mutex_lock(&mu);
    WRITE;
    mutex_unlock(&mu);
}
CLEAN(cond_with_its_lock_clean, wake(&mu), woken())
RACY(cond_with_another_lock_racy, wake(&other), woken())

/* A context's value is found, and orders nothing. */
static rn_context *valued;
static void give_value(void)
{
    rn_context *c = ctx_with_value(ctx, &valued, &x);
    __atomic_store_n(&valued, c, __ATOMIC_RELAXED);
}

static void take_value(void)
{
    rn_context *c = __atomic_load_n(&valued, __ATOMIC_RELAXED);
    *(int *)ctx_value(c, &valued) = 2;
    ctx_cancel(c);
}
CLEAN(ctx_value_clean, give_value(); WRITE; chan_send(c1, 1), (void)chan_recv(c1); take_value())
RACY(ctx_value_racy, give_value(); WRITE; STEP(1), AWAIT(1); take_value())

/* One context's end calls what ends the next. */
static void last_of_chain(void *arg)
{
    WRITE;
    chan_send(c1, 1);
    (void)arg;
}

static void first_of_chain(void *next)
{
    WRITE;
    ctx_cancel(next);
}

static void chain(bool early)
{
    rn_context *next = ctx_with_cancel(ctx_background());
    (void)ctx_after_func(next, last_of_chain, NULL);
    (void)ctx_after_func(ctx, first_of_chain, next);
    WRITE;
    ctx_cancel_cause(ctx, 0);
    if (early)
        WRITE;
    (void)chan_recv(c1);
    WRITE;
}
CLEAN(after_func_chain_clean, chain(false), (void)0)
RACY(after_func_chain_racy, chain(true), (void)0)

static void one_of_two(void *lock)
{
    if (lock)
        mutex_lock(lock);
    WRITE;
    if (lock)
        mutex_unlock(lock);
    chan_send(c0, 1);
}

static void two_after(rn_mutex *lock)
{
    (void)ctx_after_func(ctx, one_of_two, lock);
    (void)ctx_after_func(ctx, one_of_two, lock);
    ctx_cancel_cause(ctx, 0);
    (void)chan_recv(c0);
    (void)chan_recv(c0);
}
CLEAN(two_after_funcs_clean, two_after(&mu), (void)0)
RACY(two_after_funcs_racy, two_after(NULL), (void)0)

/* Timers and tickers: setting one comes before what it sends. */
static rn_timer timer;
static rn_ticker ticker;
HANDOVER(timer_set, rn_timer_init(&timer, 1), (void)chan_recv(rn_timer_chan(&timer)))
HANDOVER(ticker_set, rn_ticker_init(&ticker, RN_MILLISECOND), (void)chan_recv(rn_ticker_chan(&ticker));
         rn_ticker_stop(&ticker))
CLEAN(timer_reset_clean, rn_timer_init(&timer, RN_HOUR); WRITE; rn_timer_reset(&timer, 1); STEP(1), AWAIT(1);
      (void)chan_recv(rn_timer_chan(&timer)); WRITE)
RACY(timer_reset_racy, rn_timer_init(&timer, RN_HOUR); rn_timer_reset(&timer, 1); WRITE; STEP(1), AWAIT(1);
     (void)chan_recv(rn_timer_chan(&timer)); WRITE)
CLEAN(ticker_reset_clean, rn_ticker_init(&ticker, RN_HOUR); WRITE; rn_ticker_reset(&ticker, RN_MILLISECOND);
      STEP(1), AWAIT(1); (void)chan_recv(rn_ticker_chan(&ticker)); WRITE; rn_ticker_stop(&ticker))
RACY(ticker_reset_racy, rn_ticker_init(&ticker, RN_HOUR); rn_ticker_reset(&ticker, RN_MILLISECOND); WRITE;
     STEP(1), AWAIT(1); (void)chan_recv(rn_ticker_chan(&ticker)); WRITE; rn_ticker_stop(&ticker))

/* Scopes: results, limits, restarts. */
static int results[2];
/* By turns, which orders nothing: the detector may miss two that do it within the same few nanoseconds. */
static int sum_up(int *to, int turn)
{
    AWAIT(turn);
    (*to)++;
    STEP(turn + 1);
    return 0;
}

static void results_of_scope(bool shared, long limit)
{
    rn_scope s;
    scope_begin(&s, NULL);
    scope_limit(&s, limit);
    scope_go(&s, sum_up, &results[0], 0);
    scope_go(&s, sum_up, &results[shared ? 0 : 1], 1);
    CHECK_EQ(scope_end(&s), 0);
    CHECK_EQ(results[0] + results[1], 2);
}
CLEAN(results_of_their_own_clean, results_of_scope(false, 0), (void)0)
RACY(result_shared_racy, results_of_scope(true, 0), (void)0)
CLEAN(one_at_a_time_clean, results_of_scope(true, 1), (void)0)
RACY(two_at_a_time_racy, results_of_scope(true, 2), (void)0)

/* Groups: whoever gets a slot comes after the one who had it, not after those in the other slots. */
static void results_of_group(bool shared, int limit)
{
    rn_group g = RN_GROUP_INIT;
    group_limit(&g, limit);
    group_go(&g, sum_up, &results[0], 0);
    group_go(&g, sum_up, &results[shared ? 0 : 1], 1);
    CHECK_EQ(group_wait(&g), 0);
    CHECK_EQ(results[0] + results[1], 2);
}
CLEAN(slots_of_their_own_clean, results_of_group(false, -1), (void)0)
RACY(slots_shared_racy, results_of_group(true, -1), (void)0)
CLEAN(one_slot_clean, results_of_group(true, 1), (void)0)
RACY(two_slots_racy, results_of_group(true, 2), (void)0)

enum part { FIRST, STAYS, LAST };
static int part_of_three(enum part part, bool all_write)
{
    if (part == STAYS)
        AWAIT(1);
    if (part != STAYS || all_write)
        WRITE;
    if (part == LAST)
        STEP(1);
    return 0;
}

/* The last begins when the first has ended, and before the one that stays has. */
static void slot_handed_on(bool all_write)
{
    rn_group g = RN_GROUP_INIT;
    group_limit(&g, 2);
    for (int i = FIRST; i <= LAST; i++)
        group_go(&g, part_of_three, (enum part)i, all_write);
    CHECK_EQ(group_wait(&g), 0);
}
CLEAN(slot_handed_on_clean, slot_handed_on(false), (void)0)
RACY(slot_handed_on_racy, slot_handed_on(true), (void)0)

static void place_handed_on(bool all_write, bool changes)
{
    rn_scope s;
    scope_begin(&s, NULL);
    scope_limit(&s, changes ? 1 : 2);
    for (int i = FIRST; i <= LAST; i++) {
        if (i == STAYS)
            scope_limit(&s, 2);
        scope_go(&s, part_of_three, (enum part)i, all_write);
    }
    CHECK_EQ(scope_end(&s), 0);
}
CLEAN(place_handed_on_clean, place_handed_on(false, false), (void)0)
RACY(place_handed_on_racy, place_handed_on(true, false), (void)0)
CLEAN(place_of_changed_limit_clean, place_handed_on(false, true), (void)0)

static const struct rn_restart at_once = {.most = 3};
static int fails_twice(void *arg)
{
    (void)arg;
    return ++x < 3 ? RN_EINVAL : 0;
}

static void supervise(bool early)
{
    rn_scope s;
    scope_begin(&s, NULL);
    scope_supervise(&s, &at_once, fails_twice, NULL);
    if (early)
        READ;
    CHECK_EQ(scope_end(&s), 0);
    CHECK_EQ(x, 3);
}
CLEAN(supervised_clean, supervise(false), (void)0)
RACY(supervised_racy, supervise(true), (void)0)

/* A call that blocks, waited for or given up. */
static void blocks(void *arg)
{
    (void)arg;
    WRITE;
}

static void blocks_on(void *arg)
{
    (void)arg;
    STEP(1);
    while (__atomic_load_n(&pair_step, __ATOMIC_RELAXED) < 2)
        sched_yield();
    WRITE;
    STEP(3);
}
CLEAN(blocking_call_clean, WRITE; REQUIRE(rn_blocking_ctx(NULL, blocks, NULL, NULL) == 0); WRITE, (void)0)
RACY(blocking_call_racy, REQUIRE(rn_blocking_ctx(NULL, blocks, NULL, NULL) == 0); STEP(1), AWAIT(1); WRITE)
CLEAN(call_waited_for_clean, REQUIRE(rn_blocking_ctx(NULL, blocks_on, NULL, NULL) == 0); WRITE, AWAIT(1);
      ctx_cancel_cause(ctx, 0); STEP(2))
RACY(call_given_up_racy, REQUIRE(rn_blocking_ctx(ctx, blocks_on, NULL, NULL) == RN_ECANCELED); WRITE; STEP(2);
     AWAIT(3), AWAIT(1); ctx_cancel_cause(ctx, 0))
