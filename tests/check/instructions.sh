#!/bin/sh
# The hot paths take no more instructions than bench/instructions/baseline says, but for a few per cent (5, and at
# least 3 instructions).  Where more is meant: bench/instructions/measure -update, and say why in the commit.
. "$(dirname "$0")/../tap.sh"
cd "$RUNNEL_ROOT" || exit 1
baseline=bench/instructions/baseline
name="hot paths take as many instructions as before"

if ! command -v valgrind >/dev/null || [ ! -e /usr/include/valgrind/callgrind.h ]; then
    skip "$name" "valgrind is not installed"
elif [ "$(uname -m)" != x86_64 ] || ! cc --version 2>/dev/null | head -n 1 | grep -q ' 12\.'; then
    skip "$name" "the counts are those of gcc 12 on x86-64"
elif ! RUNNEL=$RUNNEL bench/instructions/measure >"$tap_dir/now" 2>"$tap_dir/said"; then
    check "$name" sh -c 'cat "$0"; exit 1' "$tap_dir/said"
else
    while read -r path before; do
        now=$(sed -n "s/^$path //p" "$tap_dir/now")
        check "instructions of $path" awk -v path="$path" -v now="$now" -v before="$before" 'BEGIN {
            most = before * 1.05 > before + 3 ? before * 1.05 : before + 3
            printf "%s: %s instructions, %s before; if that is meant: bench/instructions/measure -update\n", path, now, before
            exit now == "" || now > most
        }'
    done <$baseline
fi
finish
