#!/bin/sh
# What runnel run -race reports: goroutines, their starts, what the memory is and what to look at first, without
# the library's own frames; and accesses that the optimiser would have dropped.
. "$(dirname "$0")/../tap.sh"
unset CC CFLAGS CPPFLAGS LDFLAGS LDLIBS TSAN_OPTIONS
export XDG_CACHE_HOME="$tap_dir/cache"
cd "$tap_dir" || exit 1
if ! command -v clang >/dev/null; then
    skip "runnel run -race" "no clang"
    finish
fi
cat >race.c <<'END'
#include <runnel.h>
#include <stdlib.h>
#include <string.h>

static int total, limit = 3;
static rn_waitgroup late;
struct account {
    long owner, balance;
};

/* How the second knows that the first is through; it orders nothing. */
static int through;
static void ends(void)
{
    __atomic_add_fetch(&through, 1, __ATOMIC_RELAXED);
}

static int limit_now(void)
{
    return limit;
}

static void look(void)
{
    int unused = limit_now();
    (void)unused;
    ends();
}

static void add(void) { total++, ends(); }
static void add_later(void *arg) { (void)arg, add(); }
static void raise_limit(void) { limit = 4, ends(); }
static void pay(struct account *a) { a->balance += 10, ends(); }
static void drop(struct account *a) { free(a), ends(); }
static void count(int *hits) { ++*hits, ends(); }
static void send(chan(int) c) { chan_send(c, 1), ends(); }
static void end(chan(int) c) { chan_close(c), ends(); }
static void join(void) { wg_add(&late, 1), wg_done(&late), ends(); }

static void await(int n)
{
    while (__atomic_load_n(&through, __ATOMIC_RELAXED) < n)
        rn_yield();
}
#define BOTH(first, second) ((first), await(1), (second))
#define BOTH_GO(first, second) ((first), await(1), (second), await(2))

int rn_main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    struct account *a = calloc(1, sizeof *a);
    int hits = 0;
    chan(int) c = chan_make(int, 2);
    if (strcmp(what, "global") == 0) {
        BOTH_GO(go(add), rn_go_with((.name = "adder"), add));
    } else if (strcmp(what, "unused") == 0) {
        BOTH_GO(go(look), go(raise_limit));
    } else if (strcmp(what, "heap") == 0) {
        BOTH_GO(go(pay, a), go(pay, a));
    } else if (strcmp(what, "free") == 0) {
        BOTH_GO(go(pay, a), go(drop, a));
    } else if (strcmp(what, "stack") == 0) {
        BOTH(go(count, &hits), hits = 7);
    } else if (strcmp(what, "close") == 0) {
        BOTH_GO(go(send, c), go(end, c));
    } else if (strcmp(what, "add") == 0) {
        BOTH(go(join), wg_wait(&late));
    } else if (strcmp(what, "timer") == 0) {
        BOTH(rn_after_func(NULL, 1, add_later, 0), total++);
    }
    return hits == 5;
}
END
# The program is built once; its runs are short.
"$RUNNEL" build -race -o race race.c >built 2>&1

reports() {
    what=$1
    shift
    ./race "$what" >report 2>&1
    status=$?
    cat built report
    [ "$status" = 66 ] || { echo "status $status"; return 1; }
    for line; do
        grep -Eq "$line" report || { echo "not there: $line"; return 1; }
    done
    ! grep -E 'rn__|switch\.S|thread T[0-9]' report
}
at='.*race\.c:[0-9]+'
silent() {
    ./race none >report 2>&1
    status=$?
    cat report
    [ "$status" = 0 ] && [ ! -s report ]
}
# TSan's own text goes to its log, if there is one; and its options keep their effect.
logged() {
    rm -f log.*
    TSAN_OPTIONS=log_path=log ./race global
    [ $? = 66 ] && cat log.* && grep -q 'WARNING: ThreadSanitizer: data race' log.*
}
halts() {
    TSAN_OPTIONS=halt_on_error=1 ./race global >report 2>&1
    [ $? = 66 ] && cat report && ! grep 'reported 1 warnings' report
}

