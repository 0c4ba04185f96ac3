#!/bin/sh
# Programs of users who compile as they like: what the header's macros tell the compiler must hold for all of that.
. "$(dirname "$0")/../tap.sh"
unset CC CFLAGS LDFLAGS LDLIBS
export XDG_CACHE_HOME="$tap_dir/cache"
cd "$tap_dir" || exit 1

cat >prog.c <<'END_OF_PROGRAM'
#include <runnel.h>
#include <string.h>
struct point { double x; int y; };
static void recovers(void *to) { const char *text = rn_recover(); if (text) strcpy(to, text); }
static int panics(char *to) { defer(recovers, to); rn_panic("number %d", 42); return 3; }
static char *panics_too(char *to) { defer(recovers, to); rn_panic("again"); }
static int locals(int n) { char b[200]; memset(b, n, sizeof b); return b[n] == n; }
static void add(rn_mutex *m, int *sum, struct point p, float f) { mutex_lock(m); *sum += p.y + (int)(p.x + (double)f); mutex_unlock(m); }
int rn_main(int argc, char **argv)
{
    (void)argv;
    char text[32] = "";
    if (panics(text) != 0 || strcmp(text, "number 42") != 0 || !locals(argc))
        return 1;
    if (panics_too(text) != NULL || strcmp(text, "again") != 0 || !locals(argc))
        return 2;
    rn_mutex m = {0};
    int sum = 0;
    rn_waitgroup wg = {0};
    for (int i = 0; i < 10; i++)
        wg_go(&wg, add, &m, &sum, ((struct point){1.5, i}), 0.5f);
    wg_wait(&wg);
    chan(struct point) c = chan_make(struct point, 1);
    chan_send(c, (struct point){1, 2});
    struct point p;
    int chosen = chan_select(on_recv(c, &p), on_timeout(RN_SECOND));
    chan_free(c);
    return sum == 65 && chosen == 0 && p.y == 2 ? 0 : 3;
}
END_OF_PROGRAM

# with COMPILER CFLAGS LDFLAGS: the program is built and ends with 0.
with() {
    rm -f prog
    CC=$1 CFLAGS=$2 LDFLAGS=$3 "$RUNNEL" build -o prog prog.c && ./prog
}
cat >dies.c <<'END'
#include <runnel.h>
static rn_mutex mu;
static void twice(void)
{
    mutex_lock(&mu);
    mutex_lock(&mu); /* the sixth line */
}
int rn_main(int argc, char **argv) { (void)argc, (void)argv; twice(); return 0; }
END
# dies_at COMPILER CFLAGS LDFLAGS: the report of a program that waits for itself has the line that waits.
dies_at() {
    CC=$1 CFLAGS=$2 LDFLAGS=$3 "$RUNNEL" build -o dies dies.c || return 1
    ./dies 2>said
    cat said
    grep -A1 '^twice$' said | grep -q 'dies\.c:6$'
}
# A function that ends in the call that dies: three of them, and a goroutine's own.
cat >last.c <<'END'
#include <runnel.h>
static rn_mutex mu;
static void give_back(void)
{
    mutex_unlock(&mu); /* the fifth line */
}
__attribute__((noinline)) static void end_of(int n)
{
    if (n)
        give_back();
}
__attribute__((noinline)) static void work(rn_waitgroup *wg)
{
    rn_yield();
    wg_wait(wg); /* 15 */
}
int rn_main(int argc, char **argv)
{
    (void)argv;
    rn_waitgroup wg = {0};
    wg_add(&wg, 1);
    go(work, &wg);
    rn_sleep(RN_MILLISECOND);
    end_of(argc); /* 24 */
    return 0;
}
END
# last_calls COMPILER: the report has the functions that do nothing after the call that they are in.
last_calls() {
    CC=$1 CFLAGS='' LDFLAGS='' "$RUNNEL" build -o last last.c || return 1
    ./last 2>last.said
    cat last.said
    tr -d '\n\t' <last.said | grep -q 'give_back[^ ]*last\.c:5end_of[^ ]*last\.c:10rn_main[^ ]*last\.c:24' &&
        grep -A1 '^work$' last.said | grep -q 'last\.c:15$'
}
# A hook that is called within a lock's short way may wait, and its goroutine go on with another thread: then that is not the one whose
# lock it is, or who counts.
cat >hooks.c <<'END'
#include <runnel.h>
#define HOOK __attribute__((no_instrument_function))
HOOK void __cyg_profile_func_enter(void *f, void *from);
HOOK void __cyg_profile_func_exit(void *f, void *from);
static long calls, depth, within;
HOOK static int locks(void *f)
{
    return f == (void *)rn_mutex_lock || f == (void *)rn_mutex_unlock || f == (void *)rn_rwmutex_rlock || f == (void *)rn_rwmutex_runlock;
}
void __cyg_profile_func_enter(void *f, void *from)
{
    (void)from;
    calls++;
    within += depth;
    depth += locks(f);
}
void __cyg_profile_func_exit(void *f, void *from)
{
    (void)from;
    depth -= locks(f);
}
int rn_main(int argc, char **argv)
{
    static rn_mutex m;
    static rn_rwmutex rw;
    (void)argv;
    for (int i = 0; i < 10000 * argc; i++) { /* until they are its own */
        mutex_lock(&m);
        mutex_unlock(&m);
        rwmutex_rlock(&rw);
        rwmutex_runlock(&rw);
    }
    return calls < 40000 || within;
}
END
hooked() {
    CC=gcc CFLAGS="-O2 -finstrument-functions" LDFLAGS='' "$RUNNEL" build -o hooks hooks.c && ./hooks
}
check "gcc -finstrument-functions: no hook within a lock" hooked

