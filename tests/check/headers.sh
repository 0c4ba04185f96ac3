#!/bin/sh
# Public headers: each compiles alone, as C and as C++17, and without short names defines only names
# that begin with rn_, RN_ or RUNNEL_.
. "$(dirname "$0")/../tap.sh"
cd "$RUNNEL_ROOT/include" || exit 1
flags="-Wall -Wextra -Werror -fsyntax-only -I."

compiles() {
    for header in runnel.h runnel/*.h; do
        printf '#include <%s>\n#include <%s>\n' "$header" "$header" >"$tap_dir/one.$suffix"
        [ "$header" = runnel/test.h ] && echo '#define RN_TEST_NO_MAIN' | cat - "$tap_dir/one.$suffix" >"$tap_dir/two.$suffix" &&
            mv "$tap_dir/two.$suffix" "$tap_dir/one.$suffix"
        # shellcheck disable=SC2086 # a list of words
        "$@" $flags "$tap_dir/one.$suffix" || return 1
    done
}

# The macros that our own files define.  (errno is a macro of libc's that base.h puts right: its name is nobody's to use.)
prefixed() {
    printf '#define RN_NO_SHORT_NAMES\n#include <runnel.h>\n' >"$tap_dir/names.c"
    cc -E -dD -I. "$tap_dir/names.c" | awk '
        /^# [0-9]+ "/ { ours = $3 ~ /runnel/ && $3 !~ /names\.c/ }
        /^#define / && ours && $2 !~ /^(rn_|RN_|RUNNEL_)/ && $2 != "errno" { print $2; bad = 1 }
        END { exit bad }'
}

# What programs get to see of the macros' insides: a user's warnings are about the user's code.
cat >"$tap_dir/uses.c" <<'END_OF_PROGRAM'
#include <runnel.h>
#include <runnel/net.h>
#include <runnel/signal.h>
#include <runnel/test.h>
struct point { int x, y; };
static void adds(rn_mutex *m, struct point p, long *sum) { mutex_lock(m); defer(mutex_unlock, m); *sum += p.x; }
static int fails(int err) { return err; }
__attribute__((warn_unused_result)) static int must_be_seen(long err) { return (int)err; }
static void *makes(void *arg) { return arg; }
static void once(void) { }
static void waits(chan_recv_only(rn_unit) c) { (void)chan_recv(c); }
static void sets(long *n) { *n = 1; }
static void recovers(int *to) { const char *text = rn_recover(); *to = text != NULL; }
static int panics(int *to) { defer(recovers, to); rn_panic("%d", 1); }
static struct point pair(void) { long n = 0; defer_in(struct point, sets, &n); return (struct point){0, 0}; }
static void pass_on(chan(int) to, chan(chan(int)) from)
{
    chan_send(to, chan_recv(to) + chan_recv(chan_recv(from)));
    (void)chan_select(on_send(to, chan_recv(to)), on_default());
}
static void select_all(rn_context *ctx, chan(struct point) c, chan(rn_unit) u)
{
    struct point p = {0, 0};
    bool ok = false;
    switch (chan_select(on_recv(c, &p), on_recv_ok(c, &p, &ok), on_send(c, p), on_done(ctx), on_timeout(RN_SECOND), on_default())) {
    case 0: break;
    }
    chan_send(c, (struct point){1, 2});
    CHECK_EQ(chan_try_send(c, p), 0);
    CHECK(chan_recv_ok(c, &p) && chan_try_recv(c, &p) == 0 && chan_send_ctx(ctx, c, p) == 0 && chan_recv_ctx(ctx, c, &p) == 0);
    chan_close(u);
    for (; chan_next(u, NULL);)
        ok = true;
}
TEST(uses)
{
    long sum = 0;
    rn_mutex m = {0};
    rn_waitgroup wg = {0};
    rn_group g = {0};
    rn_once o = {0};
    rn_map map = {0};
    rn_atomic_int64 a = {0};
    rn_timer t = {0};
    rn_context *ctx = ctx_with_timeout(ctx_background(), 2 * RN_SECOND);
    defer(ctx_cancel, ctx);
    rn_pin();
    defer(rn_unpin);
    chan(rn_unit) u = chan_make(rn_unit, 0);
    chan(struct point) c = chan_make(struct point, 4);
    go(waits, u);
    rn_go_with((.stack = 1 << 20, .name = "waits"), waits, u);
    wg_go(&wg, adds, &m, ((struct point){1, 2}), &sum);
    group_go(&g, fails, 0);
    group_go(&g, must_be_seen, 0);
    once_do(&o, once);
    static rn_once_value(void *) made;
    CHECK_EQ(once_value(&made, makes, NULL), NULL);
    select_all(ctx, c, u);
    pass_on(NULL, NULL);
    map_store(&map, "key", &sum);
    CHECK(map_has(&map, "key"));
    rn_atomic_add(&a, 1);
    rn_after_func(&t, RN_SECOND, sets, &sum);
    rn_scope s;
    scope_begin(&s, ctx);
    scope_go(&s, fails, panics(&(int){0}));
    CHECK_EQ(scope_end(&s), 0);
    rn_sleep(RN_MILLISECOND / 2);
    CHECK_EQ(pair().x, 0);
    CHECK_STR(ctx_err(ctx) ? "a" : "b", "b");
}
END_OF_PROGRAM
picky="-Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wcast-align -Wcast-qual -Wundef -Wformat=2 -Werror"

quiet_in_c() {
    for standard in gnu11 gnu17 gnu2x; do
        # shellcheck disable=SC2086 # a list of words
        "$1" -std=$standard $picky -Wc++-compat -Wstrict-prototypes -S -o /dev/null -I. "$tap_dir/uses.c" || return 1
    done
}

# (Old-style casts: as it is installed, where compilers look for system headers.  C++23 is not known to all.)
quiet_in_cxx() {
    : >"$tap_dir/none.cc"
    for standard in c++17 c++20 c++23; do
        "$1" -std=$standard -fsyntax-only "$tap_dir/none.cc" 2>"$tap_dir/said" || continue
        # shellcheck disable=SC2086 # a list of words
        "$1" -std=$standard $picky -fsyntax-only -I. "$RUNNEL_ROOT/tests/cxx/templates.cc" || return 1
        # shellcheck disable=SC2086 # a list of words
        "$1" -std=$standard $picky -Wold-style-cast -fsyntax-only -isystem . "$RUNNEL_ROOT/tests/cxx/templates.cc" || return 1
    done
}

for compiler in gcc clang; do
    suffix=c
    if command -v $compiler >/dev/null; then
        check "each header compiles alone with $compiler" compiles $compiler -std=gnu11
        check "each header compiles alone with $compiler without short names" compiles $compiler -std=gnu11 -DRN_NO_SHORT_NAMES
        check "the macros cause no warning in a program by $compiler" quiet_in_c $compiler
    else
        skip "each header compiles alone with $compiler" "$compiler is not installed"
    fi
done
for compiler in g++ clang++; do
    suffix=cc
    if command -v $compiler >/dev/null; then
        check "each header compiles alone with $compiler" compiles $compiler -std=c++17
        check "the macros cause no warning in a template by $compiler" quiet_in_cxx $compiler
    else
        skip "each header compiles alone with $compiler" "$compiler is not installed"
    fi
done
check "without short names all macros are prefixed" prefixed
# A lock's ways out are behind all of its file's code: also behind much of it, and further than a processor's conditional jumps reach.
cat >"$tap_dir/much.c" <<'END_OF_PROGRAM'
#include <runnel.h>
void locks(rn_mutex *m, rn_rwmutex *rw) { mutex_lock(m); rwmutex_rlock(rw); rwmutex_runlock(rw); mutex_unlock(m); }
void much(void) { __asm__(".rept 300000\n\tnop\n\t.endr"); }
END_OF_PROGRAM
for compiler in gcc aarch64-linux-gnu-gcc; do
    if command -v $compiler >/dev/null; then
        check "a lock in a file of more than a megabyte by $compiler" $compiler -O2 -c -o "$tap_dir/much.o" -I. "$tap_dir/much.c"
    else
        skip "a lock in a file of more than a megabyte by $compiler" "$compiler is not installed"
    fi
done
# They would be other types than the library's.
short_enums() {
    echo '#include <runnel.h>' >"$tap_dir/short.c"
    ! cc -fshort-enums -fsyntax-only -I. "$tap_dir/short.c" 2>"$tap_dir/said" && grep -q 'no -fshort-enums' "$tap_dir/said"
}
check "-fshort-enums is refused" short_enums
# Each file would define the headers' inline functions.
gnu89_inline() {
    echo '#include <runnel.h>' >"$tap_dir/inline.c"
    ! cc -fgnu89-inline -fsyntax-only -I. "$tap_dir/inline.c" 2>"$tap_dir/said" && grep -q 'no -fgnu89-inline' "$tap_dir/said"
}
check "-fgnu89-inline is refused" gnu89_inline
# Its second stack is one for each thread: goroutines wrote into each other's part of it, or hung.
safe_stack() {
    echo '#include <runnel.h>' >"$tap_dir/safe.c"
    ! clang -fsanitize=safe-stack -fsyntax-only -I. "$tap_dir/safe.c" 2>"$tap_dir/said" &&
        grep -q 'no -fsanitize=safe-stack' "$tap_dir/said"
}
if command -v clang >/dev/null; then
    check "-fsanitize=safe-stack is refused" safe_stack
else
    skip "-fsanitize=safe-stack is refused" "clang is not installed"
fi
finish