check "nothing is reported without a race" silent
check "a global: its name, the goroutines, their starts" reports global \
    '^WARNING: ThreadSanitizer: data race \(pid=' \
    "^  (Read|Write) of size 4 at 0x[0-9a-f]+ by goroutine [0-9]+ \(adder\):" "^    #0 add $at" \
    '^  Previous write of size 4 at 0x[0-9a-f]+ by goroutine [0-9]+:' "^  Location is global 'total'" \
    '^  Goroutine [0-9]+ \(adder\) \((running|finished)\) started by goroutine 1 at:' "^    #0 rn_main $at" \
    "^  Look first at .*$at: both goroutines run it" '^SUMMARY: ThreadSanitizer: data race .*race\.c:[0-9]+:[0-9]+ in add'
check "a read whose value nobody needs" reports unused "^    #0 limit_now $at" "^    #1 look $at" "^  Look first at .*$at and .*$at:"
check "a heap block: where in it, and who allocated it" reports heap \
    'Location is byte 8 of a heap block of size 16 at 0x[0-9a-f]+ allocated by goroutine 1 at:' '^    #0 calloc' "^    #1 rn_main $at"
check "memory that is freed" reports free '^    #0 free' "^    #1 drop $at" "^  Look first at .*$at, which frees the memory"
check "a goroutine's variable" reports stack 'by goroutine 1 \(main\):' 'local variable on the stack of goroutine 1$' \
    'pass the value of the variable'
check "a channel that is closed" reports close 'Location is a channel at 0x[0-9a-f]+ made by goroutine 1 at:' \
    "^  Look first at .*$at, which closes the channel"
check "a wait that the add may miss" reports add '^    #0 rn_wg_wait$' "nothing orders this wg_add before the wg_wait at .*$at"
check "who was started by a timer" reports timer 'Goroutine [0-9]+ \(.*\) started by the library: .* a timer'
check "a log is ThreadSanitizer's own" logged
check "halt_on_error" halts

# Structs by value, which gcc's instrumentation overlooks; and a nested function, which only gcc compiles.
cat >value.c <<'END'
#include <runnel.h>
struct pair { int a, b; };
static struct pair shared;
static int step; /* orders nothing: of two accesses at the very same moment the detector may overlook one */
static struct pair both(int n) { return (struct pair){n, n}; }
static void set(chan(int) done)
{
    shared = both(1);
    __atomic_store_n(&step, 1, __ATOMIC_RELAXED);
    chan_send(done, 1);
}
int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
#ifdef NESTED
    int add(int n) { return n + argc; }
    return add(-1);
#else
    chan(int) done = chan_make(int, 1);
    go(set, done);
    while (!__atomic_load_n(&step, __ATOMIC_RELAXED))
        rn_yield();
    shared = both(2);
    return chan_recv(done) - 1;
