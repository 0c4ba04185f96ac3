#!/bin/sh
# runnel test fails a test that leaves something behind, and says what and where it came from.
. "$(dirname "$0")/../tap.sh"
unset CC CFLAGS LDFLAGS LDLIBS RUNNEL_TEST_LEAKS
export XDG_CACHE_HOME="$tap_dir/cache"
cd "$tap_dir" || exit 1
cat >leak_test.c <<'END'
#include <fcntl.h>
#include <runnel.h>
#include <runnel/process.h>
#include <runnel/test.h>

static void receive(chan(int) c)
{
    chan_recv(c);
}

TEST(leaves_a_goroutine)
{
    chan(int) c = chan_make(int, 0);
    go(receive, c); /* starts it */
}

TEST(leaves_a_deadline)
{
    rn_context *never_ended = ctx_with_timeout(NULL, RN_HOUR);
    (void)never_ended;
}
TEST(leaves_a_timer)
{
    static rn_timer t;
    rn_timer_init(&t, RN_HOUR);
}

TEST(leaves_a_channel)
{
    chan_send(chan_make(int, 1), 1);
}

TEST(leaves_a_descriptor)
{
    CHECK(open("/dev/null", O_RDONLY) >= 0);
}

static const char *const none[] = {"true", NULL}, *const some[] = {"sleep", "5", NULL};

TEST(leaves_an_ended_process)
{
    rn_process *p;
    REQUIRE(process_start(&(rn_command){.argv = none}, &p) == 0);
    process_wait(p, NULL);
}

TEST(leaves_a_child)
{
    rn_process *p;
    REQUIRE(process_start(&(rn_command){.argv = some}, &p) == 0);
    process_free(p);
}

static void named(chan(int) c)
{
    rn_set_name("its name");
    chan_recv(c);
}

TEST(leaves_a_goroutine_with_a_name)
{
    go(named, chan_make(int, 0));
}

TEST(leaves_what_it_may)
{
    test_leaks_ok();
    go(receive, chan_make(int, 0));
}

static void serve(chan(int) in, chan(int) out)
{
    int v;
    while (chan_next(in, &v))
        chan_send(out, 2 * v);
    chan_close(out);
}

TEST(cleans_up)
{
    chan(int) in = chan_make(int, 0), out = chan_make(int, 0);
    go(serve, in, out);
    chan_send(in, 21);
    CHECK_EQ(chan_recv(out), 42);
    chan_close(in);
    int v;
    CHECK(!chan_next(out, &v));
    chan_free(in);
    chan_free(out);
}

static void ends_soon(rn_waitgroup *wg)
{
    wg_done(wg);
    for (int i = 0; i < 10; i++)
        rn_sleep(RN_MILLISECOND);
}

TEST(waits_for_those_about_to_end)
{
    rn_waitgroup wg = {0};
    wg_add(&wg, 1);
    go(ends_soon, &wg);
    wg_wait(&wg);
}
END
"$RUNNEL" test >out 2>&1

says() {
    grep -E "$1" out || { cat out && false; }
}
check "a goroutine" says '^ +leak_test.c:[0-9]+: leaves_a_goroutine left goroutine [0-9]+ behind \[chan receive\]'
check "a context's deadline" says "^ +leak_test.c:[0-9]+: leaves_a_deadline left a context's deadline behind .*due in .*: ctx_cancel it"
check "a timer" says '^ +leak_test.c:[0-9]+: leaves_a_timer left a timer behind .*due in'
check "a channel" says '^ +leak_test.c:[0-9]+: leaves_a_channel left channel 0x[0-9a-f]+ behind'
check "a descriptor" says '^ +leak_test.c:[0-9]+: leaves_a_descriptor left descriptor [0-9]+ behind \(/dev/null\)'
check "a process" says '^ +leak_test.c:[0-9]+: leaves_an_ended_process left a process behind, started in .* at .*leak_test.c:[0-9]+: process_free it'
check "and not its channel" eval '! grep "leaves_an_ended_process left channel" out'
check "a child" says '^ +leak_test.c:[0-9]+: leaves_a_child left goroutine [0-9]+ "process reaper" behind \[IO wait\]'
check "a goroutine with a name" says '^ +leak_test.c:[0-9]+: leaves_a_goroutine_with_a_name left goroutine [0-9]+ "its name" behind \[chan receive\] in named'
check "what it may" says '^ok .*leaves_what_it_may'
check "nothing" says '^ok .*cleans_up'
check "those about to end are waited for" says '^ok .*waits_for_those_about_to_end'
check "nothing else" says '^# 3 passed, 8 failed'
not_asked() {
    RUNNEL_TEST_LEAKS=0 "$RUNNEL" test | grep -x '# 11 passed, 0 failed'
}
check "RUNNEL_TEST_LEAKS=0 turns it off" not_asked
empty_is_not_set() {
    RUNNEL_TEST_LEAKS='' "$RUNNEL" test | grep -x '# 3 passed, 8 failed'
}
check "RUNNEL_TEST_LEAKS= does not" empty_is_not_set
refused() {
    ! env "$1" "$RUNNEL" test >out 2>&1 && says "$2"
}
check "RUNNEL_TEST_LEAKS=yes is refused" refused RUNNEL_TEST_LEAKS=yes 'runnel: RUNNEL_TEST_LEAKS=yes: want 1 or 0'
check "RUNNEL_TEST_FORK=no is refused" refused RUNNEL_TEST_FORK=no 'runnel: RUNNEL_TEST_FORK=no: want 1 or 0'
check "RUNNEL_SEED=abc is refused" refused RUNNEL_SEED=abc 'runnel: RUNNEL_SEED=abc: want a whole number'
finish
