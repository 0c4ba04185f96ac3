/* Whom rn_yield, a look at descriptors and who parks wake: nobody, where there is nothing for another processor to take. */
#include "sched/rt.h"
#include <runnel.h>
#include <runnel/net.h>
#include <runnel/test.h>

static bool one_is_idle(void)
{
    /* relaxed, both: the test's own processor stays, and the other one is stopped or not. */
    return rn_load_relaxed(&rn__sched.idle_p_n) == 1 && rn_load_relaxed(&rn__sched.spinning_n) == 0;
}

static void wait_for_rest(void)
{
    while (!one_is_idle())
        rn_os_yield();
}

TEST(who_yields_alone_wakes_nobody)
{
    enum { ROUNDS = 200 };
    rn_set_procs(2);
    int idle = 0;
    for (int i = 0; i < ROUNDS; i++) {
        wait_for_rest();
        const struct rn_m *here = rn__m();
        rn_yield();
        idle += one_is_idle() && rn__m() == here; /* elsewhere: whoever was woken took this one */
    }
    CHECK(idle >= ROUNDS * 3 / 4); /* each time, but for timers and descriptors of the test's own */
}

/* Counts those that ran where they were woken, by a worker that had no reason to wake another. */
static void hand_over(chan_recv_only(const struct rn_m *) c, int *kept, int *watched)
{
    for (const struct rn_m *waker; chan_next(c, &waker);)
        if (waker == rn__m()) {
            ++*watched;
            *kept += one_is_idle();
        }
}

/* While one watches, whoever wakes one goroutine and yields wakes no worker for it. */
TEST(who_yields_to_one_just_woken_wakes_nobody)
{
    enum { ROUNDS = 2000 };
    rn_set_procs(2);
    chan(const struct rn_m *) c = chan_make(const struct rn_m *, 0);
    defer(chan_free, c);
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    int kept = 0, watched = 0;
    wg_go(&wg, hand_over, c, &kept, &watched);
    for (int i = 0; i < ROUNDS; i++) {
        rn_yield();
        wait_for_rest();
        const struct rn_m *m = rn__m();
        /* relaxed, both: hints.  wakes_at_once: somebody was stolen a moment ago, since this thread stood still. */
        bool watches = rn_load_relaxed(&rn__sched.watcher) && rn_load_relaxed(&m->p->wakes_at_once) == 0;
        chan_send(c, watches ? m : NULL);
        rn_yield();
    }
    chan_close(c);
    wg_wait(&wg);
    CHECK(kept >= watched / 2);
}

struct found {
    const struct rn_m *waker; /* where a worker was idle then */
    int by_itself, kept;
};

/* Counts the times that its waker's worker has found it, in a look that was its own and not kept quiet for another reason. */
static void answer(rn_conn *c, struct found *f)
{
    char b[1];
    while (net_read(c, b, 1) == 1) {
        struct rn_m *m = rn__m();
        /* relaxed, both: hints */
        if (m == f->waker && !rn_load_relaxed(&m->p->brief) && !rn_load_relaxed(&rn__sched.watcher)) {
            f->by_itself++;
            f->kept += one_is_idle();
        }
        CHECK_EQ(net_write(c, b, 1), 1);
    }
}

/* Two who wait for each other's messages are found by the worker that has nothing else to do, and runs them. */
TEST(who_finds_one_at_a_look_wakes_nobody_for_it)
{
    enum { ROUNDS = 2000 };
    rn_set_procs(2);
    rn_conn *here, *there;
    struct found f = {0};
    char b[1] = {0};
    REQUIRE(net_pair(&here, &there) == 0);
    defer(net_free, here);
    defer(net_free, there);
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_go(&wg, answer, there, &f);
    for (int i = 0; i < ROUNDS; i++) {
        f.waker = one_is_idle() ? rn__m() : NULL;
        CHECK_EQ(net_write(here, b, 1), 1);
        CHECK_EQ(net_read(here, b, 1), 1);
    }
    net_close(here);
    wg_wait(&wg);
    CHECK(f.kept >= f.by_itself * 3 / 4); /* none, where each wakes a worker */
}

static rn_atomic(struct rn_g *) asleep;

static void sleep_again_and_again(int times)
{
    while (times--) {
        rn_store_release(&asleep, rn__self()); /* pairs with the acquire below */
        rn__park(RN_WAIT_IO, &asleep);
    }
}

/* Whom one wakes that parks at once has nobody before it here. */
TEST(who_wakes_one_and_is_about_to_park_wakes_no_worker)
{
    enum { ROUNDS = 200 };
    rn_set_procs(2);
    int kept = 0;
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_go(&wg, sleep_again_and_again, ROUNDS);
    for (int i = 0; i < ROUNDS; i++) {
        struct rn_g *g;
        while ((g = rn_load_acquire(&asleep)) == NULL) /* pairs with the release above */
            rn_yield();
        rn_store_relaxed(&asleep, NULL); /* relaxed: before it is woken */
        wait_for_rest();
        rn__ready_last(g, true);
        kept += one_is_idle() && !rn_load_acquire(&asleep); /* as above; nor has it run by now */
    }
    wg_wait(&wg);
    CHECK(kept >= ROUNDS * 3 / 4); /* few, where each wakes a worker */
}
