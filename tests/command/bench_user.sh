#!/bin/sh
# runnel test -bench: benchmarks of a user's project, outside of the source tree.
. "$(dirname "$0")/../tap.sh"
unset CC CFLAGS LDFLAGS LDLIBS
export XDG_CACHE_HOME="$tap_dir/cache" RUNNEL_BENCH_TIME=0.02 RUNNEL_PROCS=2
mkdir -p "$tap_dir/project" && cd "$tap_dir/project" || exit 1

cat >one_test.c <<'END'
#include <runnel.h>
#include <runnel/test.h>
#include <stdlib.h>
TEST(is_not_run)
{
    FAIL("a test ran");
}
/* A test may have the name of a benchmark. */
TEST(allocates)
{
    FAIL("a test ran");
}
BENCH(allocates)
{
    bench_bytes(b, 8);
    bench_metric(b, 2.5, "things/op");
    while (bench_loop(b)) {
        char *volatile p = malloc(100), *volatile q = calloc(10, 10);
        free(p);
        free(q);
    }
}
static void pong(chan(int) in, chan(int) out)
{
    for (int v; chan_next(in, &v);)
        chan_send(out, v);
    chan_close(out);
}
BENCH(ping_pong)
{
    chan(int) in = chan_make(int, 0), out = chan_make(int, 0);
    go(pong, in, out);
    while (bench_loop(b)) {
        chan_send(in, 1);
        CHECK_EQ(chan_recv(out), 1);
    }
    chan_close(in);
    chan_recv(out);
}
static void spin(rn_waitgroup *wg, long n)
{
    for (volatile long i = 0; i < n * 1000; i++)
        ;
    wg_done(wg);
}
BENCH(by_n)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    bench_stop(b);
    wg_add(&wg, 1);
    bench_start(b);
    go(spin, &wg, bench_n(b));
    wg_wait(&wg);
}
END
cat >two_test.c <<'END'
#include <runnel.h>
#include <runnel/test.h>
BENCH(wrong)
{
    while (bench_loop(b))
        ;
    CHECK_EQ(1, 2);
}
BENCH(wrong_often)
{
    while (bench_loop(b))
        CHECK_EQ(3, 4);
}
BENCH(dies)
{
    while (bench_loop(b))
        rn_panic("oh no");
}
END

# One line of the output: NAME, and what must follow ns/op.
line() { grep -qE "^Benchmark$1-2	 *[1-9][0-9]*	 *[0-9.]+ ns/op$2\$" out || { cat out; return 1; }; }
figures_once() {
    "$RUNNEL" test -bench 'allocates|ping|by_n' >out || { cat out; return 1; }
    grep -qx 'goos: linux' out && grep -qx 'pkg: one_test' out && grep -qx PASS out && ! grep -q TAP out &&
        line Allocates '	 *[0-9.]+ MB/s	 *2.50 things/op	 *200 B/op	 *2 allocs/op	 *[0-9.]+ switches/op' &&
        line Ping_pong '	 *0 B/op	 *0 allocs/op	 *[12]\.[0-9]+ switches/op' &&
        line By_n '	 *[0-9]+ B/op	 *[0-9]+ allocs/op	 *[0-9.]+ switches/op'
}
# On a busy machine a benchmark may be over after one operation, with what the process does at its beginning in it.
figures() {
    for _ in 1 2 3 4; do
        figures_once && return 0
    done
    return 1
}
count() { "$RUNNEL" test -bench allocates -count 3 >out && cat out && [ "$(grep -c '^BenchmarkAllocates' out)" = 3 ]; }
failures() {
    "$RUNNEL" test -bench . >out
    [ $? = 1 ] && cat out && grep -qx -- '--- FAIL: wrong' out && grep -q 'two_test.c:7: 1 is 1, expected 2 = 2' out &&
        grep -qx -- '--- FAIL: dies' out && grep -q 'panic: oh no' out && ! grep -q ^BenchmarkWrong out &&
        grep -q BenchmarkAllocates out
}
# The words of gperftools' format, and the maps behind the samples.
# A check in a loop fails a million times.
failures_are_few() {
    "$RUNNEL" test -bench wrong_often >out
    [ $? = 1 ] && tail -5 out && [ "$(grep -c 'two_test.c:12: 3 is 3, expected 4 = 4' out)" = 50 ] &&
        grep -qE '^    and [0-9]+ more$' out
}
profile() {
    RUNNEL_BENCH_TIME=0.3 "$RUNNEL" test -bench by_n -cpuprofile cpu.out >out 2>err || { cat out err; return 1; }
    cat err
    head=$(od -A n -t d8 -N 40 -w40 cpu.out | tr -s ' ')
    echo "$head"
    [ "$head" = " 0 3 0 10000 0" ] && [ "$(wc -c <cpu.out)" -gt 200 ] && grep -qa 'one_test$' cpu.out &&
        grep -q 'go tool pprof .*/one_test .*/project/cpu.out' err
}
unwritable() { refused -bench by_n -cpuprofile missing/cpu.out && grep -q 'missing/cpu.out can.t be written: No such' err; }
no_time() {
    RUNNEL_BENCH_TIME=soon "$RUNNEL" test -bench by_n >out 2>err
    [ $? = 1 ] && cat err && grep -q '^runnel: RUNNEL_BENCH_TIME=soon: want a number of seconds' err
}
tests_still() { "$RUNNEL" test -run is_not >out; [ $? = 1 ] && cat out && grep -qx '# 0 passed, 1 failed' out; }
refused() {
    "$RUNNEL" test "$@" 2>err >out
    [ $? = 2 ] && cat err && [ "$(wc -l <err)" = 1 ]
}

check "figures of each kind" figures
check "-count repeats" count
check "a failed benchmark prints no time" failures
check "of very many failures some are shown" failures_are_few
check "-cpuprofile writes samples" profile
check "benchmarks are no tests" tests_still
check "-count without -bench" refused -count 2
check "-count 0" refused -bench . -count 0
check "-count of too many" refused -bench . -count 99999999999999
check "a profile that can't be written" unwritable
check "a time that is none" no_time
check "-bench beside -run" refused -bench . -run x
check "a profile of two programs" refused -bench . -cpuprofile cpu.out
finish
