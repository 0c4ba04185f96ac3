/* Mutexes and read-write mutexes under goroutines and plain threads that lock, try, give up and free. */
#include "../conformance/sync_inside.h"

enum { LOCKS = 4, GOROUTINES = 24, THREADS = 3, TURNS = 1500 };

struct guarded {
    rn_mutex mu;
    rn_rwmutex rw;
    long under_mu, under_rw; /* changed by plain additions */
    rn_atomic_int64 added_mu, added_rw;
    rn_atomic_int readers, writers;
};

static struct guarded all[LOCKS];

/* Something to do with a lock held: nothing, a yield, or some work. */
static void dawdle(uint64_t r)
{
    if (r % 16 == 0)
        rn_yield();
    else if (r % 16 < 4)
        for (volatile int i = 0; i < 50; i++)
            continue;
}

static bool take_mutex(struct guarded *g, uint64_t r)
{
    if (r % 8 == 0)
        return mutex_try_lock(&g->mu);
    if (r % 8 > 1) {
        mutex_lock(&g->mu);
        return true;
    }
    rn_context *ctx = ctx_with_timeout(ctx_background(), (rn_duration)(r >> 32) % 30000);
    bool ours = mutex_lock_ctx(ctx, &g->mu) == 0;
    ctx_cancel(ctx);
    return ours;
}

static void use_mutex(struct guarded *g, uint64_t r)
{
    if (!take_mutex(g, r))
        return;
    long before = g->under_mu;
    dawdle(r >> 8);
    g->under_mu = before + 1;
    mutex_unlock(&g->mu);
    rn_atomic_add(&g->added_mu, 1);
}

static bool take_write(struct guarded *g, uint64_t r)
{
    if (r % 8 == 0)
        return rwmutex_try_lock(&g->rw);
    if (r % 8 > 2) {
        rwmutex_lock(&g->rw);
        return true;
    }
    rn_context *ctx = ctx_with_timeout(ctx_background(), (rn_duration)(r >> 32) % 30000);
    bool ours = rwmutex_lock_ctx(ctx, &g->rw) == 0;
    ctx_cancel(ctx);
    return ours;
}

static void write_under(struct guarded *g, uint64_t r)
{
    if (!take_write(g, r))
        return;
    if (rn_atomic_add(&g->writers, 1) != 1 || rn_atomic_load(&g->readers) != 0)
        FAIL("a writer is not alone");
    long before = g->under_rw;
    dawdle(r >> 8);
    g->under_rw = before + 1;
    rn_atomic_add(&g->writers, -1);
    rwmutex_unlock(&g->rw);
    rn_atomic_add(&g->added_rw, 1);
}

static bool take_read(struct guarded *g, uint64_t r)
{
    if (r % 8 == 0)
        return rwmutex_try_rlock(&g->rw);
    if (r % 8 > 1) {
        rwmutex_rlock(&g->rw);
        return true;
    }
    rn_context *ctx = ctx_with_timeout(ctx_background(), (rn_duration)(r >> 32) % 30000);
    bool ours = rwmutex_rlock_ctx(ctx, &g->rw) == 0;
    ctx_cancel(ctx);
    return ours;
}

static void read_under(struct guarded *g, uint64_t r)
{
    if (!take_read(g, r))
        return;
    rn_atomic_add(&g->readers, 1);
    long before = g->under_rw;
    dawdle(r >> 8);
    if (rn_atomic_load(&g->writers) != 0 || g->under_rw != before)
        FAIL("a reader beside a writer");
    rn_atomic_add(&g->readers, -1);
    rwmutex_runlock(&g->rw);
}

static void work(uint64_t seed)
{
    for (int i = 0; i < TURNS; i++) {
        uint64_t r = next_random(&seed);
        struct guarded *g = &all[(r >> 60) % LOCKS];
        r &= UINT64_C(0x0fffffffffffffff);
        if (r % 3 == 0)
            use_mutex(g, r / 3);
        else if (r % 9 == 1)
            write_under(g, r / 9);
        else
            read_under(g, r / 9);
    }
}

static void *work_in_thread(void *seed)
{
    work((uint64_t)(uintptr_t)seed);
    return NULL;
}

TEST(everybody_at_once)
{
    pthread_t t[THREADS];
    uint64_t seed = test_seed();
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (uintptr_t i = 0; i < THREADS; i++)
        pthread_create(&t[i], NULL, work_in_thread, (void *)(uintptr_t)(seed + 1000 + i));
    for (uint64_t i = 0; i < GOROUTINES; i++)
        wg_go(&wg, work, seed + i);
    wg_wait(&wg);
    for (int i = 0; i < THREADS; i++)
        pthread_join(t[i], NULL);
    for (int i = 0; i < LOCKS; i++) {
        CHECK_EQ(all[i].under_mu, rn_atomic_load(&all[i].added_mu));
        CHECK_EQ(all[i].under_rw, rn_atomic_load(&all[i].added_rw));
        CHECK_EQ(waiters(&all[i].mu.rn_queue), 0);
        CHECK_EQ(waiters(&all[i].rw.rn_writers), 0);
        CHECK_EQ(waiting_readers(&all[i].rw), 0);
        CHECK(mutex_try_lock(&all[i].mu));
        CHECK(rwmutex_try_lock(&all[i].rw));
    }
}

/* The last to unlock frees: the memory is overwritten at once, so that a late touch would show. */
struct shared {
    rn_mutex mu;
    rn_rwmutex rw;
    int refs;
};

static void drop(struct shared *s, bool by_rw)
{
    bool last;
    if (by_rw) {
        rwmutex_rlock(&s->rw);
        rwmutex_runlock(&s->rw);
        rwmutex_lock(&s->rw);
        last = --s->refs == 0;
        rwmutex_unlock(&s->rw);
    } else {
        mutex_lock(&s->mu);
        last = --s->refs == 0;
        mutex_unlock(&s->mu);
    }
    if (last) {
        memset(s, 0xa5, sizeof *s);
        free(s);
    }
}

TEST(the_last_to_unlock_frees)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < 2000; i++) {
        struct shared *s = calloc(1, sizeof *s);
        s->refs = 3;
        for (int j = 0; j < 3; j++)
            wg_go(&wg, drop, s, i % 2 == 0);
        if (i % 8 == 0)
            wg_wait(&wg);
    }
    wg_wait(&wg);
}

/* One holds the lock for ever anew; each of the others must get it again and again. */
static rn_atomic_bool enough;
static rn_atomic_int got_it;

static void hog(rn_mutex *m)
{
    while (!rn_atomic_load(&enough)) {
        mutex_lock(m);
        for (volatile int i = 0; i < 2000; i++)
            continue;
        mutex_unlock(m);
    }
}

static void *hog_in_thread(void *m)
{
    hog(m);
    return NULL;
}

static void get_it(rn_mutex *m)
{
    for (int i = 0; i < 10; i++) {
        mutex_lock(m);
        mutex_unlock(m);
        rn_yield();
    }
    rn_atomic_add(&got_it, 1);
}

TEST(nobody_starves)
{
    static rn_mutex m;
    pthread_t t;
    rn_waitgroup wg = RN_WAITGROUP_INIT, hogs = RN_WAITGROUP_INIT;
    pthread_create(&t, NULL, hog_in_thread, &m);
    wg_go(&hogs, hog, &m);
    for (int i = 0; i < 4; i++)
        wg_go(&wg, get_it, &m);
    wg_wait(&wg);
    rn_atomic_store(&enough, true);
    wg_wait(&hogs);
    pthread_join(t, NULL);
    CHECK_EQ(rn_atomic_load(&got_it), 4);
}
