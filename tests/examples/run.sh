#!/bin/sh
# Every program in examples/ and examples/pitfalls/ compiles without a warning, runs, and prints what
# examples/expected/ says.  One that has no such file fails, so that none is forgotten.
#
# An expected file is the output, after lines of instructions if it needs any:
#     # arguments A B…     what the program is given; the directory is the source tree
#     # status N           its exit status, where that is not 0
#     # stderr TEXT        a line that its stderr must have, word for word
#     # sorted             the order of the lines is free
#     # replace s/A/B/     for sed -E: what differs from run to run
# `sh tests/examples/run.sh NAME…` runs only these; EXAMPLES_OPTIONS=-race builds them so.
. "$(dirname "$0")/../tap.sh"
cd "$RUNNEL_ROOT" || exit 1
expected=examples/expected
export RUNNEL RUNNEL_ROOT

names() {
    if [ $# -gt 0 ]; then
        printf '%s\n' "$@"
    else
        ls examples/*.c examples/pitfalls/*.c | sed 's|^examples/||; s|\.c$||'
    fi
}

instruction() { sed -n "/^# /!q; s/^# $2 //p" "$1"; }
output() { sed '/^# /!b copy; d; :copy; n; b copy' "$1"; }

# Builds and runs one example; says what is wrong.
try() {
    made=$tap_dir/made/$1
    want=$expected/$1.txt
    mkdir -p "$(dirname "$made")"
    [ -f "$want" ] || { echo "there is no $want"; return 1; }
    # shellcheck disable=SC2086 # options are words
    CFLAGS="-O1 -Wall -Wextra -Werror" "$RUNNEL" build ${EXAMPLES_OPTIONS-} -o "$made" "examples/$1.c" || return 1
    # shellcheck disable=SC2046 # the arguments are words
    timeout 60 "$made" $(instruction "$want" arguments) >"$made.out" 2>"$made.err" </dev/null
    status=$?
    wanted=$(instruction "$want" status)
    bad=0
    if [ "$status" != "${wanted:-0}" ]; then
        echo "exit status $status, expected ${wanted:-0}"
        bad=1
    fi
    instruction "$want" stderr >"$made.says"
    while IFS= read -r line; do
        grep -qxF -e "$line" "$made.err" && continue
        echo "stderr lacks: $line"
        bad=1
    done <"$made.says"
    [ -s "$made.says" ] || [ ! -s "$made.err" ] || bad=1
    [ "$bad" = 0 ] || cat "$made.err"
    replace=$(instruction "$want" replace)
    sed -E "$replace" "$made.out" >"$made.got"
    output "$want" >"$made.want"
    if grep -qx '# sorted' "$want"; then
        LC_ALL=C sort -o "$made.got" "$made.got"
        LC_ALL=C sort -o "$made.want" "$made.want"
    fi
    diff -u "$made.want" "$made.got" >"$made.diff" || { bad=1; tail -n +3 "$made.diff"; }
    return "$bad"
}

# Some examples sleep: several at a time.
if [ "${1:-}" = --one ]; then
    try "$2" >"$3/$2.said" 2>&1
    echo $? >"$3/$2.status"
    exit 0
fi

outcome() {
    cat "$tap_dir/$1.said"
    [ "$(cat "$tap_dir/$1.status")" = 0 ]
}

mkdir -p "$tap_dir/pitfalls"
names "$@" >"$tap_dir/names"
xargs -P 4 -I NAME sh tests/examples/run.sh --one NAME "$tap_dir" <"$tap_dir/names"
while IFS= read -r name; do
    check "example $name" outcome "$name"
done <"$tap_dir/names"
finish
