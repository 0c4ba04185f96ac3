#!/bin/sh
# Every program of this directory: the tools that its first comment names find the bug, and none of
# them reports anything once it is fixed.  See README.md.  Arguments: names of programs (all).
: "${RUNNEL_ROOT:=$(cd "$(dirname "$0")/../.." && pwd -P)}"
: "${RUNNEL:=$RUNNEL_ROOT/runnel}"
here=$RUNNEL_ROOT/tests/bugs
export RUNNEL_ROOT RUNNEL

# run TOOL FILE DEFINE: runs it, with what it prints in $out.
run() {
    tool=$1 file=$2 CPPFLAGS=$3
    export CPPFLAGS
    unset RUNNEL_LEAKS
    case $tool in
    # Two accesses in the same instant may pass the detector by, since each looks for the other before that one is written
    # down.  On one processor there is no same instant, and what is not ordered is so there, too.
    race) [ "$3" ] && set -- "$RUNNEL" run -race "$file" || set -- env RUNNEL_PROCS=1 "$RUNNEL" run -race "$file" ;;
    plain | deadlock | panic) set -- "$RUNNEL" run "$file" ;;
    leaks)
        export RUNNEL_LEAKS=1
        set -- "$RUNNEL" run "$file"
        ;;
    vet) set -- "$RUNNEL" vet $3 "$file" ;;
    explore) set -- "$RUNNEL" test -explore "$explore" -seed 1 "$file" ;;
    esac
    timeout 120 "$@" >"$out" 2>&1 </dev/null
}

# Is what $out and the status tell a find of TOOL?
found() {
    case $1 in
    race) grep -qiE 'data race' "$out" ;;
    deadlock) [ "$2" = 2 ] && grep -q 'deadlock!' "$out" ;;
    panic) [ "$2" = 2 ] && grep -qE '^(panic|fatal error):' "$out" ;;
    leaks) [ "$2" = 3 ] && grep -qE 'leak: .* never be woken' "$out" ;;
    explore) [ "$2" != 0 ] && grep -qE '^ *.*-replay' "$out" ;;
    vet) [ "$2" = 1 ] ;;
    esac
}

# Cleanly: the status is 0, and nothing is said.
clean() {
    [ "$2" = 0 ] && ! grep -qiE 'data race|deadlock!|leak:|^panic:|^fatal error:|^not ok' "$out"
}

result() {
    echo "$1 - $2"
    [ "$1" = ok ] && return
    echo "  ---"
    head -n 40 "$out" | sed 's/^/    /'
    echo "    -- status $3"
    echo "  ..."
}

one() {
    file=$1 name=$(basename "$1" .c)
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    out=$work/out explore=${EXPLORE:-1000}
    tools=$(sed -n '1,12s/^.*found-by: *//p' "$file" | head -n 1 | tr ',' ' ')
    for tool in $tools; do
        (run "$tool" "$file" "")
        status=$?
        if found "$tool" $status; then result ok "$name: $tool finds it"; else result "not ok" "$name: $tool finds it" $status; fi
    done
    explore=${EXPLORE:-100}
    for tool in plain $tools; do
        case "$tool:$tools" in panic:* | deadlock:* | plain:*leaks*) continue ;; esac # another run says as much
        (run "$tool" "$file" -DFIXED)
        status=$?
        if clean "$tool" $status; then result ok "$name, fixed: $tool is silent"; else
            result "not ok" "$name, fixed: $tool is silent" $status
        fi
    done
}

if [ "$1" = --one ]; then
    one "$2"
    exit
fi
# What all need is built once, before their time limits begin.
"$RUNNEL" run -race "$here/race_unprotected.c" >/dev/null 2>&1
"$RUNNEL" vet "$here/race_unprotected.c" >/dev/null 2>&1
said=$(mktemp)
trap 'rm -f "$said"' EXIT
for name in "${@:-*}"; do
    for file in "$here"/$name.c; do
        [ -e "$file" ] && echo "$file"
    done
done | xargs -n 1 -P 2 sh -c 'printf "%s\n" "$(sh "$0" --one "$1")"' "$0" >"$said"

# The table in README.md names every program with its tools.
for file in "$here"/*.c; do
    tools=$(sed -n '1,12s/^.*found-by: *//p' "$file" | head -n 1)
    grep -qxF "| \`$(basename "$file" .c)\` | $(sed -n '1s/^.*category: *//p' "$file") | $tools |" "$here/README.md" ||
        echo "not ok - README.md's table tells of $(basename "$file")" >>"$said"
done
n=0
while IFS= read -r line; do
    case $line in
    "ok - "*) n=$((n + 1)) line="ok $n${line#ok}" ;;
    "not ok - "*) n=$((n + 1)) line="not ok $n${line#not ok}" ;;
    esac
    printf '%s\n' "$line"
done <"$said"
echo "1..$n"
! grep -q '^not ok' "$said"
