/* Map: load, store, load_or_store, load_and_delete, swap, compare_and_swap, range while being changed. */
#include "sync_inside.h"
#include <stdio.h>

static rn_map map;

TEST(integer_keys)
{
    int v = -1;
    CHECK(!map_load(&map, 7, &v));
    CHECK_EQ(v, 0);
    for (long i = -500; i < 500; i++)
        map_store(&map, i, i * 3);
    CHECK_EQ(map_len(&map), 1000);
    for (int i = -500; i < 500; i++) {
        CHECK(map_load(&map, i, &v));
        CHECK_EQ(v, i * 3);
    }
    CHECK(!map_has(&map, 500));
    map_free(&map);
}

TEST(text_keys_are_compared_by_content_and_copied)
{
    char key[64];
    const char *v;
    map_store(&map, "alice", "A");
    map_store(&map, "", "empty");
    memset(key, 'x', sizeof key);
    key[63] = 0;
    map_store(&map, key, "long");
    strcpy(key, "alice");
    CHECK(map_load(&map, key, &v));
    CHECK_STR(v, "A");
    map_store(&map, key, "B");
    strcpy(key, "bob");
    CHECK(!map_load(&map, key, &v));
    CHECK_EQ(v, NULL);
    CHECK(map_load(&map, "alice", &v));
    CHECK_STR(v, "B");
    CHECK(map_load(&map, "", &v));
    CHECK_STR(v, "empty");
    CHECK(map_load(&map, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", &v));
    CHECK_STR(v, "long");
    CHECK_EQ(map_len(&map), 3);
    map_free(&map);
}

struct point {
    int32_t x, y, z;
};

TEST(keys_of_bytes)
{
    rn_map m = RN_MAP_BYTES(sizeof(struct point));
    for (int i = 0; i < 100; i++)
        map_store(&m, (&(struct point){i, -i, 1}), i);
    int v;
    struct point p = {42, -42, 1};
    CHECK(map_load(&m, &p, &v));
    CHECK_EQ(v, 42);
    p.z = 2;
    CHECK(!map_load(&m, &p, &v));
    map_free(&m);
}

TEST(one_operation_after_another)
{
    long v;
    CHECK(!map_load_or_store(&map, 1, 10, &v));
    CHECK_EQ(v, 10);
    CHECK(map_load_or_store(&map, 1, 20, &v));
    CHECK_EQ(v, 10);
    CHECK(map_swap(&map, 1, 30, &v));
    CHECK_EQ(v, 10);
    CHECK(!map_swap(&map, 2, 40, &v));
    CHECK_EQ(v, 0);
    CHECK(!map_compare_and_swap(&map, 1, 31, 50));
    CHECK(map_compare_and_swap(&map, 1, 30, 50));
    CHECK(!map_compare_and_swap(&map, 3, 0, 50));
    CHECK(!map_compare_and_delete(&map, 1, 30));
    CHECK(map_compare_and_delete(&map, 1, 50));
    CHECK(!map_has(&map, 1));
    CHECK(map_load_and_delete(&map, 2, &v));
    CHECK_EQ(v, 40);
    CHECK(!map_load_and_delete(&map, 2, &v));
    CHECK_EQ(v, 0);
    CHECK(!map_delete(&map, 2));
    CHECK_EQ(map_len(&map), 0);
    map_store(&map, 5, NULL);
    CHECK(map_has(&map, 5));
    CHECK(map_delete(&map, 5));
    map_free(&map);
}

TEST(one_kind_of_key)
{
    map_store(&map, 1, 1);
    EXPECT_PANIC("map: key of type text in a map with keys of type integer", map_store(&map, "one", 1));
    EXPECT_PANIC("map: key of type text in a map with keys of type integer", (void)map_has(&map, "one"));
    map_free(&map);
    map_store(&map, "one", 1);
    EXPECT_PANIC("map: NULL key", map_store(&map, (char *)NULL, 1));
    map_free(&map);
}

/* Deletions move other entries: none may be lost or found twice. */
TEST(like_a_simple_model)
{
    enum { KEYS = 300 };
    static long model[KEYS]; /* 0: not there */
    uint64_t seed = test_seed();
    size_t n = 0;
    char key[32];
    for (int i = 0; i < 100000; i++) {
        uint64_t r = next_random(&seed);
        int k = (int)((r >> 8) % KEYS);
        long v = 0, want = model[k];
        snprintf(key, sizeof key, "%0*d", 1 + k % 20, k);
        switch (r % 4) {
        case 0:
            CHECK_EQ(map_swap(&map, key, (long)i + 1, &v), want != 0);
            n += want == 0;
            model[k] = i + 1;
            break;
        case 1:
            CHECK_EQ(map_load_and_delete(&map, key, &v), want != 0);
            n -= want != 0;
            model[k] = 0;
            break;
        default:
            CHECK_EQ(map_load(&map, key, &v), want != 0);
        }
        CHECK_EQ(v, want);
    }
    CHECK_EQ(map_len(&map), n);
    map_clear(&map);
    CHECK_EQ(map_len(&map), 0);
    CHECK(!map_has(&map, "0"));
    map_store(&map, "0", 1);
    CHECK_EQ(map_len(&map), 1);
    map_free(&map);
}

static bool add_up(const void *key, void *value, void *sum)
{
    *(long *)sum += (long)(intptr_t)key * 1000 + (long)(intptr_t)value;
    return true;
}

static bool first_only(const void *key, void *value, void *n)
{
    (void)key, (void)value;
    return ++*(int *)n < 3;
}

TEST(range_visits_each_once_and_stops)
{
    long sum = 0;
    int n = 0;
    map_range(&map, add_up, &sum);
    CHECK_EQ(sum, 0);
    for (long i = 1; i <= 100; i++)
        map_store(&map, i, i);
    map_range(&map, add_up, &sum);
    CHECK_EQ(sum, 5050 * 1001);
    map_range(&map, first_only, &n);
    CHECK_EQ(n, 3);
    map_free(&map);
}

static bool delete_it_and_add_another(const void *key, void *value, void *seen)
{
    int n = atoi(key);
    if (n < 1000)
        ++*(int *)seen;
    CHECK_EQ((intptr_t)value, n);
    char other[32];
    snprintf(other, sizeof other, "%d", n + 1000);
    map_delete(&map, (const char *)key);
    map_store(&map, other, n + 1000);
    return true;
}

TEST(range_while_the_map_is_changed_from_within)
{
    int seen = 0;
    char key[32];
    for (int i = 0; i < 500; i++) {
        snprintf(key, sizeof key, "%d", i);
        map_store(&map, key, i);
    }
    map_range(&map, delete_it_and_add_another, &seen);
    CHECK_EQ(seen, 500);
    map_free(&map);
}

static rn_atomic_bool stop;

/* The keys 0 to 99 are always there; the others come and go. */
static void churn(uint64_t seed)
{
    while (!rn_atomic_load(&stop)) {
        uint64_t k = 100 + next_random(&seed) % 1000;
        map_store(&map, k, k);
        map_delete(&map, 100 + next_random(&seed) % 1000);
        rn_yield();
    }
}

static bool count_stable(const void *key, void *value, void *counts)
{
    CHECK_EQ(key, value);
    if ((uintptr_t)key < 100)
        ((unsigned char *)counts)[(uintptr_t)key]++;
    return true;
}

TEST(range_and_load_while_others_change_the_map)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (uintptr_t i = 0; i < 100; i++)
        map_store(&map, i, i);
    for (int i = 0; i < 4; i++)
        wg_go(&wg, churn, test_seed() + (uint64_t)i);
    for (int round = 0; round < 200; round++) {
        unsigned char counts[100] = {0};
        map_range(&map, count_stable, counts);
        for (int i = 0; i < 100; i++) {
            int v;
            CHECK_EQ(counts[i], 1);
            CHECK(map_load(&map, i, &v));
            CHECK_EQ(v, i);
        }
        rn_yield();
    }
    rn_atomic_store(&stop, true);
    wg_wait(&wg);
    map_free(&map);
}

static rn_atomic_int64 stored;

static void store_if_absent(int keys)
{
    for (int i = 0; i < keys; i++) {
        int v;
        if (!map_load_or_store(&map, i, i + 1, &v))
            rn_atomic_add(&stored, 1);
        if (v != i + 1)
            FAIL("key %d has %d", i, v);
    }
}

TEST(of_many_load_or_store_one_stores)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < 8; i++)
        wg_go(&wg, store_if_absent, 2000);
    wg_wait(&wg);
    CHECK_EQ(rn_atomic_load(&stored), 2000);
    CHECK_EQ(map_len(&map), 2000);
    map_free(&map);
}

static void count_up(int turns)
{
    for (int i = 0; i < turns; i++)
        for (long v;;) {
            map_load(&map, "n", &v);
            if (map_compare_and_swap(&map, "n", v, v + 1))
                break;
        }
}

TEST(compare_and_swap_counts_right)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    long v;
    map_store(&map, "n", 0);
    for (int i = 0; i < 8; i++)
        wg_go(&wg, count_up, 2000);
    wg_wait(&wg);
    map_load(&map, "n", &v);
    CHECK_EQ(v, 16000);
    map_free(&map);
}
