/* Mutexes that go from thread to thread: each is locked often in a row, so that it becomes the thread's own, and then by
 * others, plain threads that come and go and goroutines that move between threads while they hold one.  What they
 * guard is checked at each turn; some lie in memory that the last to unlock frees. */
#include <pthread.h>
#include <runnel.h>
#include <runnel/test.h>
#include <stdlib.h>

enum { MUTEXES = 4, THREADS = 3, LIVES = 12, ROUNDS = 24, GOROUTINES = 4 };

static struct {
    rn_mutex m;
    long a, b; /* the same while nobody holds m */
} cells[MUTEXES];
static rn_atomic(long) added;

static uint32_t next(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

static void add(int i, bool yields)
{
    CHECK_EQ(cells[i].a, cells[i].b);
    cells[i].a++;
    if (yields)
        rn_yield();
    cells[i].b++;
    mutex_unlock(&cells[i].m);
    __atomic_fetch_add((long *)&added, 1, __ATOMIC_RELAXED);
}

static void use(uint32_t *seed, bool goroutine)
{
    int i = (int)(next(seed) % MUTEXES);
    uint32_t n = next(seed) % 4 ? 1 + next(seed) % 50 : 5000;
    bool tries = next(seed) % 4 == 0, yields = goroutine && n < 100;
    for (uint32_t k = 0; k < n; k++) {
        if (!tries)
            mutex_lock(&cells[i].m);
        else if (!mutex_try_lock(&cells[i].m))
            continue;
        add(i, yields);
    }
}

static void *life(void *seed)
{
    uint32_t s = (uint32_t)(uintptr_t)seed;
    rn_sleep(1); /* only threads that the runtime knows own mutexes */
    for (int i = 0; i < ROUNDS / 4; i++)
        use(&s, false);
    return NULL;
}

static void *lives(void *seed)
{
    for (int i = 0; i < LIVES; i++) {
        pthread_t t;
        REQUIRE(pthread_create(&t, NULL, life, (char *)seed + i * 97) == 0);
        pthread_join(t, NULL);
    }
    return NULL;
}

static void goroutine(uint32_t seed)
{
    for (int i = 0; i < ROUNDS; i++) {
        use(&seed, true);
        rn_yield();
    }
}

TEST(what_they_guard_holds)
{
    pthread_t t[THREADS];
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < THREADS; i++)
        REQUIRE(pthread_create(&t[i], NULL, lives, (void *)(uintptr_t)(1000 + i)) == 0);
    for (int i = 0; i < GOROUTINES; i++)
        wg_go(&wg, goroutine, (uint32_t)i);
    wg_wait(&wg);
    for (int i = 0; i < THREADS; i++)
        pthread_join(t[i], NULL);
    long sum = 0;
    for (int i = 0; i < MUTEXES; i++) {
        CHECK_EQ(cells[i].a, cells[i].b);
        sum += cells[i].a;
    }
    CHECK_EQ(sum, added);
}

struct object {
    rn_mutex m;
    int users;
};

static void let_go(struct object *o)
{
    mutex_lock(&o->m);
    bool last = --o->users == 0;
    mutex_unlock(&o->m);
    if (last)
        free(o);
}

static void *let_go_elsewhere(void *o)
{
    let_go(o);
    return NULL;
}

/* The owner and another thread let go at the same time. */
TEST_PLAIN(the_last_frees_it)
{
    rn_sleep(1);
    for (int i = 0; i < 200; i++) {
        struct object *o = calloc(1, sizeof *o);
        REQUIRE(o != NULL);
        o->users = 2;
        for (int k = 0; k < 4200; k++) {
            mutex_lock(&o->m);
            mutex_unlock(&o->m);
        }
        pthread_t t;
        REQUIRE(pthread_create(&t, NULL, let_go_elsewhere, o) == 0);
        let_go(o);
        pthread_join(t, NULL);
    }
}
