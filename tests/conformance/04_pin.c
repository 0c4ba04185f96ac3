/* rn_pin: the goroutine stays on its thread, and no other goroutine runs there. */
#include <runnel.h>
#include <runnel/test.h>
#include <pthread.h>

static __thread int mine;

/* A compiler may keep a thread-local's address over a call that changes the thread (SEMANTICS 42). */
__attribute__((noinline)) static int *mine_here(void)
{
    int *p = &mine;
    __asm__ volatile("" : "+r"(p) : : "memory");
    return p;
}

static void others(rn_waitgroup *wg)
{
    for (int i = 0; i < 200; i++) {
        CHECK_EQ(*mine_here(), 0);
        rn_yield();
    }
    wg_done(wg);
}

static void pinned(rn_waitgroup *wg, chan(int) c)
{
    rn_pin();
    pthread_t self = pthread_self();
    *mine_here() = 1;
    for (int i = 0; i < 200; i++) {
        rn_yield();
        CHECK(pthread_equal(self, pthread_self()));
        CHECK_EQ(*mine_here(), 1);
        if (i % 20 == 0)
            rn_sleep(100 * RN_MICROSECOND);
        chan_send(c, i);
        CHECK(pthread_equal(self, pthread_self()));
    }
    *mine_here() = 0;
    rn_unpin();
    wg_done(wg);
}

static void drain(chan(int) c)
{
    for (int v; chan_next(c, &v);)
        ;
}

static void run_all(int procs)
{
    rn_set_procs(procs);
    chan(int) c = chan_make(int, 0);
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_add(&wg, 7);
    rn_waitgroup drained = RN_WAITGROUP_INIT;
    wg_go(&drained, drain, c);
    for (int i = 0; i < 4; i++)
        go(others, &wg);
    for (int i = 0; i < 3; i++)
        go(pinned, &wg, c);
    wg_wait(&wg);
    chan_close(c);
    wg_wait(&drained);
    chan_free(c);
}

TEST(one_processor)
{
    run_all(1);
}
TEST(two_processors)
{
    run_all(2);
}
TEST(four_processors)
{
    run_all(4);
}

TEST(unpin_without_pin_panics)
{
    EXPECT_PANIC("rn_unpin without rn_pin", rn_unpin());
}
