/* Maps, pools, flights, once; panics. */
#include "nth.h"

static void clear_map(rn_map *m)
{
    rn_map_free(m);
}

FAULT_TEST(a_map_that_grows)
{
    rn_map m = RN_MAP_INIT, texts = RN_MAP_INIT;
    defer(clear_map, &m);
    defer(clear_map, &texts);
    for (int i = 0; i < 3000; i++)
        rn_map_store(&m, i, i + 1);
    for (int i = 0; i < 3000; i++) {
        int v;
        if (!rn_map_load(&m, i, &v) || v != i + 1)
            rn_panic("entry %d is lost", i);
    }
    for (int i = 0; i < 500; i++) {
        char key[40];
        snprintf(key, sizeof key, "%*d", i % 30, i);
        rn_map_store(&texts, key, i);
        rn_map_delete(&texts, key);
    }
}

static void *make(void)
{
    return malloc(10);
}

FAULT_TEST(a_pool)
{
    rn_pool p = RN_POOL_INIT(make, free);
    defer(rn_pool_drain, &p);
    for (int i = 0; i < 10; i++) {
        void *a = rn_pool_get(&p), *b = rn_pool_get(&p);
        rn_pool_put(&p, a);
        rn_pool_put(&p, b);
    }
}

static int answer(void *arg, void **result)
{
    *result = arg;
    rn_yield();
    return 0;
}

static void ask(rn_flight *f)
{
    void *result;
    if (rn_flight_do(f, "key", answer, f, &result, NULL) != 0 || result != f)
        rn_panic("the flight brought nothing");
}

FAULT_TEST(a_flight)
{
    rn_flight f = RN_FLIGHT_INIT;
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    defer(rn_wg_wait, &wg);
    for (int i = 0; i < 20; i++)
        rn_wg_go(&wg, ask, &f);
}

static int panics(void)
{
    rn_panic("of its own, out of memory or not, and rather long: %0200d", 7);
}

typedef rn_once_value(int) once_int;

static void recover_any(void *arg)
{
    (void)arg;
    CHECK(rn_recover() != NULL);
}

static void take_value(once_int *v)
{
    defer(recover_any, NULL);
    (void)rn_once_value_get(v, panics);
}

/* A panic works without memory; so does passing it on. */
FAULT_TEST(a_panic)
{
    once_int v = {.rn_result = 0};
    take_value(&v);
    take_value(&v);
    free(v.rn_panicked.rn_text);
}