#endif
}
END
by_value() {
    CC= "$RUNNEL" run -race value.c >report 2>&1
    [ $? = 66 ] && cat report && grep -q "Location is global 'shared'" report
}
by_the_other() {
    CC= "$RUNNEL" run -race -DNESTED value.c >report 2>&1
    status=$?
    cat report
    [ "$status" = 0 ] && grep -q "^runnel: clang can't compile this, " report && ! grep error report
}
dropped_const() {
    printf 'static const char *name(void) { return "n"; }\nint main(void)\n{\n    char *s = name();\n    return *s != 110;\n}\n' >const.c
    CC= "$RUNNEL" run -race const.c >report 2>&1
    status=$?
    cat report
    [ "$status" = 0 ] && grep -q "warning: " report && ! grep "clang can't" report
}
check "a struct that is returned into a variable" by_value
# Who called the library stands between what it calls and who called that; what it starts is started there, or by itself.
# (Who waits sleeps: the steps of a loop would take the place of those that another has left, of whom the report tells.)
cat >called.c <<'END'
#include <runnel.h>
static int shared;
static rn_flight flight = RN_FLIGHT_INIT;
static int look(void *arg, void **result)
{
    (void)arg;
    *result = &shared;
    return shared++;
}
static void ask(void)
{
    void *result;
    (void)flight_do(&flight, "key", look, NULL, &result, NULL);
}
static void *make(void)
{
    shared++;
    return &shared;
}
static void keep(void *object)
{
    (void)object;
}
static void borrow(void)
{
    static rn_pool pool = RN_POOL_INIT(make, keep);
    (void)pool_get(&pool);
}
static void late(void *done)
{
    shared++;
    chan_send((chan(int))done, 1);
}
static void end(chan(int) done)
{
    rn_context *ctx = ctx_with_cancel(NULL);
    ctx_after_func(ctx, late, done);
    ctx_cancel(ctx);
}
static void time_out(chan(int) done)
{
    rn_context *ctx = ctx_with_timeout(NULL, RN_MILLISECOND);
    ctx_after_func(ctx, late, done);
    ctx_wait(ctx);
}
static void other(chan(int) done)
{
    shared++;
    chan_send(done, 1);
}
int rn_main(int argc, char **argv)
{
    (void)argc;
    chan(int) done = chan_make(int, 2);
    go(other, done);
    while (chan_len(done) == 0)
        rn_sleep(100 * RN_MICROSECOND);
    switch (argv[1][0]) {
    case 'f': ask(); break;
    case 'p': borrow(); break;
    case 'e': end(done); break;
    case 't': time_out(done); break;
    }
    while ((argv[1][0] == 'e' || argv[1][0] == 't') && chan_len(done) < 2)
        rn_sleep(100 * RN_MICROSECOND);
    return 0;
}
END
called() { # WHICH PATTERN
    CC= "$RUNNEL" run -race called.c "$1" >report 2>&1
    cat report
    grep -qE "$2" report
}
check "who shares a call stands in the trace" called f '#1 ask .*called.c:13'
check "who takes from a pool, too" called p '#1 borrow .*called.c:27'
check "what a context's end starts is started by who ends it" called e '#0 end .*called.c:38'
check "or by its deadline" called t "started by the library: for a connection, a timer, a context's end or the like"
check "a const that is dropped is clang's, too" dropped_const

cat >racy_test.c <<'END'
#include <runnel.h>
#include <runnel/test.h>
static int n;
static int step; /* orders nothing, as above */
static void add(rn_waitgroup *wg)
{
    n++;
    __atomic_store_n(&step, 1, __ATOMIC_RELAXED);
    wg_done(wg);
}
TEST(racy)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_add(&wg, 1);
    go(add, &wg);
    while (!__atomic_load_n(&step, __ATOMIC_RELAXED))
        rn_yield();
    n++;
    wg_wait(&wg);
}
END
# The detector's own descriptors are no leak of the test's.
in_a_test() {
    CC= "$RUNNEL" test -race racy_test.c >report 2>&1
    status=$?
    cat report
    [ "$status" = 1 ] && grep -q "data race" report && ! grep "left descriptor" report
}
check "a race in a test" in_a_test
# Which clang makes a memcpy of, and gcc a store that it does not tell of.
cat >mempcpy.c <<'END'
#define _GNU_SOURCE 1
#include <runnel.h>
#include <string.h>

static char text[16];
static int step;

static void put(void)
{
    mempcpy(text, "hello", 6);
    __atomic_store_n(&step, 1, __ATOMIC_RELAXED);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_go(&wg, put);
    while (!__atomic_load_n(&step, __ATOMIC_RELAXED))
        rn_yield();
    text[0] = 'j';
    wg_wait(&wg);
    return 0;
}
END
mempcpy_by_gcc() {
    CC=gcc "$RUNNEL" run -race mempcpy.c 2>report
    status=$?
    cat report
    [ $status = 66 ] && grep 'put .*mempcpy.c:10' report
}
if command -v gcc >/dev/null && [ "$(basename "$(readlink -f "$(command -v cc)")")" != clang ]; then
    check "what clang can't compile, gcc does" by_the_other
    check "gcc's mempcpy is seen" mempcpy_by_gcc
else
    skip "what clang can't compile, gcc does" "no gcc"
    skip "gcc's mempcpy is seen" "no gcc"
fi
finish
