/* (r) fast paths of the sync primitives. */
#include "stat.h"

enum { N = 20000000 };

struct big {
    char b[256];
};

static void *new_big(void)
{
    return calloc(1, sizeof(struct big));
}

static rn_pool pool = RN_POOL_INIT(new_big, free);
static rn_map map;
static rn_once once;
static rn_atomic_int64 counter;
static rn_mutex mu;
static rn_cond cond;
static int turn;

static void get_put(int n)
{
    for (int i = 0; i < n; i++)
        pool_put(&pool, pool_get(&pool));
}

static void load(int n)
{
    static const int key_mask = 1023;
    int hits = 0;
    for (int i = 0; i < n; i++) {
        long v;
        hits += map_load(&map, (i & key_mask) % 1000, &v);
    }
    stat_check(hits == n);
}

static void add(int n)
{
    for (int i = 0; i < n; i++)
        rn_atomic_add(&counter, 1);
}

static void par2(void (*f)(int), int n)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_go(&wg, f, n);
    wg_go(&wg, f, n);
    wg_wait(&wg);
}

static void pool_one(void)
{
    get_put(N);
}

static void map_one(void)
{
    load(N);
}

static void nothing(void)
{
}

/* A turn is one cycle where the loop lies within one line of code, and two where it crosses into the next: which it does
 * differs from build to build, and says nothing of once_do. */
#ifdef __clang__
#define ALIGNED
#else
#define ALIGNED __attribute__((optimize("align-loops=64")))
#endif
static ALIGNED void once_fast(void)
{
    for (int i = 0; i < N * 5; i++)
        once_do(&once, nothing);
}

static void atomic_one(void)
{
    add(N * 2);
}

static void pool_two(void)
{
    par2(get_put, N);
}

static void map_two(void)
{
    par2(load, N / 2);
}

static void atomic_two(void)
{
    par2(add, N);
}

static void add_done(void)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < N; i++) {
        wg_add(&wg, 1);
        wg_done(&wg);
    }
}

enum { TURNS = 500000 };

/* Waits until it is this side's turn, and hands the turn over. */
static void take_turns(int mine)
{
    mutex_lock(&mu);
    for (int i = 0; i < TURNS; i++) {
        while (turn != mine)
            cond_wait(&cond, &mu);
        turn = 1 - mine;
        cond_signal(&cond);
    }
    mutex_unlock(&mu);
}

static void cond_ping_pong(void)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    turn = 0;
    wg_go(&wg, take_turns, 1);
    take_turns(0);
    wg_wait(&wg);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    int all = rn_procs();
    for (long i = 0; i < 1000; i++)
        map_store(&map, i, i);
    stat_bench("r.pool_get_put", 11, N, pool_one);
    stat_bench("r.map_load_hit", 11, N, map_one);
    stat_bench("r.once_fast", 11, N * 5L, once_fast);
    stat_bench("r.atomic_add", 11, N * 2, atomic_one);
    rn_set_procs(2);
    stat_bench("r.pool_get_put_2g.P2", 11, N * 2, pool_two);
    stat_bench("r.map_load_hit_2g.P2", 11, N, map_two);
    stat_bench("r.atomic_add_2g.P2", 11, N * 2, atomic_two);
    rn_set_procs(all);
    stat_bench("r.waitgroup_add_done", 11, N, add_done);
    stat_bench("r.cond_pingpong_roundtrip", 11, TURNS, cond_ping_pong);
    pool_drain(&pool);
    map_free(&map);
    return 0;
}
