#!/bin/sh
# runnel new and runnel test outside of the source tree: a project made by `new` passes, and tests
# that must fail do, each with its file and line.
. "$(dirname "$0")/../tap.sh"
unset CC CFLAGS LDFLAGS LDLIBS
export XDG_CACHE_HOME="$tap_dir/cache"
cd "$tap_dir" || exit 1

new_project() {
    "$RUNNEL" new my-project && cd my-project && "$RUNNEL" run main.c squares.c 3 4 | grep -x "the squares' sum is 25" &&
        "$RUNNEL" test | tee out && grep -qx '# 1 passed, 0 failed' out
}
refuses_to_overwrite() {
    "$RUNNEL" new my-project 2>out
    [ $? = 1 ] && cat out && [ "$(wc -l <out)" = 1 ] && grep -q 'exists already' out
}
failures() {
    mkdir -p bad/sub && cat >bad/sub/bad_test.c <<'END'
#include <runnel.h>
#include <runnel/test.h>
#include <stdio.h>
#include <stdlib.h>
TEST(equal)
{
    printf("seen only now\n");
    CHECK_EQ(1 + 1, 3);
}
TEST(required)
{
    REQUIRE(1 > 2);
    FAIL("not reached");
}
TEST(text)
{
    CHECK_STR("a", "b");
    FAIL("number %d", 7);
}
TEST(crash)
{
    abort();
}
TEST(stuck)
{
    chan_recv((chan(int))NULL);
}
TEST(ends)
{
    exit(0 * chan_cap((chan(int))NULL) + 5);
}
TEST_DIES(no_death, 2, "panic")
{
}
TEST(no_panic)
{
    EXPECT_PANIC("boom", (void)0);
    EXPECT_PANIC("boom", rn_panic("bang"));
}
TEST(fine)
{
    EXPECT_PANIC("boom", rn_panic("boom"));
    CHECK(true);
}
TEST_DIES(dies_as_expected, 2, "panic: boom")
{
    rn_panic("boom");
}
TEST(passes_after_all_that)
{
}
TEST(says_it_ends_well)
{
    exit(0);
}
TEST(leaks_after_all_that)
{
    chan(int) c = chan_make(int, 1);
    CHECK_EQ(chan_cap(c), 1);
}
END
    (cd bad && "$RUNNEL" test >../out 2>&1)
    status=$?
    cat out
    [ $status = 1 ] && grep -qx '# 3 passed, 10 failed' out || return 1
    for line in 'sub/bad_test.c:8: 1 + 1 is 2, expected 3 = 3' 'sub/bad_test.c:12: required, but not true: 1 > 2' \
        'sub/bad_test.c:17: "a" is "a", expected "b" = "b"' 'sub/bad_test.c:18: number 7' \
        'sub/bad_test.c:20: crash: ended by signal 6' 'all goroutines are asleep - deadlock!' \
        'sub/bad_test.c:28: ends: ended with status 5, expected 0' 'seen only now' \
        'says_it_ends_well: exit(0) was called before' 'leaks_after_all_that left channel' \
        'no_death: ended with status 0, expected 2' 'expected panic "boom" from: (void)0' \
        'panicked with "bang", expected "boom"'; do
        grep -qF "$line" out || { echo "missing: $line"; return 1; }
    done
}
pattern() {
    cd bad && "$RUNNEL" test -run 'fine|passes' >../out && grep -qx '# 2 passed, 0 failed' ../out
}
# The fields of an event stand in one order: time, action, package, test, output, elapsed.
json() {
    mkdir -p json && cd json && printf '#include <runnel/test.h>\n#include <stdio.h>\nTEST(good)\n{\n}\nTEST(bad)\n{\n    puts("\\"\\377");\n    FAIL("no");\n}\nTEST(skipped)\n{\n    rn_test_skip("why");\n}\n' >it_test.c &&
        echo 'int x = y;' >no_test.c || return 1
    "$RUNNEL" test -json 2>/dev/null >../out
    [ $? = 1 ] && cat ../out && ! grep -v '^{"Time":"20..-..-..T..:..:..\..*Z","Action":".*"}$' ../out | grep -v '"Elapsed":[0-9.]*}$' || return 1
    for event in 'output","Package":"no_test","Output":"no_test.c:1: does not compile' 'fail","Package":"no_test"}' 'start","Package":"it_test"}' \
        'run","Package":"it_test","Test":"good"}' 'pass","Package":"it_test","Test":"good","Elapsed":' \
        'output","Package":"it_test","Test":"bad","Output":"    it_test.c:9: no' 'output","Package":"it_test","Test":"bad","Output":"    \"\ufffd' \
        'fail","Package":"it_test","Test":"bad","Elapsed":' 'skip","Package":"it_test","Test":"skipped"' 'fail","Package":"it_test"}'; do
        grep -qF "\"Action\":\"$event" ../out || { echo "missing: $event"; return 1; }
    done
}
# Succeeds as Go's does, but says so.
nothing_has_that_name() {
    cd bad && "$RUNNEL" test -run no_such_name >../out 2>../err || return 1
    cat ../out ../err
    grep -qx '# 0 passed, 0 failed' ../out && [ "$(wc -l <../err)" = 1 ] && grep -q 'no test here has a name that -run no_such_name' ../err
}
# SIGTERM, as of a CI's time limit: what it had started ends as well.
ended_with_its_tests() {
    mkdir -p stays && printf '#include <runnel.h>\n#include <runnel/test.h>\n#include <stdio.h>\n#include <unistd.h>\nTEST(stays)\n{\n    FILE *f = fopen("pid", "w");\n    fprintf(f, "%%d\\n", (int)getpid());\n    fclose(f);\n    rename("pid", "there");\n    rn_sleep(RN_HOUR);\n}\n' >stays/stays_test.c
    cd stays || return 1
    "$RUNNEL" test >/dev/null &
    tester=$!
    until [ -s there ]; do
        kill -0 $tester || return 1
        sleep 0.1
    done
    kill -TERM $tester
    wait $tester
    read -r pid <there
    for _ in $(seq 100); do
        [ -e "/proc/$pid" ] || return 0
        case $(cat "/proc/$pid/stat" 2>/dev/null) in *") Z "*) return 0 ;; esac
        sleep 0.1
    done
    return 1
}
# DIR WORDS…: what is tested there takes too long, and all the words are said, LIMIT being the seconds it had.  On a busy
# machine a program may take longer to begin than the limit leaves it: then it has more.
takes_too_long() {
    cd "$1" || return 1
    shift
    for limit in 1 4 16; do
        RUNNEL_TEST_TIMEOUT=$limit "$RUNNEL" test >../out
        [ $? = 1 ] && cat ../out || return 1
        for words; do
            grep -q "$(echo "$words" | sed "s/LIMIT/$limit/")" ../out || continue 2
        done
        return 0
    done
    return 1
}
timeout_is_reported() {
    mkdir -p slow && printf '#include <runnel.h>\n#include <runnel/test.h>\nTEST(slow)\n{\n    rn_sleep(RN_HOUR);\n}\n' >slow/slow_test.c
    takes_too_long slow 'slow_test.c:3: slow took longer than LIMIT s' 'goroutine 1'
}
# Its end of file is no end of its process.
hangs_without_output() {
    mkdir -p hangs && cat >hangs/hangs_test.c <<'END' || return 1
#include <runnel/test.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>
TEST(hangs)
{
    struct stat st;
    signal(SIGQUIT, SIG_IGN);
    for (int fd = 1; fd < 64; fd++)
        if (fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode))
            close(fd);
    for (;;)
        pause();
}
END
    takes_too_long hangs 'hangs_test.c:5: hangs took longer than LIMIT s'
}
# It writes for longer than one that says nothing is given.
slow_listing_is_waited_for() {
    mkdir -p listing && cat >listing/listing_test.c <<'END' || return 1
#include <runnel.h>
#include <runnel/test.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
static void tell_slowly(int signo)
{
    (void)signo;
    for (int i = 0; i < 5; i++) {
        sleep(1);
        (void)!write(2, &"12345"[i], 1);
    }
    _exit(2);
}
TEST(hangs)
{
    signal(SIGQUIT, tell_slowly);
    rn_sleep(RN_HOUR);
}
END
    takes_too_long listing 'hangs took longer' 12345
}
constructor_is_ended() {
    mkdir -p early && printf '#include <runnel/test.h>\n#include <unistd.h>\n__attribute__((constructor)) static void early(void)\n{\n    pause();\n}\nTEST(late)\n{\n}\n' >early/early_test.c
    cd early && RUNNEL_TEST_TIMEOUT=1 "$RUNNEL" test >../out
    [ $? = 1 ] && cat ../out && grep -q 'main did not begin: what waits in a constructor' ../out
}
does_not_compile() {
    mkdir -p no && echo 'int x = y;' >no/no_test.c && cd no && "$RUNNEL" test >../out 2>&1
    [ $? = 1 ] && cat ../out && grep -q 'no_test.c:1:' ../out && grep -qx '# 0 passed, 1 failed' ../out
}
no_tests() {
    mkdir -p none && cd none && "$RUNNEL" test 2>../out
    [ $? = 1 ] && [ "$(wc -l <../out)" = 1 ] && grep -q 'no \*_test.c' ../out
}
named_with_tests() {
    mkdir -p named && cat >named/some.c <<'END'
#include <runnel.h>
#include <runnel/test.h>
TEST(passes)
{
    CHECK(1);
}
BENCH(nothing)
{
    while (bench_loop(b))
        continue;
}
END
    { cat named/some.c && printf 'int rn_main(int argc, char **argv)\n{\n    (void)argv;\n    return argc - 1;\n}\n'; } >named/both.c
    echo 'int x;' >named/neither.c
    "$RUNNEL" test named/some.c named/both.c >out 2>&1 && cat out && grep -qx '# 3 passed, 0 failed' out && ! grep warning out &&
        RUNNEL_BENCH_TIME=0.01 "$RUNNEL" test -bench . named/some.c >out && cat out && grep BenchmarkNothing out &&
        ! "$RUNNEL" test named/neither.c >out 2>&1 && cat out && grep 'neither_test.c: the program defines neither rn_main nor main' out
}
named_files() {
    mkdir -p named && printf '#include <runnel.h>\nint rn_main(int argc, char **argv)\n{\n    (void)argv;\n    return argc + 4;\n}\n' >named/five.c
    cp bad/sub/bad_test.c named
    "$RUNNEL" test named/five.c >out
    [ $? = 1 ] && cat out && grep -q 'named/five.c:1: rn_main returned 5' out && grep -qx '# 0 passed, 1 failed' out &&
        "$RUNNEL" test -run fine named/*_test.c >out && grep -qx '# 1 passed, 0 failed' out
}
a_program() {
    mkdir -p program && cat >program/kept.c <<'END'
#include <runnel.h>
static void pass_on(chan(int) c)
{
    chan_send(c, 7);
}
int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    chan(int) c = chan_make(int, 0);
    go(pass_on, c);
    return chan_recv(c) - 7;
}
END
    sed 's/pass_on(c)/go(pass_on, c)/; s/- 7/- 7 + chan_recv(c)/' program/kept.c >program/stuck.c
    "$RUNNEL" test program/kept.c >out 2>&1 || { cat out; return 1; }
    for with in '' '-explore 5'; do
        "$RUNNEL" test $with program/stuck.c >out 2>&1 && return 1
        cat out
        grep -A2 'goroutine 1 \[chan receive\]:' out | grep -q 'stuck.c:11$' && ! grep -q 'rn__\|stuck.c:[1-3]$' out || return 1
    done
}
started_last() {
    mkdir -p last && cat >last/last.c <<'END'
#include <runnel.h>
static void waits(chan(int) c)
{
    chan_recv(c);
}
static void starts(chan(int) c)
{
    go(waits, c);
}
int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    chan(int) c = chan_make(int, 0);
    go(starts, c);
    return chan_recv(c);
}
END
    "$RUNNEL" run last/last.c >out 2>&1 && return 1
    cat out
    grep -A1 'created by starts in goroutine [0-9]' out | grep -q 'last.c:8$'
}

check "a new project runs and passes its test" new_project
check "new refuses to overwrite" refuses_to_overwrite
check "failures have file and line" failures
check "-run chooses" pattern
prove_reads_it() {
    (cd my-project && "$RUNNEL" test >../good.tap) && (cd bad && "$RUNNEL" test >../bad.tap; true) && prove -e cat good.tap &&
        ! prove -e cat bad.tap >out && cat out && grep -q 'Failed tests\{0,1\}: ' out && ! grep -q 'Parse error' out
}
if command -v prove >/dev/null; then
    check "prove reads it" prove_reads_it
else
    skip "prove reads it" "no prove here (perl)"
fi
check "-json prints events as Go's does" json
check "-run with a name that nothing has" nothing_has_that_name
check "its tests end with it" ended_with_its_tests
check "only the files that are named, and a program's rn_main as a test" named_files
check "a file that is named may have tests and benchmarks without being called *_test.c" named_with_tests
check "a program may keep its channels; reports tell of its own functions only" a_program
check "reports say who started a goroutine, also when that was the last thing it did" started_last
check "a test that hangs is ended, with its goroutines listed" timeout_is_reported
check "a test that closes its output and hangs is ended" hangs_without_output
check "a listing that takes its time is waited for" slow_listing_is_waited_for
check "a program that hangs before its main is ended" constructor_is_ended
check "a test that does not compile is a failure" does_not_compile
check "a directory without tests" no_tests
check "an unknown option" sh -c '"$0" test --slow 2>out; [ $? = 2 ] && [ "$(wc -l <out)" = 1 ]' "$RUNNEL"
finish
