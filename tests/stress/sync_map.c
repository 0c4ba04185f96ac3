/* The concurrent map and the pool against what must hold whatever the interleaving. */
#include "../conformance/sync_inside.h"
#include <stdio.h>

enum { KEYS = 64, GOROUTINES = 12, TURNS = 4000 };

/* Each key's value is taken out, by one, and put back, by the same: a value is never in two hands and
 * none gets lost. */
static rn_map map;
static rn_atomic_int owners[KEYS];

static void key_text(char *to, uint64_t k)
{
    snprintf(to, 32, "%0*d", 1 + (int)(k % 23), (int)k);
}

static void take_and_return(uint64_t seed)
{
    char key[32];
    for (int i = 0; i < TURNS; i++) {
        uint64_t r = next_random(&seed);
        rn_atomic_int *owner;
        key_text(key, r % KEYS);
        if (!map_load_and_delete(&map, key, &owner))
            continue;
        if (owner != &owners[r % KEYS] || rn_atomic_add(owner, 1) != 1)
            FAIL("key %s: a value in two hands, or another's", key);
        if (r >> 60 == 0)
            rn_yield();
        rn_atomic_add(owner, -1);
        rn_atomic_int *there;
        if (map_load_or_store(&map, key, owner, &there) || there != owner)
            FAIL("key %s came back by itself", key);
    }
}

static void look(uint64_t seed)
{
    char key[32];
    for (int i = 0; i < TURNS * 4; i++) {
        uint64_t k = next_random(&seed) % KEYS;
        rn_atomic_int *owner;
        key_text(key, k);
        if (map_load(&map, key, &owner) ? owner != &owners[k] : owner != NULL)
            FAIL("key %s has another's value", key);
    }
}

static void *look_in_thread(void *seed)
{
    look((uint64_t)(uintptr_t)seed);
    return NULL;
}

/* Keys of this one's own make the tables grow and the blocks move from key to key. */
static void come_and_go(uint64_t seed, uint64_t me)
{
    char key[32];
    for (int i = 0; i < TURNS / 4; i++) {
        uint64_t k = next_random(&seed) % 200;
        snprintf(key, sizeof key, "own %d %0*d", (int)me, 1 + (int)(k % 15), (int)k);
        map_store(&map, key, k + 1);
        uint64_t v;
        if (!map_load(&map, key, &v) || v != k + 1)
            FAIL("own key %s lost", key);
        if (next_random(&seed) % 2)
            map_delete(&map, key);
    }
}

TEST(values_are_never_lost_nor_shared)
{
    char key[32];
    pthread_t t;
    uint64_t seed = test_seed();
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (uint64_t k = 0; k < KEYS; k++) {
        key_text(key, k);
        map_store(&map, key, &owners[k]);
    }
    pthread_create(&t, NULL, look_in_thread, (void *)(uintptr_t)seed);
    for (uint64_t i = 0; i < GOROUTINES; i++) {
        wg_go(&wg, take_and_return, seed + i);
        wg_go(&wg, look, seed + 100 + i);
        wg_go(&wg, come_and_go, seed + 200 + i, i);
    }
    wg_wait(&wg);
    pthread_join(t, NULL);
    for (uint64_t k = 0; k < KEYS; k++) {
        rn_atomic_int *owner;
        key_text(key, k);
        CHECK(map_load(&map, key, &owner));
        CHECK_EQ(owner, &owners[k]);
    }
    map_free(&map);
}

/* Integers: what is stored only grows, so whoever reads twice must not see it shrink. */
static void raise(uint64_t seed)
{
    for (int i = 0; i < TURNS; i++) {
        uint64_t k = next_random(&seed) % KEYS, v;
        do
            map_load(&map, k, &v);
        while (!map_compare_and_swap(&map, k, v, v + 1));
    }
}

static void watch(uint64_t seed)
{
    uint64_t seen[KEYS] = {0};
    for (int i = 0; i < TURNS * 4; i++) {
        uint64_t k = next_random(&seed) % KEYS, v;
        if (!map_load(&map, k, &v) || v < seen[k])
            FAIL("key %d went back", (int)k);
        seen[k] = v;
    }
}

static void disturb(uint64_t seed)
{
    for (int i = 0; i < TURNS; i++) {
        uint64_t k = KEYS + next_random(&seed) % 500;
        if (next_random(&seed) % 2)
            map_store(&map, k, 1);
        else
            map_delete(&map, k);
    }
}

TEST(values_never_go_back)
{
    uint64_t seed = test_seed(), sum = 0;
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (uint64_t k = 0; k < KEYS; k++)
        map_store(&map, k, 0);
    for (uint64_t i = 0; i < 4; i++) {
        wg_go(&wg, raise, seed + i);
        wg_go(&wg, watch, seed + 10 + i);
        wg_go(&wg, disturb, seed + 20 + i);
    }
    wg_wait(&wg);
    for (uint64_t k = 0; k < KEYS; k++) {
        uint64_t v;
        CHECK(map_load(&map, k, &v));
        sum += v;
    }
    CHECK_EQ(sum, 4 * TURNS);
    map_free(&map);
}