hard="-O2 -D_FORTIFY_SOURCE=2 -fstack-protector-all -fcf-protection -fstack-clash-protection -Wall -Wextra -Werror"
[ "$(uname -m)" = x86_64 ] || hard="-O2 -D_FORTIFY_SOURCE=2 -fstack-protector-all -Wall -Wextra -Werror"
for cc in gcc clang; do
    if ! command -v $cc >/dev/null; then
        skip "programs by $cc" "it is not installed"
        continue
    fi
    check "$cc -O0" with $cc "-O0 -std=gnu2x" ""
    check "$cc: lines of last calls in a report" last_calls $cc
    check "$cc -O3" with $cc "-O3 -std=gnu11" ""
    check "$cc, hardened" with $cc "$hard" ""
    echo 'int main(void) { return 0; }' >none.c
    for lto in -flto -flto=thin; do
        if $cc $lto none.c -o none 2>none.said; then
            check "$cc $lto" with $cc "-O2 $lto" "-O2 $lto"
            check "$cc $lto: the line in a report" dies_at $cc "-O2 -g $lto" "-O2 $lto"
        fi
    done
    check "$cc -static" with $cc -O2 -static
    ub="-O2 -fsanitize=undefined -fno-sanitize-recover=all" # from clang 17 on types of functions, too
    if $cc -fsanitize=undefined none.c -o none 2>none.said; then
        check "$cc -fsanitize=undefined" with $cc "$ub" -fsanitize=undefined
    fi
done

# A program under AddressSanitizer alone: frames that a panic leaves are not taken for live ones.
if gcc -fsanitize=address none.c -o none 2>none.said; then
    export ASAN_OPTIONS=detect_leaks=0
    check "gcc -fsanitize=address, with the library as it is" with gcc "-O2 -fsanitize=address" -fsanitize=address
fi

# Under valgrind, which must not read a guard of a stack on the kernel's behalf, nor take a stack that was used before for one
# that is not there.
cat >stacks.c <<'END'
#include <runnel.h>
#include <stdio.h>

static void prints(rn_waitgroup *wg, int i, double d)
{
    char text[3000];
    snprintf(text, sizeof text, "%d %g", i, d);
    rn_yield();
    wg_done(wg);
}

int rn_main(int argc, char **argv)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    (void)argc, (void)argv;
    for (int i = 0; i < 20; i++) {
        wg_add(&wg, 2);
        go(prints, &wg, i, 3);
        rn_yield();
        go(prints, &wg, i, 4);
        wg_wait(&wg);
        rn_sleep(100000);
    }
    return 0;
}
END
if command -v valgrind >/dev/null; then
    under_valgrind() {
        with gcc -O1 "" && valgrind -q --error-exitcode=9 ./prog
    }
    check "a program under valgrind" under_valgrind
    used_stacks() {
        "$RUNNEL" build -o stacks stacks.c && valgrind -q --error-exitcode=9 ./stacks
    }
    check "stacks that were used before under valgrind" used_stacks
    other_tool() { # which does not know what memcheck is told, and says so once
        valgrind --tool=dhat --dhat-out-file=/dev/null ./stacks >said 2>&1 && [ "$(grep -c 'unknown DHAT' said)" -le 1 ]
    }
    check "stacks that were used before under valgrind's dhat" other_tool
    deadlock_under_valgrind() {
        echo 'int rn_main(int argc, char **argv) { (void)argc, (void)argv; chan_recv((chan(int))NULL); return 0; }' >asleep.c
        sed -i '1i #include <runnel.h>' asleep.c
        "$RUNNEL" build -o asleep asleep.c && ! timeout -s KILL 60 valgrind -q ./asleep 2>said && grep -q deadlock! said
    }
    check "a deadlock under valgrind" deadlock_under_valgrind
fi

# Under ThreadSanitizer alone the runtime of that would die in its own code; one line says what to do.
tsan_is_refused() {
    CC=gcc CFLAGS=-fsanitize=thread LDFLAGS=-fsanitize=thread "$RUNNEL" build -o prog prog.c || return 1
    ./prog 2>said
    [ $? = 2 ] && [ "$(wc -l <said)" = 1 ] && grep -q -e "-race" said
}
if gcc -fsanitize=thread none.c -o none 2>none.said; then
    check "-fsanitize=thread without -race is refused" tsan_is_refused
fi
finish
