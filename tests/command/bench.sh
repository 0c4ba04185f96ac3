#!/bin/sh
# runnel bench: a workload is built, run and reported; no time is judged here.
. "$(dirname "$0")/../tap.sh"
cd "$RUNNEL_ROOT" || exit 1

table() {
    "$RUNNEL" bench g_yield -n 2 -r 1 -peer none >"$tap_dir/out" && cat "$tap_dir/out" &&
        grep -qE '^g\.gosched_2g\.P1 +ns/op +[0-9.e+]+ \([0-9.e+]+-[0-9.e+]+\)' "$tap_dir/out" &&
        grep -q '^0 targets met, 0 missed$' "$tap_dir/out"
}
json() {
    "$RUNNEL" bench g_yield -n 1 -r 1 -peer none -json >"$tap_dir/out" && cat "$tap_dir/out" &&
        grep -q '{"name": "g.gosched_1000g.P1", "unit": "ns/op", .*"processes": \[[0-9.e+]*\]}' "$tap_dir/out"
}
refused() {
    "$RUNNEL" bench "$@" 2>"$tap_dir/out"
    [ $? = 2 ] && cat "$tap_dir/out" && [ "$(wc -l <"$tap_dir/out")" = 1 ]
}

check "a workload is measured and printed" table
check "the same as JSON" json
check "an unknown workload is refused" refused no-such-workload
check "an unknown peer is refused" refused g_yield -peer no-such-peer
check "a bad number is refused" refused g_yield -n zero
finish
