#!/bin/sh
# SEMANTICS 46: gdb shows goroutines, also in a core file; backtraces end cleanly at the goroutine's entry.
. "$(dirname "$0")/../tap.sh"
script=$RUNNEL_ROOT/tools/gdb/runnel-gdb.py
if ! command -v gdb >/dev/null; then
    skip "goroutines in gdb" "no gdb"
    finish
fi

cat >"$tap_dir/stops.c" <<'END'
#include <runnel.h>
#include <runnel/net.h>
#define KEPT __attribute__((noinline))
KEPT static void worker(chan(int) c) { chan_recv(c); }
KEPT static void named(chan(int) c)
{
    rn_set_name("reader");
    chan_send(c, 1);
}
KEPT static void reader(rn_conn *c)
{
    char byte;
    net_read(c, &byte, 1);
}
KEPT static void stops(void) { __builtin_trap(); }
int rn_main(int argc, char **argv)
{
    (void)argv;
    chan(int) c = chan_make(int, 0), d = chan_make(int, 0);
    go(worker, c);
    go(named, d);
    rn_conn *a, *b;
    if (net_pair(&a, &b) == 0)
        go(reader, a);
    for (int i = 0; i < 1000 * argc; i++)
        rn_yield();
    stops();
    return 0;
}
END
cd "$tap_dir" || exit 1

builds() {
    "$RUNNEL" build -o stops stops.c
}

in_gdb() {
    gdb -q -batch -ex "source $script" "$@" 2>&1
}

live() {
    RUNNEL_PROCS=1 in_gdb -ex run -ex 'info goroutines' -ex 'goroutine 1 bt' -ex 'goroutine 2 bt' ./stops >live.txt
    cat live.txt
    grep -Eq '^ +1 \[running\] stops \(\)' live.txt &&
        grep -Eq '^ +2 \[chan receive\] worker \(\)' live.txt &&
        grep -Eq '^ +3 "reader" \[chan send\] named \(\)' live.txt &&
        grep -Eq '^ +4 \[IO wait\] reader \(\)' live.txt
}

whole_backtraces() {
    [ "$(grep -Ec '^#[0-9]+ +rn__arch_entry \(\)' live.txt)" = 2 ] && ! grep -qi 'corrupt\|stopped' live.txt
}

in_a_core() {
    # The kernel writes it here only when core_pattern names no program and no other folder.
    ulimit -c unlimited
    RUNNEL_PROCS=1 ./stops >/dev/null 2>&1
    core=$(find . -name 'core*' | head -n 1)
    [ -n "$core" ] || return 0
    in_gdb -ex 'info goroutines' -ex 'goroutine 2 bt' ./stops "$core" >core.txt
    cat core.txt
    grep -Eq '^ +2 \[chan receive\] worker \(\)' core.txt && grep -Eq '^#[0-9]+ +worker \(\)' core.txt
}

check "a program is built" builds
check "info goroutines lists them" live
check "backtraces end at the goroutine's entry" whole_backtraces
check "the same in a core file" in_a_core
finish
