/* Pool: never returns the same object to two users; per processor; bounded. */
#include "sync_inside.h"

struct object {
    rn_atomic_int users;
    char rest[60];
};

static rn_atomic_int64 made, freed;

static void *make(void)
{
    rn_atomic_add(&made, 1);
    return calloc(1, sizeof(struct object));
}

static void destroy(void *object)
{
    rn_atomic_add(&freed, 1);
    free(object);
}

static rn_pool pool = RN_POOL_INIT(make, destroy);

TEST(what_was_put_comes_back)
{
    void *a = pool_get(&pool);
    pool_put(&pool, a);
    void *b = pool_get(&pool);
    CHECK_EQ(a, b);
    pool_put(&pool, b);
    pool_drain(&pool);
    CHECK_EQ(rn_atomic_load(&made), 1);
    CHECK_EQ(rn_atomic_load(&freed), 1);
}

static void use(int turns, uint64_t seed)
{
    struct object *mine[8] = {NULL};
    for (int i = 0; i < turns; i++) {
        struct object **at = &mine[next_random(&seed) % 8];
        if (*at) {
            rn_atomic_add(&(*at)->users, -1);
            pool_put(&pool, *at);
            *at = NULL;
        } else {
            *at = pool_get(&pool);
            if (rn_atomic_add(&(*at)->users, 1) != 1)
                FAIL("two users have the same object");
        }
        if (i % 64 == 0)
            rn_yield();
    }
    for (int i = 0; i < 8; i++)
        if (mine[i]) {
            rn_atomic_add(&mine[i]->users, -1);
            pool_put(&pool, mine[i]);
        }
}

static void *use_in_thread(void *seed)
{
    use(5000, (uint64_t)(uintptr_t)seed);
    return NULL;
}

TEST(never_the_same_object_to_two_users)
{
    pthread_t t;
    uint64_t seed = test_seed();
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    pthread_create(&t, NULL, use_in_thread, (void *)(uintptr_t)(seed + 99));
    for (int i = 0; i < 16; i++)
        wg_go(&wg, use, 5000, seed + (uint64_t)i);
    wg_wait(&wg);
    pthread_join(t, NULL);
    pool_drain(&pool);
    CHECK_EQ(rn_atomic_load(&made), rn_atomic_load(&freed));
}

TEST(keeps_no_more_than_its_bound)
{
    enum { N = 2000 };
    int64_t bound = RN_POOL_KEEPS * (2 * rn_procs() + 1);
    void *all[N];
    for (int i = 0; i < N; i++)
        all[i] = pool_get(&pool);
    for (int i = 0; i < N; i++)
        pool_put(&pool, all[i]);
    CHECK(N - rn_atomic_load(&freed) <= bound);
    CHECK(N - rn_atomic_load(&freed) >= RN_POOL_KEEPS);
    pool_drain(&pool);
    CHECK_EQ(rn_atomic_load(&freed), N);
}

TEST(all_zero_is_valid)
{
    static rn_pool zero;
    static int object;
    CHECK_EQ(pool_get(&zero), NULL);
    pool_put(&zero, NULL);
    pool_put(&zero, &object);
    CHECK_EQ(pool_get(&zero), &object);
    CHECK_EQ(pool_get(&zero), NULL);
    pool_drain(&zero);
}

TEST_PLAIN(works_without_a_runtime)
{
    void *a = pool_get(&pool);
    pool_put(&pool, a);
    CHECK_EQ(pool_get(&pool), a);
    pool_put(&pool, a);
    pool_drain(&pool);
}
