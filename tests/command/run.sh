#!/bin/sh
# runnel run and build: what they print, their exit status, the cache, bad input.
. "$(dirname "$0")/../tap.sh"
unset CC CFLAGS LDFLAGS LDLIBS
export XDG_CACHE_HOME="$tap_dir/cache"
work=$tap_dir/work
mkdir -p "$work"
cd "$work" || exit 1

cat >hello.c <<'END'
#include <runnel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "text.h"
static void greet(const char *who, chan_send_only(int) done)
{
    printf("%s %s\n", TEXT, who);
    chan_send(done, 1);
}
int rn_main(int argc, char **argv)
{
    chan(int) done = chan_make(int, 0);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "abort") == 0)
            abort();
        go(greet, argv[i], done);
        chan_recv(done);
    }
    chan_free(done);
    return argc - 1;
}
END
echo '#define TEXT "hello"' >text.h
printf '#include <stdio.h>\nint main(void) { puts("plain"); return 0; }\n' >plain.c
printf 'int two(void);\n#include <stdio.h>\nint main(void) { return two(); }\n' >one.c
printf 'int two(void) { return 22; }\n' >two.c
printf 'int rn_main(int argc, char **argv) { return argc + nothing; }\n' >broken.c
printf 'int x;\n' >neither.c
cat >alike.c <<'END'
#include <runnel.h>
static rn_mutex m;
static volatile int locked;
static __attribute__((noinline)) void first(void)
{
    mutex_lock(&m);
    locked = 1;
}
static __attribute__((noinline)) void second(void)
{
    mutex_lock(&m);
    locked = 1;
}
int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    first();
    second();
    return 0;
}
END
cat >large.c <<'END'
#include <runnel.h>
static void fill(volatile char *room, long n) { room[0] = room[n - 1] = 1; }
static void large(void (*volatile use)(volatile char *, long))
{
    volatile char room[1 << 20];
    use(room, sizeof room);
}
int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    go(large, fill);
    rn_sleep(RN_MINUTE);
    return 0;
}
END

