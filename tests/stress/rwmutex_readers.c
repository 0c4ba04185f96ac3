/* Read-write mutexes that are mostly read, by goroutines that move and by plain threads: readers are counted by thread
 * (sync/readers.h), writers come seldom, mutexes are freed and their memory used anew. */
#include "../conformance/sync_inside.h"

enum { LOCKS = 3, GOROUTINES = 12, THREADS = 2, TURNS = 20000, SELDOM = 5000 };

struct guarded {
    rn_rwmutex rw;
    long value; /* changed by plain additions */
    rn_atomic_int64 added;
    rn_atomic_int writers;
};

static struct guarded all[LOCKS];

static bool take_write(struct guarded *g, uint64_t r)
{
    if (r % 4 == 0)
        return rwmutex_try_lock(&g->rw);
    if (r % 4 > 1) {
        rwmutex_lock(&g->rw);
        return true;
    }
    rn_context *ctx = ctx_with_timeout(ctx_background(), (rn_duration)(r >> 32) % 30000);
    bool ours = rwmutex_lock_ctx(ctx, &g->rw) == 0;
    ctx_cancel(ctx);
    return ours;
}

static void write_one(struct guarded *g, uint64_t r)
{
    if (!take_write(g, r))
        return;
    if (rn_atomic_add(&g->writers, 1) != 1)
        FAIL("a writer is not alone");
    long before = g->value;
    if (r & 64)
        rn_yield();
    g->value = before + 1;
    rn_atomic_add(&g->writers, -1);
    rwmutex_unlock(&g->rw);
    rn_atomic_add(&g->added, 1);
}

static void unlock_it(struct guarded *g)
{
    rwmutex_runlock(&g->rw);
}

/* may_yield: not a plain thread, which would wait for its turn of a busy machine each time. */
static void read_one(struct guarded *g, uint64_t r, bool may_yield)
{
    if (r % 16)
        rwmutex_rlock(&g->rw);
    else if (!rwmutex_try_rlock(&g->rw))
        return;
    long before = g->value;
    if (may_yield && r % 32 == 1)
        rn_yield(); /* and go on on another thread, perhaps */
    if (rn_atomic_load(&g->writers) != 0 || g->value != before)
        FAIL("a reader beside a writer");
    if (r % 128 == 3)
        go(unlock_it, g);
    else
        rwmutex_runlock(&g->rw);
}

static void turns(uint64_t seed, int n, bool may_yield)
{
    for (int i = 0; i < n; i++) {
        uint64_t r = next_random(&seed);
        struct guarded *g = &all[(r >> 60) % LOCKS];
        if (r % SELDOM == 0)
            write_one(g, r / SELDOM);
        else
            read_one(g, r / SELDOM, may_yield);
    }
}

static void work(uint64_t seed)
{
    turns(seed, TURNS, true);
}

static void *work_in_thread(void *seed)
{
    turns((uint64_t)(uintptr_t)seed, TURNS, false);
    return NULL;
}

TEST(writers_come_seldom)
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
        rwmutex_lock(&all[i].rw); /* after the last of those who unlock for others */
        CHECK_EQ(all[i].value, rn_atomic_load(&all[i].added));
        rwmutex_unlock(&all[i].rw);
        CHECK_EQ(waiters(&all[i].rw.rn_writers), 0);
        CHECK_EQ(waiting_readers(&all[i].rw), 0);
    }
}

/* Everybody reads, then the last of them writes and frees. */
struct shared {
    rn_rwmutex rw;
    int refs;
};

static void read_and_drop(struct shared *s)
{
    for (int i = 0; i < 700; i++) {
        rwmutex_rlock(&s->rw);
        if (s->refs < 1)
            FAIL("freed too early");
        rwmutex_runlock(&s->rw);
    }
    rwmutex_lock(&s->rw);
    bool last = --s->refs == 0;
    rwmutex_unlock(&s->rw);
    if (last) {
        memset(s, 0xa5, sizeof *s);
        free(s);
    }
}

TEST(the_last_to_unlock_frees)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < 400; i++) {
        struct shared *s = calloc(1, sizeof *s);
        s->refs = 3;
        for (int j = 0; j < 3; j++)
            wg_go(&wg, read_and_drop, s);
        if (i % 8 == 0)
            wg_wait(&wg);
    }
    wg_wait(&wg);
}
