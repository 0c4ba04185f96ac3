/* Waitgroups, conditions, onces, semaphores, groups and flights, with contexts that end at any moment. */
#include "../conformance/sync_inside.h"

static rn_context *soon(uint64_t r)
{
    return ctx_with_timeout(ctx_background(), (rn_duration)(r % 40000));
}

/* ---- waitgroup ---------------------------------------------------------------------------------- */

static rn_atomic_int64 done_n;

static void part(uint64_t r)
{
    if (r % 4 == 0)
        rn_yield();
    rn_atomic_add(&done_n, 1);
}

static void *wait_in_thread(void *wg)
{
    wg_wait(wg);
    return NULL;
}

static void wait_for(rn_waitgroup *wg, rn_waitgroup *waited, uint64_t r)
{
    if (r % 2) {
        rn_context *ctx = soon(r);
        if (wg_wait_ctx(ctx, wg) != 0)
            wg_wait(wg);
        ctx_cancel(ctx);
    } else {
        wg_wait(wg);
    }
    wg_done(waited);
}

/* A waitgroup of this frame; gone, and overwritten, when all waits have returned. */
static void round_of(uint64_t *seed)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT, waited = RN_WAITGROUP_INIT;
    pthread_t t;
    int n = 1 + (int)(next_random(seed) % 6), others = (int)(next_random(seed) % 4);
    bool thread = next_random(seed) % 16 == 0;
    int64_t before = rn_atomic_load(&done_n);
    for (int i = 0; i < n; i++)
        wg_go(&wg, part, next_random(seed));
    wg_add(&waited, others);
    for (int i = 0; i < others; i++)
        go(wait_for, &wg, &waited, next_random(seed));
    if (thread)
        pthread_create(&t, NULL, wait_in_thread, &wg);
    wg_wait(&wg);
    CHECK_EQ(rn_atomic_load(&done_n), before + n);
    wg_wait(&waited);
    if (thread)
        pthread_join(t, NULL);
    memset(&wg, 0xa5, sizeof wg);
}

TEST(waitgroups_come_and_go)
{
    uint64_t seed = test_seed();
    for (int i = 0; i < 2000; i++)
        round_of(&seed);
}

/* ---- condition: a bounded queue ------------------------------------------------------------------ */

static rn_mutex mu;
static rn_cond not_empty, not_full;
static int queued;
static int64_t put_n, got_n;

static void put(int turns)
{
    for (int i = 0; i < turns; i++) {
        mutex_lock(&mu);
        while (queued == 4)
            cond_wait(&not_full, &mu);
        queued++;
        put_n++;
        cond_signal(&not_empty);
        mutex_unlock(&mu);
    }
}

/* Gives up now and then, and comes again: no signal may be lost by that. */
static void get(uint64_t seed, int turns)
{
    for (int i = 0; i < turns; i++) {
        rn_context *ctx = soon(next_random(&seed));
        mutex_lock(&mu);
        for (rn_context *until = i % 2 ? ctx : NULL; queued == 0;)
            if (cond_wait_ctx(until, &not_empty, &mu) != 0)
                until = NULL;
        queued--;
        got_n++;
        cond_signal(&not_full);
        mutex_unlock(&mu);
        ctx_cancel(ctx);
    }
}

static void *put_in_thread(void *turns)
{
    put((int)(intptr_t)turns);
    return NULL;
}

TEST(no_signal_is_lost)
{
    pthread_t t;
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (uint64_t i = 0; i < 6; i++)
        wg_go(&wg, get, test_seed() + i, 1000);
    for (int i = 0; i < 5; i++)
        wg_go(&wg, put, 1000);
    pthread_create(&t, NULL, put_in_thread, (void *)1000);
    wg_wait(&wg);
    pthread_join(t, NULL);
    CHECK_EQ(put_n, 6000);
    CHECK_EQ(got_n, 6000);
    CHECK_EQ(queued, 0);
}

/* ---- semaphore ----------------------------------------------------------------------------------- */

static rn_semaphore sem = RN_SEMAPHORE_INIT(7);
static rn_atomic_int64 in_use;

static void use_some(uint64_t seed, int turns)
{
    for (int i = 0; i < turns; i++) {
        uint64_t r = next_random(&seed);
        int64_t n = (int64_t)(r >> 8) % 8;
        rn_context *ctx = r % 2 ? soon(r >> 16) : NULL;
        if (sem_acquire(ctx, &sem, n) == 0) {
            if (rn_atomic_add(&in_use, n) > 7)
                FAIL("more in use than there is");
            rn_yield();
            rn_atomic_add(&in_use, -n);
            sem_release(&sem, n);
        }
        ctx_cancel(ctx);
    }
}

TEST(semaphore)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (uint64_t i = 0; i < 12; i++)
        wg_go(&wg, use_some, test_seed() + i, 500);
    wg_wait(&wg);
    CHECK(sem_try_acquire(&sem, 7));
    CHECK_EQ(waiters(&sem.rn_queue), 0);
}

/* ---- once, flight and group ----------------------------------------------------------------------- */

enum { ONCES = 300 };
static rn_once onces[ONCES];
static int ran[ONCES];

static void run(int i)
{
    rn_yield();
    ran[i]++;
}

static void run_all(void)
{
    for (int i = 0; i < ONCES; i++) {
        once_do(&onces[i], run, i);
        if (ran[i] != 1)
            FAIL("once %d ran %d times", i, ran[i]);
    }
}

TEST(onces)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < 8; i++)
        wg_go(&wg, run_all);
    wg_wait(&wg);
}

static rn_flight flight;
static rn_atomic_int under_way[8];

static int fly(void *arg, void **result)
{
    rn_atomic_int *n = arg;
    if (rn_atomic_add(n, 1) != 1)
        FAIL("two calls for one key at a time");
    rn_yield();
    rn_atomic_add(n, -1);
    *result = arg;
    return RN_EEOF;
}

static int passenger(uint64_t seed, int turns)
{
    for (int i = 0; i < turns; i++) {
        uint64_t r = next_random(&seed);
        char key[2] = {(char)('a' + r % 8), 0};
        rn_context *ctx = (r >> 8) % 2 ? soon(r >> 16) : NULL;
        void *result = NULL;
        int err = flight_do_ctx(ctx, &flight, key, fly, &under_way[r % 8], &result, NULL);
        if (err == RN_EEOF ? result != &under_way[r % 8] : err != RN_ETIMEOUT)
            FAIL("error %d, and another's result", err);
        ctx_cancel(ctx);
    }
    return 0;
}

TEST(flights_in_a_group)
{
    rn_group g = RN_GROUP_INIT;
    group_limit(&g, 6);
    for (uint64_t i = 0; i < 30; i++)
        group_go(&g, passenger, test_seed() + i, 100);
    CHECK_EQ(group_wait(&g), 0);
}