# says STATUS TEXT COMMAND…: the exit status, and (a part of) what is printed on stdout and stderr.
says() {
    want_status=$1 want=$2
    shift 2
    "$@" >"$work/out" 2>&1 # the directory that it runs in may be one that can't be written
    status=$?
    cat "$work/out"
    [ $status = "$want_status" ] || { echo "status $status, expected $want_status"; return 1; }
    case $(cat "$work/out") in *"$want"*) ;; *) echo "expected: $want"; return 1 ;; esac
}
# one_line STATUS TEXT COMMAND…: the same, and it is one line on stderr.
one_line() {
    shift_status=$1 shift_text=$2
    shift 2
    says "$shift_status" "$shift_text" "$@" && [ "$(wc -l <"$work/out")" = 1 ] && "$@" 2>/dev/null | { ! grep -q .; }
}
# By processor time, the least of several: what else the machine does can only add to it.  And no compiler is started.
cached_start_is_fast() {
    printf '#!/bin/sh\necho "$*" >>compiled\nexec cc "$@"\n' >counted-cc && chmod +x counted-cc || return 1
    CC=$work/counted-cc && export CC
    "$RUNNEL" run plain.c && [ -s compiled ] && rm compiled || return 1
    for _ in 1 2 3 4 5 6 7; do
        ("$RUNNEL" run plain.c >/dev/null && times) | tail -n 1
    done | awk -F '[ms ]+' '{ took = 60 * $1 + $2 + 60 * $3 + $4; if (NR == 1 || took < least) least = took }
        END { print 1000 * least " ms"; exit NR < 7 || least >= 0.05 }' && [ ! -e compiled ]
}
header_change_is_seen() {
    says 1 "hello you" "$RUNNEL" run hello.c you || return 1
    echo '#define TEXT "goodbye"' >text.h
    says 1 "goodbye you" "$RUNNEL" run hello.c you || return 1
    echo '#define TEXT "hello"' >text.h
    says 1 "hello you" "$RUNNEL" run hello.c you
}
flags_are_part_of_the_key() {
    printf '#include <stdio.h>\nint main(void) { printf("%%d", N); return 0; }\n' >n.c
    CFLAGS=-DN=1 says 0 1 "$RUNNEL" run n.c && CFLAGS=-DN=2 says 0 2 "$RUNNEL" run n.c &&
        CFLAGS='-DN="3 + 4"' says 0 7 "$RUNNEL" run n.c
}
at_the_same_time() {
    for i in 1 2 3 4; do
        XDG_CACHE_HOME="$tap_dir/shared" "$RUNNEL" run plain.c >"out.$i" 2>&1 &
    done
    wait
    cat out.1 out.2 out.3 out.4
    [ "$(cat out.1 out.2 out.3 out.4 | grep -c '^plain$')" = 4 ] && [ "$(cat out.? | wc -l)" = 4 ]
}
nothing_half_written() {
    ! find "$XDG_CACHE_HOME" -name 'work-*' -o -name '*.tmp' | grep .
}
unwritable_cache() {
    XDG_CACHE_HOME=/proc/nowhere TMPDIR="$tap_dir" says 0 plain "$RUNNEL" run plain.c &&
        XDG_CACHE_HOME=/proc/nowhere TMPDIR=/proc/nowhere one_line 1 "can't write to" "$RUNNEL" run plain.c
}
# programs used 4, 3 and 2 hours ago and just now, and room for three: the first goes; what was used within the hour stays anyway
cache_is_bounded() {
    export XDG_CACHE_HOME="$tap_dir/bounded"
    kept="$XDG_CACHE_HOME/runnel"
    for i in 1 2 3; do
        printf '#include <stdio.h>\nint main(void) { puts("%s"); return 0; }\n' "$i" >"sized$i.c"
        "$RUNNEL" run "sized$i.c" || return 1
        find "$kept" -mindepth 2 -maxdepth 2 -newermt '-1 hour' -exec touch -d "$((5 - i)) hours ago" {} +
    done
    size=$(du -sk "$kept" | cut -f 1)
    RUNNEL_CACHE_SIZE=${size}K tidied first || return 1 # within a minute of the last time: nothing
    [ "$(ls "$kept/programs" | wc -l)" = 4 ] || { echo "tidied twice within a minute"; return 1; }
    touch -d '2 minutes ago' "$kept/lock"
    RUNNEL_CACHE_SIZE=${size}K tidied second || return 1
    ls -l "$kept/programs"
    ! there sized1 && there sized2 && there sized3 && there fresh || return 1
    touch -d '2 minutes ago' "$kept/lock"
    "$RUNNEL" run sized3.c || return 1
    RUNNEL_CACHE_SIZE=1 tidied third || return 1
    ! there sized2 && there sized3 && there fresh
}
there() { find "$kept/programs" -name "$1" | grep .; }
# compiles one more program, which tidies
tidied() {
    echo "/* $1 */ int main(void) { return 0; }" >fresh.c
    "$RUNNEL" run fresh.c
}
read_only_directory() {
    mkdir -p ro && cp plain.c ro && chmod 555 ro
    if [ "$(id -u)" = 0 ]; then # root writes anywhere: /proc is what refuses it
        one_line 1 "can't write /proc/plain" "$RUNNEL" build -o /proc/plain plain.c
    else
        (cd ro && says 0 plain "$RUNNEL" run plain.c && one_line 1 "can't write plain" "$RUNNEL" build plain.c)
    fi
    outcome=$?
    chmod 755 ro # so that it can be removed
    return $outcome
}
no_compiler() {
    mkdir -p empty
    command=$RUNNEL_ROOT/build/release/runnel
    one_line 127 "no C compiler is installed" env PATH="$work/empty" "$command" run plain.c &&
        one_line 127 "no-such-cc" env CC=no-such-cc "$command" run plain.c
}
silent_compiler() {
    CC=false one_line 1 "plain.c: the compiler ended with status 1 and said nothing" "$RUNNEL" run plain.c
}
build_makes_a_program() {
    "$RUNNEL" build -o prog plain.c && [ "$(./prog)" = plain ] && "$RUNNEL" build hello.c && says 1 "hello x" ./hello x
}
readable_errors() {
    printf '#include <runnel.h>\nstatic void f(chan_recv_only(int) c) { chan_send(c, 1); }\nstruct s { int x; };\nstatic struct s g(void) { return (struct s){1}; }\nint rn_main(int argc, char **argv)\n{\n    (void)argv;\n    go(f, 1, 2, argc);\n    go(g);\n    return 0;\n}\n' >bad.c
    for cc in gcc clang; do
        command -v $cc >/dev/null || continue
        CC=$cc "$RUNNEL" run bad.c >out 2>&1
        [ $? = 1 ] || return 1
        cat out
        grep -q 'bad.c:2:.*error: "*send on a receive-only channel (chan_recv_only)' out &&
            grep -q 'bad.c:9:.*error: "*go: the function must return void or a scalar' out || return 1
        ! grep -qE 'expanded from|in expansion of|in definition of|rn_entry_' out || return 1
        [ "$(wc -l <out)" -lt 30 ] || return 1
    done
}
# is_told CC LINE TEXT…: a program of these lines in rn_main does not compile, and each text is in what is said, with
# nothing from inside of a macro.
is_told() {
    CC=$1 line=$2
    shift 2
    command -v "$CC" >/dev/null || return 0
    export CC
    printf '#include <runnel.h>\n#include <stdlib.h>\nstruct s { int x, y; };\nstatic inline void f(int a) { (void)a; }\nstatic inline void fd(double a) { (void)a; }\nstatic inline void fc(chan(int) c) { (void)c; }\nstatic inline long double fld(void) { return 0; }\nstruct line { _Alignas(32) int x; };\nstatic inline void fl(struct line l) { (void)l; }\nint rn_main(int argc, char **argv)\n{\n    (void)argc, (void)argv;\n    %s\n    return 0;\n}\n' "$line" >wrong.c
    "$RUNNEL" run wrong.c >out 2>&1 && return 1
    cat out
    [ "$(wc -l <out)" -lt 20 ] && ! grep -qE 'rn_chan_of|__builtin_call|typeof|in static assertion' out || return 1
    for text; do
        grep -qF "$text" out || { echo "$CC: $line: expected: $text"; return 1; }
    done
}
wrong_programs() {
    for call in 'rn_sleep(0.5);' 'rn_ctx_cancel(rn_ctx_with_timeout_cause(NULL, 0.5, 0));'; do
        is_told gcc "$call" 'durations are nanoseconds' || return 1
    done
    [ "$(uname -m)" != x86_64 ] || is_told gcc 'go(fld);' 'error: go: the function must not return a long double' || return 1
    for cc in gcc clang; do
        is_told $cc 'go(f(3));' 'runnel: go takes a function and its arguments apart: go(f, a, b)' &&
            is_told $cc 'go(f, 1, 2);' 'too many arguments to function' &&
            is_told $cc 'chan(long) c = chan_make(long, 1); go(fc, c);' 'chan(int)' 'chan(long' &&
            is_told $cc 'int c = 3; chan_send(c, 1);' 'runnel: what stands in the place of the channel is none' &&
            is_told $cc 'chan(int) c = chan_make(int, 1); chan_select(c);' 'runnel: chan_select takes cases' &&
            is_told $cc 'chan(int[2]) c = NULL; (void)c;' 'put it into a struct' &&
            is_told $cc 'chan(void) c = chan_make(void, 0); (void)c;' 'error: a channel of nothing is a channel of rn_unit' &&
            is_told $cc 'defer(free(argv));' 'runnel: defer takes a function and its argument apart' &&
            is_told $cc 'defer(abs(argc));' 'runnel: defer takes a function and its argument apart' &&
            is_told $cc 'if (argc) defer(free, argv);' 'runnel: defer is no statement: it belongs to a block' &&
            is_told $cc 'defer(fd, 1, 2);' 'a deferred function has one argument at most' &&
            is_told $cc 'defer(fd, 1);' 'error: the argument must be a pointer or an integer, and the function' &&
            is_told $cc 'go(fl, ((struct line){1}));' 'error: go: the arguments take more than 256 bytes, or are aligned to more than 16; pass a pointer' &&
            is_told $cc 'rn_map m = {0}; map_store(&m, 1, 2.5);' 'error: map: keys and values are integers of at most 64 bits' &&
            is_told $cc 'rn_map m = {0}; float v; map_load(&m, 1, &v);' 'error: map: keys and values are integers of at most 64 bits' &&
            is_told $cc 'static int n; rn_atomic_add(&n, 1);' 'runnel: rn_atomic_add and its like take the address of an rn_atomic_int' &&
            is_told $cc 'static rn_atomic_int n; rn_atomic_add(n, 1);' 'runnel: rn_atomic_add and its like take the address of an rn_atomic_int' &&
            is_told $cc 'rn_conn *c = NULL; (void)c;' 'runnel: rn_conn is declared in <runnel/net.h>' &&
            is_told $cc 'go(f,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17);' 'too many arguments' || return 1
    done
}
# A warning of both, of which clang's option for incompatible pointers would make an error.
dropped_const() {
    printf 'static const char *name(void) { return "n"; }\nint main(void)\n{\n    char *s = name();\n    return *s != 110;\n}\n' >const.c
    for cc in gcc clang; do
        command -v $cc >/dev/null || continue
        CC=$cc says 0 'warning: ' "$RUNNEL" run const.c && CFLAGS=-Werror CC=$cc says 1 'error: ' "$RUNNEL" run const.c ||
            return 1
    done
}
missing_header() {
    printf 'int rn_main(int argc, char **argv) { (void)argv; go(rn_main, argc, argv); return 0; }\n' >wrong.c
    says 1 'runnel: go is declared in <runnel.h>' "$RUNNEL" run wrong.c
}
# Each name once, with the place of its first use.
missing_functions() {
    printf 'int f(int), g(int);\nint main(void)\n{\n    return f(1) + f(2) + g(3);\n}\n' >wrong.c
    says 1 'runnel: a function is missing: name all files' "$RUNNEL" run wrong.c &&
        grep -q "wrong.c:4: undefined reference to .f'" out && [ "$(wc -l <out)" = 3 ]
}
# A compound literal's commas; all-zero objects.
values() {
    printf '#include <runnel.h>\nstruct s { int x, y; };\nint rn_main(int argc, char **argv)\n{\n    (void)argc, (void)argv;\n    rn_map m = {0};\n    rn_pool p = {0};\n    chan(struct s) c = chan_make(struct s, 2);\n    defer(chan_free, c);\n    chan_send(c, (struct s){1, 2});\n    int sent = chan_select(on_send(c, (struct s){3, 4}), on_default());\n    return map_has(&m, "a") + (pool_get(&p) != NULL) + sent + chan_recv(c).y + chan_recv(c).y;\n}\n' >values.c
    for cc in gcc clang; do
        command -v $cc >/dev/null || continue
        CC=$cc says 6 "" "$RUNNEL" run values.c && [ ! -s out ] || return 1
    done
}
# -l and its like; the program is linked anew when the library has changed.
libraries() {
    mkdir -p lib include
    echo 'int seven(void);' >include/seven.h
    printf '#include <seven.h>\nint main(void) { return seven() + ADD; }\n' >seven.c
    for n in 7 8; do
        echo "int seven(void) { return $n; }" >in_lib.c
        cc -c -o in_lib.o in_lib.c && rm -f lib/libseven.a && ar rcs lib/libseven.a in_lib.o || return 1
        says $((n + 1)) "" "$RUNNEL" run -I include -Llib -DADD=1 -l seven seven.c || return 1
    done
    "$RUNNEL" build -o prog -DADD=2 -Iinclude seven.c -Llib -lseven && says 10 "" ./prog
}
# -asan: the program that is right ends as always, also with a goroutine that never does; the other one is reported.
asan() {
    printf '#include <runnel.h>\n#include <stdlib.h>\nstatic void f(int *p, chan(int) done) { chan_send(done, p[0]); }\nstatic void stay(chan(int) c, char *mine) { chan_recv(c); free(mine); }\nint rn_main(int argc, char **argv)\n{\n    (void)argv;\n    int *p = malloc(4), *late = p;\n    *p = 5;\n    chan(int) done = chan_make(int, 0);\n    go(stay, chan_make(int, 0), malloc(10));\n    if (argc > 1)\n        free(p);\n    go(f, late, done);\n    int got = chan_recv(done);\n    chan_free(done);\n    if (argc == 1)\n        free(p);\n    return got;\n}\n' >asan.c
    says 5 "" "$RUNNEL" run -asan asan.c && says 1 "heap-use-after-free" "$RUNNEL" run -asan asan.c x &&
        one_line 2 "-asan goes neither with -race" "$RUNNEL" run -asan -race asan.c
}
# A program under AddressSanitizer that is linked with the library as it is.
asan_with_plain_library() {
    CFLAGS="-fsanitize=address,undefined" LDFLAGS="-fsanitize=address,undefined" ASAN_OPTIONS=detect_leaks=0 \
        says 5 "" "$RUNNEL" run asan.c
}
odd_names() {
    mkdir -p "odd dir" && cp plain.c "odd dir/a 'quoted\" nämé.c" && cp plain.c ./-dash.c &&
        says 0 plain "$RUNNEL" run "odd dir/a 'quoted\" nämé.c" && says 0 plain "$RUNNEL" run -- -dash.c &&
        says 0 plain "$RUNNEL" run ./-dash.c
}
# -Wpedantic and its like find nothing in the headers.
headers_are_quiet() {
    printf '#include <runnel.h>\nstatic void f(void) {}\nint rn_main(int argc, char **argv)\n{\n    (void)argc, (void)argv;\n    chan(rn_unit) c = chan_make(rn_unit, 1);\n    defer(chan_free, c);\n    chan_send(c, RN_UNIT);\n    rn_unit u = chan_recv(c);\n    rn_waitgroup wg = RN_WAITGROUP_INIT;\n    wg_go(&wg, f);\n    wg_wait(&wg);\n    return chan_select(on_send(c, u), on_timeout(RN_SECOND), on_default());\n}\n' >quiet.c
    for cc in gcc clang; do
        command -v $cc >/dev/null || continue
        CC=$cc CFLAGS='-Wpedantic -Wconversion -Wshadow -Wcast-qual -Wundef' says 0 "" "$RUNNEL" run quiet.c && [ ! -s out ] || return 1
    done
}

