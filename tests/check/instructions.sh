#!/bin/sh
# The hot paths take no more instructions than bench/instructions/baseline says, but for 5 per cent: of a lock's 18 one
# more is too many.  (The counts differ by half an instruction from run to run, on a busy machine too, a timer's by ten.)
# Where more is meant: bench/instructions/measure -update, and say why in the commit.
. "$(dirname "$0")/../tap.sh"
cd "$RUNNEL_ROOT" || exit 1
baseline=bench/instructions/baseline
name="hot paths take as many instructions as before"

if ! command -v valgrind >/dev/null || [ ! -e /usr/include/valgrind/callgrind.h ]; then
    skip "$name" "valgrind is not installed"
elif [ "$(uname -m)" != x86_64 ] || ! cc --version 2>/dev/null | head -n 1 | grep -q ' 12\.'; then
    skip "$name" "the counts are those of gcc 12 on x86-64"
elif ! RUNNEL=$RUNNEL bench/instructions/measure >"$tap_dir/first" 2>"$tap_dir/said"; then
    check "$name" sh -c 'cat "$0"; exit 1' "$tap_dir/said"
else
    over() { # COUNTS: the paths of which there are more than allowed, with what is and what was
        awk 'NR == FNR { now[$1] = $2; next } {
            if (!($1 in now) || now[$1] > $2 * 1.05) print $1 ": " now[$1] " instructions, " $2 " before"
        }' "$1" $baseline
    }
    # Once more when it seems so: on a busy machine the monitor thread may have interfered every time.
    if [ -n "$(over "$tap_dir/first")" ]; then
        RUNNEL=$RUNNEL bench/instructions/measure >"$tap_dir/second"
        cat "$tap_dir/second" >>"$tap_dir/first"
        sort -k1,1 -k2,2nr "$tap_dir/first" >"$tap_dir/both" # the smaller one comes last and counts
        mv "$tap_dir/both" "$tap_dir/first"
    fi
    over "$tap_dir/first" >"$tap_dir/over"
    check "$name" sh -c 'cat "$0"; echo "If that is meant: bench/instructions/measure -update"; [ ! -s "$0" ]' "$tap_dir/over"
fi
finish
