# TAP for tests that are scripts: `check NAME COMMAND…` passes when the command succeeds, and shows
# what it printed when it fails; it runs in a subshell.  Such a script ends with `finish`.
#
# RUNNEL is the command, RUNNEL_ROOT the source tree; both are guessed when a script is run by hand.
: "${RUNNEL_ROOT:=$(cd "$(dirname "$0")/../.." && pwd -P)}"
: "${RUNNEL:=$RUNNEL_ROOT/runnel}"
tap_n=0
tap_failed=0
tap_dir=$(mktemp -d)
trap 'rm -rf "$tap_dir"' EXIT

check() {
    tap_name=$1
    shift
    tap_n=$((tap_n + 1))
    tap_began=$(date +%s%3N)
    if ("$@") >"$tap_dir/said" 2>&1 </dev/null; then
        echo "ok $tap_n - $tap_name # time=$(($(date +%s%3N) - tap_began)).0ms"
    else
        echo "not ok $tap_n - $tap_name"
        tap_failed=$((tap_failed + 1))
        echo "  ---"
        head -n 60 "$tap_dir/said" | sed 's/^/    /'
        echo "  ..."
    fi
}

skip() {
    tap_n=$((tap_n + 1))
    echo "ok $tap_n - $1 # SKIP $2"
}

finish() {
    echo "1..$tap_n"
    [ "$tap_failed" = 0 ]
    exit $?
}