check "arguments reach the program, its status comes back" says 2 "hello b" "$RUNNEL" run hello.c a b
check "a program with its own main" says 0 plain "$RUNNEL" run plain.c
check "a frame larger than the stack is an overflow" says 2 "fatal error: stack overflow" "$RUNNEL" run large.c
check "several files" says 22 "" "$RUNNEL" run one.c two.c
check "-- ends the files" says 1 "hello x.c" "$RUNNEL" run hello.c -- x.c
check "a signal shows as 128 + n" says 134 "" sh -c '"$0" run hello.c abort; exit $?' "$RUNNEL"
check "a second run of an unchanged program takes less than 50 ms of processor time to start" cached_start_is_fast
check "a changed header is seen" header_change_is_seen
check "flags decide as well" flags_are_part_of_the_key
check "four at the same time" at_the_same_time
check "CC=clang" sh -c 'command -v clang >/dev/null || exit 0; [ "$(CC=clang "$0" run plain.c)" = plain ]' "$RUNNEL"
check "build makes a program" build_makes_a_program
check "a compiler that fails without a word (no room, say)" silent_compiler
check "-o without a value" one_line 2 "-o needs a value" "$RUNNEL" build plain.c -o
check "errors in macros are readable" readable_errors
check "wrong programs are told what is wrong" wrong_programs
check "the header that is missing is named" missing_header
check "a const that is dropped" dropped_const
check "functions that are missing" missing_functions
check "compound literals are sent as they are; all-zero is valid" values
check "libraries: -l, -L, -I, -D, before the files and, of build, behind them" libraries
check "-asan" asan
check "a program under AddressSanitizer with the library as it is" asan_with_plain_library
check "odd file names" odd_names
check "no warnings from the headers" headers_are_quiet
check "a program that does not compile" says 1 "broken.c:1:" "$RUNNEL" run broken.c
check "neither main nor rn_main" one_line 1 "neither rn_main nor main" "$RUNNEL" run neither.c
check "of two functions alike, a trace names the right one" says 2 "
second
" "$RUNNEL" run alike.c
check "a missing file" one_line 1 "runnel: missing.c: No such file or directory" "$RUNNEL" run missing.c
cat >closed.c <<'END'
#include <fcntl.h>
#include <runnel.h>
#include <runnel/net.h>
#include <stdio.h>
#include <unistd.h>
int rn_main(int argc, char **argv)
{
    char c;
    rn_listener *l;
    int mine = open(argv[argc - 1], O_WRONLY | O_CREAT, 0600), err = net_listen("tcp", "127.0.0.1:0", &l);
    bool none = read(0, &c, 1) == 0 && write(1, "x", 1) == 1 && write(2, "x", 1) == 1;
    dprintf(mine, "%d %d %d\n", err, mine > 2, none);
    net_listener_free(l);
    return 0;
}
END
closed_files()
{
    "$RUNNEL" build -o closed closed.c || return 1
    for how in '<&- >&- 2>&-' '<&-' '>&-' '2>&-'; do
        rm -f out
        eval "timeout 20 ./closed out $how" >/dev/null && [ "$(cat out)" = "0 1 1" ] || return 1
    done
}

