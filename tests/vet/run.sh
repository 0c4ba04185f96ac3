#!/bin/sh
# runnel vet: what each sample of this directory says that is to be found in it (`// want RULE` on the
# line, as often as the rule is found there), and nothing else; the messages' form; silence on the
# examples.
. "${RUNNEL_ROOT:-$(cd "$(dirname "$0")/../.." && pwd -P)}/tests/tap.sh"
here=$RUNNEL_ROOT/tests/vet

# "line rule" of what is wanted.
wanted() {
    awk '{ s = $0; while (match(s, /want [a-z]+/)) { print NR, substr(s, RSTART + 5, RLENGTH - 5); s = substr(s, RSTART + RLENGTH) } }' \
        "$1" | sort -u
}

found() {
    sed -n 's/^[^:]*:\([0-9]*\):[0-9]*: warning: .* \[vet: \([a-z]*\)\]$/\1 \2/p' | sort -u
}

sample() {
    status=0
    "$RUNNEL" vet "$1" >"$tap_dir/out" 2>"$tap_dir/err" || status=$?
    wanted "$1" >"$tap_dir/wanted"
    found <"$tap_dir/out" >"$tap_dir/found"
    if ! diff -u "$tap_dir/wanted" "$tap_dir/found"; then
        cat "$tap_dir/out" "$tap_dir/err"
        return 1
    fi
    [ -s "$tap_dir/wanted" ] && expected=1 || expected=0
    [ $status = $expected ] && [ ! -s "$tap_dir/err" ]
}

for file in "$here"/*_bad.c "$here"/*_good.c; do
    check "$(basename "$file" .c)" sample "$file"
done
finish
