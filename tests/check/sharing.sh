#!/bin/sh
# What a processor does by itself moves next to no cache line, on four processors that are played (bench/sharing).
. "$(dirname "$0")/../tap.sh"
[ "$(uname -m)" = x86_64 ] && command -v gcc >/dev/null || { skip "cache lines stay where they are" "counted with gcc on x86-64"; finish; }

count() {
    SHARING_PROCESSORS=4 "$RUNNEL_ROOT/bench/sharing/measure" pairs spawn_join >"$tap_dir/counted"
}

# little WORK LINES: fewer than that many lines for each operation
little() {
    cat "$tap_dir/counted"
    awk -F'\t' -v work="$1" -v most="$2" '$1 == work { n++; bad += $4 >= most } END { exit n != 1 || bad }' "$tap_dir/counted"
}
check "four processors are played" count
check "two who hand over to each other" little pairs 0.5
check "goroutines that are started and awaited" little spawn_join 0.5
finish