check "no file" one_line 2 "no file given" "$RUNNEL" run
check "not a C file" one_line 2 "not a .c file: hello" "$RUNNEL" run hello
check "an unknown option" one_line 2 "unknown option --fast" "$RUNNEL" run --fast hello.c
check "an unknown command" one_line 2 "unknown command walk" "$RUNNEL" walk
check "a read-only directory" read_only_directory
check "a cache that can't be written" unwritable_cache
check "the cache stays within its size, what was used last is kept" cache_is_bounded
check "RUNNEL_CACHE_SIZE=2X" one_line 2 "RUNNEL_CACHE_SIZE" env RUNNEL_CACHE_SIZE=2X CFLAGS=-DX "$RUNNEL" run plain.c
check "no compiler" no_compiler
check "RUNNEL_PROCS=0" one_line 2 "RUNNEL_PROCS" env RUNNEL_PROCS=0 "$RUNNEL" run hello.c
check "RUNNEL_LEAKS=yes" one_line 2 "RUNNEL_LEAKS=yes: want 1 or 0" env RUNNEL_LEAKS=yes "$RUNNEL" run hello.c
check "RUNNEL_LOCKORDER=2" one_line 2 "RUNNEL_LOCKORDER=2: want 1 or 0" env RUNNEL_LOCKORDER=2 "$RUNNEL" run hello.c
check "settings that are empty are as good as not there" \
    says 1 "hello you" env RUNNEL_PROCS= RUNNEL_STACK= RUNNEL_HIBERNATE= "$RUNNEL" run hello.c you
check "RUNNEL_PROCS=abc" one_line 2 "RUNNEL_PROCS" env RUNNEL_PROCS=abc "$RUNNEL" run hello.c
check "nothing is left half-written" nothing_half_written
check "closed standard files are /dev/null" closed_files
check "version" says 0 "runnel 0.1.0 linux/" "$RUNNEL" version
check "help" says 0 "runnel COMMAND" "$RUNNEL" help
check "help of a command" says 0 "usage: runnel run" "$RUNNEL" help run
check "no command" says 2 "usage" "$RUNNEL"
finish
