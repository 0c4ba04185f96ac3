/* SEMANTICS 6: rn_exit_goroutine runs the deferred calls, then ends only that goroutine; in main the others go on, and
 * if they all end: deadlock.  It survives a recovered panic raised in a deferred call. */
#include <runnel.h>
#include <runnel/test.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static void count(void *n)
{
    ++*(int *)n;
}

static void leave(int *ran, chan(int) done)
{
    defer(chan_close, done);
    defer(count, ran);
    {
        defer(count, ran);
        rn_exit_goroutine();
    }
}

TEST(runs_deferred_calls_and_ends_only_itself)
{
    int ran = 0;
    chan(int) done = chan_make(int, 0);
    go(leave, &ran, done);
    CHECK_EQ(chan_recv(done), 0);
    CHECK_EQ(ran, 2);
    chan_free(done);
}

static void recover_it(void *seen)
{
    const char *text = rn_recover();
    *(const char **)seen = text ? text : "none";
}

static void exit_recovers_nothing(const char **seen, chan(int) done)
{
    defer(chan_close, done);
    defer(recover_it, seen);
    rn_exit_goroutine();
}

TEST(exit_is_not_a_panic)
{
    const char *seen = NULL;
    chan(int) done = chan_make(int, 0);
    go(exit_recovers_nothing, &seen, done);
    chan_recv(done);
    CHECK_STR(seen, "none");
    chan_free(done);
}

static void raise(void *text)
{
    rn_panic("%s", (const char *)text);
}

static int reached;
static char recovered[32];

static void keep_text(void *arg)
{
    (void)arg;
    const char *text = rn_recover();
    snprintf(recovered, sizeof recovered, "%s", text ? text : "none");
}

static void exit_inside(void)
{
    defer(keep_text, NULL);
    defer(raise, "in the exit");
    rn_exit_goroutine();
}

static void exit_with_panic(chan(int) done)
{
    defer(chan_close, done);
    defer(count, &reached);
    exit_inside();
    reached += 100; /* the exit goes on: not reached */
}

TEST(exit_survives_a_recovered_panic)
{
    chan(int) done = chan_make(int, 0);
    go(exit_with_panic, done);
    chan_recv(done);
    CHECK_EQ(reached, 1);
    CHECK_STR(recovered, "in the exit");
    chan_free(done);
}

static void exit_in_deferred(void *arg)
{
    (void)arg;
    rn_exit_goroutine();
}

static void panics_then_exits(chan(int) done)
{
    defer(chan_close, done);
    defer(count, &reached);
    defer(exit_in_deferred, NULL);
    rn_panic("replaced by an exit");
}

TEST(exit_in_a_deferred_call_replaces_a_panic)
{
    chan(int) done = chan_make(int, 0);
    reached = 0;
    go(panics_then_exits, done);
    chan_recv(done);
    CHECK_EQ(reached, 1);
    chan_free(done);
}

static void last_one(void)
{
    rn_yield();
    fputs("the others go on\n", stderr);
}

TEST_DIES(main_exits_and_others_go_on, 2, "the others go on")
{
    go(last_one);
    rn_exit_goroutine();
}

static void start_ten(void)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < 10; i++) {
        wg_go(&wg, rn_yield);
        wg_wait(&wg);
    }
    fputs("all ten\n", stderr);
}

/* One of them gets the record that was main's, and is not taken for it. */
TEST_DIES(main_exits_and_others_start_others, 2,
          "all ten\nfatal error: no goroutines (main called rn_exit_goroutine) - deadlock!")
{
    go(start_ten);
    rn_exit_goroutine();
}

TEST_DIES(main_exits_and_all_end, 2, "fatal error: no goroutines (main called rn_exit_goroutine) - deadlock!")
{
    rn_exit_goroutine();
}

static void *plain(void *arg)
{
    (void)arg;
    EXPECT_PANIC("rn_exit_goroutine: this is not a goroutine but a plain thread", rn_exit_goroutine());
    return NULL;
}

TEST(plain_threads_panic)
{
    pthread_t t;
    REQUIRE(pthread_create(&t, NULL, plain, NULL) == 0);
    pthread_join(t, NULL);
}
